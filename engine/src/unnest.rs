//! One output row per element of a collection, beside the row that it is of.
//!
//! Elements keep their order and the kind of change of their row. A NULL or empty collection gives no
//! row; with `outer` it gives one of NULLs.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Unnest as Plan;
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, Result, TypeKind};

use crate::element::Changes;
use crate::operator::{Operator, Output};

/// Spreads collections.
pub struct Unnest {
    collection: Evaluator,
    /// Whether an element stands as often as its count says.
    counted: bool,
    ordinality: bool,
    outer: bool,
    schema: SchemaRef,
    batch_rows: usize,
}

/// Which element stands beside which row.
#[derive(Default)]
struct Places {
    rows: Vec<u32>,
    /// Places among all elements; `None`: the row's collection has none.
    elements: Vec<Option<u32>>,
    ordinals: Vec<Option<i32>>,
}

impl Unnest {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// What compiling the collection fails with.
    pub fn new(
        plan: &Plan,
        node: &Node,
        _inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        Ok(Self {
            collection: Evaluator::compile(&plan.collection, settings)?,
            counted: matches!(plan.collection.ty().kind, TypeKind::Multiset(_)),
            ordinality: plan.ordinality,
            outer: plan.outer,
            schema: arrow_schema(&node.schema),
            batch_rows: 8192,
        })
    }

    fn emit(
        &self,
        changes: &Changes,
        parts: &[ArrayRef],
        places: Places,
        out: &mut Output,
    ) -> Result<()> {
        if places.rows.is_empty() {
            return Ok(());
        }
        let kept = changes.take(&UInt32Array::from(places.rows))?;
        let elements = UInt32Array::from(places.elements);
        let mut columns = kept.rows.columns().to_vec();
        for part in parts {
            columns.push(match part.is_empty() {
                true => new_null_array(part.data_type(), elements.len()),
                false => take(part, &elements, None).map_err(internal)?,
            });
        }
        if self.ordinality {
            columns.push(Arc::new(Int32Array::from(places.ordinals)));
        }
        let rows = RecordBatch::try_new(self.schema.clone(), columns).map_err(internal)?;
        out.emit(Changes { kinds: kept.kinds, rows });
        Ok(())
    }
}

impl Operator for Unnest {
    fn open(&mut self, context: &crate::operator::OperatorContext) -> Result<()> {
        self.batch_rows = context.batch_rows;
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let context = EvalContext { processing_time_ms: out.now_ms };
        let collections = self.collection.evaluate(&changes.rows, &context)?;
        let (offsets, elements, counts) = spread(&collections, self.counted)?;
        // A NULL row among the elements is none, as in Flink.
        let missing = matches!(elements.data_type(), DataType::Struct(_))
            .then(|| elements.logical_nulls())
            .flatten();
        let parts = columns_of(&elements);
        let mut places = Places::default();
        for row in 0..changes.len() {
            let before = places.rows.len();
            let (from, to) = match collections.is_null(row) {
                true => (0, 0),
                false => (offsets[row] as u32, offsets[row + 1] as u32),
            };
            let mut ordinal = 0;
            for element in from..to {
                if missing.as_ref().is_some_and(|nulls| nulls.is_null(element as usize)) {
                    continue;
                }
                let times = counts.as_ref().map_or(1, |counts| counts.value(element as usize));
                for _ in 0..times {
                    ordinal += 1;
                    places.rows.push(row as u32);
                    places.elements.push(Some(element));
                    places.ordinals.push(Some(ordinal));
                }
            }
            if self.outer && places.rows.len() == before {
                places.rows.push(row as u32);
                places.elements.push(None);
                places.ordinals.push(None);
            }
            if places.rows.len() >= self.batch_rows {
                self.emit(&changes, &parts, std::mem::take(&mut places), out)?;
            }
        }
        self.emit(&changes, &parts, places, out)
    }
}

/// Where the elements of each row are among all, the elements, and how often each stands.
fn spread(
    collections: &ArrayRef,
    counted: bool,
) -> Result<(Vec<i32>, ArrayRef, Option<Int32Array>)> {
    match collections.data_type() {
        DataType::List(_) => {
            let lists = collections.as_list::<i32>();
            Ok((lists.value_offsets().to_vec(), lists.values().clone(), None))
        }
        DataType::Map(..) => {
            let maps = collections.as_map();
            let offsets = maps.value_offsets().to_vec();
            if counted {
                let counts = maps.values().as_primitive::<Int32Type>().clone();
                return Ok((offsets, maps.keys().clone(), Some(counts)));
            }
            Ok((offsets, Arc::new(maps.entries().clone()), None))
        }
        other => Err(Error::internal(format!("{other} is no collection"))),
    }
}

/// The columns that an element makes: the fields of a row, key and value of a map, or the element.
fn columns_of(elements: &ArrayRef) -> Vec<ArrayRef> {
    match elements.data_type() {
        DataType::Struct(_) => elements.as_struct().columns().to_vec(),
        _ => vec![elements.clone()],
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("unnest: {error}"))
}
