//! Topics that were approved are created, or checked if they are there; what the outside system says is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_catalog::{
    Action, Catalog, ChildName, Connection, Environment, Publication, PublicationState, Ready,
    TableAction, TableName,
};
use tidegate_proto::internal::v1 as wire;
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};

use super::Governor;
use crate::raft::Consistency;
use crate::service::workers::probes::Visited;

/// Topics that are worked on at the same time.
const AT_ONCE: usize = 8;
/// How long one may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait before one is tried again that was refused.
const RETRY: Duration = Duration::from_secs(15);

/// What is under way.
#[derive(Default)]
pub(super) struct Publications {
    working: BTreeMap<(TableName, Environment), Task<Ready>>,
    /// Until when those rest that were refused.
    resting: BTreeMap<(TableName, Environment), Duration>,
}

/// Something that is to be created or checked.
struct Wanted {
    table: TableName,
    environment: Environment,
    publication: Publication,
    kind: String,
    connection: Option<Connection>,
}

impl Publications {
    /// Begins what is to be done and keeps what is known by now.
    pub(super) async fn look(&mut self, governor: &Governor, term: u64) -> Result<()> {
        let over: Vec<_> = self
            .working
            .iter()
            .filter(|(_, task)| task.is_finished())
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            let Some(task) = self.working.remove(&key) else { continue };
            let ready = task.await?;
            if ready.failure.is_some() {
                self.resting.insert(key, governor.clock.elapsed() + RETRY);
            }
            let set = Action::Table(Box::new(TableAction::SetReady(ready)));
            match governor.propose(term, set).await {
                // Something else is wanted by now, or the table is gone.
                Err(error) if matches!(error.code(), ErrorCode::Fenced | ErrorCode::NotFound) => {}
                set => set?,
            }
        }
        let now = governor.clock.elapsed();
        let wanted = governor.metadata.read(Consistency::Stale, wanted).await?;
        self.resting.retain(|(table, environment), until| {
            let same = |wanted: &Wanted| {
                // One that was asked for anew does not rest.
                wanted.table == *table
                    && wanted.environment == *environment
                    && wanted.publication.state == PublicationState::Failed
            };
            *until > now && wanted.iter().any(same)
        });
        for wanted in wanted {
            let key = (wanted.table.clone(), wanted.environment);
            let busy = self.working.len() >= AT_ONCE;
            if busy || self.working.contains_key(&key) || self.resting.contains_key(&key) {
                continue;
            }
            let (pool, secrets) = (governor.pool.clone(), governor.secrets.clone());
            let name = format!("publication of {}", wanted.table);
            let work = async move {
                let Wanted { table, environment, publication, kind, connection } = wanted;
                let made = async {
                    let of = &publication.data_source;
                    let connection = connection.ok_or_else(|| gone(of))?;
                    let parameters = secrets.parameters(of, &connection)?;
                    let visited = Visited { kind, parameters, deadline: DEADLINE };
                    let checked = visited.topic(&pool, topic(&publication)).await?;
                    fits(&publication, &checked)
                };
                let failure = made.await.err().map(|error| error.to_string());
                Ready { table, environment, publication: Box::new(publication), failure }
            };
            self.working.insert(key, spawn(name, work));
        }
        Ok(())
    }
}

fn gone(data_source: &ChildName) -> Error {
    Error::new(ErrorCode::FailedPrecondition, format!("{data_source} cannot be used any more"))
}

fn wanted(catalog: &Catalog) -> Vec<Wanted> {
    let of = |(table, environment, publication): (&tidegate_catalog::Table, _, &Publication)| {
        let data_source = catalog.data_source(&publication.data_source);
        Wanted {
            table: table.name.clone(),
            environment,
            publication: publication.clone(),
            kind: table.kind.clone(),
            connection: data_source.and_then(|found| found.approved.clone()),
        }
    };
    catalog.applying().map(of).collect()
}

fn topic(publication: &Publication) -> wire::probe::Topic {
    let topic = publication.topic;
    let retention = (topic.retention_ms > 0)
        .then(|| ("retention.ms".to_owned(), topic.retention_ms.to_string()));
    wire::probe::Topic {
        name: publication.physical_name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs: retention.into_iter().collect(),
    }
}

/// Refuses a topic that was there and has another form than the approval says. More partitions than wanted do no harm.
fn fits(publication: &Publication, checked: &wire::TopicChecked) -> Result<()> {
    if checked.partitions >= publication.topic.partitions {
        return Ok(());
    }
    let message = format!(
        "topic {} is there with {} partitions, {} are wanted",
        publication.physical_name, checked.partitions, publication.topic.partitions
    );
    Err(Error::new(ErrorCode::FailedPrecondition, message)
        .help("add partitions to the topic, or publish the table with fewer"))
}
