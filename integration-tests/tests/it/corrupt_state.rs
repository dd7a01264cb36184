//! Damaged, foreign and missing checkpoints: refused by name before anything runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tidegate_integration_tests::checkpoints::{manifests, wait_for};
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::folder::{CaseFolder, all_files, visible_files};
use tidegate_integration_tests::tidegate::Run;

fn script(monitor: bool, key: &str, name: &str) -> String {
    let monitor = if monitor { ", 'source.monitor-interval'='1 h'" } else { "" };
    format!(
        "SET 'pipeline.name' = '{name}';
CREATE TABLE clicks (id INT, k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector'='filesystem', 'path'='${{DIR}}/in', 'format'='json'{monitor});
CREATE TABLE counts (ws TIMESTAMP(3), k STRING, c BIGINT) WITH ('connector'='filesystem', 'path'='${{DIR}}/out', 'format'='json');
INSERT INTO counts SELECT window_start, {key}, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, {key};
"
    )
}

/// Writes rows of one window into an input file.
fn write_rows(folder: &CaseFolder, name: &str, ids: std::ops::Range<i32>) -> Result<()> {
    let row = |id: i32| {
        format!(
            "{{\"id\":{id},\"k\":\"key {}\",\"ts\":\"2024-01-01 00:00:0{}\"}}\n",
            id % 7,
            id % 10
        )
    };
    std::fs::create_dir_all(folder.join("in"))?;
    Ok(std::fs::write(folder.join("in").join(name), ids.map(row).collect::<String>())?)
}

/// A folder with a savepoint that has window state; the savepoint's path.
fn savepoint(name: &str) -> Result<(CaseFolder, PathBuf)> {
    let folder = CaseFolder::new(name)?;
    write_rows(&folder, "1.json", 0..200)?;
    let checkpoints = folder.join("checkpoints");
    let mut process = Run::new(folder.path(), "first", &script(true, "k", "corrupt"))?
        .define("DIR", &folder.text())
        .parallelism(1)
        .checkpoints(&checkpoints.display().to_string(), "50 ms")
        .start()?;
    wait_for(&mut process, &checkpoints, &Default::default(), 2)?;
    process.interrupt()?;
    let savepoint = process.wait()?.success()?.savepoint()?.into();
    Ok((folder, savepoint))
}

fn restore(folder: &CaseFolder, name: &str, script: &str, path: &Path) -> Result<Run> {
    let run = Run::new(folder.path(), name, script)?.define("DIR", &folder.text()).parallelism(1);
    Ok(run.restore(Some(&path.display().to_string())))
}

/// Changes one byte in the middle of a file.
fn flip(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).ok_or_else(|| anyhow!("{} is empty", path.display()))?;
    *byte ^= 0x20;
    Ok(std::fs::write(path, bytes)?)
}

fn no_output(folder: &CaseFolder) -> Result<()> {
    let files = all_files(&folder.join("out"))?;
    ensure!(files.is_empty(), "the job ran all the same: {files:?}");
    Ok(())
}

#[test]
fn an_intact_savepoint_is_the_control() -> Result<()> {
    let (folder, savepoint) = savepoint("corrupt-control")?;
    restore(&folder, "second", &script(false, "k", "corrupt"), &savepoint)?.finish()?.success()?;
    ensure!(!all_files(&folder.join("out"))?.is_empty(), "no output");
    folder.succeed();
    Ok(())
}

#[test]
fn a_damaged_state_file_is_named() -> Result<()> {
    let (folder, savepoint) = savepoint("corrupt-state")?;
    let files = all_files(&savepoint)?;
    let state = files.iter().find(|path| path.extension().is_some_and(|end| end == "state"));
    let state = state.with_context(|| format!("no state file among {files:?}"))?;
    flip(state)?;
    let name = state.file_name().unwrap_or_default().to_string_lossy().into_owned();
    restore(&folder, "second", &script(false, "k", "corrupt"), &savepoint)?
        .finish()?
        .failure(&["CORRUPT", &name])?;
    no_output(&folder)?;
    std::fs::remove_file(state)?;
    restore(&folder, "third", &script(false, "k", "corrupt"), &savepoint)?
        .finish()?
        .failure(&[&name])?;
    no_output(&folder)?;
    folder.succeed();
    Ok(())
}

/// Rows that the visible windows count.
fn counted_rows(folder: &CaseFolder) -> Result<i64> {
    let mut counted = 0;
    for file in visible_files(&folder.join("out"))? {
        for line in std::fs::read_to_string(file)?.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            counted += row["c"].as_i64().context("a count")?;
        }
    }
    Ok(counted)
}

/// State files below a folder.
fn state_files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let is_state = |path: &PathBuf| path.extension().is_some_and(|end| end == "state");
    Ok(all_files(root)?.into_iter().filter(is_state).collect())
}

