//! Rows to envelopes: insertions and deletions.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, ListArray, RecordBatch, StringViewArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Fields, SchemaRef};
use async_trait::async_trait;
use tidegate_engine::element::Changes;
use tidegate_plan::RowKind;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, ErrorCode, Field, Result, TypeKind};

use super::dialect::{Dialect, Operation};
use super::envelope_encoder;
use crate::format::{Encoder, EncoderContext, Records};

/// The encoder.
pub(super) struct ChangeEncoder {
    dialect: &'static Dialect,
    inner: Box<dyn Encoder>,
    /// Of the envelope.
    schema: SchemaRef,
    /// Of a row.
    fields: Fields,
}

impl ChangeEncoder {
    pub(super) fn new(dialect: &'static Dialect, context: &EncoderContext<'_>) -> Result<Self> {
        const SCHEMA: &str = "schema-include";
        if context.options.knows(SCHEMA) && context.options.boolean(SCHEMA)? {
            let key = context.options.full_key(SCHEMA);
            let message = format!("{}: '{key}' is for reading only", context.origin);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let columns = envelope(dialect, dialect.row(context.columns));
        let declared = envelope(dialect, dialect.row(context.declared));
        let inner = envelope_encoder(
            dialect.encoding,
            &EncoderContext { columns: &columns, declared: &declared, ..*context },
        )?;
        let schema = arrow_schema(&columns);
        let fields = match schema.field(0).data_type() {
            DataType::Struct(fields) => fields.clone(),
            DataType::List(rows) => match rows.data_type() {
                DataType::Struct(fields) => fields.clone(),
                _ => return Err(Error::internal("an array of rows holds rows")),
            },
            _ => return Err(Error::internal("an envelope begins with a row")),
        };
        Ok(Self { dialect, inner, schema, fields })
    }
}

/// The fields that are written.
fn envelope(dialect: &Dialect, row: Vec<Field>) -> Vec<Field> {
    let mut row = TypeKind::Row(row).nullable();
    if dialect.lists {
        row = TypeKind::Array(Box::new(row)).nullable();
    }
    let before = (!dialect.partial).then(|| Field::new(dialect.before, row.clone()));
    let rest = [
        Field::new(dialect.after, row),
        Field::new(dialect.operation, TypeKind::STRING.nullable()),
    ];
    before.into_iter().chain(rest).collect()
}

#[async_trait]
impl Encoder for ChangeEncoder {
    async fn prepare(&mut self) -> Result<()> {
        self.inner.prepare().await
    }

    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        self.encode_changes(&Changes::append(rows.clone()), out)
    }

    fn encode_changes(&mut self, changes: &Changes, out: &mut Records) -> Result<()> {
        let count = changes.len();
        let added: BooleanArray =
            (0..count).map(|row| Some(RowKind::adds(changes.kind(row)))).collect();
        let side = |valid: Option<NullBuffer>| -> Result<ArrayRef> {
            let columns = changes.rows.columns().to_vec();
            let rows = StructArray::try_new_with_length(self.fields.clone(), columns, valid, count);
            Ok(Arc::new(rows.map_err(internal)?))
        };
        let mut columns = match self.dialect.partial {
            true => vec![self.listed(side(None)?)?],
            false => {
                let removed: Vec<bool> = added.values().iter().map(|added| !added).collect();
                vec![
                    side(Some(NullBuffer::from(removed)))?,
                    side(Some(NullBuffer::new(added.values().clone())))?,
                ]
            }
        };
        let (insert, delete) =
            (self.dialect.text_of(Operation::Insert), self.dialect.text_of(Operation::Delete));
        let operations = added.values().iter().map(|added| if added { insert } else { delete });
        columns.push(Arc::new(StringViewArray::from_iter_values(operations)));
        let rows = RecordBatch::try_new(self.schema.clone(), columns).map_err(internal)?;
        self.inner.encode(&rows, out)
    }
}

impl ChangeEncoder {
    /// The rows, each in an array of its own where the format has arrays.
    fn listed(&self, rows: ArrayRef) -> Result<ArrayRef> {
        let DataType::List(field) = self.schema.field(0).data_type() else {
            return Ok(rows);
        };
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, rows.len()));
        let lists = ListArray::try_new(Arc::clone(field), offsets, rows, None);
        Ok(Arc::new(lists.map_err(internal)?))
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}
