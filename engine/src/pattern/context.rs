//! Expressions over the rows of candidates: conditions that look at earlier rows, and measures.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::operator::{MatchRecognize, RowReference};
use tidegate_plan::{AggregateCall, Expr, NamedExpr, PlanSettings};
use tidegate_types::{Error, Result};

use super::automaton::Candidate;
use super::internal;
use super::key_state::KeyState;
use super::rows::{NO_ROW, RowTable};
use super::shifted::{ABSENT, Distances};
use crate::aggregate::AccumulatorSet;

/// Rows that aggregates take at once.
const AGGREGATE_ROWS: usize = 32 << 10;

/// Where a column of an expression comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The row that is tested.
    Input(usize),
    Reference(RowReference),
    /// The aggregate's group, and its place there.
    Aggregate(usize, usize),
    /// The time of the match.
    Time,
}

/// Aggregates over the rows of one variable.
struct Group {
    variable: Option<usize>,
    /// Aggregates of the plan.
    members: Vec<usize>,
    set: AccumulatorSet,
    /// Input columns that are read, and the columns that are computed of them.
    read: Vec<usize>,
    arguments: Vec<Evaluator>,
    schema: SchemaRef,
    /// Rows of each candidate, by the candidates' places.
    slots: Vec<u32>,
    entries: Vec<u32>,
    /// Slots that have rows of earlier candidates.
    used: usize,
}

/// Expressions of one clause, and the rows that they are to be evaluated on.
pub(super) struct RowContext {
    evaluators: Vec<Evaluator>,
    sources: Vec<Source>,
    types: Vec<DataType>,
    groups: Vec<Group>,
    /// Entries by source that is a row.
    entries: Vec<Vec<u32>>,
    times: Vec<i64>,
    count: usize,
}

