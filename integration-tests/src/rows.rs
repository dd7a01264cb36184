//! Output of the product as rows of text: JSON lines, CSV and Parquet files. Readers of our own, so
//! that the product's do not judge its writers; numbers keep every digit.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::compare::Row;
use crate::folder::visible_files;

/// The members of a flat JSON object in their order; numbers as they are written.
///
/// # Errors
/// If the text is no JSON object, or has arrays or objects in it.
pub fn members(line: &str) -> Result<Vec<(String, Option<String>)>> {
    let mut scanner = Scanner { rest: line.trim() };
    let members = scanner.object().with_context(|| format!("read JSON object {line}"))?;
    ensure!(scanner.rest.is_empty(), "something follows the JSON object {line}");
    Ok(members)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn object(&mut self) -> Result<Vec<(String, Option<String>)>> {
        let mut members = Vec::new();
        self.expect('{')?;
        if self.take('}') {
            return Ok(members);
        }
        loop {
            let name = self.string()?;
            self.expect(':')?;
            members.push((name, self.value()?));
            if self.take('}') {
                return Ok(members);
            }
            self.expect(',')?;
        }
    }

    fn value(&mut self) -> Result<Option<String>> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.string().map(Some);
        }
        let word = self.until(|c| ",}] \t".contains(c));
        ensure!(
            !word.is_empty() && !word.starts_with(['{', '[']),
            "a flat value is expected at {}",
            self.rest
        );
        Ok((word != "null").then(|| word.to_owned()))
    }

    fn string(&mut self) -> Result<String> {
        self.rest = self.rest.trim_start();
        ensure!(self.rest.starts_with('"'), "a string is expected at {}", self.rest);
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or_else(|| anyhow!("a string does not end"))?;
        let (literal, rest) = self.rest.split_at(end + 1);
        self.rest = rest;
        serde_json::from_str(literal).with_context(|| format!("read string {literal}"))
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn take(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<()> {
        ensure!(self.take(c), "'{c}' is expected at {}", self.rest);
        Ok(())
    }
}

/// A JSON object as a row of these columns; an absent one is NULL.
///
/// # Errors
/// As [`members`]; or if there are other members.
pub fn json_row(line: &str, columns: &[String]) -> Result<Row> {
    let mut row: Row = vec![None; columns.len()];
    for (name, value) in members(line)? {
        let index = columns.iter().position(|column| *column == name);
        row[index.ok_or_else(|| anyhow!("unexpected member '{name}' in {line}"))?] = value;
    }
    Ok(row)
}

/// Rows of all visible JSON files below a folder.
///
/// # Errors
/// If a file is incomplete or holds something else.
pub fn json_folder(root: &Path, columns: &[String]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (_, text) in text_files(root)? {
        for line in text.lines() {
            rows.push(json_row(line, columns)?);
        }
    }
    Ok(rows)
}

/// Visible text files below a folder, each ending in a line end.
///
/// # Errors
/// If one does not.
pub fn text_files(root: &Path) -> Result<Vec<(std::path::PathBuf, String)>> {
    let mut files = Vec::new();
    for path in visible_files(root)? {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        ensure!(
            text.is_empty() || text.ends_with('\n'),
            "{} ends in the middle of a line",
            path.display()
        );
        files.push((path, text));
    }
    Ok(files)
}

/// The fields of a CSV line; an empty one is NULL.
pub fn csv_row(line: &str) -> Row {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, quoted) {
            ('"', true) if characters.peek() == Some(&'"') => {
                characters.next();
                fields.last_mut().expect("there is a field").push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => fields.push(String::new()),
            (c, _) => fields.last_mut().expect("there is a field").push(c),
        }
    }
    fields.into_iter().map(|field| (!field.is_empty()).then_some(field)).collect()
}

/// Rows of a Parquet file, all columns.
///
/// # Errors
/// If the file is no whole Parquet file.
pub fn parquet_rows(path: &Path) -> Result<Vec<Row>> {
    let file = std::fs::File::open(path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .with_context(|| format!("read {}", path.display()))?;
    let mut rows = Vec::new();
    for batch in reader {
        rows.extend(batch_rows(&batch?)?);
    }
    Ok(rows)
}

/// The rows of a batch.
///
/// # Errors
/// If a type cannot be written as text.
pub fn batch_rows(batch: &RecordBatch) -> Result<Vec<Row>> {
    let options = FormatOptions::default();
    let columns =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns: Vec<ArrayFormatter<'_>> = columns.collect::<Result<_, _>>()?;
    let cell = |column: usize, row: usize| {
        let valid = batch.column(column).is_valid(row);
        valid.then(|| columns[column].value(row).try_to_string()).transpose()
    };
    let row = |row| (0..columns.len()).map(|column| cell(column, row)).collect::<Result<Row, _>>();
    Ok((0..batch.num_rows()).map(row).collect::<Result<_, _>>()?)
}

/// The value that a path's folder `<column>=<value>` stands for.
pub fn partition_value(path: &Path, column: &str) -> Option<String> {
    let folders =
        path.iter().filter_map(|part| part.to_str()).filter_map(|part| part.split_once('='));
    let value = folders.filter(|(name, _)| *name == column).map(|(_, value)| value).next_back()?;
    (value != "__DEFAULT_PARTITION__").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_numbers_keep_their_digits() {
        let line = r#"{"a": 1.50,"b":"x\"}y" , "c":null,"d":true}"#;
        let names: Vec<String> = ["d", "c", "b", "a"].map(str::to_owned).to_vec();
        let text = |s: &str| Some(s.to_owned());
        assert_eq!(
            json_row(line, &names).unwrap(),
            [text("true"), None, text("x\"}y"), text("1.50")]
        );
        assert_eq!(members("{}").unwrap(), []);
        for wrong in ["", "{", r#"{"a":}"#, r#"{"a":1"#, r#"{"a":[1]}"#, "{} {}"] {
            assert!(members(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn csv_quotes() {
        let text = |s: &str| Some(s.to_owned());
        assert_eq!(csv_row(r#"1,"a,""b""",,x"#), [text("1"), text("a,\"b\""), None, text("x")]);
    }

    #[test]
    fn partitions_are_read_from_the_path() {
        assert_eq!(partition_value(Path::new("/o/k=a/part-1"), "k"), Some("a".to_owned()));
        assert_eq!(partition_value(Path::new("/o/k=__DEFAULT_PARTITION__/p"), "k"), None);
    }
}
