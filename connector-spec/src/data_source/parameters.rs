//! The parameters of a data source, read with their defaults; which of them are secret.

use std::collections::BTreeMap;

use tidegate_types::{Error, ErrorCode, Result};

use super::spec::{DataSourceSpec, ParameterSpec};
use crate::value;

type Values = BTreeMap<String, String>;

/// Parameters that [`super::check`] has found no fault with. A parameter whose condition does not
/// hold has no value, and neither has one that is empty.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    spec: &'static DataSourceSpec,
    values: &'a Values,
}

impl<'a> Parameters<'a> {
    /// Of a data source of a type.
    pub fn new(spec: &'static DataSourceSpec, values: &'a Values) -> Self {
        Self { spec, values }
    }

    /// The type.
    pub fn spec(&self) -> &'static DataSourceSpec {
        self.spec
    }

    /// All of them as written.
    pub fn values(&self) -> &'a Values {
        self.values
    }

    /// The value as written, without white space around it, or the default.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let parameter = self.spec.parameter(name)?;
        if !self.applies(parameter) {
            return None;
        }
        self.given(name).or(parameter.default)
    }

    /// The value or default of a parameter that cannot be done without.
    ///
    /// # Errors
    /// `INVALID_OPTION` if there is none.
    pub fn required(&self, name: &str) -> Result<&'a str> {
        self.text(name).ok_or_else(|| {
            let message = format!("a data source of type '{}' needs '{name}'", self.spec.name);
            Error::new(ErrorCode::InvalidOption, message)
        })
    }

    /// `true` or `false`; `false` if there is neither value nor default.
    pub fn boolean(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| value::boolean(name, text).unwrap_or(false))
    }

    /// A number of a port.
    ///
    /// # Errors
    /// `INVALID_OPTION` if there is none.
    pub fn port(&self) -> Result<u16> {
        let text = self.required("port")?;
        text.parse().map_err(|_| {
            Error::new(ErrorCode::InvalidOption, format!("'port': '{text}' is no port"))
        })
    }

    /// Whether the value is this word, in any case.
    pub fn is(&self, name: &str, word: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case(word))
    }

    /// The values of all secret parameters, for whoever keeps them out of messages.
    pub fn secrets(&self) -> impl Iterator<Item = &'a str> {
        let secret = self.spec.parameters.iter().filter(|parameter| parameter.secret);
        secret.filter_map(|parameter| self.given(parameter.name))
    }

    /// Whether a parameter has a meaning beside the others.
    pub(super) fn applies(&self, parameter: &ParameterSpec) -> bool {
        parameter.when.is_none_or(|when| {
            let value = self.text(when.parameter).unwrap_or_default();
            when.values.iter().any(|word| word.eq_ignore_ascii_case(value))
        })
    }

    /// What was written, without white space around it.
    pub(super) fn given(&self, name: &str) -> Option<&'a str> {
        let text = self.values.get(name)?.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// Parts parameters into those that may be shown and those that must not. A parameter that the type
/// does not have counts as secret: nobody knows what is in it.
pub fn split_secrets(spec: &'static DataSourceSpec, parameters: Values) -> (Values, Values) {
    parameters
        .into_iter()
        .partition(|(name, _)| spec.parameter(name).is_some_and(|parameter| !parameter.secret))
}
