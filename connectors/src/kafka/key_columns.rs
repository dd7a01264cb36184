//! Which columns the key of a record holds, and which its value.

use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::by_key::{check_key, is_by_key};

/// The columns that keys and values hold.
#[derive(Debug, Clone)]
pub(super) struct KeyColumns {
    /// The key's columns, as the key's format names them, in the order of `key.fields`.
    pub(super) key: Vec<Field>,
    /// For each of them its name in the table.
    pub(super) names: Vec<String>,
    /// The value's columns, as declared.
    pub(super) value: Vec<Field>,
    /// Whether the value lacks the key's columns (`EXCEPT_KEY`).
    pub(super) except_key: bool,
}

impl KeyColumns {
    /// Splits physical columns by `key.fields` (of a table by key: its primary key), `key.fields-prefix` and
    /// `value.fields-include`.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a key field that is no column, or lacks the prefix.
    pub(super) fn new(
        options: &Options,
        columns: &[Field],
        primary_key: &[String],
    ) -> Result<Self> {
        let by_key = is_by_key(options);
        check_key(options, primary_key)?;
        let names: Vec<String> = if by_key {
            primary_key.to_vec()
        } else {
            options.list("key.fields").into_iter().map(str::to_owned).collect()
        };
        let said_by = if by_key { "the PRIMARY KEY" } else { "option 'key.fields'" };
        let prefix = options.text("key.fields-prefix").unwrap_or_default();
        let mut key = Vec::with_capacity(names.len());
        for name in &names {
            let Some(column) = columns.iter().find(|column| column.name == *name) else {
                let all: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                let message =
                    format!("{said_by} names '{name}', which is no physical column of the table");
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help(format!("its columns are {}", all.join(", "))));
            };
            let Some(short) = name.strip_prefix(prefix) else {
                let message = format!(
                    "{said_by} names '{name}', which does not begin with the prefix '{prefix}' of 'key.fields-prefix'"
                );
                return Err(Error::new(ErrorCode::InvalidOption, message));
            };
            key.push(Field::new(short, column.ty.clone()));
        }
        let include = options.text("value.fields-include").unwrap_or("ALL");
        let except_key = include.eq_ignore_ascii_case("EXCEPT_KEY");
        let in_value = |column: &&Field| !(except_key && names.contains(&column.name));
        let value: Vec<_> = columns.iter().filter(in_value).cloned().collect();
        Ok(Self { key, names, value, except_key })
    }
}
