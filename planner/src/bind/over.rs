//! Calls with OVER: row numbers (for Top-N and deduplication) and aggregates over the rows before.

use sqlparser::ast::{
    Function, NamedWindowDefinition, NamedWindowExpr, OrderByExpr, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};
use tidegate_plan::operator::{
    OverAggregate, OverFrame, OverGroup, OverOrder, RankFunction, SortKey,
};
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, NamedExpr, Scalar};
use tidegate_types::{Field, Result, Span, TimeAttribute, TypeKind};

use super::aggregate::AggregateItem;
use super::expr::ExprBinder;
use super::{semantic, unsupported};
use crate::algebra::{Number, RelOp, Relation};

/// Column indices from here on stand for calls with OVER until they are built.
pub(crate) const OVER_BASE: usize = 1 << 41;

/// Column indices from here on stand for aliases of the result in QUALIFY.
pub(crate) const ALIAS_BASE: usize = 1 << 44;

/// Puts the expressions of aliases in the place of their placeholders.
pub(crate) fn replace_aliases(expr: &mut Expr, aliases: &[Expr]) {
    if let Expr::Column { index, .. } = expr
        && let Some(alias) = index.checked_sub(ALIAS_BASE).and_then(|index| aliases.get(index))
    {
        *expr = alias.clone();
        return;
    }
    expr.children_mut().into_iter().for_each(|child| replace_aliases(child, aliases));
}

/// A call with OVER that was found in an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OverItem {
    call: OverCall,
    pub(crate) partition: Vec<Expr>,
    pub(crate) order: Vec<(Expr, bool, bool)>,
    frame: Option<OverFrame>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
enum OverCall {
    Rank(RankFunction),
    Aggregate(Box<AggregateItem>),
}

impl OverItem {
    /// The expressions over the rows before the call, to be rewritten in place.
    pub(crate) fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        let order = self.order.iter_mut().map(|(expr, ..)| expr);
        let mut all: Vec<&mut Expr> = self.partition.iter_mut().chain(order).collect();
        if let OverCall::Aggregate(item) = &mut self.call {
            all.extend(item.exprs_mut());
        }
        all
    }
}

impl ExprBinder<'_, '_> {
    /// A call with OVER; the result is a placeholder column.
    pub(super) fn over(
        &mut self,
        name: &str,
        call: &Function,
        over: &WindowType,
        span: Span,
    ) -> Result<Expr> {
        let Some(collected) = self.overs.take() else {
            return Err(semantic(
                format!("{name} with OVER may not stand in {}", self.clause),
                span,
            )
            .help("compute it in a subquery and filter outside: WHERE rn <= 10; or use QUALIFY"));
        };
        let item = self.over_item(name, call, over, span);
        let bound = item.map(|(item, ty)| {
            let same = |known: &OverItem| OverItem { span: item.span, ..known.clone() } == item;
            let index = collected.iter().position(same).unwrap_or(collected.len());
            if index == collected.len() {
                collected.push(item);
            }
            Expr::column(OVER_BASE + index, ty)
        });
        self.overs = Some(collected);
        bound
    }

    fn over_item(
        &mut self,
        name: &str,
        call: &Function,
        over: &WindowType,
        span: Span,
    ) -> Result<(OverItem, tidegate_types::SqlType)> {
        let spec = self.window_spec(over, span, 0)?;
        if spec.order_by.is_empty() {
            return Err(semantic(format!("{name} needs ORDER BY in its OVER clause"), span)
                .help("order by a time attribute: OVER (PARTITION BY … ORDER BY ts)"));
        }
        let rank = match name {
            "ROW_NUMBER" => Some(RankFunction::RowNumber),
            "RANK" => Some(RankFunction::Rank),
            "DENSE_RANK" => Some(RankFunction::DenseRank),
            _ => None,
        };
        let partition =
            spec.partition_by.iter().map(|key| self.bind(key)).collect::<Result<Vec<_>>>()?;
        let order = self.order_keys(&spec.order_by)?;
        if let Some(function) = rank {
            if !super::call::plain_arguments(call, span)?.is_empty() {
                return Err(semantic(format!("{name} takes no arguments"), span));
            }
            if spec.window_frame.is_some() {
                return Err(semantic(format!("{name} takes no frame"), span));
            }
            let call = OverCall::Rank(function);
            let item = OverItem { call, partition, order, frame: None, span };
            return Ok((item, TypeKind::BigInt.not_null()));
        }
        let Some(function) = AggregateFunction::by_name(name) else {
            return Err(unsupported(&format!("{name} with OVER"), span).help(
                "OVER takes aggregate functions, ROW_NUMBER, RANK, DENSE_RANK, LAG and LEAD",
            ));
        };
        let frame = match (&spec.window_frame, function.is_over_only()) {
            (Some(frame), false) => self.frame(frame, span)?,
            (Some(_), true) => return Err(semantic(format!("{name} takes no frame"), span)),
            (None, true) => OverFrame::RowsUnbounded,
            (None, false) => OverFrame::RangeUnbounded,
        };
        let item = self.aggregate_item(function, name, call, span)?;
        let ty = item.ty().clone();
        let call = OverCall::Aggregate(Box::new(item));
        Ok((OverItem { call, partition, order, frame: Some(frame), span }, ty))
    }

