//! `redis`, `http`.

use super::{CA, HOST, PASSWORD, TLS_MODE, USERNAME, VERIFIED_CA, port};
use crate::data_source::spec::{
    Category, DataSourceSpec, Form, ParameterSpec, Permission, TableNoun, text,
};
use crate::spec::OptionKind;

pub(super) static REDIS: DataSourceSpec = DataSourceSpec {
    name: "redis",
    title: text("Redis", "Redis"),
    category: Category::Other,
    summary: text(
        "Keys of a Redis server or cluster; a table is the keys with a common beginning.",
        "Redis 服务器或集群中的键；一张表是具有共同前缀的键。",
    ),
    parameters: REDIS_PARAMETERS,
    table: TableNoun::Key,
    database: None,
    permissions: &[Permission::Select, Permission::Insert, Permission::Update, Permission::Delete],
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves, connects, begins TLS if asked to, logs in, selects the database, and looks whether the server is in a cluster as said.",
        "解析、连接、按需建立 TLS、登录、选择数据库，并检查服务器是否如所述处于集群模式。",
    ),
};

static REDIS_PARAMETERS: &[ParameterSpec] = &[
    HOST,
    port("6379"),
    USERNAME,
    PASSWORD,
    ParameterSpec::new(
        "cluster",
        text("Cluster", "集群"),
        text(
            "Whether the server is one of a cluster, from which the others are found.",
            "该服务器是否属于集群；其余节点由它得知。",
        ),
    )
    .kind(OptionKind::Boolean)
    .default("false"),
    ParameterSpec::new(
        "database",
        text("Database number", "数据库编号"),
        text("Database that is selected.", "选择的数据库。"),
    )
    .kind(OptionKind::Integer { min: 0, max: 16_383 })
    .default("0")
    .when("cluster", &["false"]),
    TLS_MODE,
    VERIFIED_CA,
];

pub(super) static HTTP: DataSourceSpec = DataSourceSpec {
    name: "http",
    title: text("HTTP service", "HTTP 服务"),
    category: Category::Other,
    summary: text(
        "A service that answers HTTP requests; a table is a path below its address.",
        "响应 HTTP 请求的服务；一张表是其地址下的一个路径。",
    ),
    parameters: HTTP_PARAMETERS,
    table: TableNoun::Path,
    database: None,
    permissions: &[Permission::Select, Permission::Insert],
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves, connects, begins TLS for https, and asks for 'test-path' with the credentials; redirections are not followed.",
        "解析、连接（https 时建立 TLS），并携带凭据请求 'test-path'；不跟随重定向。",
    ),
};

static HTTP_PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::new(
        "base-url",
        text("Base URL", "基础地址"),
        text(
            "Address that paths are appended to, such as https://api.example/v1.",
            "路径所附加的地址，例如 https://api.example/v1。",
        ),
    )
    .form(Form::Url(&["http", "https"]))
    .required(),
    ParameterSpec::new(
        "authentication",
        text("Authentication", "认证方式"),
        text(
            "How requests say who asks: not at all, by user and password, by a token, or by a key in a header.",
            "请求的认证方式：无、用户名和密码、令牌，或请求头中的密钥。",
        ),
    )
    .kind(OptionKind::Enum(&["none", "basic", "bearer", "api-key"]))
    .default("none"),
    USERNAME.required().when("authentication", &["basic"]),
    PASSWORD.required().when("authentication", &["basic"]),
    ParameterSpec::new(
        "token",
        text("Token", "令牌"),
        text("Token of 'Authorization: Bearer'.", "'Authorization: Bearer' 的令牌。"),
    )
    .required()
    .secret()
    .when("authentication", &["bearer"]),
    ParameterSpec::new(
        "api-key-header",
        text("Header of the key", "密钥请求头"),
        text("Name of the header that holds the key.", "存放密钥的请求头名称。"),
    )
    .default("X-API-Key")
    .when("authentication", &["api-key"]),
    ParameterSpec::new(
        "api-key",
        text("API key", "API 密钥"),
        text("The key.", "密钥。"),
    )
    .required()
    .secret()
    .when("authentication", &["api-key"]),
    ParameterSpec::new(
        "headers",
        text("Headers", "请求头"),
        text(
            "More headers of each request, as Name:value separated by ','. Not for secrets: they are shown.",
            "每个请求附加的请求头，Name:value，用 ',' 分隔；会显示出来，请勿放入机密。",
        ),
    )
    .kind(OptionKind::Map)
    .form(Form::Headers),
    ParameterSpec::new(
        "test-path",
        text("Test path", "测试路径"),
        text(
            "Path that the connectivity test asks for.",
            "连通性测试请求的路径。",
        ),
    )
    .default("/"),
    CA,
];
