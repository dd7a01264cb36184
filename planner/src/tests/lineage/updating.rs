//! Lineage through operators over changing tables.

use super::check;

#[test]
fn groups_come_from_their_keys_and_counts_from_rows() {
    check(
        "SELECT b, COUNT(*) AS n, COUNT(DISTINCT a) AS d, LAST_VALUE(c.y) AS y FROM t GROUP BY b",
        "GroupAggregate",
        &["b = t.b | t.b", "n = t.* | t.b", "d = t.a | t.b", "y = t.c | t.b"],
    );
    check("SELECT COUNT(*) AS n FROM t", "GroupAggregate", &["n = t.* |"]);
    check(
        "SELECT DISTINCT a, b FROM t",
        "GroupAggregate",
        &["a = t.a | t.a t.b", "b = t.b | t.a t.b"],
    );
}

#[test]
fn grouping_sets_have_the_keys_of_all_sets() {
    check(
        "SELECT a, b, GROUPING(a) AS g, COUNT(*) AS n FROM t GROUP BY CUBE (a, b)",
        "Expand",
        &["a = t.a | t.a t.b", "b = t.b | t.a t.b", "g =  | t.a t.b", "n = t.* | t.a t.b"],
    );
}

#[test]
fn over_aggregates_are_decided_by_partition_and_order() {
    check(
        "SELECT a, SUM(a) OVER w AS s, COUNT(*) OVER w AS n, LAG(c.y) OVER w AS g FROM t WINDOW w AS (PARTITION BY b ORDER BY ts)",
        "OverAggregate",
        &["a = t.a |", "s = t.a | t.b t.ts", "n = t.* | t.b t.ts", "g = t.c | t.b t.ts"],
    );
}

#[test]
fn ranks_come_from_their_order() {
    check(
        "SELECT a, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY b ORDER BY a DESC) AS rn FROM t) WHERE rn <= 3",
        "Rank",
        &["a = t.a | t.a t.b", "rn = t.a | t.a t.b"],
    );
    check("SELECT a FROM t ORDER BY b LIMIT 3", "Rank", &["a = t.a | t.b"]);
    check("SELECT a FROM t LIMIT 3", "Rank", &["a = t.a |"]);
}

#[test]
fn the_row_that_stays_of_a_key_is_decided_by_key_and_time() {
    check(
        "SELECT a FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY b ORDER BY ts DESC) AS rn FROM t) WHERE rn = 1",
        "Deduplicate",
        &["a = t.a | t.b t.ts"],
    );
}

#[test]
fn sorting_by_time_is_by_its_keys() {
    check(
        "SELECT a, ts FROM t ORDER BY ts, b",
        "TemporalSort",
        &["a = t.a | t.b t.ts", "ts = t.ts | t.b t.ts"],
    );
}

#[test]
fn updates_by_key_are_completed_by_it() {
    check(
        "SELECT rate FROM versions",
        "ChangelogNormalize",
        &["rate = versions.rate | versions.k"],
    );
}

#[test]
fn changes_as_rows_come_from_the_changes() {
    check(
        "SELECT op, rate FROM TO_CHANGELOG(input => TABLE versions)",
        "ProcessTableFunction",
        &["op = versions.* | versions.k", "rate = versions.rate | versions.k"],
    );
    check(
        "CREATE VIEW coded AS SELECT b AS op, a FROM t; SELECT * FROM FROM_CHANGELOG(input => TABLE coded)",
        "ProcessTableFunction",
        &["a = t.a | t.b"],
    );
}

#[test]
fn sinks_with_a_key_order_changes_by_it() {
    check(
        "CREATE TABLE by_n (b STRING, n BIGINT, PRIMARY KEY (n) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'x',
            'properties.bootstrap.servers' = 'k:1', 'key.format' = 'json', 'value.format' = 'json');
         INSERT INTO by_n SELECT b, COUNT(*) FROM t GROUP BY b",
        "SinkMaterializer",
        &["b = t.b | t.b", "n = t.* | t.b"],
    );
}

#[test]
fn old_content_that_is_dropped_changes_nothing() {
    let plan = super::plan(
        "CREATE TABLE by_b (b STRING, n BIGINT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'x',
            'properties.bootstrap.servers' = 'k:1', 'key.format' = 'json', 'value.format' = 'json');
         CREATE TABLE all_of_it (b STRING, n BIGINT) WITH ('connector' = 'print');
         EXECUTE STATEMENT SET BEGIN INSERT INTO by_b SELECT b, COUNT(*) FROM t GROUP BY b;
            INSERT INTO all_of_it SELECT b, COUNT(*) FROM t GROUP BY b; END",
    );
    let kinds: Vec<&str> = plan.nodes.iter().map(|node| node.operator.kind()).collect();
    assert!(kinds.contains(&"DropUpdateBefore"), "{kinds:?}");
    for sink in tidegate_plan::lineage::lineage(&plan).unwrap() {
        assert_eq!(super::columns(&sink), ["b = t.b | t.b", "n = t.* | t.b"]);
    }
}
