//! Whether anything in a plan sees a value that a mask hides.

use tidegate_plan::operator::{LookupJoin, LookupKey, Source};
use tidegate_plan::{Expr, Node, Operator, StreamGraph};

/// Whether an expression passes a column on in any other way than into a mask.
pub(super) fn leaks(expr: &Expr, column: usize) -> bool {
    match expr {
        Expr::Column { index, .. } => *index == column,
        Expr::Call { function, args, .. }
            if matches!(function.name.as_str(), "SHA256" | "$MASK_PARTIAL")
                && matches!(args.as_slice(), [Expr::Column { .. }]) =>
        {
            false
        }
        other => other.children().into_iter().any(|child| leaks(child, column)),
    }
}

/// Checks all tables of a plan that have masks.
pub(super) fn assert_masked(plan: &StreamGraph, context: &str) {
    for (index, node) in plan.nodes.iter().enumerate() {
        match &node.operator {
            Operator::Source(source) => assert_source(source, context),
            Operator::LookupJoin(join) => assert_lookup(plan, index, join, context),
            _ => {}
        }
    }
}

fn assert_source(source: &Source, context: &str) {
    let Some(governed) = &source.table.governed else { return };
    let produced = source.read.iter().chain(source.metadata.iter().map(|column| &column.field));
    for (place, field) in produced.enumerate() {
        if !governed.masks.contains_key(&field.name) {
            continue;
        }
        let pushed = source.pushed.iter().any(|condition| leaks(condition, place));
        assert!(!pushed, "{context}: {field:?} in {:?}", source.pushed);
        for named in &source.projection {
            assert!(!leaks(&named.expr, place), "{context}: {field:?} in {named:?}");
        }
    }
}

fn assert_lookup(plan: &StreamGraph, index: usize, join: &LookupJoin, context: &str) {
    let Some(governed) = &join.table.governed else { return };
    let width = plan.nodes[plan.nodes[index].inputs[0].node].schema.len();
    for (place, field) in join.read.iter().enumerate() {
        if !governed.masks.contains_key(&field.name) {
            continue;
        }
        let is_key = |(column, key): &(usize, LookupKey)| {
            *column == place && matches!(key, LookupKey::Column(_) | LookupKey::Constant(_))
        };
        assert!(!join.keys.iter().any(is_key), "{context}: {field:?} is a key");
        let condition = join.condition.iter().any(|condition| leaks(condition, width + place));
        assert!(!condition, "{context}: {field:?} in {:?}", join.condition);
        let Some(output) = join.output.iter().position(|column| *column == place) else { continue };
        for reader in plan.consumers(index) {
            assert_behind(&plan.nodes[reader], width + output, context);
        }
    }
}

/// What reads a lookup with masked columns masks them at once.
fn assert_behind(node: &Node, column: usize, context: &str) {
    let Operator::Calc(calc) = &node.operator else { panic!("{context}: {}", node.name) };
    let exprs = calc.filter.iter().chain(calc.projection.iter().map(|named| &named.expr));
    for expr in exprs {
        assert!(!leaks(expr, column), "{context}: {expr:?}");
    }
}
