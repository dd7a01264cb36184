//! A plan with a pattern of rows must encode as it did, and stay readable.

use std::path::PathBuf;

use tidegate_plan::aggregate::{AggregateCall, AggregateFunction};
use tidegate_plan::encoding::{decode, encode};
use tidegate_plan::operator::{
    AfterMatch, MatchRecognize, Operator, PatternAggregate, PatternVariable, RowReference, SortKey,
    Values,
};
use tidegate_plan::{
    ChangelogMode, Exchange, Expr, Input, NamedExpr, Node, PlanSettings, Schema, StreamGraph,
};
use tidegate_types::{Field, OperatorId, TimeAttribute, TypeKind};

fn node(id: u64, operator: Operator, inputs: Vec<Input>, schema: Schema) -> Node {
    Node {
        id: OperatorId(id),
        name: operator.kind().to_owned(),
        operator,
        inputs,
        schema,
        changelog: ChangelogMode::APPEND,
        upsert_key: None,
        state_ttl_ms: vec![],
        parallelism: None,
    }
}

fn graph() -> StreamGraph {
    let time = TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event).not_null();
    let number = TypeKind::BigInt.nullable();
    let input =
        vec![Field::new("k", number.clone()), Field::new("ts", time), Field::new("v", number)];
    let column = |index| Expr::column(index, TypeKind::BigInt.nullable());
    let above = Expr::call(">", vec![column(2), column(3)], TypeKind::Boolean.nullable());
    let variable = |name: &str, max, greedy, condition| PatternVariable {
        name: name.to_owned(),
        min: 1,
        max,
        greedy,
        condition,
    };
    let call = AggregateCall {
        function: AggregateFunction::Sum,
        argument: Some(3),
        parameters: vec![],
        distinct: false,
        filter: None,
        name: "s".into(),
        ty: TypeKind::BigInt.nullable(),
    };
    let named = |name: &str, expr| NamedExpr { name: name.to_owned(), expr };
    let pattern = MatchRecognize {
        keys: vec![0],
        time: Some(1),
        order: vec![SortKey { column: 2, descending: true, nulls_first: false }],
        variables: vec![
            variable("A", None, true, Some(above)),
            variable("B", Some(3), false, None),
        ],
        references: vec![RowReference { variable: Some(0), column: 2, first: false, offset: 1 }],
        computed: vec![named(
            "double",
            Expr::call("+", vec![column(2), column(2)], TypeKind::BigInt.nullable()),
        )],
        aggregates: vec![PatternAggregate { variable: None, call }],
        measures: vec![named("last", column(3)), named("sum", column(4))],
        skip: AfterMatch::ToLast { variable: 1 },
        within_ms: Some(60_000),
    };
    let output: Schema =
        ["k", "last", "sum"].map(|name| Field::new(name, TypeKind::BigInt.nullable())).into();
    let exchange = Exchange::Hash { keys: vec![0] };
    StreamGraph {
        settings: PlanSettings::default(),
        nodes: vec![
            node(1, Operator::Values(Values { rows: vec![] }), vec![], input),
            node(2, Operator::MatchRecognize(pattern), vec![Input { node: 0, exchange }], output),
        ],
    }
}

#[test]
fn a_pattern_encodes_as_its_golden_file() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/pattern_v2.json");
    let encoded = encode(&graph()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &encoded).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert!(encoded == golden, "the encoding has changed: keep a reader of the old one");
    assert_eq!(decode(&golden).unwrap(), graph());
}
