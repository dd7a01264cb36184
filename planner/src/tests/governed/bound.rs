//! Plans in an environment, and whether what is published there is what was planned.

use std::collections::BTreeMap;

use tidegate_plan::Operator;
use tidegate_plan::encoding::{decode, encode};
use tidegate_types::ErrorCode;

use super::{ORDERS, Shop, job};
use crate::governed::{
    DefinedKind, bind_environment, describe_definition, schema_digest, used_tables,
};

type Environment = BTreeMap<String, BTreeMap<String, String>>;

const SCRIPT: &str = "CREATE TABLE own (id BIGINT, name STRING) WITH ('connector' = 'print');
    EXECUTE STATEMENT SET BEGIN
        INSERT INTO copies SELECT id, phone, card FROM orders /*+ OPTIONS('scan.startup.mode' = 'latest-offset') */;
        INSERT INTO own SELECT o.id, c.name FROM orders AS o
            JOIN crm.customers FOR SYSTEM_TIME AS OF o.at_clock AS c ON o.customer = c.id;
    END";

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn production() -> Environment {
    let kafka = |topic: &str| {
        options(&[
            ("connector", "kafka"),
            ("topic", topic),
            ("properties.bootstrap.servers", "kafka:9092"),
            ("properties.sasl.password", "hunter2"),
            ("scan.startup.mode", "earliest-offset"),
            ("format", "json"),
        ])
    };
    let customers = options(&[
        ("connector", "jdbc"),
        ("url", "jdbc:mysql://db/crm"),
        ("table-name", "customers"),
        ("username", "me"),
        ("password", "hunter2"),
    ]);
    let reference = |path: &str| format!("projects/my-project/databases/{path}");
    BTreeMap::from([
        (reference("default/tables/orders"), kafka("orders-prod")),
        (reference("default/tables/copies"), kafka("copies-prod")),
        (reference("crm/tables/customers"), customers),
        (reference("default/tables/unused"), kafka("unused")),
    ])
}

