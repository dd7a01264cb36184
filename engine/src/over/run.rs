//! What enters and leaves the frames of sequences step by step, and what is computed of it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take};
use tidegate_plan::AggregateFunction;
use tidegate_plan::operator::OverFrame;
use tidegate_types::Result;

use super::frames::Sequence;
use super::internal;
use crate::aggregate::Accumulator;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) rows: i64,
    pub(super) rank: i64,
    pub(super) dense: i64,
}

impl Counts {
    /// Counts the next row; `peer`: it is equal in order to the one before.
    pub(super) fn add(&mut self, peer: bool) {
        self.rows += 1;
        if !peer || self.rows == 1 {
            self.rank = self.rows;
            self.dense += 1;
        }
    }
}

/// A step of a sequence: what enters its frame, what leaves, and whose results come of it.
#[derive(Debug, Default)]
pub(super) struct Step {
    enter: Vec<u32>,
    leave: Vec<u32>,
    outs: Vec<u32>,
}

/// The steps of a sequence in a frame; moves the frame's start.
pub(super) fn steps(shape: OverFrame, sequence: &mut Sequence, frame: usize) -> Vec<Step> {
    let items = &sequence.items;
    let by_range = matches!(shape, OverFrame::Range { .. } | OverFrame::RangeUnbounded);
    let mut start = sequence.starts.get(frame).copied().unwrap_or(0);
    let mut steps: Vec<Step> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(out) = item.out else { continue };
        if by_range
            && item.peer
            && let Some(step) = steps.last_mut()
        {
            step.enter.push(item.place);
            step.outs.push(out);
            continue;
        }
        let first = match shape {
            OverFrame::Rows { preceding } => {
                index.saturating_sub(usize::try_from(preceding).unwrap_or(usize::MAX))
            }
            OverFrame::Range { preceding } => {
                let from = item.time.saturating_sub(preceding);
                start + items[start..index].partition_point(|before| before.time < from)
            }
            OverFrame::RowsUnbounded | OverFrame::RangeUnbounded => 0,
        };
        let leave = match first > start {
            true => items[start..first].iter().map(|item| item.place).collect(),
            false => Vec::new(),
        };
        start = start.max(first);
        steps.push(Step { enter: vec![item.place], leave, outs: vec![out] });
    }
    if let Some(stored) = sequence.starts.get_mut(frame) {
        *stored = start;
    }
    steps
}

/// One evaluation of a frame.
pub(super) struct Run<'a> {
    pub(super) values: &'a RecordBatch,
    pub(super) sequences: &'a [Sequence],
    pub(super) steps: &'a [Vec<Step>],
    pub(super) rounds: usize,
    pub(super) outs: usize,
}

impl Run<'_> {
    pub(super) fn accumulate(
        &self,
        state: &mut dyn Accumulator,
        argument: Option<usize>,
        filter: Option<usize>,
    ) -> Result<ArrayRef> {
        let mut rounds: Vec<ArrayRef> = Vec::with_capacity(self.rounds);
        let mut places = vec![(0, 0); self.outs];
        for round in 0..self.rounds {
            let (mut enter, mut leave, mut results) = <(Moving, Moving, Vec<u32>)>::default();
            for (sequence, steps) in self.sequences.iter().zip(self.steps) {
                let Some(step) = steps.get(round) else { continue };
                enter.add(sequence.slot, &step.enter);
                leave.add(sequence.slot, &step.leave);
                for out in &step.outs {
                    places[*out as usize] = (round, results.len());
                }
                results.push(sequence.slot);
            }
            if !leave.slots.is_empty() {
                let (values, passes) = part(self.values, &leave.places, argument, filter)?;
                state.retract(&leave.slots, values.as_ref(), passes.as_ref())?;
            }
            let (values, passes) = part(self.values, &enter.places, argument, filter)?;
            state.update(&enter.slots, values.as_ref(), passes.as_ref())?;
            rounds.push(state.result(&results)?);
        }
        if rounds.is_empty() {
            return state.result(&[]);
        }
        let rounds: Vec<_> = rounds.iter().map(AsRef::as_ref).collect();
        interleave(&rounds, &places).map_err(internal)
    }
}

/// Rows that enter or leave, by slot.
#[derive(Default)]
struct Moving {
    slots: Vec<u32>,
    places: Vec<u32>,
}

impl Moving {
    fn add(&mut self, slot: u32, places: &[u32]) {
        self.slots.extend(std::iter::repeat_n(slot, places.len()));
        self.places.extend_from_slice(places);
    }
}

/// Arguments and filter of some rows.
pub(super) fn part(
    values: &RecordBatch,
    places: &[u32],
    argument: Option<usize>,
    filter: Option<usize>,
) -> Result<(Option<ArrayRef>, Option<BooleanArray>)> {
    let places = UInt32Array::from(places.to_vec());
    let column = |index: usize| take(values.column(index), &places, None).map_err(internal);
    let filter = filter.map(column).transpose()?;
    Ok((argument.map(column).transpose()?, filter.map(|filter| filter.as_boolean().clone())))
}

/// ROW_NUMBER, RANK and DENSE_RANK.
pub(super) fn count(
    which: AggregateFunction,
    counts: &mut [Counts],
    sequences: &[Sequence],
    outs: usize,
) -> ArrayRef {
    let mut results = vec![0; outs];
    for sequence in sequences {
        let counts = &mut counts[sequence.slot as usize];
        for item in &sequence.items {
            let Some(out) = item.out else { continue };
            counts.add(item.peer);
            results[out as usize] = match which {
                AggregateFunction::RowNumber => counts.rows,
                AggregateFunction::Rank => counts.rank,
                _ => counts.dense,
            };
        }
    }
    Arc::new(Int64Array::from(results))
}

/// The value of the row some rows before, or the default.
pub(super) fn lag(
    column: &ArrayRef,
    distance: usize,
    default: &ArrayRef,
    sequences: &[Sequence],
    outs: usize,
) -> Result<ArrayRef> {
    let mut places = vec![(1, 0); outs];
    for sequence in sequences {
        for (index, item) in sequence.items.iter().enumerate() {
            let Some(out) = item.out else { continue };
            if let Some(before) = index.checked_sub(distance) {
                places[out as usize] = (0, sequence.items[before].place as usize);
            }
        }
    }
    interleave(&[column.as_ref(), default.as_ref()], &places).map_err(internal)
}
