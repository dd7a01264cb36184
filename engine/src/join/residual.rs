//! What must hold for a pair of rows besides equal hashes: equal keys, and the condition of the join.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::JoinOn;
use tidegate_plan::{PlanSettings, Schema};
use tidegate_types::{Error, Result};

use super::equality::equal_rows;
use super::rows::{NONE, RowId, Rows, batch};

/// Decides about pairs with equal hashes.
pub(super) struct Residual {
    /// Key columns of both sides, if hashes do not decide.
    keys: Option<[Vec<usize>; 2]>,
    condition: Option<Condition>,
}

struct Condition {
    evaluator: Evaluator,
    /// Columns of each side that it reads, in this order.
    columns: [Vec<usize>; 2],
    schema: SchemaRef,
}

/// Pairs of a row of the batch and a kept row of the other side.
#[derive(Default)]
pub(super) struct Pairs {
    /// Rows of the batch, ascending.
    pub(super) rows: Vec<u32>,
    /// Rows of the other side.
    pub(super) others: Vec<RowId>,
}

impl Residual {
    /// What a join asks of pairs of rows of two schemas.
    ///
    /// # Errors
    /// What compiling the condition fails with.
    pub(super) fn new(on: &JoinOn, schemas: [&Schema; 2], settings: &PlanSettings) -> Result<Self> {
        let left = schemas[0].len();
        let condition = on.condition.as_ref().map(|expr| {
            let mut used = expr.columns();
            used.sort_unstable();
            used.dedup();
            let mut expr = expr.clone();
            expr.remap_columns(&|index| used.binary_search(&index).unwrap_or(index));
            let split = used.partition_point(|column| *column < left);
            let columns =
                [used[..split].to_vec(), used[split..].iter().map(|c| c - left).collect()];
            let fields = [0, 1].into_iter().flat_map(|side: usize| {
                let columns = &columns[side];
                columns.iter().map(move |column| schemas[side][*column].clone())
            });
            let mut fields: Schema = fields.collect();
            fields.iter_mut().for_each(|field| field.ty.nullable = true);
            let schema = arrow_schema(&fields);
            Ok::<_, Error>(Condition {
                evaluator: Evaluator::compile(&expr, settings)?,
                columns,
                schema,
            })
        });
        let exact = match on.left_keys.as_slice() {
            [] => true,
            // The hash of a single integer is a bijection; only NULL shares its hash with a value.
            [key] => is_integer(&data_type(&schemas[0][*key].ty)) && !on.null_safe.contains(&true),
            _ => false,
        };
        let keys = (!exact).then(|| [on.left_keys.clone(), on.right_keys.clone()]);
        Ok(Self { keys, condition: condition.transpose()? })
    }

    /// Whether every pair passes.
    pub(super) fn is_nothing(&self) -> bool {
        self.keys.is_none() && self.condition.is_none()
    }

    /// Keeps the pairs that pass. `input` is the side of the batch.
    ///
    /// # Errors
    /// What the condition fails with.
    pub(super) fn filter(
        &self,
        input: usize,
        probe: &[ArrayRef],
        other: &Rows,
        pairs: &mut Pairs,
        now_ms: i64,
    ) -> Result<()> {
        self.filter_keys(input, probe, other, pairs)?;
        self.filter_condition(input, probe, other, pairs, now_ms)
    }

    /// Keeps the pairs of equal keys.
    ///
    /// # Errors
    /// `INTERNAL` if a row is gone.
    pub(super) fn filter_keys(
        &self,
        input: usize,
        probe: &[ArrayRef],
        other: &Rows,
        pairs: &mut Pairs,
    ) -> Result<()> {
        let Some(keys) = self.keys.as_ref().filter(|_| !pairs.rows.is_empty()) else {
            return Ok(());
        };
        let mine = take_columns(probe, &keys[input], &pairs.rows)?;
        let others = other.gather(&keys[1 - input], &pairs.others)?;
        let passes = equal_rows(&mine, &others, pairs.rows.len())?;
        pairs.retain(&passes);
        Ok(())
    }

    /// Keeps the pairs of which the condition is TRUE.
    ///
    /// # Errors
    /// What the condition fails with.
    pub(super) fn filter_condition(
        &self,
        input: usize,
        probe: &[ArrayRef],
        other: &Rows,
        pairs: &mut Pairs,
        now_ms: i64,
    ) -> Result<()> {
        let Some(condition) = self.condition.as_ref().filter(|_| !pairs.rows.is_empty()) else {
            return Ok(());
        };
        let mine = take_columns(probe, &condition.columns[input], &pairs.rows)?;
        let others = other.gather(&condition.columns[1 - input], &pairs.others)?;
        let (mut columns, right) = if input == 0 { (mine, others) } else { (others, mine) };
        columns.extend(right);
        let rows = batch(&condition.schema, columns, pairs.rows.len())?;
        let context = EvalContext::at(now_ms);
        let passes = condition.evaluator.evaluate_filter(&rows, &context)?;
        pairs.retain(passes.values());
        Ok(())
    }
}

impl Pairs {
    /// Keeps the pairs that pass.
    pub(super) fn retain(&mut self, passes: &BooleanBuffer) {
        if passes.count_set_bits() == passes.len() {
            return;
        }
        let kept = |values: &[u32]| passes.set_indices().map(|index| values[index]).collect();
        (self.rows, self.others) = (kept(&self.rows), kept(&self.others));
    }
}

/// Some columns at some rows; [`NONE`]: NULLs.
///
/// # Errors
/// `INTERNAL` if a row does not exist.
pub(super) fn take_columns(
    columns: &[ArrayRef],
    which: &[usize],
    rows: &[u32],
) -> Result<Vec<ArrayRef>> {
    let all = columns.first().is_some_and(|column| column.len() == rows.len())
        && rows.iter().zip(0..).all(|(row, expected)| *row == expected);
    if all {
        return Ok(which.iter().map(|column| columns[*column].clone()).collect());
    }
    let indices = if rows.contains(&NONE) {
        rows.iter().map(|row| Some(*row).filter(|row| *row != NONE)).collect()
    } else {
        UInt32Array::from(rows.to_vec())
    };
    let taken = which.iter().map(|column| take(&columns[*column], &indices, None));
    taken.collect::<std::result::Result<_, _>>().map_err(|e| Error::internal(e.to_string()))
}

/// Whether values of a type have hashes of their own.
pub(super) fn is_integer(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Time32(_)
            | DataType::Timestamp(..)
            | DataType::Interval(arrow::datatypes::IntervalUnit::YearMonth)
            | DataType::Duration(_)
    )
}

/// Per row whether a key is NULL that is equal to nothing; `None`: no row's is.
pub(super) fn without_partner(
    columns: &[ArrayRef],
    keys: &[usize],
    null_safe: &[bool],
) -> Option<Vec<bool>> {
    let strict = keys.iter().zip(null_safe.iter().chain(std::iter::repeat(&false)));
    let strict = strict.filter(|(_, safe)| !**safe).map(|(key, _)| &columns[*key]);
    let mut without: Option<Vec<bool>> = None;
    for column in strict {
        if column.null_count() == 0 {
            continue;
        }
        let nulls = column.logical_nulls();
        let without = without.get_or_insert_with(|| vec![false; column.len()]);
        if let Some(nulls) = nulls {
            without.iter_mut().zip(nulls.iter()).for_each(|(without, valid)| *without |= !valid);
        }
    }
    without
}
