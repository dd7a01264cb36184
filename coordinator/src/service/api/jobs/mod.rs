//! Jobs, their versions and their runs.

mod logs;
mod runs;
mod state;
mod versions;

use tidegate_catalog::{Action, JobName};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::job_service_client::JobServiceClient;
use tidegate_proto::v1::job_service_server::JobService;
use tidegate_types::Result;

use super::fields::{Mask, etag, missing, page, project, serve};
use super::{Api, convert, unknown};
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

    async fn get_job(&self, request: api::GetJobRequest) -> Result<api::Job> {
        self.job(&request.name.parse()?).await
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

    async fn delete_job(&self, request: api::DeleteJobRequest) -> Result<api::DeleteJobResponse> {
        let api::DeleteJobRequest { name, etag: seen, force, request_id } = request;
        let action = Action::DeleteJob { job: name.parse()?, etag: etag(&seen)?, force };
        self.apply(action, &request_id).await.map(|_| api::DeleteJobResponse {})
    }

    async fn metrics(&self, request: api::GetJobMetricsRequest) -> Result<api::JobMetrics> {
        let job: JobName = request.name.parse()?;
        Ok(api::JobMetrics { operators: totals(&self.pool.counters(&job.to_string())) })
    }
}

/// Fields of a job that can be changed.
const FIELDS: &[&str] = &["description", "labels", "priority"];

serve!(JobService {
    create_job(CreateJobRequest) -> Job;
    get_job(GetJobRequest) -> Job;
    list_jobs(ListJobsRequest) -> ListJobsResponse;
    update_job(UpdateJobRequest) -> Job;
    delete_job(DeleteJobRequest) -> DeleteJobResponse;
    create_version(CreateVersionRequest) -> Version;
    get_version(GetVersionRequest) -> Version;
    list_versions(ListVersionsRequest) -> ListVersionsResponse;
    release_version(ReleaseVersionRequest) -> Approval;
    submit_job(SubmitJobRequest) -> SubmitJobResponse;
    start_job(StartJobRequest) -> Operation;
    stop_job(StopJobRequest) -> Operation;
    cancel_job(CancelJobRequest) -> Operation;
    rescale_job(RescaleJobRequest) -> Operation;
    get_run(GetRunRequest) -> Run;
    list_runs(ListRunsRequest) -> ListRunsResponse;
    list_checkpoints(ListCheckpointsRequest) -> ListCheckpointsResponse;
    check_state(CheckStateRequest) -> CheckStateResponse;
} on the leader {
    get_job_log(GetJobLogRequest) -> JobLog by job_log, JobServiceClient;
    get_job_metrics(GetJobMetricsRequest) -> JobMetrics by metrics, JobServiceClient;
});
