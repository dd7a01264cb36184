//! Lookups in files: a table that is kept as a whole and read again, in every format, and kills on the way.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::compare::Row;
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::interrupted::{Course, Job, Source, Stop};
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::{Process, Run};

const PATIENCE: Duration = Duration::from_secs(40);

fn script(monitor: bool, more: &str) -> String {
    let monitor = if monitor { ", 'source.monitor-interval'='10 ms'" } else { "" };
    format!(
        "SET 'pipeline.name' = 'files';
CREATE TABLE e (id INT, k INT, pt AS PROCTIME()) WITH ('connector'='filesystem', 'path'='${{DIR}}/in/e', 'format'='json'{monitor});
CREATE TABLE t (k INT, v STRING, w INT) WITH ('connector'='filesystem', 'path'='${{DIR}}/side', 'format'='csv'{more});
CREATE TABLE o (id INT, v STRING) WITH ('connector'='filesystem', 'path'='${{DIR}}/out', 'format'='json');
INSERT INTO o SELECT e.id, t.v FROM e LEFT JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k AND t.w > 0;
"
    )
}

fn side(folder: &CaseFolder, text: &str) -> Result<()> {
    std::fs::create_dir_all(folder.join("side"))?;
    let hidden = folder.join("side/.new");
    std::fs::write(&hidden, text)?;
    Ok(std::fs::rename(hidden, folder.join("side/side.csv"))?)
}

fn rows(folder: &CaseFolder) -> Result<Vec<Row>> {
    let mut rows = json_folder(&folder.join("out"), &["id", "v"].map(str::to_owned))?;
    rows.sort();
    Ok(rows)
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

#[test]
fn kills_and_restores_neither_lose_nor_double_rows() -> Result<()> {
    let folder = CaseFolder::new("lookup-files-kills")?;
    side(&folder, "1,one,1\n2,two,1\n2,zwei,2\n3,three,0\n")?;
    let values = |id: i64| -> Vec<Option<String>> {
        match id % 5 {
            1 => vec![text("one")],
            2 => vec![text("two"), text("zwei")],
            _ => vec![None],
        }
    };
    let mut expected: Vec<Row> = (0..1_000)
        .flat_map(|id| values(id).into_iter().map(move |value| vec![text(id), value]))
        .collect();
    expected.sort();
    let line = |id: i64| match id % 5 {
        4 => format!("{{\"id\":{id},\"k\":null}}\n"),
        k => format!("{{\"id\":{id},\"k\":{k}}}\n"),
    };
    let files = (0..20).map(|file| (file * 50..(file + 1) * 50).map(line).collect()).collect();
    let seen = || Ok(rows(&folder)?.len() >= expected.len());
    let job = Job {
        folder: &folder,
        script: &|monitor| script(monitor, ""),
        sources: vec![Source { name: "e".to_owned(), files }],
        all_seen: &seen,
    };
    job.run(&Course {
        stops: vec![Stop::Kill, Stop::Kill],
        unbounded: true,
        parallelism: [2, 1],
        pause: Duration::from_millis(20),
        wave: Duration::from_millis(10),
        interval: "20 ms",
    })?;
    let rows = rows(&folder)?;
    ensure!(rows == expected, "{} rows, {} expected", rows.len(), expected.len());
    folder.succeed();
    Ok(())
}

/// Puts a row with key 1 again and again until the last one has the value.
fn wait_for(folder: &CaseFolder, process: &mut Process, id: &mut i64, value: &str) -> Result<()> {
    wait_until(value, PATIENCE, || {
        process.must_run()?;
        *id += 1;
        std::fs::create_dir_all(folder.join("in/e"))?;
        let hidden = folder.join(&format!("in/e/.{id}"));
        std::fs::write(&hidden, format!("{{\"id\":{id},\"k\":1}}\n"))?;
        std::fs::rename(hidden, folder.join(&format!("in/e/{id}.json")))?;
        let last = vec![text(*id), text(value)];
        let mut found = false;
        wait_until("the row", PATIENCE, || {
            process.must_run()?;
            let rows = rows(folder)?;
            found = rows.contains(&last);
            Ok(rows.iter().any(|row| row[0] == last[0]))
        })?;
        Ok(found)
    })
}

/// A changed file is seen when its time has come; while there is none, the table stays as it was.
#[test]
fn files_are_read_again() -> Result<()> {
    let folder = CaseFolder::new("lookup-files-reload")?;
    side(&folder, "1,old,1\n")?;
    let script = script(true, ", 'lookup.full-cache.periodic-reload.interval'='300 ms'");
    let run = Run::new(folder.path(), "reload", &script)?.define("DIR", &folder.text());
    let place = folder.join("checkpoints").display().to_string();
    let mut process = run.parallelism(1).checkpoints(&place, "30 ms").start()?;
    let mut id = 0;
    wait_for(&folder, &mut process, &mut id, "old")?;
    side(&folder, "1,new,1\n")?;
    wait_for(&folder, &mut process, &mut id, "new")?;
    // A file that cannot be read.
    side(&folder, "1,broken,no number\n")?;
    let begun = id;
    while id < begun + 15 {
        wait_for(&folder, &mut process, &mut id, "new")?;
        tidegate_integration_tests::clock::pause(Duration::from_millis(50));
    }
    side(&folder, "1,mended,1\n")?;
    wait_for(&folder, &mut process, &mut id, "mended")?;
    process.interrupt()?;
    let ended = process.wait()?.success()?;
    let told = ended.stderr.contains("stays as it was read before");
    ensure!(told, "nothing is said about the broken file: {}", ended.stderr);
    folder.succeed();
    Ok(())
}