#[test]
fn governed_tables_get_the_options_of_the_environment_with_those_of_hints() {
    let planned = job(Shop::new(), SCRIPT);
    // A plan that was stored keeps what binding needs.
    let mut graph = decode(&encode(&planned).unwrap()).unwrap();
    assert_eq!(graph, planned);
    bind_environment(&mut graph, &production()).unwrap();
    let mut topics = Vec::new();
    for node in &graph.nodes {
        match &node.operator {
            Operator::Source(source) => {
                topics.push(source.table.options["topic"].clone());
                assert_eq!(source.table.options["properties.sasl.password"], "hunter2");
                let hinted = source.table.governed.as_ref().unwrap().hints.get("scan.startup.mode");
                let start = source.table.options["scan.startup.mode"].as_str();
                assert_eq!(start, hinted.map_or("earliest-offset", |_| "latest-offset"));
            }
            Operator::LookupJoin(join) => {
                assert_eq!(join.table.options["url"], "jdbc:mysql://db/crm")
            }
            Operator::Sink(sink) if sink.table.governed.is_some() => {
                topics.push(sink.table.options["topic"].clone());
            }
            Operator::Sink(sink) => assert_eq!(sink.table.options["connector"], "print"),
            _ => {}
        }
    }
    topics.sort();
    assert_eq!(topics, ["copies-prod", "orders-prod", "orders-prod"]);
    let digests = used_tables(&graph).governed.into_iter().map(|used| used.schema_digest);
    let digests: Vec<String> = digests.collect();
    assert!(digests.contains(&schema_digest(ORDERS).unwrap()), "{digests:?}");
    // Nothing but options differs.
    for (bound, planned) in graph.nodes.iter().zip(&planned.nodes) {
        assert_eq!(
            (bound.id, &bound.name, &bound.schema),
            (planned.id, &planned.name, &planned.schema)
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_tables_name_and_changes_nothing() {
    let orders = "projects/my-project/databases/default/tables/orders";
    let customers = "projects/my-project/databases/crm/tables/customers";
    type Change<'c> = &'c dyn Fn(&mut Environment);
    let cases: [(Change<'_>, ErrorCode, &str); 8] = [
        (
            &|e| drop(e.remove(orders)),
            ErrorCode::FailedPrecondition,
            "table my-project.default.orders: it is not published",
        ),
        (
            &|e| drop(e.get_mut(orders).unwrap().insert("connector".into(), "datagen".into())),
            ErrorCode::Incompatible,
            "'connector' = 'kafka', in this environment it is 'datagen'",
        ),
        (
            &|e| drop(e.get_mut(orders).unwrap().insert("format".into(), "csv".into())),
            ErrorCode::Incompatible,
            "'format' = 'json', in this environment it is 'csv'",
        ),
        (
            &|e| drop(e.get_mut(orders).unwrap().insert("key.format".into(), "csv".into())),
            ErrorCode::Incompatible,
            "'key.format' = none",
        ),
        (
            &|e| drop(e.get_mut(orders).unwrap().insert("topic".into(), "${topic}".into())),
            ErrorCode::FailedPrecondition,
            "the option 'topic' has no value",
        ),
        (
            &|e| drop(e.get_mut(orders).unwrap().insert("tpoic".into(), "x".into())),
            ErrorCode::InvalidOption,
            "did you mean 'topic'",
        ),
        (
            &|e| drop(e.get_mut(customers).unwrap().remove("url")),
            ErrorCode::InvalidOption,
            "table my-project.crm.customers: connector 'jdbc' needs the option 'url'",
        ),
        (
            &|e| {
                drop(
                    e.get_mut("projects/my-project/databases/default/tables/copies")
                        .unwrap()
                        .remove("topic"),
                )
            },
            ErrorCode::InvalidOption,
            "table my-project.default.copies: connector 'kafka' needs the option 'topic'",
        ),
    ];
    let planned = job(Shop::new(), SCRIPT);
    for (change, code, part) in cases {
        let mut environment = production();
        change(&mut environment);
        let mut graph = planned.clone();
        let error = bind_environment(&mut graph, &environment).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(graph, planned);
    }
}

#[test]
fn plans_of_inline_tables_need_no_environment() {
    let script = "CREATE TABLE t (id BIGINT) WITH ('connector' = 'datagen'); SELECT * FROM t";
    let planned = job(Shop::new(), script);
    let mut graph = planned.clone();
    bind_environment(&mut graph, &BTreeMap::new()).unwrap();
    assert_eq!(graph, planned);
}

#[test]
fn the_digest_is_of_what_rows_are_and_not_of_where_they_are() {
    let digest = schema_digest(ORDERS).unwrap();
    assert_eq!(digest.len(), 34);
    // It must not change between releases: jobs that were planned would not start.
    assert_eq!(digest, "1-73b7a62b1351ce223ca667435897a87a");
    for (from, to) in [
        ("${topic}", "another"),
        ("'properties.sasl.password' = '${password}', ", ""),
        ("'scan.startup.mode' = 'earliest-offset', ", "'scan.parallelism' = '4', "),
        ("CREATE TABLE orders", "CREATE TABLE  `other`.`db`.things"),
        ("customer STRING,", "customer STRING COMMENT 'who',"),
        ("customer STRING", "customer VARCHAR(2147483647)"),
        ("(phone FROM 1 FOR 3)", "( phone  FROM 1 FOR 3 )"),
    ] {
        let same = ORDERS.replace(from, to);
        assert_ne!(same, ORDERS, "{from}");
        assert_eq!(schema_digest(&same).unwrap(), digest, "{from} → {to}");
    }
    for (from, to) in [
        ("id BIGINT", "id INT"),
        ("id BIGINT", "id BIGINT NOT NULL"),
        ("id BIGINT, customer STRING", "customer STRING, id BIGINT"),
        ("amount DECIMAL(10, 2)", "amount DECIMAL(10, 3)"),
        ("FOR 3)", "FOR 4)"),
        ("'partition' VIRTUAL", "'offset' VIRTUAL"),
        ("METADATA FROM 'partition' VIRTUAL", "METADATA FROM 'partition'"),
        ("'5' SECOND", "'6' SECOND"),
        (", WATERMARK FOR ts AS ts - INTERVAL '5' SECOND", ""),
        ("at_clock AS PROCTIME(),", "at_clock AS PROCTIME(), PRIMARY KEY (id) NOT ENFORCED,"),
        ("'format' = 'json'", "'format' = 'csv'"),
        ("'format' = 'json'", "'format' = 'json', 'json.ignore-parse-errors' = 'true'"),
        ("'format' = 'json'", "'value.format' = 'json', 'key.format' = 'raw', 'key.fields' = 'id'"),
    ] {
        let other = ORDERS.replace(from, to);
        assert_ne!(other, ORDERS, "{from}");
        assert_ne!(schema_digest(&other).unwrap(), digest, "{from} → {to}");
    }
    let error =
        schema_digest("CREATE TABLE t (a INT, b AS c) WITH ('connector' = 'datagen')").unwrap_err();
    assert_eq!(error.code(), ErrorCode::SqlSemantic);
}

#[test]
fn partitions_that_are_announced_late_only_in_an_environment_are_refused() {
    let mut shop = Shop::new();
    let definition = "CREATE TABLE days (id BIGINT, d STRING) PARTITIONED BY (d)
        WITH ('connector' = 'filesystem', 'path' = '${path}', 'format' = 'csv')";
    shop.add("my-project", "default", "days", definition);
    let mut graph = job(shop, "INSERT INTO days SELECT id, customer FROM orders");
    let mut environment = production();
    let files = [("connector", "filesystem"), ("path", "/data"), ("format", "csv")];
    let late = [
        ("sink.partition-commit.policy.kind", "success-file"),
        ("sink.partition-commit.delay", "1 h"),
    ];
    let days = "projects/my-project/databases/default/tables/days".to_owned();
    environment.insert(days.clone(), options(&[&files[..], &late[..]].concat()));
    let error = bind_environment(&mut graph, &environment).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incompatible, "{error}");
    environment.insert(days, options(&files));
    bind_environment(&mut graph, &environment).unwrap();
}

#[test]
fn a_definition_is_told_with_types_and_with_what_it_can_be_used_for() {
    let told = describe_definition(ORDERS).unwrap();
    let columns: Vec<String> = told
        .columns
        .iter()
        .map(|column| format!("{} {} {:?}", column.name, column.ty, column.kind))
        .collect();
    assert_eq!(
        columns[4..8],
        [
            "amount DECIMAL(10, 2) Physical".to_owned(),
            "domain VARCHAR(20) Computed(\"SUBSTRING(`phone`, 1, 3)\")".to_owned(),
            "ts TIMESTAMP(3) Physical".to_owned(),
            "part INT Metadata { key: \"partition\", is_virtual: true }".to_owned(),
        ]
    );
    assert!(matches!(&told.columns[8].kind, DefinedKind::Computed(expr) if expr == "PROCTIME()"));
    assert_eq!(told.watermark.unwrap().0, "ts");
    assert_eq!(told.options["topic"], "${topic}");
    assert!(told.unreadable.is_none() && told.unwritable.is_none());
    let told = describe_definition(
        "CREATE TABLE t (a INT COMMENT 'one', o BIGINT METADATA FROM 'offset', PRIMARY KEY (a) NOT ENFORCED) COMMENT 'all'
         WITH ('connector' = 'kafka', 'topic' = '${t}', 'properties.bootstrap.servers' = '${s}', 'format' = 'json')",
    )
    .unwrap();
    assert_eq!(
        (told.comment.as_deref(), told.columns[0].comment.as_deref()),
        (Some("all"), Some("one"))
    );
    assert_eq!(told.primary_key, ["a"]);
    assert_eq!(told.columns[0].ty.to_string(), "INT NOT NULL");
    assert!(told.unreadable.unwrap().to_string().contains("properties.group.id"));
    assert!(told.unwritable.unwrap().to_string().contains("declare column 'o' VIRTUAL"));
    let error =
        describe_definition("CREATE TABLE t (\n a INT, b AS c) WITH ('connector' = 'datagen')")
            .unwrap_err();
    assert_eq!(error.span().map(|span| (span.line, span.column)), Some((2, 14)));
}
