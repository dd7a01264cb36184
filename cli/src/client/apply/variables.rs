//! Values of `${VAR}`: those that are defined, then those of the environment.

use tidegate_types::{Error, ErrorCode, Result};

use crate::run::substitute;

/// Where values come from.
pub(super) struct Variables {
    defined: Vec<(String, String)>,
    environment: fn(&str) -> Option<String>,
}

impl Variables {
    /// With `--define` over the environment.
    pub(super) fn new(
        defined: Vec<(String, String)>,
        environment: fn(&str) -> Option<String>,
    ) -> Self {
        Self { defined, environment }
    }

    /// A text with its variables replaced; `$${` stands for `${`. `place` says where something is, by its byte.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a variable that has no value, with its place.
    pub(super) fn replaced(&self, text: &str, place: impl Fn(usize) -> String) -> Result<String> {
        let mut known = self.defined.clone();
        let mut from = 0;
        while let Some(found) = text[from..].find("${") {
            let start = from + found;
            from = start + 2;
            if text[..start].ends_with('$') {
                continue;
            }
            let wrong = |message: String| {
                Error::new(ErrorCode::InvalidOption, format!("{}: {message}", place(start)))
            };
            let end = text[from..].find('}');
            let end = end.ok_or_else(|| wrong("'${' is not closed by '}'".to_owned()))?;
            let name = text[from..from + end].trim();
            if known.iter().any(|(key, _)| key == name) {
                continue;
            }
            let value = (self.environment)(name).ok_or_else(|| {
                wrong(format!("the variable '{name}' has no value")).help(format!(
                    "give it one: --define {name}=…, or {name} in the environment; write $${{ for ${{"
                ))
            })?;
            known.push((name.to_owned(), value));
        }
        substitute(text, &known)
    }
}

/// The line of a byte.
pub(super) fn line(text: &str, byte: usize) -> usize {
    text[..byte].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_defined_counts_over_the_environment_and_nothing_is_an_error() {
        let variables = Variables::new(vec![("A".to_owned(), "a".to_owned())], |name| {
            (name != "NONE").then(|| format!("env {name}"))
        });
        let replaced =
            |text: &str| variables.replaced(text, |at| format!("line {}", line(text, at)));
        assert_eq!(replaced("${A} ${ B } $${C}").unwrap(), "a env B ${C}");
        let error = replaced("x\n${NONE}").unwrap_err().to_string();
        assert!(error.contains("line 2: the variable 'NONE'"), "{error}");
        assert!(replaced("${A").is_err());
    }
}
