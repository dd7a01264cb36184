//! The stored form of tables that the catalog governs: today's plan must encode as it did, and must stay readable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tidegate_plan::encoding::{decode, encode};
use tidegate_plan::operator::{Governed, Mask, Operator, Sink, Source, Table};
use tidegate_plan::{
    ChangelogMode, Exchange, Expr, Input, NamedExpr, Node, PlanSettings, StreamGraph,
};
use tidegate_types::{Field, OperatorId, TypeKind};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/governed_v2.json")
}

fn table(reference: &str, columns: Vec<Field>, masks: &[(&str, Mask)]) -> Table {
    let hints = BTreeMap::from([("scan.startup.mode".to_owned(), "earliest-offset".to_owned())]);
    Table {
        name: format!("shop.sales.{reference}"),
        options: BTreeMap::from([("connector".to_owned(), "kafka".to_owned())]),
        columns,
        governed: Some(Box::new(Governed {
            reference: format!("projects/shop/databases/sales/tables/{reference}"),
            schema_digest: "1-00".to_owned(),
            hints: if masks.is_empty() { BTreeMap::new() } else { hints },
            masks: masks.iter().map(|(name, mask)| ((*name).to_owned(), *mask)).collect(),
        })),
        ..Table::default()
    }
}

fn graph() -> StreamGraph {
    let names = ["a", "b", "c"];
    let columns: Vec<Field> =
        names.iter().map(|name| Field::new(*name, TypeKind::STRING.nullable())).collect();
    let masks = [("a", Mask::Null), ("b", Mask::Hash), ("c", Mask::Partial)];
    let projection = columns.iter().enumerate().map(|(index, field)| NamedExpr {
        name: field.name.clone(),
        expr: Expr::column(index, field.ty.clone()),
    });
    let source = Operator::Source(Source {
        table: table("orders", columns.clone(), &masks),
        read: columns.clone(),
        metadata: Vec::new(),
        pushed: Vec::new(),
        projection: projection.collect(),
        watermark: None,
    });
    let sink = Operator::Sink(Sink {
        table: table("copies", columns.clone(), &[]),
        metadata: Vec::new(),
        overwrite: false,
        insert: "shop.sales.copies".to_owned(),
    });
    let node = |id, operator, inputs| Node {
        id: OperatorId(id),
        name: format!("node-{id}"),
        operator,
        inputs,
        schema: columns.clone(),
        changelog: ChangelogMode::APPEND,
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    };
    let input = vec![Input { node: 0, exchange: Exchange::Forward }];
    let nodes = vec![node(1, source, Vec::new()), node(2, sink, input)];
    StreamGraph { settings: PlanSettings::default(), nodes }
}

#[test]
fn governed_tables_encode_as_they_did() {
    let text = encode(&graph()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(), &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path()).unwrap(), text);
    assert_eq!(decode(&text).unwrap(), graph());
}

#[test]
fn masks_have_the_names_that_they_are_stored_under() {
    for mask in Mask::ALL {
        assert_eq!(serde_json::to_value(mask).unwrap(), mask.name());
        assert_eq!(Mask::by_name(mask.name()), Some(mask));
    }
    assert_eq!(Mask::by_name("none"), None);
}
