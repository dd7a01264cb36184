//! Tables of lookup joins: what connectors answer, with the caches that their options ask for.

use std::sync::Arc;
use std::time::Duration;

use tidegate_connector_spec::{Options, Role, validate};
use tidegate_engine::connector::{LookupTable, ReaderContext, Source as ReadSource};
use tidegate_engine::lookup::FullTable;
use tidegate_engine::metrics::SourceMetrics;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{LookupJoin, Source};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Error, Result};

use crate::env::ConnectorEnv;
use crate::registry;

/// Rows that a table is read in.
const BATCH_ROWS: usize = 8192;

/// The table of a lookup join.
pub(crate) fn table(plan: &LookupJoin, env: &ConnectorEnv) -> Result<Arc<dyn LookupTable>> {
    validate(&plan.table.options, Role::Source)?;
    let options = Options::new(plan.table.options.clone())?;
    match options.connector().name {
        "filesystem" => full(plan, &options, env, registry::source(&whole(plan), env)?),
        #[cfg(feature = "jdbc")]
        "jdbc" if is_full(&options) => {
            full(plan, &options, env, crate::jdbc::source(&whole(plan), &options, false)?)
        }
        #[cfg(feature = "jdbc")]
        "jdbc" => crate::jdbc::table(plan, &options, env),
        #[cfg(not(feature = "jdbc"))]
        "jdbc" => Err(registry::not_built_in("jdbc")),
        other => Err(Error::unsupported(format!("connector '{other}' cannot look rows up"))
            .help("read it as a stream and join that, or use 'filesystem' or 'jdbc'")),
    }
}

#[cfg(feature = "jdbc")]
fn is_full(options: &Options) -> bool {
    options.text("lookup.cache").is_some_and(|cache| cache.eq_ignore_ascii_case("FULL"))
}

/// The source that reads the whole table.
fn whole(plan: &LookupJoin) -> Source {
    let projection = plan.read.iter().enumerate();
    let projection = projection
        .map(|(index, field)| NamedExpr {
            name: field.name.clone(),
            expr: Expr::column(index, field.ty.clone()),
        })
        .collect();
    Source {
        table: plan.table.clone(),
        read: plan.read.clone(),
        metadata: Vec::new(),
        pushed: Vec::new(),
        projection,
        watermark: None,
    }
}

/// A table that is read as a whole.
fn full(
    plan: &LookupJoin,
    options: &Options,
    env: &ConnectorEnv,
    source: Arc<dyn ReadSource>,
) -> Result<Arc<dyn LookupTable>> {
    let reader = ReaderContext {
        subtask: 0,
        parallelism: 1,
        batch_rows: BATCH_ROWS,
        linger: Duration::ZERO,
        metrics: Arc::new(SourceMetrics::default()),
    };
    let keys = plan.keys.iter().map(|(column, _)| *column).collect();
    let reload = options.duration("lookup.full-cache.periodic-reload.interval")?;
    let table = FullTable::new(
        &plan.table.name,
        source,
        reader,
        arrow_schema(&plan.read),
        keys,
        reload.filter(|interval| !interval.is_zero()),
        env.monotonic.clone(),
    )?;
    Ok(Arc::new(table))
}
