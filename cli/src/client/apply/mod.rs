//! `tidegate apply`: brings projects to what files say, by the API alone. Files are read, what there is is read, what
//! differs is a plan, and the plan is done step by step.

mod access;
mod calls;
mod data;
mod diff;
mod execute;
mod fields;
mod jobs;
mod manifest;
mod plan;
mod print;
mod tenancy;
#[cfg(test)]
mod tests;
mod variables;
mod world;
mod yaml;

use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_types::{Error, ErrorCode, Result};

use super::connection::Connection;
use super::output::lines;
use crate::args::{OutputFormat, key_value};
use crate::run::read_script;
use calls::Caller;
use execute::Outcome;
use manifest::Item;
use variables::Variables;
use world::World;

/// `tidegate apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// A file of YAML, with any number of documents; `-` is standard input. May be given several times.
    #[arg(long = "file", short, value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The value of ${VAR} in files and scripts; variables that are not defined here are those of the environment.
    #[arg(long = "define", value_name = "VAR=VALUE", value_parser = key_value)]
    variables: Vec<(String, String)>,
    /// The tenant of projects that do not say theirs.
    #[arg(long, value_name = "ID", default_value = "default", env = "TIDEGATE_TENANT")]
    tenant: String,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: end with exit code 2 if there is anything to do; 0 is nothing, 1 an error.
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// Set secret parameters of data sources again. Nobody can read them, so they cannot be compared: without this they
    /// are set when the data source is made, when they were never set, and when its other parameters change.
    #[arg(long)]
    update_secrets: bool,
}

/// What files say, before anybody is asked.
pub(crate) struct Manifest {
    items: Vec<Item>,
    arguments: ApplyArguments,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All is done, or was only shown.
    Well,
    /// With `--exit-code`: there is something to do.
    WithChanges,
}

impl Manifest {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with a file, with its place.
    pub(crate) fn read(arguments: ApplyArguments) -> Result<Self> {
        let environment = |name: &str| std::env::var(name).ok();
        let variables = Variables::new(arguments.variables.clone(), environment);
        let mut items = Vec::new();
        for file in &arguments.files {
            let text = read_script(file)?;
            let (name, base) = match file == Path::new("-") {
                true => ("standard input".to_owned(), Path::new("")),
                false => (file.display().to_string(), file.parent().unwrap_or(Path::new(""))),
            };
            let documents = yaml::documents(&name, &text, &variables)?;
            if documents.is_empty() {
                let message = format!("{name}: there is no document in it");
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
            for document in documents {
                items.extend(manifest::items(document, &arguments.tenant, base, &variables)?);
            }
        }
        Ok(Self { items: manifest::ordered(items)?, arguments })
    }
}

/// Plans, prints, and does it.
///
/// # Errors
/// What the server says; of a step that fails, after it was said what was done and what was not.
pub(super) async fn run(connection: &Connection, manifest: Manifest) -> Result<Ended> {
    let Manifest { items, arguments } = manifest;
    let mut world =
        World::new(Caller(connection), arguments.tenant.clone(), arguments.update_secrets);
    let plan = plan::plan(&items, &mut world).await?;
    let people = connection.format == OutputFormat::Table;
    let several =
        items.iter().any(|item| items.first().is_some_and(|first| first.project != item.project));
    if people {
        for step in &plan.steps {
            lines(&print::step(step, several))?;
        }
        lines(&print::summary(&plan))?;
    }
    let todo = plan.todo().count();
    if arguments.dry_run || todo == 0 {
        match people {
            false => lines(&print::json(&plan, &[], arguments.dry_run).to_string())?,
            true => approvals(&plan, &[])?,
        }
        return Ok(match arguments.exit_code && todo > 0 {
            true => Ended::WithChanges,
            false => Ended::Well,
        });
    }
    if people {
        lines("")?;
    }
    let outcomes = execute::execute(&plan, &world, |step, outcome| match people {
        // What waited before is said already.
        true if step.waits.is_none() => lines(&print::outcome(step, outcome)),
        _ => Ok(()),
    });
    let outcomes = outcomes.await?;
    match people {
        true => approvals(&plan, &outcomes)?,
        false => lines(&print::json(&plan, &outcomes, false).to_string())?,
    }
    let failed = plan.steps.iter().zip(&outcomes).find_map(|(step, outcome)| match outcome {
        Outcome::Failed(error) => Some((step, error.clone())),
        _ => None,
    });
    match failed {
        Some((step, error)) => {
            let count =
                |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|one| wanted(one)).count();
            let done = count(|one| matches!(one, Outcome::Done | Outcome::Asked(_)));
            let left = count(|one| matches!(one, Outcome::NotDone));
            let what = format!("{} {}", step.kind.noun(), step.label);
            Err(error.context(format!(
                "{what} (steps that are done: {done}, that are left after it: {left}; apply again when it is mended)"
            )))
        }
        None => Ok(Ended::Well),
    }
}

fn approvals(plan: &plan::Plan, outcomes: &[Outcome]) -> Result<()> {
    let waiting = print::approvals(plan, outcomes);
    if waiting.is_empty() {
        return Ok(());
    }
    lines(&format!("\napprovals that wait:\n{}", waiting.join("\n")))
}
