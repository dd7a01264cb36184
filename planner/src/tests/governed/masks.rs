//! E12, N11: columns that are masked or denied for whoever submits.

use tidegate_plan::operator::{Mask, Source};
use tidegate_plan::{Operator, StreamGraph};
use tidegate_types::ErrorCode;

use super::hidden::{assert_masked, leaks};
use super::{Shop, access, job, refused, rows, try_job};
use crate::explain;
use crate::governed::ColumnAccess;

const NULL: ColumnAccess = ColumnAccess::Masked(Mask::Null);
const HASH: ColumnAccess = ColumnAccess::Masked(Mask::Hash);
const PARTIAL: ColumnAccess = ColumnAccess::Masked(Mask::Partial);
const DENIED: ColumnAccess = ColumnAccess::Denied;

pub(super) fn sources(plan: &StreamGraph) -> Vec<&Source> {
    let sources = plan.nodes.iter().filter_map(|node| match &node.operator {
        Operator::Source(source) => Some(source),
        _ => None,
    });
    sources.collect()
}

/// Checks that nothing in a plan sees a produced column without its mask.
pub(super) fn assert_hidden(plan: &StreamGraph, column: &str, script: &str) {
    assert_masked(plan, script);
    let sources = sources(plan);
    assert!(!sources.is_empty(), "{script}");
    for source in sources {
        let produced = source.read.iter().chain(source.metadata.iter().map(|m| &m.field));
        let Some(place) = produced.into_iter().position(|field| field.name == column) else {
            continue;
        };
        assert!(!source.pushed.iter().any(|c| c.columns().contains(&place)), "{script}");
        for named in &source.projection {
            assert!(!leaks(&named.expr, place), "{script}: {named:?}");
        }
    }
}

#[test]
fn e12_masks_stand_in_the_scan_and_nothing_gets_around_them() {
    let scripts = [
        "SELECT phone FROM orders WHERE phone = '138'",
        "SELECT id FROM orders WHERE phone LIKE '138%' AND domain = '138'",
        "SELECT domain, CHAR_LENGTH(phone) FROM orders",
        "SELECT o.id FROM orders o JOIN orders p ON o.phone = p.phone",
        "SELECT phone, COUNT(*) FROM orders GROUP BY phone HAVING phone > 'a'",
        "SELECT COUNT(DISTINCT phone), MAX(phone), LISTAGG(phone) FROM orders",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY phone ORDER BY ts) AS n FROM orders) WHERE n = 1",
        "SELECT id, COUNT(*) OVER (PARTITION BY phone ORDER BY ts) FROM orders",
        "SELECT phone FROM orders UNION SELECT phone FROM orders WHERE phone IN ('a', 'b')",
        "SELECT window_start, phone FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, phone",
        "SELECT id FROM orders WHERE phone IN (SELECT phone FROM orders WHERE amount > 3)",
        "SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM orders p WHERE p.phone = o.domain)",
        "CREATE TEMPORARY VIEW v AS SELECT phone AS x, id FROM orders; SELECT x FROM v WHERE x <> ''",
        "WITH w AS (SELECT phone AS x FROM orders) SELECT x, x || 'a' FROM w",
        "SELECT T.p FROM orders MATCH_RECOGNIZE (PARTITION BY id ORDER BY ts MEASURES A.phone AS p PATTERN (A B) DEFINE B AS B.phone > A.phone) AS T",
        "INSERT INTO copies SELECT id, phone, domain FROM orders WHERE phone IS NOT NULL",
        "SELECT * FROM orders ORDER BY ts, phone",
        "SELECT x FROM orders, UNNEST(ARRAY[phone, domain]) AS u(x)",
    ];
    for mask in [NULL, HASH, PARTIAL] {
        for script in scripts {
            let plan = job(Shop::with_orders(&[("phone", mask)]), script);
            assert_hidden(&plan, "phone", script);
        }
    }
}

#[test]
fn e12_a_condition_on_a_masked_column_stays_above_its_source() {
    let definition = "CREATE TABLE events (event_type INT, person ROW<id BIGINT, name STRING>, url AS 'x') WITH ('connector' = 'nexmark')";
    let script = "SELECT person.name FROM events WHERE event_type = 0";
    let plan = |columns: &[(&str, ColumnAccess)]| {
        let mut shop = Shop::new();
        shop.add("my-project", "default", "events", definition);
        shop.table_mut(["my-project", "default", "events"]).columns = access(columns);
        job(shop, script)
    };
    assert_eq!(sources(&plan(&[]))[0].pushed.len(), 1);
    let masked = plan(&[("event_type", NULL)]);
    assert!(
        !masked
            .nodes
            .iter()
            .any(|node| matches!(&node.operator, Operator::Source(s) if !s.pushed.is_empty()))
    );
}

