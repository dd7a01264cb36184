//! `debezium-json`, `canal-json`, `maxwell-json`, `ogg-json`: changes of database rows as JSON.

use tidegate_types::{SqlType, TypeKind};

use super::flag;
use super::json::{
    DECIMAL_AS_PLAIN_NUMBER, IGNORE_NULL_FIELDS, IGNORE_PARSE_ERRORS, MAP_NULL_KEY_LITERAL,
    MAP_NULL_KEY_MODE, TIMESTAMP_STANDARD,
};
use crate::spec::{FormatSpec, MetadataSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static DEBEZIUM: FormatSpec = FormatSpec {
    name: "debezium-json",
    title: "Debezium JSON",
    summary: Text {
        en: "Changes of database rows as Debezium writes them: the row before and after, and the operation.",
        zh: "Debezium 写出的数据库行变更：变更前、变更后的行以及操作类型。",
    },
    options: DEBEZIUM_OPTIONS,
    projection: Projection::Nested,
    changelog: true,
    metadata: DEBEZIUM_METADATA,
};

pub(super) static CANAL: FormatSpec = FormatSpec {
    name: "canal-json",
    title: "Canal JSON",
    summary: Text {
        en: "Changes of MySQL rows as Canal writes them: the rows, what of them was changed, and the operation.",
        zh: "Canal 写出的 MySQL 行变更：行数据、被修改的旧值以及操作类型。",
    },
    options: CANAL_OPTIONS,
    projection: Projection::Nested,
    changelog: true,
    metadata: CANAL_METADATA,
};

pub(super) static MAXWELL: FormatSpec = FormatSpec {
    name: "maxwell-json",
    title: "Maxwell JSON",
    summary: Text {
        en: "Changes of MySQL rows as Maxwell writes them: the row, what of it was changed, and the operation.",
        zh: "Maxwell 写出的 MySQL 行变更：行数据、被修改的旧值以及操作类型。",
    },
    options: OF_ALL,
    projection: Projection::Nested,
    changelog: true,
    metadata: MAXWELL_METADATA,
};

pub(super) static OGG: FormatSpec = FormatSpec {
    name: "ogg-json",
    title: "Ogg JSON",
    summary: Text {
        en: "Changes of database rows as Oracle GoldenGate writes them: the row before and after, and the operation.",
        zh: "Oracle GoldenGate 写出的数据库行变更：变更前、变更后的行以及操作类型。",
    },
    options: OF_ALL,
    projection: Projection::Nested,
    changelog: true,
    metadata: OGG_METADATA,
};

static DEBEZIUM_OPTIONS: &[OptionSpec] = &[
    flag(
        "schema-include",
        "false",
        "Whether records carry their schema: the change is then in the field 'payload'.",
        "记录是否带有模式：若是，变更内容位于 'payload' 字段中。",
    ),
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_STANDARD,
    MAP_NULL_KEY_MODE,
    MAP_NULL_KEY_LITERAL,
    DECIMAL_AS_PLAIN_NUMBER,
    IGNORE_NULL_FIELDS,
];

static CANAL_OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "database.include",
        OptionKind::Text,
        "Regular expression over the whole name of the database; changes of others are passed over.",
        "匹配完整数据库名的正则表达式；忽略其他数据库的变更。",
    )
    .source(),
    OptionSpec::new(
        "table.include",
        OptionKind::Text,
        "Regular expression over the whole name of the table; changes of others are passed over.",
        "匹配完整表名的正则表达式；忽略其他表的变更。",
    )
    .source(),
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_STANDARD,
    MAP_NULL_KEY_MODE,
    MAP_NULL_KEY_LITERAL,
    DECIMAL_AS_PLAIN_NUMBER,
    IGNORE_NULL_FIELDS,
];

