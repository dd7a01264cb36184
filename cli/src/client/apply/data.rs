//! Data sources, databases, tables.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use tidegate_types::Result;

use super::calls::message;
use super::diff::{Difference, differences, merged};
use super::manifest::{Item, More};
use super::plan::{Change, Plan, Step};
use super::world::{World, text};

/// Plans a data source. Secrets that are set are not compared: nobody can read them.
///
/// # Errors
/// What the server says; `INVALID_OPTION` for another type.
pub(super) async fn data_source(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let kind = message("DataSource")?;
    let there = world.get(&item.project, "DataSourceService.GetDataSource", &item.name).await?;
    let More::DataSource { publish } = item.more else { return Ok(()) };
    let of_type = match &there {
        Some(there) => text(there, "type"),
        None => item.fields.get("type").and_then(Json::as_str).unwrap_or_default().to_owned(),
    };
    let secrets = world.secrets(&of_type).await?;
    let asked = json!({"name": item.name, "reason": ""});
    let Some(there) = there else {
        needs_type(item)?;
        let found = hidden(differences(&kind, &item.fields, &Json::Null), &secrets);
        let parent = format!("projects/{}", item.project);
        // Who may use it is said once it is there.
        let (mut first, mut sharing) = (item.fields.clone(), Map::new());
        for field in ["sharedWith", "sharedWithAll"] {
            if let Some(value) = first.remove(field) {
                sharing.insert(field.to_owned(), value);
            }
        }
        let request = json!({"parent": parent, "dataSourceId": item.id, "dataSource": first});
        let mut step = Step::new(item, Change::Create, found)
            .call("DataSourceService.CreateDataSource", request);
        if !sharing.is_empty() {
            step = update(step, item, sharing);
        }
        plan.push(step);
        if publish {
            plan.push(publication(item, asked));
        }
        return Ok(());
    };
    keeps_type(item, &there)?;
    let (mut given, set) = (item.fields.clone(), secret_names(&there));
    let mut compared = given.clone();
    // Those that are set and given stay, unless they are to be set again.
    if let Some(Json::Object(parameters)) = compared.get_mut("parameters") {
        parameters.retain(|name, _| !secrets.contains(name));
    }
    let mut found = differences(&kind, &compared, &there);
    let parameters = item.fields.get("parameters").and_then(Json::as_object);
    let given_secrets = parameters.into_iter().flat_map(Map::keys);
    let mut changes = found.iter().any(|difference| difference.path.starts_with("parameters."));
    for name in given_secrets.filter(|name| secrets.contains(*name)) {
        let known = set.contains(name);
        // Where another parameter changes it goes along all the same.
        if known && !world.update_secrets {
            continue;
        }
        changes = true;
        let before = known.then(String::new);
        found.push(Difference {
            path: format!("parameters.{name}"),
            before,
            after: Some(String::new()),
        });
    }
    if !changes {
        given.remove("parameters");
    }
    let found = hidden(found, &secrets);
    let draft = there["state"] != "ACTIVE";
    let pending = text(&there, "pendingApproval");
    match found.is_empty() {
        true => plan.same += 1,
        false => {
            given.remove("type");
            plan.push(update(Step::new(item, Change::Update, found), item, given));
        }
    }
    if publish && pending.is_empty() && (draft || changes) {
        plan.push(publication(item, asked));
    } else if !pending.is_empty() {
        let mut step = Step::new(item, Change::Publish, Vec::new());
        step.waits = Some(format!("{pending} is pending"));
        step.approval = Some(pending);
        // Its approved parameters are used meanwhile.
        step.key = if draft { item.name.clone() } else { String::new() };
        plan.push(step);
    } else if draft {
        plan.waiting.insert(item.name.clone());
    }
    Ok(())
}

/// Asks for the approval. Whether tables can be in it meanwhile, the answer says.
fn publication(item: &Item, asked: Json) -> Step {
    let mut step = Step::new(item, Change::Publish, Vec::new());
    step.key = String::new();
    step.call("DataSourceService.PublishDataSource", asked)
}

