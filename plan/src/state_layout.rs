//! What an operator keeps between checkpoints, as text: two versions of an operator can share state if
//! their layouts are equal. The engine checks the columns of its state files besides.

use tidegate_types::Field;

use crate::aggregate::AggregateCall;
use crate::graph::{Node, StreamGraph};
use crate::operator::{GroupAggregate, JoinOn, Operator, SortKey, Table};
use crate::window::{WindowShape, WindowTime};

/// What a node keeps, a line each: `key item STRING`, `SUM(BIGINT)`, `row (id BIGINT, …)`. Empty if it
/// keeps nothing.
///
/// Names of columns are left out where only their types matter to the state; which column it is, is part
/// of the operator's id.
pub fn state_layout(node: &Node, graph: &StreamGraph) -> Vec<String> {
    let inputs: Vec<&Node> =
        node.inputs.iter().filter_map(|input| graph.nodes.get(input.node)).collect();
    let Some(input) = inputs.first() else {
        return match &node.operator {
            Operator::Source(source) => vec![format!("positions in {}", connector(&source.table))],
            Operator::Values(values) => vec![format!("position in {} rows", values.rows.len())],
            _ => Vec::new(),
        };
    };
    let schema = input.schema.as_slice();
    let mut lines = match &node.operator {
        Operator::WindowAggregate(window) => {
            let mut lines = keys(&window.keys, schema);
            lines.push(format!("windows {:?}, {}", window.shape, time_kind(&window.time)));
            lines.extend(calls(&window.aggregates, schema));
            if window.emit.is_some() {
                lines.push("results that were sent".to_owned());
            }
            lines
        }
        Operator::WindowTvf(tvf) => match tvf.shape {
            WindowShape::Session { .. } => {
                let mut lines = keys(&tvf.partition_keys, schema);
                lines.push(format!("windows {:?}, {}", tvf.shape, time_kind(&tvf.time)));
                lines.push(row(schema));
                lines
            }
            _ => return Vec::new(),
        },
        Operator::WindowRank(rank) => ranked(&rank.keys, &rank.order, rank.to, schema),
        Operator::Rank(rank) => {
            let mut lines = ranked(&rank.keys, &rank.order, rank.to, schema);
            lines.push(format!("by {:?}", rank.function));
            lines
        }
        Operator::GroupAggregate(GroupAggregate { keys: columns, aggregates, .. }) => {
            let mut lines = keys(columns, schema);
            lines.extend(calls(aggregates, schema));
            lines
        }
        Operator::OverAggregate(over) => {
            let mut lines = keys(&over.keys, schema);
            lines.push(row(schema));
            for group in &over.groups {
                lines.push(format!("frame {:?}", group.frame));
                lines.extend(calls(&group.aggregates, schema));
            }
            lines
        }
        Operator::Deduplicate(deduplicate) => {
            let mut lines = keys(&deduplicate.keys, schema);
            lines.push(row(schema));
            lines
        }
        Operator::ChangelogNormalize(normalize) => {
            let mut lines = keys(&normalize.keys, schema);
            lines.push(row(schema));
            lines
        }
        Operator::UpsertMaterialize(materialize) => {
            let mut lines = keys(&materialize.keys, schema);
            lines.push(row(schema));
            lines
        }
        Operator::TemporalSort(_) => vec![row(schema)],
        Operator::MatchRecognize(matches) => {
            let mut lines = keys(&matches.keys, schema);
            lines.push(row(schema));
            lines.push(format!("matches of {} variables", matches.variables.len()));
            lines
        }
        Operator::Join(join) => joined(&join.on, &inputs),
        Operator::MultiJoin(join) => {
            let sides = inputs.iter().zip(&join.keys).enumerate();
            let lines = sides.flat_map(|(number, (input, columns))| {
                let own = keys(columns, &input.schema);
                own.into_iter()
                    .chain([row(&input.schema)])
                    .map(move |line| format!("input {number} {line}"))
            });
            lines.collect()
        }
        Operator::IntervalJoin(join) => joined(&join.on, &inputs),
        Operator::WindowJoin(join) => joined(&join.on, &inputs),
        Operator::TemporalJoin(join) => joined(&join.on, &inputs),
        Operator::Sink(sink) => vec![format!("output of {}", connector(&sink.table))],
        Operator::Source(_)
        | Operator::Values(_)
        | Operator::Calc(_)
        | Operator::Union
        | Operator::Expand(_)
        | Operator::Unnest(_)
        | Operator::ToChangelog(_)
        | Operator::FromChangelog(_)
        | Operator::LookupJoin(_)
        | Operator::LateRows(_)
        | Operator::DropUpdateBefore => return Vec::new(),
    };
    // State over rows that may be taken back holds more than state over rows that may not.
    let changing = inputs.iter().any(|input| !input.changelog.is_append());
    if changing && !matches!(node.operator, Operator::Sink(_)) {
        lines.push("rows may be taken back".to_owned());
    }
    lines
}

fn connector(table: &Table) -> &str {
    table.options.get("connector").map_or("an unknown connector", String::as_str)
}

fn keys(columns: &[usize], schema: &[Field]) -> Vec<String> {
    let column = |index: &usize| schema.get(*index);
    columns.iter().filter_map(column).map(|field| format!("key {}", field.ty.kind)).collect()
}

fn calls(aggregates: &[AggregateCall], schema: &[Field]) -> Vec<String> {
    let call = |call: &AggregateCall| {
        let argument = call.argument.and_then(|column| schema.get(column));
        let argument = argument.map_or("*".to_owned(), |field| field.ty.kind.to_string());
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let parameters = call.parameters.iter().map(|value| format!(", {:?}", value.value));
        let parameters: String = parameters.collect();
        format!("{}({distinct}{argument}{parameters})", call.function.name())
    };
    aggregates.iter().map(call).collect()
}

fn row(schema: &[Field]) -> String {
    let types: Vec<String> = schema.iter().map(|field| field.ty.kind.to_string()).collect();
    format!("row ({})", types.join(", "))
}

fn ranked(by: &[usize], order: &[SortKey], to: u64, schema: &[Field]) -> Vec<String> {
    let mut lines = keys(by, schema);
    lines.push(row(schema));
    let direction = |key: &SortKey| if key.descending { "descending" } else { "ascending" };
    let order: Vec<&str> = order.iter().map(direction).collect();
    lines.push(format!("the first {to}, {}", order.join(", ")));
    lines
}

fn joined(on: &JoinOn, inputs: &[&Node]) -> Vec<String> {
    let mut lines = Vec::new();
    for (side, columns) in [("left", &on.left_keys), ("right", &on.right_keys)] {
        let input = inputs.get(usize::from(side == "right"));
        let schema = input.map_or(&[][..], |input| input.schema.as_slice());
        lines.extend(keys(columns, schema).into_iter().map(|key| format!("{side} {key}")));
        lines.push(format!("{side} {}", row(schema)));
    }
    lines
}

fn time_kind(time: &WindowTime) -> &'static str {
    match time {
        WindowTime::Event { .. } => "event time",
        WindowTime::Processing => "processing time",
        WindowTime::Attached { .. } => "windows of the input",
        WindowTime::AttachedProcessing { .. } => "windows of the input, processing time",
    }
}
