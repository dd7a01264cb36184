//! Metrics: families of values that are collected when somebody asks, and Prometheus' text format for them.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tidegate_types::{Error, ErrorCode, Result};

use crate::task::{Task, spawn};

/// What a value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// `tidegate_<object>_<what>_<unit or total>`
    pub name: &'static str,
    /// What its values do.
    pub kind: Kind,
    /// What it tells, without a full stop.
    pub help: &'static str,
}

/// A value and what it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A metric with its values of this moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// What it is.
    pub description: Description,
    /// Its values.
    pub points: Vec<Point>,
}

/// Where metrics come from.
pub trait Source: Send + Sync {
    /// All metrics that it can have.
    fn descriptions(&self) -> Vec<Description>;

    /// Those that it has, with their values of this moment.
    fn collect(&self) -> Vec<Family>;
}

/// Several sources as one.
pub struct Sources(pub Vec<Arc<dyn Source>>);

impl Source for Sources {
    fn descriptions(&self) -> Vec<Description> {
        self.0.iter().flat_map(|source| source.descriptions()).collect()
    }

    fn collect(&self) -> Vec<Family> {
        self.0.iter().flat_map(|source| source.collect()).collect()
    }
}

/// What this process has refused to what was replaced, by kind.
pub struct Refusals;

const REFUSED: Description = Description {
    name: "tidegate_refused_total",
    kind: Kind::Counter,
    help: "What was refused to deposed leaders, older attempts and older processes",
};

impl Source for Refusals {
    fn descriptions(&self) -> Vec<Description> {
        vec![REFUSED]
    }

    fn collect(&self) -> Vec<Family> {
        let point = |(what, count): (crate::Refused, u64)| Point {
            labels: vec![("what", what.as_str().to_owned())],
            value: count as f64,
        };
        let points = crate::refusal::counts().into_iter().map(point).collect();
        vec![Family { description: REFUSED, points }]
    }
}

/// The text format of Prometheus, version 0.0.4.
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { description: Description { name, kind, help }, points } in families {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        for Point { labels, value } in points {
            let labels: Vec<String> =
                labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value))).collect();
            let _ = match labels.is_empty() {
                true => writeln!(text, "{name} {value}"),
                false => writeln!(text, "{name}{{{}}} {value}", labels.join(",")),
            };
        }
    }
    text
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Serves `/metrics` until the task is dropped.
///
/// # Errors
/// `UNAVAILABLE` if the address cannot be bound.
pub async fn serve(address: SocketAddr, source: Arc<dyn Source>) -> Result<Task<()>> {
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Error::new(ErrorCode::Unavailable, format!("listen on {address} for metrics: {error}"))
            .help("another process may listen there: choose another port, or 0 for any")
    })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "metrics are served at /metrics");
    }
    let page = move || {
        let text = text(&source.collect());
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let router = Router::new().route("/metrics", get(page));
    Ok(spawn("metrics endpoint", async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "the metrics endpoint ended");
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let description = Description { name: "a_total", kind: Kind::Counter, help: "Things" };
        let labels = vec![("job", "a\"b\\c\nd".to_owned()), ("n", "1".to_owned())];
        let points = vec![Point { labels, value: 2.0 }, Point { labels: Vec::new(), value: 0.5 }];
        let expected = "# HELP a_total Things.\n# TYPE a_total counter\n\
                        a_total{job=\"a\\\"b\\\\c\\nd\",n=\"1\"} 2\na_total 0.5\n";
        assert_eq!(text(&[Family { description, points }]), expected);
    }

    #[test]
    fn refusals_are_counted() {
        let before = Refusals.collect();
        crate::refused(crate::Refused::Process, "a test");
        let value = |families: &[Family]| -> f64 {
            let mine = |point: &&Point| point.labels[0].1 == "process";
            families[0].points.iter().find(mine).map_or(0.0, |point| point.value)
        };
        assert_eq!(value(&Refusals.collect()), value(&before) + 1.0);
    }
}
