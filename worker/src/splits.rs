//! Which subtask reads which split: enumeration at the start, discovery while running.

use tidegate_checkpoint::Manifest;
use tidegate_engine::connector::{Source, Split};
use tidegate_types::error::ResultExt;
use tidegate_types::{OperatorId, Result, Watermark};

/// A split with the watermark that a checkpoint holds for it.
pub type KnownSplit = (Split, Option<Watermark>);

/// The splits of a source: those of the checkpoint, then those that are new; and the splits of each
/// subtask.
///
/// # Errors
/// What the source's enumeration fails with.
pub async fn assign(
    source: &dyn Source,
    operator: OperatorId,
    table: &str,
    restored: Option<&Manifest>,
    parallelism: u32,
) -> Result<Vec<Vec<KnownSplit>>> {
    let mut splits: Vec<KnownSplit> = Vec::new();
    let state = restored.and_then(|manifest| manifest.operator(operator));
    if let Some(state) = state {
        for subtask in state.subtasks.iter().filter_map(|subtask| subtask.source.as_ref()) {
            splits.extend(subtask.splits.iter().cloned());
        }
    }
    let known: Vec<Split> = splits.iter().map(|(split, _)| split.clone()).collect();
    let new = source
        .enumerate(&known, state.is_some())
        .await
        .context(|| format!("enumerate splits of {table}"))?;
    splits.extend(new.into_iter().map(|split| (split, None)));
    Ok(spread(splits, parallelism))
}

/// Spreads splits evenly: unfinished ones count, finished ones go along.
fn spread(mut splits: Vec<KnownSplit>, parallelism: u32) -> Vec<Vec<KnownSplit>> {
    splits.sort_by_key(|(split, _)| split.finished);
    let mut assigned: Vec<Vec<KnownSplit>> = vec![Vec::new(); parallelism as usize];
    for (index, split) in splits.into_iter().enumerate() {
        assigned[index % parallelism as usize].push(split);
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_splits_are_spread_evenly() {
        let split =
            |i: u32| Split { id: i.to_string(), state: serde_json::Value::Null, finished: i < 6 };
        let assigned = spread((0..10).map(|i| (split(i), None)).collect(), 2);
        let open = |splits: &Vec<KnownSplit>| splits.iter().filter(|(s, _)| !s.finished).count();
        assert_eq!(assigned.iter().map(open).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(assigned.iter().map(Vec::len).sum::<usize>(), 10);
    }
}
