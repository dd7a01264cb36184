//! What a plan remembers of a governed table: a table that the script names and the catalog defines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a governed table comes from, and how the plan uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Governed {
    /// Resource name, the same in every environment: `projects/p/databases/d/tables/t`.
    pub reference: String,
    /// Digest of what its definition said of its rows when the plan was made, as the planner computes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema_digest: String,
    /// Options that the statement itself gave by a hint; they stand over those of any environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, String>,
    /// Columns that are read through a mask, by their names. Of a table that is written there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub masks: BTreeMap<String, Mask>,
}

/// What stands in the place of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// NULL of the column's type.
    Null,
    /// CHAR, VARCHAR: the SHA-256 digest of the text in UTF-8, 64 hexadecimal digits, as STRING. Other types: NULL.
    Hash,
    /// CHAR, VARCHAR: the first and the last characters, a `*` for each between: a quarter of the characters at each
    /// end, at most three, so that a text of three is all stars. Other types: NULL.
    Partial,
}

impl Mask {
    /// All masks, from the strictest on.
    pub const ALL: [Self; 3] = [Self::Null, Self::Hash, Self::Partial];

    /// Its name: `null`, `hash`, `partial`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Hash => "hash",
            Self::Partial => "partial",
        }
    }

    /// The mask of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mask| mask.name() == name)
    }
}
