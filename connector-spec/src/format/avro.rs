//! `avro`: records of Apache Avro, and files of them. `avro-confluent`, `debezium-avro-confluent`:
//! records and changes with the number of a schema in a registry.

use super::flag;
use crate::spec::{FormatSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: FormatSpec = FormatSpec {
    name: "avro",
    title: "Apache Avro",
    summary: Text {
        en: "Records of Avro with the schema of the table's columns; files with their own schema.",
        zh: "Avro 记录，模式由表的列推导；文件自带模式。",
    },
    options: OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

static OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "encoding",
        OptionKind::Enum(&["binary", "json"]),
        "How records are encoded in messages; files are binary.",
        "消息中记录的编码方式；文件总是二进制编码。",
    )
    .default("binary"),
    OptionSpec::new(
        "codec",
        OptionKind::Enum(&["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]),
        "Compression of the blocks of written files.",
        "写出文件时数据块的压缩方式。",
    )
    .default("snappy")
    .sink(),
    flag(
        "timestamp_mapping.legacy",
        "true",
        "TIMESTAMP as Avro's timestamp, as Flink before 1.19; otherwise TIMESTAMP as local-timestamp and TIMESTAMP_LTZ as timestamp.",
        "按 Flink 1.19 之前的方式将 TIMESTAMP 映射为 Avro 的 timestamp；否则 TIMESTAMP 对应 local-timestamp，TIMESTAMP_LTZ 对应 timestamp。",
    ),
];

pub(super) static CONFLUENT: FormatSpec = FormatSpec {
    name: "avro-confluent",
    title: "Avro with a schema registry",
    summary: Text {
        en: "Records of Avro with the number of their schema in a schema registry of Confluent's kind in front.",
        zh: "带有 Confluent 模式注册中心编号的 Avro 记录。",
    },
    options: CONFLUENT_OPTIONS,
    projection: Projection::Nested,
    changelog: false,
    metadata: &[],
};

pub(super) static DEBEZIUM: FormatSpec = FormatSpec {
    name: "debezium-avro-confluent",
    title: "Debezium Avro with a schema registry",
    summary: Text {
        en: "Changes of database rows as Debezium writes them in Avro, with the number of their schema in a schema registry in front.",
        zh: "Debezium 以 Avro 写出的数据库行变更，带有模式注册中心的编号。",
    },
    options: CONFLUENT_OPTIONS,
    projection: Projection::Nested,
    changelog: true,
    metadata: &[],
};

const fn text(key: &'static str, en: &'static str, zh: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Text, en, zh)
}

const RENAMED: &str = "Older name of the option without 'schema-registry.'.";
const RENAMED_ZH: &str = "去掉 'schema-registry.' 的选项的旧名称。";

static CONFLUENT_OPTIONS: &[OptionSpec] = &[
    text(
        "url",
        "Address of the schema registry, http or https; several are separated by ','. Needed.",
        "模式注册中心的地址（http 或 https），多个用 ',' 分隔；必填。",
    ),
    text(
        "subject",
        "Subject under which the schema of what is written is registered; '<topic>-value' or '<topic>-key' by default.",
        "注册写出数据的模式所用的 subject；默认为 '<主题>-value' 或 '<主题>-key'。",
    ),
    text(
        "schema",
        "Schema of the rows as JSON; by default it is derived from the columns. When reading, defaults and aliases are taken from it.",
        "行的 JSON 模式；默认由列推导。读取时使用其中的默认值和别名。",
    ),
    text("schema-registry.url", RENAMED, RENAMED_ZH),
    text("schema-registry.subject", RENAMED, RENAMED_ZH),
    text("schema-registry.schema", RENAMED, RENAMED_ZH),
    text(
        "basic-auth.credentials-source",
        "USER_INFO: user and password are in 'basic-auth.user-info'; URL: they are in the address.",
        "USER_INFO：用户名和密码在 'basic-auth.user-info' 中；URL：在地址中。",
    ),
    text("basic-auth.user-info", "user:password.", "用户名:密码。").secret(),
    text(
        "bearer-auth.credentials-source",
        "STATIC_TOKEN: the token is in 'bearer-auth.token'.",
        "STATIC_TOKEN：令牌在 'bearer-auth.token' 中。",
    ),
    text("bearer-auth.token", "Token.", "令牌。").secret(),
    text(
        "ssl.truststore.location",
        "PEM file with the certificates of authorities to trust; by default those of the machine.",
        "受信任证书颁发机构的 PEM 文件；默认使用本机的证书。",
    ),
    text(
        "ssl.truststore.password",
        "Refused: only PEM files without a password are read.",
        "不支持：仅读取不带密码的 PEM 文件。",
    )
    .secret(),
    text(
        "ssl.keystore.location",
        "PEM file with the certificate and the private key to show to the registry.",
        "向注册中心出示的证书和私钥的 PEM 文件。",
    ),
    text(
        "ssl.keystore.password",
        "Refused: only PEM files without a password are read.",
        "不支持：仅读取不带密码的 PEM 文件。",
    )
    .secret(),
    text(
        "properties.basic.auth.user.info",
        "As 'basic-auth.user-info'.",
        "同 'basic-auth.user-info'。",
    )
    .secret(),
    text("properties.bearer.auth.token", "As 'bearer-auth.token'.", "同 'bearer-auth.token'。")
        .secret(),
    text(
        "properties.schema.registry.ssl.keystore.key",
        "Private key to show to the registry, as PEM text.",
        "向注册中心出示的私钥，PEM 文本。",
    )
    .secret(),
    text(
        "properties.*",
        "Settings of the Java client; those for credentials and for certificates as PEM are acted on, others refused.",
        "Java 客户端的设置；仅支持与凭据以及 PEM 证书有关的设置，其余拒绝。",
    ),
];
