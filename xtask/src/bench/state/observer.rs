//! A look at a checkpoint directory from outside: which checkpoints are there, which files each one names, and which
//! files nobody names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

/// Sees checkpoints come and go.
pub(super) struct Observer {
    root: PathBuf,
    /// Manifests that were seen.
    seen: BTreeSet<PathBuf>,
    /// Files that a checkpoint named, with their sizes.
    named: BTreeMap<String, u64>,
    /// Of the newest checkpoint.
    newest: BTreeMap<String, u64>,
    /// Per checkpoint since [`Observer::measure`].
    uploaded: Option<Vec<u64>>,
}

/// What the checkpoints wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Uploads {
    /// Checkpoints that were seen.
    pub(super) checkpoints: u64,
    /// Bytes that a checkpoint named and none before it.
    pub(super) p50: u64,
    /// 99th percentile.
    pub(super) p99: u64,
    /// The largest.
    pub(super) max: u64,
    /// The mean.
    pub(super) mean: u64,
    /// Bytes that the newest checkpoint names: what a restore reads.
    pub(super) restore_reads: u64,
    /// Files that it names.
    pub(super) files: u64,
}

/// Files that the newest checkpoint does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct LeftOver {
    /// State files that are there.
    pub(super) files: u64,
    /// Those that nobody names.
    pub(super) unnamed: u64,
    /// Bytes of those.
    pub(super) unnamed_bytes: u64,
    /// Files that the newest checkpoint names and that are not there: none may be.
    pub(super) missing: u64,
}

impl Observer {
    /// Of a directory that need not be there yet.
    pub(super) fn new(root: PathBuf) -> Self {
        let (seen, named, newest) = Default::default();
        Self { root, seen, named, newest, uploaded: None }
    }

    /// Checkpoints that were seen.
    pub(super) fn checkpoints(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Begins to count what checkpoints write.
    pub(super) fn measure(&mut self) {
        self.uploaded = Some(Vec::new());
    }

    /// Takes in the checkpoints that are new. One that comes and goes between two looks is not seen, and what it wrote
    /// is counted for the next one that still names it.
    pub(super) fn look(&mut self) -> Result<()> {
        let mut found: Vec<(u64, PathBuf)> = manifests(&self.root)?
            .into_iter()
            .filter(|(_, path)| !self.seen.contains(path))
            .collect();
        found.sort();
        for (_, path) in found {
            // It may be deleted by now.
            let Ok(bytes) = fs::read(&path) else {
                continue;
            };
            let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else {
                continue;
            };
            self.seen.insert(path);
            let mut files = BTreeMap::new();
            collect(&manifest, &mut files);
            let new = files.iter().filter(|(path, _)| !self.named.contains_key(*path));
            let bytes = new.map(|(_, size)| size).sum();
            if let Some(uploaded) = &mut self.uploaded {
                uploaded.push(bytes);
            }
            self.named.extend(files.clone());
            self.newest = files;
        }
        Ok(())
    }

    /// What was written since [`Observer::measure`].
    pub(super) fn measured(&self) -> Uploads {
        let mut sizes = self.uploaded.clone().unwrap_or_default();
        sizes.sort_unstable();
        let at = |share: f64| {
            let place = (sizes.len() as f64 * share).ceil() as usize;
            sizes.get(place.saturating_sub(1)).copied().unwrap_or(0)
        };
        Uploads {
            checkpoints: sizes.len() as u64,
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
            mean: sizes.iter().sum::<u64>() / (sizes.len() as u64).max(1),
            restore_reads: self.newest.values().sum(),
            files: self.newest.len() as u64,
        }
    }

    /// Compares what is there with what the newest checkpoint names.
    pub(super) fn left_over(&self) -> Result<LeftOver> {
        let mut left = LeftOver::default();
        let mut there = BTreeSet::new();
        let is_state = |path: &Path| path.extension().is_some_and(|name| name == "state");
        for (path, size) in files_below(&self.root)? {
            let relative =
                path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
            if !is_state(&path) || relative.contains("/savepoints/") {
                continue;
            }
            left.files += 1;
            // Paths in a manifest are relative to the job's folder.
            match self.newest.keys().find(|named| relative.ends_with(named.as_str())) {
                Some(named) => drop(there.insert(named.clone())),
                None => {
                    left.unnamed += 1;
                    left.unnamed_bytes += size;
                }
            }
        }
        left.missing = (self.newest.len() - there.len()) as u64;
        Ok(left)
    }
}

/// Manifests of checkpoints (not of savepoints) with their numbers.
fn manifests(root: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut manifests = Vec::new();
    for (path, _) in files_below(root)? {
        let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
        let number = folder.and_then(|name| name.strip_prefix("chk-")?.parse().ok());
        if let Some(number) = number.filter(|_| path.ends_with("_metadata")) {
            manifests.push((number, path));
        }
    }
    Ok(manifests)
}

/// Every object of a manifest with a path and a size is a file.
fn collect(value: &Value, files: &mut BTreeMap<String, u64>) {
    match value {
        Value::Object(object) => {
            let path = object.get("path").and_then(Value::as_str);
            let size = object.get("size").and_then(Value::as_u64);
            if let (Some(path), Some(size)) = (path, size) {
                files.insert(path.to_owned(), size);
            }
            object.values().for_each(|value| collect(value, files));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, files)),
        _ => {}
    }
}

