//! Doing what a plan says, step by step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tidegate_proto::v1 as api;
use tidegate_types::{Error, ErrorCode, Result};

use super::manifest::Kind;
use super::plan::{Change, Plan, Step, spoken};
use super::world::{World, text};
use crate::client::connection::answer;

/// What became of a step.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Done,
    /// An approval was asked for.
    Asked(Approval),
    /// It has to wait, for this.
    Waits(String),
    Failed(Error),
    /// A step before it has failed.
    NotDone,
}

/// An approval that somebody has to decide.
#[derive(Debug, Clone)]
pub(super) struct Approval {
    pub(super) name: String,
    /// What will be done.
    pub(super) summary: String,
    /// The role that decides, and where.
    pub(super) decider: String,
}

/// Does the steps of a plan in their order; after the first that fails none. `told` hears of each.
pub(super) async fn execute(
    plan: &Plan,
    world: &World<'_>,
    mut told: impl FnMut(&Step, &Outcome) -> Result<()>,
) -> Result<Vec<Outcome>> {
    let mut run = Run { world, etags: world.etags.clone(), waiting: BTreeSet::new() };
    // What waits already when it is planned.
    run.waiting.extend(drafts(plan));
    let mut outcomes = Vec::new();
    let mut failed = false;
    for step in &plan.steps {
        let outcome = match &step.waits {
            Some(reason) => Outcome::Waits(reason.clone()),
            _ if failed => Outcome::NotDone,
            None => match step.after.iter().find(|key| run.waiting.contains(*key)) {
                Some(key) => Outcome::Waits(format!("waits for {}", spoken(key))),
                None => run.step(step).await.unwrap_or_else(Outcome::Failed),
            },
        };
        match &outcome {
            Outcome::Failed(_) => failed = true,
            Outcome::Asked(_) | Outcome::Waits(_) => drop(run.waiting.insert(step.key.clone())),
            Outcome::Done | Outcome::NotDone => {}
        }
        told(step, &outcome)?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Data sources that are drafts, and stay so because nobody asks for their approval.
fn drafts(plan: &Plan) -> BTreeSet<String> {
    let of_plan: BTreeSet<&String> = plan.steps.iter().map(|step| &step.key).collect();
    plan.waiting.iter().filter(|key| !of_plan.contains(key)).cloned().collect()
}

struct Run<'a, 'b> {
    world: &'a World<'b>,
    /// As the last answers said.
    etags: BTreeMap<String, String>,
    waiting: BTreeSet<String>,
}

impl Run<'_, '_> {
    async fn step(&mut self, step: &Step) -> Result<Outcome> {
        let mut last = Json::Null;
        for call in &step.calls {
            let mut request = call.request.clone();
            if let Some((at, name)) = &call.etag
                && let Some(etag) = self.etags.get(name)
                && let Some(place) = request.pointer_mut(at)
            {
                place["etag"] = etag.clone().into();
            }
            last = match self.world.caller.call(call.method, request).await {
                Err(error) if step.change == Change::Publish => return published(step, error),
                answered => answered?,
            };
            if let (Some(name), Some(etag)) = (last["name"].as_str(), last["etag"].as_str()) {
                self.etags.insert(name.to_owned(), etag.to_owned());
            }
        }
        if let Some(start) = &step.start {
            let connection = self.world.caller.0;
            let request_id = format!("apply-{:016x}", tidegate_job_control::driver::random());
            let start = api::StartJobRequest { request_id, ..start.clone() };
            let operation = answer(connection.jobs().start_job(start).await)?;
            connection.finish(operation).await?;
        }
        if step.kind == Kind::DataSource {
            match last["state"] == "ACTIVE" {
                true => self.waiting.remove(&step.name),
                false => self.waiting.insert(step.name.clone()),
            };
        }
        if step.change != Change::Publish {
            return Ok(Outcome::Done);
        }
        let name = match step.kind {
            Kind::DataSource => text(&last, "pendingApproval"),
            _ => text(&last, "name"),
        };
        if name.is_empty() || (step.kind != Kind::DataSource && last["state"] != "PENDING") {
            return Ok(Outcome::Done);
        }
        if step.kind == Kind::DataSource {
            let found = self.world.caller.get("ApprovalService.GetApproval", &name).await;
            last = found.ok().flatten().unwrap_or(Json::Null);
        }
        let decider = format!("{} of {}", text(&last, "deciderRole"), text(&last, "deciderScope"));
        Ok(Outcome::Asked(Approval { name, summary: text(&last, "summary"), decider }))
    }
}

/// What a refused publication is: nothing to do, something that waits, or a failure.
fn published(step: &Step, error: Error) -> Result<Outcome> {
    if error.code() != ErrorCode::FailedPrecondition {
        return Err(error);
    }
    let said = error.message();
    if step.kind == Kind::DataSource && said.contains("is approved as it is") {
        return Ok(Outcome::Done);
    }
    // Somebody else has asked.
    match said.split_whitespace().find(|word| word.contains("/approvals/")) {
        Some(_) if said.contains("is pending") => Ok(Outcome::Waits(said.to_owned())),
        _ => Err(error),
    }
}
