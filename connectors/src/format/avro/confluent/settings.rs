//! How a registry is reached: addresses and credentials.

use std::time::Duration;

use reqwest::Url;
use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, ErrorCode, Result};

/// Who asks.
#[derive(Clone)]
pub(super) enum Credentials {
    None,
    Basic { user: String, password: String },
    Bearer(String),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn invalid(options: &FormatOptions, key: &str, why: impl std::fmt::Display) -> Error {
    let key = options.full_key(key);
    Error::new(ErrorCode::InvalidOption, format!("option '{key}': {why}"))
}

/// An option by its name, or by the name that it had once.
pub(super) fn renamed<'a>(options: &'a FormatOptions, key: &str) -> Option<&'a str> {
    options.text(key).or_else(|| options.text(&format!("schema-registry.{key}")))
}

/// The addresses of a registry, without credentials, and the credentials that stand in one.
pub(super) fn addresses(options: &FormatOptions) -> Result<(Vec<Url>, Credentials)> {
    let text = renamed(options, "url").ok_or_else(|| {
        let key = options.full_key("url");
        Error::new(ErrorCode::InvalidOption, format!("the option '{key}' is needed"))
            .help("the address of the schema registry, such as http://localhost:8081")
    })?;
    let (mut urls, mut found) = (Vec::new(), Credentials::None);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let mut url = Url::parse(part)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                invalid(options, "url", "it is no address like http://localhost:8081")
            })?;
        if !url.username().is_empty() {
            let password = url.password().unwrap_or_default().to_owned();
            found = Credentials::Basic { user: url.username().to_owned(), password };
        }
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| invalid(options, "url", "it has no host"))?;
        urls.push(url);
    }
    if urls.is_empty() {
        return Err(invalid(options, "url", "it is empty"));
    }
    Ok((urls, found))
}

/// A property that is set below `properties.`.
pub(super) fn property<'a>(options: &'a FormatOptions, name: &str) -> Option<&'a str> {
    options.text(&format!("properties.{name}"))
}

/// Who asks, by the options; `in_url`: by the address.
pub(super) fn credentials(options: &FormatOptions, in_url: Credentials) -> Result<Credentials> {
    check_properties(options)?;
    let basic = options
        .text("basic-auth.credentials-source")
        .or_else(|| property(options, "basic.auth.credentials.source"));
    let bearer = options
        .text("bearer-auth.credentials-source")
        .or_else(|| property(options, "bearer.auth.credentials.source"));
    match (basic, bearer) {
        (Some(_), Some(_)) => Err(invalid(
            options,
            "bearer-auth.credentials-source",
            "set credentials by user or by token, not both",
        )),
        (Some(source), None) if source.eq_ignore_ascii_case("URL") => Ok(in_url),
        (Some(source), None) if source.eq_ignore_ascii_case("USER_INFO") => {
            let key = "basic-auth.user-info";
            let info = options.text(key).or_else(|| property(options, "basic.auth.user.info"));
            let (user, password) = info
                .and_then(|info| info.split_once(':'))
                .ok_or_else(|| invalid(options, key, "it must be there as user:password"))?;
            Ok(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
        }
        (Some(source), None) => Err(unsupported(
            options,
            "basic-auth.credentials-source",
            source,
            "use USER_INFO, or URL",
        )),
        (None, Some(source)) if source.eq_ignore_ascii_case("STATIC_TOKEN") => {
            let key = "bearer-auth.token";
            let token = options.text(key).or_else(|| property(options, "bearer.auth.token"));
            let token = token.ok_or_else(|| invalid(options, key, "it must be there"))?;
            Ok(Credentials::Bearer(token.to_owned()))
        }
        (None, Some(source)) => Err(unsupported(
            options,
            "bearer-auth.credentials-source",
            source,
            "use STATIC_TOKEN with 'bearer-auth.token'",
        )),
        (None, None) => Ok(in_url),
    }
}

pub(super) fn unsupported(options: &FormatOptions, key: &str, value: &str, help: &str) -> Error {
    let key = options.full_key(key);
    Error::unsupported(format!("option '{key}' = '{value}' is not supported")).help(help)
}

/// Properties of the Java client that are acted on.
const PROPERTIES: &[&str] = &[
    "basic.auth.credentials.source",
    "basic.auth.user.info",
    "bearer.auth.credentials.source",
    "bearer.auth.token",
    "schema.registry.ssl.truststore.location",
    "schema.registry.ssl.truststore.type",
    "schema.registry.ssl.truststore.certificates",
    "schema.registry.ssl.keystore.location",
    "schema.registry.ssl.keystore.type",
    "schema.registry.ssl.keystore.certificate.chain",
    "schema.registry.ssl.keystore.key",
];

fn check_properties(options: &FormatOptions) -> Result<()> {
    let unknown = options.keys_below("properties.").find(|name| !PROPERTIES.contains(name));
    match unknown {
        None => Ok(()),
        Some(name) => {
            let key = options.full_key(&format!("properties.{name}"));
            Err(Error::unsupported(format!("option '{key}' is not acted on"))
                .help(format!("remove it; those that are: {}", PROPERTIES.join(", "))))
        }
    }
}

/// The client of a registry.
pub(super) fn client(options: &FormatOptions) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .use_preconfigured_tls(super::tls::settings(options)?)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    builder.build().map_err(|error| Error::internal(format!("client of a registry: {error}")))
}
