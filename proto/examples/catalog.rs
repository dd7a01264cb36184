//! Fills the catalog of a cluster with jobs and measures how long lists of them take: `catalog ADDRESS,… JOBS` prints one
//! line of JSON. `cargo xtask bench cluster` runs it.

#![allow(
    clippy::disallowed_methods,
    reason = "it measures time and has nothing that could be simulated"
)]

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use tidegate_proto::v1::job_service_client::JobServiceClient;
use tidegate_proto::v1::{CreateJobRequest, Job, ListJobsRequest};
use tonic::transport::{Channel, Endpoint};

/// Creations under way at once.
const AT_ONCE: usize = 64;
/// Jobs of a page.
const PAGE: i32 = 1_000;
/// Times that all pages are asked for.
const TIMES: usize = 20;
/// Bytes of a page at most.
const MESSAGE_BYTES: usize = 32 << 20;

type Client = JobServiceClient<Channel>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(addresses), Some(jobs)) = (arguments.next(), arguments.next()) else {
        return Err("usage: catalog ADDRESS,… JOBS".into());
    };
    let jobs: u64 = jobs.parse()?;
    let address = addresses.split(',').next().unwrap_or_default().to_owned();
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let client = JobServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
    let begin = Instant::now();
    create(&client, jobs).await?;
    let creations_per_second = jobs as f64 / begin.elapsed().as_secs_f64();
    let mut times = Vec::new();
    let mut known = 0;
    for _ in 0..TIMES {
        known = list(&client, &mut times).await?;
    }
    if known < jobs {
        return Err(format!("{known} jobs are listed, {jobs} were made").into());
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let report = serde_json::json!({
        "jobs": known, "page_size": PAGE, "lists": times.len(), "list_ms_p50": at(0.5), "list_ms_p99": at(0.99),
        "list_ms_max": at(1.0), "creations_per_second": creations_per_second,
    });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

async fn create(client: &Client, jobs: u64) -> Result<(), Box<dyn Error>> {
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..jobs {
        if under_way.len() >= AT_ONCE
            && let Some(done) = under_way.join_next().await
        {
            done??;
        }
        let mut client = client.clone();
        let job = Job { description: format!("job {number} of a full catalog"), ..Job::default() };
        let request = CreateJobRequest {
            parent: "projects/default".to_owned(),
            job_id: format!("filled-{number:06}"),
            job: Some(job),
            request_id: String::new(),
        };
        under_way.spawn(async move { client.create_job(request).await.map(drop) });
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(())
}

/// All pages; how many jobs there are.
async fn list(client: &Client, times: &mut Vec<f64>) -> Result<u64, Box<dyn Error>> {
    let (mut client, mut known, mut page_token) = (client.clone(), 0, String::new());
    loop {
        let parent = "projects/default".to_owned();
        let request = ListJobsRequest { parent, page_size: PAGE, page_token };
        let begin = Instant::now();
        let page = client.list_jobs(request).await?.into_inner();
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        known += page.jobs.len() as u64;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(known);
        }
    }
}
