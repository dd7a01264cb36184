//! `--stats json`: what a script did and what it cost.

use serde_json::{Value, json};
use tidegate_job_control::driver::progress::CheckpointSample;

use crate::embedded::JobReport;
use crate::embedded::report::percentile;

/// The statistics of all jobs as one line of JSON.
pub(crate) fn json(reports: &[JobReport], wall_seconds: f64) -> String {
    let inserts: Vec<_> = reports.iter().flat_map(|report| &report.inserts).collect();
    let samples = |of: fn(&CheckpointSample) -> f64| -> Vec<f64> {
        reports.iter().flat_map(|report| report.checkpoints.samples.iter().map(of)).collect()
    };
    let uploaded = samples(|sample| sample.uploaded_bytes as f64);
    let checkpoints: u64 = reports.iter().map(|report| report.checkpoints.completed).sum();
    json!({
        "inserts": inserts,
        "wall_seconds": round(wall_seconds),
        "cpu_seconds": cpu_seconds(),
        "peak_rss_bytes": peak_rss_bytes(),
        "checkpoints_completed": checkpoints,
        "checkpoint_ms": spread(&samples(|sample| sample.duration_ms)),
        "checkpoint_pause_ms": spread(&samples(|sample| sample.pause_ms)),
        "checkpoint_cost_ms": spread(&samples(|sample| sample.cost_ms)),
        "checkpoint_uploaded_bytes": {
            "p50": percentile(&uploaded, 0.5),
            "p99": percentile(&uploaded, 0.99),
            "max": percentile(&uploaded, 1.0),
            "total": uploaded.iter().sum::<f64>(),
        },
        "state_bytes": reports.iter().map(|report| report.restores.state_bytes).sum::<u64>(),
        "spilled_bytes": reports.iter().map(|report| report.restores.spilled_bytes).sum::<u64>(),
        "spill_written_bytes": reports.iter().map(|report| report.restores.spill_written_bytes).sum::<u64>(),
        "restore_bytes": reports.iter().map(|report| report.restores.bytes).sum::<u64>(),
        "restore_seconds": round(reports.iter().map(|r| r.restores.seconds).fold(0.0, f64::max)),
    })
    .to_string()
}

/// Median, 99th percentile and maximum.
fn spread(samples: &[f64]) -> Value {
    json!({
        "p50": round(percentile(samples, 0.5)),
        "p99": round(percentile(samples, 0.99)),
        "max": round(percentile(samples, 1.0)),
    })
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// User and system time of this process; `None` where the system does not tell.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the name, may hold spaces; fields are counted behind its parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // USER_HZ is 100 on every Linux that Rust's standard library supports.
    Some(ticks as f64 / 100.0)
}

/// Largest resident size so far; `None` where the system does not tell.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_time_and_memory() {
        assert!(peak_rss_bytes().unwrap() > 1 << 20);
        assert!(cpu_seconds().unwrap() >= 0.0);
    }
}
