//! Names and functions in MEASURES and DEFINE: which row of which variable they are of.

use sqlparser::ast::{self, DuplicateTreatment, Function, FunctionArguments, Ident};
use tidegate_plan::operator::RowReference;
use tidegate_plan::{AggregateFunction, Expr, Literal, Scalar};
use tidegate_types::{Result, Span, SqlType, TimeAttribute, TypeKind};

use crate::bind::aggregate::{self, AggregateItem};
use crate::bind::call::plain_arguments;
use crate::bind::expr::ExprBinder;
use crate::bind::scope::fields_of;
use crate::bind::{semantic, unsupported};
use crate::parser::cursor;
use crate::parser::dialect::{FINAL, RUNNING};
use crate::suggest;

/// Column indices from here on stand for references to rows.
pub(super) const REFERENCE_BASE: usize = 1 << 50;
/// Column indices from here on stand for aggregates.
pub(super) const AGGREGATE_BASE: usize = 1 << 51;
/// The column that stands for the time of the match; the next one is the same as a TIMESTAMP.
pub(super) const TIME: usize = 1 << 52;

/// Functions of row patterns, which have no meaning elsewhere.
const FUNCTIONS: &[&str] = &["MATCH_ROWTIME", "MATCH_PROCTIME", "CLASSIFIER", "MATCH_NUMBER"];

/// What names in an expression of MATCH_RECOGNIZE stand for.
pub(crate) struct PatternRows {
    /// The variables of the pattern.
    pub(super) variables: Vec<String>,
    /// Variables that only DEFINE has: they have no rows.
    pub(super) others: Vec<String>,
    /// The variable whose condition is bound; none: a measure.
    pub(super) defines: Option<usize>,
    /// The rowtime column, if rows are ordered by it.
    pub(super) time: Option<(usize, SqlType)>,
    pub(super) references: Vec<RowReference>,
    pub(super) aggregates: Vec<(Option<usize>, AggregateItem)>,
    /// Which row FIRST or LAST asks for, around the names that are bound.
    navigation: Option<(bool, u64)>,
    within_aggregate: bool,
    /// The variable that the names in FIRST, LAST or an aggregate have so far.
    seen: Option<Of>,
}

/// Whose rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Variable(usize),
    /// A variable that is not in the pattern.
    Nobody,
}

impl PatternRows {
    pub(super) fn new(
        variables: Vec<String>,
        others: Vec<String>,
        time: Option<(usize, SqlType)>,
    ) -> Self {
        Self {
            variables,
            others,
            defines: None,
            time,
            references: Vec::new(),
            aggregates: Vec::new(),
            navigation: None,
            within_aggregate: false,
            seen: None,
        }
    }

    fn of(&self, name: &str) -> Option<Of> {
        let place = self.variables.iter().position(|known| known == name);
        let nobody = || self.others.iter().any(|known| known == name).then_some(Of::Nobody);
        place.map(Of::Variable).or_else(nobody)
    }

    fn clause(&self) -> &'static str {
        if self.defines.is_some() { "DEFINE" } else { "MEASURES" }
    }
}

impl ExprBinder<'_, '_> {
    /// A column in MEASURES or DEFINE.
    pub(in crate::bind) fn pattern_column(&mut self, path: &[Ident]) -> Result<Expr> {
        let Some(rows) = self.rows.as_mut() else {
            return self.scope.resolve(path);
        };
        let (of, rest) = match path {
            [variable, rest @ ..] if !rest.is_empty() && rows.of(&variable.value).is_some() => {
                (rows.of(&variable.value).unwrap_or(Of::All), rest)
            }
            _ => (Of::All, path),
        };
        let Some((column, fields)) = rest.split_first() else {
            return self.scope.resolve(path);
        };
        let known = self.scope.columns.iter().position(|known| known.name == column.value);
        let Some(index) = known else {
            if !fields.is_empty() && of == Of::All {
                let span = cursor::span(column.span);
                let message = format!("there is no variable or column '{}' here", column.value);
                let names = rows.variables.iter().map(String::as_str);
                let error = semantic(message, span);
                return Err(match suggest::advice(&column.value, names, "the variables are") {
                    Some(advice) => error.help(advice),
                    None => error,
                });
            }
            return self.scope.resolve(std::slice::from_ref(column));
        };
        let single = rows.navigation.is_some() || rows.within_aggregate;
        if single && rows.seen.replace(of).is_some_and(|seen| seen != of) {
            let span = cursor::span(path[0].span);
            let what = if rows.within_aggregate { "an aggregate" } else { "FIRST or LAST" };
            let message = format!("{what} is of the rows of one variable, here are several");
            return Err(semantic(message, span)
                .help("compute over the results instead: SUM(A.x) + SUM(B.x)"));
        }
        let ty = &self.scope.columns[index].ty;
        let value = if of == Of::Nobody {
            Expr::Literal(Literal::null(ty.clone().materialized().kind))
        } else if rows.within_aggregate {
            Expr::column(index, ty.clone())
        } else {
            let (first, offset) = rows.navigation.unwrap_or((false, 0));
            let variable = match of {
                Of::Variable(variable) => Some(variable),
                _ => None,
            };
            let own = variable.is_none() || variable == rows.defines;
            if rows.defines.is_some() && own && !first && offset == 0 {
                Expr::column(index, ty.clone())
            } else {
                let reference = RowReference { variable, column: index, first, offset };
                let known = rows.references.iter().position(|known| *known == reference);
                let place = known.unwrap_or(rows.references.len());
                if known.is_none() {
                    rows.references.push(reference);
                }
                let ty = ty.clone().materialized().with_nullable(true);
                Expr::column(REFERENCE_BASE + place, ty)
            }
        };
        fields_of(value, fields)
    }

