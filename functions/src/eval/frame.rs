//! The rows that a part of an expression is evaluated on, and the values already known for them.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{FilterBuilder, FilterPredicate};
use tidegate_types::{Error, Result};

use super::NodeId;
use crate::function::Value;
use crate::vector::arrow_error;

/// A set of rows: a whole batch, or the rows of an outer frame that reach a branch.
///
/// Values of the outer frame are filtered when they are asked for, not computed again.
pub(super) struct Frame<'a> {
    source: Source<'a>,
    rows: usize,
    values: RefCell<Vec<Option<Value>>>,
}

enum Source<'a> {
    Batch(&'a RecordBatch),
    /// No columns: constant expressions.
    Nothing,
    Selection {
        outer: &'a Frame<'a>,
        predicate: Box<FilterPredicate>,
        columns: ColumnCache,
    },
}

/// Columns filtered for a selection, by index.
type ColumnCache = RefCell<Vec<(usize, ArrayRef)>>;

impl<'a> Frame<'a> {
    pub(super) fn of_batch(batch: &'a RecordBatch, nodes: usize) -> Self {
        Self::new(Source::Batch(batch), batch.num_rows(), nodes)
    }

    pub(super) fn of_rows(rows: usize, nodes: usize) -> Self {
        Self::new(Source::Nothing, rows, nodes)
    }

    /// The rows of `outer` where the mask, which has no NULLs, is true.
    pub(super) fn selection(outer: &'a Frame<'a>, mask: &BooleanArray, nodes: usize) -> Self {
        let predicate = FilterBuilder::new(mask).optimize().build();
        let rows = predicate.count();
        let predicate = Box::new(predicate);
        let columns = RefCell::new(Vec::new());
        Self::new(Source::Selection { outer, predicate, columns }, rows, nodes)
    }

    fn new(source: Source<'a>, rows: usize, nodes: usize) -> Self {
        Self { source, rows, values: RefCell::new(vec![None; nodes]) }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Keeps a value for later readers of the same node.
    pub(super) fn keep(&self, id: NodeId, value: &Value) {
        self.values.borrow_mut()[id] = Some(value.clone());
    }

    /// A value that is kept here or in an outer frame.
    pub(super) fn kept(&self, id: NodeId) -> Result<Option<Value>> {
        if let Some(value) = &self.values.borrow()[id] {
            return Ok(Some(value.clone()));
        }
        let Source::Selection { outer, predicate, .. } = &self.source else {
            return Ok(None);
        };
        let value = match outer.kept(id)? {
            None => return Ok(None),
            Some(Value::Constant(array)) => Value::Constant(array),
            Some(Value::Array(array)) => {
                Value::Array(predicate.filter(&array).map_err(arrow_error)?)
            }
        };
        self.keep(id, &value);
        Ok(Some(value))
    }

    /// A column of the batch, for the rows of this frame.
    pub(super) fn column(&self, index: usize) -> Result<ArrayRef> {
        match &self.source {
            Source::Batch(batch) => {
                batch.columns().get(index).map(Arc::clone).ok_or_else(|| missing(index))
            }
            Source::Nothing => Err(missing(index)),
            Source::Selection { outer, predicate, columns } => {
                let known = columns.borrow().iter().find(|(i, _)| *i == index).cloned();
                if let Some((_, column)) = known {
                    return Ok(column);
                }
                let column = predicate.filter(&outer.column(index)?).map_err(arrow_error)?;
                columns.borrow_mut().push((index, Arc::clone(&column)));
                Ok(column)
            }
        }
    }
}

fn missing(index: usize) -> Error {
    Error::internal(format!("an expression reads column {index}, which the batch does not have"))
}
