//! `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …)`, the only OVER that is planned: for Top-N.

use sqlparser::ast::{Function, OrderByExpr, WindowType};
use tidegate_plan::operator::SortKey;
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Field, Result, Span, TypeKind};

use super::expr::ExprBinder;
use super::{semantic, unsupported};
use crate::algebra::{Number, RelOp, Relation};

/// Column indices from here on stand for row numbers until they are built.
pub(crate) const NUMBER_BASE: usize = 1 << 41;

/// A row number that was found in an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumberItem {
    pub(crate) partition: Vec<Expr>,
    pub(crate) order: Vec<(Expr, bool, bool)>,
    pub(crate) span: Span,
}

impl ExprBinder<'_, '_> {
    /// A call with OVER; the result is a placeholder column.
    pub(super) fn numbered(
        &mut self,
        name: &str,
        call: &Function,
        over: &WindowType,
        span: Span,
    ) -> Result<Expr> {
        if name != "ROW_NUMBER" {
            return Err(unsupported(&format!("{name} with OVER"), span)
                .help("supported is ROW_NUMBER() OVER (PARTITION BY window_start, window_end, … ORDER BY …) for Top-N"));
        }
        let WindowType::WindowSpec(spec) = over else {
            return Err(unsupported("a named window in OVER", span));
        };
        if !super::call::plain_arguments(call, span)?.is_empty() {
            return Err(semantic("ROW_NUMBER takes no arguments", span));
        }
        if spec.window_frame.is_some() || spec.window_name.is_some() {
            return Err(semantic("ROW_NUMBER takes no frame", span));
        }
        if spec.order_by.is_empty() {
            return Err(semantic("ROW_NUMBER needs ORDER BY in its OVER clause", span));
        }
        let Some(collected) = self.numbers.take() else {
            return Err(semantic(format!("ROW_NUMBER may not stand in {}", self.clause), span)
                .help("compute it in a subquery and filter outside: WHERE rn <= 10"));
        };
        let item = self.number_item(&spec.partition_by, &spec.order_by, span);
        let bound = item.map(|item| {
            let index =
                collected.iter().position(|known| *known == item).unwrap_or(collected.len());
            if index == collected.len() {
                collected.push(item);
            }
            Expr::column(NUMBER_BASE + index, TypeKind::BigInt.not_null())
        });
        self.numbers = Some(collected);
        bound
    }

    fn number_item(
        &mut self,
        partition: &[sqlparser::ast::Expr],
        order: &[OrderByExpr],
        span: Span,
    ) -> Result<NumberItem> {
        let partition = partition.iter().map(|key| self.bind(key)).collect::<Result<Vec<_>>>()?;
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            let descending = key.options.asc == Some(false);
            // Flink: NULL is the smallest value.
            let nulls_first = key.options.nulls_first.unwrap_or(!descending);
            keys.push((self.bind(&key.expr)?, descending, nulls_first));
        }
        Ok(NumberItem { partition, order: keys, span })
    }
}

/// Adds the row numbers of a SELECT to its relation. Returns the relation and the number's column.
pub(crate) fn add(input: Relation, items: &[NumberItem]) -> Result<(Relation, usize)> {
    let [item] = items else {
        let span = items.get(1).or(items.first()).map(|item| item.span);
        let error = tidegate_types::Error::unsupported(
            "two ROW_NUMBER in one SELECT are not supported yet",
        );
        return Err(match span {
            Some(span) => error.at(span),
            None => error,
        });
    };
    let mut exprs = input.identity();
    let mut place = |expr: &Expr| {
        if let Some(index) = exprs.iter().position(|named| named.expr == *expr) {
            return index;
        }
        exprs.push(NamedExpr { name: format!("$k{}", exprs.len()), expr: expr.clone() });
        exprs.len() - 1
    };
    let partition = item.partition.iter().map(&mut place).collect();
    let order = item
        .order
        .iter()
        .map(|(expr, descending, nulls_first)| SortKey {
            column: place(expr),
            descending: *descending,
            nulls_first: *nulls_first,
        })
        .collect();
    let input = if exprs.len() == input.schema.len() { input } else { input.project(exprs) };
    let mut schema = input.schema.clone();
    let column = schema.len();
    schema.push(Field::new("$rank", TypeKind::BigInt.not_null()));
    let number = Number { partition, order, span: item.span };
    Ok((Relation { op: RelOp::Number { input: Box::new(input), number }, schema }, column))
}
