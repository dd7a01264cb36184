//! Finding the files of a table: recursively, without hidden ones, by wildcards or a pattern.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt};
use regex::Regex;
use tidegate_types::{Error, ErrorCode, Result};

use tidegate_storage::{Location, store_error};

/// Most files of one table: their names are held in memory and in checkpoints.
const MAX_FILES: usize = 1_000_000;

/// Which files below a folder belong to a table.
#[derive(Debug)]
pub(super) struct Selection {
    /// The folder or file itself.
    base: Path,
    /// Over the path below `base`, if the table's path has wildcards.
    wildcards: Option<Regex>,
    /// `source.path.regex-pattern`, over the full path.
    pattern: Option<Regex>,
}

impl Selection {
    /// The files that `path` (which may hold `*` and `?` in its names) and `pattern` select.
    pub(super) fn new(path: &Path, pattern: Option<&str>) -> Result<Self> {
        let parts: Vec<_> = path.parts().map(|part| part.as_ref().to_owned()).collect();
        let fixed = parts.iter().take_while(|part| !part.contains(['*', '?'])).count();
        let (base, wild) = parts.split_at(fixed);
        let wildcards = if wild.is_empty() { None } else { Some(wildcard_regex(&wild.join("/"))?) };
        let pattern = pattern.map(whole_match).transpose()?;
        Ok(Self { base: Path::from_iter(base.iter().map(String::as_str)), wildcards, pattern })
    }

    /// The folder or file that everything is below.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Whether an object belongs to the table. `root` stands before its path in full.
    fn contains(&self, path: &Path, root: &str) -> bool {
        let Some(below) = path.prefix_match(&self.base) else {
            return false;
        };
        let below: Vec<_> = below.map(|part| part.as_ref().to_owned()).collect();
        if below.iter().any(|name| name.starts_with(['.', '_'])) {
            return false;
        }
        if self.wildcards.as_ref().is_some_and(|regex| !regex.is_match(&below.join("/"))) {
            return false;
        }
        self.pattern.as_ref().is_none_or(|regex| {
            regex.is_match(&format!("{root}{path}")) || regex.is_match(&format!("/{path}"))
        })
    }
}

fn wildcard_regex(wild: &str) -> Result<Regex> {
    let mut regex = String::from("^");
    for c in wild.chars() {
        match c {
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    // What matches may be a folder: everything below it is read.
    regex.push_str("(/.*)?$");
    Regex::new(&regex)
        .map_err(|error| Error::new(ErrorCode::InvalidOption, format!("option 'path': {error}")))
}

fn whole_match(pattern: &str) -> Result<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
        let message = format!(
            "option 'source.path.regex-pattern': '{pattern}' is not a regular expression: {error}"
        );
        Error::new(ErrorCode::InvalidOption, message)
    })
}

/// The files that a table has now, sorted by path; empty files are left out.
///
/// # Errors
/// `NOT_FOUND` if nothing is at the table's path; `RESOURCE_EXHAUSTED` for too many files.
pub(super) async fn list(location: &Location, selection: &Selection) -> Result<Vec<ObjectMeta>> {
    let place = location.display(selection.base());
    if let Some(single) = single_file(location, selection, &place).await? {
        return Ok(vec![single]);
    }
    let mut files = Vec::new();
    let mut seen_any = false;
    let mut stream = location.store.list(Some(selection.base()));
    while let Some(meta) = stream.try_next().await.map_err(|error| store_error(error, &place))? {
        seen_any = true;
        if meta.size == 0 || !selection.contains(&meta.location, &location.root) {
            continue;
        }
        if files.len() == MAX_FILES {
            let message =
                format!("{place} holds more than {MAX_FILES} files: read fewer at a time");
            return Err(Error::new(ErrorCode::ResourceExhausted, message));
        }
        files.push(meta);
    }
    if !seen_any && !is_folder(location, selection.base()) {
        return Err(Error::new(ErrorCode::NotFound, format!("{place} does not exist"))
            .help("mend the option 'path' or create the folder"));
    }
    files.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(files)
}

/// The file that the table's path itself is, if it is one. Such a file is read whatever its name.
async fn single_file(
    location: &Location,
    selection: &Selection,
    place: &str,
) -> Result<Option<ObjectMeta>> {
    if selection.wildcards.is_some()
        || selection.base().is_root()
        || is_folder(location, selection.base())
    {
        return Ok(None);
    }
    match location.store.head(selection.base()).await {
        Ok(meta) => Ok((meta.size > 0 || location.local).then_some(meta)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_error(error, place)),
    }
}

/// Whether a path is an existing folder of the local file system.
fn is_folder(location: &Location, path: &Path) -> bool {
    location.local && std::path::Path::new(&location.display(path)).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(path: &str, pattern: Option<&str>, file: &str) -> bool {
        let selection = Selection::new(&Path::parse(path).unwrap(), pattern).unwrap();
        selection.contains(&Path::parse(file).unwrap(), "/")
    }

    #[test]
    fn hidden_files_and_folders_are_left_out_below_the_base_only() {
        assert!(selects("data", None, "data/a/b.json"));
        assert!(selects("data/.cache/in", None, "data/.cache/in/b.json"));
        assert!(!selects("data", None, "data/.part-1.inprogress"));
        assert!(!selects("data", None, "data/_SUCCESS"));
        assert!(!selects("data", None, "data/_temporary/0/b.json"));
        assert!(!selects("data", None, "database/a.json"));
    }

    #[test]
    fn wildcards_match_within_a_name() {
        assert!(selects("data/2026-*/x?.json", None, "data/2026-01/x1.json"));
        assert!(!selects("data/2026-*/x?.json", None, "data/2026-01/y/x1.json"));
        assert!(selects("data/2026-*", None, "data/2026-01/y/x1.json"));
        assert!(!selects("data/*.json", None, "data/a.jsonl"));
    }

    #[test]
    fn the_pattern_matches_the_whole_path() {
        assert!(selects("data", Some(".*/a[0-9]+\\.json"), "data/x/a12.json"));
        assert!(!selects("data", Some("a[0-9]+\\.json"), "data/x/a12.json"));
        assert!(Selection::new(&Path::from("data"), Some("(")).is_err());
    }
}
