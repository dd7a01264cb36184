//! One line per operator, with its key facts.

use tidegate_plan::operator::{Sink, SortKey, Source, WindowAggregate, WindowRank};
use tidegate_plan::window::{WindowColumn, WindowEmit, WindowShape};
use tidegate_plan::{AggregateCall, AggregateFunction, Node, Operator};
use tidegate_types::Field;

use super::expression::{condition, literal_text, projection, text};
use super::time_name;
use super::updating;

/// Names of columns.
pub(super) fn names(columns: &[usize], schema: &[Field]) -> String {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| schema.get(*column).map_or("?", |field| field.name.as_str()))
        .collect();
    names.join(", ")
}

pub(super) fn all_names(schema: &[Field]) -> String {
    let names: Vec<&str> = schema.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

/// The line of a node.
pub(super) fn line(node: &Node, inputs: &[&[Field]]) -> String {
    let input = inputs.first().copied().unwrap_or_default();
    let mut line = match &node.operator {
        Operator::Source(source) => source_line(source, &node.schema),
        Operator::Values(values) => {
            format!("Values(rows=[{}], fields=[{}])", values.rows.len(), all_names(&node.schema))
        }
        Operator::Calc(calc) => {
            let select = projection(&calc.projection, input);
            match &calc.filter {
                Some(filter) => {
                    format!("Calc(select=[{select}], where=[{}])", condition(filter, input))
                }
                None => format!("Calc(select=[{select}])"),
            }
        }
        Operator::Union => format!("Union(all=[true], union=[{}])", all_names(&node.schema)),
        Operator::WindowTvf(tvf) => {
            let partition = match tvf.partition_keys.as_slice() {
                [] => String::new(),
                keys => format!(", partition keys=[{}]", names(keys, input)),
            };
            format!(
                "WindowTableFunction(window=[{}({}, {}){partition}])",
                shape_name(&tvf.shape),
                time_name(&tvf.time, input),
                shape(&tvf.shape)
            )
        }
        Operator::WindowAggregate(aggregate) => aggregate_line(aggregate, input),
        Operator::WindowRank(rank) => rank_line(rank, input),
        Operator::LateRows(late) => {
            let time = names(&[late.column], input);
            let lateness = match late.lateness_ms {
                0 => String::new(),
                ms => format!(", lateness=[{}]", length(i64::try_from(ms).unwrap_or(i64::MAX))),
            };
            let (name, shape) = (shape_name(&late.shape), shape(&late.shape));
            format!("LateRows(window=[{name}(time_col=[{time}], {shape})]{lateness})")
        }
        Operator::Sink(sink) => sink_line(sink, &node.schema),
        other => updating::line(other, node, inputs),
    };
    let parallelism = node.parallelism.map(|n| format!(", parallelism=[{n}]")).unwrap_or_default();
    line.insert_str(line.len() - 1, &parallelism);
    let changes = if matches!(node.operator, Operator::Sink(_)) {
        "NONE".to_owned()
    } else {
        changelog(node)
    };
    line.insert_str(line.len() - 1, &format!(", changelogMode=[{changes}]"));
    line
}

fn changelog(node: &Node) -> String {
    node.changelog.to_string()
}

fn source_line(source: &Source, schema: &[Field]) -> String {
    let mut facts = vec![format!("table=[{}]", source.table.name)];
    let read: Vec<&str> = source.read.iter().map(|field| field.name.as_str()).collect();
    let read: Vec<String> = source
        .read
        .iter()
        .zip(read)
        .map(|(field, name)| match &field.ty.kind {
            tidegate_types::TypeKind::Row(fields)
            | tidegate_types::TypeKind::Structured { fields, .. } => {
                format!("{name}({})", all_names(fields))
            }
            _ => name.to_owned(),
        })
        .collect();
    facts.push(format!("read=[{}]", read.join(", ")));
    if !source.metadata.is_empty() {
        let keys: Vec<&str> = source.metadata.iter().map(|column| column.key.as_str()).collect();
        facts.push(format!("metadata=[{}]", keys.join(", ")));
    }
    let mut produced = source.read.clone();
    produced.extend(source.metadata.iter().map(|column| column.field.clone()));
    if !source.pushed.is_empty() {
        let pushed: Vec<String> = source.pushed.iter().map(|c| condition(c, &produced)).collect();
        facts.push(format!("filter=[{}]", pushed.join(" AND ")));
    }
    facts.push(format!("fields=[{}]", projection(&source.projection, &produced)));
    if let Some(watermark) = &source.watermark {
        let idle = match watermark.idle_timeout_ms {
            0 => String::new(),
            idle => format!(", idle after {idle} ms"),
        };
        facts.push(format!("watermark=[{}{idle}]", text(&watermark.expr, schema)));
    }
    format!("TableSourceScan({})", facts.join(", "))
}

fn sink_line(sink: &Sink, schema: &[Field]) -> String {
    let overwrite = if sink.overwrite { ", overwrite=[true]" } else { "" };
    format!("Sink(table=[{}], fields=[{}]{overwrite})", sink.insert, all_names(schema))
}

pub(super) fn shape_name(shape: &WindowShape) -> &'static str {
    match shape {
        WindowShape::Tumble { .. } => "TUMBLE",
        WindowShape::Hop { .. } => "HOP",
        WindowShape::Cumulate { .. } => "CUMULATE",
        WindowShape::Session { .. } => "SESSION",
    }
}

