//! Servers that are killed, and servers that are restarted while nothing is asked of them.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use tidegate_integration_tests::clock::pause;
use tidegate_integration_tests::compare::Row;
use tidegate_integration_tests::databases::OwnServer;

use super::{Case, products};

const ROWS: i64 = 40;

/// Rows of one file: keys are ids modulo 30, of which 0 to 19 are there.
fn file(number: i64) -> Vec<String> {
    (number * ROWS..(number + 1) * ROWS)
        .map(|id| format!("{{\"id\":{id},\"k\":{}}}", id % 30))
        .collect()
}

fn expected(files: i64) -> Vec<Row> {
    let row = |id: i64| {
        let key = id % 30;
        vec![Some(id.to_string()), (key < 20).then(|| (key * 10).to_string())]
    };
    (0..files * ROWS).map(row).collect()
}

#[test]
fn a_job_goes_on_when_its_database_comes_back() -> Result<()> {
    products(|product| {
        let case = Case::new("jdbc-outage", "id INT, k INT")?.watched();
        let server = OwnServer::start(product, &case.folder.join("server"))?;
        let database = server.database()?;
        let rows: Vec<String> = (0..20).map(|k| format!("({k}, {})", k * 10)).collect();
        database.execute(&format!(
            "CREATE TABLE t (k INT, v INT); INSERT INTO t VALUES {}",
            rows.join(", ")
        ))?;
        let join = |table: &str| {
            format!(
                "SELECT e.id, t.v FROM e LEFT JOIN {table} FOR SYSTEM_TIME AS OF e.pt AS t ON e.k = t.k"
            )
        };
        let options = database.options("t");
        let case = case
            // Its first try is its last, but connections that were idle do not count.
            .with(&format!("CREATE TABLE once (k INT, v INT) WITH ({options}, 'lookup.max-retries'='0')"))
            .with(&format!("CREATE TABLE again (k INT, v INT) WITH ({options}, 'lookup.max-retries'='20')"));
        let place = case.folder.join("checkpoints").display().to_string();
        let columns = ["id", "v"];
        let count = |files: i64| (files * ROWS) as usize;

        // Stopped and started while nobody asks.
        let idle = case.output("once", "id INT, v INT", &join("once"));
        let mut process = idle.run("idle")?.checkpoints(&place, "50 ms").start()?;
        idle.put("0.json", &file(0))?;
        idle.wait_for(&mut process, "once", &columns, count(1))?;
        server.restart()?;
        idle.put("1.json", &file(1))?;
        idle.wait_for(&mut process, "once", &columns, count(2))?;
        process.interrupt()?;
        process.wait()?.success()?;
        idle.must_have("once", &columns, expected(2))?;

        // Killed while rows come.
        let mut case = idle;
        case.outputs.clear();
        let case = case.output("again", "id INT, v INT", &join("again"));
        let place = case.folder.join("more-checkpoints").display().to_string();
        let mut process = case.run("killed")?.checkpoints(&place, "50 ms").start()?;
        case.wait_for(&mut process, "again", &columns, count(2))?;
        thread::scope(|scope| -> Result<()> {
            let feeding = scope.spawn(|| -> Result<()> {
                for number in 2..12 {
                    case.put(&format!("{number}.json"), &file(number))?;
                    pause(Duration::from_millis(100));
                }
                Ok(())
            });
            pause(Duration::from_millis(300));
            server.kill()?;
            // Long enough for a look at a server that is not there.
            pause(Duration::from_millis(1_500));
            process.must_run()?;
            let during = case.rows("again", &columns)?.len();
            ensure!(during < count(12), "the outage was not noticed: {during} rows");
            server.restart()?;
            feeding.join().map_err(|_| anyhow!("the feeder panicked"))?
        })?;
        case.wait_for(&mut process, "again", &columns, count(12))?;
        process.interrupt()?;
        let ended = process.wait()?.success()?;
        let told = ended.stderr.contains("a lookup is tried again");
        ensure!(told, "nothing is said about the outage: {}", ended.stderr);
        case.must_have("again", &columns, expected(12))?;
        // Its records are in the folder.
        drop(server);
        case.folder.succeed();
        Ok(())
    })
}
