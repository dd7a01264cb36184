//! Sessions, rows of sessions and window Top-N under a memory budget that they exceed: the results are
//! those of a run that has all the memory it wants.

use anyhow::{Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::folder::{CaseFolder, visible_files};
use tidegate_integration_tests::tidegate::Run;

const TABLE: &str = "CREATE TABLE bids (event_type INT, \
     bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, dateTime TIMESTAMP(3)>, \
     ts AS bid.dateTime, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) \
     WITH ('connector'='nexmark', 'first-event.rate'='2000', 'next-event.rate'='2000', \
     'events.num'='120000', 'bid.hot-ratio.bidders'='1');\n\
     CREATE VIEW b AS SELECT bid.auction AS auction, bid.bidder AS bidder, bid.price AS price, ts \
     FROM bids WHERE event_type = 2;\n";

/// The sorted lines of a query's output, and the statistics of its run.
fn run(
    folder: &CaseFolder,
    name: &str,
    (columns, query): (&str, &str),
    memory: &str,
) -> Result<(Vec<String>, Value)> {
    let out = folder.join(name);
    let script = format!(
        "{TABLE}CREATE TABLE out_rows ({columns}) WITH ('connector'='filesystem', 'path'='{}', 'format'='csv');\n\
         INSERT INTO out_rows {query};\n",
        out.display()
    );
    let done = Run::new(folder.path(), name, &script)?
        .parallelism(2)
        .set("taskmanager.memory.managed.size", memory)
        .option("stats", "json")
        .finish()?
        .success()?;
    let mut lines = Vec::new();
    for file in visible_files(&out)? {
        lines.extend(std::fs::read_to_string(file)?.lines().map(str::to_owned));
    }
    lines.sort();
    Ok((lines, done.stats()?))
}

/// Runs a query with ample and with little memory.
fn check(name: &str, query: (&str, &str)) -> Result<()> {
    let folder = CaseFolder::new(name)?;
    let (expected, stats) = run(&folder, "ample", query, "1 gb")?;
    ensure!(stats["spill_written_bytes"] == 0, "with ample memory: {stats}");
    ensure!(expected.len() > 1_000, "only {} rows", expected.len());
    let (found, stats) = run(&folder, "little", query, "2 mb")?;
    let written = stats["spill_written_bytes"].as_u64();
    ensure!(written.is_some_and(|bytes| bytes > 500_000), "little went to disk: {stats}");
    ensure!(found == expected, "{} rows, expected {}", found.len(), expected.len());
    folder.succeed();
    Ok(())
}

#[test]
fn aggregated_sessions() -> Result<()> {
    let columns =
        "auction BIGINT, bidder BIGINT, s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, p BIGINT";
    let query = "SELECT auction, bidder, window_start, window_end, COUNT(*), MAX(price) \
         FROM TABLE(SESSION(TABLE b PARTITION BY (auction, bidder), DESCRIPTOR(ts), INTERVAL '20' SECOND)) \
         GROUP BY auction, bidder, window_start, window_end";
    check("spilled-sessions", (columns, query))
}

#[test]
fn rows_of_sessions() -> Result<()> {
    let columns = "auction BIGINT, bidder BIGINT, p BIGINT, s TIMESTAMP(3), e TIMESTAMP(3)";
    let query = "SELECT auction, bidder, price, window_start, window_end \
         FROM TABLE(SESSION(TABLE b PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '5' SECOND))";
    check("spilled-session-rows", (columns, query))
}

#[test]
fn first_rows() -> Result<()> {
    let columns = "auction BIGINT, bidder BIGINT, p BIGINT, s TIMESTAMP(3), r BIGINT";
    // What else decides between equal prices: rows come from two subtasks.
    let query = "SELECT auction, bidder, price, window_start, rn FROM (\
         SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, auction ORDER BY price DESC, ts, bidder) AS rn \
         FROM TABLE(TUMBLE(TABLE b, DESCRIPTOR(ts), INTERVAL '30' SECOND))) WHERE rn <= 20";
    check("spilled-rank", (columns, query))
}
