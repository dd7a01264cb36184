//! From a data source and a table in it to the `WITH` options of its connector.

use std::collections::BTreeMap;

use tidegate_types::{Error, ErrorCode, Result};

use super::check::check;
use super::parameters::Parameters;
use super::spec::DataSourceSpec;
use super::table::refusal;

type Values = BTreeMap<String, String>;

/// A table as the outside system knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhysicalTable {
    /// What it lies in, where the type of the data source has such a thing; by default what the data
    /// source says.
    pub database: Option<String>,
    /// Topic, table, index, path below the data source's bucket, folder or address.
    pub name: String,
}

/// The formats whose schemas are in the registry of the data source.
const REGISTERED: [&str; 2] = ["avro-confluent", "debezium-avro-confluent"];

/// The options of a table in a data source: what the data source decides, and over that what the table
/// says of itself. Options of its creation are left out. They are not yet validated as a whole, which
/// [`crate::validate`] does for a role.
///
/// # Errors
/// `INVALID_OPTION` for parameters with faults, for a name that the outside system cannot have, and for
/// options that a table here cannot set; `UNSUPPORTED` where there is no connector for the type.
pub fn connector_options(
    spec: &'static DataSourceSpec,
    values: &Values,
    table: &PhysicalTable,
    table_options: &Values,
) -> Result<Values> {
    let connector = chosen(spec, table_options)?;
    if let Some(violation) = check(spec, values).into_iter().next() {
        let message = format!("data source of type '{}': {}", spec.name, violation.message);
        return Err(invalid(message).help(violation.help));
    }
    let parameters = Parameters::new(spec, values);
    let mut options = match connector {
        "kafka" | "upsert-kafka" => kafka(&parameters, table, table_options)?,
        "jdbc" => jdbc(&parameters, table)?,
        "filesystem" => files(&parameters, table)?,
        other => return Err(Error::internal(format!("options of the connector '{other}'"))),
    };
    options.insert("connector".to_owned(), connector.to_owned());
    for (key, value) in table_options {
        if key == "connector" || spec.creation.iter().any(|option| option.key == key) {
            continue;
        }
        if let Some(why) = refusal(connector, key) {
            let message = format!("a table in a data source cannot set the option '{key}'");
            return Err(invalid(message).help(why));
        }
        if key.ends_with("protobuf.schema") && value.trim_end().ends_with(".proto") {
            let message = format!("option '{key}': a table in a data source cannot name a file");
            return Err(invalid(message).help("put the text of the .proto file into the option"));
        }
        options.insert(key.clone(), value.clone());
    }
    Ok(options)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}

/// The connector: the first of the type, or the one that the table names.
fn chosen(spec: &'static DataSourceSpec, table_options: &Values) -> Result<&'static str> {
    let Some(first) = spec.connectors.first() else {
        let message = format!(
            "a {} in a data source of type '{}' cannot be used by a job: there is no connector for it in this version",
            spec.table.name(),
            spec.name
        );
        return Err(Error::unsupported(message)
            .help("its connection can be tested and its schemas imported; jobs need a data source with a connector"));
    };
    let Some(named) = table_options.get("connector") else {
        return Ok(first);
    };
    spec.connectors.iter().find(|known| *known == named).copied().ok_or_else(|| {
        let known = spec.connectors.join(", ");
        invalid(format!("a data source of type '{}' has no connector '{named}'", spec.name))
            .help(format!("leave out 'connector', or use {known}"))
    })
}

/// The error for a name that cannot be.
fn misnamed(parameters: &Parameters<'_>, name: &str, why: &str) -> Error {
    let noun = parameters.spec().table.name();
    let shown: String = name.chars().take(300).collect();
    invalid(format!("{noun} '{shown}': {why}"))
}

/// Longest name that brokers take for a topic.
const MAX_TOPIC: usize = 249;

fn kafka(
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
    table_options: &Values,
) -> Result<Values> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = table.name.as_str();
    let dots = name == "." || name == "..";
    if name.is_empty() || name.len() > MAX_TOPIC || dots || !name.chars().all(legal) {
        let why = "names of topics have at most 249 letters, digits, '.', '_' and '-'";
        return Err(misnamed(parameters, name, why));
    }
    if table.database.is_some() {
        return Err(misnamed(parameters, name, "topics lie in no database"));
    }
    let mut options = Values::new();
    let mut set = |key: &str, value: &str| options.insert(key.to_owned(), value.to_owned());
    set("topic", name);
    for (key, value) in kafka_properties(parameters)? {
        set(&format!("properties.{key}"), &value);
    }
    if let Some(url) = parameters.text("schema-registry-url") {
        for key in ["format", "value.format", "key.format"] {
            let Some(format) = table_options.get(key) else { continue };
            if !REGISTERED.contains(&format.as_str()) {
                continue;
            }
            let prefix = format!("{}{format}", key.strip_suffix("format").unwrap_or_default());
            set(&format!("{prefix}.url"), url);
            if let Some(user) = parameters.text("schema-registry-username") {
                let password = parameters.text("schema-registry-password").unwrap_or_default();
                set(&format!("{prefix}.basic-auth.credentials-source"), "USER_INFO");
                set(&format!("{prefix}.basic-auth.user-info"), &format!("{user}:{password}"));
            }
        }
    }
    Ok(options)
}

