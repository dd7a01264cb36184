//! Running results of sequences of rows. Sequences are computed side by side in rounds: in each round
//! every sequence makes its next step, so that accumulators work on many of them at once.

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use std::sync::Arc;
use tidegate_functions::eval::literal;
use tidegate_plan::operator::{OverFrame, OverGroup};
use tidegate_plan::{AggregateCall, AggregateFunction, Literal, Scalar, Schema};
use tidegate_types::{Error, Result};

use super::run::{Counts, Run, Step, count, lag, part, steps};
use crate::aggregate::{Accumulator, accumulator};

/// A row of a sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Its place among the values.
    pub(super) place: u32,
    /// What RANGE frames measure by.
    pub(super) time: i64,
    /// Whether it is equal in order to the row before it.
    pub(super) peer: bool,
    /// Where its results go; `None`: they are known.
    pub(super) out: Option<u32>,
}

/// The rows of one key in order: those that frames still need, then new ones.
#[derive(Debug)]
pub(super) struct Sequence {
    /// Slot of the accumulators.
    pub(super) slot: u32,
    pub(super) items: Vec<Item>,
    /// Per frame the first item that its accumulators hold.
    pub(super) starts: Vec<usize>,
}

/// The aggregates of an operator by frame.
pub(super) struct Frames {
    frames: Vec<Frame>,
    outputs: usize,
}

struct Frame {
    shape: OverFrame,
    calls: Vec<Call>,
}

struct Call {
    kind: Kind,
    /// Its place among the results.
    output: usize,
}

enum Kind {
    Accumulate {
        state: Box<dyn Accumulator>,
        argument: Option<usize>,
        filter: Option<usize>,
    },
    /// Numbers of rows, of ranks, of different ranks.
    Count {
        which: AggregateFunction,
        counts: Vec<Counts>,
    },
    Lag {
        argument: usize,
        distance: usize,
        default: ArrayRef,
    },
}

impl Frames {
    /// The aggregates of `groups` over rows of a schema; `bounded`: those of frames that begin at some
    /// row, else the others.
    pub(super) fn new(groups: &[OverGroup], schema: &Schema, bounded: bool) -> Result<Self> {
        Self::of(groups, schema, bounded, |frame| frame)
    }

    /// The same for rows in order of arrival, each of which is by itself unless RANGE has a length.
    pub(super) fn by_arrival(groups: &[OverGroup], schema: &Schema, bounded: bool) -> Result<Self> {
        Self::of(groups, schema, bounded, |frame| match frame {
            OverFrame::RangeUnbounded => OverFrame::RowsUnbounded,
            other => other,
        })
    }

    fn of(
        groups: &[OverGroup],
        schema: &Schema,
        bounded: bool,
        as_is: impl Fn(OverFrame) -> OverFrame,
    ) -> Result<Self> {
        let mut frames: Vec<Frame> = Vec::new();
        let mut output = 0;
        for group in groups {
            for call in &group.aggregates {
                let shape = shape(call, as_is(group.frame))?;
                output += 1;
                if is_bounded(shape) != bounded {
                    continue;
                }
                let call = Call { kind: Kind::new(call, shape, schema)?, output: output - 1 };
                match frames.iter_mut().find(|frame| frame.shape == shape) {
                    Some(frame) => frame.calls.push(call),
                    None => frames.push(Frame { shape, calls: vec![call] }),
                }
            }
        }
        Ok(Self { frames, outputs: output })
    }

    /// Nothing to compute.
    pub(super) fn empty() -> Self {
        Self { frames: Vec::new(), outputs: 0 }
    }

    /// Whether there is nothing to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Number of frames.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The longest time that rows are needed for, if all frames end by time.
    pub(super) fn longest(&self) -> Option<i64> {
        let lengths = self.frames.iter().map(|frame| match frame.shape {
            OverFrame::Range { preceding } => Some(preceding),
            _ => None,
        });
        lengths.collect::<Option<Vec<i64>>>()?.into_iter().max()
    }

    /// Rows in front of a row that its frames hold, where they count them.
    pub(super) fn rows_back(&self) -> usize {
        let counts = self.frames.iter().filter_map(|frame| match frame.shape {
            OverFrame::Rows { preceding } => usize::try_from(preceding).ok(),
            _ => None,
        });
        counts.max().unwrap_or(0)
    }

