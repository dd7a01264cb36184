//! Plans that scripts store in files and run from there: `COMPILE PLAN`, `EXECUTE PLAN`.
//!
//! A stored plan is what [`tidegate_plan::encoding`] writes. It holds the tables with their options and
//! the ids of operators, so that it runs the same, and with the same state, whatever becomes of the
//! script and the planner. Reading and writing files is the caller's part.

use tidegate_plan::settings::Settings;
use tidegate_plan::{Operator, StreamGraph, encoding};
use tidegate_types::{Error, ErrorCode, Result};

use crate::session::JobPlan;

/// A file that a statement stores a plan in or runs one from.
#[derive(Debug, Clone)]
pub struct PlanFile {
    /// The path as written: relative or absolute, or with `file:` before it.
    pub path: String,
    /// What is to be done.
    pub action: PlanAction,
}

/// What a statement does with a file.
#[derive(Debug, Clone)]
pub enum PlanAction {
    /// Run the plan that is there.
    Execute {
        /// The session's settings.
        settings: Settings,
    },
    /// Store a plan.
    Compile {
        /// The plan, and what to run if it is executed as well.
        job: Box<JobPlan>,
        /// What to do with a file that is there already.
        existing: Existing,
        /// Run the plan that then is in the file.
        execute: bool,
    },
}

/// What `COMPILE PLAN` does with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Fails: neither of the others was asked for.
    Refuse,
    /// `IF NOT EXISTS`: it stays as it is.
    Keep,
    /// `table.plan.force-recompile`: it is replaced.
    Replace,
}

impl PlanFile {
    /// The file's path on this machine.
    ///
    /// # Errors
    /// `UNSUPPORTED` for other places than local files.
    pub fn local_path(&self) -> Result<&str> {
        let path = self.path.strip_prefix("file://").or_else(|| self.path.strip_prefix("file:"));
        let path = path.unwrap_or(&self.path);
        if path.contains("://") {
            let message = format!("plan file '{}': plans are stored in local files", self.path);
            return Err(Error::unsupported(message).help("write a path, or file:///…"));
        }
        Ok(path)
    }

    /// The error of a file that may not be replaced.
    pub fn exists(&self) -> Error {
        let message = format!("there is a plan file '{}' already", self.path);
        Error::new(ErrorCode::AlreadyExists, message)
            .help("remove it, write IF NOT EXISTS, or set 'table.plan.force-recompile' to true")
    }
}

/// The job of a stored plan.
///
/// # Errors
/// `CORRUPT` if it is none, `INCOMPATIBLE` if a newer release wrote it.
pub fn stored_job(text: &str, settings: Settings) -> Result<JobPlan> {
    let graph = encoding::decode(text)?;
    let inserts = inserts(&graph);
    Ok(JobPlan { graph, inserts, query: None, settings })
}

/// Names of the inserts of a plan, in its order.
fn inserts(graph: &StreamGraph) -> Vec<String> {
    let sinks = graph.nodes.iter().filter_map(|node| match &node.operator {
        Operator::Sink(sink) => Some(sink.insert.clone()),
        _ => None,
    });
    sinks.collect()
}