/// The settings of the client for the brokers, as Java clients name them.
fn kafka_properties(parameters: &Parameters<'_>) -> Result<Vec<(&'static str, String)>> {
    let text = |name: &str| parameters.text(name);
    let mut all = vec![("bootstrap.servers", parameters.required("bootstrap-servers")?.to_owned())];
    let protocol = parameters.required("security-protocol")?.to_ascii_uppercase();
    if protocol != "PLAINTEXT" {
        all.push(("security.protocol", protocol));
    }
    if let Some(mechanism) = text("sasl-mechanism") {
        let mechanism = mechanism.to_ascii_uppercase();
        let module = match mechanism.as_str() {
            "PLAIN" => "plain.PlainLoginModule",
            _ => "scram.ScramLoginModule",
        };
        let quoted = |name: &str| -> Result<String> {
            Ok(parameters.required(name)?.replace('\\', "\\\\").replace('"', "\\\""))
        };
        let login = format!(
            "org.apache.kafka.common.security.{module} required username=\"{}\" password=\"{}\";",
            quoted("sasl-username")?,
            quoted("sasl-password")?
        );
        all.extend([("sasl.mechanism", mechanism), ("sasl.jaas.config", login)]);
    }
    for (parameter, property) in [
        ("ca-certificate", "ssl.truststore.certificates"),
        ("client-certificate", "ssl.keystore.certificate.chain"),
        ("client-key", "ssl.keystore.key"),
        ("client-key-password", "ssl.key.password"),
    ] {
        all.extend(text(parameter).map(|value| (property, value.to_owned())));
    }
    if text("verify-hostname").is_some() && !parameters.boolean("verify-hostname") {
        all.push(("ssl.endpoint.identification.algorithm", String::new()));
    }
    Ok(all)
}

fn jdbc(parameters: &Parameters<'_>, table: &PhysicalTable) -> Result<Values> {
    let (kind, name) = (parameters.spec().name, table.name.trim());
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(misnamed(parameters, name, "it is no name of a table"));
    }
    if !parameters.is("tls-mode", "disable") {
        let message = format!(
            "a data source of type '{kind}' with TLS cannot be used by a job: the connector 'jdbc' has no TLS"
        );
        return Err(Error::unsupported(message)
            .help("set 'tls-mode' to disable where the network is trusted, or go through a local proxy that does TLS"));
    }
    let own = table.database.as_deref().map(str::trim).filter(|database| !database.is_empty());
    let database = own.or_else(|| parameters.text("database")).ok_or_else(|| {
        misnamed(parameters, name, "neither it nor its data source says in which database it lies")
    })?;
    let scheme = if kind == "mysql" { "mysql" } else { "postgresql" };
    let host = parameters.required("host")?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url =
        format!("jdbc:{scheme}://{host}:{}/{}", parameters.port()?, percent_encoded(database));
    // In MySQL a dot would lead into another database.
    let name = match kind {
        "mysql" => format!("`{}`", name.replace('`', "``")),
        _ => name.to_owned(),
    };
    let username = parameters.required("username")?.to_owned();
    let mut options = Values::from([
        ("url".to_owned(), url),
        ("table-name".to_owned(), name),
        ("username".to_owned(), username),
    ]);
    if let Some(password) = parameters.text("password") {
        options.insert("password".to_owned(), password.to_owned());
    }
    Ok(options)
}

/// Text of which nothing has a meaning in a URL.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn files(parameters: &Parameters<'_>, table: &PhysicalTable) -> Result<Values> {
    let name = table.name.trim().trim_matches('/');
    let leads_out = name.split('/').any(|part| part == "." || part == ".." || part.is_empty());
    if name.is_empty() || leads_out || name.contains("://") || name.chars().any(char::is_control) {
        let why = "it is no path below the data source: no '.', '..' or empty parts, no URL";
        return Err(misnamed(parameters, name, why));
    }
    if parameters.spec().name == "files" {
        let folder = parameters.required("folder")?.trim_end_matches('/');
        return Ok(Values::from([("path".to_owned(), format!("{folder}/{name}"))]));
    }
    let text = |name: &str| parameters.required(name).map(str::to_owned);
    let region = text("region")?;
    // Never the endpoint of the process's own environment, which is another service's.
    let endpoint = parameters
        .text("endpoint")
        .map_or_else(|| format!("https://s3.{region}.amazonaws.com"), str::to_owned);
    let options = [
        ("path", format!("s3://{}/{name}", parameters.required("bucket")?)),
        ("s3.endpoint", endpoint),
        ("s3.region", region),
        ("s3.access-key", text("access-key")?),
        ("s3.secret-key", text("secret-key")?),
        ("s3.path.style.access", parameters.boolean("path-style").to_string()),
    ];
    Ok(options.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
}
