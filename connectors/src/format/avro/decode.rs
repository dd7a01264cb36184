//! Encoded records into columns, by a plan.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidegate_functions::decimal;
use tidegate_types::{Error, Field, Result};

use super::cursor::{Cursor, Read};
use super::plan::{Blocks, FieldPlan, Missing, Plan, Rows, Value};
use super::schema::{Node, NodeId, Schema};
use crate::format::column::{Column, Data, RowColumns, end_of};
use crate::format::read_schema;

/// Columns that are being filled.
pub(in crate::format) struct Columns {
    schema: SchemaRef,
    row: RowColumns,
    rows: usize,
}

impl Columns {
    /// Of the columns that the query reads.
    ///
    /// # Errors
    /// `INVALID_OPTION` for types that no record format holds.
    pub(in crate::format) fn new(read: &[Field]) -> Result<Self> {
        Ok(Self { schema: read_schema(read), row: RowColumns::new("", read)?, rows: 0 })
    }

    /// Makes room for records.
    pub(in crate::format) fn reserve(&mut self, rows: usize) {
        self.row.reserve(rows);
    }

    /// Appends the row of a record.
    ///
    /// # Errors
    /// What is wrong with the record; the columns must then be cleared.
    pub(in crate::format) fn push(&mut self, plan: &Plan, bytes: &[u8]) -> Read<()> {
        self.push_next(plan, &mut Cursor::new(bytes))
    }

    /// Appends the row of the record that is next, and goes behind it.
    pub(super) fn push_next(&mut self, plan: &Plan, cursor: &mut Cursor<'_>) -> Read<()> {
        if let Some(branch) = plan.branch()
            && cursor.long()? != branch
        {
            return Err("the record is null".to_owned());
        }
        Reader { schema: plan.schema(), cursor }.row(plan.rows(), &mut self.row)?;
        self.rows += 1;
        Ok(())
    }

    /// Forgets all rows.
    pub(in crate::format) fn clear(&mut self) {
        self.row.truncate(0);
        self.rows = 0;
    }

    /// The rows; none are left.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(in crate::format) fn finish(&mut self) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        let arrays = self.row.finish()?;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::internal(format!("decode Avro: {error}")))
    }
}

/// Deepest nesting of values that are passed over: records may hold themselves without end.
const MAX_DEPTH: usize = 200;

struct Reader<'p, 'c, 'b> {
    schema: &'p Schema,
    cursor: &'c mut Cursor<'b>,
}

