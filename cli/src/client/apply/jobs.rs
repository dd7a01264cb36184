//! Jobs, their versions, and whether they run.

use serde_json::{Map, Value as Json, json};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::start_job_request::From;
use tidegate_types::Result;

use super::calls::message;
use super::diff::{Difference, differences};
use super::manifest::{Item, Kind, More};
use super::plan::{Change, Plan, Step};
use super::world::{World, text};

/// Plans a job: itself, its newest version, its run.
///
/// # Errors
/// What the server says.
pub(super) async fn job(
    item: &Item,
    items: &[Item],
    world: &mut World<'_>,
    plan: &mut Plan,
) -> Result<()> {
    let More::Job { version, start } = &item.more else { return Ok(()) };
    let there = world.get(&item.project, "JobService.GetJob", &item.name).await?;
    own(item, there.as_ref(), plan)?;
    let Some(version) = version else { return Ok(()) };
    let environment = version.get("environment").and_then(Json::as_str).unwrap_or("DESIGN");
    let there = there.unwrap_or(Json::Null);
    let latest = there["latestVersion"].as_u64().unwrap_or(0);
    let newest = match latest {
        0 => None,
        number => {
            let name = format!("{}/versions/{number}", item.name);
            world.caller.get("JobService.GetVersion", &name).await?
        }
    };
    let after = tables(item, items, version, environment);
    let found = match &newest {
        None => vec![changed("sql", None, Some("a script"))],
        Some(newest) => of_version(item, version, newest, world).await?,
    };
    let is_new = !found.is_empty();
    if is_new {
        let mut request = version.clone();
        request.insert("parent".to_owned(), item.name.clone().into());
        let mut step = Step::new(item, Change::Version, found)
            .call("JobService.CreateVersion", Json::Object(request));
        step.label = format!("{}, version {}", item.id, latest + 1);
        step.after = after.clone();
        plan.push(step);
    } else {
        plan.same += 1;
    }
    if *start {
        let released =
            newest.as_ref().is_some_and(|newest| !text(newest, "releaseApproval").is_empty());
        let may = environment != "PRODUCTION" || (released && !is_new);
        run(item, &there["latestRun"], Next { environment, after, latest, is_new, may }, plan);
    }
    Ok(())
}

/// Description, labels, priority.
fn own(item: &Item, there: Option<&Json>, plan: &mut Plan) -> Result<()> {
    let found = differences(&message("Job")?, &item.fields, there.unwrap_or(&Json::Null));
    if there.is_some() && found.is_empty() {
        plan.same += 1;
        return Ok(());
    }
    let mut given = item.fields.clone();
    plan.push(match there {
        None => {
            let parent = format!("projects/{}", item.project);
            let request = json!({"parent": parent, "jobId": item.id, "job": given});
            Step::new(item, Change::Create, found).call("JobService.CreateJob", request)
        }
        Some(_) => {
            let mask: Vec<String> = given.keys().cloned().collect();
            given.insert("name".to_owned(), item.name.clone().into());
            let request = json!({"job": given, "updateMask": mask.join(",")});
            let step = Step::new(item, Change::Update, found);
            step.call_if_seen("JobService.UpdateJob", request, "/job", &item.name)
        }
    });
    Ok(())
}

/// What differs from the newest version. Its settings are those of the script, too: the server says which they would be.
async fn of_version(
    item: &Item,
    given: &Map<String, Json>,
    newest: &Json,
    world: &World<'_>,
) -> Result<Vec<Difference>> {
    if given.get("sql") != Some(&newest["sql"]) {
        return Ok(vec![changed("sql", Some("a script"), Some("another script"))]);
    }
    let fields = ["settings", "parallelism"];
    let mut compared: Map<String, Json> = Map::new();
    if fields.iter().any(|field| given.contains_key(*field)) {
        let mut request = given.clone();
        request.insert("parent".to_owned(), item.name.clone().into());
        request.insert("validateOnly".to_owned(), true.into());
        let planned = world.caller.call("JobService.CreateVersion", Json::Object(request)).await?;
        for field in fields.iter().filter(|field| given.contains_key(**field)) {
            compared.insert((*field).to_owned(), planned[field].clone());
        }
    }
    Ok(differences(&message("Version")?, &compared, newest))
}

fn changed(path: &str, before: Option<&str>, after: Option<&str>) -> Difference {
    Difference {
        path: path.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    }
}

