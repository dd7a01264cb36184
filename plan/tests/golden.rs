//! Plans that earlier releases stored must stay readable, and today's plan must encode as it did.
//!
//! `plan/golden/v<version>.json` holds one plan of each version. `UPDATE_GOLDEN=1` rewrites the one
//! of the current version: only right before its first release.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tidegate_plan::aggregate::{AggregateCall, AggregateFunction};
use tidegate_plan::encoding::{VERSION, decode, encode};
use tidegate_plan::operator::{
    Calc, MetadataColumn, Operator, Sink, SortKey, Source, Table, Values, WatermarkSpec,
    WindowAggregate, WindowRank, WindowTvf,
};
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_plan::{
    CastMode, ChangelogMode, Exchange, Expr, Input, Literal, NamedExpr, Node, PlanSettings, Scalar,
    StreamGraph,
};
use tidegate_types::{Field, OperatorId, SqlType, TimeAttribute, TypeKind};

fn path(version: u64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v{version}.json"))
}

fn rowtime() -> SqlType {
    TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event).nullable()
}

fn table(name: &str, columns: Vec<Field>) -> Table {
    Table {
        name: name.into(),
        options: BTreeMap::from([
            ("connector".into(), "kafka".into()),
            ("topic".into(), name.into()),
        ]),
        columns,
        partition_keys: vec!["k".into()],
        primary_key: vec![],
        governed: None,
    }
}

fn node(id: u64, operator: Operator, inputs: Vec<Input>, schema: Vec<Field>) -> Node {
    Node {
        id: OperatorId(id),
        name: format!("{}-{id}", operator.kind()),
        operator,
        inputs,
        schema,
        changelog: ChangelogMode::APPEND,
        upsert_key: (id == 6).then(|| vec![0]),
        state_ttl_ms: vec![],
        parallelism: (id == 7).then_some(2),
    }
}

fn from(node: usize, exchange: Exchange) -> Vec<Input> {
    vec![Input { node, exchange }]
}

