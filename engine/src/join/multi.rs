//! The inner join of several tables by one key. Only the inputs are kept: a batch of one is looked up among the rows of
//! the others, one after the other, and what would be the rows of a join below is never stored.
//!
//! A batch is worked through depth first, in blocks: combinations of its rows with rows of the first other inputs are
//! extended by those of the next one, a block at a time, so that keys with many rows everywhere take little memory.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::MultiJoin as Plan;
use tidegate_plan::{Expr, Node, PlanSettings};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result};

use super::equality::equal_rows;
use super::residual::{Pairs, is_integer, take_columns, without_partner};
use super::rows::{NONE, RowId, batch};
use super::side::{New, Side, SideSpec};
use super::snapshot::MULTI_TABLES;
use super::state::{Keeps, Kept, State};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Blocks that one call emits.
const BLOCKS: usize = 4;

/// Joins several append-only inputs, keeping all of them.
pub struct MultiJoin {
    inputs: Inputs,
    state: State,
}

struct Inputs {
    sides: Vec<Side>,
    keys: Vec<Vec<usize>>,
    /// Whether equal hashes mean equal keys.
    exact: bool,
    conditions: Vec<Condition>,
    output: SchemaRef,
    batch_rows: usize,
    work: Option<Work>,
}

/// A condition beside the key. It is tested as soon as a combination has rows of all inputs that it reads.
struct Condition {
    evaluator: Evaluator,
    /// Inputs with the columns that it reads, which are those of the schema.
    reads: Vec<(usize, Vec<usize>)>,
    schema: SchemaRef,
}

/// A batch that is being joined.
struct Work {
    input: usize,
    rows: RecordBatch,
    hashes: Vec<u64>,
    /// Rows with a NULL in their key.
    loose: Option<Vec<bool>>,
    /// The other inputs in the order in which they are looked up.
    order: Vec<usize>,
    /// At each place combinations with the inputs before it.
    levels: Vec<Level>,
    now_ms: i64,
}

/// Combinations of a row of the batch and rows of the first other inputs, and how far they were extended.
#[derive(Default)]
struct Level {
    rows: Vec<u32>,
    /// By place in the order.
    others: Vec<Vec<RowId>>,
    /// The combination whose chain is walked, and the next row in it unless it has not begun.
    step: usize,
    at: Option<RowId>,
}

impl MultiJoin {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// What compiling the condition fails with, `INTERNAL` if the plan contradicts itself.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        if plan.keys.len() != inputs.len() || inputs.len() > MULTI_TABLES.len() {
            return Err(Error::internal("a join of several inputs has a key for each"));
        }
        if inputs.iter().any(|input| !input.changelog.is_append()) {
            return Err(Error::internal("a join of several inputs reads inserted rows only"));
        }
        let sides = inputs.iter().zip(&plan.keys).map(|(input, keys)| {
            Side::new(SideSpec {
                schema: arrow_schema(&input.schema),
                keys: keys.clone(),
                removable: false,
                identity: None,
                counted: false,
                expiring: false,
                timed: false,
                ttl: 0,
                names_forgotten: false,
            })
        });
        let sides = sides.collect::<Result<Vec<_>>>()?;
        let exact = match plan.keys.first().map(Vec::as_slice) {
            Some([key]) => is_integer(sides[0].spec.schema.field(*key).data_type()),
            _ => false,
        };
        let conditions = plan.conditions.iter();
        let conditions = conditions.map(|expr| Condition::new(expr, inputs, settings));
        let conditions = conditions.collect::<Result<_>>()?;
        let inputs = Inputs {
            sides,
            keys: plan.keys.clone(),
            exact,
            conditions,
            output: arrow_schema(&node.schema),
            batch_rows: 8192,
            work: None,
        };
        Ok(Self { inputs, state: State::default() })
    }
}

