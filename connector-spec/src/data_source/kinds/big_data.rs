//! `hive`, `hbase`, `elasticsearch`: stores of big data.

use super::{CA, HOST, PASSWORD, USERNAME, port};
use crate::data_source::spec::{
    Category, DataSourceSpec, Form, ParameterSpec, Permission, TableNoun, text,
};

const HTTP: &[&str] = &["http", "https"];

pub(super) static HIVE: DataSourceSpec = DataSourceSpec {
    name: "hive",
    title: text("Apache Hive", "Apache Hive"),
    category: Category::BigData,
    summary: text(
        "Tables that a Hive Metastore knows, reached by its Thrift service.",
        "Hive Metastore 中登记的表，通过其 Thrift 服务访问。",
    ),
    parameters: HIVE_PARAMETERS,
    table: TableNoun::Table,
    database: Some(text("database", "数据库")),
    permissions: &[Permission::Select, Permission::Insert],
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves and connects to the metastore, says the user name, and looks the database up. Kerberos is not spoken.",
        "解析并连接 Metastore，告知用户名并查找数据库；不支持 Kerberos。",
    ),
};

static HIVE_PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec {
        label: text("Metastore host", "Metastore 主机"),
        help: text("Host name or address of the metastore.", "Metastore 的主机名或地址。"),
        ..HOST
    },
    port("9083"),
    ParameterSpec::new(
        "database",
        text("Database", "数据库"),
        text("Database of tables that name none.", "未指明数据库的表所在的数据库。"),
    )
    .default("default"),
    ParameterSpec {
        help: text(
            "User that the metastore is told; it takes the name on trust.",
            "告知 Metastore 的用户名；Metastore 不做校验。",
        ),
        ..USERNAME
    },
];

pub(super) static HBASE: DataSourceSpec = DataSourceSpec {
    name: "hbase",
    title: text("Apache HBase", "Apache HBase"),
    category: Category::BigData,
    summary: text(
        "Tables of HBase, reached by its REST gateway (hbase rest start).",
        "HBase 中的表，通过其 REST 网关（hbase rest start）访问。",
    ),
    parameters: HBASE_PARAMETERS,
    table: TableNoun::Table,
    database: Some(text("namespace", "命名空间")),
    permissions: &[Permission::Select, Permission::Insert, Permission::Delete],
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves and connects to the gateway, begins TLS for https, asks for its version, and looks the namespace up.",
        "解析并连接网关（https 时建立 TLS），获取版本并查找命名空间。",
    ),
};

static HBASE_PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::new(
        "rest-url",
        text("REST gateway", "REST 网关"),
        text(
            "Address of the REST gateway, such as http://hbase.example:8080.",
            "REST 网关的地址，例如 http://hbase.example:8080。",
        ),
    )
    .form(Form::Url(HTTP))
    .required(),
    ParameterSpec::new(
        "namespace",
        text("Namespace", "命名空间"),
        text("Namespace of tables that name none.", "未指明命名空间的表所在的命名空间。"),
    )
    .default("default"),
    USERNAME,
    PASSWORD,
    CA,
];

pub(super) static ELASTICSEARCH: DataSourceSpec = DataSourceSpec {
    name: "elasticsearch",
    title: text("Elasticsearch, OpenSearch", "Elasticsearch、OpenSearch"),
    category: Category::BigData,
    summary: text(
        "Indices of Elasticsearch or OpenSearch, reached over HTTP.",
        "Elasticsearch 或 OpenSearch 的索引，通过 HTTP 访问。",
    ),
    parameters: ELASTICSEARCH_PARAMETERS,
    table: TableNoun::Index,
    database: None,
    permissions: &[Permission::Select, Permission::Insert, Permission::Update, Permission::Delete],
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves and connects to each host, begins TLS for https, logs in, and asks for the version.",
        "依次解析并连接各主机（https 时建立 TLS），登录并获取版本。",
    ),
};

static ELASTICSEARCH_PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::new(
        "hosts",
        text("Hosts", "主机列表"),
        text(
            "Addresses of nodes, such as https://es1.example:9200, separated by ','.",
            "节点地址，例如 https://es1.example:9200，用 ',' 分隔。",
        ),
    )
    .form(Form::Urls(HTTP))
    .required(),
    USERNAME,
    PASSWORD,
    ParameterSpec::new(
        "api-key",
        text("API key", "API 密钥"),
        text(
            "Encoded API key, in place of user name and password.",
            "编码后的 API 密钥，可代替用户名和密码。",
        ),
    )
    .secret(),
    CA,
];
