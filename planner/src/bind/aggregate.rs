//! Aggregate calls and GROUP BY: which windows and keys, and what stays of the input's columns.

use sqlparser::ast::{
    self, DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};
use tidegate_functions::aggregate::result_type;
use tidegate_plan::window::WindowColumn;
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Error, Field, Result, Span, SqlType, TimeAttribute, TypeKind};

use super::expr::ExprBinder;
use super::percentile::is_listed;
use super::{constant, gathered, grouping, semantic, unsupported};
use crate::algebra::{Aggregate, AggregateWindow, Group, RelOp, Relation, WindowProperties};

/// Column indices from here on stand for aggregate calls until the aggregate is built.
pub(crate) const AGGREGATE_BASE: usize = 1 << 40;

/// Aggregate functions of Flink that are refused by name.
const LATER: &[&str] = &["NTILE", "PERCENT_RANK", "CUME_DIST"];

/// Functions that tell which keys a row of GROUPING SETS has.
pub(super) const GROUPING: &[&str] = &["GROUPING", "GROUPING_ID", "GROUP_ID"];

/// A call that was found in an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AggregateItem {
    pub(super) function: AggregateFunction,
    pub(super) argument: Option<Expr>,
    parameters: Vec<Literal>,
    distinct: bool,
    filter: Option<Expr>,
    ty: SqlType,
}

/// Whether the name is that of an aggregate function, supported or not.
pub(crate) fn is_aggregate(name: &str) -> bool {
    AggregateFunction::by_name(name).is_some()
        || LATER.contains(&name)
        || gathered::names().any(|known| known == name)
}

/// Names of all aggregate functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    AggregateFunction::names().filter(|name| !name.starts_with('$')).chain(gathered::names())
}

