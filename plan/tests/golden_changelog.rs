//! A plan that makes rows of changes and changes of rows must encode as it did, and stay readable.

use std::path::PathBuf;

use tidegate_plan::encoding::{decode, encode};
use tidegate_plan::operator::{
    ChangeCode, FromChangelog, GroupAggregate, Operator, ToChangelog, Values,
};
use tidegate_plan::{
    ChangelogMode, Exchange, Input, Node, PlanSettings, RowKind, Schema, StreamGraph,
};
use tidegate_types::{Field, OperatorId, TypeKind};

fn graph() -> StreamGraph {
    let field = |name: &str| Field::new(name, TypeKind::STRING.nullable());
    let node = |id: usize, operator: Operator, exchange, schema: Schema, changelog| Node {
        id: OperatorId(id as u64),
        name: operator.kind().to_owned(),
        operator,
        inputs: if id == 0 { Vec::new() } else { vec![Input { node: id - 1, exchange }] },
        schema,
        changelog,
        upsert_key: None,
        state_ttl_ms: vec![],
        parallelism: None,
    };
    let codes = RowKind::ALL.map(|kind| ChangeCode { code: kind.short().to_owned(), kind });
    let from = FromChangelog { column: 1, codes: codes.to_vec() };
    let each =
        GroupAggregate { keys: vec![0], aggregates: vec![], two_phase: false, each_change: true };
    let to = ToChangelog { codes: codes[1..].to_vec() };
    let (append, retract) = (ChangelogMode::APPEND, ChangelogMode::RETRACT);
    let (forward, hash) = (Exchange::Forward, Exchange::Hash { keys: vec![0] });
    let (row, pair) = (vec![field("k")], vec![field("k"), field("op")]);
    let values = Operator::Values(Values { rows: vec![] });
    StreamGraph {
        settings: PlanSettings::default(),
        nodes: vec![
            node(0, values, forward.clone(), pair, append),
            node(1, Operator::FromChangelog(from), forward.clone(), row.clone(), retract),
            node(2, Operator::GroupAggregate(each), hash, row, retract),
            node(3, Operator::ToChangelog(to), forward, vec![field("op"), field("k")], append),
        ],
    }
}

#[test]
fn changes_and_rows_encode_as_their_golden_file() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/changelog_v2.json");
    let encoded = encode(&graph()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &encoded).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert!(encoded == golden, "the encoding has changed: keep a reader of the old one");
    assert_eq!(decode(&golden).unwrap(), graph());
}