/// Bytes of the state files of all savepoints.
pub(super) fn savepoint_bytes(root: &Path) -> Result<u64> {
    let of_savepoint = |path: &Path| path.components().any(|part| part.as_os_str() == "savepoints");
    let files = files_below(root)?;
    Ok(files.iter().filter(|(path, _)| of_savepoint(path)).map(|(_, size)| size).sum())
}

/// All files with their sizes; what vanishes meanwhile is left out.
fn files_below(root: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("read {}", folder.display())),
        };
        for entry in entries {
            let Ok((entry, facts)) =
                entry.and_then(|entry| entry.metadata().map(|facts| (entry, facts)))
            else {
                continue;
            };
            if facts.is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), facts.len()));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn manifest(files: &[(&str, u64)]) -> String {
        let files: Vec<Value> = files
            .iter()
            .map(|(path, size)| serde_json::json!({"path": path, "size": size}))
            .collect();
        serde_json::json!({"manifest": {"operators": [{"tables": [{"files": files}]}]}}).to_string()
    }

    #[test]
    fn uploads_are_what_no_checkpoint_named_before() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut observer = Observer::new(root.join("c"));
        observer.look().unwrap();
        write(root, "c/j/1/chk-1/_metadata", &manifest(&[("1/shared/a.state", 100)]));
        observer.look().unwrap();
        observer.measure();
        let both = [("1/shared/a.state", 100), ("1/shared/b.state", 7)];
        write(root, "c/j/1/chk-2/_metadata", &manifest(&both));
        write(root, "c/j/1/chk-10/_metadata", &manifest(&[("1/shared/b.state", 7)]));
        observer.look().unwrap();
        let uploads = observer.measured();
        assert_eq!(observer.checkpoints(), 3);
        assert_eq!((uploads.checkpoints, uploads.max, uploads.p50, uploads.mean), (2, 7, 0, 3));
        assert_eq!((uploads.restore_reads, uploads.files), (7, 1));
    }

    #[test]
    fn files_that_nobody_names_are_left_over_and_named_ones_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let files = [("1/shared/a.state", 3), ("1/shared/gone.state", 3)];
        write(root, "j/1/chk-1/_metadata", &manifest(&files));
        write(root, "j/1/shared/a.state", "abc");
        write(root, "j/1/shared/old.state", "abcd");
        write(root, "j/1/savepoints/savepoint-1-2/x.state", "abcde");
        let mut observer = Observer::new(root.to_owned());
        observer.look().unwrap();
        let left = observer.left_over().unwrap();
        assert_eq!(left, LeftOver { files: 2, unnamed: 1, unnamed_bytes: 4, missing: 1 });
        assert_eq!(savepoint_bytes(root).unwrap(), 5);
    }
}
