//! The connectors of a process: the registry's, and `collect`, the sink of a bare SELECT.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_connectors::{ConnectorEnv, registry};
use tidegate_engine::Changes;
use tidegate_engine::connector::{
    DeliveryGuarantee, LookupTable, Sink, SinkContext, SinkWriter, Source, StagedUnit,
};
use tidegate_plan::operator;
use tidegate_types::{Epoch, Error, ErrorCode, Field, Result};
use tidegate_worker::ConnectorFactory;
use tokio::sync::mpsc;

/// Makes connectors for the jobs of this process.
pub(crate) struct Connectors {
    env: ConnectorEnv,
    rows: Option<mpsc::Sender<Changes>>,
}

impl Connectors {
    /// With what connectors may use, and where the rows of a SELECT go.
    pub(crate) fn new(env: ConnectorEnv, rows: Option<mpsc::Sender<Changes>>) -> Self {
        Self { env, rows }
    }
}

impl ConnectorFactory for Connectors {
    fn source(&self, plan: &operator::Source) -> Result<Arc<dyn Source>> {
        registry::source(plan, &self.env)
    }

    fn lookup(&self, plan: &operator::LookupJoin) -> Result<Arc<dyn LookupTable>> {
        registry::lookup(plan, &self.env)
    }

    fn sink(&self, plan: &operator::Sink, columns: &[Field]) -> Result<Arc<dyn Sink>> {
        if plan.table.options.get("connector").map(String::as_str)
            != Some(tidegate_planner::COLLECT)
        {
            return registry::sink(plan, columns, &self.env);
        }
        let rows = self.rows.clone().ok_or_else(|| Error::internal("a query without a printer"))?;
        Ok(Arc::new(Collect { rows }))
    }
}

struct Collect {
    rows: mpsc::Sender<Changes>,
}

#[async_trait]
impl Sink for Collect {
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::None
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn writer(&self, _context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Collect { rows: self.rows.clone() }))
    }
}

#[async_trait]
impl SinkWriter for Collect {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        let gone = |_| Error::new(ErrorCode::Cancelled, "standard output was closed");
        self.rows.send(changes).await.map_err(gone)
    }

    async fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<StagedUnit>> {
        Ok(Vec::new())
    }
}
