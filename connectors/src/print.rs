//! `print`: every change as a line on standard output or standard error, in Flink's format.
//!
//! `+I[1, a, 2026-01-01T00:00:01]`: the row kind, then the values as Java prints Flink's external
//! types: NULL is `null`, bytes are signed numbers, a ROW is a row of its own. Before that stand the
//! `print-identifier` and, if there is more than one subtask, its number (`id> `, `2> `, `id:2> `).

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{DeliveryGuarantee, Sink, SinkContext, SinkWriter, StagedUnit};
use tidegate_engine::element::Changes;
use tidegate_engine::metrics::SinkMetrics;
use tidegate_plan::{RowKind, operator};
use tidegate_types::{Epoch, Error, ErrorCode, Field, Result};

use crate::env::{ConnectorEnv, PrintTarget};
use crate::format::text::cells::{Cells, Values, entries};
use crate::format::text::datetime::{Style, write_date, write_java_time, write_timestamp};
use crate::format::text::number::{write_double, write_float, write_integer, write_plain_decimal};

/// The sink. Takes any changelog.
pub(crate) struct Print {
    columns: Arc<[Field]>,
    identifier: String,
    target: PrintTarget,
}

impl Print {
    /// The sink of a plan.
    ///
    /// # Errors
    /// `INVALID_OPTION` for options that cannot be read.
    pub(crate) fn new(
        plan: &operator::Sink,
        options: &Options,
        env: &ConnectorEnv,
    ) -> Result<Self> {
        let target = if options.boolean("standard-error")? { &env.stderr } else { &env.stdout };
        Ok(Self {
            columns: plan.table.columns.clone().into(),
            identifier: options.text("print-identifier").unwrap_or_default().to_owned(),
            target: Arc::clone(target),
        })
    }

    /// What stands before every line of a subtask.
    fn prefix(&self, subtask: u32, parallelism: u32) -> String {
        match (self.identifier.as_str(), parallelism > 1) {
            ("", false) => String::new(),
            ("", true) => format!("{}> ", subtask + 1),
            (identifier, false) => format!("{identifier}> "),
            (identifier, true) => format!("{identifier}:{}> ", subtask + 1),
        }
    }
}

#[async_trait]
impl Sink for Print {
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn writer(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer {
            columns: Arc::clone(&self.columns),
            prefix: self.prefix(context.subtask, context.parallelism),
            target: Arc::clone(&self.target),
            metrics: context.metrics,
            lines: Vec::new(),
        }))
    }
}

/// Prints the changes of one subtask.
struct Writer {
    columns: Arc<[Field]>,
    prefix: String,
    target: PrintTarget,
    metrics: Arc<SinkMetrics>,
    /// Lines of the current batch, kept for its memory.
    lines: Vec<u8>,
}

/// Memory that a writer keeps between batches, in bytes.
const KEPT_BYTES: usize = 1 << 20;

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        self.lines.clear();
        write_lines(&changes, &self.columns, &self.prefix, &mut self.lines)?;
        let written = match self.target.lock() {
            Ok(mut target) => target.write_all(&self.lines).and_then(|()| target.flush()),
            Err(_) => return Err(Error::internal("a writer to standard output panicked")),
        };
        written.map_err(|error| {
            Error::new(
                // Whoever read the lines has gone: a restart would not bring them back.
                if error.kind() == std::io::ErrorKind::BrokenPipe {
                    ErrorCode::Cancelled
                } else {
                    ErrorCode::Unavailable
                },
                format!("print: standard output cannot be written: {error}"),
            )
        })?;
        self.metrics.records.add(changes.len() as u64);
        self.metrics.bytes.add(self.lines.len() as u64);
        if self.lines.capacity() > KEPT_BYTES {
            self.lines = Vec::new();
        }
        Ok(())
    }

    async fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<StagedUnit>> {
        Ok(Vec::new())
    }
}

fn write_lines(
    changes: &Changes,
    columns: &[Field],
    prefix: &str,
    out: &mut Vec<u8>,
) -> Result<()> {
    let cells = bind(&changes.rows, columns)?;
    for row in 0..changes.len() {
        let kind = RowKind::from_i8(changes.kind(row)).ok_or_else(|| {
            Error::internal(format!("row kind {} does not exist", changes.kind(row)))
        })?;
        out.extend_from_slice(prefix.as_bytes());
        write_row(kind, &cells, row, out);
        out.push(b'\n');
    }
    Ok(())
}

fn bind<'a>(rows: &'a RecordBatch, columns: &[Field]) -> Result<Vec<Cells<'a>>> {
    if rows.num_columns() != columns.len() {
        let message = format!(
            "print: {} columns arrived, {} are declared",
            rows.num_columns(),
            columns.len()
        );
        return Err(Error::internal(message));
    }
    rows.columns()
        .iter()
        .zip(columns)
        .map(|(array, field)| Cells::new(array.as_ref(), &field.ty))
        .collect()
}

fn write_row(kind: RowKind, cells: &[Cells<'_>], row: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(kind.short().as_bytes());
    out.push(b'[');
    separated(cells, out, |cell, out| write_value(cell, row, out));
    out.push(b']');
}

fn separated<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write(item, out);
    }
}

