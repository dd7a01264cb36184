//! Replays Flink's recorded answers about formats of changes: what is read must be printed change by change, what is
//! written must be the same bytes. `flink/differences.txt` lists what differs.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::recorded;
use tidegate_integration_tests::tidegate::Run;

#[test]
fn recorded_answers_about_formats_of_changes_are_met() -> Result<()> {
    recorded::check(&["change_formats"], replay)
}

fn replay(case: &Value, name: &str, place: &Path) -> Result<()> {
    let statements: Vec<(&str, &Value)> = recorded::statements(case).collect();
    let mut script = recorded::settings(case);
    statements.iter().for_each(|(statement, _)| script.push_str(&format!("{statement};\n")));
    let run = Run::new(place, name, &script)?
        .define("DIR", &place.display().to_string())
        .parallelism(1)
        .set("execution.batch-size", "1")
        .finish()?;
    if let Some((_, refused)) = statements.iter().find(|(_, answer)| answer["ok"] != true) {
        let error = refused["error"]["message"].as_str().unwrap_or_default();
        run.failure(&["error ["]).with_context(|| format!("Flink refuses: {error}"))?;
        return Ok(());
    }
    let run = run.success().context("Flink accepts it")?;
    let printed = statements.iter().find_map(|(_, answer)| answer["printed"].as_array());
    let wanted: Vec<&str> = printed.into_iter().flatten().filter_map(Value::as_str).collect();
    let is_change =
        |line: &&str| ["+I[", "-U[", "+U[", "-D["].iter().any(|kind| line.starts_with(kind));
    let found: Vec<&str> = run.stdout.lines().filter(is_change).collect();
    ensure!(found == wanted, "Flink prints {wanted:?}, Tidegate {found:?}");
    if let Some(files) = case["answer"]["files"].as_array() {
        let wanted: String = files.iter().filter_map(|file| file[1].as_str()).collect();
        let found = visible_content(&place.join("out"))?;
        // Which of two inputs of UNION ALL comes first is no fact.
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
            lines.sort();
            lines
        };
        ensure!(sorted(&found) == sorted(&wanted), "Flink writes\n{wanted}Tidegate\n{found}");
    }
    Ok(())
}

/// The content of the files of a folder that are not hidden.
fn visible_content(folder: &Path) -> Result<String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_'])) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Ok(std::fs::read_to_string(path)?)).collect()
}
