//! `oracle`, `mysql`, `postgresql`, `greenplum`: relational databases.

use super::{HOST, PASSWORD, TLS_MODE, USERNAME, VERIFIED_CA, port};
use crate::data_source::spec::{
    Category, DataSourceSpec, ParameterSpec, Permission, TableNoun, text,
};

const ALL_PERMISSIONS: &[Permission] =
    &[Permission::Select, Permission::Insert, Permission::Update, Permission::Delete];

pub(super) static ORACLE: DataSourceSpec = DataSourceSpec {
    name: "oracle",
    title: text("Oracle Database", "Oracle 数据库"),
    category: Category::Relational,
    summary: text(
        "Tables of an Oracle database, reached through its listener.",
        "Oracle 数据库中的表，通过其监听器访问。",
    ),
    parameters: ORACLE_PARAMETERS,
    table: TableNoun::Table,
    database: Some(text("schema", "模式（schema）")),
    permissions: ALL_PERMISSIONS,
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves, connects, and asks the listener for the service. The login is not tested: there is no client of Oracle's protocol in this program.",
        "解析、连接并向监听器请求服务；不测试登录，因为本程序不含 Oracle 客户端。",
    ),
};

static ORACLE_PARAMETERS: &[ParameterSpec] = &[
    HOST,
    port("1521"),
    ParameterSpec::new(
        "service-name",
        text("Service name", "服务名"),
        text(
            "Service of the database; this or 'sid' is needed.",
            "数据库的服务名；与 'sid' 二选一。",
        ),
    ),
    ParameterSpec::new(
        "sid",
        text("SID", "SID"),
        text(
            "Instance of the database, where it has no service name.",
            "数据库实例标识，没有服务名时使用。",
        ),
    ),
    USERNAME.required(),
    PASSWORD.required(),
];

pub(super) static MYSQL: DataSourceSpec = DataSourceSpec {
    name: "mysql",
    title: text("MySQL, MariaDB", "MySQL、MariaDB"),
    category: Category::Relational,
    summary: text("Tables of MySQL or MariaDB.", "MySQL 或 MariaDB 中的表。"),
    parameters: MYSQL_PARAMETERS,
    table: TableNoun::Table,
    database: Some(text("database", "数据库")),
    permissions: ALL_PERMISSIONS,
    column_grants: true,
    connectors: &["jdbc"],
    creation: &[],
    tested: text(
        "Resolves, connects, begins TLS if asked to, logs in, and opens the database.",
        "解析、连接、按需建立 TLS、登录并打开数据库。",
    ),
};

static MYSQL_PARAMETERS: &[ParameterSpec] = &[
    HOST,
    port("3306"),
    ParameterSpec::new(
        "database",
        text("Database", "数据库"),
        text("Database of tables that name none.", "未指明数据库的表所在的数据库。"),
    ),
    USERNAME.required(),
    PASSWORD,
    TLS_MODE,
    VERIFIED_CA,
];

pub(super) static POSTGRESQL: DataSourceSpec = DataSourceSpec {
    name: "postgresql",
    title: text("PostgreSQL", "PostgreSQL"),
    category: Category::Relational,
    summary: text(
        "Tables of PostgreSQL; names of tables may say their schema, as in sales.orders.",
        "PostgreSQL 中的表；表名可带模式，例如 sales.orders。",
    ),
    parameters: POSTGRES_PARAMETERS,
    table: TableNoun::Table,
    database: Some(text("database", "数据库")),
    permissions: ALL_PERMISSIONS,
    column_grants: true,
    connectors: &["jdbc"],
    creation: &[],
    tested: text(
        "Resolves, connects, begins TLS if asked to, logs in, and opens the database.",
        "解析、连接、按需建立 TLS、登录并打开数据库。",
    ),
};

static POSTGRES_PARAMETERS: &[ParameterSpec] = &[
    HOST,
    port("5432"),
    ParameterSpec::new(
        "database",
        text("Database", "数据库"),
        text(
            "Database that connections are made to, and of tables that name none.",
            "连接的数据库，也是未指明数据库的表所在的数据库。",
        ),
    )
    .required(),
    USERNAME.required(),
    PASSWORD,
    TLS_MODE,
    VERIFIED_CA,
];

pub(super) static GREENPLUM: DataSourceSpec = DataSourceSpec {
    name: "greenplum",
    title: text("Greenplum (MPP)", "Greenplum（MPP）"),
    category: Category::Relational,
    summary: text(
        "Tables of Greenplum, which speaks PostgreSQL's protocol at its coordinator.",
        "Greenplum 中的表；其协调节点使用 PostgreSQL 协议。",
    ),
    ..POSTGRESQL
};
