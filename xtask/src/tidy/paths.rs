//! No file names a path that exists on one developer's machine only.

use std::path::Path;

use super::Finding;
use super::files::TextFile;

/// What must not occur: home folders anywhere, and the places of this very checkout and home.
pub(crate) fn patterns(checkout: &Path) -> Vec<String> {
    // In two parts, or this file would be its own finding.
    let mut patterns: Vec<String> =
        ["home", "root", "Users"].iter().map(|folder| format!("/{folder}/")).collect();
    let home = std::env::var_os("HOME").unwrap_or_default();
    for place in [checkout, Path::new(&home)] {
        // A place as short as `/src` would be found everywhere.
        if place.components().count() > 2 {
            patterns.push(place.display().to_string());
        }
    }
    patterns
}

/// Finds them where a path could begin.
pub(crate) fn check(files: &[TextFile], patterns: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(pattern) = patterns.iter().find(|pattern| begins_in(line, pattern)) {
                let text = format!("names a path of one machine: {pattern}");
                findings.push(Finding::new(format!("{}:{number}", file.path), text));
            }
        }
    }
    findings
}

/// Whether the pattern occurs and is not the later part of a longer path or word.
fn begins_in(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-~*/}$".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_with(text: &str) -> usize {
        let mut patterns = patterns(Path::new("/src/tidegate"));
        patterns.retain(|pattern| pattern.ends_with('/') || pattern.starts_with("/src"));
        check(&[TextFile::new("a.md", text)], &patterns).len()
    }

    #[test]
    fn paths_of_a_machine_fail() {
        for folder in ["home", "root", "Users"] {
            assert_eq!(lines_with(&format!("see \"/{folder}/ann/data\"")), 1, "{folder}");
            assert_eq!(lines_with(&format!("ok\n/{folder}/ann\nfile:///{folder}")), 1, "{folder}");
        }
        assert_eq!(lines_with("cd /src/tidegate && cargo test"), 1);
    }

    #[test]
    fn other_paths_pass() {
        assert_eq!(lines_with("s3://bucket/home/x, $HOME/.cache, ./root/x, target/root/x"), 0);
        assert_eq!(lines_with("engine/src/tidegate.rs"), 0);
    }

    #[test]
    fn a_short_checkout_path_is_not_looked_for() {
        assert!(!patterns(Path::new("/src")).contains(&"/src".to_owned()));
    }
}