static OF_ALL: &[OptionSpec] = &[
    IGNORE_PARSE_ERRORS,
    TIMESTAMP_STANDARD,
    MAP_NULL_KEY_MODE,
    MAP_NULL_KEY_LITERAL,
    DECIMAL_AS_PLAIN_NUMBER,
    IGNORE_NULL_FIELDS,
];

const fn read(
    key: &'static str,
    ty: fn() -> SqlType,
    en: &'static str,
    zh: &'static str,
) -> MetadataSpec {
    MetadataSpec { key, ty, readable: true, writable: false, help: Text { en, zh } }
}

fn by_text(value: TypeKind) -> SqlType {
    TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(value.nullable())).nullable()
}

fn text() -> SqlType {
    TypeKind::STRING.nullable()
}

fn texts() -> SqlType {
    TypeKind::Array(Box::new(text())).nullable()
}

fn millis() -> SqlType {
    TypeKind::timestamp_ltz(3).nullable()
}

fn micros() -> SqlType {
    TypeKind::timestamp_ltz(6).nullable()
}

static DEBEZIUM_METADATA: &[MetadataSpec] = &[
    read(
        "schema",
        text,
        "Schema of the record as JSON, if it carries one.",
        "记录所带的 JSON 模式（若有）。",
    ),
    read(
        "ingestion-timestamp",
        millis,
        "When the connector processed the change ('ts_ms').",
        "连接器处理该变更的时间（'ts_ms'）。",
    ),
    read(
        "source.timestamp",
        millis,
        "When the database made the change ('source.ts_ms').",
        "数据库产生该变更的时间（'source.ts_ms'）。",
    ),
    read("source.database", text, "Database ('source.db').", "数据库（'source.db'）。"),
    read("source.schema", text, "Schema ('source.schema').", "模式（'source.schema'）。"),
    read("source.table", text, "Table ('source.table').", "表（'source.table'）。"),
    read(
        "source.properties",
        || by_text(TypeKind::STRING),
        "All that the record says of its source.",
        "记录中关于来源的全部信息。",
    ),
];

static CANAL_METADATA: &[MetadataSpec] = &[
    read("database", text, "Database.", "数据库。"),
    read("table", text, "Table.", "表。"),
    read(
        "sql-type",
        || by_text(TypeKind::Int),
        "Numbers of the columns' types in JDBC ('sqlType').",
        "各列在 JDBC 中的类型编号（'sqlType'）。",
    ),
    read("pk-names", texts, "Columns of the primary key ('pkNames').", "主键列（'pkNames'）。"),
    read(
        "ingestion-timestamp",
        millis,
        "When Canal processed the change ('ts').",
        "Canal 处理该变更的时间（'ts'）。",
    ),
    read(
        "event-timestamp",
        millis,
        "When the database made the change ('es').",
        "数据库产生该变更的时间（'es'）。",
    ),
];

static MAXWELL_METADATA: &[MetadataSpec] = &[
    read("database", text, "Database.", "数据库。"),
    read("table", text, "Table.", "表。"),
    read(
        "primary-key-columns",
        texts,
        "Columns of the primary key ('primary_key_columns').",
        "主键列（'primary_key_columns'）。",
    ),
    read(
        "ingestion-timestamp",
        millis,
        "When Maxwell processed the change ('ts', in seconds).",
        "Maxwell 处理该变更的时间（'ts'，单位秒）。",
    ),
];

static OGG_METADATA: &[MetadataSpec] = &[
    read("table", text, "Table with its schema.", "表（带模式名）。"),
    read(
        "primary-keys",
        texts,
        "Columns of the primary key ('primary_keys').",
        "主键列（'primary_keys'）。",
    ),
    read(
        "ingestion-timestamp",
        micros,
        "When GoldenGate processed the change ('current_ts').",
        "GoldenGate 处理该变更的时间（'current_ts'）。",
    ),
    read(
        "event-timestamp",
        micros,
        "When the database made the change ('op_ts').",
        "数据库产生该变更的时间（'op_ts'）。",
    ),
];
