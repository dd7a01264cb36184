//! `CURRENT_WATERMARK(x)`: x says whose event time is asked for, its value is not looked at. It is a column of
//! event time, or what Flink types as one: a time shifted by an interval, a choice among times, the first or last
//! time of a group.

use sqlparser::ast;
use tidegate_functions::CURRENT_WATERMARK;
use tidegate_plan::{AggregateFunction, Expr, Literal};
use tidegate_types::{Result, Span, SqlType, TimeAttribute, TypeKind};

use super::aggregate::AGGREGATE_BASE;
use super::expr::ExprBinder;

/// Functions that give one of their arguments, or shift it.
const PASSING: &[&str] = &["+", "-", "COALESCE", "IF", "IFNULL", "NULLIF", "GREATEST", "LEAST"];

impl ExprBinder<'_, '_> {
    pub(super) fn current_watermark(
        &mut self,
        arguments: &[&ast::Expr],
        span: Span,
    ) -> Result<Expr> {
        let args =
            arguments.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>>>()?;
        let shifted = match args.as_slice() {
            [argument] => is_fine(argument.ty()) && self.is_event_time(argument),
            _ => false,
        };
        if !shifted {
            return self.apply(CURRENT_WATERMARK, args, span);
        }
        // The type rule asks for a column of event time, which such an argument stands for.
        let times = args.iter().map(|argument| {
            let kind = argument.ty().kind.clone().with_time_attribute(TimeAttribute::Event);
            Expr::Literal(Literal::null(kind))
        });
        Ok(match self.apply(CURRENT_WATERMARK, times.collect(), span)? {
            Expr::Call { function, ty, .. } => Expr::Call { function, args, ty },
            other => other,
        })
    }

    /// Whether an expression's value is a time that the watermark is about, maybe shifted.
    fn is_event_time(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Column { index, ty } => {
                ty.kind.time_attribute() == TimeAttribute::Event || self.is_time_of_group(*index)
            }
            Expr::Call { function, args, .. } => {
                PASSING.contains(&function.name.as_str())
                    && args.iter().any(|arg| self.is_event_time(arg))
            }
            Expr::Case { branches, otherwise, .. } => {
                branches.iter().any(|(_, value)| self.is_event_time(value))
                    || self.is_event_time(otherwise)
            }
            Expr::Literal(_) | Expr::Cast { .. } | Expr::Field { .. } => false,
        }
    }

    /// Whether a column stands for an aggregate that gives one of its group's times.
    fn is_time_of_group(&self, index: usize) -> bool {
        use AggregateFunction as F;
        let item = index.checked_sub(AGGREGATE_BASE).zip(self.aggregates.as_ref());
        let item = item.and_then(|(item, aggregates)| aggregates.get(item));
        item.is_some_and(|item| {
            matches!(item.function, F::Min | F::Max | F::FirstValue | F::LastValue)
                && item.argument.as_ref().is_some_and(|argument| self.is_event_time(argument))
        })
    }
}

fn is_fine(ty: &SqlType) -> bool {
    matches!(
        ty.kind,
        TypeKind::Timestamp { precision: 0..=3, .. }
            | TypeKind::TimestampLtz { precision: 0..=3, .. }
    )
}
