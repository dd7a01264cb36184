//! Jobs over tables of the catalog: which they may use, where they run, what becomes of them when a grant ends.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::databases::{Database, Product};
use tidegate_integration_tests::kafka;

use super::{World, nowhere, text};

const PATIENCE: Duration = Duration::from_secs(40);

/// The world of the tests below: project `clicks` owns a topic and a table of MariaDB, `reports` a topic for results.
struct Stage {
    world: World,
    broker: kafka::Cluster,
    database: Database,
    /// Topics and tables of this run end in it.
    suffix: String,
}

impl Stage {
    fn set_up() -> Result<(Self, String)> {
        let (world, password) = World::open("governed-jobs")?;
        for project in ["clicks", "reports"] {
            world.run("admin", &["project", "create", project])?;
        }
        world.user("dev", &[("developer", "projects/clicks")])?;
        world.user("data", &[("project-data-admin", "projects/clicks")])?;
        world.user("global", &[("global-data-admin", "tenants/acme")])?;
        world.user("ann", &[("developer", "projects/reports")])?;
        world.user("rep", &[("project-data-admin", "projects/reports")])?;
        let database = Database::shared(Product::MariaDb)?;
        let suffix = database.unique("g");
        let broker = kafka::Cluster::from_environment()?;
        Ok((Self { world, broker, database, suffix }, password))
    }

    /// What somebody of `reports` does.
    fn reports(&self, who: &str, words: &[&str]) -> Result<Value> {
        self.world.run(who, &[words, &["--project", "reports"]].concat())
    }

    fn source(&self, who: &str, project: &str, id: &str, parameters: &[String]) -> Result<()> {
        let kind = if id == "shop" { "mysql" } else { "kafka" };
        let mut words = vec!["data-source", "create", id, "--type", kind, "--project", project];
        for parameter in parameters {
            words.extend(["--parameters", parameter]);
        }
        self.world.run(who, &words)?;
        let asked = self.world.run(who, &["data-source", "publish", id, "--project", project])?;
        self.world.approve("global", &asked).map(drop)
    }

    /// Makes a table and publishes it to test and production, where its name is with `-test` and `-production`.
    fn table(&self, who: [&str; 2], project: &str, id: &str, table: &Table<'_>) -> Result<()> {
        let [maker, approver] = who;
        let mut create = vec!["table", "create", id, "--type", table.kind, "--project", project];
        create.extend(["--definition-columns", table.columns]);
        if !table.key.is_empty() {
            create.extend(["--definition-primary-key", table.key]);
        }
        for option in table.options {
            create.extend(["--definition-options", option]);
        }
        self.world.run(maker, &create)?;
        let source = format!("projects/{project}/dataSources/{}", table.source);
        for environment in ["test", "production"] {
            let name = self.physical(id, environment);
            let seen = self.world.run(maker, &["table", "get", id, "--project", project])?;
            let publish = [
                "table",
                "publish",
                id,
                "--environment",
                environment,
                "--data-source",
                &source,
                "--physical-name",
                &name,
                "--etag",
                text(&seen, "etag"),
                "--project",
                project,
            ];
            let asked = self.world.run(maker, &publish)?;
            self.world.approve(approver, &asked)?;
            wait_until("it is there", PATIENCE, || {
                let seen = self.world.run(maker, &["table", "get", id, "--project", project])?;
                let there = seen["publications"].as_array().cloned().unwrap_or_default();
                let wanted = environment.to_uppercase();
                let ready = |one: &Value| {
                    text(one, "environment") == wanted && text(one, "state") == "READY"
                };
                Ok(there.iter().any(ready))
            })?;
        }
        Ok(())
    }

    fn physical(&self, id: &str, environment: &str) -> String {
        format!("{id}_{environment}_{}", self.suffix)
    }