impl ExprBinder<'_, '_> {
    /// Binds an aggregate call; the result is a placeholder column.
    pub(super) fn aggregate(&mut self, name: &str, call: &Function, span: Span) -> Result<Expr> {
        let Some(function) = AggregateFunction::by_name(name) else {
            return Err(unsupported(&format!("the aggregate function {name}"), span));
        };
        if function.is_over_only() {
            return Err(semantic(format!("{name} needs an OVER clause"), span)
                .help("write OVER (PARTITION BY … ORDER BY …)"));
        }
        let Some(collected) = self.aggregates.take() else {
            let message = format!("the aggregate function {name} may not stand in {}", self.clause);
            return Err(semantic(message, span));
        };
        // Arguments see the rows before the aggregate: no aggregate may stand in them.
        let clause = std::mem::replace(&mut self.clause, "the argument of an aggregate function");
        let overs = self.overs.take();
        let references = self.references.len();
        let item = self.aggregate_item(function, name, call, span);
        self.references.truncate(references);
        (self.clause, self.overs) = (clause, overs);
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

    /// Binds the arguments of an aggregate function.
    pub(super) fn aggregate_item(
        &mut self,
        function: AggregateFunction,
        name: &str,
        call: &Function,
        span: Span,
    ) -> Result<AggregateItem> {
        let (argument, parameters, distinct) = self.aggregate_arguments(name, call, span)?;
        let filter =
            call.filter.as_deref().map(|filter| self.bind_condition(filter)).transpose()?;
        // COUNT of what is never NULL counts rows.
        let argument = argument.filter(|argument| {
            function != AggregateFunction::Count || distinct || argument.ty().nullable
        });
        let argument_type = argument.as_ref().map(|argument| argument.ty().clone().materialized());
        let mut ty = result_type(function, argument_type.as_ref(), &parameters)
            .map_err(|error| error.at(span))?;
        if function == AggregateFunction::Percentile && is_listed(call) {
            ty.kind = TypeKind::Array(Box::new(TypeKind::Double.nullable()));
        }
        // Every group has a row, so that values which are never NULL give a result; the whole table,
        // if it is the group, may be empty, and a frame has at least its row.
        let sometimes_null = argument_type.is_some_and(|ty| ty.nullable)
            || filter.is_some()
            || (self.whole_table && call.over.is_none());
        let nullable = ty.nullable && (sometimes_null || function.may_be_null());
        let ty = ty.with_nullable(nullable);
        Ok(AggregateItem { function, argument, parameters, distinct, filter, ty })
    }

    fn aggregate_arguments(
        &mut self,
        name: &str,
        call: &Function,
        span: Span,
    ) -> Result<(Option<Expr>, Vec<Literal>, bool)> {
        let FunctionArguments::List(list) = &call.args else {
            return Ok((None, Vec::new(), false));
        };
        if let Some(clause) = list.clauses.first() {
            return Err(unsupported(&format!("{clause} in {name}"), span));
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice()
            && name == "COUNT"
            && !distinct
        {
            return Ok((None, Vec::new(), false));
        }
        let mut bound = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = arg else {
                return Err(semantic(format!("{name} does not take the argument {arg}"), span));
            };
            bound.push((self.bind(argument)?, self.binder.span_of(argument)));
        }
        if name == AggregateFunction::Percentile.name() {
            let (argument, fractions) = self.percentile(bound, span)?;
            return Ok((Some(argument), fractions, distinct));
        }
        let mut bound = bound.into_iter();
        let Some((first, _)) = bound.next() else {
            return Ok((None, Vec::new(), distinct));
        };
        let mut parameters = Vec::new();
        for (expr, place) in bound {
            if name == "COUNT" {
                return Err(unsupported("COUNT of several arguments", span)
                    .help("count a ROW: COUNT(DISTINCT ROW(a, b))"));
            }
            parameters.extend(self.parameters(name, expr, place)?);
        }
        Ok((Some(first), parameters, distinct))
    }

    /// Constant arguments behind the first; those of an array one by one.
    pub(super) fn parameters(&self, name: &str, expr: Expr, place: Span) -> Result<Vec<Literal>> {
        let values = match expr {
            Expr::Call { function, args, .. } if function.name == "ARRAY" => args,
            other => vec![other],
        };
        let literal = |expr: &Expr| {
            constant::value(expr, self.binder.settings).ok_or_else(|| {
                let message = format!("the further arguments of {name} must be constants");
                semantic(message, place)
            })
        };
        values.iter().map(literal).collect()
    }
}

/// The aggregate, and how expressions over its input are rewritten to its output.
pub(crate) struct Grouped {
    pub(crate) relation: Relation,
    /// Expressions over the input, and the output column that holds each.
    keys: Vec<(Expr, Expr)>,
    /// Output columns of the calls.
    calls: Vec<Expr>,
    /// The grouping sets, as indices into the keys, and the column with the number of a row's set.
    sets: Option<(Vec<Vec<usize>>, Expr)>,
}

/// Builds the aggregate of a GROUP BY: by window, if both bounds of one are among the keys.
pub(crate) fn group(
    input: Relation,
    keys: Vec<Expr>,
    items: &[AggregateItem],
    ttl: Option<u64>,
) -> Grouped {
    let window = input.window().filter(|window| {
        let has = |wanted| keys.iter().any(|key| window_column(key, window) == Some(wanted));
        has(WindowColumn::Start) && has(WindowColumn::End)
    });
    match window {
        Some(window) => group_windows(input, keys, items, &window),
        None => group_all(input, keys, items, ttl),
    }
}

fn group_windows(
    input: Relation,
    keys: Vec<Expr>,
    items: &[AggregateItem],
    window: &WindowProperties,
) -> Grouped {
    let (bounds, plain): (Vec<Expr>, Vec<Expr>) =
        keys.into_iter().partition(|key| window_column(key, window).is_some());
    let bound = |wanted: WindowColumn| {
        bounds.iter().find(|key| window_column(key, window) == Some(wanted)).cloned()
    };
    let mut columns = vec![WindowColumn::Start, WindowColumn::End];
    let time = bound(WindowColumn::Time);
    columns.extend(time.as_ref().map(|_| WindowColumn::Time));
    let names = input.schema.clone();
    let mut inputs = Inputs::new(&names);
    let keys: Vec<usize> = plain.iter().map(|key| inputs.place(key)).collect();
    let calls = inputs.calls(items);
    let mut place = |wanted| bound(wanted).map_or(0, |key| inputs.place(&key));
    let (start, end) = (place(WindowColumn::Start), place(WindowColumn::End));
    let window_source = AggregateWindow::Attached { start, end, event: window.event };
    let input = input.project(inputs.exprs);
    let aggregate = Aggregate {
        shape: window.shape.clone(),
        window: window_source,
        keys,
        calls,
        columns,
        grouping: window.grouping,
    };
    let schema = output_schema(&input, &aggregate, time.map(|time| time.ty().clone()));
    let relation = Relation { op: RelOp::Aggregate { input: Box::new(input), aggregate }, schema };
    Grouped::new(relation, plain, &bounds, Some(window), items.len())
}

fn group_all(
    input: Relation,
    keys: Vec<Expr>,
    items: &[AggregateItem],
    ttl: Option<u64>,
) -> Grouped {
    let names = input.schema.clone();
    let mut inputs = Inputs::new(&names);
    let places: Vec<usize> = keys.iter().map(|key| inputs.place(key)).collect();
    let calls = inputs.calls(items);
    let mut exprs = inputs.exprs;
    if exprs.is_empty() {
        // COUNT(*) of the whole table reads no column, but rows need one.
        let value = Literal { value: Scalar::Boolean(true), ty: TypeKind::Boolean.not_null() };
        exprs.push(NamedExpr { name: "$row".to_owned(), expr: Expr::Literal(value) });
    }
    let input = input.project(exprs);
    let schema = grouped_schema(&input, &places, &calls).collect();
    let group = Group { keys: places, calls, ttl };
    let relation = Relation { op: RelOp::Group { input: Box::new(input), group }, schema };
    Grouped::new(relation, keys, &[], None, items.len())
}

impl Grouped {
    fn new(
        relation: Relation,
        plain: Vec<Expr>,
        bounds: &[Expr],
        window: Option<&WindowProperties>,
        calls: usize,
    ) -> Self {
        let output = |index: usize| Expr::column(index, relation.schema[index].ty.clone());
        let first_bound = plain.len() + calls;
        let calls = (plain.len()..first_bound).map(output).collect();
        let mut keys: Vec<(Expr, Expr)> =
            plain.into_iter().enumerate().map(|(index, key)| (key, output(index))).collect();
        for key in bounds {
            let place = match window.and_then(|window| window_column(key, window)) {
                Some(WindowColumn::Start) => 0,
                Some(WindowColumn::End) => 1,
                _ => 2,
            };
            keys.push((key.clone(), output(first_bound + place)));
        }
        Self { relation, keys, calls, sets: None }
    }