#[test]
fn an_older_checkpoint_is_used_where_the_newest_are_damaged() -> Result<()> {
    let folder = CaseFolder::new("corrupt-newest")?;
    write_rows(&folder, "1.json", 0..200)?;
    let checkpoints = folder.join("checkpoints");
    let script = script(true, "k", "corrupt").replace("1 h", "50 ms");
    let mut process = Run::new(folder.path(), "first", &script)?
        .define("DIR", &folder.text())
        .parallelism(1)
        .set("execution.checkpointing.num-retained", "1000")
        .checkpoints(&checkpoints.display().to_string(), "50 ms")
        .start()?;
    wait_until("a state file", Duration::from_secs(60), || {
        process.must_run()?;
        Ok(!state_files(&checkpoints)?.is_empty())
    })?;
    let intact = state_files(&checkpoints)?;
    wait_for(&mut process, &checkpoints, &manifests(&checkpoints)?, 2)?;
    write_rows(&folder, "2.json", 200..300)?;
    wait_until("another state file", Duration::from_secs(60), || {
        process.must_run()?;
        Ok(state_files(&checkpoints)? != intact)
    })?;
    wait_for(&mut process, &checkpoints, &manifests(&checkpoints)?, 2)?;
    process.kill()?;
    // One is damaged, the rest are gone.
    let newer: Vec<PathBuf> = state_files(&checkpoints)?.difference(&intact).cloned().collect();
    for (index, file) in newer.iter().enumerate() {
        if index == 0 { flip(file)? } else { std::fs::remove_file(file)? }
    }
    // A row of a later window lets this one fire.
    std::fs::write(
        folder.join("in/3.json"),
        "{\"id\":0,\"k\":\"later\",\"ts\":\"2024-01-01 00:01:00\"}\n",
    )?;
    let place = checkpoints.display().to_string();
    let mut process =
        restore(&folder, "second", &script, &checkpoints)?.checkpoints(&place, "50 ms").start()?;
    wait_until("the window's results", Duration::from_secs(60), || {
        process.must_run()?;
        Ok(counted_rows(&folder)? >= 300)
    })?;
    process.interrupt()?;
    let report = process.wait()?.success()?.report();
    ensure!(report.contains("going back to checkpoint"), "no alarm: {report}");
    ensure!(counted_rows(&folder)? == 300, "{} rows were counted", counted_rows(&folder)?);
    folder.succeed();
    Ok(())
}

#[test]
fn a_damaged_manifest_is_named() -> Result<()> {
    let (folder, savepoint) = savepoint("corrupt-manifest")?;
    let manifest = savepoint.join("_metadata");
    let intact = std::fs::read(&manifest)?;
    flip(&manifest)?;
    let again = || restore(&folder, "second", &script(false, "k", "corrupt"), &savepoint);
    again()?.finish()?.failure(&["CORRUPT", "_metadata"])?;
    std::fs::write(&manifest, &intact[..intact.len() / 2])?;
    again()?.finish()?.failure(&["CORRUPT", "_metadata"])?;
    std::fs::write(&manifest, b"")?;
    again()?.finish()?.failure(&["CORRUPT", "_metadata"])?;
    no_output(&folder)?;
    folder.succeed();
    Ok(())
}

#[test]
fn the_checkpoint_of_another_job_is_refused() -> Result<()> {
    let (folder, savepoint) = savepoint("corrupt-foreign")?;
    // Same name, but grouped by another key: the state does not fit.
    let other = script(false, "CAST(id AS STRING)", "corrupt");
    restore(&folder, "other-key", &other, &savepoint)?.finish()?.failure(&["INCOMPATIBLE"])?;
    let unrelated =
        "CREATE TABLE numbers (n INT) WITH ('connector'='datagen', 'number-of-rows'='3');
CREATE TABLE nowhere (n INT) WITH ('connector'='blackhole');
INSERT INTO nowhere SELECT n FROM numbers;";
    restore(&folder, "unrelated", unrelated, &savepoint)?
        .finish()?
        .failure(&["INCOMPATIBLE", "corrupt"])?;
    no_output(&folder)?;
    folder.succeed();
    Ok(())
}

#[test]
fn a_missing_checkpoint_is_named() -> Result<()> {
    let folder = CaseFolder::new("corrupt-missing")?;
    std::fs::create_dir_all(folder.join("in"))?;
    let place = folder.join("nothing-here");
    restore(&folder, "missing", &script(false, "k", "corrupt"), &place)?
        .finish()?
        .failure(&["NOT_FOUND", "nothing-here"])?;
    no_output(&folder)?;
    folder.succeed();
    Ok(())
}
