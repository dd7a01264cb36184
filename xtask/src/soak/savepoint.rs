//! What a savepoint on local disk says about where it cuts through the job: read from its manifest, by the layout that
//! `docs/checkpoints.md` promises.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::input::{Cut, PARTITIONS};

/// File of the manifest in a savepoint's folder.
const MANIFEST: &str = "_metadata";

/// The operator whose watermark says which windows had come out.
const WINDOWS: &str = "WindowAggregate";

/// A savepoint of the job.
pub(super) struct Savepoint {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Where it cuts.
    pub(super) cut: Cut,
}

#[derive(Deserialize)]
struct Envelope {
    manifest: Manifest,
}

#[derive(Deserialize)]
struct Manifest {
    operators: Vec<Operator>,
}

#[derive(Deserialize)]
struct Operator {
    name: String,
    subtasks: Vec<Subtask>,
}

#[derive(Deserialize)]
struct Subtask {
    watermark: Option<i64>,
    source: Option<Source>,
    #[serde(default)]
    staged: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Source {
    splits: Vec<(Split, Option<i64>)>,
}

#[derive(Deserialize)]
struct Split {
    state: Position,
}

#[derive(Deserialize)]
struct Position {
    partition: usize,
    next: u64,
}

impl Savepoint {
    /// The only savepoint below a folder, one for each job.
    pub(super) fn only_one_below(folder: &Path) -> Result<Self> {
        let jobs = children(folder)?;
        let mut found = Vec::new();
        for job in &jobs {
            found.extend(children(job)?.into_iter().filter(|path| path.join(MANIFEST).exists()));
        }
        ensure!(found.len() == 1, "{} savepoints are in {}", found.len(), folder.display());
        let folder = found.pop().context("one was found")?;
        let path = folder.join(MANIFEST);
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let cut = cut(&text).with_context(|| format!("understand {}", path.display()))?;
        Ok(Self { folder, cut })
    }
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("list {}", folder.display());
    let entries = fs::read_dir(folder).with_context(context)?;
    entries.map(|entry| Ok(entry.with_context(context)?.path())).collect()
}

fn cut(manifest: &[u8]) -> Result<Cut> {
    let Envelope { manifest } = serde_json::from_slice(manifest)?;
    let mut read = vec![0; PARTITIONS as usize];
    let subtasks = || manifest.operators.iter().flat_map(|operator| &operator.subtasks);
    for (split, _) in subtasks().flat_map(|subtask| &subtask.source).flat_map(|s| &s.splits) {
        let Position { partition, next } = split.state;
        *read.get_mut(partition).context("a partition that the input does not have")? = next;
    }
    ensure!(subtasks().all(|subtask| subtask.staged.is_empty()), "it holds staged output");
    let windows = manifest.operators.iter().find(|operator| operator.name.starts_with(WINDOWS));
    let windows = windows.with_context(|| format!("there is no operator {WINDOWS}"))?;
    let mut watermarks = windows.subtasks.iter().map(|subtask| subtask.watermark);
    let watermark_ms = watermarks.next().flatten();
    // The barrier comes behind the same watermarks on every channel.
    ensure!(watermarks.all(|other| other == watermark_ms), "watermarks differ at the barrier");
    Ok(Cut { read, watermark_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(second: i64) -> String {
        let split = |partition: u32, next: u64| {
            format!(
                r#"[{{"id":"in-{partition}","finished":false,"state":{{"topic":"in","partition":{partition},"next":{next}}}}},7]"#
            )
        };
        format!(
            r#"{{"format":"tidegate-checkpoint","version":1,"checksum":"x","manifest":{{"job":"j","operators":[
            {{"id":"1","name":"Source(events)","subtasks":[{{"source":{{"splits":[{},{}]}}}},{{"watermark":7,"source":{{"splits":[{}]}}}}]}},
            {{"id":"2","name":"WindowAggregate(k)","subtasks":[{{"watermark":7}},{{"watermark":{second}}}]}}]}}}}"#,
            split(0, 5),
            split(2, 6),
            split(3, 9)
        )
    }

    #[test]
    fn positions_and_the_watermark_of_the_windows_are_the_cut() {
        let expected = Cut { read: vec![5, 0, 6, 9], watermark_ms: Some(7) };
        assert_eq!(cut(manifest(7).as_bytes()).unwrap(), expected);
        assert!(cut(manifest(8).as_bytes()).is_err() && cut(b"{}").is_err());
    }

    #[test]
    fn a_folder_with_another_number_of_savepoints_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("soak/savepoint-1-3");
        fs::create_dir_all(&place).unwrap();
        assert!(Savepoint::only_one_below(folder.path()).is_err());
        fs::write(place.join(MANIFEST), manifest(7)).unwrap();
        assert_eq!(Savepoint::only_one_below(folder.path()).unwrap().folder, place);
    }
}
