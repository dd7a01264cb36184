//! Chains of joins: which become one operator, and which do not.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "CREATE TABLE a (k INT, n INT, v STRING) WITH ('connector' = 'datagen');
CREATE TABLE b (k INT, n INT, v STRING) WITH ('connector' = 'datagen');
CREATE TABLE c (k INT, n INT, v STRING) WITH ('connector' = 'datagen');
";

fn check(settings: &str, query: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{settings}{query}")));
}

/// Kinds of the joins of a query, from the bottom.
fn joins(settings: &str, query: &str) -> Vec<String> {
    let plan = plan(&format!("{TABLES}{settings}{query}"));
    let (_, state) = plan.split_once("== State ==").unwrap_or(("", &plan));
    let names =
        state.lines().filter_map(|line| line.split_once('(').map(|(name, _)| name.to_owned()));
    names.filter(|name| name.ends_with("Join")).collect()
}

const CHAIN: &str = "SELECT a.v, b.v, c.v FROM a JOIN b ON a.k = b.k JOIN c ON c.k = a.k";

#[test]
fn a_chain_by_one_key_is_one_join() {
    check(
        "",
        CHAIN,
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[v, v0, v1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[v, v0, v1], changelogMode=[I])
               +- Calc(select=[k, v, v0, k1 AS k0, v1], changelogMode=[I])
                  +- MultiJoin(joinTypes=[INNER, INNER], where=[(k) = (k) = (k)], select=[k, v, k0, v0, k1, v1], changelogMode=[I])
                     :- Exchange(distribution=[hash[k]])
                     :  +- TableSourceScan(table=[a], read=[k, v], fields=[k, v], changelogMode=[I])
                     :- Exchange(distribution=[hash[k]])
                     :  +- TableSourceScan(table=[b], read=[k, v], fields=[k, v], changelogMode=[I])
                     +- Exchange(distribution=[hash[k]])
                        +- TableSourceScan(table=[c], read=[k, v], fields=[k, v], changelogMode=[I])

            == State ==
            MultiJoin(k) [e786ec3dce3015cc]: rows of all inputs per k, for ever
        "#]],
    );
    // Through another input, by two columns in another order, with conditions beside the key.
    check(
        "",
        "SELECT a.v, c.v FROM a JOIN b ON a.k = b.n AND a.n = b.k AND a.v < b.v
         JOIN c ON c.n = b.k AND c.k = b.n AND c.v <> a.v",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[v, v0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[v, v0], changelogMode=[I])
               +- Calc(select=[v, k0, n0, k1 AS k, n1 AS n, v1 AS v0], changelogMode=[I])
                  +- MultiJoin(joinTypes=[INNER, INNER], where=[(k, n) = (n, k) = (k, n) AND (v < v0) AND (v1 <> v)], select=[k, n, v, k0, n0, v0, k1, n1, v1], changelogMode=[I])
                     :- Exchange(distribution=[hash[k, n]])
                     :  +- TableSourceScan(table=[a], read=[k, n, v], fields=[k, n, v], changelogMode=[I])
                     :- Exchange(distribution=[hash[n, k]])
                     :  +- TableSourceScan(table=[b], read=[k, n, v], fields=[k, n, v], changelogMode=[I])
                     +- Exchange(distribution=[hash[k, n]])
                        +- TableSourceScan(table=[c], read=[k, n, v], fields=[k, n, v], changelogMode=[I])

            == State ==
            MultiJoin(k, n) [e98d7ad531bea692]: rows of all inputs per k, n, for ever
        "#]],
    );
    let four = "SELECT a.v FROM a JOIN b ON a.k = b.k JOIN c ON c.k = b.k JOIN a AS d ON d.n = c.k";
    assert_eq!(joins("", four), ["MultiJoin"]);
}

#[test]
fn other_chains_are_joins_of_two() {
    let two = |query: &str| assert_eq!(joins("", query), ["Join", "Join"], "{query}");
    two("SELECT a.v FROM a JOIN b ON a.k = b.k JOIN c ON c.k = a.n");
    two("SELECT a.v FROM a JOIN b ON a.k = b.k LEFT JOIN c ON c.k = a.k");
    two("SELECT a.v FROM a LEFT JOIN b ON a.k = b.k JOIN c ON c.k = a.k");
    two("SELECT a.v FROM a JOIN b ON a.k = b.k AND a.n = b.n JOIN c ON c.k = a.k");
    two("SELECT a.v FROM a JOIN b ON a.k = b.k JOIN c ON c.k = a.k AND c.k = b.n");
    two("SELECT a.v FROM a JOIN b ON a.k IS NOT DISTINCT FROM b.k JOIN c ON c.k = a.k");
    two("SELECT /*+ STATE_TTL('c' = '1 h') */ a.v FROM a JOIN b ON a.k = b.k JOIN c ON c.k = a.k");
    let ttl = "SET 'table.exec.state.ttl' = '1 h';";
    assert_eq!(joins(ttl, CHAIN), ["Join", "Join"]);
    let off = "SET 'table.optimizer.multi-join.enabled' = 'false';";
    assert_eq!(joins(off, CHAIN), ["Join", "Join"]);
}

#[test]
fn inputs_that_change_are_joined_two_by_two() {
    check(
        "",
        "SELECT a.v, m.v, c.v FROM a JOIN (SELECT k, MAX(v) AS v FROM b GROUP BY k) AS m ON a.k = m.k JOIN c ON c.k = a.k",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[v, v0, v1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[v, v0, v1], changelogMode=[I,UB,UA])
               +- Join(joinType=[InnerJoin], where=[(k = k)], select=[k, v, v0, k0, v1], changelogMode=[I,UB,UA])
                  :- Exchange(distribution=[hash[k]])
                  :  +- Calc(select=[k, v, v0], changelogMode=[I,UB,UA])
                  :     +- Join(joinType=[InnerJoin], where=[(k = k)], select=[k, v, k0, v0], changelogMode=[I,UB,UA])
                  :        :- Exchange(distribution=[hash[k]])
                  :        :  +- TableSourceScan(table=[a], read=[k, v], fields=[k, v], changelogMode=[I])
                  :        +- Exchange(distribution=[hash[k]])
                  :           +- Calc(select=[k, $agg0 AS v], changelogMode=[I,UB,UA])
                  :              +- GroupAggregate(groupBy=[k], select=[k, MAX(v) AS $agg0], changelogMode=[I,UB,UA])
                  :                 +- Exchange(distribution=[hash[k]])
                  :                    +- TableSourceScan(table=[b], read=[k, v], fields=[k, v], changelogMode=[I])
                  +- Exchange(distribution=[hash[k]])
                     +- TableSourceScan(table=[c], read=[k, v], fields=[k, v], changelogMode=[I])

            == State ==
            GroupAggregate(k) [b1fc0e20c7728b9f]: aggregates per k, for ever
            Join(k) [f1fbf71cac7fd564]: left rows, for ever; right rows, for ever
            Join(k) [d4253ff3b64b6dc0]: left rows, for ever; right rows, for ever
        "#]],
    );
}
