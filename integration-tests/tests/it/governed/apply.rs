//! A project as a file says: made, left alone, changed, and what has to wait for somebody.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::kafka;

use super::{World, nowhere, text};

const PATIENCE: Duration = Duration::from_secs(40);
/// A text that must be nowhere.
const CANARY: &str = "canary-apply-77aa";

struct Stage {
    world: World,
    file: PathBuf,
    defines: Vec<String>,
}

impl Stage {
    fn set_up() -> Result<(Self, String)> {
        let (world, password) = World::open("apply")?;
        for user in ["dev", "data"] {
            world.user(user, &[])?;
        }
        world.user("global", &[("global-data-admin", "tenants/acme")])?;
        let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/apply");
        for name in ["clicks.yaml", "per_page.sql"] {
            std::fs::copy(examples.join(name), world.folder.join(name))?;
        }
        let brokers = kafka::Cluster::from_environment()?.brokers().to_owned();
        let defines = vec![
            format!("BROKERS={brokers}"),
            format!("SUFFIX=applied_{}", std::process::id()),
            format!("SHOP_PASSWORD={CANARY}"),
        ];
        let file = world.folder.join("clicks.yaml");
        Ok((Self { world, file, defines }, password))
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let mut words = vec!["apply".to_owned(), "-f".to_owned(), self.file.display().to_string()];
        for define in &self.defines {
            words.extend(["--define".to_owned(), define.clone()]);
        }
        words.extend(more.iter().map(|&word| word.to_owned()));
        words
    }

    fn apply(&self, who: &str, more: &[&str]) -> Result<Value> {
        let words = self.words(more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let answer = self.world.run(who, &words)?;
        ensure!(!answer.to_string().contains(CANARY), "a secret is shown");
        Ok(answer)
    }

    fn refused(&self, more: &[&str]) -> Result<String> {
        let words = self.words(more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.world.refused("admin", "INVALID_OPTION", &words)
    }

    fn edit(&self, from: &str, to: &str) -> Result<()> {
        let text = std::fs::read_to_string(&self.file)?;
        ensure!(text.contains(from), "{from}");
        Ok(std::fs::write(&self.file, text.replacen(from, to, 1))?)
    }

    /// Decides the approval of the table that waits, and waits until the topic is there.
    fn decide(&self, applied: &Value, environment: &str) -> Result<()> {
        let label = format!("clicks in {}", environment.to_lowercase());
        let asked = result(applied, "table", "publish", &label)?;
        let name = asked["approval"].as_str().context("no approval")?;
        self.world.run("data", &["approval", "decide", name, "--approve=true"])?;
        wait_until("the topic is there", PATIENCE, || {
            let seen = self.world.run("admin", &["table", "get", "clicks"])?;
            let there = seen["publications"].as_array().cloned().unwrap_or_default();
            Ok(there.iter().any(|one| {
                text(one, "environment") == environment && text(one, "state") == "READY"
            }))
        })
    }
}

/// Results of steps by kind, change and label.
fn result<'a>(applied: &'a Value, kind: &str, change: &str, label: &str) -> Result<&'a Value> {
    let mut steps = applied["steps"].as_array().into_iter().flatten();
    let same = |one: &&Value| {
        (text(one, "kind"), text(one, "change"), text(one, "label")) == (kind, change, label)
    };
    steps.find(same).with_context(|| format!("no {change} of {kind} {label}: {applied}"))
}

fn ensure_result(
    applied: &Value,
    kind: &str,
    change: &str,
    label: &str,
    wanted: &str,
) -> Result<()> {
    let found = result(applied, kind, change, label)?;
    ensure!(found["result"] == wanted, "{found}");
    Ok(())
}

