//! Visits of outside systems on a worker, with the connectors' probes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidegate_connector_spec::data_source::{PhysicalTable, data_source};
use tidegate_connectors::probe::delivery::{Post, Posted};
use tidegate_connectors::probe::topics::{Difference, Wanted};
use tidegate_connectors::probe::{Description, Limits, Listing, Outcome, Page, Probe, TestReport};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::answer::Result as Found;
use tidegate_proto::internal::v1::probe::What;
use tidegate_proto::tasks::malformed;
use tidegate_runtime::Clock;
use tidegate_types::Result;
use tidegate_worker::service::Prober;
use tokio::runtime::Handle;

use super::config::WorkerSection;
use super::previews::Previews;

/// Longest visit, whatever is asked for.
const LONGEST: Duration = Duration::from_secs(120);

/// Where a worker may go.
pub(super) struct Visits {
    private_addresses: bool,
    folders: Vec<PathBuf>,
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    previews: Previews,
}

impl Visits {
    /// As the configuration says.
    pub(super) fn new(section: &WorkerSection, clock: &Arc<dyn Clock>, data: &Handle) -> Self {
        let clock = clock.clone();
        Self {
            private_addresses: section.private_addresses,
            folders: section.folders.clone(),
            previews: Previews::new(clock.clone(), data.clone()),
            clock: Arc::new(move || clock.elapsed()),
        }
    }
}

impl Visits {
    /// Tells an address of something.
    async fn post(&self, post: wire::probe::Post, limits: &Limits) -> wire::Posted {
        let wire::probe::Post { url, headers, body } = post;
        let post = Post { url, headers: headers.into_iter().collect(), body };
        match post.send(limits, &self.clock).await {
            Ok(posted) => {
                let Posted { status, said } = posted;
                wire::Posted { status: status.into(), detail: said }
            }
            Err(error) => wire::Posted { status: 0, detail: error.to_string() },
        }
    }
}

#[async_trait]
impl Prober for Visits {
    async fn visit(&self, probe: wire::Probe) -> Result<Found> {
        let deadline = Duration::from_millis(probe.deadline_ms.into()).min(LONGEST);
        if let Some(What::Preview(preview)) = probe.what {
            return Box::pin(self.previews.run(preview, deadline)).await.map(Found::Previewed);
        }
        let limits = Limits {
            deadline,
            private_addresses: self.private_addresses,
            folders: self.folders.clone(),
            ..Limits::default()
        };
        if let Some(What::Post(post)) = probe.what {
            return Ok(Found::Posted(self.post(post, &limits).await));
        }
        let spec = data_source(&probe.r#type)
            .ok_or_else(|| malformed(format!("a visit of a '{}'", probe.r#type)))?;
        let parameters: BTreeMap<String, String> = probe.parameters.into_iter().collect();
        let visit = Probe::new(spec, &parameters, &limits, &self.clock)?;
        match probe.what {
            Some(What::Test(_)) => Ok(Found::Tested(tested(visit.test().await))),
            Some(What::Topic(topic)) => {
                let wanted = Wanted {
                    name: topic.name,
                    partitions: Some(topic.partitions).filter(|count| *count > 0),
                    replication: u16::try_from(topic.replication_factor)
                        .ok()
                        .filter(|count| *count > 0),
                    configs: topic.configs.into_iter().collect(),
                };
                let report = visit.topic(&wanted, true).await?;
                let words = |difference: &Difference| {
                    let Difference { what, wanted, found } = difference;
                    format!("{what}: {found}, wanted {wanted}")
                };
                Ok(Found::Topic(wire::TopicChecked {
                    created: report.created,
                    partitions: report.partitions,
                    replication_factor: report.replication.into(),
                    differences: report.differences.iter().map(words).collect(),
                }))
            }
            Some(What::List(list)) => {
                let database = Some(list.database).filter(|name| !name.is_empty());
                let page = Page {
                    prefix: Some(list.prefix).filter(|text| !text.is_empty()),
                    after: Some(list.after).filter(|text| !text.is_empty()),
                    limit: list.limit as usize,
                };
                Ok(Found::Listed(listed(visit.list(database.as_deref(), &page).await?)))
            }
            Some(What::Describe(table)) => {
                let database = Some(table.database).filter(|name| !name.is_empty());
                let table = PhysicalTable { database, name: table.name };
                Ok(Found::Described(described(visit.describe(&table).await?)))
            }
            Some(What::Preview(_) | What::Post(_)) | None => Err(malformed("a visit for nothing")),
        }
    }
}

fn tested(report: TestReport) -> wire::Tested {
    let steps = report.steps.into_iter().map(|step| wire::tested::Step {
        what: step.what.name().to_owned(),
        passed: step.outcome == Outcome::Passed,
        detail: step.detail,
        elapsed_us: u64::try_from(step.elapsed.as_micros()).unwrap_or(u64::MAX),
    });
    let failure = report.failure.map(|failure| wire::tested::Reason {
        reason: failure.reason.name().to_owned(),
        message: failure.message,
        help: failure.help,
    });
    wire::Tested { steps: steps.collect(), failure }
}

fn listed(listing: Listing) -> wire::Listed {
    let entries = listing.entries.into_iter().map(|entry| wire::listed::Entry {
        name: entry.name,
        comment: entry.comment.unwrap_or_default(),
    });
    wire::Listed {
        databases: listing.databases,
        entries: entries.collect(),
        next: listing.next.unwrap_or_default(),
    }
}

fn described(description: Description) -> wire::Described {
    let columns = description.columns.into_iter().map(|column| wire::described::Column {
        name: column.name,
        r#type: column.ty.to_string(),
        native: column.native,
        comment: column.comment.unwrap_or_default(),
        primary_key: column.primary_key,
    });
    let unmapped = description.unmapped.into_iter().map(|column| wire::described::Unmapped {
        name: column.name,
        native: column.native,
        why: column.why,
    });
    wire::Described {
        columns: columns.collect(),
        unmapped: unmapped.collect(),
        comment: description.comment.unwrap_or_default(),
        options: description.options.into_iter().collect(),
        sampled: description.sampled.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
    }
}
