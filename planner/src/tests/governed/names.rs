//! What names stand for: the script's own first, then governed tables; and what a script may not do to these.

use tidegate_types::{Error, ErrorCode};

use super::{Shop, job, refused, rows, try_job};
use crate::explain;

fn source(script: &str) -> String {
    let text = explain(&job(Shop::new(), script));
    let line = text.lines().find(|line| line.contains("TableSourceScan")).unwrap();
    line.split("table=").nth(1).unwrap().split([',', ']']).next().unwrap_or_default().to_owned()
}

#[test]
fn names_are_found_with_and_without_project_and_database() {
    for (name, found) in [
        ("orders", "my-project.default.orders"),
        ("crm.accounts", "my-project.crm.accounts"),
        ("`my-project`.`default`.orders", "my-project.default.orders"),
        ("`other-project`.`default`.`orders`", "other-project.default.orders"),
    ] {
        let plan = job(Shop::new(), &format!("SELECT * FROM {name}"));
        let table = match &plan.nodes[0].operator {
            tidegate_plan::Operator::Source(source) => &source.table,
            other => panic!("{other:?}"),
        };
        assert_eq!(table.name, found);
        let [project, database, name] = found.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let reference = format!("projects/{project}/databases/{database}/tables/{name}");
        assert_eq!(table.reference(), Some(reference.as_str()));
    }
    let qualified = "SELECT `my-project`.`default`.orders.id, orders.amount FROM orders";
    assert!(source(qualified).contains("orders"));
}

#[test]
fn a_table_is_asked_for_once_and_only_when_it_is_named() {
    let (shop, mut session) = Shop::new().shared();
    try_job(
        &mut session,
        "CREATE TABLE t (id BIGINT) WITH ('connector' = 'datagen'); SELECT * FROM t",
    )
    .unwrap();
    assert!(shop.asked.lock().unwrap().is_empty());
    try_job(
        &mut session,
        "SELECT id FROM orders UNION ALL SELECT id FROM orders; SELECT id FROM orders",
    )
    .unwrap();
    assert_eq!(*shop.asked.lock().unwrap(), ["my-project.default.orders"]);
}

#[test]
fn scripts_that_name_no_governed_table_plan_as_without_a_catalog() {
    let script = include_str!("../scripts/nexmark.sql");
    let plans = |mut session: crate::Session| {
        let mut plans = Vec::new();
        for statement in crate::parse_script(script).unwrap() {
            if let Ok(crate::Planned::Job(job)) = session.plan(&statement) {
                plans.push(job.graph);
            }
        }
        plans
    };
    let alone = plans(crate::Session::new(Default::default()).unwrap());
    assert_eq!(plans(Shop::new().session()), alone);
    assert_eq!(alone.len(), 6);
}

#[test]
fn the_scripts_own_tables_and_views_hide_governed_ones() {
    for own in [
        "CREATE TABLE orders (id BIGINT) WITH ('connector' = 'datagen')",
        "CREATE TEMPORARY TABLE orders (id BIGINT) WITH ('connector' = 'datagen')",
        "CREATE TEMPORARY VIEW orders AS SELECT id FROM (VALUES (1)) AS v(id)",
        "USE CATALOG `my-project`; CREATE TEMPORARY TABLE orders (id BIGINT) WITH ('connector' = 'datagen')",
    ] {
        let (shop, mut session) = Shop::new().shared();
        let plan = try_job(&mut session, &format!("{own}; SELECT * FROM orders")).unwrap();
        assert_eq!(plan.nodes.last().unwrap().schema.len(), 1, "{own}");
        assert!(shop.asked.lock().unwrap().is_empty(), "{own}");
    }
}

#[test]
fn a_project_can_be_in_use() {
    let mut session = Shop::new().session();
    let answer = |session: &mut _, script: &str| rows(session, script).join(" ");
    assert_eq!(answer(&mut session, "SHOW CURRENT CATALOG"), "default_catalog");
    assert_eq!(answer(&mut session, "SHOW CATALOGS"), "default_catalog my-project other-project");
    assert_eq!(answer(&mut session, "SHOW TABLES"), "copies orders");
    assert_eq!(answer(&mut session, "SHOW TABLES IN crm"), "accounts customers");
    assert_eq!(answer(&mut session, "SHOW TABLES IN `other-project`.`default`"), "orders");
    assert_eq!(answer(&mut session, "SHOW DATABASES IN `my-project`"), "crm default");
    assert_eq!(
        answer(&mut session, "USE CATALOG `other-project`; SHOW CURRENT CATALOG"),
        "other-project"
    );
    assert_eq!(answer(&mut session, "SHOW CURRENT DATABASE"), "default");
    assert_eq!(answer(&mut session, "SHOW DATABASES"), "default");
    assert_eq!(answer(&mut session, "USE `my-project`.crm; SHOW TABLES"), "accounts customers");
    assert_eq!(answer(&mut session, "SHOW TABLES LIKE 'acc%'"), "accounts");
    let described = answer(&mut session, "DESCRIBE DATABASE `my-project`.crm");
    assert!(described.contains("my-project") && described.contains("crm"), "{described}");
    let plan = try_job(&mut session, "SELECT * FROM accounts").unwrap();
    assert!(plan.nodes[0].name.contains("my-project.crm.accounts"), "{}", plan.nodes[0].name);
    assert_eq!(
        answer(&mut session, "USE CATALOG default_catalog; SHOW CURRENT DATABASE"),
        "default_database"
    );
}