impl RowContext {
    /// For expressions over the columns that [`MatchRecognize`] describes; `input`: the fields of its input.
    ///
    /// # Errors
    /// What compiling an expression fails with.
    pub(super) fn new<'e>(
        exprs: impl Iterator<Item = &'e Expr> + Clone,
        plan: &MatchRecognize,
        input: &tidegate_plan::Schema,
        settings: &PlanSettings,
    ) -> Result<Self> {
        let width = input.len();
        let mut columns: Vec<usize> = exprs.clone().flat_map(Expr::columns).collect();
        columns.sort_unstable();
        columns.dedup();
        let mut groups: Vec<Group> = Vec::new();
        let (mut sources, mut types) = (Vec::new(), Vec::new());
        let (aggregates, time) = (plan.aggregate_column(width, 0), plan.time_column(width));
        for column in &columns {
            let (source, ty) = if *column < width {
                (Source::Input(*column), data_type(&input[*column].ty))
            } else if *column < aggregates {
                let reference = plan.references.get(column - width).copied();
                let reference = reference.ok_or_else(|| Error::internal("no such reference"))?;
                (Source::Reference(reference), data_type(&input[reference.column].ty))
            } else if *column < time {
                let index = column - aggregates;
                let variable = plan.aggregates[index].variable;
                let known = groups.iter().position(|group| group.variable == variable);
                let group = known.unwrap_or(groups.len());
                if known.is_none() {
                    groups.push(Group::empty(variable)?);
                }
                groups[group].members.push(index);
                let ty = data_type(&plan.aggregates[index].call.ty);
                (Source::Aggregate(group, groups[group].members.len() - 1), ty)
            } else {
                let own = plan.time.ok_or_else(|| Error::internal("no time of the match"))?;
                let ty = match *column == time {
                    true => data_type(&input[own].ty),
                    false => DataType::Timestamp(TimeUnit::Millisecond, None),
                };
                (Source::Time, ty)
            };
            sources.push(source);
            types.push(ty);
        }
        for group in &mut groups {
            group.compile(plan, input, settings)?;
        }
        let compiled = exprs.map(|expr| {
            let mut expr = expr.clone();
            expr.remap_columns(&|index| columns.binary_search(&index).unwrap_or(index));
            Evaluator::compile(&expr, settings)
        });
        let evaluators = compiled.collect::<Result<Vec<_>>>()?;
        let entries = vec![Vec::new(); sources.len()];
        Ok(Self { evaluators, sources, types, groups, entries, times: Vec::new(), count: 0 })
    }

    /// Candidates that were added.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds a candidate of a key, with the entry of the row that is tested (the last of the candidate) and a
    /// time.
    pub(super) fn add(&mut self, candidate: &Candidate, state: &KeyState, tested: u32, time: i64) {
        for (source, entries) in self.sources.iter().zip(&mut self.entries) {
            match source {
                Source::Input(_) => entries.push(tested),
                Source::Reference(reference) => {
                    let row = row_of(reference, candidate).and_then(|row| state.entry(row));
                    entries.push(row.unwrap_or(NO_ROW));
                }
                Source::Aggregate(..) | Source::Time => {}
            }
        }
        for group in &mut self.groups {
            let (start, rows) = candidate.rows_of(group.variable);
            for row in start..start + rows {
                if let Some(entry) = state.entry(row) {
                    group.slots.push(self.count as u32);
                    group.entries.push(entry);
                }
            }
        }
        self.times.push(time);
        self.count += 1;
    }

    /// How far back from a candidate's last row, numbered `row`, those lie that the expressions refer to; none
    /// if they depend on other things too.
    pub(super) fn distances(&self, candidate: &Candidate, row: u64) -> Option<Distances> {
        if !self.groups.is_empty() {
            return None;
        }
        let mut distances = Distances::new();
        for source in &self.sources {
            match source {
                Source::Input(_) => {}
                Source::Reference(reference) => {
                    let distance = row_of(reference, candidate).map(|other| row - other);
                    let distance = distance.map_or(Some(ABSENT), |one| u32::try_from(one).ok())?;
                    distances.push(distance);
                }
                Source::Aggregate(..) | Source::Time => return None,
            }
        }
        Some(distances)
    }

    /// Adds a row that is tested, with those that the expressions refer to.
    pub(super) fn add_at(&mut self, tested: u32, mut referred: impl Iterator<Item = u32>) {
        for (source, entries) in self.sources.iter().zip(&mut self.entries) {
            match source {
                Source::Input(_) => entries.push(tested),
                Source::Reference(_) => entries.push(referred.next().unwrap_or(NO_ROW)),
                Source::Aggregate(..) | Source::Time => {}
            }
        }
        self.times.push(0);
        self.count += 1;
    }

    /// Evaluates the expressions on the candidates that were added, which are forgotten.
    ///
    /// # Errors
    /// `EVALUATION` as the expressions do.
    pub(super) fn evaluate(
        &mut self,
        rows: &RowTable,
        context: &EvalContext,
    ) -> Result<Vec<ArrayRef>> {
        let mut results = Vec::with_capacity(self.groups.len());
        for group in &mut self.groups {
            results.push(group.results(self.count, rows, context)?);
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.sources.len());
        for (index, source) in self.sources.iter().enumerate() {
            let entries = std::mem::take(&mut self.entries[index]);
            let column = match source {
                Source::Input(column) | Source::Reference(RowReference { column, .. }) => {
                    rows.gather(&entries, &[*column])?.pop()
                }
                Source::Aggregate(group, member) => results[*group].get(*member).cloned(),
                Source::Time => {
                    let times = Int64Array::from(self.times.clone());
                    Some(cast(&times, &self.types[index]).map_err(internal)?)
                }
            };
            columns.push(column.ok_or_else(|| Error::internal("a column of a pattern is gone"))?);
            self.entries[index] = entries;
            self.entries[index].clear();
        }
        let fields = columns.iter().enumerate().map(|(index, column)| {
            Field::new(format!("c{index}"), column.data_type().clone(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        let batch =
            RecordBatch::try_new_with_options(schema, columns, &options).map_err(internal)?;
        self.times.clear();
        self.count = 0;
        self.evaluators.iter().map(|evaluator| evaluator.evaluate(&batch, context)).collect()
    }

    /// As [`RowContext::evaluate`] of the only expression, a condition: where it is TRUE.
    ///
    /// # Errors
    /// As [`RowContext::evaluate`].
    pub(super) fn holds(&mut self, rows: &RowTable, context: &EvalContext) -> Result<BooleanArray> {
        let values = self.evaluate(rows, context)?;
        let values = values.first().and_then(|array| array.as_any().downcast_ref::<BooleanArray>());
        let values = values.ok_or_else(|| Error::internal("a condition is not BOOLEAN"))?;
        Ok(match values.null_count() {
            0 => values.clone(),
            _ => arrow::compute::prep_null_mask_filter(values),
        })
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.groups.iter().map(|group| group.set.memory_size()).sum()
    }
}

/// The number of the row that a reference is of.
fn row_of(reference: &RowReference, candidate: &Candidate) -> Option<u64> {
    let (start, rows) = candidate.rows_of(reference.variable);
    let place = match reference.first {
        true => Some(reference.offset).filter(|offset| *offset < rows),
        false => rows.checked_sub(reference.offset)?.checked_sub(1),
    };
    Some(start + place?)
}

impl Group {
    fn empty(variable: Option<usize>) -> Result<Self> {
        Ok(Self {
            variable,
            members: Vec::new(),
            set: AccumulatorSet::new(&[], &Vec::new(), false)?,
            read: Vec::new(),
            arguments: Vec::new(),
            schema: Arc::new(Schema::empty()),
            slots: Vec::new(),
            entries: Vec::new(),
            used: 0,
        })
    }

    /// Finds the columns that the members read.
    fn compile(
        &mut self,
        plan: &MatchRecognize,
        input: &tidegate_plan::Schema,
        settings: &PlanSettings,
    ) -> Result<()> {
        let mut all: Vec<NamedExpr> = Vec::new();
        let mut calls: Vec<AggregateCall> = Vec::new();
        for member in &self.members {
            let mut call = plan.aggregates[*member].call.clone();
            if let Some(argument) = call.argument {
                let named = match argument.checked_sub(input.len()) {
                    Some(computed) => plan.computed[computed].clone(),
                    None => NamedExpr {
                        name: input[argument].name.clone(),
                        expr: Expr::column(argument, input[argument].ty.clone()),
                    },
                };
                let known = all.iter().position(|other| other.expr == named.expr);
                call.argument = Some(known.unwrap_or(all.len()));
                if known.is_none() {
                    all.push(named);
                }
            }
            calls.push(call);
        }
        self.read = all.iter().flat_map(|named| named.expr.columns()).collect();
        self.read.sort_unstable();
        self.read.dedup();
        let read = &self.read;
        let compiled = all.iter().map(|named| {
            let mut expr = named.expr.clone();
            expr.remap_columns(&|index| read.binary_search(&index).unwrap_or(index));
            Evaluator::compile(&expr, settings)
        });
        self.arguments = compiled.collect::<Result<_>>()?;
        let arguments: tidegate_plan::Schema = all
            .iter()
            .map(|named| tidegate_types::Field::new(named.name.clone(), named.expr.ty().clone()))
            .collect();
        self.set = AccumulatorSet::new(&calls, &arguments, false)?;
        let fields = self.read.iter().map(|column| {
            Field::new(input[*column].name.clone(), data_type(&input[*column].ty), true)
        });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(())
    }

    /// The results for `count` candidates, a column per member.
    fn results(
        &mut self,
        count: usize,
        rows: &RowTable,
        context: &EvalContext,
    ) -> Result<Vec<ArrayRef>> {
        self.set.resize(count.max(self.used));
        (0..self.used as u32).for_each(|slot| self.set.reset(slot));
        self.used = count;
        let (slots, entries) = (std::mem::take(&mut self.slots), std::mem::take(&mut self.entries));
        for (slots, entries) in slots.chunks(AGGREGATE_ROWS).zip(entries.chunks(AGGREGATE_ROWS)) {
            let columns = rows.gather(entries, &self.read)?;
            let options = RecordBatchOptions::new().with_row_count(Some(entries.len()));
            let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
            let batch = batch.map_err(internal)?;
            let arguments = self.arguments.iter().map(|one| one.evaluate(&batch, context));
            let arguments = arguments.collect::<Result<Vec<_>>>()?;
            let fields = arguments.iter().enumerate().map(|(index, column)| {
                Field::new(format!("a{index}"), column.data_type().clone(), true)
            });
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let batch = RecordBatch::try_new_with_options(schema, arguments, &options);
            self.set.update(slots, &batch.map_err(internal)?)?;
        }
        (self.slots, self.entries) = (slots, entries);
        self.slots.clear();
        self.entries.clear();
        let all: Vec<u32> = (0..count as u32).collect();
        self.set.results(&all)
    }
}
