//! The lines of operators over whole tables and of joins.

use tidegate_plan::operator::{
    JoinKind, JoinOn, LookupJoin, LookupKey, MultiJoin, OverAggregate, OverOrder, Rank,
    RankFunction,
};
use tidegate_plan::{AggregateCall, Expr, Node, Operator};
use tidegate_types::Field;

use super::expression::{condition, literal_text, text};
use super::match_recognize;
use super::operator::{all_names, call_text, names, order_text};
use crate::lower::frame_text;

/// The line of a node.
pub(super) fn line(operator: &Operator, node: &Node, inputs: &[&[Field]]) -> String {
    let input = inputs.first().copied().unwrap_or_default();
    let facts = match operator {
        Operator::GroupAggregate(group) => aggregate(&group.keys, &group.aggregates, input),
        Operator::Expand(expand) => {
            let sets = expand.projections.iter().map(|exprs| {
                let values: Vec<String> = exprs.iter().map(|expr| text(expr, input)).collect();
                format!("{{{}}}", values.join(", "))
            });
            format!("projects=[{}]", sets.collect::<Vec<_>>().join(", "))
        }
        Operator::Unnest(unnest) => {
            let kind = if unnest.outer { "LEFT" } else { "INNER" };
            let collection = text(&unnest.collection, input);
            let condition = unnest.condition.as_ref();
            let condition = condition
                .map(|condition| format!(", condition=[{}]", text(condition, &node.schema)));
            format!(
                "invocation=[UNNEST({collection})], select=[{}], joinType=[{kind}]{}",
                all_names(&node.schema),
                condition.unwrap_or_default()
            )
        }
        Operator::ToChangelog(to) => {
            let name = node.schema.first().map_or("op", |field| field.name.as_str());
            let codes = to.codes.iter().map(|code| (code.kind.name(), code.code.as_str()));
            changelog_facts("TO_CHANGELOG", name, codes, &node.schema)
        }
        Operator::FromChangelog(from) => {
            let name = names(&[from.column], input);
            let codes = from.codes.iter().map(|code| (code.code.as_str(), code.kind.name()));
            changelog_facts("FROM_CHANGELOG", &name, codes, &node.schema)
        }
        Operator::OverAggregate(over) => over_facts(over, input),
        Operator::Rank(rank) => rank_facts(rank, input, &node.schema),
        Operator::Deduplicate(deduplicate) => {
            let keep = if deduplicate.keep_last { "LastRow" } else { "FirstRow" };
            let order = if deduplicate.time.is_some() { "ROWTIME" } else { "PROCTIME" };
            format!("keep=[{keep}], key=[{}], order=[{order}]", names(&deduplicate.keys, input))
        }
        Operator::TemporalSort(sort) => {
            let more = order_text(&sort.order, input);
            let comma = if more.is_empty() { "" } else { ", " };
            format!("orderBy=[{} ASC{comma}{more}]", names(&[sort.time], input))
        }
        Operator::MatchRecognize(pattern) => match_recognize::facts(pattern, input),
        Operator::ChangelogNormalize(normalize) => {
            format!("key=[{}]", names(&normalize.keys, input))
        }
        Operator::UpsertMaterialize(materialize) => {
            format!("key=[{}]", names(&materialize.keys, input))
        }
        Operator::LookupJoin(join) => lookup_facts(join, input, &node.schema),
        Operator::Join(join) => join_facts(join.kind, &join.on, "", inputs, &node.schema),
        Operator::MultiJoin(join) => multi_join_facts(join, inputs, &node.schema),
        Operator::IntervalJoin(join) => {
            let time = match join.times {
                Some([left, right]) => {
                    format!("isRowTime=true, leftTimeIndex={left}, rightTimeIndex={right}")
                }
                None => "isRowTime=false".to_owned(),
            };
            let bounds = format!(
                "windowBounds=[{time}, leftLowerBound={}, leftUpperBound={}], ",
                join.lower, join.upper
            );
            join_facts(join.kind, &join.on, &bounds, inputs, &node.schema)
        }
        Operator::WindowJoin(join) => {
            let side = |index: usize| {
                let input = inputs.get(index).copied().unwrap_or_default();
                format!(
                    "win_start=[{}], win_end=[{}]",
                    names(&[join.starts[index]], input),
                    names(&[join.ends[index]], input)
                )
            };
            let windows = format!("leftWindow=[{}], rightWindow=[{}], ", side(0), side(1));
            join_facts(join.kind, &join.on, &windows, inputs, &node.schema)
        }
        Operator::TemporalJoin(join) => {
            let time = |index: usize| {
                names(&[join.times[index]], inputs.get(index).copied().unwrap_or_default())
            };
            let at = format!("asOf=[{} of {}], ", time(0), time(1));
            join_facts(join.kind, &join.on, &at, inputs, &node.schema)
        }
        _ => String::new(),
    };
    format!("{}({facts})", operator.kind())
}

fn aggregate(keys: &[usize], calls: &[AggregateCall], input: &[Field]) -> String {
    let mut select: Vec<String> = keys.iter().map(|key| names(&[*key], input)).collect();
    select.extend(calls.iter().map(|call| call_text(call, input)));
    let select = format!("select=[{}]", select.join(", "));
    match keys {
        [] => select,
        keys => format!("groupBy=[{}], {select}", names(keys, input)),
    }
}

