//! Which tables and columns a plan uses.

use tidegate_plan::operator::Mask;

use tidegate_types::{Error, ErrorCode, Result};

use super::{Shop, access, job};
use crate::governed::{
    ColumnAccess, GovernedTable, TableRole, UsedTables, check_access, used_tables,
};

/// Governed tables with their columns, masks behind a colon.
fn governed(used: &UsedTables) -> Vec<String> {
    let columns = |columns: &[crate::governed::UsedColumn]| {
        let columns = columns.iter().map(|column| match column.mask {
            Some(mask) => format!("{}:{}", column.name, mask.name()),
            None => column.name.clone(),
        });
        columns.collect::<Vec<_>>().join(" ")
    };
    let tables = used.governed.iter();
    tables
        .map(|table| format!("{} {:?} {}", table.name, table.role, columns(&table.columns)))
        .collect()
}

#[test]
fn e1_a_plan_tells_which_columns_of_which_tables_it_needs() {
    let script = "EXECUTE STATEMENT SET BEGIN
        INSERT INTO copies SELECT id, domain, CAST(NULL AS STRING) FROM orders WHERE amount > 3;
        INSERT INTO copies SELECT o.id, c.name, 'x' FROM orders AS o
            JOIN crm.customers FOR SYSTEM_TIME AS OF o.at_clock AS c ON o.customer = c.id AND c.mail <> '';
    END";
    let used = used_tables(&job(Shop::new(), script));
    assert_eq!(
        governed(&used),
        [
            "my-project.default.orders Read amount customer domain id phone",
            "my-project.default.copies Written card id phone",
            "my-project.crm.customers LookedUp id mail name",
        ]
    );
    assert_eq!(used.governed[0].reference, "projects/my-project/databases/default/tables/orders");
    assert!(used.inline.is_empty());
}

#[test]
fn e12_the_masks_of_a_plan_are_told_with_its_columns() {
    let masks = [
        ("phone", ColumnAccess::Masked(Mask::Hash)),
        ("card", ColumnAccess::Masked(Mask::Null)),
        ("amount", ColumnAccess::Masked(Mask::Partial)),
    ];
    let used = used_tables(&job(Shop::with_orders(&masks), "SELECT id, domain, card FROM orders"));
    assert_eq!(governed(&used), ["my-project.default.orders Read card:null domain id phone:hash"]);
}

#[test]
fn inline_tables_tell_where_they_point_without_secrets() {
    let script = "CREATE TABLE events (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'events', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
            'properties.bootstrap.servers' = 'kafka:9092', 'properties.sasl.password' = 'hunter2');
        CREATE TABLE files (id BIGINT, name STRING) WITH ('connector' = 'filesystem', 'path' = '/data/out', 'format' = 'csv');
        CREATE TABLE people (id BIGINT, name STRING) WITH ('connector' = 'jdbc', 'url' = 'jdbc:mysql://me:hunter2@db/shop?password=hunter2',
            'table-name' = 'people');
        CREATE VIEW timed AS SELECT id, PROCTIME() AS at_clock FROM events;
        INSERT INTO files SELECT t.id, p.name FROM timed AS t JOIN people FOR SYSTEM_TIME AS OF t.at_clock AS p ON t.id = p.id";
    let used = used_tables(&job(Shop::new(), script));
    assert!(used.governed.is_empty());
    let inline: Vec<String> = used
        .inline
        .iter()
        .map(|table| {
            format!("{} {:?} {} {:?}", table.name, table.role, table.connector, table.target)
        })
        .collect();
    assert_eq!(
        inline,
        [
            r#"events Read kafka {"properties.bootstrap.servers": "kafka:9092", "topic": "events"}"#,
            r#"people LookedUp jdbc {"table-name": "people", "url": "jdbc:mysql://db/shop?…"}"#,
            r#"files Written filesystem {"path": "/data/out"}"#,
        ]
    );
}

#[test]
fn the_rows_of_a_query_go_into_no_table() {
    let used = used_tables(&job(Shop::new(), "SELECT id FROM orders"));
    assert_eq!(used.governed.len(), 1);
    assert_eq!(used.governed[0].role, TableRole::Read);
    assert!(used.inline.is_empty());
}

/// Checks a plan of one shop against another.
fn recheck(planned: Shop, script: &str, change: &dyn Fn(&mut GovernedTable)) -> Result<()> {
    let used = used_tables(&job(planned, script));
    let mut shop = Shop::new();
    change(shop.table_mut(["my-project", "default", "orders"]));
    check_access(&used, &mut |reference| {
        Ok(shop.tables.values().find(|table| table.reference == reference).cloned())
    })
}

#[test]
fn e12_a_plan_is_refused_when_grants_or_masks_are_others_than_it_was_made_with() {
    let script = "INSERT INTO copies SELECT id, domain, card FROM orders";
    let masked = |mask| ColumnAccess::Masked(mask);
    recheck(Shop::new(), script, &|_| ()).unwrap();
    // Columns that the plan does not need may be what they are; a clock has no mask.
    let others = [
        ("amount", ColumnAccess::Denied),
        ("customer", masked(Mask::Null)),
        ("at_clock", masked(Mask::Null)),
    ];
    recheck(Shop::new(), script, &|table| table.columns = access(&others)).unwrap();
    for (columns, code, part) in [
        (
            &[("phone", masked(Mask::Hash))][..],
            ErrorCode::FailedPrecondition,
            "'phone' of table 'my-project.default.orders' as it is, now it is read through the mask 'hash'",
        ),
        (&[("domain", masked(Mask::Null))], ErrorCode::FailedPrecondition, "'domain'"),
        (&[("phone", ColumnAccess::Denied)], ErrorCode::PermissionDenied, "'domain', 'phone'"),
    ] {
        let error =
            recheck(Shop::new(), script, &|table| table.columns = access(columns)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let planned = Shop::with_orders(&[("phone", masked(Mask::Hash))]);
    let error = recheck(planned, script, &|_| ()).unwrap_err();
    assert!(
        error.to_string().contains("through the mask 'hash', now it is read as it is"),
        "{error}"
    );
    let denied = |verb: &str| Some(Error::new(ErrorCode::PermissionDenied, format!("no {verb}")));
    let error = recheck(Shop::new(), script, &|table| table.read = denied("select")).unwrap_err();
    assert_eq!(error.message(), "no select");
    recheck(Shop::new(), script, &|table| table.write = denied("insert")).unwrap();
    let error =
        recheck(Shop::new(), script, &|table| table.reference = "gone".to_owned()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}
