//! `CASE`, `AND` and `OR`: what can fail runs only on the rows that reach it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{and_kleene, interleave, or_kleene};
use arrow::datatypes::DataType;
use tidegate_types::Result;

use super::frame::Frame;
use super::{EvalContext, Evaluator, NodeId, definite};
use crate::function::Value;
use crate::vector::{self, arrow_error};

/// Evaluates a searched `CASE`.
pub(super) fn case(
    program: &Evaluator,
    branches: &[(NodeId, NodeId)],
    otherwise: NodeId,
    ty: &DataType,
    frame: &Frame<'_>,
    context: &EvalContext,
) -> Result<Value> {
    let safe = |id: &NodeId| program.infallible[*id];
    let all_safe = safe(&otherwise)
        && branches.iter().all(|(condition, value)| safe(condition) && safe(value));
    if all_safe {
        eager_case(program, branches, otherwise, ty, frame, context)
    } else {
        lazy_case(program, branches, otherwise, ty, frame, context)
    }
}

/// Every branch on every row, merged from the last to the first.
fn eager_case(
    program: &Evaluator,
    branches: &[(NodeId, NodeId)],
    otherwise: NodeId,
    ty: &DataType,
    frame: &Frame<'_>,
    context: &EvalContext,
) -> Result<Value> {
    let mut merged = typed(program.value(otherwise, frame, context)?, ty)?;
    for (condition, value) in branches.iter().rev() {
        let condition = program.value(*condition, frame, context)?;
        if condition.is_constant() {
            let mask = vector::booleans(condition.array())?;
            if mask.is_valid(0) && mask.value(0) {
                merged = typed(program.value(*value, frame, context)?, ty)?;
            }
            continue;
        }
        let mask = vector::booleans(condition.array())?;
        let value = typed(program.value(*value, frame, context)?, ty)?;
        let zipped = zip(mask, value.datum().as_ref(), merged.datum().as_ref());
        merged = Value::Array(zipped.map_err(arrow_error)?);
    }
    Ok(merged)
}

fn typed(value: Value, ty: &DataType) -> Result<Value> {
    Ok(match value {
        Value::Array(array) => Value::Array(vector::retype(&array, ty)?),
        Value::Constant(array) => Value::Constant(vector::retype(&array, ty)?),
    })
}

/// Each condition on the rows that the earlier ones left, each value on the rows that it is for.
fn lazy_case(
    program: &Evaluator,
    branches: &[(NodeId, NodeId)],
    otherwise: NodeId,
    ty: &DataType,
    frame: &Frame<'_>,
    context: &EvalContext,
) -> Result<Value> {
    let nodes = program.nodes.len();
    let mut pieces = Pieces::new(frame.rows());
    // Rows of the frame that no branch has taken yet.
    let mut remaining = BooleanBuffer::new_set(frame.rows());
    for (condition, value) in branches {
        let left = BooleanArray::new(remaining.clone(), None);
        let taken = match remaining.count_set_bits() {
            0 => break,
            all if all == frame.rows() => {
                mask(&program.value(*condition, frame, context)?, frame.rows())?
            }
            some => {
                let subset = Frame::selection(frame, &left, nodes);
                scatter(&mask(&program.value(*condition, &subset, context)?, some)?, &remaining)
            }
        };
        if taken.count_set_bits() > 0 {
            let value = on_rows(program, *value, frame, &taken, context)?;
            pieces.add(typed(value, ty)?, &taken);
        }
        remaining = &remaining & &!&taken;
    }
    if remaining.count_set_bits() > 0 {
        let value = on_rows(program, otherwise, frame, &remaining, context)?;
        pieces.add(typed(value, ty)?, &remaining);
    }
    pieces.merge()
}

/// A node's value on the rows of a frame that the buffer selects.
fn on_rows(
    program: &Evaluator,
    id: NodeId,
    frame: &Frame<'_>,
    selected: &BooleanBuffer,
    context: &EvalContext,
) -> Result<Value> {
    if selected.count_set_bits() == frame.rows() {
        return program.value(id, frame, context);
    }
    let selected = BooleanArray::new(selected.clone(), None);
    let subset = Frame::selection(frame, &selected, program.nodes.len());
    program.value(id, &subset, context)
}

