//! Typed access to the options of a table, with the defaults of its connector and formats.
//!
//! Parsing of values is in `value.rs`, the list of options in `connector/` and `format.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_types::{Error, ErrorCode, Result};

use crate::spec::{ConnectorSpec, FormatSpec, OptionSpec, Projection};
use crate::value;

/// The options of a table, and what its connector says about them.
#[derive(Debug, Clone)]
pub struct Options {
    connector: &'static ConnectorSpec,
    values: BTreeMap<String, String>,
}

impl Options {
    /// Wraps options that [`crate::validate`] has accepted.
    ///
    /// # Errors
    /// `INVALID_OPTION` if `connector` is missing or unknown.
    pub fn new(values: BTreeMap<String, String>) -> Result<Self> {
        let connector = crate::validate::named_connector(&values)?;
        Ok(Self { connector, values })
    }

    /// The connector that the options name.
    pub fn connector(&self) -> &'static ConnectorSpec {
        self.connector
    }

    /// The value as written, or the default.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(value) => Some(value),
            None => crate::lookup::find(self.connector.options, key).and_then(|spec| spec.default),
        }
    }

    /// The value as written; no default.
    pub fn explicit(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The value or default of an option that cannot be done without.
    ///
    /// # Errors
    /// `INVALID_OPTION` if there is none.
    pub fn required(&self, key: &str) -> Result<&str> {
        self.text(key).ok_or_else(|| {
            let connector = self.connector.name;
            let message = format!("connector '{connector}' needs the option '{key}'");
            Error::new(ErrorCode::InvalidOption, message)
        })
    }

    /// An integer.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub fn integer(&self, key: &str) -> Result<Option<i64>> {
        self.text(key).map(|text| value::integer(key, text)).transpose()
    }

    /// A floating-point number.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not a finite one.
    pub fn float(&self, key: &str) -> Result<Option<f64>> {
        self.text(key).map(|text| value::float(key, text)).transpose()
    }

    /// `true` or `false`; `false` if there is neither value nor default.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is neither.
    pub fn boolean(&self, key: &str) -> Result<bool> {
        self.text(key).map_or(Ok(false), |text| value::boolean(key, text))
    }

    /// A duration such as `10 s`, `500 ms`, `PT10S`.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>> {
        self.text(key).map(|text| value::duration(key, text)).transpose()
    }

    /// An amount of memory such as `64 mb`, in bytes.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub fn memory_size(&self, key: &str) -> Result<Option<u64>> {
        self.text(key).map(|text| value::memory_size(key, text)).transpose()
    }

    /// The parts of a list, split at `;`, trimmed.
    pub fn list(&self, key: &str) -> Vec<&str> {
        let parts = self.text(key).into_iter().flat_map(|text| text.split(';'));
        parts.map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    /// The options below a prefix such as `properties.`, keys without it.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values.iter().filter_map(move |(key, value)| {
            key.strip_prefix(prefix).map(|rest| (rest, value.as_str()))
        })
    }

    /// All options as written.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// The format of the rows' values: `format` or `value.format`.
    ///
    /// # Errors
    /// `INVALID_OPTION` if neither is there, or the format is unknown.
    pub fn value_format(&self) -> Result<FormatOptions> {
        let prefix = if self.values.contains_key("value.format") { "value." } else { "" };
        let name = self.required(&format!("{prefix}format"))?;
        self.format_options(name, prefix)
    }

    /// The format of the rows' keys, if `key.format` is there.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the format is unknown.
    pub fn key_format(&self) -> Result<Option<FormatOptions>> {
        self.explicit("key.format").map(|name| self.format_options(name, "key.")).transpose()
    }

    /// What a source with these options can leave out of the rows.
    ///
    /// # Errors
    /// `INVALID_OPTION` if a format is missing or unknown.
    pub fn projection(&self) -> Result<Projection> {
        let mut projection = self.connector.projection;
        if !self.connector.formats.is_empty() {
            projection = projection.min(self.value_format()?.spec.projection);
        }
        if let Some(key) = self.key_format()? {
            projection = projection.min(key.spec.projection);
        }
        Ok(projection)
    }

    fn format_options(&self, name: &str, prefix: &str) -> Result<FormatOptions> {
        let spec = crate::format(name)
            .ok_or_else(|| crate::validate::unknown_format(name, self.connector))?;
        let prefix = format!("{prefix}{name}.");
        let values = self.with_prefix(&prefix).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Ok(FormatOptions { spec, prefix, values })
    }
}

/// The options of one format of a table; keys are without prefix (`ignore-parse-errors`).
#[derive(Debug, Clone)]
pub struct FormatOptions {
    spec: &'static FormatSpec,
    prefix: String,
    values: BTreeMap<String, String>,
}

impl FormatOptions {
    /// A format with options given without prefix: for tests and previews.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the format is unknown.
    pub fn new(name: &str, values: &[(&str, &str)]) -> Result<Self> {
        let spec = crate::format(name).ok_or_else(|| {
            Error::new(ErrorCode::InvalidOption, format!("there is no format '{name}'"))
        })?;
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Ok(Self { spec, prefix: format!("{name}."), values })
    }

    /// The format's name, such as `json`.
    pub fn name(&self) -> &'static str {
        self.spec.name
    }

    /// Whether the format has such an option at all.
    pub fn knows(&self, key: &str) -> bool {
        self.option(key).is_some()
    }

    /// The full key of an option as written in `WITH`, for messages.
    pub fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The value as written, or the default.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(value) => Some(value),
            None => self.option(key).and_then(|spec| spec.default),
        }
    }

    /// The keys below a prefix such as `properties.`, without it.
    pub fn keys_below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.keys().filter_map(move |key| key.strip_prefix(prefix))
    }

    /// With a value for a key that has none.
    #[must_use]
    pub fn or_with(mut self, key: &str, value: impl FnOnce() -> String) -> Self {
        if self.text(key).is_none() {
            self.values.insert(key.to_owned(), value());
        }
        self
    }

    /// `true` or `false`; `false` if there is neither value nor default.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is neither.
    pub fn boolean(&self, key: &str) -> Result<bool> {
        self.text(key).map_or(Ok(false), |text| value::boolean(&self.full_key(key), text))
    }

    /// A single ASCII character; escapes such as `\t` and `\u0001` are understood.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub fn character(&self, key: &str) -> Result<Option<u8>> {
        self.text(key).map(|text| value::character(&self.full_key(key), text)).transpose()
    }

    /// An integer.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is not one.
    pub fn integer(&self, key: &str) -> Result<Option<i64>> {
        self.text(key).map(|text| value::integer(&self.full_key(key), text)).transpose()
    }

    fn option(&self, key: &str) -> Option<&'static OptionSpec> {
        crate::lookup::find(self.spec.options, key)
    }
}
