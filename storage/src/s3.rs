//! The S3 client: where its address and keys come from, and its time-outs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tidegate_types::{Error, ErrorCode, Result};
use url::Url;

/// Longest wait for one request, retries not counted.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failing request is repeated.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a failing request is repeated.
const MAX_RETRIES: usize = 6;
/// Region that is signed for where none is set: services other than AWS ignore it.
const DEFAULT_REGION: &str = "us-east-1";

/// A client for one bucket.
pub(super) fn store(
    bucket: &str,
    options: &BTreeMap<String, String>,
) -> Result<Arc<dyn ObjectStore>> {
    let setting = |key: &str, variable: &str| {
        options
            .get(key)
            .cloned()
            .or_else(|| std::env::var(variable).ok().filter(|value| !value.is_empty()))
    };
    // Keys of a table go with nothing of the environment's: a token there is of other keys.
    let own_keys = options.contains_key("s3.access-key");
    let builder = if own_keys { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
    let mut builder = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig {
            max_retries: MAX_RETRIES,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        });
    if let Some(key) = setting("s3.access-key", "TIDEGATE_S3_ACCESS_KEY") {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = setting("s3.secret-key", "TIDEGATE_S3_SECRET_KEY") {
        builder = builder.with_secret_access_key(secret);
    }
    if let Some(token) = options.get("s3.session-token") {
        builder = builder.with_token(token);
    }
    if let Some(region) = region(options) {
        builder = builder.with_region(region);
    }
    let mut client =
        ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
    let endpoint = setting("s3.endpoint", "TIDEGATE_S3_ENDPOINT")
        .or_else(|| setting("s3.endpoint", "AWS_ENDPOINT_URL_S3"))
        .or_else(|| setting("s3.endpoint", "AWS_ENDPOINT_URL"))
        .or_else(|| setting("s3.endpoint", "AWS_ENDPOINT"));
    if let Some(endpoint) = &endpoint {
        client = client.with_allow_http(check_endpoint(endpoint)?);
    }
    let path_style = match options.get("s3.path.style.access") {
        Some(text) => tidegate_connector_spec::value::boolean("s3.path.style.access", text)?,
        None => endpoint.is_some(),
    };
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(bucket_endpoint(endpoint, bucket, path_style)?);
    }
    let store =
        builder.with_virtual_hosted_style_request(!path_style).with_client_options(client).build();
    match store {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(Error::new(
            ErrorCode::InvalidOption,
            format!("bucket '{bucket}': {}", super::chain(&error)),
        )),
    }
}

fn region(options: &BTreeMap<String, String>) -> Option<String> {
    let set =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| std::env::var_os(name).is_some());
    let from_environment = set && !options.contains_key("s3.access-key");
    match options.get("s3.region") {
        Some(region) => Some(region.clone()),
        None if from_environment => None,
        None => Some(DEFAULT_REGION.to_owned()),
    }
}

/// The address that requests for a bucket go to: the service's, with the bucket in front of its host where
/// the bucket does not stand in the path.
///
/// # Errors
/// `INVALID_OPTION` for what is not a URL.
pub fn bucket_endpoint(endpoint: &str, bucket: &str, path_style: bool) -> Result<String> {
    let endpoint = endpoint.trim_end_matches('/');
    if path_style {
        return Ok(endpoint.to_owned());
    }
    let wrong = |why: &str| {
        Error::new(ErrorCode::InvalidOption, format!("S3 endpoint '{endpoint}': {why}"))
    };
    let mut url =
        Url::parse(endpoint).map_err(|_| wrong("not a URL such as https://s3.example.com"))?;
    let Some(url::Host::Domain(host)) = url.host() else {
        return Err(wrong("a bucket cannot stand in front of an address")
            .help("set 's3.path.style.access' = 'true', or use a name"));
    };
    let prefix = format!("{bucket}.");
    if !host.starts_with(&prefix) {
        let host = format!("{prefix}{host}");
        url.set_host(Some(&host)).map_err(|_| wrong("the bucket is no part of a host name"))?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether the endpoint is reached without TLS, which is fine on this machine, and elsewhere only
/// where the environment says so: keys sign requests, but contents would be readable on the way.
fn check_endpoint(endpoint: &str) -> Result<bool> {
    let wrong = |why: &str| {
        Error::new(ErrorCode::InvalidOption, format!("S3 endpoint '{endpoint}': {why}"))
    };
    let url =
        Url::parse(endpoint).map_err(|_| wrong("not a URL such as https://s3.example.com"))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong("the host is missing")),
    };
    match url.scheme() {
        "https" => Ok(false),
        "http" if loopback => Ok(true),
        "http" if std::env::var("AWS_ALLOW_HTTP").is_ok_and(|v| v.eq_ignore_ascii_case("true")) => {
            Ok(true)
        }
        "http" => Err(wrong("http is allowed for this machine only").help(
            "use https, or set the environment variable AWS_ALLOW_HTTP=true in a network you trust",
        )),
        _ => Err(wrong("the scheme must be https or http")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_stand_in_the_path_or_in_front_of_the_host() {
        let of = |endpoint, path_style| bucket_endpoint(endpoint, "lake", path_style);
        assert_eq!(of("http://127.0.0.1:8333/", true).unwrap(), "http://127.0.0.1:8333");
        let virtual_host = "https://lake.ks3.example.com";
        assert_eq!(of("https://ks3.example.com/", false).unwrap(), virtual_host);
        assert_eq!(of(virtual_host, false).unwrap(), virtual_host);
        assert!(of("http://127.0.0.1:8333", false).is_err());
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        assert!(check_endpoint("http://127.0.0.1:8333").unwrap());
        assert!(check_endpoint("http://[::1]:8333").unwrap());
        assert!(!check_endpoint("https://s3.example.com").unwrap());
        let error = check_endpoint("http://s3.example.com").unwrap_err().to_string();
        assert!(error.contains("http is allowed") && error.contains("AWS_ALLOW_HTTP"), "{error}");
        assert!(check_endpoint("s3.example.com").is_err());
    }
}
