//! Scripts become versions of jobs.

use std::sync::Arc;

use tidegate_catalog::{
    Action, Environment, JobName, OperationKind, ResourceName, RestoreOrigin, VersionName,
};
use tidegate_proto::v1 as api;
use tidegate_runtime::telemetry::trace;
use tidegate_types::{Error, ErrorCode, Result};

use crate::governance::tables::{Asking, GrantedTables};
use crate::jobs::planning::{Place, plan};
use crate::service::api::approvals::stored;
use crate::service::api::fields::{page, project};
use crate::service::api::{Api, convert, unknown};
use crate::service::call::{caller_name, signed_in};

impl Api {
    pub(super) async fn create_version(
        &self,
        request: api::CreateVersionRequest,
    ) -> Result<api::Version> {
        let job: JobName = request.parent.parse()?;
        let parallelism = Some(request.parallelism).filter(|number| *number > 0);
        let environment = stored(request.environment()).unwrap_or(Environment::Design);
        let settings = request.settings.into_iter().collect();
        let place = self.place(job.project(), environment).await?;
        let spec = plan(request.sql.clone(), settings, parallelism, place).await?;
        if request.validate_only {
            return Ok(preview(&job, spec));
        }
        let action = Action::CreateVersion { job, spec };
        let created = self.apply(action, &request.request_id).await?;
        self.version(&created.name).await
    }

    async fn version(&self, name: &ResourceName) -> Result<api::Version> {
        let ResourceName::Version(name) = name else {
            return Err(Error::internal("a version has another kind of name"));
        };
        self.read(|catalog| {
            let version = catalog.version(name).ok_or_else(|| unknown(name))?;
            Ok(convert::version(version))
        })
        .await
    }

    pub(super) async fn get_version(
        &self,
        request: api::GetVersionRequest,
    ) -> Result<api::Version> {
        let name: VersionName = request.name.parse()?;
        self.version(&name.into()).await
    }

    /// Asks for the approval of a version for production.
    pub(super) async fn release_version(
        &self,
        request: api::ReleaseVersionRequest,
    ) -> Result<api::Approval> {
        let release = Action::RequestRelease {
            version: request.name.parse()?,
            requester: caller_name(),
            reason: request.reason,
        };
        let asked = self.apply(release, &request.request_id).await?;
        let ResourceName::Child(name) = asked.name else {
            return Err(Error::internal("an approval has another kind of name"));
        };
        self.approval(&name).await
    }

    pub(super) async fn submit_job(
        &self,
        request: api::SubmitJobRequest,
    ) -> Result<api::SubmitJobResponse> {
        let name = JobName::new(project(&request.parent)?, request.job_id.clone())?;
        let priority = convert::priority(request.priority());
        let parallelism = Some(request.parallelism).filter(|number| *number > 0);
        let environment = stored(request.environment()).unwrap_or(Environment::Design);
        let settings = request.settings.into_iter().collect();
        let begin = trace::now();
        let place = self.place(name.project(), environment).await?;
        let spec = plan(request.sql.clone(), settings, parallelism, place).await?;
        let planned = trace::now();
        if request.validate_only {
            let version = Some(preview(&name, spec));
            return Ok(api::SubmitJobResponse { version, operation: None });
        }
        let id = |step: &str| match request.request_id.as_str() {
            "" => String::new(),
            id => format!("{id}/{step}"),
        };
        let labels = request.labels.into_iter().collect();
        let (job, description) = (name.clone(), String::new());
        let create = Action::CreateJob { job, description, labels, priority };
        match self.attempt(create, &id("job")).await {
            Err(error) if error.code() == ErrorCode::AlreadyExists => {}
            created => drop(created?),
        }
        let create = Action::CreateVersion { job: name.clone(), spec };
        let created = self.apply(create, &id("version")).await?;
        let version = self.version(&created.name).await?;
        let number = match &created.name {
            ResourceName::Version(version) => version.number,
            _ => return Err(Error::internal("a version has another kind of name")),
        };
        let start = Action::StartRun {
            job: name,
            version: Some(number),
            parallelism: None,
            origin: RestoreOrigin::Fresh,
            environment: Some(environment),
            account: signed_in().ok().map(|of| of.account),
        };
        let started = self.apply(start, &id("run")).await?;
        self.trace_call("submit", &started.name, begin, &[("plan", begin, planned)]).await;
        let operation = self.operate(OperationKind::StartRun, started.name).await?;
        Ok(api::SubmitJobResponse { version: Some(version), operation: Some(operation) })
    }

    /// For whom the scripts of a project are planned.
    pub(super) async fn place(&self, project: &str, environment: Environment) -> Result<Place> {
        let (account, now_ms) = (signed_in().ok().map(|of| of.account), self.clock.now_ms());
        self.read(|catalog| {
            let found = catalog.project(project);
            // Without a project there are no tables, and its absence is said when the job is made.
            let inline_tables = found.is_none_or(|found| found.settings.inline_tables);
            let tables =
                GrantedTables::new(catalog, project, Asking::Job(account), environment, now_ms);
            Ok(Place { tables: Arc::new(tables), project: project.to_owned(), inline_tables })
        })
        .await
    }

    pub(super) async fn list_versions(
        &self,
        request: api::ListVersionsRequest,
    ) -> Result<api::ListVersionsResponse> {
        let job: JobName = request.parent.parse()?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_versions(&job, &page)?;
            Ok(api::ListVersionsResponse {
                versions: found.items.iter().map(|version| convert::version(version)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }
}

/// A version that is not kept.
fn preview(job: &JobName, spec: tidegate_catalog::VersionSpec) -> api::Version {
    api::Version {
        name: format!("{job}/versions/-"),
        sql: spec.sql,
        settings: spec.settings.into_iter().collect(),
        parallelism: spec.parallelism,
        ..api::Version::default()
    }
}
