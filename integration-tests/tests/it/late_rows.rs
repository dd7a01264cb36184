//! Late rows into a table of their own: with several splits and subtasks, where which rows are late is
//! anybody's guess, every row is either in a window or in that table.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::Run;

const FILES: u64 = 4;
const ROWS: u64 = 3_000;

/// A number in `0..bound` for a number, the same in every run.
fn scatter(number: u64, bound: u64) -> u64 {
    let mixed = (number ^ (number >> 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 33) % bound
}

/// Rows whose time goes on, by some seconds back and forth.
fn write_rows(folder: &CaseFolder) -> Result<()> {
    std::fs::create_dir_all(folder.join("in"))?;
    for file in 0..FILES {
        let mut text = String::new();
        for id in (file..ROWS).step_by(FILES as usize) {
            let second = id / 40 + scatter(id, 30);
            let (key, time) = (scatter(id, 11), format!("{:02}:{:02}", second / 60, second % 60));
            text.push_str(&format!(
                "{{\"id\": {id}, \"k\": {key}, \"ts\": \"2024-01-01 00:{time}\"}}\n"
            ));
        }
        std::fs::write(folder.join(&format!("in/{file}.json")), text)?;
    }
    Ok(())
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Rows in windows, and numbers of the late rows.
fn run(folder: &CaseFolder, name: &str, window: &str) -> Result<(u64, Vec<u64>)> {
    let script = format!(
        "CREATE TABLE t (id INT, k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND) \
         WITH ('connector'='filesystem', 'path'='${{DIR}}/in', 'format'='json');\n\
         CREATE TABLE late (k INT, id BIGINT) WITH ('connector'='filesystem', 'path'='${{DIR}}/{name}-late', 'format'='json');\n\
         CREATE TABLE counts (k INT, c BIGINT) WITH ('connector'='filesystem', 'path'='${{DIR}}/{name}', 'format'='json');\n\
         SET 'table.exec.late-rows.table' = 'late';\n\
         INSERT INTO counts SELECT k, COUNT(*) FROM {window};\n"
    );
    Run::new(folder.path(), name, &script)?
        .define("DIR", &folder.text())
        .parallelism(3)
        .set("execution.batch-size", "16")
        .finish()?
        .success()?;
    let number = |value: Option<String>| -> Result<u64> {
        value.context("a value is missing")?.parse().context("a value is no number")
    };
    let counts = json_folder(&folder.join(name), &columns(&["k", "c"]))?.into_iter();
    let counts = counts.map(|mut row| number(row.remove(1))).sum::<Result<u64>>()?;
    let late =
        json_folder(&folder.join(&format!("{name}-late")), &columns(&["k", "id"]))?.into_iter();
    let late = late.map(|mut row| number(row.remove(1))).collect::<Result<Vec<u64>>>()?;
    Ok((counts, late))
}

#[test]
fn every_row_is_in_a_window_or_late() -> Result<()> {
    let folder = CaseFolder::new("late-rows")?;
    write_rows(&folder)?;
    let tumble = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY k, window_start, window_end";
    let group = "t GROUP BY k, TUMBLE(ts, INTERVAL '5' SECOND)";
    let hop = "t GROUP BY k, HOP(ts, INTERVAL '7' SECOND, INTERVAL '7' SECOND)";
    for (name, window) in [("function", tumble), ("group", group), ("hop", hop)] {
        let (counted, late) = run(&folder, name, window)?;
        let distinct: HashSet<u64> = late.iter().copied().collect();
        ensure!(distinct.len() == late.len(), "{name}: late rows came twice");
        ensure!(!late.is_empty(), "{name}: no row was late");
        let all = counted + late.len() as u64;
        ensure!(all == ROWS, "{name}: {counted} rows in windows, {} late", late.len());
    }
    folder.succeed();
    Ok(())
}
