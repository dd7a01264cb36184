//! Rewrites of the algebra that keep its meaning and save work.
//!
//! Per query: filters go down (`filter`), row numbers with a bound become window ranks (`rank`),
//! window functions join their aggregates (`window`), projections merge (`merge`). Then, over all
//! queries of a job: conditions go into sources (`source`), and columns that nobody reads are left
//! out (`prune`).

mod conjunction;
mod filter;
mod input;
mod merge;
mod need;
mod prune;
mod rank;
mod simplify;
mod source;
mod window;

use tidegate_plan::PlanSettings;
use tidegate_types::Result;

use crate::algebra::{RelOp, Relation};

/// Optimizes the queries of one job together.
///
/// # Errors
/// `UNSUPPORTED` for a row number that no filter bounds.
pub(crate) fn optimize(queries: Vec<Relation>, settings: &PlanSettings) -> Result<Vec<Relation>> {
    let mut optimized = Vec::with_capacity(queries.len());
    for query in queries {
        let query = filter::push_down(query)?;
        let query = window::fuse(merge::merge(query, settings));
        optimized.push(merge::merge(query, settings));
    }
    source::push_filters(&mut optimized, settings);
    let optimized = optimized.into_iter().map(|query| merge::merge(query, settings)).collect();
    let pruned = prune::prune(optimized);
    Ok(pruned.into_iter().map(|query| merge::merge(query, settings)).collect())
}

/// Rewrites the inputs of a relation.
fn map_inputs(mut relation: Relation, rewrite: &mut dyn FnMut(Relation) -> Relation) -> Relation {
    match &mut relation.op {
        RelOp::Scan(_) | RelOp::Values(_) => {}
        RelOp::Union { inputs } => {
            *inputs = std::mem::take(inputs).into_iter().map(rewrite).collect();
        }
        RelOp::Project { input, .. }
        | RelOp::Filter { input, .. }
        | RelOp::WindowTvf { input, .. }
        | RelOp::Aggregate { input, .. }
        | RelOp::Number { input, .. }
        | RelOp::Rank { input, .. } => {
            let taken = std::mem::replace(
                input.as_mut(),
                Relation { op: RelOp::Values(Vec::new()), schema: Vec::new() },
            );
            **input = rewrite(taken);
        }
    }
    relation
}
