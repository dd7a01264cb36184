//! A savepoint restored into an edited job: what the report calls kept goes on with its state, what it
//! calls new begins empty, and what would be lost keeps the job from starting. And plans in files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::checkpoints::wait_for;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::{Process, Run};

const TABLES: &str = "
SET 'pipeline.name' = 'edited';
CREATE TABLE t (id BIGINT, k BIGINT, v BIGINT, w STRING) WITH ('connector'='filesystem', 'path'='${DIR}/in',
    'format'='json', 'source.monitor-interval'='30 ms');
CREATE TABLE seen (id BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/seen', 'format'='json');
CREATE TABLE sums (k BIGINT, s BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/sums', 'format'='debezium-json');
CREATE TABLE pairs (a BIGINT, b BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/pairs', 'format'='json');
CREATE TABLE words (w STRING, n BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/words', 'format'='debezium-json');
";
const SEEN: &str = "INSERT INTO seen SELECT id FROM t;";
const SUMS: &str = "INSERT INTO sums SELECT k, SUM(v) FROM t GROUP BY k;";
const PAIRS: &str =
    "INSERT INTO pairs SELECT a.id, b.id FROM t a JOIN t b ON a.k = b.k AND a.id < b.id;";
const WORDS: &str = "INSERT INTO words SELECT w, COUNT(*) FROM t GROUP BY w;";

const KEYS: i64 = 3;

fn script(inserts: &[&str]) -> String {
    format!("{TABLES}EXECUTE STATEMENT SET BEGIN\n{}\nEND;\n", inserts.join("\n"))
}

fn put_rows(folder: &Path, name: &str, ids: std::ops::Range<i64>) -> Result<()> {
    let row =
        |id: i64| format!("{{\"id\":{id},\"k\":{},\"v\":{id},\"w\":\"{}\"}}\n", id % KEYS, id % 2);
    std::fs::create_dir_all(folder)?;
    // A running job must not see half of a file.
    let hidden = folder.join(format!(".{name}"));
    std::fs::write(&hidden, ids.map(row).collect::<String>())?;
    Ok(std::fs::rename(hidden, folder.join(name))?)
}

/// The rows that a debezium-json folder comes to; what is taken back must be there.
fn table(folder: &Path, columns: [&str; 2]) -> Result<Vec<(Value, Value)>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.retain(|file| !file.file_name().to_string_lossy().starts_with('.'));
    let mut changes: BTreeMap<String, i64> = BTreeMap::new();
    for file in files {
        for line in std::fs::read_to_string(file.path())?.lines() {
            let change: Value = serde_json::from_str(line)?;
            for (side, count) in [("before", -1), ("after", 1)] {
                let row = &change[side];
                if !row.is_null() {
                    let key = serde_json::to_string(&(&row[columns[0]], &row[columns[1]]))?;
                    *changes.entry(key).or_default() += count;
                }
            }
        }
    }
    changes.retain(|_, count| *count != 0);
    let rows = changes.into_iter().map(|(row, count)| {
        ensure!(count == 1, "{row} is there {count} times");
        Ok(serde_json::from_str(&row)?)
    });
    rows.collect()
}

struct Job {
    folder: CaseFolder,
}

impl Job {
    fn run(&self, name: &str, inserts: &[&str]) -> Result<Run> {
        let checkpoints = self.folder.join("checkpoints").display().to_string();
        let run = Run::new(self.folder.path(), name, &script(inserts))?;
        let run = run.define("DIR", &self.folder.text()).parallelism(2);
        Ok(run.checkpoints(&checkpoints, "100 ms"))
    }

    /// Waits until so many rows are out of a running job, and stops it with a savepoint.
    fn savepoint(&self, mut process: Process, rows: usize) -> Result<String> {
        wait_for(&mut process, &self.folder.join("checkpoints"), &Default::default(), 1)?;
        wait_until("all rows", Duration::from_secs(60), || {
            process.must_run()?;
            Ok(json_folder(&self.folder.join("seen"), &["id".to_owned()])?.len() >= rows)
        })?;
        process.interrupt()?;
        process.wait()?.success()?.savepoint()
    }

    /// The report of an edited job: operator → fate.
    fn check(
        &self,
        name: &str,
        inserts: &[&str],
        savepoint: &str,
    ) -> Result<BTreeMap<String, String>> {
        let run = self.run(name, inserts)?.restore(Some(savepoint));
        let finished = run.flag("--check").option("format", "json").finish()?;
        let mut fates = BTreeMap::new();
        for line in finished.stdout.lines() {
            let row: Value = serde_json::from_str(line).context("a row of the report")?;
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            fates.insert(format!("{} {}", text("operator"), text("state")), text("reason"));
        }
        Ok(fates)
    }
}

#[test]
fn a_savepoint_in_an_edited_job_keeps_what_the_report_calls_kept() -> Result<()> {
    let job = Job { folder: CaseFolder::new("edited-jobs")? };
    let input = job.folder.join("in");
    put_rows(&input, "0.json", 0..60)?;
    let first = job.run("first", &[SEEN, SUMS, PAIRS])?.start()?;
    let savepoint = job.savepoint(first, 60)?;

    // The same script, in another order, with another query: all state is kept.
    let more = job.check("more", &[WORDS, PAIRS, SUMS, SEEN], &savepoint)?;
    let kept = |name: &str| more.contains_key(&format!("{name} kept"));
    ensure!(kept("Source(t)") && kept("GroupAggregate(k)") && kept("Join(k)"), "{more:?}");
    ensure!(more.contains_key("GroupAggregate(w) new"), "{more:?}");
    ensure!(
        !more.keys().any(|line| line.ends_with("dropped") || line.ends_with("incompatible")),
        "{more:?}"
    );

    // Another aggregate in place of the sum; the join is gone.
    let averages = SUMS.replace("SUM(v)", "MAX(v)");
    let edited = job.check("edited", &[SEEN, &averages], &savepoint)?;
    let reason = &edited.get("GroupAggregate(k) dropped").context("dropped")?;
    ensure!(reason.contains("SUM(BIGINT)") && reason.contains("MAX(BIGINT)"), "{reason}");
    ensure!(edited.contains_key("Join(k) dropped"), "{edited:?}");
    let refused = job.run("refused", &[SEEN, &averages])?.restore(Some(&savepoint)).finish()?;
    refused.failure(&["INCOMPATIBLE", "Join(k)", "ignore-unclaimed-state"])?;

    // Another type of a column that is summed.
    let narrow = script(&[SEEN, SUMS]).replace("v BIGINT", "v INT");
    let narrow = Run::new(job.folder.path(), "narrow", &narrow)?.define("DIR", &job.folder.text());
    let narrow = narrow.restore(Some(&savepoint)).flag("--check").finish()?;
    narrow.failure(&["INCOMPATIBLE", "it kept SUM(BIGINT), and now keeps SUM(INT)"])?;

    // The edited job runs: the sums go on, the join's state is dropped, the words are counted anew.
    put_rows(&input, "1.json", 60..100)?;
    let second = job.run("second", &[SEEN, WORDS, SUMS])?.restore(Some(&savepoint));
    let second = second.set("execution.state-recovery.ignore-unclaimed-state", "true").start()?;
    job.savepoint(second, 100)?;
    let sums = table(&job.folder.join("sums"), ["k", "s"])?;
    let expected: Vec<(Value, Value)> = (0..KEYS)
        .map(|k| (k.into(), (0..100).filter(|id| id % KEYS == k).sum::<i64>().into()))
        .collect();
    ensure!(sums == expected, "{sums:?}");
    let words = table(&job.folder.join("words"), ["w", "n"])?;
    ensure!(words == [("0".into(), 20.into()), ("1".into(), 20.into())], "{words:?}");
    job.folder.succeed();
    Ok(())
}

#[test]
fn a_compiled_plan_runs_as_it_was_whatever_becomes_of_the_tables() -> Result<()> {
    let folder = CaseFolder::new("compiled-plans")?;
    put_rows(&folder.join("in"), "0.json", 0..10)?;
    let tables = "CREATE TABLE t (id BIGINT, k BIGINT, v BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/in', 'format'='json');
        CREATE TABLE o (k BIGINT, s BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/OUT', 'format'='debezium-json');";
    let insert = "INSERT INTO o SELECT k, SUM(v) FROM t GROUP BY k;";
    let run = |name: &str, script: &str| -> Result<_> {
        let run = Run::new(folder.path(), name, script)?.define("DIR", &folder.text());
        run.parallelism(1).finish()
    };
    let first = tables.replace("OUT", "first");
    run("compile", &format!("{first} COMPILE PLAN '${{DIR}}/plans/p.json' FOR {insert}"))?
        .success()?;
    ensure!(!folder.join("first").exists(), "COMPILE PLAN ran the job");
    let plan = std::fs::read_to_string(folder.join("plans/p.json"))?;

    // A second one is refused, IF NOT EXISTS leaves it alone, the setting replaces it.
    let other = tables.replace("OUT", "other");
    let again = format!("COMPILE PLAN 'file://${{DIR}}/plans/p.json' FOR {insert}");
    run("again", &format!("{other} {again}"))?.failure(&["ALREADY_EXISTS", "force-recompile"])?;
    let lenient = again.replace(" FOR ", " IF NOT EXISTS FOR ");
    run("lenient", &format!("{other} {lenient}"))?.success()?;
    ensure!(std::fs::read_to_string(folder.join("plans/p.json"))? == plan, "the plan was replaced");

    run("execute", "EXECUTE PLAN '${DIR}/plans/p.json';")?.success()?;
    let expected: Vec<(Value, Value)> = (0..KEYS)
        .map(|k| (k.into(), (0..10).filter(|id| id % KEYS == k).sum::<i64>().into()))
        .collect();
    ensure!(table(&folder.join("first"), ["k", "s"])? == expected);
    ensure!(!folder.join("other").exists(), "a plan ran that was not compiled");

    let forced = "SET 'table.plan.force-recompile' = 'true';";
    run("forced", &format!("{forced} {other} {again} EXECUTE PLAN '${{DIR}}/plans/p.json';"))?
        .success()?;
    ensure!(table(&folder.join("other"), ["k", "s"])? == expected);
    let both = tables.replace("OUT", "both");
    let at_once = format!(
        "COMPILE AND EXECUTE PLAN '${{DIR}}/plans/q.json' FOR STATEMENT SET BEGIN {insert} END;"
    );
    run("both", &format!("{both} {at_once}"))?.success()?;
    ensure!(
        table(&folder.join("both"), ["k", "s"])? == expected
            && folder.join("plans/q.json").exists()
    );

    run("missing", "EXECUTE PLAN '${DIR}/plans/none.json';")?
        .failure(&["NOT_FOUND", "none.json"])?;
    std::fs::write(
        folder.join("plans/p.json"),
        plan.replacen("\"SUM\"", "\"MIN\"", 1).replacen("sum", "min", 1),
    )?;
    run("damaged", "EXECUTE PLAN '${DIR}/plans/p.json';")?.failure(&["CORRUPT", "p.json"])?;
    folder.succeed();
    Ok(())
}