    fn grant(&self, grantee: &str, table: &str, more: &[&str]) -> Result<String> {
        let table = format!("projects/clicks/databases/default/tables/{table}");
        let words = ["access", "grant", &table, "--grantees", grantee];
        let words = [&words, more, &["--rights-permissions", "select"]].concat();
        let given = self.world.run("data", &words)?;
        let name = text(&given["grants"][0], "name");
        ensure!(!name.is_empty(), "{given}");
        Ok(name.to_owned())
    }

    fn script(&self, name: &str, sql: &str) -> Result<String> {
        let path = self.world.folder.join(name);
        std::fs::write(&path, sql)?;
        Ok(path.display().to_string())
    }

    fn run_of(&self, job: &str) -> Result<Value> {
        Ok(self.reports("ann", &["job", "describe", job])?["latestRun"].clone())
    }

    fn wait_for(&self, job: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = Value::Null;
        wait_until(&format!("{job} {what}"), PATIENCE, || {
            last = self.run_of(job)?;
            Ok(is(&last))
        })
        .with_context(|| format!("the last that was seen: {last}"))?;
        Ok(last)
    }

    /// Refuses something of `reports` with a code; what was said.
    fn refused(&self, who: &str, code: &str, words: &[&str]) -> Result<String> {
        self.world.refused(who, code, &[words, &["--project", "reports"]].concat())
    }
}

/// Everybody of the tenant finds tables, sees what he may do with them, who uses them, and what comes from what.
fn found(stage: &Stage) -> Result<()> {
    let hits = stage.reports("ann", &["catalog", "search", "--query", "user cli"])?;
    let clicks = "projects/clicks/databases/default/tables/clicks";
    ensure!(hits["hits"][0]["name"] == clicks && hits["hits"][0]["kind"] == "TABLE", "{hits}");
    ensure!(hits["hits"][0]["foundIn"] == "column", "{hits}");
    let listed = stage.reports("ann", &["catalog", "tables", "--type", "mysql"])?;
    ensure!(listed["tables"].as_array().map(Vec::len) == Some(1), "{listed}");
    let users = "projects/clicks/databases/default/tables/users";
    let detail = stage.reports("ann", &["table", "describe", users])?;
    ensure!(detail["myPermissions"] == json!(["select"]), "{detail}");
    ensure!(detail["myColumns"][0]["mask"] == "PARTIAL", "{detail}");
    ensure!(detail["grants"] == json!([]), "grants are for those who manage them: {detail}");
    ensure!(detail["usages"][0]["version"] == "projects/reports/jobs/seen/versions/1", "{detail}");
    ensure!(detail["usages"][0]["runningIn"] == "TEST", "{detail}");
    let detail = stage.world.run("data", &["table", "describe", users])?;
    ensure!(detail["grants"].as_array().map(Vec::len) == Some(2), "{detail}");
    let lineage = stage.reports("ann", &["table", "lineage", clicks, "--columns"])?;
    let edges = lineage["edges"].as_array().cloned().unwrap_or_default();
    ensure!(edges.len() == 1 && edges[0]["from"] == clicks, "{lineage}");
    ensure!(edges[0]["to"] == "projects/reports/databases/default/tables/seen", "{lineage}");
    let columns = edges[0]["columns"].as_array().cloned().unwrap_or_default();
    let direct = json!({"from": "url", "to": "url", "direct": true});
    let indirect = json!({"from": "user_id", "to": "name", "direct": false});
    ensure!(columns.contains(&direct) && columns.contains(&indirect), "{lineage}");
    // For another tenant it is not there.
    stage.world.run("admin", &["tenant", "create", "rival"])?;
    let theirs = ["--tenant", "rival"];
    let search = ["catalog", "search", "--query", "clicks"];
    let hits = stage.world.run("admin", &[search.as_slice(), &theirs].concat())?;
    ensure!(hits["hits"] == json!([]), "{hits}");
    stage.refused("ann", "NOT_FOUND", &[search.as_slice(), &theirs].concat())?;
    Ok(())
}

