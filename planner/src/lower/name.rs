//! Names of nodes for people: metrics, EXPLAIN, logs.

use tidegate_plan::Operator;
use tidegate_plan::window::WindowShape;
use tidegate_types::Field;

/// Longest name.
const MAX_LENGTH: usize = 120;

/// `WindowAggregate(page, country)`, `Source(clicks)`, ….
pub(super) fn of(operator: &Operator, inputs: &[&[Field]], schema: &[Field]) -> String {
    let input = inputs.first().copied().unwrap_or_default();
    let names = |columns: &[usize]| {
        let names: Vec<&str> = columns
            .iter()
            .filter_map(|column| input.get(*column))
            .map(|field| field.name.as_str())
            .collect();
        names.join(", ")
    };
    let name = match operator {
        Operator::Source(source) => format!("Source({})", source.table.name),
        Operator::Values(values) => format!("Values({} rows)", values.rows.len()),
        Operator::Calc(calc) => {
            let columns: Vec<&str> = schema.iter().map(|field| field.name.as_str()).collect();
            let filter = if calc.filter.is_some() { "filter; " } else { "" };
            format!("Calc({filter}{})", columns.join(", "))
        }
        Operator::Union => "Union".to_owned(),
        Operator::WindowTvf(tvf) => format!("WindowTableFunction({})", shape(&tvf.shape)),
        Operator::WindowAggregate(aggregate) => {
            format!("WindowAggregate({})", names(&aggregate.keys))
        }
        Operator::WindowRank(rank) => format!("WindowRank({})", names(&rank.keys)),
        Operator::Sink(sink) => format!("Sink({})", sink.insert),
        Operator::GroupAggregate(group) => format!("GroupAggregate({})", names(&group.keys)),
        Operator::OverAggregate(over) => format!("OverAggregate({})", names(&over.keys)),
        Operator::Rank(rank) => format!("Rank({})", names(&rank.keys)),
        Operator::MatchRecognize(one) => format!("Match({})", names(&one.keys)),
        Operator::Deduplicate(one) => format!("Deduplicate({})", names(&one.keys)),
        Operator::ChangelogNormalize(one) => format!("ChangelogNormalize({})", names(&one.keys)),
        Operator::UpsertMaterialize(one) => format!("SinkMaterializer({})", names(&one.keys)),
        Operator::LookupJoin(join) => format!("LookupJoin({})", join.table.name),
        Operator::Join(join) => format!("Join({})", names(&join.on.left_keys)),
        Operator::MultiJoin(join) => {
            format!("MultiJoin({})", join.keys.first().map(|keys| names(keys)).unwrap_or_default())
        }
        Operator::IntervalJoin(join) => format!("IntervalJoin({})", names(&join.on.left_keys)),
        Operator::WindowJoin(join) => format!("WindowJoin({})", names(&join.on.left_keys)),
        Operator::TemporalJoin(join) => format!("TemporalJoin({})", names(&join.on.left_keys)),
        other => other.kind().to_owned(),
    };
    if name.chars().count() <= MAX_LENGTH {
        return name;
    }
    name.chars().take(MAX_LENGTH - 1).chain(['…']).collect()
}

fn shape(shape: &WindowShape) -> &'static str {
    match shape {
        WindowShape::Tumble { .. } => "TUMBLE",
        WindowShape::Hop { .. } => "HOP",
        WindowShape::Cumulate { .. } => "CUMULATE",
        WindowShape::Session { .. } => "SESSION",
    }
}