impl Condition {
    fn new(expr: &Expr, inputs: &[&Node], settings: &PlanSettings) -> Result<Self> {
        let mut used = expr.columns();
        used.sort_unstable();
        used.dedup();
        let (mut reads, mut fields, mut start) = (Vec::new(), Vec::new(), 0);
        for (number, input) in inputs.iter().enumerate() {
            let own = start..start + input.schema.len();
            let columns = used.iter().filter(|column| own.contains(column));
            let columns: Vec<usize> = columns.map(|column| column - start).collect();
            fields.extend(columns.iter().map(|column| input.schema[*column].clone()));
            if !columns.is_empty() {
                reads.push((number, columns));
            }
            start = own.end;
        }
        let mut expr = expr.clone();
        expr.remap_columns(&|column| used.binary_search(&column).unwrap_or(column));
        let evaluator = Evaluator::compile(&expr, settings)?;
        Ok(Self { evaluator, reads, schema: arrow_schema(&fields) })
    }
}

impl Work {
    /// Whether a combination of so many other inputs has rows of one.
    fn has(&self, input: usize, others: usize) -> bool {
        input == self.input || self.order[..others].contains(&input)
    }
}

impl Inputs {
    /// Takes a batch of an input.
    fn begin(&mut self, input: usize, rows: RecordBatch, now_ms: i64) -> Result<()> {
        let mut hashes = Vec::new();
        hash_columns(&rows, &self.keys[input], &mut hashes)?;
        let loose = without_partner(rows.columns(), &self.keys[input], &[]);
        let mut order: Vec<usize> = (0..self.sides.len()).filter(|other| *other != input).collect();
        // Few rows first: what has no partner there is not looked up elsewhere.
        order.sort_by_key(|other| self.sides[*other].live);
        let tied = |row: &u32| loose.as_ref().is_none_or(|loose| !loose[*row as usize]);
        let all = (0..rows.num_rows() as u32).filter(tied).collect();
        let levels = vec![Level { rows: all, ..Level::default() }];
        self.work = Some(Work { input, rows, hashes, loose, order, levels, now_ms });
        Ok(())
    }

    /// Works on the batch under way; it is kept once it is done.
    fn run(&mut self, out: &mut Output) -> Result<()> {
        let mut blocks = 0;
        while blocks < BLOCKS
            && let Some(mut work) = self.work.take()
        {
            while work.levels.last().is_some_and(|level| level.step == level.rows.len()) {
                work.levels.pop();
            }
            if work.levels.is_empty() {
                self.keep(work)?;
                continue;
            }
            let next = self.extended(&mut work)?;
            if next.others.len() < work.order.len() {
                work.levels.push(next);
            } else if let Some(rows) = self.joined(&work, &next)? {
                out.emit(Changes::append(rows));
                blocks += 1;
            }
            self.work = Some(work);
        }
        Ok(())
    }

    /// A block of the last combinations with rows of the next input, without those that miss a condition.
    fn extended(&self, work: &mut Work) -> Result<Level> {
        let place = work.levels.len() - 1;
        let other = work.order[place];
        let links = &self.sides[other].links;
        let Some(level) = work.levels.last_mut() else { return Ok(Level::default()) };
        let mut pairs = Pairs::default();
        while level.step < level.rows.len() && pairs.rows.len() < self.batch_rows {
            let hash = work.hashes[level.rows[level.step] as usize];
            let mut at = level.at.take().unwrap_or_else(|| links.first(hash));
            while at != NONE && pairs.rows.len() < self.batch_rows {
                pairs.rows.push(level.step as u32);
                pairs.others.push(at);
                at = links.next(at);
            }
            match at {
                NONE => level.step += 1,
                at => level.at = Some(at),
            }
        }
        let rows = |pairs: &Pairs| -> Vec<u32> {
            pairs.rows.iter().map(|step| level.rows[*step as usize]).collect()
        };
        if !self.exact && !pairs.rows.is_empty() {
            let mine = take_columns(work.rows.columns(), &self.keys[work.input], &rows(&pairs))?;
            let others = self.sides[other].rows.gather(&self.keys[other], &pairs.others)?;
            let passes = equal_rows(&mine, &others, pairs.rows.len())?;
            pairs.retain(&passes);
        }
        let of = |others: &Vec<RowId>| -> Vec<RowId> {
            pairs.rows.iter().map(|step| others[*step as usize]).collect()
        };
        let mut others: Vec<Vec<RowId>> = level.others.iter().map(of).collect();
        let rows = rows(&pairs);
        others.push(pairs.others);
        let mut next = Level { rows, others, ..Level::default() };
        for condition in &self.conditions {
            let all =
                |others: usize| condition.reads.iter().all(|(input, _)| work.has(*input, others));
            let before = place > 0 && all(place);
            if all(place + 1) && !before && !next.rows.is_empty() {
                self.test(condition, work, &mut next)?;
            }
        }
        Ok(next)
    }

