//! One output row per element of a collection, beside the row that it is of.
//!
//! Elements keep their order and the kind of change of their row. A NULL or empty collection, or one without
//! an element that meets the condition, gives no row; with `outer` it gives one of NULLs.

use std::ops::Range;
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
    condition: Option<Evaluator>,
    schema: SchemaRef,
    batch_rows: usize,
}

/// Which element stands beside which row.
#[derive(Default, Clone)]
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
        let condition = plan.condition.as_ref();
        let condition = condition.map(|condition| Evaluator::compile(condition, settings));
        Ok(Self {
            collection: Evaluator::compile(&plan.collection, settings)?,
            counted: matches!(plan.collection.ty().kind, TypeKind::Multiset(_)),
            ordinality: plan.ordinality,
            outer: plan.outer,
            condition: condition.transpose()?,
            schema: arrow_schema(&node.schema),
            batch_rows: 8192,
        })
    }

    /// The rows of some places.
    fn rows(&self, changes: &Changes, parts: &[ArrayRef], places: Places) -> Result<Changes> {
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
        Ok(Changes { kinds: kept.kinds, rows })
    }

    /// Those elements of the input rows `of` that meet the condition, and rows without any.
    fn emit(
        &self,
        changes: &Changes,
        of: Range<u32>,
        parts: &[ArrayRef],
        mut places: Places,
        out: &mut Output,
    ) -> Result<()> {
        if let Some(condition) = &self.condition
            && !places.rows.is_empty()
        {
            let rows = self.rows(changes, parts, places.clone())?.rows;
            let context = EvalContext::at(out.now_ms);
            let met = condition.evaluate(&rows, &context)?;
            let met = met.as_boolean();
            places.retain(|place| met.is_valid(place) && met.value(place));
        }
        if self.outer {
            places.fill(of);
        }
        if !places.rows.is_empty() {
            out.emit(self.rows(changes, parts, places)?);
        }
        Ok(())
    }
}

impl Places {
    fn push(&mut self, row: u32, element: Option<u32>, ordinal: Option<i32>) {
        self.rows.push(row);
        self.elements.push(element);
        self.ordinals.push(ordinal);
    }

    fn retain(&mut self, kept: impl Fn(usize) -> bool) {
        let before = std::mem::take(self);
        for place in (0..before.rows.len()).filter(|place| kept(*place)) {
            self.push(before.rows[place], before.elements[place], before.ordinals[place]);
        }
    }

    /// Adds a place without an element for each of the rows that has none; places are in the order of rows.
    fn fill(&mut self, of: Range<u32>) {
        let before = std::mem::take(self);
        let mut at = 0;
        for row in of {
            let from = at;
            while before.rows.get(at) == Some(&row) {
                self.push(row, before.elements[at], before.ordinals[at]);
                at += 1;
            }
            if at == from {
                self.push(row, None, None);
            }
        }
    }
}

impl Operator for Unnest {
    fn open(&mut self, context: &crate::operator::OperatorContext) -> Result<()> {
        self.batch_rows = context.batch_rows;
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let context = EvalContext::at(out.now_ms);
        let collections = self.collection.evaluate(&changes.rows, &context)?;
        let (offsets, elements, counts) = spread(&collections, self.counted)?;
        // A NULL row among the elements is none, as in Flink.
        let missing = matches!(elements.data_type(), DataType::Struct(_))
            .then(|| elements.logical_nulls())
            .flatten();
        let parts = columns_of(&elements);
        let mut places = Places::default();
        let mut first = 0;
        for row in 0..changes.len() {
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
                    places.push(row as u32, Some(element), Some(ordinal));
                }
            }
            if places.rows.len() >= self.batch_rows {
                let next = row as u32 + 1;
                self.emit(&changes, first..next, &parts, std::mem::take(&mut places), out)?;
                first = next;
            }
        }
        self.emit(&changes, first..changes.len() as u32, &parts, places, out)
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
