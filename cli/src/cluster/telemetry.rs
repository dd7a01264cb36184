//! What a server role tells of itself: metrics at an endpoint, traces and metrics to a receiver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tidegate_runtime::Task;
use tidegate_runtime::telemetry::metrics::{self, Refusals, Source, Sources};
use tidegate_types::Result;

use crate::telemetry::{Exporters, Options};

/// Time between two exports of metrics, if the configuration says nothing.
const INTERVAL_SECONDS: u64 = 15;

/// `[telemetry]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct TelemetrySection {
    /// Where `/metrics` is served.
    pub(super) metrics_listen: Option<SocketAddr>,
    /// URL of an OTLP receiver (gRPC); by default what `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    pub(super) otlp: Option<String>,
    /// Seconds between two exports of metrics to it.
    pub(super) otlp_interval_seconds: Option<u64>,
}

/// What tells; dropping it ends that, after what is left has been sent.
pub(super) struct Telling {
    _endpoint: Option<Task<()>>,
    _exporters: Option<Exporters>,
}

impl TelemetrySection {
    /// Starts to tell.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the endpoint's address cannot be bound, `INVALID_OPTION` for a receiver that is none.
    pub(super) async fn start(
        &self,
        instance: String,
        mut sources: Vec<Arc<dyn Source>>,
    ) -> Result<Telling> {
        sources.push(Arc::new(Refusals));
        let source: Arc<dyn Source> = Arc::new(Sources(sources));
        let endpoint = match self.metrics_listen {
            Some(address) => Some(metrics::serve(address, source.clone()).await?),
            None => None,
        };
        let seconds = self.otlp_interval_seconds.unwrap_or(INTERVAL_SECONDS).max(1);
        let options = Options {
            endpoint: self.otlp.clone(),
            interval: Duration::from_secs(seconds),
            instance,
        };
        let exporters = Exporters::start(&options, source)?;
        Ok(Telling { _endpoint: endpoint, _exporters: exporters })
    }
}
