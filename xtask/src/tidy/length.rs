//! Code files stay short enough to be read at one sitting. Tests may be longer.

use super::Finding;
use super::files::TextFile;

const LIMIT: usize = 500;

const CODE: &[&str] = &["rs", "java", "ts", "tsx", "py"];

/// Files that may be longer, each with the reason.
pub(crate) const LONG_FILES: &[(&str, &str)] = &[];

/// Finds code files over the limit, and exceptions that are not needed any more.
pub(crate) fn check(files: &[TextFile], exceptions: &[(&str, &str)]) -> Vec<Finding> {
    let long: Vec<(&str, usize)> = files
        .iter()
        .filter(|file| file.has_extension(CODE) && !is_test(&file.path))
        .map(|file| (file.path.as_str(), file.text.lines().count()))
        .filter(|(_, lines)| *lines > LIMIT)
        .collect();
    let excused = |path: &str| exceptions.iter().any(|(excused, _)| *excused == path);
    let mut findings: Vec<Finding> = long
        .iter()
        .filter(|(path, _)| !excused(path))
        .map(|(path, lines)| {
            Finding::new(*path, format!("has {lines} lines, more than {LIMIT}: split it"))
        })
        .collect();
    for (path, reason) in exceptions {
        if reason.is_empty() {
            findings.push(Finding::new(*path, "may be long, but no reason is given"));
        }
        if !long.iter().any(|(long, _)| long == path) {
            findings.push(Finding::new(*path, "is not long any more: take it off the list"));
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    parts.next() == Some("tests.rs")
        || parts.any(|part| part == "tests" || part == "integration-tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> TextFile {
        TextFile::new(path, &"x\n".repeat(lines))
    }

    #[test]
    fn the_limit_itself_passes_and_one_more_fails() {
        assert_eq!(check(&[file("a/src/b.rs", 500)], &[]), []);
        let found = check(&[file("a/src/b.rs", 501)], &[]);
        assert_eq!(found[0].to_string(), "a/src/b.rs: has 501 lines, more than 500: split it");
    }

    #[test]
    fn tests_and_data_may_be_long() {
        let long = ["a/src/b/tests.rs", "a/tests/b.rs", "integration-tests/src/b.rs", "a/b.json"];
        let files: Vec<TextFile> = long.into_iter().map(|path| file(path, 900)).collect();
        assert_eq!(check(&files, &[]), []);
        assert_eq!(check(&[file("contests.rs", 900)], &[]).len(), 1);
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_long_file() {
        let files = [file("table.rs", 900), file("short.rs", 10)];
        assert_eq!(check(&files, &[("table.rs", "one table")]), []);
        assert_eq!(check(&files, &[("table.rs", "")]).len(), 1);
        assert_eq!(check(&files, &[("table.rs", "one table"), ("short.rs", "why")]).len(), 1);
        assert_eq!(check(&files, &[("table.rs", "one table"), ("gone.rs", "why")]).len(), 1);
    }
}
