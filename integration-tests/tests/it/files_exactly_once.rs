//! Files → windows → files, exactly once: JSON, CSV and Parquet in one job that is killed ten times
//! and restored, at changing parallelism. At the end the visible output equals a recomputation:
//! nothing missing, nothing doubled. What is visible is whole at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use parquet::arrow::ArrowWriter;
use tidegate_integration_tests::checkpoints::{manifests, wait_for};
use tidegate_integration_tests::clock::{entropy, now, pause, wait_until};
use tidegate_integration_tests::compare::{Row, Shape, canonical_row, difference};
use tidegate_integration_tests::folder::{CaseFolder, visible_files};
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::rows::{
    csv_row, json_row, parquet_rows, partition_value, text_files,
};
use tidegate_integration_tests::tidegate::{Run, heavy};
use tidegate_integration_tests::value::timestamp;

use crate::number;

const BASE: i64 = 1_710_028_800_000;
/// Rows of a file.
const ROWS: i64 = 1_000;
/// Event time between two rows, milliseconds: a file spans 20 s.
const STEP: i64 = 20;
const DISORDER: i64 = 1_500;
const FILES_PER_ROUND: i64 = 2;

/// A record as a function of its id.
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) value: i64,
    pub(crate) time: i64,
}

pub(crate) fn record(id: i64) -> Record {
    let mut prng = Prng::new(id as u64);
    let key = (*prng.pick(&["a", "b", "c c", "d/e", "ü"])).to_owned();
    let time = BASE + id * STEP + prng.between(-DISORDER, DISORDER);
    Record { id, key, value: prng.between(-1_000, 1_000), time }
}

pub(crate) fn json_lines(ids: std::ops::Range<i64>) -> String {
    let line = |id| {
        let Record { id, key, value, time } = record(id);
        format!("{{\"id\":{id},\"k\":\"{key}\",\"v\":{value},\"ts\":\"{}\"}}\n", timestamp(time))
    };
    ids.map(line).collect()
}

fn csv_lines(ids: std::ops::Range<i64>) -> String {
    let line = |id| {
        let Record { id, key, value, time } = record(id);
        format!("{id},{key},{value},{}\n", timestamp(time))
    };
    ids.map(line).collect()
}

