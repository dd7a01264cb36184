//! `TO_CHANGELOG` and `FROM_CHANGELOG`: rows that say which change they are, and the changes themselves.
//!
//! Semantics, names of arguments and defaults: Flink's process table functions of these names.

use std::collections::BTreeSet;

use sqlparser::ast::{self, FunctionArg};
use tidegate_plan::operator::{ChangeCode, FromChangelog, ToChangelog};
use tidegate_plan::{Expr, NamedExpr, RowKind, Scalar};
use tidegate_types::{Field, Result, Span, TimeAttribute, TypeKind};

use super::expr::ExprBinder;
use super::routine::is_default;
use super::scope::Scope;
use super::table_arguments::{Signature, argument, arrange, descriptor};
use super::{Binder, constant, semantic};
use crate::algebra::{RelOp, Relation};
use crate::parser::dialect::MAP_CONSTRUCTOR;
use crate::suggest;

const PARAMETERS: &[&str] = &["input", "op", "op_mapping", "on_time", "uid"];
/// The column that on_time adds.
const ROWTIME: &str = "rowtime";

/// Which of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    To,
    From,
}

impl Direction {
    /// The function of a name in capitals, if it is one of the two.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::To, Self::From].into_iter().find(|direction| direction.signature().name == name)
    }

    fn signature(self) -> &'static Signature {
        match self {
            Self::To => &Signature { name: "TO_CHANGELOG", parameters: PARAMETERS, required: 1 },
            Self::From => {
                &Signature { name: "FROM_CHANGELOG", parameters: PARAMETERS, required: 1 }
            }
        }
    }
}

impl Binder<'_> {
    /// A call of one of the two in FROM.
    pub(super) fn changelog(
        &mut self,
        direction: Direction,
        args: &[FunctionArg],
        span: Span,
    ) -> Result<Relation> {
        let signature = direction.signature();
        let mut arguments = arrange(signature, args, span)?;
        let given = arguments.iter_mut().skip(1).filter(|node| node.is_some_and(is_default));
        given.for_each(|node| *node = None);
        let (input, partition) =
            self.data(signature.name, argument(&arguments, 0, signature, span)?)?;
        if let Some(key) = partition.first() {
            let message = format!("{} takes no PARTITION BY", signature.name);
            return Err(semantic(message, self.span_of(*key))
                .help("it treats each row by itself, whatever partition it is in"));
        }
        let op = match arguments[1] {
            Some(node) => self.op_column(signature, node)?,
            None => ("op".to_owned(), span),
        };
        let mapping = match arguments[2] {
            Some(node) => self.op_mapping(signature, node)?,
            None => None,
        };
        let time = match arguments[3] {
            Some(node) => Some((self.on_time(signature, node, &input)?, self.span_of(node))),
            None => None,
        };
        if let Some(node) = arguments[4] {
            self.check_uid(signature, node)?;
        }
        match direction {
            Direction::To => to_changelog(input, op, mapping, time),
            Direction::From => {
                if let Some((_, span)) = time {
                    return Err(of_inserts_only("FROM_CHANGELOG makes updates", span));
                }
                from_changelog(input, op, mapping, span)
            }
        }
    }

    /// The one name in `op => DESCRIPTOR(name)`.
    fn op_column(&self, signature: &Signature, node: &ast::Expr) -> Result<(String, Span)> {
        let span = self.span_of(node);
        match descriptor(node, span)?.as_deref() {
            Some([ast::Expr::Identifier(name)]) => Ok((name.value.clone(), span)),
            _ => {
                let message =
                    format!("the argument op of {} names exactly one column", signature.name);
                Err(semantic(message, span).help("write op => DESCRIPTOR(op)"))
            }
        }
    }

    /// The keys and values of a constant map; none: it is NULL.
    fn op_mapping(&mut self, signature: &Signature, node: &ast::Expr) -> Result<Mapping> {
        let span = self.span_of(node);
        let wrong = |span: Span| {
            let message = format!(
                "the argument op_mapping of {} must be a constant map of texts",
                signature.name
            );
            semantic(message, span).help("write op_mapping => MAP['INSERT', 'I', 'DELETE', 'D']")
        };
        let call = match node {
            ast::Expr::Function(call) if call.name.to_string() == MAP_CONSTRUCTOR => call,
            other => {
                let bound = ExprBinder::new(self, &Scope::default(), "op_mapping").bind(other)?;
                return match is_null(&bound) {
                    true => Ok(None),
                    false => Err(wrong(span)),
                };
            }
        };
        let mut texts = Vec::new();
        for part in super::call::plain_arguments(call, span)? {
            let place = self.span_of(part);
            match self.constant_text(part, "op_mapping")? {
                Some(Some(text)) => texts.push(text),
                _ => return Err(wrong(place)),
            }
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut texts = texts.into_iter();
        while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
            // Of a key that stands twice the last value counts, as in every map.
            match pairs.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => pairs.push((key, value)),
            }
        }
        Ok(Some((pairs, span)))
    }

    /// A constant text; the inner none: it is NULL, the outer: it is no constant text.
    fn constant_text(
        &mut self,
        node: &ast::Expr,
        place: &'static str,
    ) -> Result<Option<Option<String>>> {
        let bound = ExprBinder::new(self, &Scope::default(), place).bind(node)?;
        if is_null(&bound) {
            return Ok(Some(None));
        }
        let literal = constant::value(&bound, self.settings);
        Ok(literal.and_then(|literal| match literal.value {
            Scalar::Text(text) if literal.ty.kind.is_text() => Some(Some(text)),
            _ => None,
        }))
    }

    /// The event-time column of `on_time => DESCRIPTOR(ts)`.
    fn on_time(&self, signature: &Signature, node: &ast::Expr, input: &Relation) -> Result<usize> {
        let span = self.span_of(node);
        let names = descriptor(node, span)?.unwrap_or_default();
        let [column] = names[..] else {
            let message =
                format!("the argument on_time of {} names exactly one column", signature.name);
            return Err(semantic(message, span).help("write on_time => DESCRIPTOR(ts)"));
        };
        match ExprBinder::new(self, &Scope::of(input, None), "on_time").bind(column)? {
            Expr::Column { index, ty } if ty.kind.time_attribute() == TimeAttribute::Event => {
                Ok(index)
            }
            other => {
                let message = format!(
                    "the argument on_time of {} must name an event-time column, this is {}",
                    signature.name,
                    other.ty()
                );
                Err(semantic(message, span).help(
                    "name the column of a WATERMARK, forwarded without any change on the way",
                ))
            }
        }
    }

    /// Operators have ids of their own: what `uid` says is checked and has no further use.
    fn check_uid(&mut self, signature: &Signature, node: &ast::Expr) -> Result<()> {
        let span = self.span_of(node);
        let is_id = |text: &str| {
            let first = text.chars().next();
            first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        match self.constant_text(node, "uid")? {
            Some(None) => Ok(()),
            Some(Some(text)) if is_id(&text) => Ok(()),
            _ => {
                let message = format!("the argument uid of {} is no identifier", signature.name);
                Err(semantic(message, span)
                    .help("it is a constant text of letters, digits, '-' and '_' that begins with none of digits and '-'"))
            }
        }
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(literal) => literal.value == Scalar::Null,
        Expr::Cast { input, .. } => is_null(input),
        _ => false,
    }
}

