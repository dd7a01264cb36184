//! `tidegate run --check`: what would become of the state in a checkpoint, without running anything.

use std::sync::{Arc, Mutex};

use tidegate_checkpoint::Directory;
use tidegate_checkpoint::finding::{RestoreFrom, find};
use tidegate_job_control::{Compatibility, Fate};
use tidegate_planner::Rows;
use tidegate_types::error::ResultExt;
use tidegate_types::{Error, ErrorCode, Result};

use super::execute::runtime;
use super::script::{NamedJob, Script, Step};
use crate::args::Run;
use crate::output::print_rows;

/// Compares the jobs of a script with the checkpoint that they would continue from, and prints a row
/// per operator with state.
///
/// # Errors
/// `NOT_FOUND` if there is no checkpoint; `INCOMPATIBLE` for the first job that could not go on from it.
pub(super) fn check(arguments: &Run, script: Script) -> Result<()> {
    let Some(path) = &arguments.restore else {
        let jobs = script.steps.iter().filter(|step| !matches!(step, Step::Print(_))).count();
        eprintln!(
            "the script is fine: {jobs} jobs; name a checkpoint with --restore to compare state"
        );
        return Ok(());
    };
    let jobs = script.steps.into_iter().filter_map(|step| match step {
        Step::Insert(job) | Step::Select(job) | Step::Analyze(job) => Some(job),
        Step::Print(_) => None,
    });
    let runtime = runtime("check", 1)?;
    let mut rows = Vec::new();
    let mut verdict = Ok(());
    for job in jobs {
        let (what, report) = runtime.block_on(compare(path, &job))?;
        let may_drop = job.plan.settings.boolean("execution.state-recovery.ignore-unclaimed-state");
        rows.extend(report.operators.iter().map(|operator| {
            vec![
                job.id.to_string(),
                operator.name.clone(),
                operator.id.to_string(),
                word(operator.fate).to_owned(),
                operator.state_bytes.to_string(),
                operator.reason.clone(),
            ]
        }));
        verdict = verdict.and(report.check(&what, may_drop).context(|| format!("job {}", job.id)));
    }
    let columns = ["job", "operator", "id", "state", "bytes", "reason"].map(str::to_owned).to_vec();
    let stdout: tidegate_connectors::PrintTarget =
        Arc::new(Mutex::new(Box::new(std::io::stdout())));
    print_rows(&stdout, &Rows { columns, rows }, arguments.format)?;
    verdict
}

/// The checkpoint's name for messages, and how the job fits it.
async fn compare(path: &str, job: &NamedJob) -> Result<(String, Compatibility)> {
    let found = find(path, &job.id).await.context(|| "restore")?;
    let RestoreFrom::Checkpoints(checkpoints) = found else {
        let message = format!("no checkpoint of job {} was ever completed at {path}", job.id);
        return Err(Error::new(ErrorCode::NotFound, message));
    };
    let Some(newest) = checkpoints.first() else {
        return Err(Error::internal("found no checkpoint among those that were found"));
    };
    let storage = Directory::open(&newest.folder)?.storage();
    let manifest = storage.read_manifest(&newest.manifest).await?;
    let what = format!("checkpoint {} of job {}", manifest.epoch, manifest.job);
    Ok((what, Compatibility::of(&manifest, &job.plan.graph)))
}

/// How a fate is printed.
fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Kept => "kept",
        Fate::New => "new",
        Fate::Dropped => "dropped",
        Fate::Incompatible => "incompatible",
    }
}
