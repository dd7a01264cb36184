//! `tidegate job`.

use std::path::Path;
use std::time::Duration;

use tidegate_proto::v1 as api;
use tidegate_types::{Error, ErrorCode, Result};

use super::connection::{Connection, answer};
use super::output::{id, json, lines, table, time};
use super::{logs, state as job_state};
use crate::args::{JobCommand, OutputFormat, Start, Submit};
use crate::run::{read_script, substitute};

/// Time between two looks at a job.
const WATCH: Duration = Duration::from_secs(1);

/// Runs a command.
///
/// # Errors
/// What the cluster says.
pub(super) async fn run(connection: &mut Connection, command: JobCommand) -> Result<()> {
    match command {
        JobCommand::Submit(submit) => self::submit(connection, submit).await,
        JobCommand::List => list(connection).await,
        JobCommand::Describe { name } => describe(connection, &name).await,
        JobCommand::Start(start) => self::start(connection, start).await,
        JobCommand::Versions { name } => versions(connection, &name).await,
        JobCommand::Release { name, version, reason } => {
            release(connection, &name, version, reason).await
        }
        JobCommand::Check(check) => job_state::check(connection, check).await,
        JobCommand::Stop { name, savepoint } => {
            let request = api::StopJobRequest {
                name: connection.job_name(&name),
                savepoint_id: savepoint.unwrap_or_default(),
                request_id: String::new(),
            };
            let operation = answer(connection.jobs().stop_job(request).await)?;
            done(connection, operation, "stopped").await
        }
        JobCommand::Cancel { name } => {
            let name = connection.job_name(&name);
            let request = api::CancelJobRequest { name, request_id: String::new() };
            let operation = answer(connection.jobs().cancel_job(request).await)?;
            done(connection, operation, "cancelled").await
        }
        JobCommand::Rescale { name, parallelism } => {
            let name = connection.job_name(&name);
            let request = api::RescaleJobRequest { name, parallelism, request_id: String::new() };
            let operation = answer(connection.jobs().rescale_job(request).await)?;
            done(connection, operation, "running at its new parallelism").await
        }
        JobCommand::Delete { name, force } => {
            let name = connection.job_name(&name);
            let etag = String::new();
            let request = api::DeleteJobRequest { name, etag, force, request_id: String::new() };
            answer(connection.jobs().delete_job(request).await).map(drop)
        }
        JobCommand::Logs { name, follow, lines } => {
            logs::show(connection, &name, follow, lines).await
        }
        JobCommand::Metrics { name } => metrics(connection, &name).await,
        JobCommand::Watch { name } => watch(connection, &name).await,
    }
}

async fn submit(connection: &mut Connection, submit: Submit) -> Result<()> {
    let sql = substitute(&read_script(&submit.file)?, &submit.variables)?;
    let job_id = match submit.name {
        Some(name) => name,
        None => stem(&submit.file)?,
    };
    let request = api::SubmitJobRequest {
        parent: connection.parent.clone(),
        job_id,
        sql,
        settings: submit.settings.into_iter().collect(),
        parallelism: submit.parallelism.unwrap_or(0),
        priority: api::Priority::from(submit.priority).into(),
        labels: submit.labels.into_iter().collect(),
        validate_only: submit.validate_only,
        environment: api::Environment::from(submit.environment).into(),
        request_id: String::new(),
    };
    if submit.no_start {
        return keep(connection, request).await;
    }
    let submitted = answer(connection.jobs().submit_job(request).await)?;
    match submitted.operation.clone() {
        Some(operation) => done(connection, operation, "running").await,
        None if connection.format == OutputFormat::Json => json(&submitted),
        None => lines("the script can be run"),
    }
}

/// Adds a version to a job, which is made if it does not exist.
async fn keep(connection: &mut Connection, submit: api::SubmitJobRequest) -> Result<()> {
    let name = connection.job_name(&submit.job_id);
    let job = api::Job { priority: submit.priority, labels: submit.labels, ..api::Job::default() };
    let create = api::CreateJobRequest {
        parent: submit.parent,
        job_id: submit.job_id,
        job: Some(job),
        request_id: String::new(),
    };
    match answer(connection.jobs().create_job(create).await) {
        Err(error) if error.code() == ErrorCode::AlreadyExists => {}
        created => drop(created?),
    }
    let create = api::CreateVersionRequest {
        parent: name,
        sql: submit.sql,
        settings: submit.settings,
        parallelism: submit.parallelism,
        validate_only: false,
        request_id: String::new(),
        environment: submit.environment,
    };
    let version = answer(connection.jobs().create_version(create).await)?;
    match connection.format {
        OutputFormat::Json => json(&version),
        OutputFormat::Table => lines(&format!("{} is kept", version.name)),
    }
}