    /// Keeps the combinations of which a condition is TRUE.
    fn test(&self, condition: &Condition, work: &Work, level: &mut Level) -> Result<()> {
        let mut columns = Vec::with_capacity(condition.schema.fields().len());
        for (input, read) in &condition.reads {
            columns.extend(self.gather(*input, read, work, level)?);
        }
        let rows = batch(&condition.schema, columns, level.rows.len())?;
        let context = EvalContext::at(work.now_ms);
        let passes = condition.evaluator.evaluate_filter(&rows, &context)?;
        let passes = passes.values();
        let kept = |values: &[u32]| passes.set_indices().map(|row| values[row]).collect();
        level.others = level.others.iter().map(|others| kept(others)).collect();
        level.rows = kept(&level.rows);
        Ok(())
    }

    /// Columns of an input of combinations.
    fn gather(
        &self,
        input: usize,
        columns: &[usize],
        work: &Work,
        level: &Level,
    ) -> Result<Vec<ArrayRef>> {
        match work.order.iter().position(|other| *other == input) {
            Some(place) => self.sides[input].rows.gather(columns, &level.others[place]),
            None => take_columns(work.rows.columns(), columns, &level.rows),
        }
    }

    /// Output rows of combinations of rows of all inputs; `None` if there are none.
    fn joined(&self, work: &Work, level: &Level) -> Result<Option<RecordBatch>> {
        if level.rows.is_empty() {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.output.fields().len());
        for (input, side) in self.sides.iter().enumerate() {
            let all: Vec<usize> = (0..side.spec.schema.fields().len()).collect();
            columns.extend(self.gather(input, &all, work, level)?);
        }
        batch(&self.output, columns, level.rows.len()).map(Some)
    }

    /// The batch is done: its rows can be found from now on.
    fn keep(&mut self, work: Work) -> Result<()> {
        let (mut rows, mut hashes) = (work.rows, work.hashes);
        if let Some(loose) = work.loose {
            let tied: Vec<u32> =
                (0..loose.len() as u32).filter(|row| !loose[*row as usize]).collect();
            hashes = tied.iter().map(|row| hashes[*row as usize]).collect();
            rows = take_record_batch(&rows, &UInt32Array::from(tied)).map_err(internal)?;
        }
        let new = New { hashes: &hashes, now: work.now_ms, ..New::default() };
        let side = &mut self.sides[work.input];
        side.add(&rows, new)?;
        #[cfg(test)]
        side.check();
        Ok(())
    }
}

impl Keeps for Inputs {
    fn sides(&self) -> &[Side] {
        &self.sides
    }

    fn kept(&mut self) -> Kept<'_> {
        Kept {
            sides: &mut self.sides,
            tables: &MULTI_TABLES,
            null_safe: &[],
            clock: None,
            now: MIN_WATERMARK,
        }
    }
}

impl Operator for MultiJoin {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.inputs.batch_rows = context.batch_rows.max(1);
        self.state.open(context);
        Ok(())
    }

    fn restore(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        self.state.restore(&mut self.inputs, table, version, entries, groups)
    }

    fn restored(&mut self) -> Result<()> {
        self.state.restored(&mut self.inputs)
    }

    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        self.inputs.begin(input, changes.rows, out.now_ms)?;
        self.drain(out).map(drop)
    }

    fn is_pending(&self) -> bool {
        self.inputs.work.is_some()
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        self.inputs.run(out)?;
        if self.inputs.work.is_some() {
            return Ok(Progress::More);
        }
        self.state.weigh(&mut self.inputs)?;
        Ok(Progress::Done)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        self.state.snapshot(&mut self.inputs, false, request)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.state.copy(entries)
    }

    fn abandon_copy(&mut self) {
        self.state.abandon();
    }

    fn spilled_bytes(&self) -> usize {
        self.inputs.spilled_bytes()
    }

    fn state_rows(&self) -> u64 {
        self.inputs.live()
    }

    fn state_bytes(&self) -> usize {
        self.inputs.memory_size()
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}
