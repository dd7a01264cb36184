//! The files of `COMPILE PLAN` and `EXECUTE PLAN`.

use std::io::Write;
use std::path::Path;

use tidegate_plan::encoding;
use tidegate_planner::JobPlan;
use tidegate_planner::plan_file::{Existing, PlanAction, PlanFile, stored_job};
use tidegate_types::error::ResultExt;
use tidegate_types::{Error, ErrorCode, Result};

/// Stores a plan, or reads one; returns what is to run.
///
/// # Errors
/// `ALREADY_EXISTS`, `NOT_FOUND`, `PERMISSION_DENIED`, `CORRUPT`, `INCOMPATIBLE`, with the path.
pub(super) fn apply(file: PlanFile) -> Result<Option<JobPlan>> {
    let path = Path::new(file.local_path()?);
    let (job, existing, execute) = match &file.action {
        PlanAction::Execute { settings } => {
            return stored_job(&read(path)?, settings.clone())
                .context(|| path.display().to_string())
                .map(Some);
        }
        PlanAction::Compile { job, existing, execute } => (job, *existing, *execute),
    };
    let there = path.try_exists().map_err(|error| unusable(path, &error))?;
    match existing {
        Existing::Refuse if there => return Err(file.exists()),
        Existing::Keep if there => tracing::info!(path = %path.display(), "the plan file stays"),
        _ => write(path, &encoding::encode(&job.graph)?)?,
    }
    if !execute {
        return Ok(None);
    }
    stored_job(&read(path)?, job.settings.clone()).context(|| path.display().to_string()).map(Some)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| unusable(path, &error))
}

/// Writes beside the path, then renames: whoever reads sees all of a plan or none.
fn write(path: &Path, text: &str) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let stored = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    stored.map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorCode::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
        _ => ErrorCode::InvalidOption,
    };
    Error::new(code, format!("plan file {}: {error}", path.display()))
}
