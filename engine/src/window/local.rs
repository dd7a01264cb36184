//! The local phase of a window aggregate: combines rows of the same slice and key before the
//! exchange, and sends the partial states on when a slice is complete by the local watermark,
//! when there are many groups, and before each barrier. It keeps no state of its own.
//!
//! Where keys hardly repeat, combining them costs more than it saves, and what is held back would have
//! to be sent at the barrier: for a while rows are then combined within their batch only.
//!
//! Output: `slice_end` (Int64), the keys, the partial states, `rows` (Int64: how many rows the
//! partial stands for, so that the global phase can count late ones).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::WindowTime;
use tidegate_plan::{AggregateCall, AggregateFunction, Schema};
use tidegate_types::{Error, Result, TypeKind, Watermark};

use super::assign;
use super::slice::Slices;
use super::store::{GroupSpec, Groups};
use super::time::WindowZone;
use crate::aggregate::worth::Worth;
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{Operator, OperatorContext, Output, Progress};

/// Groups in all slices above which everything is sent on, and after which it is judged whether
/// combining is worth it.
const MAX_GROUPS: usize = if cfg!(test) { 40 } else { 32 << 10 };
/// Pre-aggregates rows by slice and keys.
pub struct LocalWindowAggregate {
    column: usize,
    keys: Vec<usize>,
    slices: Slices,
    zone: WindowZone,
    spec: GroupSpec,
    output: SchemaRef,
    batch_rows: usize,
    groups: BTreeMap<i64, Groups>,
    group_count: usize,
    worth: Worth<MAX_GROUPS>,
    /// Slices up to this end are being sent on.
    flushing: i64,
    part: Option<(i64, Groups, usize)>,
    slots: Vec<u32>,
    hashes: Vec<u64>,
}

impl LocalWindowAggregate {
    /// The local phase of a plan node over event time.
    ///
    /// # Errors
    /// `INTERNAL` if the node's windows have no slices or are not over event time.
    pub fn new(plan: &Plan, input_schema: &Schema, zone: WindowZone) -> Result<Self> {
        let WindowTime::Event { column } = plan.time else {
            return Err(Error::internal("a local phase needs an event-time window"));
        };
        let mut calls = plan.aggregates.clone();
        calls.push(row_count());
        let spec = GroupSpec {
            key_types: plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect(),
            calls,
            input: input_schema.clone(),
            retracts: false,
        };
        Ok(Self {
            column,
            keys: plan.keys.clone(),
            slices: Slices::new(&plan.shape)?,
            zone,
            output: output_schema(&spec)?,
            spec,
            batch_rows: 8192,
            groups: BTreeMap::new(),
            group_count: 0,
            worth: Worth::default(),
            flushing: i64::MIN,
            part: None,
            slots: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Columns of the output that hold the keys, for the exchange.
    pub fn output_keys(&self) -> Vec<usize> {
        (1..=self.keys.len()).collect()
    }

    /// Columns of the output.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    fn emit_part(&mut self, out: &mut Output) -> Result<Progress> {
        if self.part.is_none() {
            let Some(entry) = self.groups.first_entry().filter(|e| *e.key() <= self.flushing)
            else {
                self.flushing = i64::MIN;
                return Ok(Progress::Done);
            };
            let (end, groups) = entry.remove_entry();
            self.group_count -= groups.keys.len();
            self.part = Some((end, groups, 0));
        }
        let Some((end, groups, next)) = &mut self.part else { return Ok(Progress::Done) };
        let until = groups.keys.len().min(*next + self.batch_rows);
        let slots: Vec<u32> = (*next as u32..until as u32).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_value(*end, slots.len()))];
        columns.extend(groups.keys.columns(&slots)?);
        columns.extend(groups.accumulators.state(&slots)?);
        *next = until;
        if until == groups.keys.len() {
            self.part = None;
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns)
            .map_err(|error| Error::internal(format!("partial window state: {error}")))?;
        out.emit(Changes::append(rows));
        Ok(Progress::More)
    }
}

impl Operator for LocalWindowAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.batch_rows = context.batch_rows;
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let rows = &changes.rows;
        let mut made = 0;
        hash_columns(rows, &self.keys, &mut self.hashes)?;
        let times = assign::times(rows.column(self.column), "the rowtime of a row")?;
        let ends: Vec<i64> =
            times.iter().map(|time| self.slices.slice_end(self.zone.to_local(*time))).collect();
        for part in assign::split(rows, &self.hashes, |row| Some((ends[row], 0)))? {
            let keys: Vec<ArrayRef> =
                self.keys.iter().map(|key| part.rows.column(*key).clone()).collect();
            let groups = match self.groups.entry(part.end) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(self.spec.groups()?)
                }
            };
            let before = groups.keys.len();
            groups.upsert(&keys, &part.hashes, &mut self.slots)?;
            groups.accumulators.update(&self.slots, &part.rows)?;
            made += groups.keys.len() - before;
        }
        self.group_count += made;
        if self.worth.passes(rows.num_rows(), made) || self.group_count > MAX_GROUPS {
            self.before_barrier(out)?;
            while self.emit_part(out)? == Progress::More {}
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        if let Some((last, _)) =
            self.groups.range(..).rfind(|(end, _)| self.zone.completion(**end) <= watermark)
        {
            self.flushing = *last;
        }
        Ok(())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        self.emit_part(out)
    }

    fn before_barrier(&mut self, _out: &mut Output) -> Result<()> {
        self.flushing = i64::MAX;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.groups.values().map(Groups::memory_size).sum()
    }
}

fn row_count() -> AggregateCall {
    AggregateCall {
        function: AggregateFunction::Count,
        argument: None,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "rows".to_owned(),
        ty: TypeKind::BigInt.not_null(),
    }
}

fn output_schema(spec: &GroupSpec) -> Result<SchemaRef> {
    let keys = spec.key_types.iter().enumerate();
    let keys = keys.map(|(i, ty)| Field::new(format!("key{i}"), ty.clone(), true));
    let states = spec.state_types()?.into_iter().enumerate();
    let states = states.map(|(i, ty)| Field::new(format!("state{i}"), ty, true));
    let end = Field::new("slice_end", DataType::Int64, false);
    let fields: Vec<Field> = std::iter::once(end).chain(keys).chain(states).collect();
    Ok(Arc::new(arrow::datatypes::Schema::new(fields)))
}
