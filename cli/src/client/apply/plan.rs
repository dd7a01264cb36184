//! What is to be done, in which order, and what is as it should be.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::diff::Difference;
use super::manifest::{Item, Kind};
use super::world::World;
use super::{access, data, jobs, tenancy};

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Create,
    Update,
    /// An approval is asked for.
    Publish,
    /// A version of a job.
    Version,
    Start,
}

impl Change {
    /// In the output for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Publish => "publish",
            Self::Version => "version",
            Self::Start => "start",
        }
    }

    /// In the output for people.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Create | Self::Version => "+",
            Self::Update => "~",
            Self::Publish | Self::Start => ">",
        }
    }
}

/// A call of the API.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// `Service.Method`
    pub(super) method: &'static str,
    pub(super) request: Json,
    /// Where in the request the etag of something stands, if this run has changed it before.
    pub(super) etag: Option<(&'static str, String)>,
}

/// A step of a plan: one change of one thing.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) change: Change,
    /// Full name of what changes; of roles and grants one that no other has.
    pub(super) name: String,
    /// What it is called in the output, after its kind.
    pub(super) label: String,
    pub(super) project: String,
    pub(super) differences: Vec<Difference>,
    pub(super) calls: Vec<Call>,
    /// After the calls.
    pub(super) start: Option<api::StartJobRequest>,
    /// What later steps wait for if this one does not come to its end at once.
    pub(super) key: String,
    /// Keys: without them it has to wait.
    pub(super) after: Vec<String>,
    /// Why it has to wait, whatever is done.
    pub(super) waits: Option<String>,
    /// The approval that it waits for.
    pub(super) approval: Option<String>,
}

impl Step {
    /// A change of an item.
    pub(super) fn new(item: &Item, change: Change, differences: Vec<Difference>) -> Self {
        Self {
            kind: item.kind,
            change,
            name: item.name.clone(),
            label: item.id.clone(),
            project: item.project.clone(),
            differences,
            calls: Vec::new(),
            start: None,
            key: item.name.clone(),
            after: Vec::new(),
            waits: None,
            approval: None,
        }
    }

    /// With one more call.
    pub(super) fn call(mut self, method: &'static str, request: Json) -> Self {
        self.calls.push(Call { method, request, etag: None });
        self
    }

    /// With a call that says of what it has seen the etag, and where.
    pub(super) fn call_if_seen(
        mut self,
        method: &'static str,
        request: Json,
        at: &'static str,
        name: &str,
    ) -> Self {
        self.calls.push(Call { method, request, etag: Some((at, name.to_owned())) });
        self
    }
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// How much is as it should be.
    pub(super) same: usize,
    /// Keys of what is not there yet and waits for somebody.
    pub(super) waiting: BTreeSet<String>,
}

impl Plan {
    /// Adds a step, which waits if what it needs waits.
    pub(super) fn push(&mut self, mut step: Step) {
        if step.waits.is_none()
            && let Some(key) = step.after.iter().find(|key| self.waiting.contains(*key))
        {
            step.waits = Some(format!("waits for {}", spoken(key)));
        }
        // What is asked for is not there before somebody has decided; of data sources it is seen when it is done.
        let asked = step.change == Change::Publish && step.kind != Kind::DataSource;
        if step.waits.is_some() || asked {
            self.waiting.insert(step.key.clone());
        }
        self.steps.push(step);
    }

    /// Steps that can be done now.
    pub(super) fn todo(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.waits.is_none())
    }
}

/// A key in a sentence: `projects/p/databases/default/tables/clicks@TEST` as `table clicks in test`.
pub(super) fn spoken(key: &str) -> String {
    let (name, environment) = key.split_once('@').unwrap_or((key, ""));
    let parts: Vec<&str> = name.split('/').collect();
    let what = match parts.as_slice() {
        [.., "tables", id] => format!("table {id}"),
        [.., "databases", id] => format!("database {id}"),
        [.., "dataSources", id] => format!("the approval of data source {id}"),
        [.., "jobs", id] => format!("job {id}"),
        _ => name.to_owned(),
    };
    match environment {
        "" => what,
        environment => format!("{what} in {}", environment.to_lowercase()),
    }
}

/// Reads what there is and says what is to be done.
///
/// # Errors
/// What the server says, with the place of the item; what cannot be changed.
pub(super) async fn plan(items: &[Item], world: &mut World<'_>) -> Result<Plan> {
    let mut plan = Plan::default();
    for item in items {
        let planned = match item.kind {
            Kind::Project => Box::pin(tenancy::project(item, world, &mut plan)).await,
            Kind::Service => Box::pin(tenancy::service(item, world, &mut plan)).await,
            Kind::Role => Box::pin(tenancy::role(item, world, &mut plan)).await,
            Kind::DataSource => Box::pin(data::data_source(item, world, &mut plan)).await,
            Kind::Database => Box::pin(data::database(item, world, &mut plan)).await,
            Kind::Table => Box::pin(data::table(item, world, &mut plan)).await,
            Kind::DatabasePublication | Kind::TablePublication => {
                Box::pin(access::publication(item, world, &mut plan)).await
            }
            Kind::Grant => Box::pin(access::grant(item, world, &mut plan)).await,
            Kind::Job => Box::pin(jobs::job(item, items, world, &mut plan)).await,
        };
        planned.map_err(|error| error.context(item.place.to_string()))?;
    }
    Ok(plan)
}
