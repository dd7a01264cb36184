//! What would become of a job's state in another version of it.

use tidegate_catalog::{Environment, JobName, VersionSpec};
use tidegate_checkpoint::Directory;
use tidegate_checkpoint::finding::{RestoreFrom, find};
use tidegate_job_control::{Compatibility, Fate};
use tidegate_plan::encoding;
use tidegate_proto::v1 as api;
use tidegate_types::{CompletedCheckpoint, Error, ErrorCode, JobId, Result};

use crate::jobs::planning::plan;
use crate::service::api::{Api, unknown};

impl Api {
    /// Compares a version, or a script, with what it would go on from.
    pub(super) async fn check_state(
        &self,
        request: api::CheckStateRequest,
    ) -> Result<api::CheckStateResponse> {
        let name: JobName = request.name.parse()?;
        let spec = match request.sql.as_str() {
            "" => self.version_spec(&name, request.version).await?,
            sql => {
                let place = self.place(name.project(), Environment::Design).await?;
                plan(sql.to_owned(), request.settings.into_iter().collect(), None, place).await?
            }
        };
        let checkpoint = self.origin_of(&name, request.from).await?;
        let storage = Directory::open(&checkpoint.folder)?.storage();
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        let report = Compatibility::of(&manifest, &encoding::decode(&spec.plan)?);
        let may_drop = spec
            .settings
            .get("execution.state-recovery.ignore-unclaimed-state")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let what = format!("checkpoint {} of job {}", manifest.epoch, manifest.job);
        let verdict = report.check(&what, may_drop);
        Ok(api::CheckStateResponse {
            fits: verdict.is_ok(),
            reason: verdict.err().map(|error| error.to_string()).unwrap_or_default(),
            operators: report.operators.into_iter().map(fate).collect(),
        })
    }

    async fn version_spec(&self, job: &JobName, number: u64) -> Result<VersionSpec> {
        self.read(|catalog| {
            let number = match number {
                0 => catalog.job(job).ok_or_else(|| unknown(job))?.last_version,
                number => number,
            };
            let name = job.version(number);
            let version = catalog.version(&name).ok_or_else(|| unknown(&name))?;
            Ok(version.spec.clone())
        })
        .await
    }

    async fn origin_of(
        &self,
        job: &JobName,
        from: Option<api::check_state_request::From>,
    ) -> Result<CompletedCheckpoint> {
        use api::check_state_request::From;
        let nothing = |what: String| Err(Error::new(ErrorCode::NotFound, what));
        let path = match from {
            None => {
                let latest = self.read(|catalog| {
                    catalog.job(job).ok_or_else(|| unknown(job))?;
                    Ok(catalog.latest_checkpoint(job).map(|(_, checkpoint)| checkpoint.clone()))
                });
                let Some(latest) = latest.await? else {
                    return nothing(format!("{job} has completed no checkpoint"));
                };
                return Ok(latest);
            }
            Some(From::Path(path)) => path,
            Some(From::Savepoint(name)) => {
                let name = name.parse()?;
                self.read(|catalog| {
                    let savepoint = catalog.savepoint(&name).ok_or_else(|| unknown(&name))?;
                    let missing =
                        || Error::new(ErrorCode::NotFound, format!("{name} has no files"));
                    savepoint.location.clone().ok_or_else(missing)
                })
                .await?
            }
        };
        let id = JobId::from_name(&format!("{}-{}", job.project(), job.job()));
        match find(&path, &id).await? {
            RestoreFrom::Checkpoints(found) if !found.is_empty() => Ok(found[0].clone()),
            _ => nothing(format!("no checkpoint was ever completed at {path}")),
        }
    }
}

fn fate(operator: tidegate_job_control::OperatorFate) -> api::OperatorFate {
    use api::operator_fate::Fate as Wire;
    let fate = match operator.fate {
        Fate::Kept => Wire::Kept,
        Fate::New => Wire::New,
        Fate::Dropped => Wire::Dropped,
        Fate::Incompatible => Wire::Incompatible,
    };
    api::OperatorFate {
        id: operator.id.to_string(),
        name: operator.name,
        fate: fate.into(),
        state_bytes: operator.state_bytes,
        reason: operator.reason,
    }
}
