//! From the password of the first start to a topic in production, with everything that is refused on the way.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::kafka;
use tidegate_integration_tests::services::variable;

use super::{World, nowhere, text};

/// A text that must be nowhere but where it was given.
const CANARY: &str = "canary-5f1d2c";

#[test]
fn b6_b7_c2_d1_to_d6_e2_to_e10_a_topic_goes_to_production_and_others_get_access() -> Result<()> {
    let (world, password) = World::open("governed")?;
    world.run("admin", &["tenant", "create", "rival"])?;
    world.run("admin", &["project", "create", "clicks", "--description", "web"])?;
    world.run("admin", &["project", "create", "theirs", "--tenant", "rival"])?;
    let project = world.run("admin", &["project", "get", "clicks"])?;
    ensure!(project["services"] == json!(["stream-compute", "data-management"]), "{project}");
    world.user("dev", &[("developer", "projects/clicks")])?;
    world.user("data", &[("project-data-admin", "projects/clicks")])?;
    world.user("global", &[("global-data-admin", "tenants/acme")])?;

    // Another tenant's project answers as one that is not there.
    let theirs = world.refused("dev", "NOT_FOUND", &["project", "get", "theirs"])?;
    let none = world.refused("dev", "NOT_FOUND", &["project", "get", "nothin"])?;
    ensure!(theirs.replace("theirs", "nothin") == none, "{theirs} / {none}");
    world.refused("dev", "PERMISSION_DENIED", &["project", "create", "mine"])?;

    // A wrong data source says why it cannot connect; a right one connects.
    let brokers = kafka::Cluster::from_environment()?.brokers().to_owned();
    let closed =
        ["data-source", "test", "--type", "kafka", "--parameters", "bootstrap-servers=127.0.0.1:1"];
    let tested = world.run("dev", &closed)?;
    ensure!(text(&tested, "reason") == "REFUSED" && tested["passed"] == false, "{tested}");
    let url = variable("TIDEGATE_MARIADB")?;
    let (host, port) = url
        .split_once("//")
        .and_then(|(_, rest)| rest.split_once('/')?.0.split_once(':'))
        .context("the address of MariaDB")?;
    let user = variable("TIDEGATE_MARIADB_USER")?;
    let database = [
        format!("host={host}"),
        format!("port={port}"),
        "database=tidegate".to_owned(),
        format!("username={user}"),
        format!("password={CANARY}"),
    ];
    let mut create = vec!["data-source", "create", "shop", "--type", "mysql"];
    for parameter in &database {
        create.extend(["--parameters", parameter]);
    }
    let made = world.run("dev", &create)?;
    ensure!(made["secretParameters"] == json!(["password"]), "{made}");
    let shop = "projects/clicks/dataSources/shop";
    let tested = world.run("dev", &["data-source", "test", "--data-source", shop])?;
    ensure!(text(&tested, "reason") == "AUTHENTICATION", "{tested}");
    let right = format!("password={}", variable("TIDEGATE_MARIADB_PASSWORD")?);
    let test = ["data-source", "test", "--data-source", shop, "--parameters", &right];
    let tested = world.run("dev", &test)?;
    ensure!(tested["passed"] == true, "{tested}");
    let servers = format!("bootstrap-servers={brokers}");
    world.run(
        "dev",
        &["data-source", "create", "kafka", "--type", "kafka", "--parameters", &servers],
    )?;
    world.refused(
        "dev",
        "CONFLICT",
        &["data-source", "update", "kafka", "--etag", "1", "--description", "x"],
    )?;

    // Nothing is published to a data source that nobody approved.
    let columns = r#"[{"name":"user_id","type":"BIGINT"},{"name":"ts","type":"TIMESTAMP(3)"}]"#;
    let create = [
        "table",
        "create",
        "clicks",
        "--type",
        "kafka",
        "--definition-columns",
        columns,
        "--definition-options",
        "format=json",
        "--definition-options",
        "scan.startup.mode=earliest-offset",
    ];
    let table = world.run("dev", &create)?;
    let source = "projects/clicks/dataSources/kafka";
    let name = format!("story_clicks_{}", std::process::id());
    let etag = text(&table, "etag").to_owned();
    let publish = |environment: &str, etag: &str| {
        let words = [
            "table",
            "publish",
            "clicks",
            "--environment",
            environment,
            "--data-source",
            source,
            "--topic-partitions",
            "3",
            "--physical-name",
            &name,
            "--etag",
            etag,
        ];
        world.run("dev", &words)
    };
    let early = publish("test", &etag);
    ensure!(early.is_err_and(|error| error.to_string().contains("is a draft")));
    let asked = world.run("dev", &["data-source", "publish", "kafka", "--reason", "for clicks"])?;
    let approval = text(&asked, "pendingApproval").to_owned();
    let decide = ["approval", "decide", &approval, "--approve=true"];
    world.refused("dev", "PERMISSION_DENIED", &decide)?;
    world.run("global", &decide)?;

    // To test and to production, decided by the project's data administrator; a no changes nothing.
    let asked = publish("test", &etag)?;
    let first = text(&asked, "name").to_owned();
    let pending = world.run("data", &["approval", "list"])?;
    ensure!(pending["approvals"][0]["name"] == first.as_str(), "{pending}");
    world.run(
        "data",
        &["approval", "decide", &first, "--approve=false", "--opinion", "which topic?"],
    )?;
    let table = world.run("dev", &["table", "get", "clicks"])?;
    ensure!(table["publications"] == json!([]), "{table}");
    for environment in ["test", "production"] {
        let table = world.run("dev", &["table", "get", "clicks"])?;
        let asked = publish(environment, text(&table, "etag"))?;
        world.run("data", &["approval", "decide", text(&asked, "name"), "--approve=true"])?;
        wait_until("the topic is there", Duration::from_secs(30), || {
            let table = world.run("dev", &["table", "get", "clicks"])?;
            let there = table["publications"].as_array().cloned().unwrap_or_default();
            let wanted = environment.to_uppercase();
            Ok(there
                .iter()
                .any(|one| text(one, "environment") == wanted && text(one, "state") == "READY"))
        })?;
    }
    let reader = kafka::Cluster::from_environment()?.reader(&name)?;
    drop(reader);
    let decided = world.run("data", &["approval", "list", "--view", "decided-by-me"])?;
    ensure!(decided["approvals"].as_array().map(Vec::len) == Some(3), "{decided}");

    // Who asked does not decide, whatever roles he has.
    let dev = "tenants/acme/users/dev";
    let role = [
        "role",
        "assign",
        "--role",
        "project-data-admin",
        "--scope",
        "projects/clicks",
        "--account",
        dev,
    ];
    world.run("admin", &role)?;
    let table = world.run("dev", &["table", "get", "clicks"])?;
    let asked = publish("test", text(&table, "etag"))?;
    let own = text(&asked, "name").to_owned();
    world.refused("dev", "SELF_APPROVAL", &["approval", "decide", &own, "--approve=true"])?;
    world.run("dev", &["approval", "withdraw", &own])?;

    access(&world)?;

    // Every call has left its record, refused ones too, and nothing secret is in any file of the cluster.
    let list =
        ["audit", "list", "--parent", "projects/clicks", "--principal", dev, "--outcome", "failed"];
    let records = world.run("admin", &list)?;
    let reasons = records["records"].to_string();
    ensure!(reasons.contains("SELF_APPROVAL") || reasons.contains("CONFLICT"), "{records}");
    let project = world.run("admin", &["project", "get", "clicks"])?;
    world.refused(
        "data",
        "PERMISSION_DENIED",
        &["project", "archive", "clicks", "--etag", text(&project, "etag")],
    )?;
    world.run("admin", &["project", "archive", "clicks", "--etag", text(&project, "etag")])?;
    world.refused("dev", "PROJECT_ARCHIVED", &["table", "list"])?;
    let real = &right["password=".len()..];
    nowhere(&world, &[CANARY, &password, "Battery-staple-42", real])?;
    let World { cluster, folder, .. } = world;
    drop(cluster);
    folder.succeed();
    Ok(())
}

