//! `cargo xtask services`: which services a call means, and what is done with them.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use crate::project::Project;
use crate::services::{self, Profile, Service, control, env_file, install, status};

/// `services ACTION …`
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Put servers, and the Debian packages that they and the build need, on this machine
    Install(Selection),
    /// Start what does not run yet, installing it if need be
    Up(Selection),
    /// Stop services and throw their data away
    Down(Selection),
    /// Stop services in their own way and start them again on the same ports and data
    Restart(Selection),
    /// End services with SIGKILL; `restart` or `up` brings them back on the same ports and data
    Kill(Selection),
    /// Show what is installed and what runs
    Status {
        #[command(flatten)]
        selection: Selection,
        /// How to print it
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Print addresses and credentials as KEY=VALUE lines
    Env {
        /// Print lines that a shell can evaluate
        #[arg(long)]
        export: bool,
    },
}

#[derive(clap::Args)]
struct Selection {
    /// Services by name; without any, those of the profile
    #[arg(value_name = "NAME", conflicts_with = "profile")]
    names: Vec<String>,
    /// A set of services (default: core for `up`, all for the rest)
    #[arg(long, value_enum)]
    profile: Option<Profile>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

impl Selection {
    fn services(&self, default: Profile) -> Result<Vec<&'static dyn Service>> {
        if self.names.is_empty() {
            Ok(services::of_profile(self.profile.unwrap_or(default)))
        } else {
            services::named(&self.names)
        }
    }

    /// What is up, unless the call names something.
    fn running(&self, project: &Project) -> Result<Vec<&'static dyn Service>> {
        if !self.names.is_empty() {
            return services::named(&self.names);
        }
        let mut running = Vec::new();
        for service in services::of_profile(self.profile.unwrap_or(Profile::All)) {
            if services::record::Instance::load(project, service)?.is_some() {
                running.push(service);
            }
        }
        Ok(running)
    }
}

/// Does what the command line says.
pub(crate) fn run(project: &Project, args: Args) -> Result<ExitCode> {
    match args.action {
        Action::Install(selection) => {
            install::install(project, &selection.services(Profile::All)?)?;
        }
        Action::Up(selection) => {
            control::up(project, &selection.services(Profile::Core)?)?;
            eprintln!("addresses are in {}", project.run_dir.join("services.env").display());
        }
        Action::Down(selection) => control::down(project, &selection.running(project)?)?,
        Action::Restart(selection) => control::restart(project, &selection.running(project)?)?,
        Action::Kill(selection) => control::kill(project, &selection.running(project)?)?,
        Action::Status { selection, output } => {
            let services = selection.services(Profile::All)?;
            let report = status::report(project, &services, output == Output::Json)?;
            println!("{}", report.trim_end());
        }
        Action::Env { export } => {
            print!("{}", env_file::lines(&env_file::variables(project)?, export));
        }
    }
    Ok(ExitCode::SUCCESS)
}
