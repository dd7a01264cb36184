//! Aggregate calls and GROUP BY: which windows and keys, and what stays of the input's columns.

use sqlparser::ast::{
    self, DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};
use tidegate_functions::aggregate::result_type;
use tidegate_plan::window::WindowColumn;
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, NamedExpr};
use tidegate_types::{Error, Field, Result, Span, SqlType, TimeAttribute, TypeKind};

use super::expr::ExprBinder;
use super::{constant, semantic, unsupported};
use crate::algebra::{Aggregate, AggregateWindow, RelOp, Relation, WindowProperties};

/// Column indices from here on stand for aggregate calls until the aggregate is built.
pub(crate) const AGGREGATE_BASE: usize = 1 << 40;

/// The aggregate functions that run.
pub(crate) const NAMES: &[&str] = &["COUNT", "SUM", "MIN", "MAX", "AVG"];

/// Aggregate functions of Flink that are refused by name.
const LATER: &[&str] = &[
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STDDEV",
    "VAR_POP",
    "VAR_SAMP",
    "VARIANCE",
    "COLLECT",
    "LISTAGG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "ARRAY_AGG",
    "JSON_OBJECTAGG",
    "JSON_ARRAYAGG",
    "APPROX_COUNT_DISTINCT",
    "SUM0",
    "GROUPING",
    "GROUPING_ID",
    "GROUP_ID",
    "BIT_AND",
    "BIT_OR",
    "PERCENTILE",
];

/// A call that was found in an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AggregateItem {
    function: AggregateFunction,
    argument: Option<Expr>,
    distinct: bool,
    filter: Option<Expr>,
    ty: SqlType,
}

/// Whether the name is that of an aggregate function, supported or not.
pub(crate) fn is_aggregate(name: &str) -> bool {
    NAMES.contains(&name) || LATER.contains(&name)
}

impl ExprBinder<'_, '_> {
    /// Binds an aggregate call; the result is a placeholder column.
    pub(super) fn aggregate(&mut self, name: &str, call: &Function, span: Span) -> Result<Expr> {
        let function = match name {
            "COUNT" => AggregateFunction::Count,
            "SUM" => AggregateFunction::Sum,
            "MIN" => AggregateFunction::Min,
            "MAX" => AggregateFunction::Max,
            "AVG" => AggregateFunction::Avg,
            _ => return Err(unsupported(&format!("the aggregate function {name}"), span)),
        };
        let Some(collected) = self.aggregates.take() else {
            let message = format!("the aggregate function {name} may not stand in {}", self.clause);
            return Err(semantic(message, span));
        };
        // Arguments see the rows before the aggregate: no aggregate may stand in them.
        let clause = std::mem::replace(&mut self.clause, "the argument of an aggregate function");
        let numbers = self.numbers.take();
        let references = self.references.len();
        let item = self.aggregate_item(function, name, call, span);
        self.references.truncate(references);
        (self.clause, self.numbers) = (clause, numbers);
        let bound = item.map(|item| {
            let index =
                collected.iter().position(|known| *known == item).unwrap_or(collected.len());
            let ty = item.ty.clone();
            if index == collected.len() {
                collected.push(item);
            }
            Expr::column(AGGREGATE_BASE + index, ty)
        });
        self.aggregates = Some(collected);
        bound
    }

    fn aggregate_item(
        &mut self,
        function: AggregateFunction,
        name: &str,
        call: &Function,
        span: Span,
    ) -> Result<AggregateItem> {
        let (argument, distinct) = self.aggregate_argument(name, call, span)?;
        let filter =
            call.filter.as_deref().map(|filter| self.bind_condition(filter)).transpose()?;
        // COUNT of what is never NULL counts rows.
        let argument = argument.filter(|argument| {
            function != AggregateFunction::Count || distinct || argument.ty().nullable
        });
        let argument_type = argument.as_ref().map(|argument| argument.ty().clone().materialized());
        let ty = result_type(function, argument_type.as_ref()).map_err(|error| error.at(span))?;
        // Every group has a row, so that values which are never NULL give a result.
        let sometimes_null = argument_type.is_some_and(|ty| ty.nullable) || filter.is_some();
        let nullable = function != AggregateFunction::Count && sometimes_null;
        Ok(AggregateItem { function, argument, distinct, filter, ty: ty.with_nullable(nullable) })
    }