    /// Whether what is late is decided by what is out of a key, not by the watermark.
    pub(super) fn late_by_key(&self) -> bool {
        let looks_back = |call: &Call| matches!(call.kind, Kind::Lag { .. });
        let calls = self.frames.iter().flat_map(|frame| &frame.calls);
        !self.frames.is_empty() && !calls.into_iter().any(looks_back)
    }

    /// Makes room for slots.
    pub(super) fn resize(&mut self, slots: usize) {
        for call in self.calls_mut() {
            match &mut call.kind {
                Kind::Accumulate { state, .. } => state.resize(slots),
                Kind::Count { counts, .. } => {
                    counts.resize(slots.max(counts.len()), Counts::default());
                }
                Kind::Lag { .. } => {}
            }
        }
    }

    /// Empties a slot.
    pub(super) fn reset(&mut self, slot: u32) {
        for call in self.calls_mut() {
            match &mut call.kind {
                Kind::Accumulate { state, .. } => state.reset(slot),
                Kind::Count { counts, .. } => counts[slot as usize] = Counts::default(),
                Kind::Lag { .. } => {}
            }
        }
    }

    fn calls_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.frames.iter_mut().flat_map(|frame| &mut frame.calls)
    }

    /// Types of the columns that keep the accumulators of a slot.
    pub(super) fn state_types(&self) -> Vec<arrow::datatypes::DataType> {
        let calls = self.frames.iter().flat_map(|frame| &frame.calls);
        calls
            .flat_map(|call| match &call.kind {
                Kind::Accumulate { state, .. } => state.state_types(),
                Kind::Count { .. } => vec![arrow::datatypes::DataType::Int64; 3],
                Kind::Lag { .. } => Vec::new(),
            })
            .collect()
    }

    /// The accumulators of slots as columns.
    pub(super) fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for call in self.frames.iter().flat_map(|frame| &frame.calls) {
            match &call.kind {
                Kind::Accumulate { state, .. } => columns.extend(state.state(slots)?),
                Kind::Count { counts, .. } => {
                    let of = |part: fn(&Counts) -> i64| -> ArrayRef {
                        let values = slots.iter().map(|slot| part(&counts[*slot as usize]));
                        Arc::new(Int64Array::from_iter_values(values))
                    };
                    columns.extend([of(|c| c.rows), of(|c| c.rank), of(|c| c.dense)]);
                }
                Kind::Lag { .. } => {}
            }
        }
        Ok(columns)
    }

    /// Sets the accumulators of slots from columns.
    pub(super) fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let mut columns = columns.iter();
        let missing = || Error::internal("an aggregate's state has too few columns");
        for call in self.calls_mut() {
            match &mut call.kind {
                Kind::Accumulate { state, .. } => {
                    let own: Vec<ArrayRef> =
                        columns.by_ref().take(state.state_types().len()).cloned().collect();
                    slots.iter().for_each(|slot| state.reset(*slot));
                    state.merge(slots, &own)?;
                }
                Kind::Count { counts, .. } => {
                    let mut next = || columns.next().ok_or_else(missing);
                    let (rows, rank, dense) = (next()?, next()?, next()?);
                    let value = |column: &ArrayRef, row: usize| {
                        column.as_primitive::<arrow::datatypes::Int64Type>().value(row)
                    };
                    for (row, slot) in slots.iter().enumerate() {
                        counts[*slot as usize] = Counts {
                            rows: value(rows, row),
                            rank: value(rank, row),
                            dense: value(dense, row),
                        };
                    }
                }
                Kind::Lag { .. } => {}
            }
        }
        Ok(())
    }

    /// Computes the results of the new rows of sequences into `results`, by output; `outs` results are
    /// expected. Accumulators then stand behind the last rows, and `starts` are where frames begin.
    pub(super) fn evaluate(
        &mut self,
        values: &RecordBatch,
        sequences: &mut [Sequence],
        outs: usize,
        results: &mut [Option<ArrayRef>],
    ) -> Result<()> {
        debug_assert_eq!(results.len(), self.outputs);
        for (index, frame) in self.frames.iter_mut().enumerate() {
            let steps: Vec<Vec<Step>> =
                sequences.iter_mut().map(|sequence| steps(frame.shape, sequence, index)).collect();
            let rounds = steps.iter().map(Vec::len).max().unwrap_or(0);
            for call in &mut frame.calls {
                results[call.output] = Some(match &mut call.kind {
                    Kind::Accumulate { state, argument, filter } => {
                        let run = Run { values, sequences, steps: &steps, rounds, outs };
                        run.accumulate(state.as_mut(), *argument, *filter)?
                    }
                    Kind::Count { which, counts } => count(*which, counts, sequences, outs),
                    Kind::Lag { argument, distance, default } => {
                        lag(values.column(*argument), *distance, default, sequences, outs)?
                    }
                });
            }
        }
        Ok(())
    }

    /// Fills accumulators with the rows that frames hold behind the last item of each sequence, and sets
    /// where they begin.
    pub(super) fn prime(&mut self, values: &RecordBatch, sequences: &mut [Sequence]) -> Result<()> {
        for (index, frame) in self.frames.iter_mut().enumerate() {
            let (mut slots, mut places) = (Vec::new(), Vec::new());
            for sequence in sequences.iter_mut() {
                let items = &sequence.items;
                let last = items.last().map_or(0, |item| item.time);
                let start = match frame.shape {
                    OverFrame::Rows { preceding } => items.len().saturating_sub(
                        usize::try_from(preceding).unwrap_or(usize::MAX).saturating_add(1),
                    ),
                    OverFrame::Range { preceding } => {
                        items.partition_point(|item| item.time < last.saturating_sub(preceding))
                    }
                    OverFrame::RowsUnbounded | OverFrame::RangeUnbounded => 0,
                };
                sequence.starts[index] = start;
                slots.extend(std::iter::repeat_n(sequence.slot, items.len() - start));
                places.extend(items[start..].iter().map(|item| item.place));
            }
            for call in &mut frame.calls {
                match &mut call.kind {
                    Kind::Accumulate { state, argument, filter } => {
                        let part = part(values, &places, *argument, *filter)?;
                        state.update(&slots, part.0.as_ref(), part.1.as_ref())?;
                    }
                    Kind::Count { counts, .. } => {
                        for sequence in sequences.iter() {
                            let counts = &mut counts[sequence.slot as usize];
                            sequence.items.iter().for_each(|item| counts.add(item.peer));
                        }
                    }
                    Kind::Lag { .. } => {}
                }
            }
        }
        Ok(())
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        let calls = self.frames.iter().flat_map(|frame| &frame.calls);
        let bytes = calls.map(|call| match &call.kind {
            Kind::Accumulate { state, .. } => state.memory_size(),
            Kind::Count { counts, .. } => counts.capacity() * size_of::<Counts>(),
            Kind::Lag { .. } => 0,
        });
        bytes.sum()
    }
}

