//! The `fields.<column>.<what>` options, by column path, and which of them nobody asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_connector_spec::{Options, value};
use tidegate_types::{Error, ErrorCode, Result};

/// What can be said of a column.
const KNOWN: [&str; 9] =
    ["kind", "min", "max", "max-past", "length", "var-len", "start", "end", "null-rate"];

/// Reads options of fields and remembers which ones were read.
pub(super) struct FieldOptions<'a> {
    options: &'a Options,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> FieldOptions<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Self { options, used: RefCell::new(BTreeSet::new()) }
    }

    /// The text of an option as written.
    pub(super) fn text(&self, path: &str, what: &str) -> Option<&'a str> {
        let key = key(path, what);
        let text = self.options.explicit(&key);
        self.used.borrow_mut().insert(key);
        text
    }

    /// An integer.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub(super) fn integer(&self, path: &str, what: &str) -> Result<Option<i64>> {
        self.text(path, what).map(|text| value::integer(&key(path, what), text)).transpose()
    }

    /// A finite number.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub(super) fn float(&self, path: &str, what: &str) -> Result<Option<f64>> {
        self.text(path, what).map(|text| value::float(&key(path, what), text)).transpose()
    }

    /// `true` or `false`; `false` without the option.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is neither.
    pub(super) fn boolean(&self, path: &str, what: &str) -> Result<bool> {
        self.text(path, what).map_or(Ok(false), |text| value::boolean(&key(path, what), text))
    }

    /// A duration.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub(super) fn duration(&self, path: &str, what: &str) -> Result<Option<Duration>> {
        self.text(path, what).map(|text| value::duration(&key(path, what), text)).transpose()
    }

    /// Checks that every option of a field was asked for by a column.
    ///
    /// # Errors
    /// `INVALID_OPTION` naming the first that was not.
    pub(super) fn check_all_used(&self) -> Result<()> {
        let used = self.used.borrow();
        let stray = self
            .options
            .values()
            .keys()
            .find(|key| key.starts_with("fields.") && !used.contains(*key));
        let Some(key) = stray else { return Ok(()) };
        let column = key
            .strip_prefix("fields.")
            .and_then(|rest| rest.rsplit_once('.'))
            .map_or("", |(path, _)| path);
        let about_column = used.iter().any(|other| other.starts_with(&format!("fields.{column}.")));
        let message = if about_column {
            format!("option '{key}' has no effect on a column of this type or kind")
        } else {
            format!("option '{key}': there is no column '{column}'")
        };
        Err(Error::new(ErrorCode::InvalidOption, message)
            .help(format!("options of a column are {}", KNOWN.join(", "))))
    }
}

/// The full key of an option.
pub(super) fn key(path: &str, what: &str) -> String {
    format!("fields.{path}.{what}")
}