    fn aggregate_argument(
        &mut self,
        name: &str,
        call: &Function,
        span: Span,
    ) -> Result<(Option<Expr>, bool)> {
        let FunctionArguments::List(list) = &call.args else {
            return Err(semantic(format!("{name} needs an argument"), span));
        };
        if let Some(clause) = list.clauses.first() {
            return Err(unsupported(&format!("{clause} in {name}"), span));
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        match list.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "COUNT" && !distinct => {
                Ok((None, false))
            }
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => {
                Ok((Some(self.bind(argument)?), distinct))
            }
            [_, _, ..] => Err(unsupported(&format!("{name} of several arguments"), span)),
            _ => Err(semantic(format!("{name} needs one argument"), span)),
        }
    }
}

/// The aggregate, and how expressions over its input are rewritten to its output.
pub(crate) struct Grouped {
    pub(crate) relation: Relation,
    /// Expressions over the input, and the output column that holds each.
    keys: Vec<(Expr, Expr)>,
    /// Output columns of the calls.
    calls: Vec<Expr>,
}

/// Builds the windowed aggregate of a GROUP BY.
pub(crate) fn group(
    input: Relation,
    keys: Vec<Expr>,
    items: &[AggregateItem],
    span: Span,
) -> Result<Grouped> {
    let Some(window) = input.window() else {
        return Err(without_window(span));
    };
    let (bounds, plain): (Vec<Expr>, Vec<Expr>) =
        keys.into_iter().partition(|key| window_column(key, &window).is_some());
    let bound = |wanted: WindowColumn| {
        bounds.iter().find(|key| window_column(key, &window) == Some(wanted)).cloned()
    };
    let (Some(start), Some(end)) = (bound(WindowColumn::Start), bound(WindowColumn::End)) else {
        let message =
            "the rows have windows, but GROUP BY does not name both window_start and window_end";
        return Err(unsupported_group(message, span));
    };
    let mut columns = vec![WindowColumn::Start, WindowColumn::End];
    columns.extend(bound(WindowColumn::Time).map(|_| WindowColumn::Time));
    let names = input.schema.clone();
    let mut inputs = Inputs::new(&names);
    let keys: Vec<usize> = plain.iter().map(|key| inputs.place(key)).collect();
    let calls: Vec<AggregateCall> =
        items.iter().enumerate().map(|(index, item)| item.call(index, &mut inputs)).collect();
    let window_source = AggregateWindow::Attached {
        start: inputs.place(&start),
        end: inputs.place(&end),
        event: window.event,
    };
    let time_type = bound(WindowColumn::Time).map(|time| time.ty().clone());
    let exprs = inputs.exprs;
    let input = input.project(exprs);
    let aggregate =
        Aggregate { shape: window.shape.clone(), window: window_source, keys, calls, columns };
    let schema = output_schema(&input, &aggregate, time_type);
    let relation = Relation { op: RelOp::Aggregate { input: Box::new(input), aggregate }, schema };
    Ok(Grouped::new(relation, plain, &bounds, &window, items.len()))
}

impl Grouped {
    fn new(
        relation: Relation,
        plain: Vec<Expr>,
        bounds: &[Expr],
        window: &WindowProperties,
        calls: usize,
    ) -> Self {
        let output = |index: usize| Expr::column(index, relation.schema[index].ty.clone());
        let first_bound = plain.len() + calls;
        let calls = (plain.len()..first_bound).map(output).collect();
        let mut keys: Vec<(Expr, Expr)> =
            plain.into_iter().enumerate().map(|(index, key)| (key, output(index))).collect();
        for key in bounds {
            let place = match window_column(key, window) {
                Some(WindowColumn::Start) => 0,
                Some(WindowColumn::End) => 1,
                _ => 2,
            };
            keys.push((key.clone(), output(first_bound + place)));
        }
        Self { relation, keys, calls }
    }

    /// Rewrites an expression over the input to one over the output.
    ///
    /// # Errors
    /// `SQL_SEMANTIC` if it reads a column that is not grouped.
    pub(crate) fn rewrite(
        &self,
        expr: Expr,
        references: &[(usize, Span)],
        names: &[Field],
        span: Span,
    ) -> Result<Expr> {
        if let Some((_, output)) = self.keys.iter().find(|(key, _)| *key == expr) {
            return Ok(output.clone());
        }
        match expr {
            Expr::Column { index, ref ty } if index >= AGGREGATE_BASE => {
                // Placeholders of ROW_NUMBER lie above those of aggregates and stay for now.
                let call = self.calls.get(index - AGGREGATE_BASE).cloned();
                Ok(call.unwrap_or_else(|| Expr::column(index, ty.clone())))
            }
            Expr::Column { index, .. } => Err(ungrouped(index, references, names, span)),
            mut other => {
                for child in other.children_mut() {
                    let part = std::mem::replace(child, Expr::column(0, TypeKind::Null.nullable()));
                    *child = self.rewrite(part, references, names, span)?;
                }
                Ok(other)
            }
        }
    }
}

