//! Where databases and tables are published, and who may use tables.

use serde_json::{Map, Value as Json, json};
use tidegate_types::{ErrorCode, Result};

use super::calls::{message, parsed, whole};
use super::diff::{Difference, differences, merged};
use super::manifest::{Item, Kind, More};
use super::plan::{Change, Plan, Step};
use super::world::{World, text};

/// Plans to have a database or table in an environment.
///
/// # Errors
/// What the server says.
pub(super) async fn publication(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let More::Publication { environment } = item.more else { return Ok(()) };
    let of_table = item.kind == Kind::TablePublication;
    let nothing = Json::Null;
    let there = world.left(&item.name).unwrap_or(&nothing).clone();
    let now = published(&there, environment);
    let key = format!("{}@{environment}", item.name);
    let in_test = format!("{}@TEST", item.name);

    let mut given = item.fields.clone();
    let reason = given.remove("reason").unwrap_or_else(|| json!(""));
    let mut found = differences(&message("Publication")?, &given, now.unwrap_or(&nothing));
    if of_table {
        let design = &there["definition"];
        let wanted = match published(&there, "TEST") {
            Some(test) if environment == "PRODUCTION" && !plan.waiting.contains(&in_test) => {
                &test["definition"]
            }
            _ => design,
        };
        if let Some(now) = now {
            found.extend(of_definition(wanted, &now["definition"])?);
        }
    }
    let mut step = Step::new(item, Change::Publish, found);
    step.key = key.clone();
    if let Some(now) = now
        && step.differences.is_empty()
    {
        if now["state"] == "READY" {
            plan.same += 1;
            return Ok(());
        }
        step.waits = Some(match now["state"] == "FAILED" {
            true => format!("the data source refuses, it is tried again: {}", text(now, "message")),
            false => "it is being made in the data source".to_owned(),
        });
        plan.push(step);
        return Ok(());
    }
    if let Some(pending) = world.pending(&item.project, &item.name, environment).await? {
        step.waits = Some(format!("{pending} is pending"));
        step.approval = Some(pending);
        plan.push(step);
        return Ok(());
    }
    match given.get("dataSource").and_then(Json::as_str) {
        Some(source) => step.after.push(source.to_owned()),
        None => {
            let database = item.name.split("/tables/").next().unwrap_or_default();
            step.after.push(format!("{database}@{environment}"));
        }
    }
    if of_table && environment == "PRODUCTION" {
        step.after.push(in_test);
    }
    // What is not said stays as it is.
    let request = match now {
        Some(now) => {
            let kept = json!({
                "dataSource": now["dataSource"], "physicalName": now["physicalName"], "topic": now["topic"],
            });
            merged(&message("PublishTableRequest")?, &given, &kept)
        }
        None => Json::Object(given),
    };
    let mut request = request;
    request["name"] = item.name.clone().into();
    request["environment"] = environment.into();
    request["reason"] = reason;
    plan.push(match of_table {
        true => step.call_if_seen("TableService.PublishTable", request, "", &item.name),
        false => {
            if let Json::Object(fields) = &mut request {
                fields.remove("topic");
            }
            step.call("TableService.PublishDatabase", request)
        }
    });
    Ok(())
}

fn published<'a>(there: &'a Json, environment: &str) -> Option<&'a Json> {
    let mut all = there["publications"].as_array().into_iter().flatten();
    all.find(|one| one["environment"] == *environment)
}

fn of_definition(wanted: &Json, now: &Json) -> Result<Vec<Difference>> {
    let kind = message("TableDefinition")?;
    let fields = whole(&parsed(&kind, wanted)?)?;
    let mut fields: Map<String, Json> = fields.as_object().cloned().unwrap_or_default();
    fields.entry("watermark").or_insert(Json::Null);
    let mut found = differences(&kind, &fields, now);
    for difference in &mut found {
        difference.path = format!("definition.{}", difference.path);
    }
    Ok(found)
}

/// Plans a grant.
///
/// # Errors
/// What the server says.
pub(super) async fn grant(item: &Item, world: &mut World<'_>, plan: &mut Plan) -> Result<()> {
    let kind = message("Grant")?;
    let field = |name: &str| item.fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let (table, grantee) = (field("table"), field("grantee"));
    let request = json!({"name": table});
    let listed = world.caller.list("AccessService.ListTableGrants", request, "grants").await;
    let there = match listed {
        Err(error) if error.code() == ErrorCode::NotFound => Vec::new(),
        found => found?,
    };
    // Rights are as a whole what they are.
    let rights = item.fields.get("rights").cloned().unwrap_or_default();
    let mut rights = whole(&parsed(&message("Rights")?, &rights)?)?;
    if rights.get("expireTime").is_none() {
        rights["expireTime"] = Json::Null;
    }
    let given = Map::from_iter([("rights".to_owned(), rights.clone())]);
    let theirs: Vec<&Json> = there.iter().filter(|one| one["grantee"] == *grantee).collect();
    if theirs.iter().any(|one| differences(&kind, &given, one).is_empty()) {
        plan.same += 1;
        return Ok(());
    }
    // Those that were asked for and approved are not the file's to take.
    let before: Vec<&Json> =
        theirs.into_iter().filter(|one| text(one, "approval").is_empty()).collect();
    let change = if before.is_empty() { Change::Create } else { Change::Update };
    let found = differences(&kind, &given, before.first().copied().unwrap_or(&Json::Null));
    let request = json!({"name": table, "grantees": [grantee], "rights": rights});
    let mut step = Step::new(item, change, found).call("AccessService.GrantAccess", request);
    // The new one first: nobody is without rights in between.
    for one in before {
        step = step.call("AccessService.RevokeGrant", json!({"name": one["name"]}));
    }
    plan.push(step);
    Ok(())
}