    /// The specification of a window, also of one with a name.
    fn window_spec(&self, over: &WindowType, span: Span, depth: usize) -> Result<WindowSpec> {
        let name = match over {
            WindowType::WindowSpec(WindowSpec { window_name: None, .. }) => None,
            WindowType::WindowSpec(spec) => spec.window_name.as_ref(),
            WindowType::NamedWindow(name) => Some(name),
        };
        let own = match over {
            WindowType::WindowSpec(spec) => spec.clone(),
            WindowType::NamedWindow(_) => WindowSpec {
                window_name: None,
                partition_by: Vec::new(),
                order_by: Vec::new(),
                window_frame: None,
            },
        };
        let Some(name) = name else { return Ok(own) };
        let known =
            self.windows.iter().find(|NamedWindowDefinition(known, _)| known.value == name.value);
        let Some(NamedWindowDefinition(_, definition)) = known.filter(|_| depth < 16) else {
            return Err(semantic(format!("there is no window '{}'", name.value), span)
                .help("define it behind the query: WINDOW w AS (PARTITION BY … ORDER BY …)"));
        };
        let base = match definition {
            NamedWindowExpr::NamedWindow(other) => {
                self.window_spec(&WindowType::NamedWindow(other.clone()), span, depth + 1)?
            }
            NamedWindowExpr::WindowSpec(spec) => {
                self.window_spec(&WindowType::WindowSpec(spec.clone()), span, depth + 1)?
            }
        };
        let either = |own: Vec<_>, base: Vec<_>| if own.is_empty() { base } else { own };
        Ok(WindowSpec {
            window_name: None,
            partition_by: either(own.partition_by, base.partition_by),
            order_by: if own.order_by.is_empty() { base.order_by } else { own.order_by },
            window_frame: own.window_frame.or(base.window_frame),
        })
    }

    /// Sort keys as (value, descending, NULLs first). Flink: NULL is the smallest value.
    pub(super) fn order_keys(&mut self, order: &[OrderByExpr]) -> Result<Vec<(Expr, bool, bool)>> {
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            let descending = key.options.asc == Some(false);
            let nulls_first = key.options.nulls_first.unwrap_or(!descending);
            keys.push((self.bind(&key.expr)?, descending, nulls_first));
        }
        Ok(keys)
    }

    fn frame(&mut self, frame: &WindowFrame, span: Span) -> Result<OverFrame> {
        if !matches!(frame.end_bound, None | Some(WindowFrameBound::CurrentRow)) {
            return Err(unsupported("a frame that does not end at CURRENT ROW", span)
                .help("write ROWS BETWEEN … PRECEDING AND CURRENT ROW"));
        }
        let rows = match frame.units {
            WindowFrameUnits::Rows => true,
            WindowFrameUnits::Range => false,
            WindowFrameUnits::Groups => return Err(unsupported("a frame of GROUPS", span)),
        };
        let preceding = match &frame.start_bound {
            WindowFrameBound::Preceding(None) => {
                return Ok(if rows { OverFrame::RowsUnbounded } else { OverFrame::RangeUnbounded });
            }
            WindowFrameBound::CurrentRow if rows => return Ok(OverFrame::Rows { preceding: 0 }),
            WindowFrameBound::CurrentRow => return Ok(OverFrame::Range { preceding: 0 }),
            WindowFrameBound::Preceding(Some(distance)) => self.bind(distance)?,
            WindowFrameBound::Following(_) => {
                return Err(unsupported("a frame that starts behind the current row", span));
            }
        };
        let Expr::Literal(literal) = &preceding else {
            return Err(semantic("the size of a frame must be constant", span));
        };
        match (&literal.value, rows) {
            (Scalar::Integer(rows @ 0..), true) if literal.ty.kind.is_integer() => {
                Ok(OverFrame::Rows { preceding: rows.unsigned_abs() })
            }
            (Scalar::Integer(millis @ 0..), false)
                if literal.ty.kind == TypeKind::IntervalDayTime =>
            {
                Ok(OverFrame::Range { preceding: *millis })
            }
            (_, true) => Err(semantic("a frame of ROWS takes a number of rows", span)),
            (_, false) => Err(semantic("a frame of RANGE takes an interval of fixed length", span)
                .help("write RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW")),
        }
    }
}

