//! The project's text files, read once for all rules.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that are not the project's own text.
const SKIPPED: &[&str] = &[".git", "target", "node_modules"];

/// Larger files are data.
const LARGEST: u64 = 1 << 20;

/// A text file by its path from the checkout, with `/` between the parts.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl TextFile {
    /// Whether the name ends in `.` and one of these.
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// All text files below `root`, sorted by path.
pub(crate) fn read(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    read_folder(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<TextFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.context("read a folder entry")?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().with_context(|| format!("look at {path}"))?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && entry.metadata().is_ok_and(|facts| facts.len() <= LARGEST) {
            let bytes = fs::read(entry.path()).with_context(|| format!("read {path}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path, text });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_builds_binaries_and_history_are_not() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["a/b", "target", ".git", ".ci"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for path in ["a/b/x.rs", "target/y.rs", ".git/config", ".ci/run"] {
            fs::write(root.path().join(path), "text").unwrap();
        }
        fs::write(root.path().join("a/image"), [0xFF, 0xFE]).unwrap();
        let files = read(root.path()).unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "a/b/x.rs"]);
        assert!(files[1].has_extension(&["rs"]) && !files[0].has_extension(&["rs"]));
    }
}
