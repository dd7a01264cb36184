//! Jobs, versions and runs.

use std::time::SystemTime;

use async_trait::async_trait;
use tidegate_catalog::{
    Action, Catalog, JobName, OperationKind, ResourceName, RestoreOrigin, Run, RunName,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::job_service_client::JobServiceClient;
use tidegate_proto::v1::job_service_server::JobService;
use tidegate_runtime::telemetry::trace;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::{Request, Response, Status};

use super::fields::{Mask, etag, missing, page, project};
use super::{Api, answer, convert, passed_on, unknown};
use crate::jobs::planning::plan;
use crate::jobs::traces;
use crate::service::workers::totals;

impl Api {
    async fn create_job(&self, request: api::CreateJobRequest) -> Result<api::Job> {
        let name = JobName::new(project(&request.parent)?, request.job_id)?;
        let job = request.job.unwrap_or_default();
        let priority = convert::priority(job.priority());
        let (description, labels) = (job.description, job.labels.into_iter().collect());
        let action = Action::CreateJob { job: name.clone(), description, labels, priority };
        self.apply(action, &request.request_id).await?;
        self.job(&name).await
    }

    async fn job(&self, name: &JobName) -> Result<api::Job> {
        self.read(|catalog| {
            catalog.job(name).map(|job| convert::job(catalog, job)).ok_or_else(|| unknown(name))
        })
        .await
    }

    async fn list_jobs(&self, request: api::ListJobsRequest) -> Result<api::ListJobsResponse> {
        let project = project(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_jobs(&project, &page)?;
            Ok(api::ListJobsResponse {
                jobs: found.items.iter().map(|job| convert::job(catalog, job)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_job(&self, request: api::UpdateJobRequest) -> Result<api::Job> {
        let job = request.job.ok_or_else(|| missing("job"))?;
        let name: JobName = job.name.parse()?;
        let mask = Mask::new(request.update_mask, FIELDS)?;
        let priority = convert::priority(job.priority());
        let action = Action::UpdateJob {
            job: name.clone(),
            etag: etag(&job.etag)?,
            description: mask.has("description").then_some(job.description),
            labels: mask.has("labels").then(|| job.labels.into_iter().collect()),
            priority: mask.has("priority").then_some(priority),
        };
        self.apply(action, &request.request_id).await?;
        self.job(&name).await
    }

    async fn create_version(&self, request: api::CreateVersionRequest) -> Result<api::Version> {
        let job: JobName = request.parent.parse()?;
        let parallelism = Some(request.parallelism).filter(|number| *number > 0);
        let settings = request.settings.into_iter().collect();
        let spec = plan(request.sql.clone(), settings, parallelism).await?;
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

    async fn submit(&self, request: api::SubmitJobRequest) -> Result<api::SubmitJobResponse> {
        let name = JobName::new(project(&request.parent)?, request.job_id.clone())?;
        let priority = convert::priority(request.priority());
        let parallelism = Some(request.parallelism).filter(|number| *number > 0);
        let settings = request.settings.into_iter().collect();
        let begin = trace::now();
        let spec = plan(request.sql.clone(), settings, parallelism).await?;
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
            environment: None,
            account: None,
        };
        let started = self.apply(start, &id("run")).await?;
        self.trace_call("submit", &started.name, begin, &[("plan", begin, planned)]).await;
        let operation = self.operate(OperationKind::StartRun, started.name).await?;
        Ok(api::SubmitJobResponse { version: Some(version), operation: Some(operation) })
    }

    async fn start(&self, request: api::StartJobRequest) -> Result<api::Operation> {
        use api::start_job_request::From;
        let origin = match request.from {
            None | Some(From::LatestCheckpoint(false)) => RestoreOrigin::Fresh,
            Some(From::LatestCheckpoint(true)) => RestoreOrigin::LatestCheckpoint,
            Some(From::Savepoint(name)) => RestoreOrigin::Savepoint(name.parse()?),
            Some(From::Path(path)) => RestoreOrigin::Path(path),
        };
        let action = Action::StartRun {
            job: request.name.parse()?,
            version: Some(request.version).filter(|number| *number > 0),
            parallelism: Some(request.parallelism).filter(|number| *number > 0),
            origin,
            environment: None,
            account: None,
        };
        let begin = trace::now();
        let started = self.apply(action, &request.request_id).await?;
        self.trace_call("start job", &started.name, begin, &[]).await;
        self.operate(OperationKind::StartRun, started.name).await
    }

    /// Tells the span of a call that has asked for a run.
    async fn trace_call(
        &self,
        name: &'static str,
        run: &ResourceName,
        begin: SystemTime,
        parts: &[(&'static str, SystemTime, SystemTime)],
    ) {
        let ResourceName::Run(run) = run else { return };
        if !trace::enabled() {
            return;
        }
        let created = |catalog: &Catalog| catalog.run(run).map(|run| run.created_ms);
        // Without it there is no trace to add to.
        if let Ok(Some(created_ms)) = self.read(|catalog| Ok(created(catalog))).await {
            traces::call(name, &run.to_string(), created_ms, begin, parts);
        }
    }

    async fn stop(&self, request: api::StopJobRequest) -> Result<api::Operation> {
        let run = self.live_run(&request.name, &request.request_id).await?;
        let savepoint = self.id_or_new(&request.savepoint_id, &request.request_id, "savepoint");
        let action =
            Action::RequestStop { run: run.clone(), savepoint, location: None, drain: false };
        self.apply(action, &request.request_id).await?;
        self.operate(OperationKind::StopRun, run.into()).await
    }

    async fn cancel(&self, request: api::CancelJobRequest) -> Result<api::Operation> {
        let run = self.live_run(&request.name, &request.request_id).await?;
        self.apply(Action::RequestCancel { run: run.clone() }, &request.request_id).await?;
        self.operate(OperationKind::CancelRun, run.into()).await
    }

    async fn rescale(&self, request: api::RescaleJobRequest) -> Result<api::Operation> {
        let run = self.live_run(&request.name, &request.request_id).await?;
        let parallelism = request.parallelism;
        let action = Action::RescaleRun { run: run.clone(), parallelism };
        self.apply(action, &request.request_id).await?;
        self.operate(OperationKind::RescaleRun, run.into()).await
    }

    /// The run of a job that is not over. For a call that may be a repetition (it has a `request_id`) the last one: the
    /// call may have ended it, and the catalog knows what it answered then.
    pub(super) async fn live_run(&self, job: &str, request_id: &str) -> Result<RunName> {
        let job: JobName = job.parse()?;
        self.read(|catalog| {
            catalog.job(&job).ok_or_else(|| unknown(&job))?;
            let counts = |run: &&Run| !run.state.is_terminal() || !request_id.is_empty();
            let last = catalog.last_run(&job).filter(counts);
            last.map(|run| run.name.clone()).ok_or_else(|| {
                let message = format!("{job} does not run");
                Error::new(ErrorCode::FailedPrecondition, message)
            })
        })
        .await
    }

    async fn list_runs(&self, request: api::ListRunsRequest) -> Result<api::ListRunsResponse> {
        let job: JobName = request.parent.parse()?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_runs(&job, &page)?;
            Ok(api::ListRunsResponse {
                runs: found.items.iter().map(|run| convert::run(run)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn list_versions(
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

    async fn list_checkpoints(
        &self,
        request: api::ListCheckpointsRequest,
    ) -> Result<api::ListCheckpointsResponse> {
        let job: JobName = request.parent.parse()?;
        let of_job = |catalog: &Catalog| {
            catalog.job(&job).ok_or_else(|| unknown(&job))?;
            let record = catalog.last_run(&job).and_then(|run| run.record.as_ref());
            let known = record.map(|record| record.checkpoints.as_slice()).unwrap_or_default();
            let name = job.to_string();
            let checkpoints = known.iter().map(|one| convert::checkpoint(&name, one)).collect();
            Ok(api::ListCheckpointsResponse { checkpoints })
        };
        self.read(of_job).await
    }
}

/// Fields of a job that can be changed.
const FIELDS: &[&str] = &["description", "labels", "priority"];

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

#[async_trait]
impl JobService for Api {
    async fn create_job(
        &self,
        request: Request<api::CreateJobRequest>,
    ) -> Result<Response<api::Job>, Status> {
        answer(Self::create_job(self, request.into_inner()).await)
    }

    async fn get_job(
        &self,
        request: Request<api::GetJobRequest>,
    ) -> Result<Response<api::Job>, Status> {
        let found = async { self.job(&request.get_ref().name.parse()?).await };
        answer(found.await)
    }

    async fn list_jobs(
        &self,
        request: Request<api::ListJobsRequest>,
    ) -> Result<Response<api::ListJobsResponse>, Status> {
        answer(Self::list_jobs(self, request.into_inner()).await)
    }

    async fn update_job(
        &self,
        request: Request<api::UpdateJobRequest>,
    ) -> Result<Response<api::Job>, Status> {
        answer(Self::update_job(self, request.into_inner()).await)
    }

    async fn delete_job(
        &self,
        request: Request<api::DeleteJobRequest>,
    ) -> Result<Response<api::DeleteJobResponse>, Status> {
        let api::DeleteJobRequest { name, etag: seen, force, request_id } = request.into_inner();
        let deleted = async {
            let action = Action::DeleteJob { job: name.parse()?, etag: etag(&seen)?, force };
            self.apply(action, &request_id).await.map(|_| api::DeleteJobResponse {})
        };
        answer(deleted.await)
    }

    async fn create_version(
        &self,
        request: Request<api::CreateVersionRequest>,
    ) -> Result<Response<api::Version>, Status> {
        answer(Self::create_version(self, request.into_inner()).await)
    }

    async fn get_version(
        &self,
        request: Request<api::GetVersionRequest>,
    ) -> Result<Response<api::Version>, Status> {
        let found = async { self.version(&request.get_ref().name.parse()?).await };
        answer(found.await)
    }

    async fn list_versions(
        &self,
        request: Request<api::ListVersionsRequest>,
    ) -> Result<Response<api::ListVersionsResponse>, Status> {
        answer(Self::list_versions(self, request.into_inner()).await)
    }

    async fn submit_job(
        &self,
        request: Request<api::SubmitJobRequest>,
    ) -> Result<Response<api::SubmitJobResponse>, Status> {
        answer(self.submit(request.into_inner()).await)
    }

    async fn start_job(
        &self,
        request: Request<api::StartJobRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(self.start(request.into_inner()).await)
    }

    async fn stop_job(
        &self,
        request: Request<api::StopJobRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(self.stop(request.into_inner()).await)
    }

    async fn cancel_job(
        &self,
        request: Request<api::CancelJobRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(self.cancel(request.into_inner()).await)
    }

    async fn rescale_job(
        &self,
        request: Request<api::RescaleJobRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(self.rescale(request.into_inner()).await)
    }

    async fn get_run(
        &self,
        request: Request<api::GetRunRequest>,
    ) -> Result<Response<api::Run>, Status> {
        let found = async {
            let name: RunName = request.get_ref().name.parse()?;
            let run = |catalog: &Catalog| catalog.run(&name).map(convert::run);
            self.read(|catalog| run(catalog).ok_or_else(|| unknown(&name))).await
        };
        answer(found.await)
    }

    async fn list_runs(
        &self,
        request: Request<api::ListRunsRequest>,
    ) -> Result<Response<api::ListRunsResponse>, Status> {
        answer(Self::list_runs(self, request.into_inner()).await)
    }

    async fn list_checkpoints(
        &self,
        request: Request<api::ListCheckpointsRequest>,
    ) -> Result<Response<api::ListCheckpointsResponse>, Status> {
        answer(Self::list_checkpoints(self, request.into_inner()).await)
    }

    async fn check_state(
        &self,
        request: Request<api::CheckStateRequest>,
    ) -> Result<Response<api::CheckStateResponse>, Status> {
        answer(Self::check_state(self, request.into_inner()).await)
    }

    async fn get_job_log(
        &self,
        request: Request<api::GetJobLogRequest>,
    ) -> Result<Response<api::JobLog>, Status> {
        match self.leader(request.metadata()) {
            Ok(None) => answer(self.job_log(request.into_inner()).await),
            Ok(Some(leader)) => {
                let mut client = JobServiceClient::new(leader);
                client.get_job_log(passed_on(request)).await
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn get_job_metrics(
        &self,
        request: Request<api::GetJobMetricsRequest>,
    ) -> Result<Response<api::JobMetrics>, Status> {
        match self.leader(request.metadata()) {
            Ok(None) => {}
            Ok(Some(leader)) => {
                let mut client = JobServiceClient::new(leader);
                return client.get_job_metrics(passed_on(request)).await;
            }
            Err(error) => return answer(Err(error)),
        }
        let name = request.into_inner().name;
        let metrics = async {
            let job: JobName = name.parse()?;
            Ok(api::JobMetrics { operators: totals(&self.pool.counters(&job.to_string())) })
        };
        answer(metrics.await)
    }
}
