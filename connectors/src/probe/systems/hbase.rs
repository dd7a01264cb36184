//! HBase, by its REST gateway.

use reqwest::Url;
use tidegate_connector_spec::data_source::Parameters;

use super::{Result, invalid, segment};
use crate::probe::http::{Credentials, Site};
use crate::probe::import::{Entry, Listing, Page};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::trace::Trace;

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let site = open(trace, parameters).await?;
    let namespace = parameters.text("namespace").unwrap_or("default");
    tables(trace, &site, namespace, What::OpenDatabase).await.map(drop)
}

async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<Site> {
    let url = parameters.required("rest-url").map_err(invalid)?;
    let url = Url::parse(url).map_err(|_| Failure::protocol(url, "it is no URL", "mend it"))?;
    let credentials = Credentials::basic(parameters.text("username"), parameters.text("password"));
    let site = Site::open(trace, url, parameters.text("ca-certificate"), credentials).await?;
    let what = if parameters.text("username").is_some() { What::Authenticate } else { What::Ask };
    let work = async {
        let answer = site.ask("version/cluster").await?;
        if answer.status != 200 {
            return Err(site.refusal(&answer, "ask for the version"));
        }
        let answer = answer.json();
        // Older gateways give the text alone.
        let version = answer["Version"].as_str().or_else(|| answer.as_str()).unwrap_or_default();
        let version: String = version.chars().take(40).collect();
        if !version.starts_with(|c: char| c.is_ascii_digit()) {
            let help = "mend 'rest-url': it is the address of 'hbase rest start'";
            return Err(Failure::protocol(&site.place, "it is no REST gateway of HBase", help));
        }
        Ok(((), format!("HBase {version}")))
    };
    trace.step(what, &site.place.clone(), work).await?;
    Ok(site)
}

/// The tables of a namespace.
async fn tables(
    trace: &mut Trace<'_>,
    site: &Site,
    namespace: &str,
    what: What,
) -> Result<Vec<Entry>> {
    let path = format!("namespaces/{}/tables", segment(namespace));
    let work = async {
        // Of a namespace that there is not the gateway says only that something failed.
        if !namespaces(site).await?.iter().any(|known| known == namespace) {
            return Err(Failure::new(
                Reason::MissingDatabase,
                format!("HBase behind {} has no namespace '{namespace}'", site.place),
                "mend 'namespace', or create it",
            ));
        }
        let answer = site.ask(&path).await?;
        if answer.status != 200 {
            return Err(site.refusal(&answer, "list tables"));
        }
        let answer = answer.json();
        let names = answer["table"].as_array().into_iter().flatten();
        let names = names.filter_map(|one| one["name"].as_str()).map(Entry::named);
        let names: Vec<Entry> = names.collect();
        let detail = format!("namespace {namespace} with {} tables", names.len());
        Ok((names, detail))
    };
    trace.step(what, &site.place.clone(), work).await
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    database: Option<&str>,
    page: &Page,
) -> Result<Listing> {
    let site = open(trace, parameters).await?;
    if let Some(namespace) = database {
        return Ok(page.of(false, tables(trace, &site, namespace, What::List).await?));
    }
    let work = async {
        let mut names = namespaces(&site).await?;
        names.retain(|name| name != "hbase");
        let detail = format!("{} namespaces", names.len());
        Ok((names, detail))
    };
    let names = trace.step(What::List, &site.place, work).await?;
    Ok(page.of(true, names.into_iter().map(Entry::named).collect()))
}

async fn namespaces(site: &Site) -> Result<Vec<String>> {
    let answer = site.ask("namespaces").await?;
    if answer.status != 200 {
        return Err(site.refusal(&answer, "list namespaces"));
    }
    let answer = answer.json();
    let names = answer["Namespace"].as_array().into_iter().flatten();
    Ok(names.filter_map(|one| one.as_str()).map(str::to_owned).collect())
}
