//! Expressions compiled to a program of kernels, and its evaluation on batches.
//!
//! Compilation (`compile`) turns a `plan::Expr` into nodes without duplicates: a sub-expression
//! that occurs twice is one node and is computed once per set of rows. Constants stay scalar,
//! columns are taken without a copy. `CASE`, `AND` and `OR` evaluate what can fail only on the rows
//! that reach it (`branch`): such rows form a [`frame::Frame`] of their own.

mod branch;
mod compile;
mod frame;
pub mod literal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_empty_array, new_null_array};
use arrow::compute::{nullif, prep_null_mask_filter};
use arrow::datatypes::DataType;
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{CastMode, Expr, Literal, PlanSettings};
use tidegate_types::error::ResultExt as _;
use tidegate_types::{Error, Result, SqlType};

use crate::cast::cast;
use crate::datetime::zone::Zone;
use crate::function::{Function, KernelContext, Prepared, Value, Volatility};
use crate::vector::{self, arrow_error};
use frame::Frame;

/// What an evaluation knows besides the rows.
#[derive(Debug, Clone, Copy)]
pub struct EvalContext {
    /// The moment of evaluation, in milliseconds since the epoch.
    pub processing_time_ms: i64,
    /// The watermark of the rows, in milliseconds since the epoch; none before the first.
    pub watermark_ms: Option<i64>,
}

impl EvalContext {
    /// An evaluation at a moment, of rows whose watermark is not known.
    pub const fn at(processing_time_ms: i64) -> Self {
        Self { processing_time_ms, watermark_ms: None }
    }
}

/// Index of a node in the program.
type NodeId = usize;

#[derive(Debug)]
enum Node {
    Column(usize),
    Constant(ArrayRef),
    Call(Call),
    Cast {
        input: NodeId,
        from: SqlType,
        to: SqlType,
        mode: CastMode,
    },
    Case {
        branches: Vec<(NodeId, NodeId)>,
        otherwise: NodeId,
        ty: DataType,
    },
    /// AND, or OR: `decided` is the value that decides (FALSE, or TRUE).
    Logic {
        operands: Vec<NodeId>,
        decided: bool,
    },
    Field {
        input: NodeId,
        index: usize,
    },
}

#[derive(Debug)]
struct Call {
    function: &'static Function,
    operands: Vec<NodeId>,
    arguments: Vec<SqlType>,
    result: SqlType,
    prepared: Prepared,
}

/// A compiled expression.
#[derive(Debug)]
pub struct Evaluator {
    nodes: Vec<Node>,
    /// Nodes that are read more than once, whose value a frame keeps.
    shared: Vec<bool>,
    /// Nodes that fail on no value.
    infallible: Vec<bool>,
    root: NodeId,
    ty: SqlType,
    data_type: DataType,
    zone: Zone,
}

impl Evaluator {
    /// Compiles an expression of a plan.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for a function that this build does not have, `INVALID_OPTION` for an
    /// unknown time zone, `INTERNAL` for a malformed expression.
    pub fn compile(expr: &Expr, settings: &PlanSettings) -> Result<Self> {
        compile::compile(expr, Zone::parse(&settings.time_zone)?)
    }

    /// The type of the values.
    pub fn ty(&self) -> &SqlType {
        &self.ty
    }

    /// The column index, if the expression is a column and nothing else.
    pub fn as_column(&self) -> Option<usize> {
        match self.nodes[self.root] {
            Node::Column(index) => Some(index),
            _ => None,
        }
    }

