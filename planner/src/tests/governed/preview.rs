//! F5: some rows of a table, for whoever asks.

use std::sync::Arc;

use tidegate_plan::operator::Mask;
use tidegate_plan::{Node, Operator};
use tidegate_types::{Error, ErrorCode, Result};

use super::Shop;
use crate::explain;
use crate::governed::{
    ColumnAccess, MAX_PREVIEW_ROWS, Preview, PreviewRequest, PreviewStart, preview,
};

fn request(path: [&str; 3], limit: u32, start: PreviewStart) -> PreviewRequest {
    let [project, database, table] = path.map(str::to_owned);
    PreviewRequest { project, database, table, limit, start, settings: Default::default() }
}

fn orders(shop: Shop, start: PreviewStart) -> Result<Preview> {
    preview(Arc::new(shop), &request(["my-project", "default", "orders"], 20, start))
}

fn source(preview: &Preview) -> (&Node, &tidegate_plan::operator::Source) {
    let node = &preview.job.graph.nodes[0];
    let Operator::Source(source) = &node.operator else { panic!("{node:?}") };
    (node, source)
}

#[test]
fn f5_a_preview_shows_what_the_caller_may_read_with_masks() {
    let columns =
        [("phone", ColumnAccess::Masked(Mask::Partial)), ("amount", ColumnAccess::Denied)];
    let preview = orders(Shop::with_orders(&columns), PreviewStart::Earliest).unwrap();
    let names: Vec<&str> =
        preview.job.query.as_ref().unwrap().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "customer", "phone", "card", "domain", "ts", "part", "at_clock"]);
    assert_eq!(preview.left_out, ["amount"]);
    assert_eq!(
        preview.masks.into_iter().collect::<Vec<_>>(),
        [("phone".to_owned(), Mask::Partial)]
    );
    let text = explain(&preview.job.graph);
    assert!(text.contains("$MASK_PARTIAL(phone)"), "{text}");
    let limited = preview
        .job
        .graph
        .nodes
        .iter()
        .any(|node| matches!(&node.operator, Operator::Rank(rank) if rank.to == 20));
    assert!(limited, "{text}");
}

#[test]
fn f5_reading_begins_and_ends_where_the_preview_does() {
    for (start, expected) in [
        (PreviewStart::Earliest, [Some("earliest-offset"), None, Some("latest-offset")]),
        (
            PreviewStart::Since(1_700_000_000_000),
            [Some("timestamp"), Some("1700000000000"), Some("latest-offset")],
        ),
        (PreviewStart::Latest, [Some("latest-offset"), None, Some("unbounded")]),
    ] {
        let preview = orders(Shop::new(), start).unwrap();
        let (node, source) = source(&preview);
        let option = |key: &str| source.table.options.get(key).map(String::as_str);
        let keys = ["scan.startup.mode", "scan.startup.timestamp-millis", "scan.bounded.mode"];
        assert_eq!(keys.map(option), expected);
        assert_eq!(preview.start, start);
        assert_eq!(node.parallelism, Some(1));
        // In an environment they still stand over what is published there.
        assert_eq!(
            source.table.governed.as_ref().unwrap().hints["scan.bounded.mode"],
            expected[2].unwrap()
        );
    }
}

#[test]
fn f5_connectors_that_cannot_choose_say_what_they_show() {
    let accounts = ["my-project", "crm", "accounts"];
    let shown =
        preview(Arc::new(Shop::new()), &request(accounts, 5, PreviewStart::Latest)).unwrap();
    assert_eq!(shown.start, PreviewStart::Earliest);
    assert_eq!(source(&shown).1.table.options["scan.bounded.mode"], "latest-offset");
    let customers = ["my-project", "crm", "customers"];
    let shown =
        preview(Arc::new(Shop::new()), &request(customers, 5, PreviewStart::Earliest)).unwrap();
    assert_eq!(shown.start, PreviewStart::Earliest);
    let mut shop = Shop::new();
    shop.add(
        "my-project",
        "default",
        "odd `name`",
        "CREATE TABLE t (`a ``b` INT, `select` INT) WITH ('connector' = 'datagen')",
    );
    let odd = ["my-project", "default", "odd `name`"];
    let shown = preview(Arc::new(shop), &request(odd, 7, PreviewStart::Earliest)).unwrap();
    assert_eq!(source(&shown).1.table.options["number-of-rows"], "7");
    assert_eq!(shown.job.query.unwrap()[0].name, "a `b");
}

#[test]
fn f5_what_cannot_be_shown_is_refused() {
    let refusal = |shop: Shop, path, limit| {
        preview(Arc::new(shop), &request(path, limit, PreviewStart::Earliest)).unwrap_err()
    };
    let path = ["my-project", "default", "orders"];
    for limit in [0, MAX_PREVIEW_ROWS + 1] {
        assert_eq!(refusal(Shop::new(), path, limit).code(), ErrorCode::InvalidOption);
    }
    let error = refusal(Shop::new(), ["my-project", "default", "order"], 1);
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.to_string().contains("did you mean 'orders'?"), "{error}");
    assert_eq!(
        refusal(Shop::new(), ["nobody", "default", "orders"], 1).code(),
        ErrorCode::NotFound
    );
    let mut shop = Shop::new();
    let denied = Error::new(ErrorCode::PermissionDenied, "you may not read it");
    shop.table_mut(path).read = Some(denied);
    let error = refusal(shop, path, 1);
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
    assert_eq!(error.span(), None, "{error}");
    let all = ["id", "customer", "phone", "card", "amount", "ts", "part", "at_clock"];
    let all: Vec<_> = all.into_iter().map(|name| (name, ColumnAccess::Denied)).collect();
    let error = refusal(Shop::with_orders(&all), path, 1);
    assert!(error.to_string().contains("any column"), "{error}");
    let mut shop = Shop::new();
    shop.add(
        "my-project",
        "default",
        "out",
        "CREATE TABLE out (a INT) WITH ('connector' = 'print')",
    );
    let error = refusal(shop, ["my-project", "default", "out"], 1);
    assert!(error.to_string().contains("cannot be read from"), "{error}");
}
