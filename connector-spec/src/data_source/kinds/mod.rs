//! The types of data sources, and the parameters that several have.

mod big_data;
mod files;
mod kafka;
mod other;
mod relational;

use super::spec::{DataSourceSpec, Form, ParameterSpec, text};
use crate::spec::OptionKind;

pub(super) static ALL: &[&DataSourceSpec] = &[
    &relational::ORACLE,
    &relational::MYSQL,
    &relational::POSTGRESQL,
    &relational::GREENPLUM,
    &big_data::HIVE,
    &big_data::HBASE,
    &big_data::ELASTICSEARCH,
    &files::FTP,
    &files::S3,
    &files::FILES,
    &kafka::SPEC,
    &other::REDIS,
    &other::HTTP,
];

/// Numbers of ports.
const PORT: OptionKind = OptionKind::Integer { min: 1, max: 65_535 };

const HOST: ParameterSpec = ParameterSpec::new(
    "host",
    text("Host", "主机"),
    text("Host name or address of the server.", "服务器的主机名或地址。"),
)
.form(Form::Host)
.required();

const fn port(default: &'static str) -> ParameterSpec {
    ParameterSpec::new(
        "port",
        text("Port", "端口"),
        text("Port that the server listens on.", "服务器监听的端口。"),
    )
    .kind(PORT)
    .default(default)
}

const USERNAME: ParameterSpec = ParameterSpec::new(
    "username",
    text("User name", "用户名"),
    text("Who logs in.", "登录的用户。"),
);

const PASSWORD: ParameterSpec = ParameterSpec::new(
    "password",
    text("Password", "密码"),
    text("Password of the user.", "该用户的密码。"),
)
.secret();

/// How a connection is secured, as PostgreSQL names it.
const TLS_MODES: OptionKind = OptionKind::Enum(&["disable", "require", "verify-ca", "verify-full"]);

const TLS_MODE: ParameterSpec = ParameterSpec::new(
    "tls-mode",
    text("TLS", "TLS 模式"),
    text(
        "disable: no TLS; require: encrypted, any certificate; verify-ca: the certificate is of a trusted authority; verify-full: and for this host.",
        "disable：不使用 TLS；require：加密但不校验证书；verify-ca：证书由受信任的颁发机构签发；verify-full：并且与主机名相符。",
    ),
)
.kind(TLS_MODES)
.default("disable");

/// Authorities to trust, where `tls-mode` looks at certificates.
const VERIFIED_CA: ParameterSpec = CA.when("tls-mode", &["verify-ca", "verify-full"]);

const CA: ParameterSpec = ParameterSpec::new(
    "ca-certificate",
    text("CA certificate", "CA 证书"),
    text(
        "Certificates of the authorities to trust, as PEM; by default those of the machine.",
        "受信任的颁发机构证书（PEM）；默认使用本机的证书。",
    ),
)
.form(Form::Pem);
