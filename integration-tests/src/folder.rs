//! A folder per test or case, kept for inspection unless the test succeeded.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A fresh folder.
#[derive(Debug)]
pub struct CaseFolder {
    path: PathBuf,
    keep: bool,
}

impl CaseFolder {
    /// Makes a folder whose name begins with `name`.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn new(name: &str) -> Result<Self> {
        let root = std::env::temp_dir().join("tidegate-it");
        std::fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
        let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&root)?;
        Ok(Self { path: folder.keep(), keep: true })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// The path as text, for SQL.
    pub fn text(&self) -> String {
        self.path.display().to_string()
    }

    /// The case succeeded: the folder goes.
    pub fn succeed(mut self) {
        self.keep = std::env::var_os("TIDEGATE_TEST_KEEP").is_some();
    }
}

impl Drop for CaseFolder {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("kept for inspection: {}", self.path.display());
        } else {
            // What cannot be deleted stays behind in the folder for temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Files below a folder, but no hidden ones (names that begin with `.` or `_`) and none in hidden
/// folders: what a reader of the data sees. Sorted.
///
/// # Errors
/// If the file system refuses; a missing folder has no files.
pub fn visible_files(root: &Path) -> Result<Vec<PathBuf>> {
    let hidden = |name: &str| name.starts_with(['.', '_']);
    walk(root, &|name| !hidden(name))
}

/// All files below a folder, sorted.
///
/// # Errors
/// As [`visible_files`].
pub fn all_files(root: &Path) -> Result<Vec<PathBuf>> {
    walk(root, &|_| true)
}

fn walk(root: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // A running process deletes folders meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("list {}", folder.display())),
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !wanted(&name) {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}
