//! Tables that are read from beginning to end, in parts and with a kill on the way.

use anyhow::{Result, ensure};
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::compare::Row;
use tidegate_integration_tests::databases::{Database, Product};

use super::{Case, PATIENCE, both};

const ROWS: i64 = 60_000;

/// Ids 1 to [`ROWS`] in no order, without a key; the text of a few is NULL.
fn create(database: &Database) -> Result<String> {
    let table = database.unique("scanned");
    let (numbers, text) = match database.product {
        Product::Postgres => (format!("generate_series(1, {ROWS}) AS s (n)"), "'text ' || n"),
        Product::MariaDb => {
            (format!("(SELECT seq AS n FROM seq_1_to_{ROWS}) AS s"), "CONCAT('text ', n)")
        }
    };
    database.execute(&format!(
        "CREATE TABLE {table} (id INT, v VARCHAR(20)); \
         INSERT INTO {table} SELECT n, CASE WHEN n % 1000 = 0 THEN NULL ELSE {text} END FROM {numbers} ORDER BY n * 7919 % 1000"
    ))?;
    Ok(table)
}

fn expected(ids: std::ops::RangeInclusive<i64>) -> Vec<Row> {
    let text = |id: i64| (id % 1000 != 0).then(|| format!("text {id}"));
    let mut rows: Vec<Row> = ids.map(|id| vec![Some(id.to_string()), text(id)]).collect();
    rows.sort();
    rows
}

#[test]
fn a_table_is_read_whole_and_in_parts() -> Result<()> {
    both(|database| {
        let table = create(database)?;
        let options = database.options(&table);
        let parts = ", 'scan.partition.column'='id', 'scan.partition.num'='7', 'scan.partition.lower-bound'='101', 'scan.partition.upper-bound'='59000'";
        let case = Case::new("jdbc-scan", "id INT")?
            .with(&format!("CREATE TABLE t (id INT, v STRING) WITH ({options})"))
            .with(&format!("CREATE TABLE p (id INT, v STRING) WITH ({options}{parts})"))
            .output("whole", "id INT, v STRING", "SELECT id, v FROM t")
            .output("parts", "id INT, v STRING", "SELECT id, v FROM p");
        case.run_at(3, "scan")?.finish()?.success()?;
        let columns = ["id", "v"];
        case.must_have("whole", &columns, expected(1..=ROWS))?;
        case.must_have("parts", &columns, expected(101..=59_000))?;
        case.folder.succeed();
        Ok(())
    })
}

/// Each row once, though the reader was killed and began again.
#[test]
fn a_scan_goes_on_where_its_checkpoint_was() -> Result<()> {
    both(|database| {
        let table = create(database)?;
        let options = database.options(&table);
        let case = Case::new("jdbc-scan-kill", "id INT")?
            .with("SET 'execution.batch-size' = '100'")
            .with(&format!("CREATE TABLE t (id INT, v STRING) WITH ({options})"))
            .output(
                "o",
                "id INT, v STRING",
                "SELECT id, v FROM t WHERE SHA512(v) <> 'x' OR v IS NULL",
            );
        let place = case.folder.join("checkpoints").display().to_string();
        let columns = ["id", "v"];
        let mut seen = 0;
        for round in 0..2 {
            let run = case.run(&format!("round-{round}"))?.checkpoints(&place, "10 ms");
            let mut process = run.restore((round > 0).then_some(place.as_str())).start()?;
            wait_until("more rows", PATIENCE, || {
                process.must_run()?;
                Ok(case.rows("o", &columns)?.len() > seen)
            })?;
            ensure!(process.kill()?, "the scan was over before it could be killed");
            seen = case.rows("o", &columns)?.len();
        }
        ensure!(seen < ROWS as usize, "all rows were visible before the last run");
        case.run("last")?.checkpoints(&place, "1 s").restore(Some(&place)).finish()?.success()?;
        case.must_have("o", &columns, expected(1..=ROWS))?;
        eprintln!("{database}: {seen} of {ROWS} rows were visible before the last run");
        case.folder.succeed();
        Ok(())
    })
}