#[test]
fn a_table_is_described_as_it_is_declared() {
    let mut session = Shop::new().session();
    let described = rows(&mut session, "DESCRIBE crm.customers");
    assert_eq!(described[0], "id|STRING|FALSE|PRI(id)||");
    let created = rows(&mut session, "SHOW CREATE TABLE orders").join("\n");
    assert!(created.starts_with("CREATE TABLE `my-project`.`default`.`orders` ("), "{created}");
    assert!(created.contains("'topic' = '${topic}'"), "{created}");
}

#[test]
fn unknown_names_get_suggestions_from_the_governed_database() {
    let error = refused(Shop::new(), "SELECT * FROM ordes");
    assert_eq!(error.code(), ErrorCode::SqlSemantic);
    assert!(error.to_string().contains("did you mean 'orders'?"), "{error}");
    assert_eq!(error.span().map(|span| (span.line, span.column)), Some((1, 15)));
    let error = refused(Shop::new(), "INSERT INTO crm.acounts SELECT '1', '2', 3");
    assert!(error.to_string().contains("did you mean 'accounts'?"), "{error}");
    let error = refused(Shop::new(), "DESCRIBE ordrs");
    assert!(error.to_string().contains("did you mean 'orders'?"), "{error}");
    // What is not visible is as what is not there.
    let hidden = refused(Shop::new(), "SELECT * FROM `hidden-project`.`default`.t");
    assert!(
        hidden.to_string().contains("there is no table or view 'hidden-project.default.t'"),
        "{hidden}"
    );
    let error = refused(Shop::new(), "SHOW CREATE CATALOG `my-project`");
    assert!(error.to_string().contains("was not made by CREATE CATALOG"), "{error}");
    let error = refused(Shop::new(), "USE CATALOG `hidden-project`");
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(
        refused(Shop::new(), "USE CATALOG `hidden-project`").to_string().contains("no catalog")
    );
}

#[test]
fn ddl_in_a_project_is_refused_with_the_mend() {
    for (script, mend) in [
        (
            "CREATE TABLE `my-project`.`default`.t (a INT) WITH ('connector' = 'datagen')",
            "CREATE TEMPORARY TABLE",
        ),
        (
            "USE CATALOG `my-project`; CREATE TABLE t (a INT) WITH ('connector' = 'datagen')",
            "CREATE TEMPORARY TABLE",
        ),
        (
            "USE CATALOG `my-project`; CREATE TABLE IF NOT EXISTS orders (a INT) WITH ('connector' = 'datagen')",
            "CREATE TEMPORARY TABLE",
        ),
        ("USE CATALOG `my-project`; CREATE VIEW v AS SELECT 1 AS one", "CREATE TEMPORARY VIEW"),
        (
            "USE CATALOG `my-project`; CREATE FUNCTION f(a INT) RETURNS INT RETURN a",
            "CREATE TEMPORARY FUNCTION",
        ),
        (
            "USE CATALOG `my-project`; CREATE TABLE c WITH ('connector' = 'print') AS SELECT 1 AS one",
            "CREATE TEMPORARY TABLE",
        ),
        ("DROP TABLE orders", "by the catalog's API"),
        ("DROP TABLE IF EXISTS `my-project`.`default`.orders", "by the catalog's API"),
        ("ALTER TABLE orders SET ('format' = 'raw')", "by the catalog's API"),
        ("ALTER TABLE `my-project`.crm.accounts RENAME TO a2", "by the catalog's API"),
        ("CREATE DATABASE `my-project`.d", "by the catalog's API"),
        ("DROP DATABASE `my-project`.crm", "by the catalog's API"),
        ("ALTER TABLE IF EXISTS crm.accounts RENAME TO a2", "by the catalog's API"),
        ("DROP CATALOG `other-project`", "by the catalog's API"),
        (
            "CREATE CATALOG `other-project` WITH ('type' = 'generic_in_memory')",
            "choose another name",
        ),
    ] {
        let error = refused(Shop::new(), script);
        assert_eq!(error.code(), ErrorCode::Unsupported, "{script}: {error}");
        assert!(error.to_string().contains(mend), "{script}: {error}");
        assert!(error.span().is_some(), "{script}: {error}");
    }
}

#[test]
fn a_script_that_drops_and_creates_what_it_declares_itself_still_runs() {
    let script = "DROP TABLE IF EXISTS orders; CREATE TABLE orders (a INT) WITH ('connector' = 'datagen');
        DROP TABLE orders; CREATE TABLE orders (b INT) WITH ('connector' = 'datagen'); SELECT b FROM orders";
    let plan = job(Shop::new(), script);
    assert_eq!(plan.nodes[0].schema[0].name, "b");
}