/// Rows and columns, live from the servers, as who asks may see them.
fn previews(stage: &Stage) -> Result<()> {
    let users = "projects/clicks/databases/default/tables/users";
    let seen = stage.reports("ann", &["table", "preview", users])?;
    let columns: Vec<(&str, &str)> = seen["columns"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|column| (text(column, "name"), text(column, "mask")))
        .collect();
    let whole = "MASK_UNSPECIFIED";
    ensure!(columns == [("id", whole), ("name", whole), ("mail", "PARTIAL")], "{seen}");
    ensure!(text(&seen, "end") == "INPUT" && text(&seen, "environment") == "PRODUCTION", "{seen}");
    let row: Value = serde_json::from_str(text(&seen["rows"][0], "json"))?;
    ensure!(row["name"] == "Grace" && !text(&row, "mail").contains("Grace"), "{row}");
    // Those of its project see it as it is; a grant to a project shows it to its administrators, not to all members.
    let seen = stage.world.run("dev", &["table", "preview", "users", "--environment", "test"])?;
    let row: Value = serde_json::from_str(text(&seen["rows"][0], "json"))?;
    ensure!(row["mail"] == "Ada@example.org", "{row}");
    let clicks = "projects/clicks/databases/default/tables/clicks";
    stage.refused("ann", "GRANT_MISSING", &["table", "preview", clicks])?;
    let seen = stage.reports("rep", &["table", "preview", clicks, "--limit", "1"])?;
    ensure!(text(&seen["rows"][0], "json").contains("/production"), "{seen}");
    stage.refused("rep", "INVALID_OPTION", &["table", "preview", clicks, "--limit", "1001"])?;

    // Columns of what is there already: from the database's own catalog, from a sample of a topic.
    let tables = |source: &str, more: &[&'static str]| {
        let words = ["data-source", "tables", "--data-source", source];
        stage.world.run("dev", &[&words, more].concat())
    };
    let shop = "projects/clicks/dataSources/shop";
    let physical = stage.physical("users", "test");
    let found = tables(shop, &[])?;
    let databases = found["tables"].as_array().cloned().unwrap_or_default();
    let known = databases.iter().any(|database| text(database, "name") == "tidegate");
    ensure!(found["databases"] == true && known, "{found}");
    let users =
        ["--physical-database", "tidegate", "--prefix", "users_test", "--page-size", "1000"];
    let found = tables(shop, &users)?;
    let listed = found["tables"].as_array().cloned().unwrap_or_default();
    ensure!(listed.iter().any(|table| text(table, "name") == physical), "{found}");
    let describe = |source: &str, name: &str| {
        let words = ["data-source", "describe-table", "--data-source", source];
        stage.world.run("dev", &[&words, ["--physical-name", name].as_slice()].concat())
    };
    let found = describe(shop, &physical)?;
    ensure!(found["definition"]["primaryKey"] == json!(["id"]), "{found}");
    ensure!(found["definition"]["columns"][0]["type"] == "BIGINT NOT NULL", "{found}");
    let found = describe("projects/clicks/dataSources/kafka", &stage.physical("clicks", "test"))?;
    ensure!(found["definition"]["options"]["format"] == "json", "{found}");
    ensure!(found["definition"]["columns"].as_array().map(Vec::len) == Some(2), "{found}");
    stage.refused(
        "ann",
        "NOT_FOUND",
        &["data-source", "describe-table", "--data-source", shop, "--physical-name", &physical],
    )?;
    Ok(())
}

struct Table<'a> {
    kind: &'a str,
    source: &'a str,
    columns: &'a str,
    key: &'a str,
    options: &'a [&'a str],
}

/// Words of the command that submits the job.
fn submit<'a>(script: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["job", "submit", script, "--name", "seen"], more].concat()
}

