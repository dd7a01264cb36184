//! Rows of a query as JSON objects.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use tidegate_connector_spec::FormatOptions;
use tidegate_connectors::format::{Encoder, EncoderContext, Records, encoder};
use tidegate_engine::Changes;
use tidegate_functions::Zone;
use tidegate_functions::cast::render;
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, Field, Result, SqlType, TypeKind};

/// Makes an object of each row, with a field per column, as the format `json` writes it.
pub(crate) struct JsonRows {
    encoder: Box<dyn Encoder>,
    schema: Schema,
    zone: Zone,
}

impl JsonRows {
    /// For rows of these columns.
    ///
    /// # Errors
    /// `UNSUPPORTED` if the format cannot hold a column.
    pub(crate) fn new(schema: &Schema, zone: Zone) -> Result<Self> {
        let options = FormatOptions::new("json", &[])?;
        let printed: Schema = schema.iter().map(printed_as_json).collect();
        let context = EncoderContext {
            options: &options,
            columns: &printed,
            declared: &printed,
            origin: "the query",
        };
        Ok(Self { encoder: encoder(&context)?, schema: schema.clone(), zone })
    }

    /// One object per row.
    ///
    /// # Errors
    /// `INVALID_DATA` for a value that JSON cannot hold.
    pub(crate) fn records(&mut self, changes: &Changes) -> Result<Records> {
        let mut records = Records::new();
        let columns = json_columns(&changes.rows, &self.schema, &self.zone)?;
        self.encoder.encode(&columns, &mut records)?;
        Ok(records)
    }
}

/// Whether values have no place in JSON as they are: they are printed as their text.
fn is_text_in_json(ty: &SqlType) -> bool {
    matches!(ty.kind, TypeKind::Variant | TypeKind::Bitmap)
}

fn printed_as_json(field: &Field) -> Field {
    let mut field = field.clone();
    if is_text_in_json(&field.ty) {
        field.ty = SqlType { kind: TypeKind::STRING, ..field.ty };
    }
    field
}

fn json_columns(rows: &RecordBatch, schema: &Schema, zone: &Zone) -> Result<RecordBatch> {
    if !schema.iter().any(|field| is_text_in_json(&field.ty)) {
        return Ok(rows.clone());
    }
    let columns = rows.columns().iter().zip(schema).map(|(column, field)| {
        Ok(match is_text_in_json(&field.ty) {
            true => Arc::new(render(column, &field.ty, zone)?),
            false => column.clone(),
        })
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let printed: Schema = schema.iter().map(printed_as_json).collect();
    RecordBatch::try_new(arrow_schema(&printed), columns)
        .map_err(|error| Error::internal(format!("rows to print as JSON: {error}")))
}
