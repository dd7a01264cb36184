//! Windows over TIMESTAMP_LTZ in a zone that is behind UTC: what is cut by local time is complete by
//! the instant, also for what stands on other operators' windows.

use anyhow::{Result, ensure};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::tidegate::Run;

const ROWS: &str = r#"{"id":1,"k":"a","ts":"2024-01-01 00:00:01Z"}
{"id":2,"k":"b","ts":"2024-01-01 00:00:04Z"}
{"id":3,"k":"a","ts":"2024-01-01 00:00:06Z"}
{"id":4,"k":"b","ts":"2024-01-01 00:00:12Z"}
"#;

/// The lines of a query's CSV, each row with a watermark of its own behind it.
fn lines(folder: &CaseFolder, name: &str, query: &str) -> Result<Vec<String>> {
    std::fs::write(folder.join("rows.json"), ROWS)?;
    let script = format!(
        "SET 'table.local-time-zone' = 'America/New_York';\n\
         CREATE TABLE t (id INT, k STRING, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts) \
         WITH ('connector'='filesystem', 'path'='${{DIR}}/rows.json', 'format'='json');\n{query};\n"
    );
    let run = Run::new(folder.path(), name, &script)?
        .define("DIR", &folder.text())
        .parallelism(1)
        .set("execution.batch-size", "1")
        .option("format", "csv")
        .finish()?
        .success()?;
    let mut lines: Vec<String> = run.stdout.lines().skip(1).map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

#[test]
fn attached_windows_are_complete_by_the_instant() -> Result<()> {
    let folder = CaseFolder::new("zoned-windows")?;
    let tumble = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))";
    let counts = format!(
        "SELECT window_start, window_end, k, COUNT(*) AS c FROM {tumble} GROUP BY window_start, window_end, k"
    );
    let most = format!(
        "SELECT window_start, MAX(c) AS m FROM ({counts}) GROUP BY window_start, window_end"
    );
    let found = lines(&folder, "aggregate", &most)?;
    let expected = ["2023-12-31 19:00:00.000,2", "2023-12-31 19:00:10.000,1"];
    ensure!(found == expected, "aggregate of windows: {found:?}");

    let first = format!(
        "SELECT id, rn FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY id DESC) AS rn \
         FROM {tumble}) WHERE rn <= 2"
    );
    let found = lines(&folder, "rank", &first)?;
    ensure!(found == ["2,2", "3,1", "4,1"], "ranks of rows: {found:?}");

    let session = "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND))";
    let found =
        lines(&folder, "session", &format!("SELECT id, window_end, window_time FROM {session}"))?;
    let expected = [
        "1,2023-12-31 19:00:11.000,2023-12-31 19:00:10.999",
        "2,2023-12-31 19:00:09.000,2023-12-31 19:00:08.999",
        "3,2023-12-31 19:00:11.000,2023-12-31 19:00:10.999",
        "4,2023-12-31 19:00:17.000,2023-12-31 19:00:16.999",
    ];
    ensure!(found == expected, "rows of sessions: {found:?}");
    folder.succeed();
    Ok(())
}