fn update(step: Step, item: &Item, mut fields: Map<String, Json>) -> Step {
    let mask: Vec<String> = fields.keys().cloned().collect();
    fields.insert("name".to_owned(), item.name.clone().into());
    let request = json!({"dataSource": fields, "updateMask": mask.join(",")});
    step.call_if_seen("DataSourceService.UpdateDataSource", request, "/dataSource", &item.name)
}

fn secret_names(there: &Json) -> BTreeSet<String> {
    let names = there["secretParameters"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Differences without the values of secrets.
fn hidden(mut found: Vec<Difference>, secrets: &BTreeSet<String>) -> Vec<Difference> {
    for difference in &mut found {
        let name = difference.path.strip_prefix("parameters.").unwrap_or_default();
        if secrets.contains(name) {
            let stars = |value: &mut Option<String>| {
                if let Some(value) = value {
                    *value = "******".to_owned();
                }
            };
            stars(&mut difference.before);
            stars(&mut difference.after);
        }
    }
    found
}

fn needs_type(item: &Item) -> Result<()> {
    match item.fields.contains_key("type") {
        true => Ok(()),
        false => {
            let message =
                format!("the {} {} is not there, and has no 'type'", item.kind.noun(), item.id);
            Err(item.place.error(message).help("what is made needs one, such as kafka"))
        }
    }
}

fn keeps_type(item: &Item, there: &Json) -> Result<()> {
    match item.fields.get("type") {
        Some(given) if *given != there["type"] => {
            let message = format!("its type is {}, which cannot change to {given}", there["type"]);
            Err(item.place.error(message).help("give it another id, or delete it first"))
        }
        _ => Ok(()),
    }
}

/// Plans a database.
///
/// # Errors
/// What the server says.
pub(super) async fn database(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let there = world.get(&item.project, "TableService.GetDatabase", &item.name).await?;
    let found =
        differences(&message("Database")?, &item.fields, there.as_ref().unwrap_or(&Json::Null));
    world.leave_table(&item.name, there.clone().unwrap_or(Json::Null));
    let parent = format!("projects/{}", item.project);
    let step = match there {
        Some(_) if found.is_empty() => {
            plan.same += 1;
            return Ok(());
        }
        Some(_) => {
            let mut given = item.fields.clone();
            let mask: Vec<String> = given.keys().cloned().collect();
            given.insert("name".to_owned(), item.name.clone().into());
            let request = json!({"database": given, "updateMask": mask.join(",")});
            let step = Step::new(item, Change::Update, found);
            step.call_if_seen("TableService.UpdateDatabase", request, "/database", &item.name)
        }
        None => {
            let request = json!({"parent": parent, "databaseId": item.id, "database": item.fields});
            Step::new(item, Change::Create, found).call("TableService.CreateDatabase", request)
        }
    };
    plan.push(step);
    Ok(())
}

/// Plans the design of a table.
///
/// # Errors
/// What the server says; `INVALID_OPTION` for another type.
pub(super) async fn table(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let kind = message("Table")?;
    let there = world.get(&item.project, "TableService.GetTable", &item.name).await?;
    let found = differences(&kind, &item.fields, there.as_ref().unwrap_or(&Json::Null));
    let left = merged(&kind, &item.fields, there.as_ref().unwrap_or(&Json::Null));
    world.leave_table(&item.name, left.clone());
    let Some(there) = there else {
        needs_type(item)?;
        let (parent, id) = item.name.rsplit_once("/tables/").unwrap_or_default();
        let request = json!({"parent": parent, "tableId": id, "table": item.fields});
        plan.push(Step::new(item, Change::Create, found).call("TableService.CreateTable", request));
        return Ok(());
    };
    keeps_type(item, &there)?;
    if found.is_empty() {
        plan.same += 1;
        return Ok(());
    }
    let mut given = item.fields.clone();
    given.remove("type");
    let mask: Vec<String> = given.keys().cloned().collect();
    if given.contains_key("definition") {
        // It is changed as a whole.
        given.insert("definition".to_owned(), left["definition"].clone());
    }
    given.insert("name".to_owned(), item.name.clone().into());
    let request = json!({"table": given, "updateMask": mask.join(",")});
    let step = Step::new(item, Change::Update, found);
    plan.push(step.call_if_seen("TableService.UpdateTable", request, "/table", &item.name));
    Ok(())
}