#[test]
fn a_project_becomes_what_a_file_says_and_stays_so() -> Result<()> {
    let (stage, first_password) = Stage::set_up()?;

    // A dry run says so with its exit code, and does nothing.
    let planned = stage.apply("admin", &["--dry-run"])?;
    ensure!(planned["dryRun"] == true && planned["changes"].as_u64() > Some(10), "{planned}");
    ensure!(result(&planned, "table", "create", "clicks")?["result"].is_null(), "{planned}");
    ensure!(stage.apply("admin", &["--dry-run", "--exit-code"]).is_err());
    stage.world.refused("admin", "NOT_FOUND", &["project", "get", "clicks"])?;

    // What needs an approval is asked for; what needs that waits.
    let applied = stage.apply("admin", &[])?;
    for (kind, label) in [
        ("project", "clicks"),
        ("project", "reports"),
        ("role", "developer of tenants/acme/users/dev"),
        ("data source", "kafka"),
        ("data source", "shop"),
        ("table", "clicks"),
        ("grant", "of clicks to projects/reports"),
        ("job", "per-page"),
    ] {
        ensure_result(&applied, kind, "create", label, "done")?;
    }
    ensure_result(&applied, "database", "publish", "crm in test", "asked")?;
    ensure_result(&applied, "table", "publish", "clicks in test", "asked")?;
    ensure_result(&applied, "table", "publish", "clicks in production", "waits")?;
    ensure!(applied["approvals"].as_array().map(Vec::len) == Some(2), "{applied}");
    ensure_result(&applied, "job", "version", "per-page, version 1", "waits")?;
    let project = stage.world.run("dev", &["project", "get", "clicks"])?;
    ensure!(text(&project, "description") == "clicks of the web shop", "{project}");
    let shop = stage.world.run("dev", &["data-source", "get", "shop"])?;
    ensure!(shop["secretParameters"][0] == "password", "{shop}");

    // Again: nothing, and nothing is asked for twice.
    let again = stage.apply("admin", &["--dry-run", "--exit-code"])?;
    ensure!(again["changes"] == 0 && again["approvals"] == applied["approvals"], "{again}");
    let again = stage.apply("admin", &[])?;
    ensure!(again["changes"] == 0, "{again}");

    // With every decision it comes further.
    let database = text(result(&again, "database", "publish", "crm in test")?, "approval");
    stage.world.run("global", &["approval", "decide", database, "--approve=true"])?;
    stage.decide(&again, "TEST")?;
    let applied = stage.apply("admin", &[])?;
    ensure_result(&applied, "table", "publish", "clicks in production", "asked")?;
    ensure_result(&applied, "job", "version", "per-page, version 1", "done")?;
    ensure_result(&applied, "job", "start", "per-page in test", "done")?;
    stage.decide(&applied, "PRODUCTION")?;
    let job = stage.world.run("dev", &["job", "describe", "per-page"])?;
    ensure!(text(&job["latestRun"], "environment") == "TEST", "{job}");
    ensure!(job["priority"] == "PRIORITY_HIGH" && job["latestRun"]["parallelism"] == 2, "{job}");
    let whole = stage.apply("admin", &["--dry-run", "--exit-code"])?;
    ensure!(whole["changes"] == 0 && whole["steps"] == serde_json::json!([]), "{whole}");

    changes(&stage)?;
    mistakes(&stage)?;
    failures(&stage)?;
    drafts(&stage)?;
    nowhere(&stage.world, &[CANARY, &first_password])?;
    let Stage { world: World { cluster, folder, .. }, .. } = stage;
    drop(cluster);
    folder.succeed();
    Ok(())
}

/// What differs is shown and changed, and nothing else.
fn changes(stage: &Stage) -> Result<()> {
    let before = stage.world.run("admin", &["table", "get", "clicks"])?;
    stage.world.run("admin", &["data-source", "update", "shop", "--description", "by hand"])?;
    stage.edit("one row per click", "a row per click")?;
    stage.edit(
        "{name: url, type: STRING, comment: \"path and query\"}",
        "{name: url, type: VARCHAR(200)}",
    )?;
    stage.edit("{tables: 100}", "{tables: 200}")?;
    stage.edit("[select]", "[select, insert]")?;
    stage.edit("interval: 10 s", "interval: 20 s")?;
    let planned = stage.apply("admin", &["--dry-run"])?;
    let table = result(&planned, "table", "update", "clicks")?;
    let shown: Vec<(&str, &str, &str)> = table["differences"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (text(one, "path"), text(one, "before"), text(one, "after")))
        .collect();
    let wanted = [
        ("description", "\"one row per click\"", "\"a row per click\""),
        ("definition.columns[url].type", "\"STRING\"", "\"VARCHAR(200)\""),
        ("definition.columns[url].comment", "\"path and query\"", "\"\""),
    ];
    ensure!(shown == wanted, "{shown:?}");
    let after = stage.world.run("admin", &["table", "get", "clicks"])?;
    ensure!(before == after, "a dry run changes something: {after}");

    let applied = stage.apply("admin", &[])?;
    ensure_result(&applied, "table", "update", "clicks", "done")?;
    ensure_result(&applied, "service", "update", "data-management", "done")?;
    ensure_result(&applied, "grant", "update", "of clicks to projects/reports", "done")?;
    ensure_result(&applied, "table", "publish", "clicks in test", "asked")?;
    ensure_result(&applied, "table", "publish", "clicks in production", "waits")?;
    let access = ["access", "list", "projects/clicks/databases/default/tables/clicks"];
    let grants = stage.world.run("data", &access)?;
    let grants = grants["grants"].as_array().cloned().unwrap_or_default();
    ensure!(
        grants.len() == 1 && grants[0]["rights"]["permissions"].as_array().map(Vec::len) == Some(2)
    );
    let shop = stage.world.run("dev", &["data-source", "get", "shop"])?;
    ensure!(text(&shop, "description") == "by hand", "what the file does not say changes: {shop}");
    let again = stage.apply("admin", &[])?;
    ensure!(again["changes"] == 0, "{again}");

    // Secrets are set again where that is asked for only.
    let secrets = stage.apply("admin", &["--update-secrets"])?;
    ensure_result(&secrets, "data source", "update", "shop", "done")?;
    ensure_result(&secrets, "data source", "publish", "shop", "done")?;
    ensure!(secrets["changes"] == 2, "{secrets}");
    Ok(())
}