    /// A call that has a meaning of its own in MEASURES and DEFINE, or only there.
    pub(in crate::bind) fn pattern_call(
        &mut self,
        name: &str,
        call: &Function,
        span: Span,
    ) -> Result<Option<Expr>> {
        let shown = name.trim_start_matches('$');
        let Some(rows) = self.rows.as_ref() else {
            if FUNCTIONS.contains(&name) || name == FINAL || name == RUNNING {
                let message = format!("{shown} may stand only in MATCH_RECOGNIZE");
                return Err(semantic(message, span));
            }
            return Ok(None);
        };
        let clause = rows.clause();
        if rows.within_aggregate && matches!(name, "FIRST" | "LAST" | "PREV" | "NEXT") {
            let message = format!("{shown} may not stand in an aggregate function");
            return Err(semantic(message, span)
                .help("leave it out: the aggregate is of all rows of the variable"));
        }
        if aggregate::is_aggregate(name) {
            return self.pattern_aggregate(name, call, span).map(Some);
        }
        Ok(Some(match name {
            "FIRST" | "LAST" => self.navigation(name, call, span)?,
            "PREV" | "NEXT" => {
                let offset = offset(self, name, call, span, 1)?;
                if offset.1 != 0 || rows_defines(self).is_none() {
                    return Err(unsupported(&format!("{name} in MATCH_RECOGNIZE"), span).help(
                        "LAST(A.x, 1) is the row of A before the last, LAST(x, 1) the row before the last of all",
                    ));
                }
                self.expr(offset.0)?
            }
            FINAL if clause == "MEASURES" => {
                let arguments = plain_arguments(call, span)?;
                let [inner] = arguments.as_slice() else {
                    return Err(semantic("FINAL stands before one call", span));
                };
                self.expr(inner)?
            }
            FINAL => {
                return Err(semantic("FINAL may not stand in DEFINE", span)
                    .help("conditions see the rows up to the current one"));
            }
            RUNNING => {
                return Err(unsupported("RUNNING in MATCH_RECOGNIZE", span)
                    .help("with one row per match measures are of the whole match: leave it out"));
            }
            "MATCH_ROWTIME" => self.match_rowtime(call, span)?,
            "MATCH_PROCTIME" => {
                if !plain_arguments(call, span)?.is_empty() {
                    return Err(semantic("MATCH_PROCTIME takes no arguments", span));
                }
                self.proctime(&[], span)?
            }
            "CLASSIFIER" | "MATCH_NUMBER" => {
                return Err(unsupported(&format!("{name} in MATCH_RECOGNIZE"), span));
            }
            _ => return Ok(None),
        }))
    }

    /// `FIRST(x, n)`, `LAST(x, n)`.
    fn navigation(&mut self, name: &str, call: &Function, span: Span) -> Result<Expr> {
        if self.rows.as_ref().is_some_and(|rows| rows.navigation.is_some()) {
            let message = format!("{name} may not stand in FIRST or LAST");
            return Err(semantic(message, span));
        }
        let (argument, offset) = offset(self, name, call, span, 0)?;
        if let Some(rows) = self.rows.as_mut() {
            rows.navigation = Some((name == "FIRST", offset));
            rows.seen = None;
        }
        let bound = self.expr(argument);
        if let Some(rows) = self.rows.as_mut() {
            (rows.navigation, rows.seen) = (None, None);
        }
        bound
    }

