//! `kafka`: brokers of Apache Kafka, whose tables are topics.

use crate::data_source::spec::{
    Category, DataSourceSpec, Form, ParameterSpec, Permission, TableNoun, text,
};
use crate::spec::{OptionKind, OptionSpec};

pub(super) static SPEC: DataSourceSpec = DataSourceSpec {
    name: "kafka",
    title: text("Apache Kafka", "Apache Kafka"),
    category: Category::MessageQueue,
    summary: text(
        "Brokers of Apache Kafka, or of what speaks its protocol; a table is a topic.",
        "Apache Kafka 或兼容其协议的消息集群；一张表就是一个主题。",
    ),
    parameters: PARAMETERS,
    table: TableNoun::Topic,
    database: None,
    permissions: &[Permission::Insert, Permission::Select],
    column_grants: false,
    connectors: &["kafka", "upsert-kafka"],
    creation: CREATION,
    tested: text(
        "Resolves and connects to the brokers in turn, logs in, asks for the cluster's metadata, and asks the schema registry, if there is one, for its subjects.",
        "依次解析并连接各 broker，登录并获取集群元数据；如配置了模式注册中心，则获取其 subject 列表。",
    ),
};

const SASL: &[&str] = &["SASL_PLAINTEXT", "SASL_SSL"];
const TLS: &[&str] = &["SSL", "SASL_SSL"];

static PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::new(
        "bootstrap-servers",
        text("Server addresses", "服务器地址"),
        text(
            "Brokers to begin with, host:port separated by ','.",
            "初始连接的 broker 地址，host:port，用 ',' 分隔。",
        ),
    )
    .form(Form::Addresses)
    .required(),
    ParameterSpec::new(
        "security-protocol",
        text("Security protocol", "安全协议"),
        text(
            "Whether clients log in (SASL), and whether the connection is encrypted (SSL).",
            "客户端是否登录（SASL），连接是否加密（SSL）。",
        ),
    )
    .kind(OptionKind::Enum(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]))
    .default("PLAINTEXT"),
    ParameterSpec::new(
        "sasl-mechanism",
        text("SASL mechanism", "SASL 机制"),
        text("How clients log in.", "客户端的登录方式。"),
    )
    .kind(OptionKind::Enum(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]))
    .default("PLAIN")
    .when("security-protocol", SASL),
    ParameterSpec::new(
        "sasl-username",
        text("SASL user name", "SASL 用户名"),
        text("Who logs in.", "登录的用户。"),
    )
    .required()
    .when("security-protocol", SASL),
    ParameterSpec::new(
        "sasl-password",
        text("SASL password", "SASL 密码"),
        text("Password of the user.", "该用户的密码。"),
    )
    .required()
    .secret()
    .when("security-protocol", SASL),
    super::CA.when("security-protocol", TLS),
    ParameterSpec::new(
        "verify-hostname",
        text("Verify host name", "校验主机名"),
        text(
            "Whether a broker's certificate must be for its host name.",
            "broker 的证书是否必须与其主机名相符。",
        ),
    )
    .kind(OptionKind::Boolean)
    .default("true")
    .when("security-protocol", TLS),
    ParameterSpec::new(
        "client-certificate",
        text("Client certificate", "客户端证书"),
        text(
            "Certificate chain that is shown to the brokers, as PEM; needs 'client-key'.",
            "向 broker 出示的证书链（PEM）；需要同时设置 'client-key'。",
        ),
    )
    .form(Form::Pem)
    .when("security-protocol", TLS),
    ParameterSpec::new(
        "client-key",
        text("Client key", "客户端私钥"),
        text("Private key of the client certificate, as PEM.", "客户端证书的私钥（PEM）。"),
    )
    .form(Form::Pem)
    .secret()
    .when("security-protocol", TLS),
    ParameterSpec::new(
        "client-key-password",
        text("Password of the client key", "客户端私钥密码"),
        text("Password that the private key is encrypted with.", "私钥的加密密码。"),
    )
    .secret()
    .when("security-protocol", TLS),
    ParameterSpec::new(
        "schema-registry-url",
        text("Schema registry", "模式注册中心"),
        text(
            "Addresses of the schema registry of its topics, http or https, separated by ','.",
            "其主题所用模式注册中心的地址（http 或 https），用 ',' 分隔。",
        ),
    )
    .form(Form::Urls(&["http", "https"])),
    ParameterSpec::new(
        "schema-registry-username",
        text("Schema registry user", "模式注册中心用户名"),
        text(
            "Who asks the registry; needs 'schema-registry-url'.",
            "访问注册中心的用户；需要 'schema-registry-url'。",
        ),
    ),
    ParameterSpec::new(
        "schema-registry-password",
        text("Schema registry password", "模式注册中心密码"),
        text("Password of that user.", "该用户的密码。"),
    )
    .secret(),
];

static CREATION: &[OptionSpec] = &[
    OptionSpec::new(
        "topic.partitions",
        OptionKind::Integer { min: 1, max: 10_000 },
        "Partitions of the topic when it is created.",
        "创建主题时的分区数。",
    )
    .default("1"),
    OptionSpec::new(
        "topic.replication-factor",
        OptionKind::Integer { min: 1, max: 32_767 },
        "Copies of each partition when the topic is created; that of the brokers by default.",
        "创建主题时每个分区的副本数；默认由 broker 决定。",
    ),
    OptionSpec::new(
        "topic.retention",
        OptionKind::Duration,
        "How long records are kept; that of the brokers by default.",
        "记录的保留时间；默认由 broker 决定。",
    ),
    OptionSpec::new(
        "topic.cleanup-policy",
        OptionKind::Enum(&["delete", "compact", "compact,delete"]),
        "Whether old records are deleted, or only those that a newer one of the same key replaces.",
        "清理策略：删除旧记录，或仅清理被同键新记录取代的记录。",
    ),
];