fn ungrouped(index: usize, references: &[(usize, Span)], names: &[Field], span: Span) -> Error {
    let place =
        references.iter().find(|(column, _)| *column == index).map_or(span, |(_, place)| *place);
    let name = names.get(index).map_or("?", |field| field.name.as_str());
    semantic(format!("column '{name}' is neither grouped nor inside an aggregate function"), place)
        .help("add it to GROUP BY or aggregate it")
}

/// The columns that an aggregate reads, each once.
struct Inputs<'a> {
    columns: &'a [Field],
    exprs: Vec<NamedExpr>,
}

impl<'a> Inputs<'a> {
    fn new(columns: &'a [Field]) -> Self {
        Self { columns, exprs: Vec::new() }
    }

    fn place(&mut self, expr: &Expr) -> usize {
        if let Some(index) = self.exprs.iter().position(|named| named.expr == *expr) {
            return index;
        }
        let name = match expr {
            Expr::Column { index, .. } => self.columns[*index].name.clone(),
            _ => format!("$f{}", self.exprs.len()),
        };
        self.exprs.push(NamedExpr { name, expr: expr.clone() });
        self.exprs.len() - 1
    }
}

impl AggregateItem {
    fn call(&self, index: usize, inputs: &mut Inputs<'_>) -> AggregateCall {
        AggregateCall {
            function: self.function,
            argument: self.argument.as_ref().map(|argument| inputs.place(argument)),
            parameters: Vec::new(),
            distinct: self.distinct,
            filter: self.filter.as_ref().map(|filter| inputs.place(filter)),
            name: format!("$agg{index}"),
            ty: self.ty.clone(),
        }
    }
}

/// The window column that an expression is, if it is one.
fn window_column(expr: &Expr, window: &WindowProperties) -> Option<WindowColumn> {
    let Expr::Column { index, .. } = expr else {
        return None;
    };
    let places = [
        (&window.starts, WindowColumn::Start),
        (&window.ends, WindowColumn::End),
        (&window.times, WindowColumn::Time),
    ];
    places.into_iter().find(|(columns, _)| columns.contains(index)).map(|(_, column)| column)
}

fn output_schema(input: &Relation, aggregate: &Aggregate, time: Option<SqlType>) -> Vec<Field> {
    let keys = aggregate.keys.iter().map(|key| {
        let field = &input.schema[*key];
        Field::new(field.name.clone(), field.ty.clone().materialized())
    });
    let calls = aggregate.calls.iter().map(|call| Field::new(call.name.clone(), call.ty.clone()));
    let columns = aggregate.columns.iter().map(|column| match column {
        WindowColumn::Start => Field::new("window_start", TypeKind::timestamp(3).not_null()),
        WindowColumn::End => Field::new("window_end", TypeKind::timestamp(3).not_null()),
        WindowColumn::Time => {
            let ty = time.clone().unwrap_or_else(|| {
                TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event).not_null()
            });
            Field::new("window_time", ty)
        }
    });
    keys.chain(calls).chain(columns).collect()
}

fn without_window(span: Span) -> Error {
    unsupported_group("an aggregation without a window", span)
}

fn unsupported_group(what: &str, span: Span) -> Error {
    let message = if what.starts_with("an ") {
        format!("{what} is not supported yet")
    } else {
        what.to_owned()
    };
    Error::unsupported(message).at(span).help(
        "use a window: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, …",
    )
}

/// GROUP BY's expressions, without sets.
pub(crate) fn group_by(select: &ast::Select) -> Result<&[ast::Expr]> {
    match &select.group_by {
        ast::GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => Ok(exprs),
        _ => Err(Error::unsupported("GROUP BY ALL and its modifiers are not supported")),
    }
}

/// A key expression, computed where it is constant.
pub(crate) fn bind_key(binder: &mut ExprBinder<'_, '_>, key: &ast::Expr) -> Result<Expr> {
    let bound = binder.bind(key)?;
    let span = binder.binder.span_of(key);
    if !constant::is_deterministic(&bound) {
        return Err(semantic("a key of GROUP BY must not change between evaluations", span));
    }
    Ok(bound)
}
