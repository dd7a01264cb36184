//! Which types of events pass the conditions that were pushed down.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field as ArrowField, Schema};
use tidegate_functions::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{Expr, PlanSettings};
use tidegate_types::{Error, Field, Result};

use super::block::Kind;
use crate::env::ConnectorEnv;

/// Evaluates `conditions`, which read `event_type` only, on each type: a type passes if all are TRUE.
///
/// # Errors
/// `INTERNAL` if a condition reads another column; that of a condition that fails.
pub(super) fn passing_types(
    read: &[Field],
    conditions: &[Expr],
    env: &ConnectorEnv,
) -> Result<[bool; 3]> {
    let mut passing = [true; 3];
    if conditions.is_empty() {
        return Ok(passing);
    }
    let rows = one_row_per_type(read)?;
    let settings = PlanSettings { time_zone: env.zone.to_string(), ..PlanSettings::default() };
    let context = EvalContext::at((env.clock)());
    for condition in conditions {
        let foreign = condition
            .columns()
            .into_iter()
            .find(|index| read.get(*index).is_none_or(|field| field.name != "event_type"));
        if let Some(index) = foreign {
            return Err(Error::internal(format!(
                "a condition on column {index} was pushed into a nexmark source"
            )));
        }
        let result = Evaluator::compile(condition, &settings)?.evaluate_filter(&rows, &context)?;
        for (index, passes) in passing.iter_mut().enumerate() {
            *passes &= result.value(index);
        }
    }
    Ok(passing)
}

fn one_row_per_type(read: &[Field]) -> Result<RecordBatch> {
    let types: Vec<i32> = Kind::ALL.iter().map(|kind| *kind as i32).collect();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for field in read {
        let ty = data_type(&field.ty);
        arrays.push(if field.name == "event_type" {
            Arc::new(Int32Array::from(types.clone())) as ArrayRef
        } else {
            new_null_array(&ty, types.len())
        });
        fields.push(ArrowField::new(&field.name, ty, true));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
    batch.map_err(|error| Error::internal(format!("evaluate pushed conditions: {error}")))
}
