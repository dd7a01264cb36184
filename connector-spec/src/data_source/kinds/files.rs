//! `ftp`, `s3`, `files`: files and objects.

use super::{CA, HOST, PASSWORD, USERNAME, port};
use crate::data_source::spec::{
    Category, DataSourceSpec, Form, ParameterSpec, Permission, TableNoun, text,
};
use crate::spec::OptionKind;

const READ_AND_WRITE: &[Permission] = &[Permission::Select, Permission::Insert];

pub(super) static FTP: DataSourceSpec = DataSourceSpec {
    name: "ftp",
    title: text("FTP", "FTP"),
    category: Category::SemiStructured,
    summary: text(
        "Files of an FTP server, with TLS (FTPS) or without.",
        "FTP 服务器上的文件，可使用 TLS（FTPS）。",
    ),
    parameters: FTP_PARAMETERS,
    table: TableNoun::Path,
    database: None,
    permissions: READ_AND_WRITE,
    column_grants: true,
    connectors: &[],
    creation: &[],
    tested: text(
        "Resolves, connects, begins TLS if asked to, logs in, enters the folder, and lists it over a data connection.",
        "解析、连接、按需建立 TLS、登录、进入目录，并通过数据连接列出其内容。",
    ),
};

static FTP_PARAMETERS: &[ParameterSpec] = &[
    HOST,
    port("21"),
    USERNAME.default("anonymous"),
    PASSWORD,
    ParameterSpec::new(
        "folder",
        text("Folder", "目录"),
        text("Folder that paths begin in.", "路径的起始目录。"),
    )
    .default("/"),
    ParameterSpec::new(
        "passive",
        text("Passive mode", "被动模式"),
        text(
            "Whether the client opens data connections; otherwise the server does, which firewalls often forbid.",
            "是否由客户端建立数据连接；否则由服务器建立，常被防火墙阻止。",
        ),
    )
    .kind(OptionKind::Boolean)
    .default("true"),
    ParameterSpec::new(
        "tls-mode",
        text("TLS", "TLS 模式"),
        text(
            "disable: no TLS; explicit: TLS is asked for on the connection (AUTH TLS); implicit: it is there from the beginning, usually at port 990.",
            "disable：不使用 TLS；explicit：连接后协商（AUTH TLS）；implicit：一开始就使用，端口通常为 990。",
        ),
    )
    .kind(OptionKind::Enum(&["disable", "explicit", "implicit"]))
    .default("disable"),
    CA.when("tls-mode", &["explicit", "implicit"]),
];

pub(super) static S3: DataSourceSpec = DataSourceSpec {
    name: "s3",
    title: text("S3, KS3", "S3、KS3"),
    category: Category::SemiStructured,
    summary: text(
        "Objects in a bucket of S3, or of a service with its interface, such as KS3.",
        "S3 或兼容接口的对象存储（例如 KS3）存储桶中的对象。",
    ),
    parameters: S3_PARAMETERS,
    table: TableNoun::Path,
    database: None,
    permissions: READ_AND_WRITE,
    column_grants: true,
    connectors: &["filesystem"],
    creation: &[],
    tested: text(
        "Resolves and connects to the service, begins TLS for https, and lists the bucket.",
        "解析并连接服务（https 时建立 TLS），并列出存储桶。",
    ),
};

static S3_PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::new(
        "endpoint",
        text("Endpoint", "服务地址"),
        text(
            "Address of the service, such as https://ks3-cn-beijing.ksyuncs.com; that of AWS in the region by default.",
            "服务地址，例如 https://ks3-cn-beijing.ksyuncs.com；默认为 AWS 该区域的地址。",
        ),
    )
    .form(Form::Url(&["https", "http"])),
    ParameterSpec::new(
        "region",
        text("Region", "区域"),
        text("Region that requests are signed for.", "请求签名所用的区域。"),
    )
    .default("us-east-1"),
    ParameterSpec::new(
        "bucket",
        text("Bucket", "存储桶"),
        text("Bucket that holds the objects.", "存放对象的存储桶。"),
    )
    .form(Form::Bucket)
    .required(),
    ParameterSpec::new(
        "access-key",
        text("Access key", "访问密钥 ID"),
        text("Id of the key that requests are signed with.", "请求签名所用密钥的 ID。"),
    )
    .required(),
    ParameterSpec::new(
        "secret-key",
        text("Secret key", "私有访问密钥"),
        text("The key itself.", "密钥本身。"),
    )
    .required()
    .secret(),
    ParameterSpec::new(
        "path-style",
        text("Path style", "路径风格"),
        text(
            "Whether the bucket stands in the path; otherwise in the host name.",
            "存储桶名放在路径中；否则放在主机名中。",
        ),
    )
    .kind(OptionKind::Boolean)
    .default("true"),
];

pub(super) static FILES: DataSourceSpec = DataSourceSpec {
    name: "files",
    title: text("Local files", "本地文件"),
    category: Category::SemiStructured,
    summary: text(
        "Files in a folder that all machines which run jobs have, such as a network mount.",
        "所有运行作业的机器都能访问的目录（例如网络挂载）中的文件。",
    ),
    parameters: FILES_PARAMETERS,
    table: TableNoun::Path,
    database: None,
    permissions: READ_AND_WRITE,
    column_grants: true,
    connectors: &["filesystem"],
    creation: &[],
    tested: text(
        "Looks whether the folder is among those that the operator allows, and lists it.",
        "检查目录是否在运维允许的范围内，并列出其内容。",
    ),
};

static FILES_PARAMETERS: &[ParameterSpec] = &[ParameterSpec::new(
    "folder",
    text("Folder", "目录"),
    text("Absolute path of the folder that paths begin in.", "路径起始目录的绝对路径。"),
)
.form(Form::Folder)
.required()];
