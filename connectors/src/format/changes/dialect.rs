//! In what the formats of changes differ.

use tidegate_types::{Field, SqlType, TypeKind};

/// A format.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) name: &'static str,
    pub(super) encoding: Encoding,
    /// The field with the row before.
    pub(super) before: &'static str,
    /// The field with the row, or with the row after.
    pub(super) after: &'static str,
    /// The field with the operation.
    pub(super) operation: &'static str,
    /// The operations, those first that are written for insertions and deletions.
    pub(super) operations: &'static [(&'static str, Operation)],
    /// Whether a record has arrays of rows.
    pub(super) lists: bool,
    /// Whether the row before has only the columns that an update changed, and is written nowhere.
    pub(super) partial: bool,
    /// Why a row before may be missing.
    pub(super) before_is_missing: &'static str,
    pub(super) metadata: &'static [MetadataField],
}

/// How envelopes are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    /// Avro with the number of its schema in a registry.
    #[cfg(feature = "kafka")]
    AvroConfluent,
}

/// What a record says of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Insert,
    Update,
    Delete,
    /// Nothing.
    Skip,
}

/// A metadata column.
#[derive(Debug)]
pub(super) struct MetadataField {
    pub(super) key: &'static str,
    /// The field of the envelope.
    pub(super) field: &'static str,
    /// Its type in the envelope.
    pub(super) ty: fn() -> SqlType,
    pub(super) meaning: Meaning,
    /// Whether it stands outside of Debezium's `payload`, where there is one.
    pub(super) outside: bool,
}

/// How the field's value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// As it is.
    Value,
    /// Milliseconds since 1970.
    Millis,
    /// Seconds since 1970.
    Seconds,
    /// `2026-01-02 03:04:05.678901`, in UTC.
    SqlTimestamp,
    /// `2026-01-02T03:04:05.678901`, in UTC.
    IsoTimestamp,
    /// The text under a key of a map.
    Entry(&'static str),
    /// Milliseconds since 1970, as text under a key of a map.
    MillisEntry(&'static str),
}

impl Dialect {
    /// The format with a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|dialect| dialect.name == name)
    }

    /// The fields of a row in an envelope. JSON has no NOT NULL.
    pub(super) fn row(&self, columns: &[Field]) -> Vec<Field> {
        let field = |column: &Field| {
            let nullable = column.ty.nullable || self.encoding == Encoding::Json;
            Field::new(column.name.clone(), column.ty.clone().with_nullable(nullable))
        };
        columns.iter().map(field).collect()
    }

    /// The field of a metadata column.
    pub(super) fn metadata(&self, key: &str) -> Option<&'static MetadataField> {
        self.metadata.iter().find(|field| field.key == key)
    }

    /// What is written for an operation.
    pub(super) fn text_of(&self, operation: Operation) -> &'static str {
        let known = self.operations.iter().find(|(_, known)| *known == operation);
        known.map_or("", |(text, _)| text)
    }
}

const FULL_ROWS: &str = "the database must log full rows (in PostgreSQL REPLICA IDENTITY FULL)";
const CHANGED_COLUMNS: &str = "an update has the changed columns there";

static ALL: &[&Dialect] = &[
    &DEBEZIUM,
    &CANAL,
    &MAXWELL,
    &OGG,
    #[cfg(feature = "kafka")]
    &DEBEZIUM_AVRO,
];

const DEBEZIUM: Dialect = Dialect {
    name: "debezium-json",
    encoding: Encoding::Json,
    before: "before",
    after: "after",
    operation: "op",
    operations: &[
        ("c", Operation::Insert),
        ("r", Operation::Insert),
        ("u", Operation::Update),
        ("d", Operation::Delete),
    ],
    lists: false,
    partial: false,
    before_is_missing: FULL_ROWS,
    metadata: &[
        MetadataField { outside: true, ..field("schema", "schema", text, Meaning::Value) },
        field("ingestion-timestamp", "ts_ms", number, Meaning::Millis),
        field("source.timestamp", "source", texts_by_name, Meaning::MillisEntry("ts_ms")),
        field("source.database", "source", texts_by_name, Meaning::Entry("db")),
        field("source.schema", "source", texts_by_name, Meaning::Entry("schema")),
        field("source.table", "source", texts_by_name, Meaning::Entry("table")),
        field("source.properties", "source", texts_by_name, Meaning::Value),
    ],
};

