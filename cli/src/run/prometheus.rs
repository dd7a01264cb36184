//! The metrics endpoint, in Prometheus' text format.

use std::fmt::Write;
use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tidegate_engine::metrics as names;
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tidegate_worker::OperatorEntry;

use super::live::Board;

type Sample = fn(&OperatorEntry) -> Option<f64>;

/// Name, kind, help and value of every metric of an operator instance.
const METRICS: &[(&str, &str, &str, Sample)] = &[
    (names::RECORDS_IN, "counter", "Rows received", |e| Some(e.metrics.records_in.get() as f64)),
    (names::RECORDS_OUT, "counter", "Rows emitted", |e| Some(e.metrics.records_out.get() as f64)),
    (names::LATE_RECORDS, "counter", "Rows dropped because their window had closed", |e| {
        Some(e.metrics.late_records.get() as f64)
    }),
    (names::BAD_RECORDS, "counter", "Records that could not be decoded and were skipped", |e| {
        e.source.as_ref().map(|source| source.bad_records.get() as f64)
    }),
    (names::BYTES, "counter", "Bytes read from or written to the outside system", |e| {
        let read = e.source.as_ref().map(|source| source.bytes.get() as f64);
        read.or_else(|| e.sink.as_ref().map(|sink| sink.bytes.get() as f64))
    }),
    (names::WATERMARK, "gauge", "Combined watermark, milliseconds since the epoch", |e| {
        Some(e.metrics.watermark.get() as f64)
    }),
    (names::STATE_BYTES, "gauge", "Bytes of keyed state at the last checkpoint", |e| {
        Some(e.metrics.state_bytes.get() as f64)
    }),
    (names::SPILLED_BYTES, "gauge", "Bytes of keyed state on local disk", |e| {
        Some(e.metrics.spilled_bytes.get() as f64)
    }),
    (names::SPILL_WRITTEN, "counter", "Bytes of keyed state written to local disk", |e| {
        Some(e.metrics.spill_written.get() as f64)
    }),
    (names::BUSY, "counter", "Time that the task computed", |e| Some(e.task.busy.get() as f64)),
    (names::BACKPRESSURED, "counter", "Time that the task waited for room in its outputs", |e| {
        Some(e.task.backpressured.get() as f64)
    }),
    (names::IDLE, "counter", "Time that the task waited for input", |e| {
        Some(e.task.idle.get() as f64)
    }),
];

/// Serves `/metrics` until the task is dropped.
///
/// # Errors
/// `UNAVAILABLE` if the address cannot be bound.
pub(crate) async fn serve(address: SocketAddr, board: Board) -> Result<Task<()>> {
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Error::new(ErrorCode::Unavailable, format!("listen on {address} for metrics: {error}"))
    })?;
    let page = move || {
        let text = render(&board);
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let router = Router::new().route("/metrics", get(page));
    Ok(spawn("metrics endpoint", async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "the metrics endpoint ended");
        }
    }))
}

fn render(board: &Board) -> String {
    let jobs: Vec<(String, Vec<OperatorEntry>, u64)> = board.with(|jobs| {
        let look = |job: &super::live::Shown| {
            let entries = job.metrics.borrow().entries();
            (job.name.clone(), entries, job.progress.borrow().checkpoints)
        };
        jobs.iter().map(look).collect()
    });
    let mut text = String::new();
    for (name, kind, help, sample) in METRICS {
        header(&mut text, name, kind, help);
        for (job, entries, _) in &jobs {
            for entry in entries {
                let Some(value) = sample(entry) else { continue };
                let _ = writeln!(
                    text,
                    "{name}{{job=\"{}\",operator=\"{}\",operator_id=\"{}\",subtask=\"{}\"}} {value}",
                    escape(job),
                    escape(&entry.name),
                    entry.id,
                    entry.subtask
                );
            }
        }
    }
    header(&mut text, names::CHECKPOINTS, "counter", "Completed checkpoints");
    for (job, _, checkpoints) in &jobs {
        let _ = writeln!(text, "{}{{job=\"{}\"}} {checkpoints}", names::CHECKPOINTS, escape(job));
    }
    text
}

fn header(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
