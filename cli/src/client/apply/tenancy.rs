//! Projects, their services, and who has which role in them.

use serde_json::{Value as Json, json};
use tidegate_types::Result;

use super::calls::message;
use super::diff::{differences, merged};
use super::manifest::{Item, More};
use super::plan::{Change, Plan, Step};
use super::world::{World, text};

/// Plans a project.
///
/// # Errors
/// What the server says; `INVALID_OPTION` for a project that is of another tenant, or archived.
pub(super) async fn project(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let More::Project { tenant, services } = &item.more else { return Ok(()) };
    let there = world.project(&item.project).await?;
    let mut given = item.fields.clone();
    let kind = message("Project")?;
    let Some(there) = there else {
        let parent = tenant.clone().unwrap_or_else(|| format!("tenants/{}", world.tenant));
        let found = differences(&kind, &given, &Json::Null);
        if !services.is_empty() {
            given.insert("services".to_owned(), json!(services));
        }
        let request = json!({"parent": parent, "projectId": item.project, "project": given});
        plan.push(
            Step::new(item, Change::Create, found).call("ProjectService.CreateProject", request),
        );
        return Ok(());
    };
    if tenant.as_ref().is_some_and(|tenant| there["tenant"] != **tenant) {
        let message = format!("the project is of {}, which cannot change", text(&there, "tenant"));
        return Err(item.place.error(message));
    }
    let found = differences(&kind, &given, &there);
    if found.is_empty() {
        plan.same += 1;
        return Ok(());
    }
    let mut mask: Vec<String> = given.keys().filter(|name| *name != "settings").cloned().collect();
    let settings = given.get("settings").and_then(Json::as_object);
    mask.extend(settings.into_iter().flatten().map(|(name, _)| format!("settings.{name}")));
    given.insert("name".to_owned(), item.name.clone().into());
    let request = json!({"project": given, "updateMask": mask.join(",")});
    let step = Step::new(item, Change::Update, found);
    plan.push(step.call_if_seen("ProjectService.UpdateProject", request, "/project", &item.name));
    Ok(())
}

/// Plans a service of a project.
///
/// # Errors
/// What the server says.
pub(super) async fn service(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let kind = message("Service")?;
    let made = world.project(&item.project).await?.is_none();
    let method = "ProjectService.GetService";
    let there = world.get(&item.project, method, &item.name).await?;
    let found = differences(&kind, &item.fields, there.as_ref().unwrap_or(&Json::Null));
    let (step, service) = match there {
        Some(_) if found.is_empty() => {
            plan.same += 1;
            return Ok(());
        }
        // It is opened with its project.
        None if made && found.is_empty() => return Ok(()),
        None if !made => {
            let service = Json::Object(item.fields.clone());
            let id = &item.id;
            let parent = format!("projects/{}", item.project);
            let request = json!({"parent": parent, "serviceId": id, "service": service});
            let step = Step::new(item, Change::Create, found);
            plan.push(step.call("ProjectService.CreateService", request));
            return Ok(());
        }
        there => {
            let quota = json!({"quota": there.unwrap_or(Json::Null)["quota"]});
            let merged = merged(&kind, &item.fields, &quota);
            (
                Step::new(item, Change::Update, found),
                json!({"name": item.name, "quota": merged["quota"]}),
            )
        }
    };
    let request = json!({"service": service});
    plan.push(step.call_if_seen("ProjectService.UpdateService", request, "/service", &item.name));
    Ok(())
}

/// Plans who has a role.
///
/// # Errors
/// What the server says.
pub(super) async fn role(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let has = |one: &Json| {
        let same = |field: &str| item.fields.get(field).is_some_and(|given| *given == one[field]);
        same("role") && same("account")
    };
    if world.roles(&item.project).await?.iter().any(has) {
        plan.same += 1;
        return Ok(());
    }
    let request = json!({"assignment": item.fields});
    plan.push(Step::new(item, Change::Create, Vec::new()).call("RoleService.AssignRole", request));
    Ok(())
}
