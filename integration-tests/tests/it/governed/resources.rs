//! Resources and hooks by the command line, on three coordinators that are killed in between: needs no other server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::wait_until;

use super::{World, nowhere, text};

/// A text that must be nowhere but where it was given.
const CANARY: &str = "canary-9b31aa-secret";

/// What a hook was told: its headers in lower case, and the body.
type Told = Arc<Mutex<Vec<(String, Value)>>>;

/// A server of HTTP that refuses the first call and takes the others.
fn listen() -> Result<(String, Told)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/in", listener.local_addr()?);
    let told = Told::default();
    let heard = told.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some((headers, body)) = read(&stream) else { continue };
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push((headers, serde_json::from_slice(&body).unwrap_or_default()));
            let status = if heard.len() == 1 { "503 Busy" } else { "204 Taken" };
            let _ = write!(
                &stream,
                "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
    });
    Ok((url, told))
}

/// Reads a request with a body; none for a connection that asks for nothing.
fn read(stream: &std::net::TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((headers, body))
}

#[test]
fn j8_resources_and_hooks_outlive_leaders() -> Result<()> {
    let (mut world, _) = World::open("resources")?;
    world.user("root", &[("tenant-account", "tenants/acme")])?;
    for project in ["clicks", "reports"] {
        world.run("root", &["project", "create", project])?;
    }
    let clicks = "projects/clicks";
    let roles = [("developer", clicks), ("project-data-admin", clicks)];
    world.user("dev", &roles)?;
    world.user("guest", &[("developer", "projects/reports")])?;

    // A file that is uploaded, found, and downloaded from whoever is left.
    let rows: String =
        (0..200_000).map(|n| format!("{{\"id\":{n},\"x\":{}}}\n", n * 7_919)).collect();
    let file = world.folder.join("rows.jsonl");
    std::fs::write(&file, &rows)?;
    let file = file.display().to_string();
    let uploaded = world.run("dev", &["resource", "upload", &file, "--folder", "demo"])?;
    ensure!(text(&uploaded["version"], "format") == "jsonl", "{uploaded}");
    world.refused("guest", "PERMISSION_DENIED", &["resource", "list"])?;
    world.refused("guest", "PERMISSION_DENIED", &["resource", "upload", &file])?;
    let bad = world.folder.join("bad.jar");
    std::fs::write(&bad, "no archive")?;
    let said = world.refused(
        "dev",
        "INVALID_OPTION",
        &["resource", "upload", &bad.display().to_string()],
    )?;
    ensure!(said.contains("not a zip archive"), "{said}");

    // A hook that is told of a grant, signed, and again until it listens.
    let (url, told) = listen()?;
    let create =
        ["hook", "create", "chat", "--url", &url, "--events", "grant.given", "--secret", CANARY];
    world.refused("dev", "PERMISSION_DENIED", &create)?;
    let made = world.run("root", &create)?;
    ensure!(made["hasSecret"] == true && !made.to_string().contains(CANARY), "{made}");
    let columns = r#"[{"name":"id","type":"BIGINT"}]"#;
    let table = ["table", "create", "rows", "--type", "kafka", "--definition-columns", columns];
    let table: Vec<&str> =
        table.into_iter().chain(["--definition-options", "format=json"]).collect();
    world.run("dev", &table)?;
    world.cluster.fail_over()?;
    let name = "projects/clicks/databases/default/tables/rows";
    let grant = [
        "access",
        "grant",
        name,
        "--grantees",
        "projects/reports",
        "--rights-permissions",
        "select",
    ];
    wait_until("a grant is given", Duration::from_secs(30), || {
        Ok(world.run("dev", &grant).is_ok())
    })?;
    wait_until("the hook has listened", Duration::from_secs(60), || {
        let deliveries =
            world.run("root", &["hook", "deliveries", "chat", "--state", "delivered"])?;
        Ok(deliveries["deliveries"].as_array().is_some_and(|all| !all.is_empty()))
    })?;
    {
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(told.len() >= 2, "{told:?}");
        let (headers, body) = told.first().context("told")?;
        ensure!(headers.contains("tidegate-signature: t="), "{headers}");
        ensure!(body["grant"]["grantee"] == "projects/reports", "{body}");
        ensure!(told.iter().all(|(_, other)| other["number"] == body["number"]), "{told:?}");
    }

    let out = world.folder.join("out.jsonl").display().to_string();
    world.run("dev", &["resource", "download", "rows", "--file", &out])?;
    ensure!(std::fs::read_to_string(&out)? == rows, "the rows are others");
    let again = world.run("dev", &["resource", "upload", &file])?;
    ensure!(again["resource"]["versions"].as_array().map(Vec::len) == Some(1), "{again}");
    world.run("dev", &["resource", "delete", "rows"])?;
    world.refused("dev", "NOT_FOUND", &["resource", "get", "rows"])?;
    nowhere(&world, &[CANARY])?;
    let World { cluster, folder, .. } = world;
    drop(cluster);
    folder.succeed();
    Ok(())
}
