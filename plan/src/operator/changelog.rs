//! Operators between changes and rows that say what changes they are.

use serde::{Deserialize, Serialize};

use crate::changelog::RowKind;

/// Makes inserted rows of changes: `TO_CHANGELOG`.
///
/// Output: the code of the change (STRING), then the input's columns. A change without a code is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToChangelog {
    /// The code of each kind of change that has one.
    pub codes: Vec<ChangeCode>,
}

/// Makes changes of inserted rows: `FROM_CHANGELOG`.
///
/// Output: the input's columns without that of the code. A row whose code is NULL or not among `codes` fails
/// the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromChangelog {
    /// The column of the code, a text.
    pub column: usize,
    /// What each code stands for; each stands once.
    pub codes: Vec<ChangeCode>,
}

/// A text that stands for a kind of change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCode {
    /// The text.
    pub code: String,
    /// The kind.
    pub kind: RowKind,
}

impl ToChangelog {
    /// The code of a kind of change, if it has one.
    pub fn code(&self, kind: RowKind) -> Option<&str> {
        self.codes.iter().find(|code| code.kind == kind).map(|code| code.code.as_str())
    }
}
