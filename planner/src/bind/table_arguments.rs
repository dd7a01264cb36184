//! What table functions are called with: arguments by position or by name, `TABLE t`, `DESCRIPTOR(…)`.

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr};
use tidegate_types::{Error, Result, Span};

use super::{Binder, semantic};
use crate::algebra::Relation;
use crate::parser::cursor;
use crate::parser::dialect::TABLE_ARGUMENT;

/// A function's parameters in order; the last ones from `required` on may be left out.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [&'static str],
    pub(super) required: usize,
}

impl Binder<'_> {
    /// The input table with the expressions of its PARTITION BY.
    pub(super) fn data<'n>(
        &mut self,
        function: &str,
        node: &'n ast::Expr,
    ) -> Result<(Relation, Vec<&'n ast::Expr>)> {
        let span = self.span_of(node);
        match node {
            ast::Expr::Function(call) if call.name.to_string() == TABLE_ARGUMENT => {
                let args = super::call::plain_arguments(call, span)?;
                let Some((ast::Expr::CompoundIdentifier(path), partition)) = args.split_first()
                else {
                    return Err(semantic(format!("{function} needs TABLE name first"), span));
                };
                let parts: Vec<String> = path.iter().map(|part| part.value.clone()).collect();
                let place = path.iter().map(|part| cursor::span(part.span));
                let place = place.reduce(cursor::join).unwrap_or(span);
                Ok((self.named_table(&parts, place)?, partition.to_vec()))
            }
            ast::Expr::Subquery(query) => Ok((self.query(query)?, Vec::new())),
            ast::Expr::Identifier(name) => {
                Err(semantic(format!("{function} needs a table as its first argument"), span)
                    .help(format!("write TABLE {}", name.value)))
            }
            _ => Err(semantic(format!("{function} needs TABLE name first"), span)),
        }
    }
}

/// The names in `DESCRIPTOR(a, b)`, if the argument is one.
///
/// # Errors
/// `SQL_SEMANTIC` for clauses or names of arguments in it.
pub(super) fn descriptor(node: &ast::Expr, span: Span) -> Result<Option<Vec<&ast::Expr>>> {
    let ast::Expr::Function(call) = node else {
        return Ok(None);
    };
    if !call.name.to_string().eq_ignore_ascii_case("DESCRIPTOR") {
        return Ok(None);
    }
    super::call::plain_arguments(call, span).map(Some)
}

/// Arguments by parameter, whether they were given by position or by name.
pub(super) fn arrange<'n>(
    signature: &Signature,
    args: &'n [FunctionArg],
    span: Span,
) -> Result<Vec<Option<&'n ast::Expr>>> {
    let mut arranged = vec![None; signature.parameters.len()];
    let named = args.iter().filter(|arg| matches!(arg, FunctionArg::Named { .. })).count();
    if named > 0 && named < args.len() {
        let message = "either all arguments have names, or none";
        let parameters = signature.parameters.join(", ");
        return Err(semantic(message, span).help(format!("the parameters are {parameters}")));
    }
    for (position, arg) in args.iter().enumerate() {
        let (place, node) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) => (position, node),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(node), .. } => {
                let known =
                    signature.parameters.iter().position(|p| p.eq_ignore_ascii_case(&name.value));
                let Some(place) = known else {
                    return Err(unknown_parameter(signature, name));
                };
                (place, node)
            }
            other => {
                return Err(semantic(format!("{} does not take {other}", signature.name), span));
            }
        };
        match arranged.get_mut(place) {
            Some(slot) if slot.is_none() => *slot = Some(node),
            _ => return Err(wrong_arguments(signature, span)),
        }
    }
    Ok(arranged)
}

fn unknown_parameter(signature: &Signature, name: &ast::Ident) -> Error {
    let message = format!("{} has no parameter {}", signature.name, name.value);
    semantic(message, cursor::span(name.span))
        .help(format!("its parameters are {}", signature.parameters.join(", ")))
}

/// An argument that must be there.
pub(super) fn argument<'n>(
    arguments: &[Option<&'n ast::Expr>],
    index: usize,
    signature: &Signature,
    span: Span,
) -> Result<&'n ast::Expr> {
    arguments.get(index).copied().flatten().ok_or_else(|| wrong_arguments(signature, span))
}

pub(super) fn wrong_arguments(signature: &Signature, span: Span) -> Error {
    let optional = signature.parameters.len() - signature.required;
    let (required, rest) = signature.parameters.split_at(signature.parameters.len() - optional);
    let rest = rest.iter().map(|name| format!("[, {name}]")).collect::<String>();
    semantic(format!("{} has the wrong arguments", signature.name), span)
        .help(format!("it takes ({}{rest})", required.join(", ")))
}
