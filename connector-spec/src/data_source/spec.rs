//! The types in which data sources and their parameters are described.

use crate::spec::{OptionKind, Text};

/// A type of data source.
#[derive(Debug, Clone, Copy)]
pub struct DataSourceSpec {
    /// The name in requests and definitions, such as `kafka`.
    pub name: &'static str,
    /// For people.
    pub title: Text,
    /// Under which heading it stands.
    pub category: Category,
    /// What it is and what is needed to reach it.
    pub summary: Text,
    /// What a data source of this type says of itself, in the order of a form.
    pub parameters: &'static [ParameterSpec],
    /// What one table of it is.
    pub table: TableNoun,
    /// What its tables lie in, for people; `None`: they lie in nothing, as topics do.
    pub database: Option<Text>,
    /// What can be granted on a table.
    pub permissions: &'static [Permission],
    /// Whether single columns can be granted and masked.
    pub column_grants: bool,
    /// Connectors that jobs read and write its tables with; the first is used unless a table names another.
    /// Empty: there is none yet, so that a job which uses such a table is refused.
    pub connectors: &'static [&'static str],
    /// What may be said of a table when it is created in the outside system.
    pub creation: &'static [crate::spec::OptionSpec],
    /// What the connectivity test does, and what it does not.
    pub tested: Text,
}

impl DataSourceSpec {
    /// The parameter with a name.
    pub fn parameter(&self, name: &str) -> Option<&'static ParameterSpec> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

/// Headings under which data sources are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Relational databases.
    Relational,
    /// Stores of big data.
    BigData,
    /// Files and objects.
    SemiStructured,
    /// Message queues.
    MessageQueue,
    /// Anything else.
    Other,
}

impl Category {
    /// All, in the order of lists.
    pub const ALL: [Self; 5] =
        [Self::Relational, Self::BigData, Self::SemiStructured, Self::MessageQueue, Self::Other];

    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relational => "relational",
            Self::BigData => "big-data",
            Self::SemiStructured => "semi-structured",
            Self::MessageQueue => "message-queue",
            Self::Other => "other",
        }
    }

    /// For people.
    pub fn title(self) -> Text {
        let (en, zh) = match self {
            Self::Relational => ("Relational databases", "关系型数据库"),
            Self::BigData => ("Big data stores", "大数据存储"),
            Self::SemiStructured => ("Semi-structured stores", "半结构化存储"),
            Self::MessageQueue => ("Message queues", "消息队列"),
            Self::Other => ("Other", "其他"),
        };
        Text { en, zh }
    }
}

/// What one table of a data source is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableNoun {
    /// A topic of a message queue.
    Topic,
    /// A table of a database.
    Table,
    /// An index of a search engine.
    Index,
    /// Keys with a common beginning.
    Key,
    /// A file, a folder, or a path below an address.
    Path,
}

impl TableNoun {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Table => "table",
            Self::Index => "index",
            Self::Key => "key",
            Self::Path => "path",
        }
    }

    /// For people.
    pub fn title(self) -> Text {
        let (en, zh) = match self {
            Self::Topic => ("topic", "主题"),
            Self::Table => ("table", "表"),
            Self::Index => ("index", "索引"),
            Self::Key => ("key", "键"),
            Self::Path => ("path", "路径"),
        };
        Text { en, zh }
    }
}

/// What can be granted on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Reading.
    Select,
    /// Writing new rows.
    Insert,
    /// Changing rows.
    Update,
    /// Removing rows.
    Delete,
}

impl Permission {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What the text of a parameter must be, beyond its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line of anything.
    Line,
    /// A host name or an address.
    Host,
    /// `host:port`, several separated by `,`.
    Addresses,
    /// One URL with one of these schemes, without credentials in it.
    Url(&'static [&'static str]),
    /// Several such URLs separated by `,`.
    Urls(&'static [&'static str]),
    /// Certificates or a key as PEM text, over several lines.
    Pem,
    /// An absolute folder of the machines that run jobs.
    Folder,
    /// The name of a bucket.
    Bucket,
    /// `Name: value` pairs of HTTP, separated by `,`.
    Headers,
}

/// When a parameter has a meaning: where another one has one of these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The other parameter, an earlier one.
    pub parameter: &'static str,
    /// Its values, by itself or by default.
    pub values: &'static [&'static str],
}

/// One parameter of a type of data source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterSpec {
    /// The name in requests and definitions.
    pub name: &'static str,
    /// For people.
    pub label: Text,
    /// What values look like.
    pub kind: OptionKind,
    /// What they must be beyond that.
    pub form: Form,
    /// The value that holds without the parameter.
    pub default: Option<&'static str>,
    /// Whether it is needed wherever it has a meaning.
    pub required: bool,
    /// Whether the value must be kept out of answers, logs and messages.
    pub secret: bool,
    /// When it has a meaning; `None`: always.
    pub when: Option<Condition>,
    /// What it is.
    pub help: Text,
}

impl ParameterSpec {
    /// An optional parameter of one line.
    pub(super) const fn new(name: &'static str, label: Text, help: Text) -> Self {
        Self {
            name,
            label,
            kind: OptionKind::Text,
            form: Form::Line,
            default: None,
            required: false,
            secret: false,
            when: None,
            help,
        }
    }

    pub(super) const fn kind(mut self, kind: OptionKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    pub(super) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn when(
        mut self,
        parameter: &'static str,
        values: &'static [&'static str],
    ) -> Self {
        self.when = Some(Condition { parameter, values });
        self
    }
}

/// A text in both languages.
pub(super) const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}
