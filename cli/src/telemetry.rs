//! Traces and metrics over OTLP, by the OpenTelemetry SDK: traces in batches, metrics from time to time. Nothing waits for
//! the receiver: what it does not take is dropped, and the process says so in its log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use tidegate_runtime::telemetry::metrics::{Description, Family, Kind, Source};
use tidegate_runtime::telemetry::trace::{self, Span};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::runtime::Runtime;

/// The variable by which OpenTelemetry's own tools name the receiver.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How long the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// For how long collected metrics are the same for every instrument.
const FRESH: Duration = Duration::from_millis(200);

/// Where telemetry goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// URL of the receiver, gRPC.
    pub(crate) endpoint: Option<String>,
    /// Time between two exports of metrics.
    pub(crate) interval: Duration,
    /// `coordinator-1`, `worker-7`.
    pub(crate) instance: String,
}

/// The exporters. Dropping it sends what is left.
pub(crate) struct Exporters {
    processor: Arc<BatchSpanProcessor>,
    meters: SdkMeterProvider,
    runtime: Option<Runtime>,
}

impl Exporters {
    /// Starts to export, if a receiver is named by the options or the environment.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an address that is none.
    pub(crate) fn start(options: &Options, source: Arc<dyn Source>) -> Result<Option<Self>> {
        let from_environment = || std::env::var(ENDPOINT).ok().filter(|text| !text.is_empty());
        let Some(endpoint) = options.endpoint.clone().or_else(from_environment) else {
            return Ok(None);
        };
        let invalid = |error: &dyn std::fmt::Display| {
            let message = format!("send telemetry to '{endpoint}': {error}");
            Error::new(ErrorCode::InvalidOption, message)
                .help("write the receiver as http://host:4317; it must speak OTLP over gRPC")
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry")
            .enable_all()
            .build()
            .map_err(|error| invalid(&error))?;
        let entered = runtime.enter();
        let spans = SpanExporter::builder().with_tonic();
        let spans = spans.with_endpoint(&endpoint).with_timeout(TIMEOUT).build();
        let metrics = MetricExporter::builder().with_tonic();
        let metrics = metrics.with_endpoint(&endpoint).with_timeout(TIMEOUT).build();
        drop(entered);
        let resource = Resource::builder()
            .with_service_name("tidegate")
            .with_attribute(KeyValue::new("service.instance.id", options.instance.clone()))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let mut processor =
            BatchSpanProcessor::builder(spans.map_err(|error| invalid(&error))?).build();
        processor.set_resource(&resource);
        let processor = Arc::new(processor);
        let sink = Arc::clone(&processor);
        trace::install(Box::new(move |span| sink.on_end(span_data(span))));
        let reader = PeriodicReader::builder(metrics.map_err(|error| invalid(&error))?)
            .with_interval(options.interval)
            .build();
        let meters =
            SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build();
        instruments(&meters.meter("tidegate"), source);
        tracing::info!(endpoint, "traces and metrics are exported");
        Ok(Some(Self { processor, meters, runtime: Some(runtime) }))
    }
}

impl Drop for Exporters {
    fn drop(&mut self) {
        for outcome in [
            self.processor.shutdown_with_timeout(TIMEOUT),
            self.meters.shutdown_with_timeout(TIMEOUT),
        ] {
            if let Err(error) = outcome {
                tracing::warn!(%error, "the last telemetry may not have arrived");
            }
        }
        // Another runtime may be what this is dropped on: waiting for one is not allowed there.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn span_data(span: Span) -> SpanData {
    let id = |id: u64| opentelemetry::trace::SpanId::from_bytes(id.to_be_bytes());
    let trace = opentelemetry::trace::TraceId::from_bytes(span.trace.0.to_be_bytes());
    let context =
        SpanContext::new(trace, id(span.id.0), TraceFlags::SAMPLED, false, TraceState::default());
    let attribute = |(name, value): (&'static str, String)| KeyValue::new(name, value);
    SpanData {
        span_context: context,
        parent_span_id: id(span.parent.map_or(0, |parent| parent.0)),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: span.name.into(),
        start_time: span.begin,
        end_time: span.end.max(span.begin),
        attributes: span.attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("tidegate").build(),
    }
}

/// What was collected, shared by all instruments of one export.
struct Collected {
    source: Arc<dyn Source>,
    last: Mutex<Option<(Instant, Arc<Vec<Family>>)>>,
}

impl Collected {
    #[allow(clippy::disallowed_methods, reason = "metrics are no part of a simulation")]
    fn families(&self) -> Arc<Vec<Family>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, families)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            let _ = at;
            return Arc::clone(families);
        }
        let families = Arc::new(self.source.collect());
        *last = Some((Instant::now(), Arc::clone(&families)));
        families
    }

    /// Every value of a metric with its labels.
    fn observe(&self, name: &str, mut observe: impl FnMut(f64, &[KeyValue])) {
        let families = self.families();
        for family in families.iter().filter(|family| family.description.name == name) {
            for point in &family.points {
                let labels: Vec<KeyValue> = point
                    .labels
                    .iter()
                    .map(|(key, value)| KeyValue::new(*key, value.clone()))
                    .collect();
                observe(point.value, &labels);
            }
        }
    }
}

fn instruments(meter: &Meter, source: Arc<dyn Source>) {
    let descriptions = source.descriptions();
    let collected = Arc::new(Collected { source, last: Mutex::new(None) });
    for Description { name, kind, help } in descriptions {
        let collected = Arc::clone(&collected);
        // The instruments live with the meter.
        match kind {
            Kind::Counter => drop(
                meter
                    .f64_observable_counter(name)
                    .with_description(help)
                    .with_callback(move |observer| {
                        collected.observe(name, |value, labels| observer.observe(value, labels));
                    })
                    .build(),
            ),
            Kind::Gauge => drop(
                meter
                    .f64_observable_gauge(name)
                    .with_description(help)
                    .with_callback(move |observer| {
                        collected.observe(name, |value, labels| observer.observe(value, labels));
                    })
                    .build(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tidegate_runtime::telemetry::trace::{SpanId, TraceId};

    use super::*;

    #[test]
    fn spans_keep_their_ids_parents_and_errors() {
        let trace = TraceId::of(&["run", "a"]);
        let parent = SpanId::of(trace, &["start"]);
        let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let span = Span {
            trace,
            id: SpanId::of(trace, &["plan"]),
            parent: Some(parent),
            name: "plan",
            begin,
            end: begin - Duration::from_secs(1),
            attributes: vec![("job", "a".to_owned())],
            error: Some("no such table".to_owned()),
        };
        let data = span_data(span);
        assert_eq!(u128::from_be_bytes(data.span_context.trace_id().to_bytes()), trace.0);
        assert_eq!(u64::from_be_bytes(data.parent_span_id.to_bytes()), parent.0);
        assert_eq!(data.end_time, begin, "a clock that went back makes no negative time");
        assert_eq!(data.status, Status::error("no such table"));
    }
}
