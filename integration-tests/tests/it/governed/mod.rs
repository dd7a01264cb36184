//! The governed catalog on a cluster of three coordinators with real servers, by the command line.

mod apply;
mod jobs;
mod resources;
mod story;

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::cluster::{Cluster, Setup};
use tidegate_integration_tests::folder::CaseFolder;

struct World {
    cluster: Cluster,
    folder: CaseFolder,
    /// All that commands have answered and said.
    said: RefCell<String>,
}

impl World {
    fn start(name: &str) -> Result<Self> {
        let folder = CaseFolder::new(name)?;
        let setup = Setup { accounts: true, ..Setup::default() };
        let cluster = Cluster::start_with(folder.path(), 1, 2, setup)?;
        Ok(Self { cluster, folder, said: RefCell::default() })
    }

    /// A cluster whose first account has signed in, as `admin`; its first password.
    fn open(name: &str) -> Result<(Self, String)> {
        let world = Self::start(name)?;
        let mut password = String::new();
        wait_until("the first account is printed", Duration::from_secs(20), || {
            for id in 1..=3 {
                let log = world.cluster.log(&format!("coordinator-{id}"))?;
                if let Some((_, rest)) = log.split_once("its password for one time ") {
                    password = rest.split_whitespace().next().unwrap_or_default().to_owned();
                }
            }
            Ok(!password.is_empty())
        })?;
        world.refused("nobody", "UNAUTHENTICATED", &["project", "list"])?;
        world.sign_in("admin", "admin", &password)?;
        world.run("admin", &["tenant", "create", "acme"])?;
        Ok((world, password))
    }

    /// Decides an approval as somebody who may.
    fn approve(&self, who: &str, approval: &Value) -> Result<Value> {
        let name = approval["pendingApproval"].as_str().or(approval["name"].as_str());
        let name = name.with_context(|| format!("no approval: {approval}"))?;
        self.run(who, &["approval", "decide", name, "--approve=true"])
    }

    fn credentials(&self, who: &str) -> PathBuf {
        self.folder.join(&format!("{who}.credentials"))
    }

    /// Runs a command as somebody; the answer, or what is printed as the error.
    fn run(&self, who: &str, arguments: &[&str]) -> Result<Value> {
        let addresses: Vec<&str> = self.cluster.addresses().collect();
        let variables = [
            ("TIDEGATE_COORDINATOR", addresses.join(",")),
            ("TIDEGATE_CREDENTIALS", self.credentials(who).display().to_string()),
            ("TIDEGATE_TENANT", "acme".to_owned()),
            ("TIDEGATE_PROJECT", "clicks".to_owned()),
        ];
        let answer = self.cluster.client_with(arguments, &variables);
        let mut said = self.said.borrow_mut();
        match &answer {
            Ok(answer) => said.push_str(&answer.to_string()),
            // Before it stands the command itself, in which the test gives secrets away.
            Err(error) => {
                let error = error.to_string();
                said.push_str(error.split_once("`: ").map_or(error.as_str(), |(_, said)| said));
            }
        }
        answer
    }

    /// Runs a command that is refused with this code.
    fn refused(&self, who: &str, code: &str, arguments: &[&str]) -> Result<String> {
        match self.run(who, arguments) {
            Ok(answer) => bail!("{who} may `tidegate {}`: {answer}", arguments.join(" ")),
            Err(error) => {
                let said = error.to_string();
                ensure!(said.contains(&format!("[{code}]")), "{who}, {arguments:?}: {said}");
                Ok(said)
            }
        }
    }

    /// Signs in with a password for one time and chooses another.
    fn sign_in(&self, who: &str, account: &str, one_time: &str) -> Result<()> {
        let file = |name: &str, text: &str| -> Result<String> {
            let path = self.folder.join(&format!("{who}.{name}"));
            std::fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let (old, new) = (file("old", one_time)?, file("new", "Battery-staple-42")?);
        let login = ["login", account, "--password-file", &old];
        self.plain(who, &login)?;
        self.refused(who, "PERMISSION_DENIED", &["cluster", "status"])?;
        self.plain(who, &["password", "--old-file", &old, "--new-file", &new])
    }

    /// Runs a command whose answer is a sentence.
    fn plain(&self, who: &str, arguments: &[&str]) -> Result<()> {
        match self.run(who, arguments) {
            // It is done, and what it says is no JSON.
            Err(error) if error.to_string().contains("[") => bail!("{error}"),
            _ => Ok(()),
        }
    }

    fn user(&self, id: &str, roles: &[(&str, &str)]) -> Result<()> {
        let made = self.run("admin", &["user", "create", id])?;
        let account = format!("tenants/acme/users/{id}");
        for (role, scope) in roles {
            let assign =
                ["role", "assign", "--role", role, "--scope", scope, "--account", &account];
            self.run("admin", &assign)?;
        }
        let password = made["oneTimePassword"].as_str().context("no password")?;
        self.sign_in(id, &account, password)
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// Refuses a secret in any answer, in any message of an error, and in any file of the processes; files of the test itself
/// aside.
fn nowhere(world: &World, secrets: &[&str]) -> Result<()> {
    for parent in ["projects/clicks", "tenants/acme"] {
        world.run("admin", &["audit", "list", "--parent", parent, "--page-size", "1000"])?;
    }
    let said = world.said.borrow();
    let found = secrets.iter().position(|secret| said.contains(secret));
    ensure!(found.is_none(), "secret {found:?} was answered");
    ensure!(said.len() > 1_000, "only {} bytes were answered", said.len());
    let folder = &world.folder;
    let mut folders = vec![folder.path().to_owned()];
    let mut files = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            let name =
                path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Given by the test; the first password is printed once, by the coordinator that made it.
            let own = name.ends_with(".old") || name.ends_with(".new");
            if own {
                continue;
            }
            let bytes = std::fs::read(&path)?;
            files += 1;
            for (at, secret) in secrets.iter().enumerate() {
                let printed = at == 1 && name.starts_with("coordinator-") && name.ends_with(".log");
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                ensure!(!found || printed, "secret {at} is in {}", path.display());
            }
        }
    }
    ensure!(files > 5, "only {files} files were looked into");
    Ok(())
}