#[test]
fn e12_what_stands_for_a_value_depends_on_mask_and_type() {
    let columns = [
        ("phone", PARTIAL),
        ("card", HASH),
        ("customer", NULL),
        ("amount", PARTIAL),
        ("id", HASH),
        ("part", NULL),
    ];
    let plan = job(
        Shop::with_orders(&columns),
        "SELECT phone, card, customer, amount, id, part FROM orders",
    );
    let source = sources(&plan)[0];
    assert_eq!(source.table.governed.as_ref().unwrap().masks.len(), 6);
    // What is NULL for the caller is not even read.
    assert_eq!(
        source.read.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(),
        ["phone", "card"]
    );
    assert!(source.metadata.is_empty());
    let shown: Vec<String> = plan
        .nodes
        .last()
        .unwrap()
        .schema
        .iter()
        .map(|field| format!("{} {}", field.name, field.ty))
        .collect();
    assert_eq!(
        shown,
        [
            "phone VARCHAR(20) NOT NULL",
            "card STRING",
            "customer STRING",
            "amount DECIMAL(10, 2)",
            "id BIGINT",
            "part INT"
        ]
    );
    let text = explain(&plan);
    assert!(text.contains("$MASK_PARTIAL(phone)") && text.contains("SHA256(card)"), "{text}");
}

#[test]
fn e12_a_computed_column_over_a_masked_one_is_computed_from_the_mask() {
    let plan = job(Shop::with_orders(&[("phone", HASH)]), "SELECT domain FROM orders");
    let text = explain(&plan);
    assert!(text.contains("SUBSTRING(SHA256(phone), 1, 3)"), "{text}");
    let plan = job(Shop::with_orders(&[("domain", NULL)]), "SELECT domain, phone FROM orders");
    assert!(!explain(&plan).contains("SUBSTRING"), "{}", explain(&plan));
}

#[test]
fn e12_masks_are_for_readers_and_not_for_writers() {
    let mut shop = Shop::new();
    shop.table_mut(["my-project", "default", "copies"]).columns =
        access(&[("phone", NULL), ("card", DENIED)]);
    let plan = job(shop, "INSERT INTO copies SELECT id, phone, card FROM orders");
    let Operator::Sink(sink) = &plan.nodes.last().unwrap().operator else { panic!() };
    assert!(sink.table.governed.as_ref().unwrap().masks.is_empty());
    assert_eq!(sink.table.columns.len(), 3);
}

#[test]
fn e12_event_time_behind_a_mask_is_refused_where_it_is_needed() {
    let windowed = "SELECT window_start, COUNT(*) FROM
        TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end";
    for access in [NULL, HASH, PARTIAL] {
        let error = refused(Shop::with_orders(&[("ts", access)]), windowed);
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
        assert!(
            error.to_string().contains("event time of table 'my-project.default.orders'"),
            "{error}"
        );
        assert_eq!(error.span().map(|span| span.line), Some(2), "{error}");
    }
    for script in [
        "SELECT id FROM orders ORDER BY ts",
        "SELECT CURRENT_WATERMARK(ts) FROM orders",
        "SELECT SUM(amount) OVER (PARTITION BY id ORDER BY ts) FROM orders",
        "SELECT o.id FROM orders AS o JOIN orders AS p ON o.id = p.id AND o.ts BETWEEN p.ts - INTERVAL '1' SECOND AND p.ts",
    ] {
        let error = refused(Shop::with_orders(&[("ts", NULL)]), script);
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{script}: {error}");
    }
    // Where it is a value and nothing more, its mask is one too.
    let plan = job(Shop::with_orders(&[("ts", NULL)]), "SELECT ts, id FROM orders WHERE id > 3");
    assert_eq!(plan.nodes.last().unwrap().schema.len(), 2);
    assert_hidden(&plan, "ts", "SELECT ts");
    let by_clock = "SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(at_clock), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end";
    job(Shop::with_orders(&[("ts", NULL), ("at_clock", NULL)]), by_clock);
}

