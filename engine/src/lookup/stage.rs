//! Joins the rows of a batch with what their keys give.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
use tidegate_functions::eval::literal;
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{JoinKind, LookupJoin, LookupKey, LookupRetry};
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, ErrorCode, Result};

use super::missed::{missed, with_missed};
use crate::connector::{Found, Lookup};
use crate::element::Changes;
use crate::keys::KeyTable;
use crate::keys::hash::{SEED, hash_array};
use crate::operator::Output;

/// The lookup join of a subtask.
pub struct LookupStage {
    lookup: Box<dyn Lookup>,
    keys: Vec<LookupKey>,
    /// Of the input and the read columns together.
    both: SchemaRef,
    input_width: usize,
    condition: Option<Evaluator>,
    output: Vec<usize>,
    schema: SchemaRef,
    outer: bool,
    timeout: Duration,
    retry: Option<LookupRetry>,
    table: String,
    batch_rows: usize,
}

/// Pairs of an input row and a found row; `None` for a row that stays alone.
#[derive(Default)]
struct Pairs {
    left: Vec<u32>,
    right: Vec<Option<u32>>,
}

impl LookupStage {
    /// The join of a plan node over `inputs` with a connection.
    ///
    /// # Errors
    /// What compiling the condition fails with.
    pub fn new(
        plan: &LookupJoin,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
        lookup: Box<dyn Lookup>,
        batch_rows: usize,
    ) -> Result<Self> {
        let input = inputs.first().ok_or_else(|| Error::internal("a lookup without input"))?;
        let mut both = input.schema.clone();
        both.extend(plan.read.iter().cloned());
        let condition = plan.condition.as_ref().map(|expr| Evaluator::compile(expr, settings));
        Ok(Self {
            lookup,
            keys: plan.keys.iter().map(|(_, key)| key.clone()).collect(),
            both: arrow_schema(&both),
            input_width: input.schema.len(),
            condition: condition.transpose()?,
            output: plan.output.clone(),
            schema: arrow_schema(&node.schema),
            outer: plan.kind == JoinKind::Left,
            timeout: Duration::from_millis(plan.timeout_ms),
            retry: plan.retry,
            table: plan.table.name.clone(),
            batch_rows,
        })
    }

    /// Joins a batch.
    ///
    /// # Errors
    /// What the lookup fails with; `UNAVAILABLE` if it takes longer than the time-out.
    pub async fn process(&mut self, changes: Changes, out: &mut Output) -> Result<()> {
        let keys = self.key_arrays(&changes.rows)?;
        let (distinct, slots) = distinct_keys(&keys)?;
        let found = self.fetch(&distinct).await?;
        let mut pairs = Pairs::default();
        let mut next = 0;
        // A few rows with very many partners must not make one huge batch.
        for (row, slot) in slots.iter().enumerate() {
            let partners = slot.map_or(&[][..], |slot| found.of(slot as usize));
            pairs.left.extend(std::iter::repeat_n(row as u32, partners.len()));
            pairs.right.extend(partners.iter().map(|place| Some(*place)));
            if pairs.left.len() >= self.batch_rows || row + 1 == slots.len() {
                self.emit(&changes, &found, std::mem::take(&mut pairs), next..row as u32 + 1, out)?;
                next = row as u32 + 1;
            }
        }
        Ok(())
    }

    fn key_arrays(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let keys = self.keys.iter().map(|key| match key {
            LookupKey::Column(column) => Ok(rows.column(*column).clone()),
            LookupKey::Constant(value) => {
                let one = literal::to_array(value)?;
                taken(&one, &UInt32Array::from(vec![0; rows.num_rows()]))
            }
        });
        keys.collect()
    }

