//! The local phase of a group aggregate: combines rows of the same group before the exchange. Partial states of a
//! batch go on at once, in mini-batch mode when the bundle is complete. It keeps no state of its own.
//!
//! Where keys hardly repeat, rows are not looked up for a while: each becomes a partial state of its own.
//!
//! Output: the keys, the partial states, and where rows may be taken back `rows` (Int64): how many more
//! rows there are.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::operator::GroupAggregate as Plan;
use tidegate_plan::{AggregateFunction, Exchange, MiniBatch, Node, PlanSettings};
use tidegate_types::{Error, Result, Watermark};

use super::state::GroupState;
use crate::aggregate::worth::Worth;
use crate::element::Changes;
use crate::keyed::{Keyed, SlotValues};
use crate::keys::KeyTable;
use crate::keys::hash::hash_columns;
use crate::operator::{Operator, OperatorContext, Output};

/// Groups after which it is judged whether combining is worth it, and above which a bundle goes on.
const MAX_GROUPS: usize = if cfg!(test) { 40 } else { 32 << 10 };

/// Whether a local phase runs before the exchange into an aggregate: where the plan wants one and partial
/// states can be combined, which values of DISTINCT arguments and orders of arrival cannot.
pub fn is_two_phase(plan: &Plan, node: &Node, inputs: &[&Node]) -> bool {
    use AggregateFunction as F;
    let append = inputs.iter().all(|input| input.changelog.is_append());
    let exchanged =
        node.inputs.iter().all(|i| matches!(i.exchange, Exchange::Hash { .. } | Exchange::Single));
    let combines = plan.aggregates.iter().all(|call| {
        !call.distinct
            && match call.function {
                F::Count | F::Sum | F::Sum0 | F::Avg | F::Min | F::Max => true,
                F::Collect | F::Percentile => true,
                F::SingleValue => false,
                _ => append,
            }
    });
    plan.two_phase && exchanged && combines
}

/// Pre-aggregates rows by keys.
pub struct LocalGroupAggregate {
    plan: Plan,
    input: Node,
    types: Vec<DataType>,
    output: SchemaRef,
    mini_batch: Option<MiniBatch>,
    keys: KeyTable,
    state: GroupState,
    /// Stands for the groups of DISTINCT values, of which there are none.
    no_groups: Keyed,
    worth: Worth<MAX_GROUPS>,
    rows: u64,
    deadline: Option<i64>,
    batch_rows: usize,
    slots: Vec<u32>,
    hashes: Vec<u64>,
}

impl LocalGroupAggregate {
    /// The local phase of a plan node over `input`.
    ///
    /// # Errors
    /// As [`super::GroupAggregate::new`].
    pub fn new(plan: &Plan, input: &Node, settings: &PlanSettings) -> Result<Self> {
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let state = new_state(plan, input, &types)?;
        let named = |prefix: &'static str, types: &[DataType]| -> Vec<Field> {
            let types = types.iter().enumerate();
            types.map(|(i, ty)| Field::new(format!("{prefix}{i}"), ty.clone(), true)).collect()
        };
        let mut fields = named("key", &types);
        fields.extend(named("state", &state.types()));
        Ok(Self {
            plan: plan.clone(),
            input: input.clone(),
            output: Arc::new(Schema::new(fields)),
            mini_batch: settings.mini_batch.filter(|mini| mini.latency_ms > 0),
            keys: KeyTable::new(&types)?,
            state,
            no_groups: Keyed::new("none", &types, &[], 0)?,
            types,
            worth: Worth::default(),
            rows: 0,
            deadline: None,
            batch_rows: 8192,
            slots: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Columns of the output that hold the keys, for the exchange.
    pub fn output_keys(&self) -> Vec<usize> {
        (0..self.types.len()).collect()
    }

    /// Columns of the output.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    fn emit(&self, columns: Vec<ArrayRef>, rows: usize, out: &mut Output) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)
            .map_err(|error| Error::internal(format!("partial states of groups: {error}")))?;
        for from in (0..rows).step_by(self.batch_rows) {
            out.emit(Changes::append(batch.slice(from, self.batch_rows.min(rows - from))));
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut Output) -> Result<()> {
        (self.rows, self.deadline) = (0, None);
        let groups = self.keys.len();
        if groups == 0 {
            return Ok(());
        }
        let slots: Vec<u32> = (0..groups as u32).collect();
        let mut columns = self.keys.columns(&slots)?;
        columns.extend(self.state.columns(&slots)?);
        self.keys = KeyTable::new(&self.types)?;
        self.state = new_state(&self.plan, &self.input, &self.types)?;
        self.emit(columns, groups, out)
    }

    /// Each row as a partial state.
    fn pass(&mut self, changes: &Changes, keys: Vec<ArrayRef>, out: &mut Output) -> Result<()> {
        let mut state = new_state(&self.plan, &self.input, &self.types)?;
        let slots: Vec<u32> = (0..changes.len() as u32).collect();
        state.resize(slots.len());
        state.apply(&slots, changes, &self.no_groups)?;
        let columns = keys.into_iter().chain(state.columns(&slots)?).collect();
        self.emit(columns, slots.len(), out)
    }
}

fn new_state(plan: &Plan, input: &Node, types: &[DataType]) -> Result<GroupState> {
    let retracts = !input.changelog.is_append();
    GroupState::new(&plan.aggregates, &input.schema, (types, types.len()), retracts)
}

impl Operator for LocalGroupAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.batch_rows = context.batch_rows;
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let rows = &changes.rows;
        let keys: Vec<ArrayRef> =
            self.plan.keys.iter().map(|key| rows.column(*key).clone()).collect();
        if self.worth.is_passing() && !self.types.is_empty() {
            self.flush(out)?;
            self.worth.passes(changes.len(), changes.len());
            return self.pass(&changes, keys, out);
        }
        hash_columns(rows, &self.plan.keys, &mut self.hashes)?;
        let before = self.keys.len();
        self.keys.upsert(&keys, &self.hashes, &mut self.slots)?;
        let groups = self.keys.len();
        self.state.resize(groups);
        self.state.apply(&self.slots, &changes, &self.no_groups)?;
        self.rows += changes.len() as u64;
        let passes = self.worth.passes(changes.len(), groups - before);
        let Some(mini) = self.mini_batch.filter(|_| !passes && groups < MAX_GROUPS) else {
            return self.flush(out);
        };
        if self.rows >= mini.size {
            return self.flush(out);
        }
        let wait = i64::try_from(mini.latency_ms).unwrap_or(i64::MAX);
        self.deadline.get_or_insert(out.now_ms.saturating_add(wait));
        Ok(())
    }

    fn watermark(&mut self, _watermark: Watermark, out: &mut Output) -> Result<()> {
        self.flush(out)
    }

    fn next_timer(&self) -> Option<i64> {
        self.deadline
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.flush(out)
    }

    fn before_barrier(&mut self, out: &mut Output) -> Result<()> {
        self.flush(out)
    }

    fn state_bytes(&self) -> usize {
        self.keys.memory_size() + self.state.memory_size()
    }
}
