//! Where a soak takes place: services of its own, a folder for what processes write, the object store's address.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::services::{self, Profile, control, env_file, install, kafka_tools};

/// Starts services, soaks, and stops the services whatever happened. `soak` gets their project and a folder for outputs
/// of processes, which is kept unless it says that all went well.
pub(super) fn with_services<T>(
    project: &Project,
    seed: u64,
    soak: impl FnOnce(&Project, &Path) -> Result<(bool, T)>,
) -> Result<T> {
    let place = project.run_dir.join("soak");
    fs::create_dir_all(&place).with_context(|| format!("create {}", place.display()))?;
    let home = Project { run_dir: place.join("services"), ..project.clone() };
    // Nobody else is in there while this is held, so what runs there was left behind by a crash.
    let _lock = install::lock(&place.join(".lock"))?;
    let core = services::of_profile(Profile::Core);
    control::down(&home, &core)?;
    let folder = tempfile::Builder::new()
        .prefix(&format!("{seed:x}-"))
        .tempdir_in(&place)
        .context("create a folder for the processes' output")?;
    let outcome = control::up(&home, &core).and_then(|_| soak(&home, folder.path()));
    control::down(&home, &core).context("stop the services")?;
    if !outcome.as_ref().is_ok_and(|(passed, _)| *passed) {
        eprintln!("scripts and outputs of all processes are in {}", folder.keep().display());
    }
    outcome.map(|(_, report)| report)
}

/// Stops or kills the broker and starts it again on its data.
pub(super) fn restart_broker(home: &Project, kill: bool) -> Result<()> {
    let kafka = [kafka_tools::service()];
    if kill {
        control::kill(home, &kafka)?;
    }
    control::restart(home, &kafka)
}

/// The object store.
pub(super) struct Store {
    pub(super) endpoint: String,
    pub(super) port: u16,
    pub(super) bucket: String,
    pub(super) keys: Vec<(String, String)>,
}

impl Store {
    pub(super) fn of(home: &Project) -> Result<Self> {
        let variables = env_file::variables(home)?;
        let get = |name: &str| {
            let found = variables.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).with_context(|| format!("{name} is not set"))
        };
        let endpoint = get("TIDEGATE_S3_ENDPOINT")?;
        let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.with_context(|| format!("{endpoint} has no port"))?;
        let names = ["TIDEGATE_S3_ACCESS_KEY", "TIDEGATE_S3_SECRET_KEY"];
        let keys = names.map(|name| Ok((name.to_owned(), get(name)?)));
        Ok(Self {
            endpoint,
            port,
            bucket: get("TIDEGATE_S3_BUCKET")?,
            keys: keys.into_iter().collect::<Result<_>>()?,
        })
    }
}