/// Lengths as `size=[10 s]`.
fn shape(shape: &WindowShape) -> String {
    let shifted = |text: String, offset: i64| match offset {
        0 => text,
        offset => format!("{text}, offset=[{}]", length(offset)),
    };
    match shape {
        WindowShape::Tumble { size, offset } => {
            shifted(format!("size=[{}]", length(*size)), *offset)
        }
        WindowShape::Hop { size, slide, offset } => {
            shifted(format!("size=[{}], slide=[{}]", length(*size), length(*slide)), *offset)
        }
        WindowShape::Cumulate { max_size, step, offset } => {
            shifted(format!("max_size=[{}], step=[{}]", length(*max_size), length(*step)), *offset)
        }
        WindowShape::Session { gap } => format!("gap=[{}]", length(*gap)),
    }
}

/// Milliseconds in the largest unit that divides them.
fn length(millis: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let fitting = units.into_iter().find(|(unit, _)| millis % unit == 0 && millis != 0);
    fitting
        .map_or_else(|| format!("{millis} ms"), |(unit, name)| format!("{} {name}", millis / unit))
}

fn aggregate_line(aggregate: &WindowAggregate, input: &[Field]) -> String {
    let kind = if aggregate.two_phase { "GlobalWindowAggregate" } else { "WindowAggregate" };
    format!("{kind}({})", aggregate_facts(aggregate, input))
}

/// The local phase of a two-phase aggregate.
pub(super) fn local_aggregate(aggregate: &WindowAggregate, input: &[Field]) -> String {
    format!("LocalWindowAggregate({})", aggregate_facts(aggregate, input))
}

fn aggregate_facts(aggregate: &WindowAggregate, input: &[Field]) -> String {
    let mut facts = Vec::new();
    if !aggregate.keys.is_empty() {
        facts.push(format!("groupBy=[{}]", names(&aggregate.keys, input)));
    }
    facts.push(format!(
        "window=[{}({}, {})]",
        shape_name(&aggregate.shape),
        time_name(&aggregate.time, input),
        shape(&aggregate.shape)
    ));
    let mut select: Vec<String> = aggregate.keys.iter().map(|key| names(&[*key], input)).collect();
    select.extend(aggregate.aggregates.iter().map(|call| call_text(call, input)));
    select.extend(aggregate.columns.iter().map(|column| {
        match column {
            WindowColumn::Start => "start('w$) AS window_start",
            WindowColumn::End => "end('w$) AS window_end",
            WindowColumn::Time => "rowtime('w$) AS window_time",
        }
        .to_owned()
    }));
    facts.push(format!("select=[{}]", select.join(", ")));
    facts.extend(aggregate.emit.as_ref().map(emit_text));
    facts.join(", ")
}

/// `emit=[early no delay, late delay 5000 millisecond]`, as Flink has it.
fn emit_text(emit: &WindowEmit) -> String {
    let delays = [("early", emit.early_ms), ("late", emit.late_ms)].into_iter();
    let delays = delays.filter_map(|(name, delay)| match delay? {
        0 => Some(format!("{name} no delay")),
        delay => Some(format!("{name} delay {delay} millisecond")),
    });
    format!("emit=[{}]", delays.collect::<Vec<_>>().join(", "))
}

pub(super) fn call_text(call: &AggregateCall, input: &[Field]) -> String {
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let star = if call.function == AggregateFunction::Count { "*" } else { "" };
    let argument = call.argument.map_or(star.to_owned(), |argument| names(&[argument], input));
    let parameters: String =
        call.parameters.iter().map(|value| format!(", {}", literal_text(value))).collect();
    let filter = call
        .filter
        .map(|filter| format!(" FILTER {}", names(&[filter], input)))
        .unwrap_or_default();
    format!("{}({distinct}{argument}{parameters}){filter} AS {}", call.function.name(), call.name)
}

/// Sort keys: `v DESC NULLS LAST`.
pub(super) fn order_text(order: &[SortKey], input: &[Field]) -> String {
    let keys = order.iter().map(|key| {
        let direction = if key.descending { "DESC" } else { "ASC" };
        let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
        format!("{} {direction} NULLS {nulls}", names(&[key.column], input))
    });
    keys.collect::<Vec<_>>().join(", ")
}

fn rank_line(rank: &WindowRank, input: &[Field]) -> String {
    let order = order_text(&rank.order, input);
    let partition = match rank.keys.as_slice() {
        [] => String::new(),
        keys => format!(", partitionBy=[{}]", names(keys, input)),
    };
    let number =
        rank.rank_column.as_ref().map(|name| format!(", rank=[{name}]")).unwrap_or_default();
    format!(
        "WindowRank(window=[{}], rankType=[ROW_NUMBER], rankRange=[rankStart={}, rankEnd={}]{partition}, orderBy=[{}]{number})",
        time_name(&rank.time, input),
        rank.from,
        rank.to,
        order
    )
}