    /// The values of all rows, as an array of the expression's Arrow type.
    ///
    /// # Errors
    /// `EVALUATION` naming the function or cast and the value that it fails on.
    pub fn evaluate(&self, batch: &RecordBatch, context: &EvalContext) -> Result<ArrayRef> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(new_empty_array(&self.data_type));
        }
        let frame = Frame::of_batch(batch, self.nodes.len());
        let value = self.value(self.root, &frame, context)?;
        let array = value.to_array(rows)?;
        vector::retype(&array, &self.data_type)
    }

    /// The rows where a condition is TRUE; NULL counts as FALSE.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`]; `INTERNAL` if the expression is not a condition.
    pub fn evaluate_filter(
        &self,
        batch: &RecordBatch,
        context: &EvalContext,
    ) -> Result<BooleanArray> {
        let array = self.evaluate(batch, context)?;
        Ok(definite(vector::booleans(&array)?))
    }

    /// The value of a node on the rows of a frame.
    fn value(&self, id: NodeId, frame: &Frame<'_>, context: &EvalContext) -> Result<Value> {
        if let Node::Constant(array) = &self.nodes[id] {
            return Ok(Value::Constant(Arc::clone(array)));
        }
        if let Some(value) = frame.kept(id)? {
            return Ok(value);
        }
        let value = self.compute(id, frame, context)?;
        if self.shared[id] {
            frame.keep(id, &value);
        }
        Ok(value)
    }

    fn compute(&self, id: NodeId, frame: &Frame<'_>, context: &EvalContext) -> Result<Value> {
        match &self.nodes[id] {
            Node::Column(index) => frame.column(*index).map(Value::Array),
            Node::Constant(array) => Ok(Value::Constant(Arc::clone(array))),
            Node::Call(call) => self.call(call, frame, context),
            Node::Cast { input, from, to, mode } => {
                let value = self.value(*input, frame, context)?;
                self.cast(&value, from, to, *mode)
            }
            Node::Case { branches, otherwise, ty } => {
                branch::case(self, branches, *otherwise, ty, frame, context)
            }
            Node::Logic { operands, decided } => {
                branch::logic(self, operands, *decided, frame, context)
            }
            Node::Field { input, index } => {
                let value = self.value(*input, frame, context)?;
                let field = field(value.array(), *index)?;
                Ok(if value.is_constant() { Value::Constant(field) } else { Value::Array(field) })
            }
        }
    }

    fn call(&self, call: &Call, frame: &Frame<'_>, context: &EvalContext) -> Result<Value> {
        let mut operands = Vec::with_capacity(call.operands.len());
        for operand in &call.operands {
            operands.push(self.value(*operand, frame, context)?);
        }
        // Equal constants give equal results: one row is enough.
        let constant = call.function.volatility == Volatility::Immutable
            && operands.iter().all(Value::is_constant);
        let kernel_context = KernelContext {
            name: call.function.name,
            rows: if constant { 1 } else { frame.rows() },
            result: &call.result,
            arguments: &call.arguments,
            zone: &self.zone,
            processing_time_ms: context.processing_time_ms,
            watermark_ms: context.watermark_ms,
            prepared: &call.prepared,
        };
        let array = (call.function.kernel)(&operands, &kernel_context)?;
        debug_assert_eq!(array.len(), kernel_context.rows, "{}", call.function.name);
        Ok(if constant { Value::Constant(array) } else { Value::Array(array) })
    }

    fn cast(&self, value: &Value, from: &SqlType, to: &SqlType, mode: CastMode) -> Result<Value> {
        let array = cast(value.array(), from, to, mode, &self.zone)?;
        Ok(if value.is_constant() { Value::Constant(array) } else { Value::Array(array) })
    }
}

/// The value of an expression that reads no column and is the same at every moment, computed once.
/// None if it reads columns, is volatile, or its type has no literal.
///
/// # Errors
/// `EVALUATION` if the expression fails (`1 / 0`): a caller that only simplifies keeps the
/// expression, so that it fails where and if its rows arrive.
pub fn fold(expr: &Expr, settings: &PlanSettings) -> Result<Option<Literal>> {
    if !compile::is_foldable(expr) || !literal::has_literal(expr.ty()) {
        return Ok(None);
    }
    let evaluator = Evaluator::compile(expr, settings).context(|| "fold a constant expression")?;
    let frame = Frame::of_rows(1, evaluator.nodes.len());
    let context = EvalContext::at(0);
    let value = evaluator.value(evaluator.root, &frame, &context)?;
    literal::from_array(value.array(), 0, expr.ty()).map(Some)
}

/// A mask without NULLs: NULL is FALSE.
fn definite(mask: &BooleanArray) -> BooleanArray {
    if mask.null_count() == 0 {
        return BooleanArray::new(mask.values().clone(), None);
    }
    prep_null_mask_filter(mask)
}

/// A field of rows; NULL where the row is.
fn field(rows: &ArrayRef, index: usize) -> Result<ArrayRef> {
    if rows.data_type() == &DataType::Null {
        return Ok(new_null_array(&DataType::Null, rows.len()));
    }
    let rows = vector::structs(rows)?;
    let column = rows
        .columns()
        .get(index)
        .ok_or_else(|| Error::internal(format!("a row has no field number {index}")))?;
    match rows.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            nullif(column, &BooleanArray::new(!nulls.inner(), None)).map_err(arrow_error)
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// The Arrow type of a SQL type: what kernels and literals of that type produce.
fn arrow_type(ty: &SqlType) -> DataType {
    data_type(ty)
}