impl Reader<'_, '_, '_> {
    fn row(&mut self, plan: &Rows, row: &mut RowColumns) -> Read<()> {
        for field in &plan.fields {
            match field {
                FieldPlan::Skip(node) => self.skip(*node, 0)?,
                FieldPlan::Read { column, value } => {
                    if let Some(column) = row.columns.get_mut(*column) {
                        self.value(value, column)?;
                    }
                }
            }
        }
        for (column, missing) in &plan.missing {
            let Some(column) = row.columns.get_mut(*column) else { continue };
            match missing {
                Missing::Null => null(column)?,
                Missing::Default { bytes, plan } => {
                    let mut cursor = Cursor::new(bytes);
                    Reader { schema: plan.schema(), cursor: &mut cursor }
                        .value(plan.value(), column)?;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, value: &Value, column: &mut Column) -> Read<()> {
        let cursor = &mut *self.cursor;
        match (value, &mut column.data) {
            (Value::Null, _) => return null(column),
            (Value::Optional { null: at, value }, _) => {
                let branch = cursor.long()?;
                return match branch == *at {
                    true => null(column),
                    false if branch == 1 - *at => self.value(value, column),
                    false => Err(no_branch(column, branch)),
                };
            }
            (Value::Union(branches), _) => {
                let branch = cursor.long()?;
                let known = usize::try_from(branch).ok().and_then(|index| branches.get(index));
                return match known {
                    Some(Ok(value)) => self.value(value, column),
                    Some(Err(name)) => Err(format!(
                        "column {}: a value of type {name} cannot be read as {}",
                        column.path, column.kind
                    )),
                    None => Err(no_branch(column, branch)),
                };
            }
            (Value::Boolean, Data::Boolean(values)) => values.append(cursor.boolean()?),
            (Value::Int, Data::TinyInt(values)) => values.push(cursor.int()? as i8),
            (Value::Int, Data::SmallInt(values)) => values.push(cursor.int()? as i16),
            (Value::Int, Data::Int(values) | Data::Date(values) | Data::Time(values)) => {
                values.push(cursor.int()?);
            }
            (Value::Int, Data::BigInt(values)) => values.push(i64::from(cursor.int()?)),
            (Value::Int, Data::Float(values)) => values.push(cursor.int()? as f32),
            (Value::Int, Data::Double(values)) => values.push(f64::from(cursor.int()?)),
            (Value::Long, Data::BigInt(values)) => values.push(cursor.long()?),
            (Value::Long, Data::Float(values)) => values.push(cursor.long()? as f32),
            (Value::Long, Data::Double(values)) => values.push(cursor.long()? as f64),
            (Value::TimeMicros, Data::Time(values)) => {
                let millis = cursor.long()?.div_euclid(1_000);
                values.push(i32::try_from(millis).map_err(|_| "a time is out of range")?);
            }
            (Value::Timestamp { from }, Data::Timestamp { values, per_second, .. }) => {
                values.push(rescaled(cursor.long()?, *from, *per_second)?);
            }
            (Value::Float, Data::Float(values)) => values.push(cursor.float()?),
            (Value::Float, Data::Double(values)) => values.push(f64::from(cursor.float()?)),
            (Value::Double, Data::Double(values)) => values.push(cursor.double()?),
            (Value::Text, Data::Text(values)) => values.append_value(cursor.text()?),
            (Value::Bytes, Data::Bytes(values)) => values.append_value(cursor.bytes()?),
            (Value::Fixed(size), Data::Bytes(values)) => values.append_value(cursor.take(*size)?),
            (Value::Enum(symbols), Data::Text(values)) => {
                let index = cursor.int()?;
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                let symbol = symbol.ok_or_else(|| format!("an enum has no symbol {index}"))?;
                values.append_value(symbol);
            }
            (Value::Decimal { size, scale: from }, Data::Decimal { values, precision, scale }) => {
                let bytes = match size {
                    Some(size) => cursor.take(*size)?,
                    None => cursor.bytes()?,
                };
                let shape = (*precision, *scale);
                match read_decimal(bytes, from.unwrap_or(u32::from(shape.1)), shape) {
                    Some(value) => values.push(value),
                    None => return null(column),
                }
            }
            (Value::Array(blocks), Data::Array { ends, element, .. }) => {
                self.items(blocks, |reader, value| reader.value(value, element))?;
                ends.push(end_of(element.len()));
            }
            (Value::Map(blocks), Data::Map { ends, key, value: values, .. }) => {
                self.items(blocks, |reader, value| {
                    let Data::Text(keys) = &mut key.data else {
                        return Err("keys of a map are no texts".to_owned());
                    };
                    keys.append_value(reader.cursor.text()?);
                    key.pushed();
                    reader.value(value, values)
                })?;
                ends.push(end_of(values.len()));
            }
            (Value::Row(plan), Data::Row(row)) => self.row(plan, row)?,
            _ => return Err(format!("column {}: the plan is of another type", column.path)),
        }
        column.pushed();
        Ok(())
    }

    fn items(
        &mut self,
        blocks: &Blocks,
        mut item: impl FnMut(&mut Self, &Value) -> Read<()>,
    ) -> Read<()> {
        loop {
            let (count, _) = self.cursor.block()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                item(self, &blocks.value)?;
            }
        }
    }

    /// Goes over a value.
    fn skip(&mut self, id: NodeId, depth: usize) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err(format!("values are nested deeper than {MAX_DEPTH}"));
        }
        let schema = self.schema;
        let cursor = &mut *self.cursor;
        match schema.node(id) {
            Node::Null => {}
            Node::Boolean => drop(cursor.byte()?),
            Node::Int(_) | Node::Long(_) | Node::Enum { .. } => drop(cursor.long()?),
            Node::Float => drop(cursor.take(4)?),
            Node::Double => drop(cursor.take(8)?),
            Node::Bytes(_) | Node::String => drop(cursor.bytes()?),
            Node::Fixed { size, .. } => drop(cursor.take(*size)?),
            Node::Array(items) => self.skip_items(false, *items, depth)?,
            Node::Map(values) => self.skip_items(true, *values, depth)?,
            Node::Union(branches) => {
                let branch = cursor.long()?;
                let known = usize::try_from(branch).ok().and_then(|index| branches.get(index));
                let node = known.ok_or_else(|| format!("a union has no branch {branch}"))?;
                self.skip(*node, depth + 1)?;
            }
            Node::Record { fields, .. } => {
                for field in fields {
                    self.skip(field.node, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn skip_items(&mut self, keys: bool, item: NodeId, depth: usize) -> Read<()> {
        loop {
            match self.cursor.block()? {
                (0, _) => return Ok(()),
                (_, Some(bytes)) => drop(self.cursor.take(bytes)?),
                (count, None) => {
                    for _ in 0..count {
                        if keys {
                            self.cursor.bytes()?;
                        }
                        self.skip(item, depth + 1)?;
                    }
                }
            }
        }
    }
}

#[cold]
fn no_branch(column: &Column, branch: i64) -> String {
    format!("column {}: its union has no branch {branch}", column.path)
}

/// Appends NULL.
fn null(column: &mut Column) -> Read<()> {
    column.push_null().map_err(|_| format!("column {} is NULL, but declared NOT NULL", column.path))
}

/// A time in units of which a second has `from`, in units of which it has `to`; digits that do not fit are cut off.
fn rescaled(value: i64, from: i64, to: i64) -> Read<i64> {
    if from >= to {
        return Ok(value.div_euclid(from / to));
    }
    value.checked_mul(to / from).ok_or_else(|| "a timestamp is out of range".to_owned())
}

/// Most bytes of a number of 128 bits.
const WIDEST: usize = 16;

/// A decimal from the bytes of its unscaled value, big-endian; `None`: it has more digits than the column.
fn read_decimal(bytes: &[u8], from: u32, shape: (u8, u8)) -> Option<i128> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let (extra, low) = bytes.split_at(bytes.len().saturating_sub(WIDEST));
    let mut word = [fill; WIDEST];
    word.get_mut(WIDEST - low.len()..)?.copy_from_slice(low);
    let value = i128::from_be_bytes(word);
    // What is in front only says the sign once more.
    if extra.iter().any(|byte| *byte != fill) || (value < 0) != negative {
        return None;
    }
    decimal::rescale(value, u8::try_from(from).ok()?, shape.1, shape.0)
}
