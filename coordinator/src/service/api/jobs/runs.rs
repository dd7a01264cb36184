//! Runs of jobs, and what they keep.

use std::time::SystemTime;

use tidegate_catalog::{
    Action, Catalog, Environment, JobName, OperationKind, ResourceName, RestoreOrigin, Run, RunName,
};
use tidegate_proto::v1 as api;
use tidegate_runtime::telemetry::trace;
use tidegate_types::{Error, ErrorCode, Result};

use crate::jobs::traces;
use crate::service::api::approvals::stored;
use crate::service::api::fields::page;
use crate::service::api::{Api, convert, unknown};
use crate::service::call::signed_in;

impl Api {
    pub(super) async fn start_job(&self, request: api::StartJobRequest) -> Result<api::Operation> {
        use api::start_job_request::From;
        let environment = stored(request.environment()).unwrap_or(Environment::Design);
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
            environment: Some(environment),
            account: signed_in().ok().map(|of| of.account),
        };
        let begin = trace::now();
        let started = self.apply(action, &request.request_id).await?;
        self.trace_call("start job", &started.name, begin, &[]).await;
        self.operate(OperationKind::StartRun, started.name).await
    }

    /// Tells the span of a call that has asked for a run.
    pub(super) async fn trace_call(
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

    pub(super) async fn stop_job(&self, request: api::StopJobRequest) -> Result<api::Operation> {
        let run = self.live_run(&request.name, &request.request_id).await?;
        let savepoint = self.id_or_new(&request.savepoint_id, &request.request_id, "savepoint");
        let action =
            Action::RequestStop { run: run.clone(), savepoint, location: None, drain: false };
        self.apply(action, &request.request_id).await?;
        self.operate(OperationKind::StopRun, run.into()).await
    }

    pub(super) async fn cancel_job(
        &self,
        request: api::CancelJobRequest,
    ) -> Result<api::Operation> {
        let run = self.live_run(&request.name, &request.request_id).await?;
        self.apply(Action::RequestCancel { run: run.clone() }, &request.request_id).await?;
        self.operate(OperationKind::CancelRun, run.into()).await
    }

    pub(super) async fn rescale_job(
        &self,
        request: api::RescaleJobRequest,
    ) -> Result<api::Operation> {
        let run = self.live_run(&request.name, &request.request_id).await?;
        let parallelism = request.parallelism;
        let action = Action::RescaleRun { run: run.clone(), parallelism };
        self.apply(action, &request.request_id).await?;
        self.operate(OperationKind::RescaleRun, run.into()).await
    }

    /// The run of a job that is not over. For a call that may be a repetition (it has a `request_id`) the last one: the
    /// call may have ended it, and the catalog knows what it answered then.
    pub(in crate::service::api) async fn live_run(
        &self,
        job: &str,
        request_id: &str,
    ) -> Result<RunName> {
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

    pub(super) async fn list_runs(
        &self,
        request: api::ListRunsRequest,
    ) -> Result<api::ListRunsResponse> {
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

    pub(super) async fn get_run(&self, request: api::GetRunRequest) -> Result<api::Run> {
        let name: RunName = request.name.parse()?;
        let run = |catalog: &Catalog| catalog.run(&name).map(convert::run);
        self.read(|catalog| run(catalog).ok_or_else(|| unknown(&name))).await
    }

    pub(super) async fn list_checkpoints(
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