impl Kind {
    fn new(call: &AggregateCall, shape: OverFrame, schema: &Schema) -> Result<Self> {
        use AggregateFunction as F;
        Ok(match call.function {
            which @ (F::RowNumber | F::Rank | F::DenseRank) => {
                Self::Count { which, counts: Vec::new() }
            }
            F::Lag => {
                let argument =
                    call.argument.ok_or_else(|| Error::internal("LAG without an argument"))?;
                let null = Literal::null(schema[argument].ty.kind.clone());
                let default = call.parameters.get(1).cloned().unwrap_or(null);
                let default =
                    Literal { ty: schema[argument].ty.clone().with_nullable(true), ..default };
                let default = literal::to_array(&default)?;
                Self::Lag { argument, distance: distance(call)?, default }
            }
            F::Lead => {
                return Err(Error::unsupported("LEAD needs rows that have not come yet")
                    .help("use LAG, with the order the other way round"));
            }
            _ => Self::Accumulate {
                state: accumulator(call, schema, is_bounded(shape))?,
                argument: call.argument,
                filter: call.filter,
            },
        })
    }
}

/// The frame that a call needs rows of.
fn shape(call: &AggregateCall, frame: OverFrame) -> Result<OverFrame> {
    Ok(match call.function {
        AggregateFunction::Lag => OverFrame::Rows { preceding: distance(call)? as u64 },
        AggregateFunction::RowNumber | AggregateFunction::Rank | AggregateFunction::DenseRank => {
            OverFrame::RowsUnbounded
        }
        _ => frame,
    })
}

fn distance(call: &AggregateCall) -> Result<usize> {
    match call.parameters.first().map(|parameter| &parameter.value) {
        None => Ok(1),
        Some(Scalar::Integer(distance @ 0..=1_000_000)) => Ok(*distance as usize),
        Some(_) => Err(Error::unsupported("LAG takes a distance from 0 to 1 000 000")),
    }
}

fn is_bounded(frame: OverFrame) -> bool {
    matches!(frame, OverFrame::Rows { .. } | OverFrame::Range { .. })
}