/// A graph with every operator, every kind of expression and most types.
fn graph() -> StreamGraph {
    let k = Field::new("k", TypeKind::STRING.nullable());
    let v = Field::new("v", TypeKind::Decimal { precision: 10, scale: 2 }.nullable());
    let ts = Field::new("ts", rowtime());
    let row = Field::new("r", TypeKind::Row(vec![k.clone()]).nullable());
    let count = Field::new("n", TypeKind::BigInt.not_null());
    let bound = |name: &str| Field::new(name, TypeKind::timestamp(3).not_null());
    let column = |index: usize, field: &Field| Expr::column(index, field.ty.clone());
    let literal = |value, kind: TypeKind| Expr::Literal(Literal { value, ty: kind.not_null() });
    let named = |name: &str, expr| NamedExpr { name: name.into(), expr };
    let physical = vec![k.clone(), v.clone(), ts.clone(), row.clone()];
    let delay = literal(Scalar::Integer(5_000), TypeKind::IntervalDayTime);
    let source = Source {
        table: table("clicks", physical.clone()),
        read: physical.clone(),
        metadata: vec![MetadataColumn {
            key: "partition".into(),
            field: Field::new("p", TypeKind::Int.not_null()),
        }],
        pushed: vec![Expr::call("IS NOT NULL", vec![column(0, &k)], TypeKind::Boolean.not_null())],
        projection: (0..4).map(|i| named(&physical[i].name, column(i, &physical[i]))).collect(),
        watermark: Some(WatermarkSpec {
            column: 2,
            expr: Expr::call("-", vec![column(2, &ts), delay], TypeKind::timestamp(3).nullable()),
            idle_timeout_ms: 1_000,
        }),
    };
    let case = Expr::Case {
        branches: vec![(
            Expr::call(
                "=",
                vec![column(0, &k), literal(Scalar::Text("x".into()), TypeKind::STRING)],
                TypeKind::Boolean.nullable(),
            ),
            literal(Scalar::Decimal(-12_345), TypeKind::Decimal { precision: 10, scale: 2 }),
        )],
        otherwise: Box::new(Expr::Cast {
            input: Box::new(column(1, &v)),
            ty: v.ty.clone(),
            mode: CastMode::TryCast,
        }),
        ty: v.ty.clone(),
    };
    let field = Expr::Field { input: Box::new(column(3, &row)), index: 0, ty: k.ty.clone() };
    let calc = Calc {
        filter: Some(Expr::Literal(Literal {
            value: Scalar::Boolean(true),
            ty: TypeKind::Boolean.not_null(),
        })),
        projection: vec![named("k", field), named("v", case), named("ts", column(2, &ts))],
    };
    let aggregate = WindowAggregate {
        shape: WindowShape::Hop { size: 10_000, slide: 5_000, offset: 0 },
        time: WindowTime::Event { column: 2 },
        keys: vec![0],
        aggregates: vec![AggregateCall {
            function: AggregateFunction::Count,
            argument: Some(1),
            parameters: vec![],
            distinct: true,
            filter: None,
            name: "n".into(),
            ty: count.ty.clone(),
        }],
        columns: vec![WindowColumn::Start, WindowColumn::End],
        two_phase: true,
        emit: None,
    };
    let windowed = vec![k.clone(), count.clone(), bound("window_start"), bound("window_end")];
    let rank = WindowRank {
        time: WindowTime::Attached { start: 2, end: 3 },
        keys: vec![],
        order: vec![SortKey { column: 1, descending: true, nulls_first: false }],
        from: 1,
        to: 3,
        rank_column: None,
    };
    let values = Values {
        rows: vec![vec![
            Literal::null(TypeKind::Int),
            Literal { value: Scalar::Double(1.5), ty: TypeKind::Double.not_null() },
        ]],
    };
    let tvf = WindowTvf {
        shape: WindowShape::Session { gap: 1_000 },
        time: WindowTime::Processing,
        partition_keys: vec![0],
    };
    let pair = vec![
        Field::new("a", TypeKind::Int.nullable()),
        Field::new("b", TypeKind::Double.not_null()),
    ];
    let sink = |name: &str| Sink {
        table: table(name, windowed.clone()),
        metadata: vec![(0, "key".into())],
        overwrite: false,
        insert: name.into(),
    };
    let three = vec![k, v, ts];
    StreamGraph {
        settings: PlanSettings {
            time_zone: "Asia/Shanghai".into(),
            key_groups: 128,
            mini_batch: None,
        },
        nodes: vec![
            node(1, Operator::Source(source), vec![], physical),
            node(2, Operator::Calc(calc), from(0, Exchange::Forward), three),
            node(
                3,
                Operator::WindowAggregate(aggregate),
                from(1, Exchange::Hash { keys: vec![0] }),
                windowed.clone(),
            ),
            node(4, Operator::WindowRank(rank), from(2, Exchange::Single), windowed.clone()),
            node(5, Operator::Values(values), vec![], pair.clone()),
            node(6, Operator::WindowTvf(tvf), from(4, Exchange::Rebalance), pair),
            node(7, Operator::Sink(sink("top")), from(3, Exchange::Broadcast), windowed.clone()),
            node(
                8,
                Operator::Union,
                [from(2, Exchange::Forward), from(3, Exchange::Forward)].concat(),
                windowed,
            ),
        ],
    }
}

#[test]
fn the_current_version_encodes_as_its_golden_file() {
    let encoded = encode(&graph()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(VERSION), &encoded).unwrap();
    }
    let golden = std::fs::read_to_string(path(VERSION)).unwrap();
    assert!(
        encoded == golden,
        "the encoding has changed: give it a new version, keep a reader of the old one"
    );
}

#[test]
fn every_version_is_readable() {
    for version in 1..=VERSION {
        let text = std::fs::read_to_string(path(version)).unwrap();
        assert_eq!(decode(&text).unwrap(), graph(), "version {version}");
    }
}

#[test]
fn damage_and_newer_versions_are_refused() {
    let text = encode(&graph()).unwrap();
    let damaged = text.replacen("5000", "5001", 1);
    assert!(decode(&damaged).unwrap_err().to_string().contains("damaged"));
    let newer = text.replacen(&format!("\"version\": {VERSION}"), "\"version\": 99", 2);
    let error = decode(&newer).unwrap_err().to_string();
    assert!(error.contains("version 99") || error.contains("damaged"), "{error}");
    assert!(decode("{}").is_err());
}
