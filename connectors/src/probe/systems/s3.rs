//! S3 and services with its interface.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{ObjectStore, RetryConfig};
use reqwest::Url;
use tidegate_connector_spec::data_source::{Parameters, PhysicalTable};
use tidegate_storage::{Location, bucket_endpoint};

use super::{Result, invalid};
use crate::causes::causes;
use crate::probe::http;
use crate::probe::import::{self, Description, Entry, Listing, Page};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::trace::Trace;

/// Most objects that are looked at for a page of names.
const MOST_OBJECTS: usize = 10_000;

/// A bucket.
struct Bucket {
    location: Location,
    place: String,
    name: String,
}

/// Gives the store the client whose addresses were checked.
#[derive(Debug)]
struct Pinned(reqwest::Client);

impl HttpConnector for Pinned {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let bucket = open(trace, parameters).await?;
    let work = async {
        let first = bucket.location.store.list(None).try_next().await;
        let first = first.map_err(|error| failed(&bucket, &error))?;
        let what = if first.is_some() { "has objects" } else { "is empty" };
        Ok(((), format!("bucket {} {what}", bucket.name)))
    };
    let listed = trace.step(What::List, &bucket.place, work).await;
    match &listed {
        Ok(()) => trace.last_was(What::List, &[What::Authenticate, What::OpenDatabase]),
        Err(failure) => match failure.reason {
            Reason::Authentication => trace.last_was(What::Authenticate, &[]),
            Reason::MissingBucket => trace.last_was(What::OpenDatabase, &[What::Authenticate]),
            _ => {}
        },
    }
    listed
}

async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<Bucket> {
    let required = |name: &str| parameters.required(name).map_err(invalid);
    let (name, region) = (required("bucket")?, required("region")?);
    let endpoint = parameters.text("endpoint").map_or_else(
        || format!("https://s3.{region}.amazonaws.com"),
        |endpoint| endpoint.trim_end_matches('/').to_owned(),
    );
    let path_style = parameters.boolean("path-style");
    let endpoint = bucket_endpoint(&endpoint, name, path_style).map_err(invalid)?;
    let url = Url::parse(&endpoint);
    let url = url.map_err(|_| Failure::protocol(&endpoint, "it is no URL", "mend 'endpoint'"))?;
    let (client, place) = http::client(trace, &url, None).await?;
    let store = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(region)
        .with_endpoint(endpoint)
        .with_access_key_id(required("access-key")?)
        .with_secret_access_key(required("secret-key")?)
        .with_virtual_hosted_style_request(!path_style)
        .with_http_connector(Pinned(client))
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 1, ..RetryConfig::default() })
        .build();
    let store = store
        .map_err(|error| Failure::protocol(&place, &error.to_string(), "mend the parameters"))?;
    let location = Location {
        store: Arc::new(store) as Arc<dyn ObjectStore>,
        path: Path::default(),
        root: format!("s3://{name}/"),
        local: false,
    };
    Ok(Bucket { location, place, name: name.to_owned() })
}

/// Why the service does not give what was asked.
fn failed(bucket: &Bucket, error: &object_store::Error) -> Failure {
    let all: Vec<String> = causes(error).map(ToString::to_string).collect();
    let said = all.join(": ");
    let (place, name) = (&bucket.place, &bucket.name);
    let has = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    // The codes of S3 stand in the bodies of its answers.
    let short = said.split_once("<Code>").and_then(|(_, rest)| rest.split("</Code>").next());
    let short = short.map_or_else(|| said.clone(), str::to_owned);
    if has(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"])
        || matches!(error, object_store::Error::Unauthenticated { .. })
    {
        return Failure::new(
            Reason::Authentication,
            format!("{place} refuses the keys: {short}"),
            "mend 'access-key', 'secret-key' and 'region'",
        );
    }
    if has(&["NoSuchBucket"]) {
        return Failure::new(
            Reason::MissingBucket,
            format!("{place} has no bucket '{name}'"),
            "mend 'bucket', or create it",
        );
    }
    if has(&["AccessDenied", "403"])
        || matches!(error, object_store::Error::PermissionDenied { .. })
    {
        return Failure::new(
            Reason::Permission,
            format!("{place} does not let the key list bucket '{name}': {short}"),
            "let the key list and read the bucket; see that the bucket's name is right",
        );
    }
    if has(&["404"]) || matches!(error, object_store::Error::NotFound { .. }) {
        return Failure::new(
            Reason::MissingBucket,
            format!("{place} has no bucket '{name}', or is no S3: {short}"),
            "mend 'bucket' and 'endpoint'",
        );
    }
    Failure::protocol(
        place,
        &short,
        "see that it is S3, and whether the bucket stands in the path ('path-style')",
    )
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    page: &Page,
) -> Result<Listing> {
    let bucket = open(trace, parameters).await?;
    let work = async {
        // Within the folder that the prefix names; objects below become the next part of their path.
        let folder = page.prefix().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = Path::parse(folder);
        let path =
            path.map_err(|error| Failure::protocol(folder, &error.to_string(), "mend it"))?;
        let mut objects = bucket.location.store.list(Some(&path).filter(|_| !folder.is_empty()));
        let mut names: Vec<String> = Vec::new();
        for _ in 0..MOST_OBJECTS {
            let next = objects.try_next().await.map_err(|error| failed(&bucket, &error))?;
            let Some(object) = next else { break };
            let below = object.location.as_ref().strip_prefix(folder).unwrap_or_default();
            let first = below.trim_start_matches('/').split('/').next().unwrap_or_default();
            let name = [folder, first].join("/").trim_start_matches('/').to_owned();
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        let detail = format!("{} names", names.len());
        Ok((page.of(false, names.into_iter().map(Entry::named).collect()), detail))
    };
    trace.step(What::List, &bucket.place, work).await
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let mut bucket = open(trace, parameters).await?;
    let path = Path::parse(table.name.trim_matches('/'));
    bucket.location.path =
        path.map_err(|error| Failure::protocol(&table.name, &error.to_string(), "mend the path"))?;
    let limits = trace.limits;
    let work = async {
        let found = import::files::describe(&bucket.location, limits).await?;
        let detail = format!("{} columns", found.columns.len());
        Ok((found, detail))
    };
    trace.step(What::Ask, &bucket.place.clone(), work).await
}