async fn versions(connection: &mut Connection, name: &str) -> Result<()> {
    let mut all = api::ListVersionsResponse::default();
    loop {
        let request = api::ListVersionsRequest {
            parent: connection.job_name(name),
            page_size: 1_000,
            page_token: std::mem::take(&mut all.next_page_token),
        };
        let page = answer(connection.jobs().list_versions(request).await)?;
        all.versions.extend(page.versions);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    if connection.format == OutputFormat::Json {
        return json(&all);
    }
    let row = |version: &api::Version| {
        let release = match version.release_approval.as_str() {
            "" => "-".to_owned(),
            approval => id(approval),
        };
        let number = id(&version.name);
        vec![number, version.parallelism.to_string(), time(version.create_time.as_ref()), release]
    };
    let rows: Vec<_> = all.versions.iter().map(row).collect();
    let names = ["VERSION", "PARALLELISM", "CREATED", "RELEASED BY APPROVAL"];
    lines(&table(&names, &rows, "the job has no versions; `tidegate job submit` makes one"))
}

async fn release(
    connection: &mut Connection,
    name: &str,
    version: Option<u64>,
    reason: String,
) -> Result<()> {
    let number = match version {
        Some(number) => number,
        None => job(connection, name).await?.latest_version,
    };
    let request = api::ReleaseVersionRequest {
        name: format!("{}/versions/{number}", connection.job_name(name)),
        reason,
        request_id: String::new(),
    };
    let approval = answer(connection.jobs().release_version(request).await)?;
    match connection.format {
        OutputFormat::Json => json(&approval),
        OutputFormat::Table => {
            lines(&format!("{}: {} decides", approval.name, approval.decider_role))
        }
    }
}

fn stem(file: &Path) -> Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).filter(|stem| *stem != "-");
    stem.map(|stem| stem.to_ascii_lowercase().replace('_', "-")).ok_or_else(|| {
        Error::new(ErrorCode::InvalidOption, "the job has no name").help("give it one: --name NAME")
    })
}

async fn start(connection: &mut Connection, start: Start) -> Result<()> {
    use api::start_job_request::From;
    let name = connection.job_name(&start.name);
    let from = match (start.latest_checkpoint, start.from_savepoint, start.from_path) {
        (true, _, _) => Some(From::LatestCheckpoint(true)),
        (_, Some(savepoint), _) if savepoint.contains('/') => Some(From::Savepoint(savepoint)),
        (_, Some(savepoint), _) => Some(From::Savepoint(format!("{name}/savepoints/{savepoint}"))),
        (_, _, Some(path)) => Some(From::Path(path)),
        _ => None,
    };
    let request = api::StartJobRequest {
        name,
        environment: api::Environment::from(start.environment).into(),
        version: start.version.unwrap_or(0),
        parallelism: start.parallelism.unwrap_or(0),
        request_id: String::new(),
        from,
    };
    let operation = answer(connection.jobs().start_job(request).await)?;
    done(connection, operation, "running").await
}

/// Waits for an operation and says how it went.
async fn done(connection: &Connection, operation: api::Operation, what: &str) -> Result<()> {
    let operation = connection.finish(operation).await?;
    match connection.format {
        OutputFormat::Json => json(&operation),
        OutputFormat::Table if operation.done => lines(&format!("{} is {what}", operation.target)),
        OutputFormat::Table => {
            lines(&format!("{} goes on as {}", operation.target, operation.name))
        }
    }
}