fn of_inserts_only(why: &str, span: Span) -> tidegate_types::Error {
    semantic(format!("on_time is for inserted rows only: {why}"), span)
        .help("leave on_time out: time attributes of the input stay what they are")
}

/// The keys and values of op_mapping, and where they stand; none: it is left out or NULL.
type Mapping = Option<(Vec<(String, String)>, Span)>;

fn to_changelog(
    input: Relation,
    (op, place): (String, Span),
    mapping: Mapping,
    time: Option<(usize, Span)>,
) -> Result<Relation> {
    if input.schema.iter().any(|field| field.name == op) {
        let message = format!("the input of TO_CHANGELOG has a column '{op}' of its own");
        return Err(semantic(message, place)
            .help("give the code of the change another name: op => DESCRIPTOR(kind)"));
    }
    let codes = match mapping {
        Some((pairs, span)) => codes_by_kind(&pairs, span)?,
        None => named_kinds(),
    };
    let mut schema = vec![Field::new(op, TypeKind::STRING.nullable())];
    schema.extend(input.schema.iter().cloned());
    let op = RelOp::ToChangelog {
        input: Box::new(input),
        changelog: ToChangelog { codes },
        timed: time.map(|(_, span)| span),
    };
    let relation = Relation { op, schema };
    let Some((column, _)) = time else {
        return Ok(relation);
    };
    // Event time has no NULLs: records without it fail the job.
    let mut exprs = relation.identity();
    let time = relation.schema[column + 1].ty.clone().with_nullable(false);
    let numbered = (0..).map(|number: usize| format!("{ROWTIME}{number}"));
    let mut names = std::iter::once(ROWTIME.to_owned()).chain(numbered);
    let taken: BTreeSet<&str> = relation.schema.iter().map(|field| field.name.as_str()).collect();
    let name = names.find(|name| !taken.contains(name.as_str())).unwrap_or_default();
    exprs.push(NamedExpr { name, expr: Expr::column(column + 1, time) });
    Ok(relation.project(exprs))
}

