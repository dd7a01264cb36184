//! Row kinds and changelog modes: what changes an edge of the plan may carry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

    /// Whether an encoded kind adds a row (`+I`, `+U`) instead of taking one back.
    #[inline]
    pub fn adds(kind: i8) -> bool {
        kind & 1 == 0
    }

    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Insert, Self::UpdateBefore, Self::UpdateAfter, Self::Delete];

    /// Flink's name, such as `INSERT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::UpdateBefore => "UPDATE_BEFORE",
            Self::UpdateAfter => "UPDATE_AFTER",
            Self::Delete => "DELETE",
        }
    }

    /// The kind of Flink's name, if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
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

/// How an edge carries updates of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Updates {
    /// There are none.
    #[default]
    None,
    /// `+U` only: readers find the old row by the upsert key.
    After,
    /// `-U` with the old content, then `+U`.
    BeforeAndAfter,
}

/// Which kinds of change an edge carries; inserts always are among them.
///
/// Shown and stored as Flink shows it: `I,UB,UA,D`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ChangelogMode {
    /// Updates.
    pub updates: Updates,
    /// Whether rows are deleted (`-D`).
    pub deletes: bool,
}

impl ChangelogMode {
    /// `[I]`: batches carry no row kinds.
    pub const APPEND: Self = Self { updates: Updates::None, deletes: false };
    /// `[I,UB,UA,D]`
    pub const RETRACT: Self = Self { updates: Updates::BeforeAndAfter, deletes: true };
    /// `[I,UA,D]`
    pub const UPSERT: Self = Self { updates: Updates::After, deletes: true };

    /// Whether nothing but inserts comes.
    pub fn is_append(self) -> bool {
        self == Self::APPEND
    }

    /// Whether an update comes without the old content.
    pub fn is_upsert(self) -> bool {
        self.updates == Updates::After
    }

    /// Whether rows are taken back by their whole content: a reader that keeps rows may look for them.
    pub fn retracts(self) -> bool {
        self.updates == Updates::BeforeAndAfter || self.deletes
    }
}

impl fmt::Display for ChangelogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("I")?;
        f.write_str(match self.updates {
            Updates::None => "",
            Updates::After => ",UA",
            Updates::BeforeAndAfter => ",UB,UA",
        })?;
        f.write_str(if self.deletes { ",D" } else { "" })
    }
}

impl FromStr for ChangelogMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (updates, deletes) = match text {
            // Plans of the first release have the one name.
            "I" | "append" => (Updates::None, false),
            "I,D" => (Updates::None, true),
            "I,UA" => (Updates::After, false),
            "I,UA,D" => (Updates::After, true),
            "I,UB,UA" => (Updates::BeforeAndAfter, false),
            "I,UB,UA,D" => (Updates::BeforeAndAfter, true),
            _ => return Err(format!("'{text}' is no changelog mode")),
        };
        Ok(Self { updates, deletes })
    }
}

impl Serialize for ChangelogMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChangelogMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_what_they_show() {
        for updates in [Updates::None, Updates::After, Updates::BeforeAndAfter] {
            for deletes in [false, true] {
                let mode = ChangelogMode { updates, deletes };
                assert_eq!(mode.to_string().parse::<ChangelogMode>().unwrap(), mode);
            }
        }
        assert_eq!(ChangelogMode::RETRACT.to_string(), "I,UB,UA,D");
        assert!("I,UB".parse::<ChangelogMode>().is_err());
    }
}