async fn list(connection: &mut Connection) -> Result<()> {
    let mut all = api::ListJobsResponse::default();
    loop {
        let request = api::ListJobsRequest {
            parent: connection.parent.clone(),
            page_size: 1_000,
            page_token: std::mem::take(&mut all.next_page_token),
        };
        let page = answer(connection.jobs().list_jobs(request).await)?;
        all.jobs.extend(page.jobs);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    if connection.format == OutputFormat::Json {
        return json(&all);
    }
    let row = |job: &api::Job| {
        let run = job.latest_run.as_ref();
        vec![
            id(&job.name),
            run.map_or("-".to_owned(), state),
            run.map_or(0, |run| run.version).to_string(),
            run.map_or(0, |run| run.parallelism).to_string(),
            run.map_or(0, |run| run.restarts).to_string(),
            time(run.and_then(|run| run.start_time.as_ref())),
        ]
    };
    let rows: Vec<_> = all.jobs.iter().map(row).collect();
    let names = ["NAME", "STATE", "VERSION", "PARALLELISM", "RESTARTS", "STARTED"];
    let empty = "there are no jobs; `tidegate job submit FILE.sql --name NAME` makes one";
    lines(&table(&names, &rows, empty))
}

fn state(run: &api::Run) -> String {
    run.state().as_str_name().to_ascii_lowercase()
}

async fn job(connection: &Connection, name: &str) -> Result<api::Job> {
    let request = api::GetJobRequest { name: connection.job_name(name) };
    answer(connection.jobs().get_job(request).await)
}

async fn describe(connection: &mut Connection, name: &str) -> Result<()> {
    let job = job(connection, name).await?;
    if connection.format == OutputFormat::Json {
        return json(&job);
    }
    let mut rows = vec![
        ("name", job.name.clone()),
        ("priority", job.priority().as_str_name().trim_start_matches("PRIORITY_").to_lowercase()),
        ("created", time(job.create_time.as_ref())),
        ("latest version", job.latest_version.to_string()),
    ];
    if let Some(run) = &job.latest_run {
        rows.extend([
            ("run", id(&run.name)),
            ("state", state(run)),
            ("version", run.version.to_string()),
            ("parallelism", run.parallelism.to_string()),
            ("attempt", run.attempt.to_string()),
            ("started", time(run.start_time.as_ref())),
            ("ended", time(run.end_time.as_ref())),
        ]);
        if run.environment() != api::Environment::Unspecified {
            rows.push(("environment", run.environment().as_str_name().to_lowercase()));
        }
        if !run.missing_grant.is_empty() {
            rows.push(("missing", run.missing_grant.clone()));
        }
        if !run.waiting.is_empty() {
            rows.push(("waiting", run.waiting.clone()));
        }
        if let Some(checkpoint) = &run.latest_checkpoint {
            rows.push(("checkpoint", format!("{} ({})", checkpoint.number, checkpoint.manifest)));
        }
        if let Some(failure) = &run.last_failure {
            rows.push(("last failure", format!("[{}] {}", failure.code, failure.message)));
        }
    }
    let text: Vec<String> = rows.iter().map(|(key, value)| format!("{key:<16}{value}")).collect();
    lines(&text.join("\n"))
}

async fn job_metrics(connection: &Connection, name: &str) -> Result<api::JobMetrics> {
    let request = api::GetJobMetricsRequest { name: connection.job_name(name) };
    answer(connection.jobs().get_job_metrics(request).await)
}

async fn metrics(connection: &mut Connection, name: &str) -> Result<()> {
    let metrics = job_metrics(connection, name).await?;
    match connection.format {
        OutputFormat::Json => json(&metrics),
        OutputFormat::Table => lines(&operators(&metrics, None)),
    }
}

/// A line per operator, with rates where an earlier look is given.
fn operators(metrics: &api::JobMetrics, before: Option<(&api::JobMetrics, f64)>) -> String {
    let row = |now: &api::OperatorMetrics| {
        let then = before.and_then(|(before, seconds)| {
            let then = before.operators.iter().find(|then| then.node == now.node)?;
            Some(now.records_in.saturating_sub(then.records_in) as f64 / seconds)
        });
        vec![
            now.operator.clone(),
            now.subtasks.to_string(),
            now.records_in.to_string(),
            now.records_out.to_string(),
            then.map_or("-".to_owned(), |rate| format!("{rate:.0}")),
            now.late_records.to_string(),
            time(now.watermark.as_ref()),
            format!("{:.1}", now.state_bytes.max(0) as f64 / 1e6),
            format!("{:.0} %", now.busy * 100.0),
            format!("{:.0} %", now.backpressured * 100.0),
        ]
    };
    let rows: Vec<_> = metrics.operators.iter().map(row).collect();
    let names = [
        "OPERATOR",
        "SUBTASKS",
        "IN",
        "OUT",
        "IN/S",
        "LATE",
        "WATERMARK",
        "STATE MB",
        "BUSY",
        "BACKPRESSURED",
    ];
    table(&names, &rows, "the job does not run, or its workers have not reported yet")
}

/// Shows the operators of a job, again and again, until it is over.
async fn watch(connection: &mut Connection, name: &str) -> Result<()> {
    let mut before: Option<api::JobMetrics> = None;
    loop {
        let shown = job(connection, name).await?;
        let metrics = job_metrics(connection, name).await?;
        let run = shown.latest_run.as_ref();
        if connection.format == OutputFormat::Json {
            json(&metrics)?;
        } else {
            let rates = before.as_ref().map(|before| (before, WATCH.as_secs_f64()));
            let head = run.map_or("no run".to_owned(), |run| {
                let checkpoint = run.latest_checkpoint.as_ref();
                let checkpoint = checkpoint.map_or(0, |checkpoint| checkpoint.number);
                let waiting = match run.waiting.as_str() {
                    "" => String::new(),
                    waiting => format!(", waiting {waiting}"),
                };
                let (state, attempt) = (state(run), run.attempt);
                format!("{state}, attempt {attempt}, checkpoint {checkpoint}{waiting}")
            });
            // Clears the screen of a terminal.
            lines(&format!(
                "\x1b[2J\x1b[H{}: {head}\n\n{}",
                shown.name,
                operators(&metrics, rates)
            ))?;
        }
        if run.is_none_or(|run| run.end_time.is_some()) {
            return Ok(());
        }
        before = Some(metrics);
        tokio::time::sleep(WATCH).await;
    }
}