fn changelog_facts<'n>(
    function: &str,
    op: &str,
    codes: impl Iterator<Item = (&'n str, &'n str)>,
    schema: &[Field],
) -> String {
    let codes = codes.map(|(key, value)| format!("'{key}', '{value}'"));
    let codes = codes.collect::<Vec<_>>().join(", ");
    format!(
        "invocation=[{function}(TABLE(#0), DESCRIPTOR({op}), MAP[{codes}])], select=[{}]",
        all_names(schema)
    )
}

fn over_facts(over: &OverAggregate, input: &[Field]) -> String {
    let order = match &over.order {
        OverOrder::Event { column } => format!("{} ASC", names(&[*column], input)),
        OverOrder::Processing => "PROCTIME() ASC".to_owned(),
        OverOrder::Columns { keys } => order_text(keys, input),
    };
    let partition = match over.keys.as_slice() {
        [] => String::new(),
        keys => format!("partitionBy=[{}], ", names(keys, input)),
    };
    let groups = over.groups.iter().map(|group| {
        let calls: Vec<String> =
            group.aggregates.iter().map(|call| call_text(call, input)).collect();
        format!("window=[{}], select=[*, {}]", frame_text(&group.frame), calls.join(", "))
    });
    format!("{partition}orderBy=[{order}], {}", groups.collect::<Vec<_>>().join(", "))
}

fn rank_facts(rank: &Rank, input: &[Field], schema: &[Field]) -> String {
    let function = match rank.function {
        RankFunction::RowNumber => "ROW_NUMBER",
        RankFunction::Rank => "RANK",
        RankFunction::DenseRank => "DENSE_RANK",
    };
    let partition = match rank.keys.as_slice() {
        [] => String::new(),
        keys => format!(", partitionBy=[{}]", names(keys, input)),
    };
    format!(
        "rankType=[{function}], rankRange=[rankStart={}, rankEnd={}]{partition}, orderBy=[{}], select=[{}]",
        rank.from,
        rank.to,
        order_text(&rank.order, input),
        all_names(schema)
    )
}

/// The type of a join as Flink names it.
fn kind_name(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "InnerJoin",
        JoinKind::Left => "LeftOuterJoin",
        JoinKind::Right => "RightOuterJoin",
        JoinKind::Full => "FullOuterJoin",
        JoinKind::Semi => "LeftSemiJoin",
        JoinKind::Anti => "LeftAntiJoin",
    }
}

fn join_facts(
    kind: JoinKind,
    on: &JoinOn,
    more: &str,
    inputs: &[&[Field]],
    schema: &[Field],
) -> String {
    let [left, right] = inputs else { return String::new() };
    let both: Vec<Field> = left.iter().chain(right.iter()).cloned().collect();
    let keys = on.left_keys.iter().zip(&on.right_keys).zip(&on.null_safe);
    let mut conditions: Vec<String> = keys
        .map(|((a, b), null_safe)| {
            let equal = if *null_safe { "IS NOT DISTINCT FROM" } else { "=" };
            format!("({} {equal} {})", names(&[*a], left), names(&[*b], right))
        })
        .collect();
    conditions.extend(on.condition.iter().map(|expr| condition(expr, &both)));
    let conditions = match conditions.is_empty() {
        true => "true".to_owned(),
        false => conditions.join(" AND "),
    };
    format!(
        "joinType=[{}], {more}where=[{conditions}], select=[{}]",
        kind_name(kind),
        all_names(schema)
    )
}

fn multi_join_facts(join: &MultiJoin, inputs: &[&[Field]], schema: &[Field]) -> String {
    let own = inputs.iter().zip(&join.keys).map(|(input, keys)| names(keys, input));
    let equal = own.map(|keys| format!("({keys})")).collect::<Vec<_>>().join(" = ");
    let types = vec!["INNER"; inputs.len().saturating_sub(1)].join(", ");
    let more = join.conditions.iter();
    let more: String = more.map(|expr| format!(" AND {}", text(expr, schema))).collect();
    format!("joinTypes=[{types}], where=[{equal}{more}], select=[{}]", all_names(schema))
}

fn lookup_facts(join: &LookupJoin, input: &[Field], schema: &[Field]) -> String {
    let keys = join.keys.iter().map(|(column, key)| {
        let name = names(&[*column], &join.read);
        match key {
            LookupKey::Column(column) => format!("{name}={}", names(&[*column], input)),
            LookupKey::Constant(value) => format!("{name}={}", literal_text(value)),
        }
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let both: Vec<Field> = input.iter().chain(&join.read).cloned().collect();
    let rest = |expr: &Expr| format!(", joinCondition=[{}]", condition(expr, &both));
    let rest = join.condition.as_ref().map(rest).unwrap_or_default();
    let retry = join.retry.map_or_else(String::new, |retry| {
        format!(", retry=[lookup_miss, FIXED_DELAY, {}ms, {}]", retry.delay_ms, retry.max_attempts)
    });
    let order = match (join.asynchronous, join.ordered) {
        (false, _) => "",
        (true, true) => ", async=[ORDERED]",
        (true, false) => ", async=[UNORDERED]",
    };
    format!(
        "table=[{}], joinType=[{}], lookup=[{keys}]{rest}{retry}{order}, select=[{}]",
        join.table.name,
        kind_name(join.kind),
        all_names(schema)
    )
}