    fn pattern_aggregate(&mut self, name: &str, call: &Function, span: Span) -> Result<Expr> {
        let Some(function) = AggregateFunction::by_name(name) else {
            return Err(unsupported(&format!("the aggregate function {name}"), span));
        };
        if function.is_over_only() {
            return Err(semantic(format!("{name} needs an OVER clause"), span));
        }
        let Some(rows) = self.rows.as_mut() else {
            return Err(semantic(format!("{name} may not stand here"), span));
        };
        if rows.navigation.is_some() || rows.within_aggregate {
            let inside = if rows.within_aggregate { "another aggregate" } else { "FIRST or LAST" };
            return Err(semantic(format!("the aggregate {name} may not stand in {inside}"), span));
        }
        if call.filter.is_some() {
            return Err(unsupported("FILTER of an aggregate in MATCH_RECOGNIZE", span)
                .help("aggregate a CASE: SUM(CASE WHEN A.x > 1 THEN A.x END)"));
        }
        if let FunctionArguments::List(list) = &call.args
            && list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
        {
            return Err(unsupported("DISTINCT of an aggregate in MATCH_RECOGNIZE", span));
        }
        (rows.within_aggregate, rows.seen) = (true, None);
        // A variable may have no rows.
        let whole = std::mem::replace(&mut self.whole_table, true);
        let item = self.aggregate_item(function, name, call, span);
        self.whole_table = whole;
        let Some(rows) = self.rows.as_mut() else {
            return Err(semantic(format!("{name} may not stand here"), span));
        };
        rows.within_aggregate = false;
        let (item, seen) = (item?, rows.seen.take());
        let variable = match seen {
            Some(Of::Variable(variable)) => Some(variable),
            Some(Of::All) => None,
            Some(Of::Nobody) => return Ok(of_no_rows(function, item.ty())),
            None if counts_rows(call) => None,
            None => {
                let message =
                    format!("{name} names no column, so that it is not known of whose rows it is");
                return Err(semantic(message, span)
                    .help("name a column of a variable, or COUNT(*) for all rows of the match"));
            }
        };
        let known = rows.aggregates.iter().position(|known| *known == (variable, item.clone()));
        let place = known.unwrap_or(rows.aggregates.len());
        let ty = item.ty().clone();
        if known.is_none() {
            rows.aggregates.push((variable, item));
        }
        Ok(Expr::column(AGGREGATE_BASE + place, ty))
    }

    fn match_rowtime(&mut self, call: &Function, span: Span) -> Result<Expr> {
        let arguments = plain_arguments(call, span)?;
        let Some(rows) = self.rows.as_ref() else {
            return Err(semantic("MATCH_ROWTIME may stand only in MATCH_RECOGNIZE", span));
        };
        let Some((column, ty)) = rows.time.clone() else {
            return Err(semantic("MATCH_ROWTIME needs rows that are ordered by event time", span)
                .help("use MATCH_PROCTIME(), or ORDER BY the column of a WATERMARK"));
        };
        let named = match arguments.as_slice() {
            [] => true,
            [one] => {
                let path: &[Ident] = match one {
                    ast::Expr::Identifier(name) => std::slice::from_ref(name),
                    ast::Expr::CompoundIdentifier(path) => path,
                    _ => &[],
                };
                path.last().is_some_and(|name| name.value == self.scope.columns[column].name)
            }
            _ => false,
        };
        if !named {
            return Err(semantic(
                "the argument of MATCH_ROWTIME is the column that rows are ordered by, if any",
                span,
            ));
        }
        let event = |kind: TypeKind| kind.with_time_attribute(TimeAttribute::Event);
        Ok(match (rows.defines, arguments.is_empty()) {
            (Some(_), _) => Expr::column(column, self.scope.columns[column].ty.clone()),
            // As in Flink: a TIMESTAMP, or the type of the column that is named.
            (None, true) => Expr::column(TIME + 1, event(TypeKind::timestamp(3)).not_null()),
            (None, false) => {
                Expr::column(TIME, event(ty.kind).nullable().with_nullable(ty.nullable))
            }
        })
    }
}

fn rows_defines(binder: &ExprBinder<'_, '_>) -> Option<usize> {
    binder.rows.as_ref().and_then(|rows| rows.defines)
}

/// The first argument of FIRST, LAST, PREV or NEXT and the number behind it.
fn offset<'c>(
    binder: &ExprBinder<'_, '_>,
    name: &str,
    call: &'c Function,
    span: Span,
    default: u64,
) -> Result<(&'c ast::Expr, u64)> {
    let wrong = |place: Span| {
        semantic(format!("the second argument of {name} is a number of rows from 0"), place)
    };
    match plain_arguments(call, span)?.as_slice() {
        [argument] => Ok((argument, default)),
        [argument, offset] => {
            let place = binder.binder.span_of(*offset);
            let ast::Expr::Value(value) = offset else { return Err(wrong(place)) };
            let ast::Value::Number(text, _) = &value.value else { return Err(wrong(place)) };
            Ok((argument, text.parse().map_err(|_| wrong(place))?))
        }
        _ => Err(semantic(format!("{name} takes a value and a number of rows"), span)),
    }
}

fn counts_rows(call: &Function) -> bool {
    matches!(&call.args, FunctionArguments::List(list)
        if matches!(list.args.as_slice(), [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]))
}

/// What an aggregate comes to over no rows.
fn of_no_rows(function: AggregateFunction, ty: &SqlType) -> Expr {
    let counts =
        matches!(function, AggregateFunction::Count | AggregateFunction::ApproxCountDistinct);
    Expr::Literal(match counts {
        true => Literal { value: Scalar::Integer(0), ty: TypeKind::BigInt.not_null() },
        false => Literal::null(ty.kind.clone()),
    })
}
