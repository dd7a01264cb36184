//! `PERCENTILE(value, fraction | ARRAY[fraction, …] [, frequency])`.
//!
//! With a frequency the aggregate is of rows of two columns: the value, and how often it counts.

use sqlparser::ast::{self, Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use tidegate_plan::{Expr, Literal};
use tidegate_types::{Result, Span, SqlType, TypeKind};

use super::expr::ExprBinder;
use super::semantic;

impl ExprBinder<'_, '_> {
    /// What is aggregated, and the fractions.
    pub(super) fn percentile(
        &self,
        arguments: Vec<(Expr, Span)>,
        span: Span,
    ) -> Result<(Expr, Vec<Literal>)> {
        let mut arguments = arguments.into_iter();
        let (Some((value, place)), Some((fraction, at)), frequency, None) =
            (arguments.next(), arguments.next(), arguments.next(), arguments.next())
        else {
            return Err(semantic("PERCENTILE takes two or three arguments", span)
                .help("write PERCENTILE(value, 0.5), PERCENTILE(value, ARRAY[0.1, 0.9]), and behind that how often the value counts"));
        };
        if !value.ty().kind.is_numeric() {
            let message = format!("PERCENTILE does not take {}", value.ty().kind);
            return Err(semantic(message, place));
        }
        let fractions = self.parameters("PERCENTILE", fraction, at)?;
        let Some((frequency, place)) = frequency else {
            return Ok((value, fractions));
        };
        if !is_integer(frequency.ty()) {
            let message = format!(
                "the frequency of PERCENTILE must be a whole number, this is {}",
                frequency.ty().kind
            );
            return Err(semantic(message, place).help("cast it: CAST(… AS BIGINT)"));
        }
        Ok((self.row_of(vec![value, frequency], span)?, fractions))
    }
}

/// Whether the fractions of a call are an array, as its result then is.
pub(super) fn is_listed(call: &Function) -> bool {
    let FunctionArguments::List(list) = &call.args else {
        return false;
    };
    let second = list.args.get(1);
    matches!(second, Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Array(_)))))
}

fn is_integer(ty: &SqlType) -> bool {
    use TypeKind as K;
    matches!(ty.kind, K::TinyInt | K::SmallInt | K::Int | K::BigInt)
}
