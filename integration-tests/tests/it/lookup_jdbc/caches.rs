//! What is asked of the server, by its own statistics, and when changes of the table are seen.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::clock::{now, pause, wait_until};
use tidegate_integration_tests::databases::Database;

use super::{Case, PATIENCE, both};

const JOIN: &str = "SELECT e.id, t.v FROM e LEFT JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k";

/// A table with keys 0 to 99, each with its value, and a user who may read it.
fn create(database: &Database) -> Result<(String, Database)> {
    let table = database.unique("cached");
    let rows: Vec<String> = (0..100).map(|k| format!("({k}, {k})")).collect();
    database.execute(&format!(
        "CREATE TABLE {table} (k INT PRIMARY KEY, v INT); INSERT INTO {table} VALUES {}",
        rows.join(", ")
    ))?;
    let reader = database.reader(&table)?;
    Ok((table, reader))
}

fn case(name: &str, reader: &Database, table: &str, more: &str) -> Result<Case> {
    let options = reader.options(table);
    Ok(Case::new(name, "id INT, k INT")?
        .with(&format!("CREATE TABLE t (k INT, v INT) WITH ({options}{more})"))
        .output("o", "id INT, v INT", JOIN))
}

/// Rows whose keys are in turn `0..keys`.
fn rows(ids: std::ops::Range<i64>, keys: i64) -> Vec<String> {
    ids.map(|id| format!("{{\"id\":{id},\"k\":{}}}", id % keys)).collect()
}

/// Runs a bounded job over these rows; how many statements the server counted.
fn selects_of(database: &Database, more: &str, batch: usize, input: &[String]) -> Result<u64> {
    let (table, reader) = create(database)?;
    let case = case("jdbc-statements", &reader, &table, more)?;
    case.put("0.json", input)?;
    let batch = batch.to_string();
    case.run("statements")?.set("execution.batch-size", &batch).finish()?.success()?;
    let seen = case.rows("o", &["id", "v"])?;
    ensure!(seen.len() == input.len(), "{} of {} rows", seen.len(), input.len());
    let wrong = seen.iter().find(|row| {
        let id: i64 = row[0].as_deref().and_then(|id| id.parse().ok()).unwrap_or(-1);
        let key = id % 120;
        row[1] != (key < 100).then(|| key.to_string())
    });
    ensure!(wrong.is_none(), "a row is wrong: {wrong:?}");
    case.folder.succeed();
    database.selects(&reader)
}

/// Each batch asks once for each of its keys, which fit into one statement; connecting may ask a little too.
#[test]
fn a_batch_asks_for_its_distinct_keys_in_one_statement() -> Result<()> {
    both(|database| {
        let selects = selects_of(database, "", 2_000, &rows(0..20_000, 120))?;
        eprintln!("{database}: 20000 rows of 120 keys took {selects} statements");
        ensure!((1..=20).contains(&selects), "{selects} statements for ten batches");
        Ok(())
    })
}

#[test]
fn a_cache_takes_most_statements_from_the_server() -> Result<()> {
    both(|database| {
        let input = rows(0..600, 120);
        let partial = ", 'lookup.cache'='PARTIAL'";
        let without = selects_of(database, "", 1, &input)?;
        let cached = selects_of(database, partial, 1, &input)?;
        let missing = format!("{partial}, 'lookup.partial-cache.cache-missing-key'='false'");
        let missing = selects_of(database, &missing, 1, &input)?;
        let full = selects_of(database, ", 'lookup.cache'='FULL'", 1, &input)?;
        eprintln!(
            "{database}: 600 rows of 120 keys, one by one: {without} statements without a cache, {cached} with one, \
             {missing} with one that forgets what is missing, {full} with the whole table"
        );
        ensure!((600..=620).contains(&without), "{without} statements without a cache");
        ensure!((120..=140).contains(&cached), "{cached} statements with a cache");
        // A hundred keys that are there once each, and twenty that are not five times each.
        ensure!((200..=220).contains(&missing), "{missing} statements without missing keys");
        ensure!((1..=20).contains(&full), "{full} statements with the whole table");
        Ok(())
    })
}

/// A changed row is seen when what was remembered has grown old, and not before.
#[test]
fn a_changed_row_is_seen_after_its_time() -> Result<()> {
    const TTL: Duration = Duration::from_secs(3);
    both(|database| {
        let (table, reader) = create(database)?;
        let more = ", 'lookup.cache'='PARTIAL', 'lookup.partial-cache.expire-after-write'='3 s'";
        let case = case("jdbc-ttl", &reader, &table, more)?.watched();
        let place = case.folder.join("checkpoints").display().to_string();
        let mut process = case.run("ttl")?.checkpoints(&place, "50 ms").start()?;
        let (mut id, columns) = (0, ["id", "v"]);
        let mut look = |process: &mut _, key: i64| -> Result<Option<String>> {
            let row = format!("{{\"id\":{id},\"k\":{key}}}");
            case.put(&format!("{id}.json"), &[row])?;
            id += 1;
            let rows = case.wait_for(process, "o", &columns, id as usize)?;
            let own = (id - 1).to_string();
            let row = rows.into_iter().find(|row| row[0].as_deref() == Some(&own));
            Ok(row.context("the row is not there")?[1].clone())
        };
        // On a slow machine the time may be over before the second look: then another key.
        let mut within = None;
        for key in 1..=5 {
            let begun = now();
            let before = look(&mut process, key)?;
            ensure!(before == Some(key.to_string()), "at first {before:?}");
            database.execute(&format!("UPDATE {table} SET v = {} WHERE k = {key}", key + 1000))?;
            let second = look(&mut process, key)?;
            if begun.elapsed() < TTL {
                ensure!(second == Some(key.to_string()), "before its time {second:?}");
                within = Some((key, begun));
                break;
            }
        }
        let (key, begun) = within.context("the machine is too slow to see it")?;
        pause(TTL.saturating_sub(begun.elapsed()) + Duration::from_secs(1));
        let after = look(&mut process, key)?;
        ensure!(after == Some((key + 1000).to_string()), "after its time {after:?}");
        process.interrupt()?;
        process.wait()?.success()?;
        case.folder.succeed();
        Ok(())
    })
}