/// What is wrong is said with its place, before anything is done.
fn mistakes(stage: &Stage) -> Result<()> {
    stage.edit("  - id: kafka\n    type: kafka", "  - id: kafka\n    typ: kafka")?;
    let said = stage.refused(&[])?;
    ensure!(said.contains("clicks.yaml:26:5: a data source has no field 'typ'"), "{said}");
    ensure!(said.contains("did you mean 'type'?"), "{said}");
    stage.edit("    typ: kafka", "    type: kafka")?;
    stage.edit("priority: high", "priority: hihg")?;
    let said = stage.refused(&["--dry-run"])?;
    ensure!(
        said.contains("priority: 'hihg' is none of its words") && said.contains("critical"),
        "{said}"
    );
    stage.edit("priority: hihg", "priority: high")?;
    stage.edit("${BROKERS}", "${BROKER}")?;
    let said = stage.refused(&["--dry-run"])?;
    ensure!(said.contains("the variable 'BROKER' has no value"), "{said}");
    stage.edit("${BROKER}", "${BROKERS}")
}

/// The first step that fails ends it, and the next run does the rest.
fn failures(stage: &Stage) -> Result<()> {
    let table = |id: &str, ty: &str| {
        format!(
            "  - {{id: {id}, type: kafka, definition: {{columns: [{{name: a, type: {ty}}}], options: {{format: json}}}}}}\n"
        )
    };
    let more = format!("{}{}", table("orders", "BIGNT"), table("returned", "BIGINT"));
    stage.edit("\ngrants:", &format!("{more}\ngrants:"))?;
    let words = stage.words(&[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Err(error) = stage.world.run("admin", &words) else { bail!("a wrong type is taken") };
    let said = error.to_string();
    ensure!(said.contains("steps that are done: 0, that are left after it: 1"), "{said}");
    ensure!(said.contains("table orders") && said.contains("BIGNT"), "{said}");
    stage.world.refused("admin", "NOT_FOUND", &["table", "get", "returned"])?;
    stage.edit("BIGNT", "BIGINT")?;
    let applied = stage.apply("admin", &[])?;
    ensure_result(&applied, "table", "create", "orders", "done")?;
    ensure_result(&applied, "table", "create", "returned", "done")
}

/// Whoever cannot approve a data source has its tables wait for it.
fn drafts(stage: &Stage) -> Result<()> {
    let file = stage.world.folder.join("own.yaml");
    let text = "project: clicks\ntenant: acme\ndata_sources:\n  - {id: own, type: kafka, \
        parameters: {bootstrap-servers: '${BROKERS}'}, publish: true}\ntables:\n  - id: mine\n    type: kafka\n    \
        definition: {columns: [{name: a, type: INT}], options: {format: json}}\n    \
        publish: {test: {data_source: own, physical_name: 'mine_${SUFFIX}'}}\n";
    std::fs::write(&file, text)?;
    let file = file.display().to_string();
    let [brokers, suffix, _] = stage.defines.as_slice() else { bail!("other variables") };
    let words = ["apply", "-f", &file, "--define", brokers, "--define", suffix];
    let applied = stage.world.run("dev", &words)?;
    ensure_result(&applied, "data source", "publish", "own", "asked")?;
    ensure_result(&applied, "table", "create", "mine", "done")?;
    ensure_result(&applied, "table", "publish", "mine in test", "waits")?;
    let name = applied["approvals"][0].as_str().context("no approval")?;
    stage.world.run("global", &["approval", "decide", name, "--approve=true"])?;
    let applied = stage.world.run("dev", &words)?;
    ensure!(applied["changes"] == 1, "{applied}");
    ensure_result(&applied, "table", "publish", "mine in test", "asked")
}