/// Adds the results of calls with OVER to the relation of a SELECT. Returns the relation and the
/// columns of the results.
pub(crate) fn add(input: Relation, items: &[OverItem]) -> Result<(Relation, Vec<usize>)> {
    let width = input.schema.len();
    let mut exprs = input.identity();
    let mut place = |expr: &Expr| {
        if let Some(index) = exprs.iter().position(|named| named.expr == *expr) {
            return index;
        }
        exprs.push(NamedExpr { name: format!("$k{}", exprs.len()), expr: expr.clone() });
        exprs.len() - 1
    };
    let placed: Vec<Placed> =
        items.iter().enumerate().map(|(index, item)| Placed::of(item, index, &mut place)).collect();
    let mut relation = if exprs.len() == width { input } else { input.project(exprs) };
    let mut columns = vec![None; items.len()];
    for (index, item) in items.iter().enumerate() {
        if columns[index].is_some() {
            continue;
        }
        if let OverCall::Rank(function) = item.call {
            columns[index] = Some(relation.schema.len());
            let Placed { partition, order, .. } = placed[index].clone();
            let number = Number { function, partition, order, span: item.span };
            let mut schema = relation.schema.clone();
            schema.push(Field::new("$rank", TypeKind::BigInt.not_null()));
            relation = Relation { op: RelOp::Number { input: Box::new(relation), number }, schema };
            continue;
        }
        // All aggregates over the same order share an operator.
        let together: Vec<usize> =
            (index..items.len()).filter(|other| placed[*other].shares(&placed[index])).collect();
        relation = over(relation, items, &placed, &together, &mut columns)?;
    }
    Ok((relation, columns.into_iter().flatten().collect()))
}

/// What an item reads, as columns.
#[derive(Debug, Clone)]
struct Placed {
    partition: Vec<usize>,
    order: Vec<SortKey>,
    /// None for row numbers.
    call: Option<AggregateCall>,
}

impl Placed {
    fn of(item: &OverItem, index: usize, place: &mut dyn FnMut(&Expr) -> usize) -> Self {
        let partition = item.partition.iter().map(&mut *place).collect();
        let order = item.order.iter().map(|(expr, descending, nulls_first)| SortKey {
            column: place(expr),
            descending: *descending,
            nulls_first: *nulls_first,
        });
        let order = order.collect();
        let call = match &item.call {
            OverCall::Aggregate(item) => Some(item.call(format!("$over{index}"), place)),
            OverCall::Rank(_) => None,
        };
        Self { partition, order, call }
    }

    fn shares(&self, other: &Self) -> bool {
        let aggregates = self.call.is_some() && other.call.is_some();
        aggregates && self.partition == other.partition && self.order == other.order
    }
}

fn over(
    input: Relation,
    items: &[OverItem],
    placed: &[Placed],
    together: &[usize],
    columns: &mut [Option<usize>],
) -> Result<Relation> {
    let mut groups: Vec<(OverGroup, Vec<usize>)> = Vec::new();
    for index in together {
        let (Some(call), Some(frame)) = (&placed[*index].call, items[*index].frame) else {
            continue;
        };
        let known = groups.iter().position(|(group, _)| group.frame == frame);
        let known = known.unwrap_or_else(|| {
            groups.push((OverGroup { frame, aggregates: Vec::new() }, Vec::new()));
            groups.len() - 1
        });
        groups[known].0.aggregates.push(call.clone());
        groups[known].1.push(*index);
    }
    let first = together[0];
    let order = over_order(&input, &placed[first].order, items[first].span)?;
    let mut schema = input.schema.clone();
    for (group, members) in &groups {
        for (call, index) in group.aggregates.iter().zip(members) {
            columns[*index] = Some(schema.len());
            schema.push(Field::new(call.name.clone(), call.ty.clone()));
        }
    }
    let groups = groups.into_iter().map(|(group, _)| group).collect();
    let over = OverAggregate { keys: placed[first].partition.clone(), order, groups };
    Ok(Relation { op: RelOp::Over { input: Box::new(input), over }, schema })
}

/// How rows are ordered: by time where the one key is a time attribute.
pub(crate) fn over_order(input: &Relation, order: &[SortKey], span: Span) -> Result<OverOrder> {
    let attribute = |key: &SortKey| input.schema[key.column].ty.kind.time_attribute();
    if let [key] = order {
        match (attribute(key), key.descending) {
            (TimeAttribute::Event, false) => return Ok(OverOrder::Event { column: key.column }),
            (TimeAttribute::Processing, false) => return Ok(OverOrder::Processing),
            (TimeAttribute::Processing, true) => {
                return Err(unsupported("OVER in descending order of processing time", span));
            }
            _ => {}
        }
    }
    let keys = order.iter().filter(|key| attribute(key) != TimeAttribute::Processing);
    Ok(OverOrder::Columns { keys: keys.cloned().collect() })
}