fn write_parquet(path: &Path, ids: std::ops::Range<i64>) -> Result<()> {
    let records: Vec<Record> = ids.map(record).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.id)))),
        ("k", Arc::new(StringArray::from_iter_values(records.iter().map(|record| &record.key)))),
        (
            "v",
            Arc::new(Int32Array::from_iter_values(
                records.iter().map(|record| record.value as i32),
            )),
        ),
        (
            "ts",
            Arc::new(TimestampMillisecondArray::from_iter_values(
                records.iter().map(|record| record.time),
            )),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// Puts file number `index` into the folder of each format. Files appear whole: they are written
/// under a hidden name first.
fn put_files(folder: &CaseFolder, index: i64) -> Result<()> {
    let ids = index * ROWS..(index + 1) * ROWS;
    for format in ["json", "csv", "parquet"] {
        let place = folder.join(&format!("in/{format}"));
        std::fs::create_dir_all(&place)?;
        let hidden = place.join(format!(".{index}.tmp"));
        match format {
            "json" => std::fs::write(&hidden, json_lines(ids.clone()))?,
            "csv" => std::fs::write(&hidden, csv_lines(ids.clone()))?,
            _ => write_parquet(&hidden, ids.clone())?,
        }
        std::fs::rename(&hidden, place.join(format!("{index:04}.{format}")))?;
    }
    Ok(())
}

/// The script; with `monitor` its sources look for more files and never end.
fn script(monitor: bool) -> String {
    let monitor = if monitor { ", 'source.monitor-interval'='50 ms'" } else { "" };
    let source = |format: &str| {
        // Two files in the order of time may be found the other way round: the delay covers several.
        format!(
            "CREATE TABLE {format}_in (id BIGINT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '90' SECOND)\n  \
             WITH ('connector'='filesystem', 'path'='${{DIR}}/in/{format}', 'format'='{format}'{monitor});"
        )
    };
    let sink = |name: &str, columns: &str, partition: &str, format: &str| {
        format!(
            "CREATE TABLE {name} ({columns}) {partition}\n  \
             WITH ('connector'='filesystem', 'path'='${{DIR}}/out/{name}', 'format'='{format}');"
        )
    };
    let windows = "ws TIMESTAMP(3), we TIMESTAMP(3), c BIGINT, s BIGINT, k STRING";
    [
        "SET 'pipeline.name' = 'files';".to_owned(),
        source("json"),
        source("csv"),
        source("parquet"),
        sink("windows_json", windows, "PARTITIONED BY (k)", "json"),
        sink("windows_parquet", windows, "", "parquet"),
        sink("windows_csv", windows, "", "csv"),
        sink("rows_json", "id BIGINT, v INT, k STRING", "PARTITIONED BY (k)", "json"),
        sink("rows_csv", "id BIGINT, v INT, k STRING", "", "csv"),
        sink("rows_parquet", "id BIGINT, v INT, k STRING", "PARTITIONED BY (k)", "parquet"),
        "EXECUTE STATEMENT SET BEGIN".to_owned(),
        insert_windows(
            "windows_json",
            "TUMBLE(TABLE json_in, DESCRIPTOR(ts), INTERVAL '10' SECOND)",
        ),
        insert_windows(
            "windows_parquet",
            "HOP(TABLE csv_in, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)",
        ),
        insert_windows(
            "windows_csv",
            "CUMULATE(TABLE parquet_in, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND)",
        ),
        "INSERT INTO rows_json SELECT id, v, k FROM parquet_in;".to_owned(),
        "INSERT INTO rows_csv SELECT id, v, k FROM json_in;".to_owned(),
        "INSERT INTO rows_parquet SELECT id, v, k FROM csv_in;".to_owned(),
        "END;\n".to_owned(),
    ]
    .join("\n")
}

fn insert_windows(sink: &str, function: &str) -> String {
    format!(
        "INSERT INTO {sink} SELECT window_start, window_end, COUNT(*), SUM(CAST(v AS BIGINT)), k \
         FROM TABLE({function}) GROUP BY window_start, window_end, k;"
    )
}

/// Rows of windows: start, end, count, sum, key; `windows` gives the bounds for a time.
fn expected_windows(count: i64, windows: impl Fn(i64) -> Vec<(i64, i64)>) -> Vec<Row> {
    let mut groups: BTreeMap<(i64, i64, String), (i64, i64)> = BTreeMap::new();
    for record in (0..count).map(record) {
        for (start, end) in windows(record.time) {
            let group = groups.entry((start, end, record.key.clone())).or_default();
            *group = (group.0 + 1, group.1 + record.value);
        }
    }
    let row = |((start, end, key), (count, sum)): ((i64, i64, String), (i64, i64))| {
        vec![
            Some(timestamp(start)),
            Some(timestamp(end)),
            Some(count.to_string()),
            Some(sum.to_string()),
            Some(key),
        ]
    };
    groups.into_iter().map(row).collect()
}

const WINDOW_SHAPES: [Shape; 5] =
    [Shape::Timestamp, Shape::Timestamp, Shape::Integer, Shape::Integer, Shape::Text];
const ROW_SHAPES: [Shape; 3] = [Shape::Integer, Shape::Integer, Shape::Text];

/// Rows of an output as visible now; the key of a partitioned one is in the path.
fn output(
    folder: &CaseFolder,
    name: &str,
    columns: &[&str],
    partitioned: bool,
) -> Result<Vec<Row>> {
    let root = folder.join(&format!("out/{name}"));
    let mut rows = Vec::new();
    let mut add = |path: &Path, row: Row| -> Result<()> {
        let mut row = row;
        if partitioned {
            let key = partition_value(path, "k")
                .with_context(|| format!("{} has no partition", path.display()))?;
            row.push(Some(percent_decoded(&key)));
        }
        rows.push(row);
        Ok(())
    };
    let stored = if partitioned { &columns[..columns.len() - 1] } else { columns };
    let names: Vec<String> = stored.iter().map(|name| (*name).to_owned()).collect();
    if name.ends_with("parquet") {
        for path in visible_files(&root)? {
            for row in parquet_rows(&path)? {
                add(&path, row)?;
            }
        }
        return Ok(rows);
    }
    for (path, text) in text_files(&root)? {
        for line in text.lines() {
            add(
                &path,
                if name.ends_with("json") { json_row(line, &names)? } else { csv_row(line) },
            )?;
        }
    }
    Ok(rows)
}

/// Folder names of partitions escape what file systems do not take, as Hive's do.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &more[2..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Rows that passed through: known, and none twice.
fn check_visible_rows(folder: &CaseFolder, produced: i64) -> Result<usize> {
    let mut count = 0;
    for (name, partitioned) in [("rows_json", true), ("rows_csv", false), ("rows_parquet", true)] {
        let mut seen = BTreeSet::new();
        for row in output(folder, name, &["id", "v", "k"], partitioned)? {
            let id: i64 = row[0].as_deref().unwrap_or_default().parse()?;
            ensure!((0..produced).contains(&id), "{name} has id {id}, which was never produced");
            ensure!(seen.insert(id), "{name} has id {id} twice");
        }
        count += seen.len();
    }
    Ok(count)
}

fn compare_all(folder: &CaseFolder, records: i64) -> Result<()> {
    let aligned = |time: i64, size: i64| time - time.rem_euclid(size);
    let tumbling = |time: i64| vec![(aligned(time, 10_000), aligned(time, 10_000) + 10_000)];
    let hopping = |time: i64| {
        let start = |nth: i64| aligned(time, 5_000) - nth * 5_000;
        (0..3).map(|nth| (start(nth), start(nth) + 15_000)).collect()
    };
    let cumulating = |time: i64| {
        let start = aligned(time, 20_000);
        (1..=4).map(|nth| (start, start + nth * 5_000)).filter(|(_, end)| *end > time).collect()
    };
    let columns = ["ws", "we", "c", "s", "k"];
    let windows: [(&str, bool, Vec<Row>); 3] = [
        ("windows_json", true, expected_windows(records, tumbling)),
        ("windows_parquet", false, expected_windows(records, hopping)),
        ("windows_csv", false, expected_windows(records, cumulating)),
    ];
    for (name, partitioned, expected) in windows {
        same(name, &WINDOW_SHAPES, &expected, &output(folder, name, &columns, partitioned)?)?;
    }
    let row = |record: Record| {
        vec![Some(record.id.to_string()), Some(record.value.to_string()), Some(record.key)]
    };
    let rows: Vec<Row> = (0..records).map(record).map(row).collect();
    for (name, partitioned) in [("rows_json", true), ("rows_csv", false), ("rows_parquet", true)] {
        same(name, &ROW_SHAPES, &rows, &output(folder, name, &["id", "v", "k"], partitioned)?)?;
    }
    Ok(())
}

fn same(name: &str, shapes: &[Shape], expected: &[Row], actual: &[Row]) -> Result<()> {
    let form = |rows: &[Row]| {
        rows.iter().map(|row| canonical_row(shapes, row)).collect::<Result<Vec<Row>>>()
    };
    let found = difference("the recomputation", &form(expected)?, &form(actual)?);
    ensure!(found.is_none(), "{name}: {}", found.unwrap_or_default());
    Ok(())
}

#[test]
fn nothing_is_lost_or_doubled_through_ten_kills() -> Result<()> {
    let _heavy = heavy();
    let kills = number("TIDEGATE_TEST_KILLS", 10)? as i64;
    let seed = entropy();
    eprintln!("{kills} kills at moments from seed {seed}");
    let mut prng = Prng::new(seed);
    let folder = CaseFolder::new("files-exactly-once")?;
    let checkpoints = folder.join("checkpoints");
    let place = checkpoints.display().to_string();
    let start = now();
    let mut visible = Vec::new();
    for round in 0..kills {
        let before = manifests(&checkpoints)?;
        let mut process = Run::new(folder.path(), &format!("round-{round}"), &script(true))?
            .define("DIR", &folder.text())
            .parallelism(1 + prng.below(4))
            .checkpoints(&place, "100 ms")
            .restore((round > 0).then_some(place.as_str()))
            .start()?;
        for index in round * FILES_PER_ROUND..(round + 1) * FILES_PER_ROUND {
            put_files(&folder, index)?;
            pause(Duration::from_millis(prng.between(0, 100) as u64));
        }
        // Some die before they have completed a checkpoint of their own.
        if round == 0 || prng.chance(70) {
            wait_for(&mut process, &checkpoints, &before, 1)
                .with_context(|| format!("round {round}"))?;
        }
        pause(Duration::from_millis(prng.between(0, 500) as u64));
        ensure!(
            process.kill().with_context(|| format!("round {round}"))?,
            "an unbounded job ended by itself"
        );
        let produced = (round + 1) * FILES_PER_ROUND * ROWS;
        visible.push(
            check_visible_rows(&folder, produced).with_context(|| format!("after kill {round}"))?,
        );
    }
    let records = (kills + 1) * FILES_PER_ROUND * ROWS;
    let run = |name: &str, monitor: bool, parallelism: usize| -> Result<Run> {
        let run = Run::new(folder.path(), name, &script(monitor))?.define("DIR", &folder.text());
        Ok(run.parallelism(parallelism).checkpoints(&place, "100 ms"))
    };
    let mut process = run("reading-on", true, 3)?.restore(Some(&place)).start()?;
    for index in kills * FILES_PER_ROUND..(kills + 1) * FILES_PER_ROUND {
        put_files(&folder, index)?;
    }
    wait_until("all rows", Duration::from_secs(90), || {
        process.must_run()?;
        Ok(check_visible_rows(&folder, records)? as i64 == 3 * records)
    })
    .with_context(|| format!("folder {}", folder.text()))?;
    process.interrupt()?;
    let savepoint = process.wait()?.success()?.savepoint()?;
    // A bounded source reads what the savepoint knows of, and its end is the end of all windows.
    let last = run("last", false, 2)?.restore(Some(&savepoint)).finish()?.success()?;
    compare_all(&folder, records).with_context(|| format!("folder {}", folder.text()))?;
    eprintln!(
        "{records} records in each of 3 formats, {:.1} s in all, {:.1} s the last run; rows visible after each kill: {visible:?}",
        start.elapsed().as_secs_f64(),
        last.wall.as_secs_f64()
    );
    folder.succeed();
    Ok(())
}
