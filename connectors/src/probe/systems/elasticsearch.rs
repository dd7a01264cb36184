//! Elasticsearch and OpenSearch, over their REST API.

use serde_json::Value;
use tidegate_connector_spec::data_source::{Parameters, PhysicalTable, urls};

use super::{Result, invalid, segment};
use crate::probe::http::{Credentials, Site};
use crate::probe::import::{Description, Entry, Listing, Page, elasticsearch_types};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::trace::Trace;

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    open(trace, parameters).await.map(drop)
}

/// The first node that answers.
async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<Site> {
    let hosts = parameters.required("hosts").map_err(invalid)?;
    let hosts = urls(hosts).map_err(|part| Failure::protocol(part, "it is no URL", "mend it"))?;
    let mut last = None;
    for url in hosts {
        let credentials = match parameters.text("api-key") {
            Some(key) => {
                trace.redaction.add(format!("ApiKey {key}"));
                Credentials::header("Authorization", &format!("ApiKey {key}"))?
            }
            None => Credentials::basic(parameters.text("username"), parameters.text("password")),
        };
        let opened = Site::open(trace, url, parameters.text("ca-certificate"), credentials).await;
        match opened {
            Ok(site) => return greet(trace, parameters, site).await,
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::protocol("'hosts'", "it is empty", "mend it")))
}

/// Asks a node what it is.
async fn greet(trace: &mut Trace<'_>, parameters: &Parameters<'_>, site: Site) -> Result<Site> {
    let login = parameters.text("api-key").or_else(|| parameters.text("username"));
    let what = if login.is_some() { What::Authenticate } else { What::Ask };
    let work = async {
        let answer = site.ask("/").await?;
        if answer.status != 200 {
            return Err(site.refusal(&answer, "ask for the version"));
        }
        let answer = answer.json();
        let Some(version) = answer["version"]["number"].as_str() else {
            let help = "mend 'hosts': the address is that of the REST API";
            return Err(Failure::protocol(&site.place, "it is no Elasticsearch", help));
        };
        let product = answer["version"]["distribution"].as_str().unwrap_or("elasticsearch");
        let cluster = answer["cluster_name"].as_str().unwrap_or_default();
        Ok(((), format!("{product} {version}, cluster {cluster}")))
    };
    trace.step(what, &site.place.clone(), work).await?;
    Ok(site)
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    page: &Page,
) -> Result<Listing> {
    let site = open(trace, parameters).await?;
    let path = "_cat/indices?format=json&h=index&expand_wildcards=open";
    let answer = site.step(trace, What::List, path, "list indices").await?.json();
    let names = answer.as_array().into_iter().flatten().filter_map(|one| one["index"].as_str());
    let own = names.filter(|name| !name.starts_with('.'));
    Ok(page.of(false, own.map(Entry::named).collect()))
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let site = open(trace, parameters).await?;
    let path = format!("{}/_mapping", segment(&table.name));
    let work = async {
        let answer = site.ask(&path).await?;
        if answer.status == 404 {
            return Err(Failure::new(
                Reason::MissingTable,
                format!("{} has no index '{}'", site.place, table.name),
                "mend the name, or create the index",
            ));
        }
        if answer.status != 200 {
            return Err(site.refusal(&answer, "read the mapping"));
        }
        let answer = answer.json();
        // By an alias several indices answer; the newest name stands for them.
        let indices = answer.as_object().and_then(|indices| indices.iter().next_back());
        let mapping = indices.map_or(&Value::Null, |(_, index)| &index["mappings"]);
        // Before version 7 types lie between.
        let old = || mapping.as_object()?.values().find(|one| one["properties"].is_object());
        let mapping = if mapping["properties"].is_object() { Some(mapping) } else { old() };
        let found =
            elasticsearch_types::describe(mapping.map_or(&Value::Null, |m| &m["properties"]));
        let detail = format!("{} fields", found.columns.len() + found.unmapped.len());
        Ok((found, detail))
    };
    trace.step(What::Ask, &site.place.clone(), work).await
}