#[test]
fn b7_e1_f5_l3_n11_jobs_use_what_they_are_granted_where_they_are_started() -> Result<()> {
    let (stage, first_password) = Stage::set_up()?;
    let brokers = vec![format!("bootstrap-servers={}", stage.broker.brokers())];
    stage.source("dev", "clicks", "kafka", &brokers)?;
    stage.source("ann", "reports", "kafka", &brokers)?;
    let place = stage.database.url.split_once("//").map_or("", |(_, place)| place);
    let (server, database) = place.split_once('/').context("a URL without database")?;
    let (host, port) = server.split_once(':').context("a URL without port")?;
    let shop = [
        format!("host={host}"),
        format!("port={port}"),
        format!("database={database}"),
        format!("username={}", stage.database.user),
        format!("password={}", stage.database.password),
    ];
    stage.source("dev", "clicks", "shop", &shop)?;
    let (test, production) =
        (stage.physical("users", "test"), stage.physical("users", "production"));
    for (table, name) in [(&test, "Ada"), (&production, "Grace")] {
        stage.database.execute(&format!(
            "CREATE TABLE {table} (id BIGINT PRIMARY KEY, name VARCHAR(20), mail VARCHAR(40)); \
             INSERT INTO {table} VALUES (1, '{name}', '{name}@example.org')"
        ))?;
    }
    let clicks = Table {
        kind: "kafka",
        source: "kafka",
        columns: r#"[{"name":"user_id","type":"BIGINT"},{"name":"url","type":"STRING"},{"name":"at","expression":"PROCTIME()"}]"#,
        key: "",
        options: &["format=json", "scan.startup.mode=earliest-offset"],
    };
    stage.table(["dev", "data"], "clicks", "clicks", &clicks)?;
    let users = Table {
        kind: "mysql",
        source: "shop",
        columns: r#"[{"name":"id","type":"BIGINT NOT NULL"},{"name":"name","type":"STRING"},{"name":"mail","type":"STRING"}]"#,
        key: "id",
        options: &[],
    };
    stage.table(["dev", "data"], "clicks", "users", &users)?;
    let seen = Table {
        kind: "kafka",
        source: "kafka",
        columns: r#"[{"name":"url","type":"STRING"},{"name":"name","type":"STRING"},{"name":"mail","type":"STRING"}]"#,
        key: "",
        options: &["format=json"],
    };
    stage.table(["ann", "rep"], "reports", "seen", &seen)?;
    let writer = stage.broker.writer()?;
    for environment in ["test", "production"] {
        let topic = stage.physical("clicks", environment);
        writer.send(&topic, 0, &format!(r#"{{"user_id":1,"url":"/{environment}"}}"#))?;
    }
    writer.flush()?;

    // Without a grant it is neither planned nor kept.
    let script = stage.script(
        "seen.sql",
        "INSERT INTO seen SELECT url, name, mail FROM clicks.`default`.clicks AS c \
         JOIN clicks.`default`.users FOR SYSTEM_TIME AS OF c.at AS u ON u.id = c.user_id;",
    )?;
    let submit = |more: &[&'static str]| submit(&script, more);
    let refused = stage.refused("ann", "GRANT_MISSING", &submit(&["--validate-only"]))?;
    ensure!(refused.contains("projects/clicks/databases/default/tables/clicks"), "{refused}");
    stage.refused("ann", "GRANT_MISSING", &submit(&["--environment", "test"]))?;
    let grant = stage.grant("projects/reports", "clicks", &[])?;
    stage.refused("ann", "GRANT_MISSING", &submit(&["--environment", "test"]))?;
    // Columns are granted to persons; a column that is not named is not theirs.
    let columns = ["--rights-columns", r#"[{"name":"id"},{"name":"mail","mask":"PARTIAL"}]"#];
    let ann = "tenants/acme/users/ann";
    stage.grant(ann, "users", &columns)?;
    let denied = stage.refused("ann", "PERMISSION_DENIED", &submit(&["--environment", "test"]))?;
    ensure!(denied.contains("name"), "{denied}");
    stage.grant(ann, "users", &["--rights-columns", r#"[{"name":"name"}]"#])?;

    // Tables of its own a script may not declare here.
    let own = stage.script(
        "own.sql",
        &format!(
            "CREATE TABLE t (url STRING) WITH ('connector' = 'kafka', 'topic' = '{}', \
             'properties.bootstrap.servers' = '{}', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');\n\
             INSERT INTO seen SELECT url, url, url FROM t;",
            stage.physical("clicks", "production"),
            stage.broker.brokers()
        ),
    )?;
    let refused = stage.refused("ann", "PERMISSION_DENIED", &["job", "submit", &own])?;
    ensure!(refused.contains("inline_tables"), "{refused}");

    // In test it reads what is in test.
    stage.reports("ann", &submit(&["--environment", "test"]))?;
    let run = stage.wait_for("seen", "runs", |run| run["state"] == "RUNNING")?;
    ensure!(text(&run, "environment") == "TEST", "{run}");
    let mut results = stage.broker.reader(&stage.physical("seen", "test"))?;
    let mut rows = Vec::new();
    wait_until("the row is written", PATIENCE, || {
        rows.extend(results.read()?);
        Ok(!rows.is_empty())
    })?;
    let row: Value = serde_json::from_str(&rows[0].value)?;
    ensure!(text(&row, "url") == "/test" && text(&row, "name") == "Ada", "{row}");
    let mail = text(&row, "mail");
    ensure!(mail != "Ada@example.org" && mail.contains('*'), "it is not masked: {row}");

    previews(&stage)?;
    found(&stage)?;

    // In production it runs when a system administrator has approved the version.
    stage.reports("ann", &["job", "stop", "seen"])?;
    let production = ["job", "start", "seen", "--environment", "production"];
    let refused = stage.refused("ann", "FAILED_PRECONDITION", &production)?;
    ensure!(refused.contains("not approved for production"), "{refused}");
    let asked = stage.reports("ann", &["job", "release", "seen", "--reason", "it works"])?;
    let decide = ["approval", "decide", text(&asked, "name"), "--approve=true"];
    stage.refused("rep", "PERMISSION_DENIED", &decide)?;
    stage.refused("ann", "PERMISSION_DENIED", &decide)?;
    let pending = stage.world.run("admin", &["approval", "list"])?;
    ensure!(pending["approvals"][0]["kind"] == "RELEASE_JOB", "{pending}");
    stage.world.approve("admin", &asked)?;
    stage.reports("ann", &production)?;
    let mut results = stage.broker.reader(&stage.physical("seen", "production"))?;
    let mut rows = Vec::new();
    wait_until("the row of production is written", PATIENCE, || {
        rows.extend(results.read()?);
        Ok(!rows.is_empty())
    })?;
    ensure!(rows[0].value.contains("/production") && rows[0].value.contains("Grace"), "{rows:?}");

    // A grant that is taken back is missed by what runs, and what the table's project wants becomes of it.
    stage.world.run("data", &["grant", "revoke", &grant])?;
    let run = stage.wait_for("seen", "says so", |run| !text(run, "missingGrant").is_empty())?;
    ensure!(run["state"] == "RUNNING", "{run}");
    let words = ["project", "update", "clicks", "--settings-grant-loss", "stop"];
    stage.world.run("admin", &words)?;
    let run = stage.wait_for("seen", "is stopped", |run| run["state"] == "STOPPED")?;
    ensure!(text(&run, "missingGrant").contains("no grant for select"), "{run}");
    stage.refused("ann", "GRANT_MISSING", &production)?;
    stage.refused("ann", "GRANT_MISSING", &submit(&["--validate-only"]))?;

    // Plans on the way to workers hold secrets; no file does.
    nowhere(&stage.world, &["Battery-staple-42", &first_password, &stage.database.password])?;
    let Stage { world: World { cluster, folder, .. }, .. } = stage;
    drop(cluster);
    folder.succeed();
    Ok(())
}