/// Another project asks for access: one request is withdrawn, one rejected, one passed, and what was passed is taken back.
fn access(world: &World) -> Result<()> {
    world.run("admin", &["project", "create", "reports"])?;
    world.user("ann", &[("developer", "projects/reports")])?;
    let table = "projects/clicks/databases/default/tables/clicks";
    let ask = |more: &[&str]| {
        let mut words = vec!["access", "request", table, "--reason", "for a report"];
        words.extend(more);
        world.run("ann", &words)
    };
    let refused = |more: &[&str], said: &str| -> Result<()> {
        let error = ask(more).err().context("it was not refused")?.to_string();
        ensure!(error.contains(said), "{error}");
        Ok(())
    };
    // A topic can be read and written, as a whole.
    refused(&["--grantees", "me", "--rights-permissions", "update"], "use insert or select")?;
    let column = r#"[{"name":"user_id","mask":"HASH"}]"#;
    refused(
        &["--grantees", "me", "--rights-permissions", "select", "--rights-columns", column],
        "[INVALID_OPTION]",
    )?;
    refused(
        &["--grantees", "projects/clicks", "--rights-permissions", "select"],
        "[FAILED_PRECONDITION]",
    )?;
    refused(&["--grantees", "projects/theirs", "--rights-permissions", "select"], "[NOT_FOUND]")?;
    // For a person and a project there are two approvals.
    let both =
        ["--grantees", "me", "--grantees", "projects/reports", "--rights-permissions", "select"];
    let asked = ask(&both)?;
    let names: Vec<String> = asked["approvals"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|approval| text(approval, "name").to_owned())
        .collect();
    ensure!(names.len() == 2, "{asked}");
    world.refused(
        "ann",
        "PERMISSION_DENIED",
        &["approval", "decide", &names[0], "--approve=true"],
    )?;
    world.run("ann", &["approval", "withdraw", &names[0]])?;
    world.run(
        "data",
        &["approval", "decide", &names[1], "--approve=false", "--opinion", "what for?"],
    )?;
    ensure!(world.run("ann", &["access", "mine"])?["grants"] == json!([]));
    let asked = ask(&["--grantees", "projects/reports", "--rights-permissions", "select"])?;
    let name = text(&asked["approvals"][0], "name").to_owned();
    world.run("data", &["approval", "decide", &name, "--approve=true"])?;
    let mine = world.run("ann", &["access", "mine"])?;
    let grant = text(&mine["grants"][0], "name").to_owned();
    ensure!(text(&mine["grants"][0], "approval") == name, "{mine}");
    world.refused("ann", "PERMISSION_DENIED", &["access", "list", table])?;
    let listed = world.run("data", &["access", "list", table, "--kind", "project"])?;
    ensure!(listed["grants"][0]["grantee"] == "projects/reports", "{listed}");
    world.refused("ann", "PERMISSION_DENIED", &["grant", "revoke", &grant])?;
    world.run("data", &["grant", "revoke", &grant])?;
    ensure!(world.run("ann", &["access", "mine"])?["grants"] == json!([]));
    world.run(
        "data",
        &[
            "access",
            "grant",
            table,
            "--grantees",
            "tenants/acme/users/ann",
            "--rights-permissions",
            "insert",
        ],
    )?;
    let mine = world.run("ann", &["access", "mine"])?;
    ensure!(mine["grants"][0]["rights"]["permissions"] == json!(["insert"]), "{mine}");
    Ok(())
}
