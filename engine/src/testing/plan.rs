//! Plan nodes.

use tidegate_plan::operator::Operator;
use tidegate_plan::{ChangelogMode, Exchange, Input, Node, Schema};
use tidegate_types::{Field, OperatorId, SqlType};

/// Columns with names `c0`, `c1`, …
pub(crate) fn schema(types: &[SqlType]) -> Schema {
    types.iter().enumerate().map(|(i, ty)| Field::new(format!("c{i}"), ty.clone())).collect()
}

/// A node with one input by `keys`.
pub(crate) fn node(
    operator: Operator,
    schema: Schema,
    changelog: ChangelogMode,
    keys: Option<Vec<usize>>,
) -> Node {
    let exchange = keys.map_or(Exchange::Forward, |keys| Exchange::Hash { keys });
    Node {
        id: OperatorId(1),
        name: operator.kind().to_owned(),
        operator,
        inputs: vec![Input { node: 0, exchange }],
        schema,
        changelog,
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    }
}