#[test]
fn errors_of_the_provider_keep_their_code_and_get_the_place() {
    let broken = || Shop {
        broken: Some(Error::new(ErrorCode::Unavailable, "the catalog does not answer")),
        ..Shop::new()
    };
    for script in ["SELECT *\n FROM orders", "INSERT INTO\n orders SELECT 1", "DESCRIBE\n orders"] {
        let error = refused(broken(), script);
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert_eq!(error.span().map(|span| span.line), Some(2), "{script}: {error}");
    }
}

#[test]
fn e1_a_table_without_a_grant_is_refused_where_it_is_named() {
    let mut shop = Shop::new();
    let denied = |verb: &str| {
        Error::new(
            ErrorCode::PermissionDenied,
            format!("you may not {verb} 'my-project.default.orders'"),
        )
        .help("request access to it")
    };
    let orders = shop.table_mut(["my-project", "default", "orders"]);
    (orders.read, orders.write) = (Some(denied("read")), Some(denied("write")));
    let mut session = shop.session();
    for script in [
        "SELECT 1 FROM orders",
        "SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        "CREATE TEMPORARY VIEW v AS SELECT * FROM orders",
        "SELECT * FROM `my-project`.`default`.orders AS o",
    ] {
        let error = try_job(&mut session, script).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{script}: {error}");
        assert!(error.to_string().contains("you may not read"), "{script}: {error}");
        assert!(error.span().is_some_and(|span| span.column > 1), "{script}: {error}");
    }
    let error = try_job(&mut session, "INSERT INTO orders (id, phone) SELECT 1, 'x'").unwrap_err();
    assert!(error.to_string().contains("you may not write"), "{error}");
    // What a table is may be seen by whoever may know of it.
    assert_eq!(rows(&mut session, "DESCRIBE orders").len(), 9);
}

#[test]
fn hints_cannot_move_a_governed_table_or_change_what_is_in_it() {
    for key in [
        "topic",
        "properties.bootstrap.servers",
        "format",
        "json.ignore-parse-errors",
        "connector",
        "properties.client.id",
        "scan.partition.column",
        "sink.marker-topic",
        "lookup.",
        "path",
    ] {
        let script = format!("SELECT id FROM orders /*+ OPTIONS('{key}' = 'x') */");
        let error = refused(Shop::new(), &script);
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{key}: {error}");
        assert_eq!(error.span().map(|span| span.column), Some(16), "{error}");
        let script = format!("INSERT INTO copies /*+ OPTIONS('{key}' = 'x') */ SELECT 1, 'a', 'b'");
        assert_eq!(refused(Shop::new(), &script).code(), ErrorCode::PermissionDenied, "{key}");
    }
    let script = "SELECT id FROM orders /*+ OPTIONS('scan.startup.mode' = 'latest-offset') */";
    let plan = job(Shop::new(), script);
    let tidegate_plan::Operator::Source(source) = &plan.nodes[0].operator else { panic!() };
    assert_eq!(source.table.options["scan.startup.mode"], "latest-offset");
    assert_eq!(source.table.governed.as_ref().unwrap().hints.len(), 1);
}

#[test]
fn like_takes_the_columns_of_a_governed_table_but_not_where_it_is() {
    let error = refused(Shop::new(), "CREATE TABLE mine LIKE orders");
    assert!(error.to_string().contains("EXCLUDING OPTIONS"), "{error}");
    let script = "CREATE TABLE mine WITH ('connector' = 'blackhole')
        LIKE crm.customers (EXCLUDING OPTIONS); INSERT INTO mine SELECT * FROM mine2";
    let error = refused(Shop::new(), script);
    assert!(error.to_string().contains("mine2"), "{error}");
}

#[test]
fn a_definition_that_is_wrong_is_named_at_the_place_of_its_use() {
    for (definition, part) in [
        (
            "CREATE TABLE t (a INT, b AS c + 1) WITH ('connector' = 'datagen')",
            "there is no column 'c'",
        ),
        ("SELECT 1", "one CREATE TABLE statement"),
        ("CREATE TABLE t LIKE u", "no LIKE"),
        ("CREATE TABLE t (a INT", "the definition of table 'my-project.default.wrong'"),
    ] {
        let mut shop = Shop::new();
        shop.add("my-project", "default", "wrong", definition);
        let error = refused(shop, "SELECT a\n FROM wrong");
        assert!(error.to_string().contains(part), "{definition}: {error}");
        assert!(error.to_string().contains("my-project.default.wrong"), "{definition}: {error}");
        assert_eq!(error.span().map(|span| (span.line, span.column)), Some((2, 7)), "{definition}");
    }
}

#[test]
fn a_project_that_is_not_visible_has_no_session() {
    let session = crate::Session::new(Default::default()).unwrap();
    let error =
        session.with_governed_tables(std::sync::Arc::new(Shop::new()), "nobody").unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}
