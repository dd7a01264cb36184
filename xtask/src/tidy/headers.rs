//! Every Rust file begins with a `//!` header that says what lives in it.

use super::Finding;
use super::files::TextFile;

/// Finds files without one.
pub(crate) fn check(files: &[TextFile]) -> Vec<Finding> {
    let bare = |file: &&TextFile| {
        let header = file.text.lines().next().and_then(|line| line.strip_prefix("//!"));
        header.is_none_or(|text| text.trim().is_empty())
    };
    files
        .iter()
        .filter(|file| file.has_extension(&["rs"]))
        .filter(bare)
        .map(|file| Finding::new(format!("{}:1", file.path), "must begin with a `//!` header"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_passes_and_other_beginnings_fail() {
        let fine = [TextFile::new("a.rs", "//! What it is.\n"), TextFile::new("a.md", "# A\n")];
        assert_eq!(check(&fine), []);
        for text in ["", "use std;\n", "/// Not this.\n", "//!\n", "\n//! Late.\n"] {
            let found = check(&[TextFile::new("src/a.rs", text)]);
            assert_eq!(found.len(), 1, "{text:?}");
            assert!(found[0].to_string().starts_with("src/a.rs:1: "));
        }
    }
}
