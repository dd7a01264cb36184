//! Constant rows as a bounded source of one split, whose position is the number of rows read.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::concat;
use async_trait::async_trait;
use serde_json::json;
use tidegate_functions::eval::literal::to_array;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::Values;
use tidegate_plan::{Literal, Scalar, Schema};
use tidegate_types::{Error, ErrorCode, Result};

use crate::connector::{Read, ReaderContext, Source, SourceReader, Split};

/// The rows of a `VALUES`.
pub struct ValuesSource {
    rows: RecordBatch,
}

impl ValuesSource {
    /// The source of a plan node with output `schema`.
    ///
    /// # Errors
    /// `INTERNAL` if a row does not fit the schema.
    pub fn new(plan: &Values, schema: &Schema) -> Result<Self> {
        let columns = schema.iter().enumerate().map(|(index, field)| {
            let arrays = plan.rows.iter().map(|row| {
                let literal = row
                    .get(index)
                    .ok_or_else(|| Error::internal("a row of VALUES is too short"))?;
                let value = Literal { value: literal.value.clone(), ty: field.ty.clone() };
                let null =
                    Literal { value: Scalar::Null, ty: field.ty.clone().with_nullable(true) };
                to_array(if value.value == Scalar::Null { &null } else { &value })
            });
            let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
            let parts: Vec<_> = arrays.iter().map(AsRef::as_ref).collect();
            if parts.is_empty() {
                return Ok(new_empty_array(&data_type(&field.ty)));
            }
            concat(&parts).map_err(|error| Error::internal(format!("VALUES: {error}")))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(plan.rows.len()));
        let rows = RecordBatch::try_new_with_options(arrow_schema(schema), columns, &options)
            .map_err(|error| Error::internal(format!("VALUES: {error}")))?;
        Ok(Self { rows })
    }
}

#[async_trait]
impl Source for ValuesSource {
    fn is_bounded(&self) -> bool {
        true
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        let split = Split { id: "values".to_owned(), state: json!(0), finished: false };
        Ok(if known.is_empty() { vec![split] } else { Vec::new() })
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        let batch_rows = context.batch_rows.max(1);
        Ok(Box::new(ValuesReader { rows: self.rows.clone(), batch_rows, splits: Vec::new() }))
    }
}

struct ValuesReader {
    rows: RecordBatch,
    batch_rows: usize,
    splits: Vec<(Split, usize)>,
}

#[async_trait]
impl SourceReader for ValuesReader {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for split in splits {
            let position = split.state.as_u64().ok_or_else(|| {
                Error::new(
                    ErrorCode::Corrupt,
                    format!("position of VALUES is '{}', expected a number", split.state),
                )
            })?;
            self.splits.push((split, position as usize));
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        let unfinished = self.splits.iter_mut().enumerate().find(|(_, (split, _))| !split.finished);
        let Some((index, (split, position))) = unfinished else {
            return std::future::pending().await;
        };
        let left = self.rows.num_rows().saturating_sub(*position);
        if left == 0 {
            split.finished = true;
            return Ok(Read::Finished { split: index });
        }
        let rows = self.rows.slice(*position, left.min(self.batch_rows));
        *position += rows.num_rows();
        Ok(Read::Batch { split: index, rows, kinds: None })
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        let splits = self
            .splits
            .iter()
            .map(|(split, position)| Split { state: json!(position), ..split.clone() });
        Ok(splits.collect())
    }
}