fn write_value(cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match &cells.values {
        Values::Null => out.extend_from_slice(b"null"),
        Values::Boolean(values) => {
            out.extend_from_slice(if values.value(row) { b"true" } else { b"false" })
        }
        Values::TinyInt(values) => write_integer(i64::from(values[row]), out),
        Values::SmallInt(values) => write_integer(i64::from(values[row]), out),
        Values::Int(values) => write_integer(i64::from(values[row]), out),
        Values::BigInt(values) => write_integer(values[row], out),
        Values::Float(values) => write_float(values[row], out),
        Values::Double(values) => write_double(values[row], out),
        Values::Decimal { values, scale } => write_plain_decimal(values[row], *scale, out),
        Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
        Values::Bytes(values) => {
            out.push(b'[');
            separated(values.value(row), out, |byte, out| {
                write_integer(i64::from(byte.cast_signed()), out)
            });
            out.push(b']');
        }
        Values::Date(values) => write_date(values[row], out),
        Values::Time(values) => write_java_time(values[row], out),
        Values::Timestamp { values, per_second, zoned } => {
            write_timestamp(values[row], *per_second, *zoned, Style::Java, out);
        }
        Values::Array { offsets, elements } => {
            out.push(b'[');
            separated(entries(offsets, row), out, |element, out| {
                write_value(elements, element, out)
            });
            out.push(b']');
        }
        Values::Map { offsets, keys, values } => {
            out.push(b'{');
            separated(entries(offsets, row), out, |entry, out| {
                write_value(keys, entry, out);
                out.push(b'=');
                write_value(values, entry, out);
            });
            out.push(b'}');
        }
        Values::Row(fields) => write_row(RowKind::Insert, fields, row, out),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, BinaryViewArray, Decimal128Array, Float64Array, Int8Array, Int32Array, ListArray,
        StringViewArray, StructArray, TimestampMillisecondArray,
    };
    use arrow::datatypes::Int32Type;
    use tidegate_plan::arrow_type::{arrow_schema, data_type};
    use tidegate_types::TypeKind;

    use super::*;

    fn lines(changes: &Changes, columns: &[Field], prefix: &str) -> String {
        let mut out = Vec::new();
        write_lines(changes, columns, prefix, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn one_column(kind: TypeKind, array: ArrayRef) -> String {
        let columns = [Field::new("a", kind.nullable())];
        let rows = RecordBatch::try_new(arrow_schema(&columns), vec![array]).unwrap();
        lines(&Changes::append(rows), &columns, "")
    }

    #[test]
    fn values_as_flink_prints_them() {
        let decimals = Decimal128Array::from(vec![Some(123_450), None])
            .with_precision_and_scale(10, 3)
            .unwrap();
        let kind = TypeKind::Decimal { precision: 10, scale: 3 };
        assert_eq!(one_column(kind, Arc::new(decimals)), "+I[123.450]\n+I[null]\n");
        let bytes = BinaryViewArray::from(vec![Some(&b"\x00\xff\x41"[..]), None]);
        assert_eq!(one_column(TypeKind::BYTES, Arc::new(bytes)), "+I[[0, -1, 65]]\n+I[null]\n");
        let times = TimestampMillisecondArray::from(vec![1_709_210_040_000, 1_709_210_096_780]);
        let expected = "+I[2024-02-29T12:34]\n+I[2024-02-29T12:34:56.780]\n";
        assert_eq!(one_column(TypeKind::timestamp(3), Arc::new(times)), expected);
        let doubles = Float64Array::from(vec![1.0e-5, 1.0]);
        assert_eq!(one_column(TypeKind::Double, Arc::new(doubles)), "+I[1.0E-5]\n+I[1.0]\n");
        let texts = StringViewArray::from(vec!["it's, \"ä\""]);
        assert_eq!(one_column(TypeKind::STRING, Arc::new(texts)), "+I[it's, \"ä\"]\n");
    }

    #[test]
    fn nested_values_as_flink_prints_them() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), Some(2), None]),
            None,
        ]);
        let kind = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
        assert_eq!(one_column(kind, Arc::new(list)), "+I[[1, 2, null]]\n+I[null]\n");
        let kind = TypeKind::Row(vec![
            Field::new("x", TypeKind::Int.nullable()),
            Field::new("y", TypeKind::STRING.nullable()),
        ]);
        let arrow::datatypes::DataType::Struct(fields) = data_type(&kind.clone().nullable()) else {
            panic!()
        };
        let x: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let y: ArrayRef = Arc::new(StringViewArray::from(vec![None::<&str>]));
        let row = StructArray::try_new(fields, vec![x, y], None).unwrap();
        assert_eq!(one_column(kind, Arc::new(row)), "+I[+I[1, null]]\n");
    }

    #[test]
    fn kinds_and_prefixes() {
        let columns = [Field::new("a", TypeKind::Int.nullable())];
        let array: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
        let rows = RecordBatch::try_new(arrow_schema(&columns), vec![array]).unwrap();
        let changes = Changes { kinds: Some(Int8Array::from(vec![0, 1, 2, 3])), rows };
        assert_eq!(
            lines(&changes, &columns, "id> "),
            "id> +I[1]\nid> -U[2]\nid> +U[3]\nid> -D[4]\n"
        );
        let prefix = |identifier: &str, subtask, parallelism| {
            let print = Print {
                columns: Arc::from([]),
                identifier: identifier.to_owned(),
                target: Arc::new(std::sync::Mutex::new(Box::new(std::io::sink()))),
            };
            print.prefix(subtask, parallelism)
        };
        assert_eq!(prefix("", 0, 1), "");
        assert_eq!(prefix("id", 0, 1), "id> ");
        assert_eq!(prefix("", 0, 2), "1> ");
        assert_eq!(prefix("id", 1, 2), "id:2> ");
    }
}
