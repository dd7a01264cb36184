//! Start and stop, the same for all servers: `up` starts what is not running, `restart` and `kill` are
//! for fault tests and keep ports and data, `down` stops and throws the data away.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::record::Instance;
use super::{Server, Service, env_file, install, ports};
use crate::process::{self, POLL};
use crate::project::Project;

/// How long a server may take from its start to a full answer, on a machine that is busy building.
const START_LIMIT: Duration = Duration::from_secs(180);

/// How long a server may take to end after its stop signal, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How often a start is tried with other ports when another program took one meanwhile.
const PORT_TRIES: usize = 3;

/// How many lines of a log are shown when its server does not start.
const LOG_LINES: usize = 40;

/// Installs and starts what does not run, and writes the env file; returns what it started.
pub(crate) fn up(
    project: &Project,
    services: &[&'static dyn Service],
) -> Result<Vec<&'static dyn Service>> {
    install::install(project, services)?;
    let _lock = lock(project)?;
    let mut started = Vec::new();
    let outcome = services.iter().try_for_each(|service| {
        if start_if_down(project, *service)? {
            started.push(*service);
        }
        Ok(())
    });
    env_file::write(project)?;
    outcome.map(|()| started)
}

/// Stops these services and throws their data away.
pub(crate) fn down(project: &Project, services: &[&'static dyn Service]) -> Result<()> {
    let _lock = lock(project)?;
    for service in services {
        let Some(instance) = Instance::load(project, *service)? else {
            continue;
        };
        eprintln!("stopping {}", service.name());
        end(&instance, "KILL", service.name())?;
        forget(*service, &instance)?;
    }
    env_file::write(project)
}

/// Stops these services in their own way and starts them again on the same ports and data.
pub(crate) fn restart(project: &Project, services: &[&'static dyn Service]) -> Result<()> {
    let _lock = lock(project)?;
    for service in services {
        let (server, mut instance) = recorded(project, *service)?;
        end(&instance, server.stop_signal(), service.name())?;
        start(project, *service, server, &mut instance)?;
    }
    env_file::write(project)
}

/// Ends these services with SIGKILL, as a crash would; `restart` and `up` bring them back.
pub(crate) fn kill(project: &Project, services: &[&'static dyn Service]) -> Result<()> {
    let _lock = lock(project)?;
    for service in services {
        let (_, instance) = recorded(project, *service)?;
        end(&instance, "KILL", service.name())?;
        eprintln!("killed {}", service.name());
    }
    Ok(())
}

fn lock(project: &Project) -> Result<std::fs::File> {
    let folder = &project.run_dir;
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    install::lock(&folder.join(".lock"))
}

/// The instance of a service that should be up.
fn recorded(
    project: &Project,
    service: &'static dyn Service,
) -> Result<(&'static dyn Server, Instance)> {
    let name = service.name();
    let server = service.server().with_context(|| format!("{name} has no server"))?;
    let instance = Instance::load(project, service)?
        .with_context(|| format!("{name} is not up: run `cargo xtask services up {name}`"))?;
    Ok((server, instance))
}

/// Whether there was something to start, and it now runs.
fn start_if_down(project: &Project, service: &'static dyn Service) -> Result<bool> {
    let Some(server) = service.server() else {
        return Ok(false);
    };
    if let Some(mut instance) = Instance::load(project, service)? {
        if instance.alive() {
            wait_ready(service.name(), server, &instance)?;
            eprintln!("{} is already running", service.name());
            return Ok(false);
        }
        if instance.is_version(service) && instance.ports().values().all(|port| ports::free(*port))
        {
            eprintln!("{} had ended; it starts again on its data", service.name());
            start(project, service, server, &mut instance)?;
            return Ok(true);
        }
    }
    start_fresh(project, service, server)?;
    Ok(true)
}

/// Starts with new ports and no data; forgets all of it when that fails, but for the log.
fn start_fresh(project: &Project, service: &dyn Service, server: &dyn Server) -> Result<()> {
    let mut tries = 1..=PORT_TRIES;
    loop {
        let last = tries.next() == Some(PORT_TRIES);
        let mut instance = Instance::create(project, service, server)?;
        let outcome = server
            .prepare(project, &instance)
            .context("prepare its data folder")
            .and_then(|()| start(project, service, server, &mut instance))
            .and_then(|()| provision(project, server, &instance));
        let Err(error) = outcome else { return Ok(()) };
        end(&instance, "KILL", service.name())?;
        forget(service, &instance)?;
        if last || !lost_a_port(&instance.log()) {
            return Err(error).with_context(|| format!("start {}", service.name()));
        }
        eprintln!("another program took a port of {}; trying others", service.name());
    }
}

/// Starts the process, records it, and waits until it answers.
fn start(
    project: &Project,
    service: &dyn Service,
    server: &dyn Server,
    instance: &mut Instance,
) -> Result<()> {
    let begin = Instant::now();
    let mut command = server.command(project, instance)?;
    command.current_dir(instance.data());
    instance.process = Some(process::spawn_detached(&mut command, &instance.log())?);
    instance.save()?;
    wait_ready(service.name(), server, instance)?;
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("started {} {} in {seconds:.1} s", service.name(), service.version());
    Ok(())
}

/// Probes until the server answers, ends, or takes too long.
fn wait_ready(name: &str, server: &dyn Server, instance: &Instance) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let Err(error) = server.probe(instance) else {
            return Ok(());
        };
        if !instance.alive() {
            bail!("{name} ended while it started; {}", log_tail(&instance.log()));
        }
        if Instant::now() >= deadline {
            let seconds = START_LIMIT.as_secs();
            let tail = log_tail(&instance.log());
            return Err(error).context(format!("{name} did not answer in {seconds} s; {tail}"));
        }
        std::thread::sleep(POLL);
    }
}

/// Provisioning right after a start may come a moment too early, so it gets the same patience.
fn provision(project: &Project, server: &dyn Server, instance: &Instance) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match server.provision(project, instance) {
            Err(_) if instance.alive() && Instant::now() < deadline => std::thread::sleep(POLL),
            outcome => return outcome,
        }
    }
}

/// Ends the recorded process and no other; a signal that is not obeyed in time is followed by SIGKILL.
fn end(instance: &Instance, signal: &str, name: &str) -> Result<()> {
    let Some(process) = instance.process else {
        return Ok(());
    };
    process.signal(signal)?;
    if process.wait_ended(STOP_LIMIT) {
        return Ok(());
    }
    process.signal("KILL")?;
    if !process.wait_ended(STOP_LIMIT) {
        bail!("{name} (process {}) does not end", process.pid);
    }
    Ok(())
}

/// Removes what an ended instance leaves, but for its log.
fn forget(service: &dyn Service, instance: &Instance) -> Result<()> {
    if let Some(server) = service.server() {
        server.clean(instance);
    }
    instance.forget()
}

fn lost_a_port(log: &Path) -> bool {
    process::tail(log, LOG_LINES).to_lowercase().contains("address already in use")
}

fn log_tail(log: &Path) -> String {
    let lines = process::tail(log, LOG_LINES);
    format!("its log is {} and ends with:\n{lines}\n", log.display())
}
