//! Changes as they were written, one after the other, and the table that they end in. Replayed strictly:
//! what is taken back must be there, and where there is a key no two rows may ever share it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, ensure};

use crate::compare::Row;
use crate::rows::{json_row, text_files};

/// A change: whether the row is added, else it is taken back; and the row.
pub type Change = (bool, Row);

/// The changes of all visible `debezium-json` files below a folder that one subtask wrote, in the order
/// in which they were written.
///
/// # Errors
/// If a file is incomplete or holds something else.
pub fn changes(root: &Path, columns: &[String]) -> Result<Vec<Change>> {
    Ok(files(root, columns)?.concat())
}

/// As [`changes`], by file. A file ends where a checkpoint made it visible, or the input ended.
///
/// # Errors
/// As [`changes`].
pub fn files(root: &Path, columns: &[String]) -> Result<Vec<Vec<Change>>> {
    let mut files = Vec::new();
    for (path, text) in text_files(root)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (attempt, number) =
            name.rsplit_once('-').ok_or_else(|| anyhow!("{name} has no number"))?;
        let number: u64 = number.parse().with_context(|| format!("the number of {name}"))?;
        let written = std::fs::metadata(&path)?.modified()?;
        files.push((attempt.to_owned(), number, written, text));
    }
    // Files of one attempt are numbered; attempts follow each other in time.
    let mut begun: HashMap<String, SystemTime> = HashMap::new();
    for (attempt, _, written, _) in &files {
        let first = begun.entry(attempt.clone()).or_insert(*written);
        *first = (*first).min(*written);
    }
    files.sort_by_key(|(attempt, number, _, _)| (begun[attempt], *number));
    let read = |text: &String| text.lines().map(|line| change(line, columns)).collect();
    files.iter().map(|(_, _, _, text)| read(text)).collect()
}

/// One line: a creation or a deletion.
fn change(line: &str, columns: &[String]) -> Result<Change> {
    let created = line
        .strip_prefix("{\"before\":null,\"after\":")
        .and_then(|rest| rest.strip_suffix(",\"op\":\"c\"}"));
    let deleted = line
        .strip_prefix("{\"before\":")
        .and_then(|rest| rest.strip_suffix(",\"after\":null,\"op\":\"d\"}"));
    let (added, row) = match (created, deleted) {
        (Some(row), _) => (true, row),
        (_, Some(row)) => (false, row),
        _ => return Err(anyhow!("neither a creation nor a deletion: {line}")),
    };
    Ok((added, json_row(row, columns)?))
}

/// The table that changes end in.
///
/// # Errors
/// With the first change that cannot be.
pub fn replay(changes: &[Change], key: Option<&[usize]>) -> Result<Vec<Row>> {
    let mut table: BTreeMap<&Row, usize> = BTreeMap::new();
    let mut keys: HashMap<Vec<&Option<String>>, usize> = HashMap::new();
    for (index, (added, row)) in changes.iter().enumerate() {
        if let Some(key) = key {
            let count = keys.entry(key.iter().map(|place| &row[*place]).collect()).or_default();
            ensure!(
                !added || *count == 0,
                "change {index} adds {row:?}, whose key is there already"
            );
            *count = if *added { 1 } else { count.saturating_sub(1) };
        }
        let count = table.entry(row).or_default();
        ensure!(*added || *count > 0, "change {index} takes back {row:?}, which is not there");
        *count = if *added { *count + 1 } else { *count - 1 };
    }
    let rows = table.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row.clone(), count));
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str]) -> Row {
        values.iter().map(|value| Some((*value).to_owned())).collect()
    }

    #[test]
    fn lines_are_creations_and_deletions() {
        let columns = ["k".to_owned(), "n".to_owned()];
        let of = |line: &str| change(line, &columns);
        let created = of(r#"{"before":null,"after":{"k":"a,\"}","n":1},"op":"c"}"#).unwrap();
        assert_eq!(created, (true, row(&["a,\"}", "1"])));
        let deleted = of(r#"{"before":{"k":"a"},"after":null,"op":"d"}"#).unwrap();
        assert_eq!(deleted, (false, vec![Some("a".to_owned()), None]));
        assert!(of(r#"{"before":{"k":"a"},"after":{"k":"a"},"op":"u"}"#).is_err());
    }

    #[test]
    fn what_cannot_be_is_found() {
        let (a, b, other) = (row(&["a", "1"]), row(&["b", "1"]), row(&["a", "2"]));
        let ends = |changes: &[Change], key: Option<&[usize]>| replay(changes, key);
        let changes =
            [(true, a.clone()), (true, b.clone()), (false, a.clone()), (true, other.clone())];
        assert_eq!(ends(&changes, Some(&[0])).unwrap(), [other.clone(), b]);
        assert!(ends(&[(false, a.clone())], None).is_err());
        assert!(ends(&[(true, a.clone()), (true, other.clone())], None).is_ok());
        assert!(ends(&[(true, a), (true, other)], Some(&[0])).is_err());
    }
}