#[test]
fn e12_a_key_that_is_masked_tells_rows_apart_only_as_a_hash_of_a_text() {
    let shop = |access: ColumnAccess| {
        let mut shop = Shop::new();
        shop.table_mut(["my-project", "crm", "accounts"]).columns =
            super::access(&[("number", access)]);
        shop
    };
    let script = "SELECT\n number, balance FROM crm.accounts";
    let plan = job(shop(HASH), script);
    assert!(plan.nodes.iter().any(|node| matches!(node.operator, Operator::ChangelogNormalize(_))));
    for access in [NULL, PARTIAL, DENIED] {
        let error = refused(shop(access), "SELECT\n balance FROM\n crm.accounts");
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
        assert!(error.to_string().contains("key column 'number'"), "{error}");
        assert_eq!(error.span().map(|span| span.line), Some(3), "{error}");
    }
}

#[test]
fn e12_the_masked_key_of_an_append_only_table_is_no_key() {
    let mut shop = Shop::new();
    let definition = "CREATE TABLE users (name STRING, n BIGINT, PRIMARY KEY (name) NOT ENFORCED) WITH ('connector' = 'datagen')";
    shop.add("my-project", "default", "users", definition);
    let mut session = shop.session();
    let key = |session: &mut crate::Session| {
        try_job(session, "SELECT name, n FROM users").unwrap().nodes[0].upsert_key.clone()
    };
    assert_eq!(key(&mut session), Some(vec![0]));
    let mut shop = Shop::new();
    shop.add("my-project", "default", "users", definition);
    shop.table_mut(["my-project", "default", "users"]).columns = access(&[("name", PARTIAL)]);
    let mut session = shop.session();
    assert_eq!(key(&mut session), None);
    assert_eq!(rows(&mut session, "DESCRIBE users")[0], "name|STRING|FALSE|PRI(name)||");
}

#[test]
fn n11_a_denied_column_is_refused_at_its_place() {
    let shop = || Shop::with_orders(&[("phone", DENIED), ("card", DENIED)]);
    for (script, place) in [
        ("SELECT id, phone FROM orders", (1, 12)),
        ("SELECT id FROM orders WHERE card = '1'", (1, 29)),
        (
            "SELECT o.id FROM orders AS o\n JOIN orders AS p ON o.id = p.id AND o.phone = p.phone",
            (2, 40),
        ),
        ("SELECT COUNT(*) FROM orders\n GROUP BY card", (2, 11)),
        ("SELECT `my-project`.`default`.orders.phone FROM orders", (1, 38)),
        ("SELECT id FROM orders WHERE domain = '138'", (1, 29)),
        ("SELECT x FROM orders AS o(x, y, z, a, b, c, d, e, f)\n WHERE z > ''", (2, 8)),
        ("INSERT INTO copies SELECT id, customer,\n phone FROM orders", (2, 2)),
    ] {
        let error = refused(shop(), script);
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{script}: {error}");
        assert!(error.to_string().contains("you may not read the column"), "{script}: {error}");
        assert_eq!(
            error.span().map(|span| (span.line, span.column)),
            Some(place),
            "{script}: {error}"
        );
    }
}

#[test]
fn n11_a_star_over_denied_columns_is_refused_with_all_of_them() {
    let shop = || Shop::with_orders(&[("phone", DENIED), ("card", DENIED)]);
    for script in [
        "SELECT * FROM orders",
        "SELECT o.* FROM orders AS o",
        "SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        "SELECT DISTINCT * FROM orders",
        "SELECT * FROM (TABLE orders) AS t",
        "CREATE TEMPORARY VIEW v AS SELECT * FROM orders",
        "INSERT INTO copies (id) SELECT id FROM (SELECT * FROM orders)",
    ] {
        let error = refused(shop(), script);
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{script}: {error}");
        let listed = "'phone', 'card', 'domain'";
        assert!(error.to_string().contains(listed), "{script}: {error}");
        assert!(error.to_string().contains("name the columns that you need"), "{script}: {error}");
    }
    // What only passes through and is not needed is not read.
    for script in [
        "SELECT window_start, SUM(amount) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        "SELECT COUNT(*) FROM orders",
        "SELECT id, amount FROM orders",
    ] {
        let plan = job(shop(), script);
        for name in ["phone", "card"] {
            assert_hidden(&plan, name, script);
            assert!(sources(&plan)[0].read.iter().all(|field| field.name != name), "{script}");
        }
    }
}

#[test]
fn n11_counting_rows_needs_no_column_that_is_denied() {
    let mut shop = Shop::new();
    shop.add(
        "my-project",
        "default",
        "two",
        "CREATE TABLE two (a TINYINT, b STRING) WITH ('connector' = 'datagen')",
    );
    shop.table_mut(["my-project", "default", "two"]).columns =
        access(&[("a", DENIED), ("b", HASH)]);
    let plan = job(shop, "SELECT COUNT(*) FROM two");
    assert_hidden(&plan, "a", "COUNT");
    assert!(!sources(&plan)[0].projection.is_empty());
}