    /// The same for keys that were expanded to grouping sets: `keys` stand for the first columns, the
    /// set's number behind them.
    pub(super) fn of_sets(mut self, keys: Vec<Expr>, sets: Vec<Vec<usize>>) -> Self {
        let count = keys.len();
        let output = |index: usize| {
            let column = |(key, _): &&(Expr, Expr)| matches!(key, Expr::Column { index: at, .. } if *at == index);
            self.keys.iter().find(column).map(|(_, output)| output.clone())
        };
        let number = output(count).unwrap_or_else(|| grouping::bigint(0));
        let named = keys.into_iter().enumerate();
        self.keys = named.filter_map(|(index, key)| Some((key, output(index)?))).collect();
        self.sets = Some((sets, number));
        self
    }

    /// `GROUPING(…)` and its like over the output.
    fn grouping(&self, name: &str, args: &[Expr], span: Span) -> Result<Expr> {
        let place = |arg: &Expr| {
            self.keys.iter().position(|(key, _)| key == arg).ok_or_else(|| {
                semantic(format!("the arguments of {name} must be keys of GROUP BY"), span)
            })
        };
        let args = args.iter().map(place).collect::<Result<Vec<_>>>()?;
        let Some((sets, number)) = &self.sets else {
            return Ok(grouping::bigint(0));
        };
        let values = grouping::grouping_values(name, &args, sets).enumerate();
        let branches = values.map(|(set, value)| {
            let of_set = vec![number.clone(), grouping::bigint(set as i64)];
            let condition = Expr::call("=", of_set, TypeKind::Boolean.not_null());
            (condition, grouping::bigint(value))
        });
        let branches = branches.collect();
        let otherwise = Box::new(grouping::bigint(0));
        Ok(Expr::Case { branches, otherwise, ty: TypeKind::BigInt.not_null() })
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
            Expr::Call { ref function, ref args, .. }
                if GROUPING.contains(&function.name.as_str()) =>
            {
                self.grouping(&function.name, args, span)
            }
            Expr::Column { index, ref ty } if index >= AGGREGATE_BASE => {
                // Placeholders of what is built later lie above those of aggregates and stay for now.
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

    fn calls(&mut self, items: &[AggregateItem]) -> Vec<AggregateCall> {
        let items = items.iter().enumerate();
        items
            .map(|(index, item)| item.call(format!("$agg{index}"), &mut |expr| self.place(expr)))
            .collect()
    }
}

impl AggregateItem {
    /// Type of the result.
    pub(super) fn ty(&self) -> &SqlType {
        &self.ty
    }

    /// The expressions over the input, to be rewritten in place.
    pub(super) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.argument.iter_mut().chain(&mut self.filter)
    }

    /// The call, with its expressions put into columns.
    pub(super) fn call(
        &self,
        name: String,
        place: &mut dyn FnMut(&Expr) -> usize,
    ) -> AggregateCall {
        AggregateCall {
            function: self.function,
            argument: self.argument.as_ref().map(&mut *place),
            parameters: self.parameters.clone(),
            distinct: self.distinct,
            filter: self.filter.as_ref().map(place),
            name,
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

/// Keys, then results.
fn grouped_schema<'a>(
    input: &'a Relation,
    keys: &'a [usize],
    calls: &'a [AggregateCall],
) -> impl Iterator<Item = Field> + 'a {
    let keys = keys.iter().map(|key| {
        let field = &input.schema[*key];
        Field::new(field.name.clone(), field.ty.clone().materialized())
    });
    keys.chain(calls.iter().map(|call| Field::new(call.name.clone(), call.ty.clone())))
}

fn output_schema(input: &Relation, aggregate: &Aggregate, time: Option<SqlType>) -> Vec<Field> {
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
    grouped_schema(input, &aggregate.keys, &aggregate.calls).chain(columns).collect()
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
