//! From a plan's source or sink to the connector that runs it.

use std::sync::Arc;

use tidegate_connector_spec::{Options, Role, validate};
use tidegate_engine::connector::{LookupTable, Sink, Source};
use tidegate_plan::operator;
use tidegate_types::error::ResultExt;
use tidegate_types::{Error, Field, Result};

use crate::blackhole::Blackhole;
use crate::datagen::Datagen;
use crate::env::ConnectorEnv;
use crate::filesystem;
#[cfg(feature = "jdbc")]
use crate::jdbc;
#[cfg(feature = "kafka")]
use crate::kafka;
use crate::lookup;
use crate::nexmark::Nexmark;
use crate::print::Print;

/// The source of a plan. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` or `UNSUPPORTED` with the table's name.
pub fn source(plan: &operator::Source, env: &ConnectorEnv) -> Result<Arc<dyn Source>> {
    make_source(plan, env).context(|| format!("table {}", plan.table.name))
}

fn make_source(plan: &operator::Source, env: &ConnectorEnv) -> Result<Arc<dyn Source>> {
    validate(&plan.table.options, Role::Source)?;
    let options = Options::new(plan.table.options.clone())?;
    match options.connector().name {
        "datagen" => Ok(Arc::new(Datagen::new(plan, &options, env)?)),
        "filesystem" => filesystem::source(plan, &options),
        #[cfg(feature = "jdbc")]
        "jdbc" => jdbc::source(plan, &options, true),
        #[cfg(feature = "kafka")]
        "kafka" | "upsert-kafka" => kafka::source(plan, &options, env),
        "nexmark" => Ok(Arc::new(Nexmark::new(plan, &options, env)?)),
        other => Err(not_built_in(other)),
    }
}

/// The sink of a plan, for rows with `columns`. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` or `UNSUPPORTED` with the table's name.
pub fn sink(plan: &operator::Sink, columns: &[Field], env: &ConnectorEnv) -> Result<Arc<dyn Sink>> {
    make_sink(plan, columns, env).context(|| format!("table {}", plan.table.name))
}

fn make_sink(
    plan: &operator::Sink,
    columns: &[Field],
    env: &ConnectorEnv,
) -> Result<Arc<dyn Sink>> {
    validate(&plan.table.options, Role::Sink)?;
    let options = Options::new(plan.table.options.clone())?;
    match options.connector().name {
        "blackhole" => Ok(Arc::new(Blackhole)),
        "filesystem" => filesystem::sink(plan, columns, &options, env),
        #[cfg(feature = "kafka")]
        "kafka" | "upsert-kafka" => kafka::sink(plan, columns, &options, env),
        "print" => Ok(Arc::new(Print::new(plan, &options, env)?)),
        other => Err(not_built_in(other)),
    }
}

/// The table of a lookup join. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` or `UNSUPPORTED` with the table's name.
pub fn lookup(plan: &operator::LookupJoin, env: &ConnectorEnv) -> Result<Arc<dyn LookupTable>> {
    lookup::table(plan, env).context(|| format!("table {}", plan.table.name))
}

pub(crate) fn not_built_in(name: &str) -> Error {
    Error::unsupported(format!("this build is without the connector '{name}'"))
}