#[test]
fn a_mask_of_a_column_that_there_is_not_fails_closed() {
    let error = refused(Shop::with_orders(&[("telephone", HASH)]), "SELECT id FROM orders");
    assert_eq!(error.code(), ErrorCode::FailedPrecondition);
    assert!(error.to_string().contains("'telephone'"), "{error}");
}

#[test]
fn e12_state_over_a_column_is_not_taken_over_behind_another_mask() {
    let ids = |columns: &[(&str, ColumnAccess)], script: &str| {
        let plan = job(Shop::with_orders(columns), script);
        let groups =
            plan.nodes.iter().filter(|node| matches!(node.operator, Operator::GroupAggregate(_)));
        groups.map(|node| node.id).collect::<Vec<_>>()
    };
    for script in [
        "SELECT phone, COUNT(*) FROM orders GROUP BY phone",
        "SELECT domain, COUNT(*) FROM orders GROUP BY domain",
    ] {
        let all = [&[][..], &[("phone", NULL)], &[("phone", HASH)], &[("phone", PARTIAL)]]
            .map(|columns| ids(columns, script));
        for (index, own) in all.iter().enumerate() {
            assert!(own.len() == 1 && !all[..index].contains(own), "{script}: {all:?}");
        }
    }
    let other = "SELECT customer, COUNT(*) FROM orders GROUP BY customer";
    assert_eq!(ids(&[], other), ids(&[("phone", HASH)], other));
}

#[test]
fn n11_no_construct_reaches_a_denied_column() {
    let shop = || Shop::with_orders(&[("phone", DENIED), ("ts", DENIED)]);
    for script in [
        "SELECT id FROM orders JOIN (VALUES ('1')) AS v(phone) USING (phone)",
        "SELECT id FROM orders NATURAL JOIN (VALUES ('1')) AS v(phone)",
        "SELECT COUNT(phone) FROM orders",
        "SELECT id FROM orders ORDER BY ts",
        "SELECT id FROM orders ORDER BY phone LIMIT 3",
        "SELECT window_start FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        "SELECT phone FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(at_clock), INTERVAL '1' MINUTE))",
        "SELECT window_start FROM TABLE(SESSION(TABLE orders PARTITION BY phone, DESCRIPTOR(at_clock), INTERVAL '1' MINUTE))",
        "SELECT m FROM orders MATCH_RECOGNIZE (PARTITION BY id ORDER BY at_clock MEASURES A.phone AS m PATTERN (A) DEFINE A AS A.id > 1)",
        "SELECT m FROM orders MATCH_RECOGNIZE (PARTITION BY id ORDER BY ts MEASURES A.id AS m PATTERN (A) DEFINE A AS A.id > 1)",
        "SELECT id FROM orders WHERE id IN (SELECT 1 FROM orders WHERE phone = '1')",
        "SELECT (SELECT MAX(phone) FROM orders) FROM (VALUES (1)) AS v(x)",
        "SELECT ROW_NUMBER() OVER (PARTITION BY phone ORDER BY at_clock) FROM orders",
        "SELECT v.x FROM (VALUES ('a', 1)) AS v(phone, x) WHERE EXISTS (SELECT 1 FROM orders WHERE phone = 'a')",
        "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM (VALUES (1)) AS v(y) WHERE phone = 'a')",
        "SELECT id FROM orders UNION SELECT CHAR_LENGTH(phone) FROM orders",
        "SELECT x FROM orders, LATERAL (SELECT phone AS x FROM (VALUES (1)) AS v(y))",
        "SELECT x FROM orders CROSS JOIN UNNEST(ARRAY[phone]) AS u(x)",
        "WITH w AS (SELECT phone AS p FROM orders) SELECT 1 FROM w",
        "CREATE TEMPORARY FUNCTION f() RETURNS TABLE (p STRING) RETURN SELECT phone FROM orders; SELECT p FROM TABLE(f())",
        "SELECT c.id FROM orders AS o JOIN crm.customers FOR SYSTEM_TIME AS OF o.at_clock AS c ON o.phone = c.id",
        "TABLE orders",
        "CREATE TABLE c WITH ('connector' = 'print') AS SELECT phone FROM orders",
        "EXPLAIN SELECT phone FROM orders",
    ] {
        let error = refused(shop(), script);
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{script}: {error}");
        assert!(error.to_string().contains("you may not read the column"), "{script}: {error}");
        assert!(
            error.span().is_some_and(|span| span.column > 1 || script.starts_with("TABLE")),
            "{script}: {error}"
        );
    }
}
