//! More options of the tables of a benchmark, from the command line: to compare settings without another build.

use anyhow::{Context, Result, ensure};

/// `KEY=VALUE` of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableOption {
    key: String,
    value: String,
}

impl TableOption {
    /// Reads `KEY=VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (key, value) = text.split_once('=').context("a table's option is KEY=VALUE")?;
        ensure!(!key.is_empty(), "a table's option is KEY=VALUE");
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

/// The options as they stand in `WITH (…)`, behind others.
pub(crate) fn clauses(options: &[TableOption]) -> String {
    let clause = |TableOption { key, value }: &TableOption| {
        format!(", '{}' = '{}'", key.replace('\'', "''"), value.replace('\'', "''"))
    };
    options.iter().map(clause).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_clauses() {
        let option = TableOption::parse("properties.linger.ms=it's").unwrap();
        assert_eq!(clauses(&[option]), ", 'properties.linger.ms' = 'it''s'");
        assert!(TableOption::parse("linger").is_err() && TableOption::parse("=1").is_err());
    }
}