/// A table that is kept as a whole is read again while the job runs.
#[test]
fn a_whole_table_is_read_again() -> Result<()> {
    both(|database| {
        let (table, reader) = create(database)?;
        let more = ", 'lookup.cache'='FULL', 'lookup.full-cache.periodic-reload.interval'='500 ms'";
        let case = case("jdbc-full", &reader, &table, more)?.watched();
        let place = case.folder.join("checkpoints").display().to_string();
        let mut process = case.run("full")?.checkpoints(&place, "50 ms").start()?;
        case.put("0.json", &rows(0..3, 3))?;
        case.wait_for(&mut process, "o", &["id", "v"], 3)?;
        database.execute(&format!(
            "UPDATE {table} SET v = 77 WHERE k = 0; DELETE FROM {table} WHERE k = 1; INSERT INTO {table} VALUES (500, 5)"
        ))?;
        let mut id = 3;
        wait_until("the changes", PATIENCE, || {
            let keys = [0, 1, 500];
            let lines = keys.iter().zip(id..);
            let lines: Vec<String> =
                lines.map(|(k, id)| format!("{{\"id\":{id},\"k\":{k}}}")).collect();
            case.put(&format!("{id}.json"), &lines)?;
            id += 3;
            let rows = case.wait_for(&mut process, "o", &["id", "v"], id as usize)?;
            let value = |wanted: i64| {
                let wanted = wanted.to_string();
                let row = rows.iter().find(|row| row[0].as_deref() == Some(&wanted));
                row.and_then(|row| row[1].clone())
            };
            let values = [value(id - 3), value(id - 2), value(id - 1)];
            Ok(values == [Some("77".to_owned()), None, Some("5".to_owned())])
        })?;
        process.interrupt()?;
        process.wait()?.success()?;
        case.folder.succeed();
        Ok(())
    })
}

/// A row that comes a little later than those that want it.
#[test]
fn what_is_missing_is_asked_for_again() -> Result<()> {
    both(|database| {
        let (table, reader) = create(database)?;
        let hint = |attempts: u32| {
            format!(
                "/*+ LOOKUP('table'='t', 'retry-predicate'='lookup_miss', 'retry-strategy'='fixed_delay', \
                 'fixed-delay'='100 ms', 'max-attempts'='{attempts}') */"
            )
        };
        let query =
            |attempts: u32| JOIN.replacen("SELECT", &format!("SELECT {}", hint(attempts)), 1);
        let options = reader.options(&table);
        let case = Case::new("jdbc-retry", "id INT, k INT")?
            // What was missed once must not be remembered as missing.
            .with(&format!("CREATE TABLE t (k INT, v INT) WITH ({options}, 'lookup.cache'='PARTIAL')"))
            .output("o", "id INT, v INT", &query(300));
        case.put("0.json", &["{\"id\":1,\"k\":5}".to_owned(), "{\"id\":2,\"k\":200}".to_owned()])?;
        let mut process = case.run("retry")?.start()?;
        // Until it was seen to be missing, more than once.
        wait_until("some tries", PATIENCE, || {
            process.must_run()?;
            Ok(database.selects(&reader)? >= 5)
        })?;
        database.execute(&format!("INSERT INTO {table} VALUES (200, 2000)"))?;
        process.wait()?.success()?;
        let text = |value: i64| Some(value.to_string());
        let expected = vec![vec![text(1), text(5)], vec![text(2), text(2_000)]];
        case.must_have("o", &["id", "v"], expected)?;
        case.folder.succeed();

        let given_up = Case::new("jdbc-retry-end", "id INT, k INT")?
            .with(&format!("CREATE TABLE t (k INT, v INT) WITH ({options})"))
            .output("o", "id INT, v INT", &query(3));
        given_up
            .put("0.json", &["{\"id\":1,\"k\":5}".to_owned(), "{\"id\":2,\"k\":300}".to_owned()])?;
        let before = database.selects(&reader)?;
        given_up.run("given-up")?.finish()?.success()?;
        let tries = database.selects(&reader)? - before;
        ensure!((4..=10).contains(&tries), "{tries} statements");
        given_up.must_have("o", &["id", "v"], vec![vec![text(1), text(5)], vec![text(2), None]])?;
        given_up.folder.succeed();
        Ok(())
    })
}
