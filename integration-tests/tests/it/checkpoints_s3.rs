//! Checkpoints and savepoints on a real S3 server: kills, restores, and a stop with a savepoint.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::clock::{entropy, pause, wait_until};
use tidegate_integration_tests::folder::{CaseFolder, visible_files};
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::services::variable;
use tidegate_integration_tests::tidegate::Run;

use crate::files_exactly_once::{json_lines, record};

const ROWS: i64 = 500;
const KILLS: i64 = 3;

fn script(monitor: bool) -> String {
    let monitor = if monitor { ", 'source.monitor-interval'='50 ms'" } else { "" };
    format!(
        "SET 'pipeline.name' = 's3';
CREATE TABLE rows_in (id BIGINT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '90' SECOND)
  WITH ('connector'='filesystem', 'path'='${{DIR}}/in', 'format'='json'{monitor});
CREATE TABLE rows_out (id BIGINT, v INT) WITH ('connector'='filesystem', 'path'='${{DIR}}/out/rows', 'format'='json');
CREATE TABLE counts (k STRING, c BIGINT) WITH ('connector'='filesystem', 'path'='${{DIR}}/out/counts', 'format'='json');
EXECUTE STATEMENT SET BEGIN
INSERT INTO rows_out SELECT id, v FROM rows_in;
INSERT INTO counts SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE rows_in, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k;
END;
"
    )
}

fn put_file(folder: &CaseFolder, index: i64) -> Result<()> {
    let place = folder.join("in");
    std::fs::create_dir_all(&place)?;
    let hidden = place.join(format!(".{index}"));
    std::fs::write(&hidden, json_lines(index * ROWS..(index + 1) * ROWS))?;
    Ok(std::fs::rename(hidden, place.join(format!("{index}.json")))?)
}

#[test]
fn a_job_survives_with_its_checkpoints_on_s3() -> Result<()> {
    let bucket = variable("TIDEGATE_S3_BUCKET")?;
    variable("TIDEGATE_S3_ENDPOINT")?;
    let seed = entropy();
    eprintln!("kills at moments from seed {seed}");
    let mut prng = Prng::new(seed);
    let place = format!("s3://{bucket}/it/{seed:x}/checkpoints");
    let folder = CaseFolder::new("checkpoints-s3")?;
    let run = |name: &str, monitor: bool, parallelism: usize| -> Result<Run> {
        let run = Run::new(folder.path(), name, &script(monitor))?.define("DIR", &folder.text());
        Ok(run.parallelism(parallelism).checkpoints(&place, "200 ms"))
    };
    // Output appears only when a checkpoint has completed: no need to look into the bucket.
    let output = || Ok::<_, anyhow::Error>(visible_files(&folder.join("out"))?.len());
    for round in 0..KILLS {
        let before = output()?;
        let restore = (round > 0).then_some(place.as_str());
        let mut process =
            run(&format!("round-{round}"), true, 1 + prng.below(3))?.restore(restore).start()?;
        put_file(&folder, round)?;
        wait_until("output after a checkpoint", Duration::from_secs(60), || {
            process.must_run()?;
            Ok(output()? > before)
        })?;
        pause(Duration::from_millis(prng.between(0, 400) as u64));
        ensure!(process.kill()?, "an unbounded job ended by itself");
    }
    let mut process = run("stopped", true, 2)?.restore(Some(&place)).start()?;
    put_file(&folder, KILLS)?;
    let columns = ["id", "v"].map(str::to_owned);
    wait_until("all rows", Duration::from_secs(60), || {
        process.must_run()?;
        Ok(json_folder(&folder.join("out/rows"), &columns)?.len() as i64 == (KILLS + 1) * ROWS)
    })?;
    process.interrupt()?;
    let savepoint = process.wait()?.success()?.savepoint()?;
    ensure!(savepoint.starts_with(&place), "the savepoint {savepoint} is not below {place}");
    // A bounded source reads what the savepoint knows of, and its end is the end of all windows.
    run("last", false, 1)?.restore(Some(&savepoint)).finish()?.success()?;
    compare(&folder).with_context(|| format!("folder {}", folder.text()))?;
    folder.succeed();
    Ok(())
}

fn compare(folder: &CaseFolder) -> Result<()> {
    let count = (KILLS + 1) * ROWS;
    let rows = json_folder(&folder.join("out/rows"), &["id", "v"].map(str::to_owned))?;
    let mut ids: Vec<i64> = Vec::new();
    for row in &rows {
        let id: i64 = row[0].as_deref().unwrap_or_default().parse()?;
        ensure!(row[1] == Some(record(id).value.to_string()), "id {id} has another value: {row:?}");
        ids.push(id);
    }
    ids.sort_unstable();
    ensure!(
        ids == (0..count).collect::<Vec<_>>(),
        "{} rows of {count}, or not the same",
        ids.len()
    );
    let counts = json_folder(&folder.join("out/counts"), &["k", "c"].map(str::to_owned))?;
    let counted =
        counts.iter().map(|row| Ok(row[1].as_deref().unwrap_or_default().parse::<i64>()?));
    let counted: i64 = counted.sum::<Result<i64>>()?;
    ensure!(counted == count, "windows counted {counted} of {count} rows");
    Ok(())
}
