//! What applying a command answers.

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode};

use crate::name::ResourceName;

/// A command was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// What was created or changed; for new versions and runs it has their number.
    pub name: ResourceName,
    /// The revision of the catalog after it, which is also that of what was changed.
    pub revision: u64,
}

/// A command was refused and changed nothing. The form of an [`Error`] that goes over wires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Its code.
    pub code: ErrorCode,
    /// What was refused and why.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What is wrong with which field of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let help = error.help_text().map(str::to_owned);
        let fields = error.fields().iter().map(|one| (one.field.clone(), one.message.clone()));
        Self { code: error.code(), message: error.summary(), help, fields: fields.collect() }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(refusal.code, refusal.message);
        let fields = refusal.fields.into_iter();
        let error = fields.fold(error, |error, (field, why)| error.field(field, why));
        match refusal.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_wire() {
        let error = Error::new(ErrorCode::Fenced, "too old").help("do nothing").context("save x");
        let error = error.field("a.b", "is odd");
        let refusal = Refusal::from(error.clone());
        assert_eq!(refusal.message, "save x: too old");
        let back = Error::from(refusal);
        assert_eq!((back.code(), back.to_string()), (error.code(), error.to_string()));
    }
}