    /// Looks keys up, and those that gave nothing again as the hint says.
    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        if keys.first().is_none_or(|key| key.is_empty()) {
            let right = self.both.fields()[self.input_width..].to_vec();
            let rows = RecordBatch::new_empty(Arc::new(Schema::new(right)));
            return Ok(Found { rows, starts: vec![0], order: Vec::new() });
        }
        self.lookup.prepare().await?;
        let mut found = self.fetch_once(keys).await?;
        let Some(retry) = self.retry else { return Ok(found) };
        for _ in 0..retry.max_attempts {
            let missing = missed(&found);
            if missing.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(retry.delay_ms)).await;
            let places = UInt32Array::from(missing.clone());
            let again: Vec<ArrayRef> =
                keys.iter().map(|key| taken(key, &places)).collect::<Result<_>>()?;
            self.lookup.prepare().await?;
            found = with_missed(&found, &missing, &self.fetch_once(&again).await?)?;
        }
        Ok(found)
    }

    async fn fetch_once(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        match tokio::time::timeout(self.timeout, self.lookup.fetch(keys)).await {
            Ok(found) => found,
            Err(_) => {
                let message = format!(
                    "looking up {} keys in table {} took longer than {} ms",
                    keys[0].len(),
                    self.table,
                    self.timeout.as_millis()
                );
                Err(Error::new(ErrorCode::Unavailable, message)
                    .help("raise 'table.exec.async-lookup.timeout', or look at the database"))
            }
        }
    }

    /// Emits the pairs of some input rows that pass the condition, and the rows that stay alone.
    fn emit(
        &self,
        changes: &Changes,
        found: &Found,
        pairs: Pairs,
        rows: std::ops::Range<u32>,
        out: &mut Output,
    ) -> Result<()> {
        let pairs = self.pass(changes, found, pairs, out.now_ms)?;
        let pairs = if self.outer { with_alone(pairs, rows) } else { pairs };
        if pairs.left.is_empty() {
            return Ok(());
        }
        let left = UInt32Array::from(pairs.left);
        let right = UInt32Array::from(pairs.right);
        let kept = changes.take(&left)?;
        let mut columns = kept.rows.columns().to_vec();
        for column in &self.output {
            columns.push(taken(found.rows.column(*column), &right)?);
        }
        let rows = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Error::internal(format!("looked-up columns: {error}")))?;
        out.emit(Changes { kinds: kept.kinds, rows });
        Ok(())
    }

    /// The pairs for which the condition is TRUE.
    fn pass(&self, changes: &Changes, found: &Found, pairs: Pairs, now: i64) -> Result<Pairs> {
        let Some(condition) = &self.condition else { return Ok(pairs) };
        if pairs.left.is_empty() {
            return Ok(pairs);
        }
        let (left, right) =
            (UInt32Array::from(pairs.left.clone()), UInt32Array::from(pairs.right.clone()));
        let mut columns = Vec::with_capacity(self.both.fields().len());
        for column in changes.rows.columns() {
            columns.push(taken(column, &left)?);
        }
        for column in found.rows.columns() {
            columns.push(taken(column, &right)?);
        }
        let both = RecordBatch::try_new(self.both.clone(), columns)
            .map_err(|error| Error::internal(format!("looked-up pairs: {error}")))?;
        let context = EvalContext::at(now);
        let passes: BooleanArray = condition.evaluate_filter(&both, &context)?;
        let kept = |index: &usize| passes.value(*index);
        let kept: Vec<usize> = (0..passes.len()).filter(kept).collect();
        Ok(Pairs {
            left: kept.iter().map(|index| pairs.left[*index]).collect(),
            right: kept.iter().map(|index| pairs.right[*index]).collect(),
        })
    }
}

/// The pairs, with the rows among `rows` that are in none, in the order of the rows.
fn with_alone(pairs: Pairs, rows: std::ops::Range<u32>) -> Pairs {
    let mut all = Pairs::default();
    let mut next = 0;
    for row in rows {
        let before = next;
        while next < pairs.left.len() && pairs.left[next] == row {
            all.left.push(row);
            all.right.push(pairs.right[next]);
            next += 1;
        }
        if next == before {
            all.left.push(row);
            all.right.push(None);
        }
    }
    all
}

/// Values at places; NULL at none.
fn taken(column: &ArrayRef, places: &UInt32Array) -> Result<ArrayRef> {
    if column.is_empty() {
        return Ok(new_null_array(column.data_type(), places.len()));
    }
    take(column, places, None).map_err(|error| Error::internal(error.to_string()))
}

/// The distinct keys without NULL, and which of them each row has.
fn distinct_keys(keys: &[ArrayRef]) -> Result<(Vec<ArrayRef>, Vec<Option<u32>>)> {
    let rows = keys.first().map_or(0, |key| key.len());
    let types: Vec<_> = keys.iter().map(|key| key.data_type().clone()).collect();
    let valid: Vec<u32> =
        (0..rows as u32).filter(|row| keys.iter().all(|key| key.is_valid(*row as usize))).collect();
    let mut slots = vec![None; rows];
    let places = UInt32Array::from(valid.clone());
    let keys = keys.iter().map(|key| taken(key, &places)).collect::<Result<Vec<_>>>()?;
    let mut hashes = vec![SEED; valid.len()];
    keys.iter().try_for_each(|key| hash_array(key, &mut hashes))?;
    let mut table = KeyTable::new(&types)?;
    let mut found = Vec::new();
    table.upsert(&keys, &hashes, &mut found)?;
    for (row, slot) in valid.iter().zip(&found) {
        slots[*row as usize] = Some(*slot);
    }
    let all: Vec<u32> = (0..table.len() as u32).collect();
    Ok((table.columns(&all)?, slots))
}