fn from_changelog(
    input: Relation,
    (op, place): (String, Span),
    mapping: Mapping,
    span: Span,
) -> Result<Relation> {
    let Some(column) = input.schema.iter().position(|field| field.name == op) else {
        let error =
            semantic(format!("the op column '{op}' does not exist in the input schema"), place);
        let known = input.schema.iter().map(|field| field.name.as_str());
        return Err(match suggest::advice(&op, known, "its columns are") {
            Some(advice) => error.help(format!("{advice}; name it by op => DESCRIPTOR(…)")),
            None => error,
        });
    };
    let ty = &input.schema[column].ty;
    if !ty.kind.is_text() {
        return Err(semantic(
            format!("the op column '{op}' must be of STRING type, but was '{ty}'"),
            place,
        ));
    }
    if input.schema.len() == 1 {
        return Err(semantic(
            format!("the input of FROM_CHANGELOG has no column but '{op}'"),
            span,
        )
        .help("its rows need columns of their own"));
    }
    let codes = match mapping {
        Some((pairs, span)) => kinds_by_code(&pairs, span)?,
        None => named_kinds(),
    };
    let mut schema = input.schema.clone();
    schema.remove(column);
    let changelog = FromChangelog { column, codes };
    Ok(Relation { op: RelOp::FromChangelog { input: Box::new(input), changelog }, schema })
}

/// Every kind under its name.
fn named_kinds() -> Vec<ChangeCode> {
    let code = |kind: RowKind| ChangeCode { code: kind.name().to_owned(), kind };
    RowKind::ALL.map(code).to_vec()
}

/// The parts of a key, as Flink (and Java) splits it: empty ones at the end are none.
fn parts(key: &str) -> impl Iterator<Item = &str> {
    let kept = match key.trim_end_matches(',') {
        "" if key.is_empty() => key,
        kept => kept,
    };
    let none = kept.is_empty() && !key.is_empty();
    kept.split(',').map(str::trim).skip(usize::from(none))
}

fn kind_of(name: &str, span: Span) -> Result<RowKind> {
    RowKind::from_name(name).ok_or_else(|| {
        let known = RowKind::ALL.map(RowKind::name).join(", ");
        semantic(format!("op_mapping: '{name}' is no change operation"), span)
            .help(format!("there are {known}, in capitals"))
    })
}

/// `MAP['INSERT, UPDATE_AFTER', 'put']`: operations, then their code.
fn codes_by_kind(pairs: &[(String, String)], span: Span) -> Result<Vec<ChangeCode>> {
    let mut codes: Vec<ChangeCode> = Vec::new();
    for (operations, code) in pairs {
        for name in parts(operations) {
            let kind = kind_of(name, span)?;
            if codes.iter().any(|known| known.kind == kind) {
                let message = format!("op_mapping names the change operation {name} twice");
                return Err(semantic(message, span));
            }
            codes.push(ChangeCode { code: code.clone(), kind });
        }
    }
    codes.sort_by_key(|code| code.kind as i8);
    Ok(codes)
}

/// `MAP['c, r', 'INSERT']`: codes, then their operation.
fn kinds_by_code(pairs: &[(String, String)], span: Span) -> Result<Vec<ChangeCode>> {
    let mut codes: Vec<ChangeCode> = Vec::new();
    let mut kinds: Vec<RowKind> = Vec::new();
    for (keys, name) in pairs {
        let kind = kind_of(name.trim(), span)?;
        if kinds.contains(&kind) {
            let message = format!("op_mapping names the change operation {name} twice");
            return Err(semantic(message, span)
                .help("several codes of one operation stand in one key: MAP['c, r', 'INSERT']"));
        }
        kinds.push(kind);
        for code in parts(keys) {
            if codes.iter().any(|known| known.code == code) {
                let message = format!("op_mapping names the code '{code}' twice");
                return Err(semantic(message, span));
            }
            codes.push(ChangeCode { code: code.to_owned(), kind });
        }
    }
    if kinds.contains(&RowKind::UpdateAfter) && !kinds.contains(&RowKind::UpdateBefore) {
        let message = "op_mapping names UPDATE_AFTER without UPDATE_BEFORE";
        return Err(semantic(message, span)
            .help("rows that come as updates by a key are not supported here, as in Flink: map the code to INSERT, or send the old content too"));
    }
    Ok(codes)
}
