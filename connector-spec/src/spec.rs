//! The types in which connectors, formats and their options are described.

use tidegate_types::SqlType;

/// Text in the console's two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

/// How a table is used in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is read.
    Source,
    /// It is written.
    Sink,
}

/// In which roles an option has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// Only for reading.
    Source,
    /// Only for writing.
    Sink,
    /// For both.
    Both,
}

/// In which roles an option must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// In none.
    No,
    /// For reading.
    Source,
    /// For writing.
    Sink,
    /// For both.
    Both,
}

impl Required {
    /// Whether the role needs the option.
    pub fn by(self, role: Role) -> bool {
        match self {
            Self::No => false,
            Self::Source => role == Role::Source,
            Self::Sink => role == Role::Sink,
            Self::Both => true,
        }
    }
}

/// What the text of an option must look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptionKind {
    /// Anything.
    Text,
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A finite number.
    Float {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// `true` or `false`.
    Boolean,
    /// `10 s`, `500 ms`, `PT10S`.
    Duration,
    /// `64 mb`.
    MemorySize,
    /// One of some words; case does not matter.
    Enum(&'static [&'static str]),
    /// Parts separated by `;`.
    List,
    /// `key:value` pairs separated by `,`.
    Map,
    /// One ASCII character, or an escape such as `\t`.
    Character,
}

/// Values of a known option that this version does not act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported {
    /// The values that are fine; empty: none is.
    pub except: &'static [&'static str],
    /// Why, and what to do instead.
    pub reason: &'static str,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionSpec {
    /// The key. `properties.*` stands for every key with that prefix, `#` in the middle for any name.
    pub key: &'static str,
    /// What values look like.
    pub kind: OptionKind,
    /// The value that holds without the option.
    pub default: Option<&'static str>,
    /// Who needs it.
    pub required: Required,
    /// Whether the value must be kept out of logs, plans and answers.
    pub secret: bool,
    /// Who acts on it.
    pub roles: Roles,
    /// What it does.
    pub help: Text,
    /// What of it is refused.
    pub unsupported: Option<Unsupported>,
}

impl OptionSpec {
    /// An optional, public option for both roles.
    pub(crate) const fn new(
        key: &'static str,
        kind: OptionKind,
        en: &'static str,
        zh: &'static str,
    ) -> Self {
        Self {
            key,
            kind,
            default: None,
            required: Required::No,
            secret: false,
            roles: Roles::Both,
            help: Text { en, zh },
            unsupported: None,
        }
    }

    /// With a default.
    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// Needed by some roles.
    pub(crate) const fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    /// Secret.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Only for reading.
    pub(crate) const fn source(mut self) -> Self {
        self.roles = Roles::Source;
        self
    }

    /// Only for writing.
    pub(crate) const fn sink(mut self) -> Self {
        self.roles = Roles::Sink;
        self
    }

    /// Known, but refused unless the value is among `except`.
    pub(crate) const fn unsupported(
        mut self,
        except: &'static [&'static str],
        reason: &'static str,
    ) -> Self {
        self.unsupported = Some(Unsupported { except, reason });
        self
    }
}

/// A column that a connector fills from, or writes to, what surrounds a record.
#[derive(Debug, Clone, Copy)]
pub struct MetadataSpec {
    /// The name in `METADATA FROM 'key'`.
    pub key: &'static str,
    /// Its type; a declared column may have any type that this one casts to (reading) or from (writing).
    pub ty: fn() -> SqlType,
    /// Whether a source gives it.
    pub readable: bool,
    /// Whether a sink takes it.
    pub writable: bool,
    /// What it is.
    pub help: Text,
}

/// How much of a row a source can leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Nothing: all columns are read.
    None,
    /// Whole columns.
    Columns,
    /// Columns, and fields of ROW columns at any depth.
    Nested,
}

/// A connector.
#[derive(Debug, Clone, Copy)]
pub struct ConnectorSpec {
    /// The value of `connector`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it connects to.
    pub summary: Text,
    /// Whether it can be read.
    pub source: bool,
    /// Whether it can be written.
    pub sink: bool,
    /// Its formats; empty: it has none.
    pub formats: &'static [&'static str],
    /// Its own options; those of formats and the common ones of sources come on top.
    pub options: &'static [OptionSpec],
    /// Its metadata columns.
    pub metadata: &'static [MetadataSpec],
    /// What a source can leave out at best; a format may be able to do less, see
    /// [`crate::Options::projection`].
    pub projection: Projection,
    /// Columns on which a source applies simple conditions itself (`=`, `IN`, ranges, constants).
    pub filter_columns: &'static [&'static str],
    /// What reading it gives and writing it takes; a format may raise both to everything, see
    /// [`crate::changes`].
    pub changes: Changes,
    /// Whether rows can be looked up by key (`JOIN … FOR SYSTEM_TIME AS OF`).
    pub looks_up: bool,
}

impl ConnectorSpec {
    /// The metadata column with a key.
    pub fn metadata(&self, key: &str) -> Option<&'static MetadataSpec> {
        self.metadata.iter().find(|spec| spec.key == key)
    }
}

/// Which changes a table's rows come with, or can be written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changes {
    /// Inserted rows only.
    Append,
    /// New content and deletes, by the table's primary key.
    Upsert,
    /// New content of updated rows without the old, and deletes; no key is needed.
    WithoutOld,
    /// Inserts, updates with the old and the new content, deletes.
    All,
}

/// A record format.
#[derive(Debug, Clone, Copy)]
pub struct FormatSpec {
    /// The value of `format`, and the prefix of its options.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is.
    pub summary: Text,
    /// Its options, keys without the prefix.
    pub options: &'static [OptionSpec],
    /// What its decoder can leave out.
    pub projection: Projection,
    /// Whether its records say which kind of change they are.
    pub changelog: bool,
    /// What its records say beside the row, see [`crate::metadata`].
    pub metadata: &'static [MetadataSpec],
}
