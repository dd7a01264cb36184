//! What each operator keeps, and for how long.

use tidegate_plan::operator::{OverFrame, OverOrder};
use tidegate_plan::{Node, Operator, StreamGraph};
use tidegate_types::Field;

use super::expression::text;
use super::match_recognize;
use super::operator::names;

/// One line per operator with state; nothing if there is none.
pub(super) fn section(graph: &StreamGraph) -> String {
    let mut lines = String::new();
    for node in &graph.nodes {
        let inputs: Vec<&[Field]> = node
            .inputs
            .iter()
            .filter_map(|input| graph.nodes.get(input.node))
            .map(|input| input.schema.as_slice())
            .collect();
        if let Some(state) = state(node, &inputs) {
            lines.push_str(&format!("{} [{}]: {state}\n", node.name, node.id));
        }
    }
    if lines.is_empty() { lines } else { format!("\n== State ==\n{lines}") }
}

fn state(node: &Node, inputs: &[&[Field]]) -> Option<String> {
    let input = inputs.first().copied().unwrap_or_default();
    let per = |keys: &[usize], what: &str| match keys {
        [] => what.to_owned(),
        keys => format!("{what} per {}", names(keys, input)),
    };
    let lasting = |what: String| format!("{what}, {}", kept(node, 0));
    Some(match &node.operator {
        Operator::WindowAggregate(aggregate) => {
            let lateness = aggregate.emit.map_or(0, |emit| emit.lateness_ms);
            let until = match lateness {
                0 => "until its window is complete".to_owned(),
                ms => format!("until {ms} ms after its window is complete"),
            };
            format!("{}, {until}", per(&aggregate.keys, "aggregates"))
        }
        Operator::WindowRank(rank) => {
            let rows = per(&rank.keys, &format!("rows of rank 1 to {}", rank.to));
            format!("{rows}, until their window is complete")
        }
        Operator::GroupAggregate(group) => lasting(per(&group.keys, "aggregates")),
        Operator::OverAggregate(over) => match (&over.order, bounded(over)) {
            (OverOrder::Columns { .. }, _) => lasting(per(&over.keys, "all rows")),
            (_, true) => format!("{}, while a frame needs them", per(&over.keys, "rows")),
            (_, false) => lasting(per(&over.keys, "aggregates")),
        },
        Operator::Rank(rank) => lasting(per(&rank.keys, &format!("rows of rank 1 to {}", rank.to))),
        Operator::Deduplicate(deduplicate) => lasting(per(&deduplicate.keys, "one row")),
        Operator::ChangelogNormalize(normalize) => lasting(per(&normalize.keys, "one row")),
        Operator::UpsertMaterialize(materialize) => lasting(per(&materialize.keys, "all rows")),
        Operator::MatchRecognize(pattern) => match_recognize::state(pattern, input),
        Operator::TemporalSort(_) => "rows that the watermark has not passed".to_owned(),
        Operator::Join(join) => {
            let side = |index: usize| match &join.expiry[index] {
                Some(expiry) => {
                    let schema = inputs.get(index).copied().unwrap_or_default();
                    format!("until the watermark reaches {}", text(expiry, schema))
                }
                None => kept(node, index),
            };
            format!("left rows, {}; right rows, {}", side(0), side(1))
        }
        Operator::MultiJoin(join) => {
            let keys = join.keys.first().map_or(&[][..], Vec::as_slice);
            format!("{}, for ever", per(keys, "rows of all inputs"))
        }
        Operator::IntervalJoin(join) => format!(
            "left rows for {} ms, right rows for {} ms of event time",
            join.lower.saturating_neg().max(0),
            join.upper.max(0)
        ),
        Operator::WindowJoin(_) => "rows of both sides, until their window is complete".to_owned(),
        Operator::TemporalJoin(_) => {
            "left rows until the watermark passes them, the versions that they may need".to_owned()
        }
        _ => return None,
    })
}

fn bounded(over: &tidegate_plan::operator::OverAggregate) -> bool {
    over.groups
        .iter()
        .all(|group| matches!(group.frame, OverFrame::Rows { .. } | OverFrame::Range { .. }))
}

/// How long state of an input is kept.
fn kept(node: &Node, input: usize) -> String {
    match node.state_ttl_ms.get(input) {
        None | Some(0) => "for ever".to_owned(),
        Some(ttl) => format!("for {ttl} ms after the last use"),
    }
}
