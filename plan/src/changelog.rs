//! Row kinds and changelog modes: what changes an edge of the plan may carry.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kind of a change. The numbers are the wire and file encoding (one `Int8` per row) and Flink's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(i8)]
pub enum RowKind {
    /// `+I`: a new row.
    Insert = 0,
    /// `-U`: the old content of an updated row.
    UpdateBefore = 1,
    /// `+U`: the new content of an updated row.
    UpdateAfter = 2,
    /// `-D`: a deleted row.
    Delete = 3,
}

impl RowKind {
    /// The kind of an encoded byte, if it is one.
    pub fn from_i8(value: i8) -> Option<Self> {
        Some(match value {
            0 => Self::Insert,
            1 => Self::UpdateBefore,
            2 => Self::UpdateAfter,
            3 => Self::Delete,
            _ => return None,
        })
    }

    /// Flink's short form, such as `+I`.
    pub fn short(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// Which kinds of change an edge carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangelogMode {
    /// Inserts only; batches carry no row kinds.
    #[default]
    Append,
    /// Inserts, updates with both images, deletes.
    Retract,
    /// Inserts, updates (new image only) and deletes by upsert key.
    Upsert,
}

impl fmt::Display for ChangelogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "[I]",
            Self::Retract => "[I,UB,UA,D]",
            Self::Upsert => "[I,UA,D]",
        })
    }
}
