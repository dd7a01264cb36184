//! Rewrites of the algebra that keep its meaning and save work.
//!
//! Per query: filters go down (`filter`, `join`), row numbers with a bound become ranks (`rank`),
//! window functions join their aggregates (`window`), keys of joins become columns (`join`), projections
//! merge (`merge`). Then, over all queries of a job: conditions go into sources (`source`), and columns
//! that nobody reads are left out (`prune`).

pub(crate) mod conjunction;
pub(crate) mod distinct;
mod filter;
mod input;
pub(crate) mod join;
pub(crate) mod join_time;
mod late;
mod merge;
mod need;
mod prune;
mod rank;
mod simplify;
mod source;
mod watermark;
mod window;

pub(crate) use late::SETTING as LATE_ROWS;
use std::sync::Arc;

use tidegate_plan::PlanSettings;
use tidegate_types::Result;

use crate::algebra::Relation;
use crate::catalog::Table;

/// Optimizes the queries of one job together; `buckets`: distinct aggregates are split into so many.
///
/// # Errors
/// `UNSUPPORTED` for a row number that no filter bounds.
///
/// Behind the queries come those for the late rows of their windows, if there is a table for them.
pub(crate) fn optimize(
    queries: Vec<Relation>,
    settings: &PlanSettings,
    buckets: Option<i64>,
    late: Option<&Arc<Table>>,
) -> Result<Vec<Relation>> {
    let mut fused = Vec::with_capacity(queries.len());
    let mut diverted = Vec::new();
    for query in queries {
        let query = filter::push_down(query)?;
        let query = match buckets {
            Some(buckets) => distinct::split(query, buckets),
            None => query,
        };
        let query = window::fuse(merge::merge(query, settings));
        fused.push(match late {
            Some(table) => late::divert(query, table, settings, &mut diverted)?,
            None => query,
        });
    }
    fused.extend(diverted);
    let keyed = fused.into_iter().map(join::key_columns);
    let mut optimized: Vec<_> = keyed.map(|query| merge::merge(query, settings)).collect();
    source::push_filters(&mut optimized, settings);
    let optimized = optimized.into_iter().map(|query| merge::merge(query, settings)).collect();
    let pruned = prune::prune(optimized);
    let merged: Vec<_> = pruned.into_iter().map(|query| merge::merge(query, settings)).collect();
    merged.iter().try_for_each(watermark::check)?;
    Ok(merged)
}

/// Rewrites the inputs of a relation.
fn map_inputs(mut relation: Relation, rewrite: &mut dyn FnMut(Relation) -> Relation) -> Relation {
    for input in relation.inputs_mut() {
        let taken = std::mem::replace(input, Relation::empty());
        *input = rewrite(taken);
    }
    relation
}