/// Where a condition is TRUE, one bit per row.
fn mask(condition: &Value, rows: usize) -> Result<BooleanBuffer> {
    let values = vector::booleans(condition.array())?;
    if condition.is_constant() {
        let value = values.is_valid(0) && values.value(0);
        return Ok(if value {
            BooleanBuffer::new_set(rows)
        } else {
            BooleanBuffer::new_unset(rows)
        });
    }
    Ok(definite(values).values().clone())
}

/// Bits of a selection, put back to the places of the selected rows.
fn scatter(bits: &BooleanBuffer, selected: &BooleanBuffer) -> BooleanBuffer {
    let mut builder = BooleanBufferBuilder::new(selected.len());
    builder.append_n(selected.len(), false);
    for (index, place) in selected.set_indices().enumerate() {
        if bits.value(index) {
            builder.set_bit(place, true);
        }
    }
    builder.finish()
}

/// Values of disjoint sets of rows, to be merged in row order.
struct Pieces {
    arrays: Vec<ArrayRef>,
    /// Piece and place in the piece of each row.
    places: Vec<(usize, usize)>,
}

impl Pieces {
    fn new(rows: usize) -> Self {
        Self { arrays: Vec::new(), places: vec![(0, 0); rows] }
    }

    fn add(&mut self, value: Value, rows: &BooleanBuffer) {
        let piece = self.arrays.len();
        let step = value.step();
        for (index, row) in rows.set_indices().enumerate() {
            self.places[row] = (piece, index * step);
        }
        self.arrays.push(Arc::clone(value.array()));
    }

    fn merge(self) -> Result<Value> {
        if self.arrays.len() == 1 && self.arrays[0].len() == self.places.len() {
            // One branch took every row.
            return Ok(Value::Array(Arc::clone(&self.arrays[0])));
        }
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        interleave(&arrays, &self.places).map(Value::Array).map_err(arrow_error)
    }
}

/// Evaluates AND (`decided` false) or OR (`decided` true), left to right. An operand that can fail
/// runs only on rows that the operands before it have not decided.
pub(super) fn logic(
    program: &Evaluator,
    operands: &[NodeId],
    decided: bool,
    frame: &Frame<'_>,
    context: &EvalContext,
) -> Result<Value> {
    let rows = frame.rows();
    let mut result: Option<BooleanArray> = None;
    for id in operands {
        let Some(left) = result else {
            result = Some(condition(&program.value(*id, frame, context)?, rows)?);
            continue;
        };
        let open = undecided(&left, decided);
        let count = open.count_set_bits();
        if count == 0 {
            return Ok(Value::Array(Arc::new(left)));
        }
        let right = if program.infallible[*id] || count == rows {
            condition(&program.value(*id, frame, context)?, rows)?
        } else {
            let rows_open = BooleanArray::new(open.clone(), None);
            let subset = Frame::selection(frame, &rows_open, program.nodes.len());
            let right = condition(&program.value(*id, &subset, context)?, count)?;
            spread(&right, &open)
        };
        let merged = if decided { or_kleene(&left, &right) } else { and_kleene(&left, &right) };
        result = Some(merged.map_err(arrow_error)?);
    }
    let result = result.unwrap_or_else(|| BooleanArray::new(constant_bits(!decided, rows), None));
    Ok(Value::Array(Arc::new(result)))
}

fn constant_bits(value: bool, rows: usize) -> BooleanBuffer {
    if value { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) }
}

fn condition(value: &Value, rows: usize) -> Result<BooleanArray> {
    let array = value.to_array(rows)?;
    vector::booleans(&array).cloned()
}

/// Rows whose value is NULL or not the deciding one.
fn undecided(values: &BooleanArray, decided: bool) -> BooleanBuffer {
    let differs = if decided { !values.values() } else { values.values().clone() };
    match values.nulls() {
        Some(nulls) => &differs | &!nulls.inner(),
        None => differs,
    }
}

/// Values of selected rows at their places; elsewhere FALSE, which decided rows ignore or keep:
/// FALSE is the deciding value of AND, and adds nothing to a TRUE in OR.
fn spread(values: &BooleanArray, selected: &BooleanBuffer) -> BooleanArray {
    let bits = scatter(values.values(), selected);
    let nulls = values.nulls().map(|nulls| {
        let is_null = scatter(&!nulls.inner(), selected);
        arrow::buffer::NullBuffer::new(!&is_null)
    });
    BooleanArray::new(bits, nulls)
}
