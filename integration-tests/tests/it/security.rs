//! A cluster whose nodes prove with certificates who they are and whose clients do with tokens: a job runs in it, and
//! everybody else is refused.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::{pause, wait_until};
use tidegate_integration_tests::cluster::{Cluster, Security};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::binary;

const RECORDS: i64 = 20_000;
const KEYS: i64 = 11;

/// Runs `tidegate cert …` or `tidegate token …`; returns standard output and error.
fn tidegate(arguments: &[&str]) -> Result<(String, String)> {
    let output = Command::new(binary()?).args(arguments).output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (out, err) = (text(output.stdout), text(output.stderr));
    ensure!(output.status.success(), "`tidegate {}`: {err}", arguments.join(" "));
    Ok((out, err))
}

fn certificates(folder: &Path, names: &[&str]) -> Result<PathBuf> {
    let text = folder.display().to_string();
    let nodes: Vec<String> = names
        .iter()
        .flat_map(|name| {
            let role = if name.starts_with("worker") { "--worker" } else { "--coordinator" };
            [role.to_owned(), format!("{name}=127.0.0.1")]
        })
        .collect();
    let mut arguments = vec!["cert", "init", "--out", &text];
    arguments.extend(nodes.iter().map(String::as_str));
    let (said, _) = tidegate(&arguments)?;
    ensure!(said.contains("[tls]") && said.contains("worker-1.key"), "{said}");
    Ok(folder.to_owned())
}

/// Makes a token for each role; the file that coordinators read, and the files of the clients.
fn tokens(folder: &CaseFolder) -> Result<(PathBuf, PathBuf, PathBuf)> {
    let mut known = String::new();
    let mut token = |name: &str, role: &str| -> Result<PathBuf> {
        let (token, section) = tidegate(&["token", "create", "--principal", name, "--role", role])?;
        ensure!(!section.contains(token.trim()), "the token is in what is kept: {section}");
        known += &section.replace("auth.token", "token");
        let path = folder.join(&format!("{name}.token"));
        std::fs::write(&path, token)?;
        Ok(path)
    };
    let (olga, vic) = (token("olga", "operator")?, token("vic", "viewer")?);
    let path = folder.join("tokens.toml");
    std::fs::write(&path, known)?;
    Ok((path, olga, vic))
}

fn script(folder: &CaseFolder) -> String {
    format!(
        "CREATE TABLE numbers (id BIGINT, k AS id % {KEYS}, ts AS TO_TIMESTAMP_LTZ(id, 3),
  WATERMARK FOR ts AS ts - INTERVAL '1' HOUR)
  WITH ('connector' = 'datagen', 'rows-per-second' = '20000', 'fields.id.kind' = 'sequence',
    'fields.id.start' = '1', 'fields.id.end' = '{RECORDS}');
CREATE TABLE counted (k BIGINT, c BIGINT)
  WITH ('connector' = 'filesystem', 'path' = '{}/counted', 'format' = 'json');
INSERT INTO counted SELECT k, COUNT(*)
  FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end, k;
",
        folder.text()
    )
}

fn refusal(answer: Result<Value>, said: &str) -> Result<()> {
    let error = answer.err().with_context(|| format!("not refused, expected {said}"))?.to_string();
    ensure!(error.contains(said), "expected {said}: {error}");
    Ok(())
}

/// Everybody who is not who they should be, after the cluster runs.
fn strangers_are_kept_out(
    cluster: &mut Cluster,
    folder: &CaseFolder,
    security: &Security,
) -> Result<()> {
    let foreign = certificates(&folder.join("foreign"), &["worker-1"])?;
    let file = |folder: &Path, name: &str| folder.join(name).display().to_string();
    // It trusts the cluster, but is of another authority.
    let other = format!(
        "[tls]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n",
        file(&security.certificates, "ca.crt"),
        file(&foreign, "worker-1.crt"),
        file(&foreign, "worker-1.key")
    );
    cluster.start_worker_as("foreign", &other)?;
    cluster.start_worker_as("plain", "")?;
    cluster.start_worker_as("misplaced", &security.section("coordinator-1"))?;
    pause(Duration::from_secs(2));
    let status = cluster.client(&["cluster", "status"])?;
    let workers = status["workers"].as_array().context("no workers")?;
    ensure!(workers.len() == 2, "one was let in: {workers:?}");
    for name in ["foreign", "plain"] {
        let log = cluster.log(name)?;
        ensure!(log.contains("no leader at"), "{name}: {log}");
        cluster.kill(name)?;
    }
    let log = cluster.log("misplaced")?;
    ensure!(log.contains("is not the certificate of a worker"), "{log}");
    cluster.kill("misplaced")
}

