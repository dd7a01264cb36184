//! What is written down about a server that should be up, so that a later call of xtask finds it:
//! `service.json` in its folder. It exists from the first start until the service is taken down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::secrets::random_hex;
use super::{ALL, Server, Service, ports};
use crate::process::ProcessId;
use crate::project::Project;

/// A server with its ports, secrets, folder and, once it was started, its process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    service: String,
    version: String,
    ports: BTreeMap<String, u16>,
    secrets: BTreeMap<String, String>,
    folder: PathBuf,
    /// The last process; it may have ended.
    pub(crate) process: Option<ProcessId>,
}

impl Instance {
    /// A new instance with free ports, fresh secrets and an empty folder.
    pub(crate) fn create(
        project: &Project,
        service: &dyn Service,
        server: &dyn Server,
    ) -> Result<Self> {
        let folder = folder(project, service);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
        }
        let mut secrets = BTreeMap::new();
        for name in server.secrets() {
            secrets.insert((*name).to_owned(), random_hex()?);
        }
        let instance = Self {
            service: service.name().to_owned(),
            version: service.version().to_owned(),
            ports: ports::pick(server.ports(), &reserved(project)?)?,
            secrets,
            folder,
            process: None,
        };
        let data = instance.data();
        fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
        Ok(instance)
    }

    /// The recorded instance of a service, if it should be up.
    pub(crate) fn load(project: &Project, service: &dyn Service) -> Result<Option<Self>> {
        let path = folder(project, service).join("service.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let record =
            serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
        Ok(Some(record))
    }

    /// Writes the record, and the process id beside it for people.
    pub(crate) fn save(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("encode the record")?;
        write_private(&self.folder.join("service.json"), &text)?;
        if let Some(process) = self.process {
            write_private(&self.folder.join("pid"), &format!("{}\n", process.pid))?;
        }
        Ok(())
    }

    /// Forgets the instance: its record and data go, its log stays until the next start.
    pub(crate) fn forget(&self) -> Result<()> {
        for name in ["service.json", "pid"] {
            remove_if_there(&self.folder.join(name))?;
        }
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))?;
        }
        Ok(())
    }

    /// Whether its process runs.
    pub(crate) fn alive(&self) -> bool {
        self.process.is_some_and(ProcessId::alive)
    }

    /// Whether it was installed from this version.
    pub(crate) fn is_version(&self, service: &dyn Service) -> bool {
        self.version == service.version()
    }

    /// A port by the name that the server gave it.
    pub(crate) fn port(&self, name: &str) -> u16 {
        *self.ports.get(name).expect("a server asks only for ports that it named")
    }

    /// All ports by name.
    pub(crate) fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    /// A secret by the name that the server gave it.
    pub(crate) fn secret(&self, name: &str) -> &str {
        self.secrets.get(name).expect("a server asks only for secrets that it named")
    }

    /// The server's own folder: data and configuration.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where its output goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.service))
    }
}

/// Writes a file that only this user can read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let aside = path.with_extension("new");
    fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&aside, path))
        .with_context(|| format!("write {}", path.display()))
}

fn remove_if_there(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

fn folder(project: &Project, service: &dyn Service) -> PathBuf {
    project.run_dir.join(service.name())
}

/// Ports of all recorded instances, running or not.
fn reserved(project: &Project) -> Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for service in ALL {
        if let Some(instance) = Instance::load(project, service)? {
            ports.extend(instance.ports.values());
        }
    }
    Ok(ports)
}