/// Keys of the tables of the file that a script names: a version waits until they are where it is planned.
fn tables(
    item: &Item,
    items: &[Item],
    version: &Map<String, Json>,
    environment: &str,
) -> Vec<String> {
    let sql = version.get("sql").and_then(Json::as_str).unwrap_or_default();
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let named = |one: &&Item| {
        let id = one.name.rsplit('/').next().unwrap_or_default();
        let at = matches!(one.more, More::Publication { environment: at } if at == environment);
        at && one.kind == Kind::TablePublication && words.contains(&id)
    };
    let found = items.iter().filter(named).filter(|one| one.project == item.project);
    found.map(|one| format!("{}@{environment}", one.name)).collect()
}

struct Next<'a> {
    environment: &'a str,
    after: Vec<String>,
    /// Number of the newest version that is there; 0: none.
    latest: u64,
    /// Whether there will be a newer one.
    is_new: bool,
    /// Whether it may run there.
    may: bool,
}

/// Starts a job that does not run. One that has finished by itself is started again for another version only.
fn run(item: &Item, last: &Json, next: Next<'_>, plan: &mut Plan) {
    let wanted = next.latest + u64::from(next.is_new);
    let of = last["version"].as_u64().unwrap_or(0);
    let over = last.is_null() || !last["endTime"].is_null();
    let finished = last["state"] == "FINISHED";
    if of == wanted && (!over || finished) {
        plan.same += 1;
        return;
    }
    let mut step = Step::new(item, Change::Start, Vec::new());
    step.label = format!("{} in {}", item.id, next.environment.to_lowercase());
    // Its version comes first.
    step.after = next.after;
    step.after.push(item.name.clone());
    let environment = api::Environment::from_str_name(next.environment).unwrap_or_default();
    // State goes on where there is any.
    let from = match last["latestCheckpoint"].is_null() || finished {
        true => None,
        false => Some(From::LatestCheckpoint(true)),
    };
    if !over {
        step.waits = Some(format!("it runs version {of}: stop it, then apply again"));
    } else if !next.may {
        let release = format!("tidegate job release {}", item.id);
        step.waits = Some(format!("version {wanted} is not approved for production: {release}"));
    }
    step.start = Some(api::StartJobRequest {
        name: item.name.clone(),
        environment: environment.into(),
        from,
        ..api::StartJobRequest::default()
    });
    step.key = String::new();
    plan.push(step);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a job whose last run is this.
    fn planned(last: &Json, latest: u64, is_new: bool) -> Option<Step> {
        let text = "project: p\njobs: [{id: j, sql: x, start: true}]\n";
        let variables = crate::client::apply::Variables::new(Vec::new(), |_| None);
        let mut documents = crate::client::apply::yaml::documents("f", text, &variables).unwrap();
        let base = std::path::Path::new("");
        let document = documents.remove(0);
        let items = crate::client::apply::manifest::items(document, "t", base, &variables).unwrap();
        let item = items.into_iter().find(|item| item.kind == Kind::Job).unwrap();
        let mut plan = Plan::default();
        let next = Next { environment: "TEST", after: Vec::new(), latest, is_new, may: true };
        run(&item, last, next, &mut plan);
        plan.steps.pop()
    }

    #[test]
    fn a_job_is_started_where_it_does_not_run_and_never_twice() {
        let fresh = planned(&Json::Null, 1, false).unwrap();
        assert!(fresh.waits.is_none() && fresh.start.unwrap().from.is_none());
        let running = json!({"version": 1, "state": "RUNNING"});
        assert!(planned(&running, 1, false).is_none());
        let behind = planned(&running, 1, true).unwrap();
        assert!(behind.waits.unwrap().contains("it runs version 1: stop it"));
        let stopped = json!({
            "version": 1, "state": "STOPPED", "endTime": "2026-01-01T00:00:00Z", "latestCheckpoint": {"number": 3},
        });
        let again = planned(&stopped, 1, false).unwrap();
        assert_eq!(again.start.unwrap().from, Some(From::LatestCheckpoint(true)));
        let finished =
            json!({"version": 1, "state": "FINISHED", "endTime": "2026-01-01T00:00:00Z"});
        assert!(planned(&finished, 1, false).is_none());
        assert!(planned(&finished, 1, true).unwrap().start.is_some());
    }
}