#[test]
fn nodes_with_certificates_and_clients_with_tokens_work_and_others_do_not() -> Result<()> {
    let folder = CaseFolder::new("security")?;
    let names = ["coordinator-1", "coordinator-2", "coordinator-3", "worker-1", "worker-2"];
    let certificates = certificates(&folder.join("pki"), &names)?;
    let (tokens, olga, vic) = tokens(&folder)?;
    let security = Security { certificates, tokens, token: olga.clone() };
    // One slot each: two subtasks are on two workers, and half of the rows cross.
    let mut cluster = Cluster::start_with(folder.path(), 2, 1, Some(security.clone()))?;
    let path = folder.join("numbers.sql");
    std::fs::write(&path, script(&folder))?;
    let path = path.display().to_string();

    let ca = ("TIDEGATE_CA", security.certificates.join("ca.crt").display().to_string());
    let token = |path: &Path| ("TIDEGATE_TOKEN_FILE", path.display().to_string());
    let submit = ["job", "submit", &path, "--name", "numbers", "--parallelism", "2"];
    for address in cluster.addresses() {
        let at = ("TIDEGATE_COORDINATOR", address.to_owned());
        let with = |more: &[(&'static str, String)]| [std::slice::from_ref(&at), more].concat();
        let status = ["cluster", "status"];
        // Followers pass this on to the leader, for the same caller.
        let seen = cluster.client_with(&status, &with(&[ca.clone(), token(&vic)]))?;
        ensure!(seen["workers"].as_array().is_some_and(|all| all.len() == 2), "{seen}");
        refusal(cluster.client_with(&status, &with(std::slice::from_ref(&ca))), "UNAUTHENTICATED")?;
        refusal(cluster.client_with(&status, &with(&[token(&vic)])), "UNAVAILABLE")?;
        let denied = cluster.client_with(&submit, &with(&[ca.clone(), token(&vic)]));
        refusal(denied, "PERMISSION_DENIED")?;
    }
    refusal(cluster.client(&["job", "describe", "numbers"]), "NOT_FOUND")?;
    refusal(cluster.client(&["cluster", "drain-worker", "worker-1"]), "cluster.update")?;

    cluster.client(&submit)?;
    cluster.wait_for("numbers", "FINISHED", Duration::from_secs(30))?;
    let columns = ["k", "c"].map(str::to_owned);
    let mut counted = Vec::new();
    for row in json_folder(&folder.join("counted"), &columns)? {
        let values = row.iter().map(|value| value.as_deref().unwrap_or("").parse::<i64>());
        counted.push(values.collect::<Result<Vec<_>, _>>()?);
    }
    counted.sort_unstable();
    let of = |key: i64| (1..=RECORDS).filter(|id| id % KEYS == key).count() as i64;
    let expected: Vec<Vec<i64>> = (0..KEYS).map(|key| vec![key, of(key)]).collect();
    ensure!(counted == expected, "{counted:?} was counted instead of {expected:?}");

    strangers_are_kept_out(&mut cluster, &folder, &security)?;
    // Taken back while the coordinators run.
    let kept = std::fs::read_to_string(&security.tokens)?;
    let without = kept.split("[[token]]").filter(|entry| !entry.contains("vic"));
    std::fs::write(&security.tokens, without.collect::<Vec<_>>().join("[[token]]"))?;
    let addresses: Vec<String> = cluster.addresses().map(str::to_owned).collect();
    wait_until("the token counts nowhere", Duration::from_secs(10), || {
        let at = |address: &String| ("TIDEGATE_COORDINATOR", address.clone());
        let denied = |address: &String| {
            let variables = [at(address), ca.clone(), token(&vic)];
            let answer = cluster.client_with(&["cluster", "status"], &variables);
            answer.is_err_and(|error| error.to_string().contains("UNAUTHENTICATED"))
        };
        Ok(addresses.iter().all(denied))
    })?;
    let took = cluster.fail_over()?;
    ensure!(took < Duration::from_secs(10), "a new leader took {took:?}");
    wait_until("workers at the new leader", Duration::from_secs(10), || {
        let status = cluster.client(&["cluster", "status"]);
        Ok(status.is_ok_and(|now| now["workers"].as_array().is_some_and(|all| all.len() == 2)))
    })?;
    let logs: String =
        (1..=3).map(|id| cluster.log(&format!("coordinator-{id}"))).collect::<Result<_>>()?;
    let audit: Vec<&str> = logs.lines().filter(|line| line.contains(" audit: ")).collect();
    let recorded = |parts: [&str; 3]| {
        audit.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    };
    ensure!(recorded(["vic", "SubmitJob", "denied"]) == 3, "{audit:#?}");
    ensure!(recorded(["olga", "SubmitJob", "done"]) == 1, "{audit:#?}");
    ensure!(recorded(["olga", "DrainWorker", "denied"]) == 1, "{audit:#?}");
    folder.succeed();
    Ok(())
}
