//! Plans and what became of them, for people and for programs.

use serde_json::{Value as Json, json};

use super::diff::Difference;
use super::execute::{Approval, Outcome};
use super::manifest::Kind;
use super::plan::{Change, Plan, Step};

/// A step of a plan; `project` where there are several.
pub(super) fn step(step: &Step, several: bool) -> String {
    let project = match several && step.kind != Kind::Project {
        true => format!(" (project {})", step.project),
        false => String::new(),
    };
    let sign = if step.waits.is_some() { "…" } else { step.change.sign() };
    let head = format!("{sign} {} {}{project}", step.kind.noun(), step.label);
    if let Some(reason) = &step.waits {
        return format!("{head}: {reason}");
    }
    match step.differences.as_slice() {
        [] if step.change == Change::Publish => format!("{head}: asks for its approval"),
        [] => head,
        [one] if step.change != Change::Create => format!("{head}: {}", difference(one)),
        several => {
            let lines = several.iter().map(|one| format!("\n    {}", difference(one)));
            head + &lines.collect::<String>()
        }
    }
}

fn difference(one: &Difference) -> String {
    let Difference { path, before, after } = one;
    match (before, after) {
        (Some(before), Some(after)) => format!("{path} {before} -> {after}"),
        (Some(before), None) => format!("{path} {before} -> nothing"),
        (None, Some(after)) => format!("{path} {after}"),
        (None, None) => path.clone(),
    }
}

/// How much there is to do.
pub(super) fn summary(plan: &Plan) -> String {
    let count =
        |wanted: &[Change]| plan.todo().filter(|step| wanted.contains(&step.change)).count();
    let waits = plan.steps.iter().filter(|step| step.waits.is_some()).count();
    let parts = [
        (count(&[Change::Create, Change::Version]), "to create"),
        (count(&[Change::Update]), "to change"),
        (count(&[Change::Publish]), "to publish"),
        (count(&[Change::Start]), "to start"),
        (waits, if waits == 1 { "waits" } else { "wait" }),
        (plan.same, "as it should be"),
    ];
    let parts = parts.iter().filter(|(count, what)| *count > 0 || *what == "as it should be");
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    format!("= {}", parts.join(", "))
}

/// What became of a step.
pub(super) fn outcome(step: &Step, outcome: &Outcome) -> String {
    let what = format!("{} {}", step.kind.noun(), step.label);
    match outcome {
        Outcome::Done => format!("done      {what}{}", verb(step.change)),
        Outcome::Asked(approval) => format!("asked     {what}: {}", asked(approval)),
        Outcome::Waits(reason) => format!("waits     {what}: {reason}"),
        Outcome::Failed(error) => format!("failed    {what}: [{}] {error}", error.code().as_str()),
        Outcome::NotDone => format!("not done  {what}{}", verb(step.change)),
    }
}

fn verb(change: Change) -> &'static str {
    match change {
        Change::Create => " made",
        Change::Update => " changed",
        Change::Publish => " published",
        Change::Version => " kept",
        Change::Start => " started",
    }
}

fn asked(approval: &Approval) -> String {
    format!("{} waits for {}", approval.name, approval.decider)
}

/// Approvals that somebody has to decide, with what will be done.
pub(super) fn approvals(plan: &Plan, outcomes: &[Outcome]) -> Vec<String> {
    let of_outcomes = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Asked(approval) => {
            let Approval { name, summary, decider } = approval;
            Some(format!("  {name}  {summary} ({decider})"))
        }
        _ => None,
    });
    let pending = plan.steps.iter().filter_map(|step| {
        let name = step.approval.as_ref()?;
        Some(format!("  {name}  {} {}", step.kind.noun(), step.label))
    });
    pending.chain(of_outcomes).collect()
}

/// All of it as one object.
pub(super) fn json(plan: &Plan, outcomes: &[Outcome], dry_run: bool) -> Json {
    let steps = plan.steps.iter().enumerate().map(|(at, step)| {
        let differences = step
            .differences
            .iter()
            .map(|one| json!({"path": one.path, "before": one.before, "after": one.after}));
        let mut json = json!({
            "kind": step.kind.noun(),
            "name": step.name,
            "label": step.label,
            "project": format!("projects/{}", step.project),
            "change": step.change.word(),
            "differences": differences.collect::<Vec<_>>(),
            "waits": step.waits,
            "approval": step.approval,
            "result": Json::Null,
        });
        if let Some(outcome) = outcomes.get(at) {
            json["result"] = match outcome {
                Outcome::Done => "done",
                Outcome::Asked(_) => "asked",
                Outcome::Waits(_) => "waits",
                Outcome::Failed(_) => "failed",
                Outcome::NotDone => "not done",
            }
            .into();
            match outcome {
                Outcome::Asked(approval) => json["approval"] = approval.name.clone().into(),
                Outcome::Waits(reason) => json["waits"] = reason.clone().into(),
                Outcome::Failed(error) => {
                    let message = error.to_string();
                    json["error"] = json!({"code": error.code().as_str(), "message": message});
                }
                Outcome::Done | Outcome::NotDone => {}
            }
        }
        json
    });
    let steps: Vec<Json> = steps.collect();
    let approvals: Vec<Json> = steps
        .iter()
        .filter(|step| !step["approval"].is_null())
        .map(|step| step["approval"].clone())
        .collect();
    json!({
        "dryRun": dry_run,
        "changes": plan.todo().count(),
        "unchanged": plan.same,
        "steps": steps,
        "approvals": approvals,
    })
}