#[cfg(feature = "kafka")]
static DEBEZIUM_AVRO: Dialect = Dialect {
    name: "debezium-avro-confluent",
    encoding: Encoding::AvroConfluent,
    metadata: &[],
    ..DEBEZIUM
};

static CANAL: Dialect = Dialect {
    name: "canal-json",
    encoding: Encoding::Json,
    before: "old",
    after: "data",
    operation: "type",
    operations: &[
        ("INSERT", Operation::Insert),
        ("UPDATE", Operation::Update),
        ("DELETE", Operation::Delete),
        ("CREATE", Operation::Skip),
    ],
    lists: true,
    partial: true,
    before_is_missing: CHANGED_COLUMNS,
    metadata: &[
        field("database", "database", text, Meaning::Value),
        field("table", "table", text, Meaning::Value),
        field("sql-type", "sqlType", numbers_by_name, Meaning::Value),
        field("pk-names", "pkNames", texts, Meaning::Value),
        field("ingestion-timestamp", "ts", number, Meaning::Millis),
        field("event-timestamp", "es", number, Meaning::Millis),
    ],
};

static MAXWELL: Dialect = Dialect {
    name: "maxwell-json",
    encoding: Encoding::Json,
    before: "old",
    after: "data",
    operation: "type",
    operations: &[
        ("insert", Operation::Insert),
        ("update", Operation::Update),
        ("delete", Operation::Delete),
    ],
    lists: false,
    partial: true,
    before_is_missing: CHANGED_COLUMNS,
    metadata: &[
        field("database", "database", text, Meaning::Value),
        field("table", "table", text, Meaning::Value),
        field("primary-key-columns", "primary_key_columns", texts, Meaning::Value),
        field("ingestion-timestamp", "ts", number, Meaning::Seconds),
    ],
};

static OGG: Dialect = Dialect {
    name: "ogg-json",
    encoding: Encoding::Json,
    before: "before",
    after: "after",
    operation: "op_type",
    operations: &[("I", Operation::Insert), ("U", Operation::Update), ("D", Operation::Delete)],
    lists: false,
    partial: false,
    before_is_missing: FULL_ROWS,
    metadata: &[
        field("table", "table", text, Meaning::Value),
        field("primary-keys", "primary_keys", texts, Meaning::Value),
        field("ingestion-timestamp", "current_ts", text, Meaning::IsoTimestamp),
        field("event-timestamp", "op_ts", text, Meaning::SqlTimestamp),
    ],
};

const fn field(
    key: &'static str,
    field: &'static str,
    ty: fn() -> SqlType,
    meaning: Meaning,
) -> MetadataField {
    MetadataField { key, field, ty, meaning, outside: false }
}

fn text() -> SqlType {
    TypeKind::STRING.nullable()
}

fn number() -> SqlType {
    TypeKind::BigInt.nullable()
}

fn texts() -> SqlType {
    TypeKind::Array(Box::new(text())).nullable()
}

fn texts_by_name() -> SqlType {
    TypeKind::Map(Box::new(text()), Box::new(text())).nullable()
}

fn numbers_by_name() -> SqlType {
    TypeKind::Map(Box::new(text()), Box::new(TypeKind::Int.nullable())).nullable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metadata_column_that_is_promised_has_its_field() {
        for dialect in ALL {
            let promised = tidegate_connector_spec::format(dialect.name).unwrap().metadata;
            let keys: Vec<_> = promised.iter().map(|spec| spec.key).collect();
            assert_eq!(keys, dialect.metadata.iter().map(|field| field.key).collect::<Vec<_>>());
        }
    }
}
