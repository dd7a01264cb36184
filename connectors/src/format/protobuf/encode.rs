//! Rows to messages, fields in the order of their numbers.

use arrow::array::RecordBatch;
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::plan::{Coding, Defaults, FieldPlan, Item, MessagePlan, Scalar, Shape};
use super::wire::{Wire, write_delimited, write_nested, write_tag, write_varint};
use crate::format::text::cells::{self, Cells, Values, entries};
use crate::format::{Encoder, EncoderContext, Records};

/// The encoder.
pub(super) struct ProtobufEncoder {
    columns: Vec<Field>,
    message: WriteMessage,
    /// What is written for a NULL text in a list or map.
    null_text: String,
}

/// A message that is written.
struct WriteMessage {
    /// By number.
    fields: Vec<WriteField>,
}

struct WriteField {
    /// Index among the columns.
    column: usize,
    plan: FieldPlan,
    /// The message's fields, if the field holds messages.
    message: Option<Box<WriteMessage>>,
    /// Whether a value that is the default is written too.
    presence: bool,
    packed: bool,
    /// Columns behind this one of the same `oneof`: if one of them has a value, this one is not written.
    rivals: Vec<usize>,
}

impl ProtobufEncoder {
    pub(super) fn new(context: &EncoderContext<'_>) -> Result<Self> {
        let message = super::descriptor::message(context.options)?;
        let defaults = Defaults::new(&message, false);
        let plan = MessagePlan::new(&message, context.columns, defaults, "")?;
        let null_text = context.options.text("write-null-string-literal").unwrap_or_default();
        Ok(Self {
            columns: context.columns.to_vec(),
            message: WriteMessage::new(&message, plan)?,
            null_text: null_text.to_owned(),
        })
    }
}

impl WriteMessage {
    fn new(message: &MessageDescriptor, plan: MessagePlan) -> Result<Self> {
        let missing = plan.fields.iter().find(|field| field.column.is_none());
        if let Some(name) = missing.and_then(|field| field.required.as_ref()) {
            let message = format!(
                "message {} requires the field '{name}', which the table has not",
                message.full_name()
            );
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let known: Vec<(FieldDescriptor, usize)> = plan
            .fields
            .iter()
            .filter_map(|field| Some((message.get_field(field.number)?, field.column?)))
            .collect();
        let mut fields = Vec::with_capacity(plan.fields.len());
        for field in plan.fields {
            let (Some(descriptor), Some(column)) = (message.get_field(field.number), field.column)
            else {
                continue;
            };
            let rivals = match descriptor.containing_oneof() {
                Some(group) => known
                    .iter()
                    .filter(|(other, place)| {
                        *place > column && other.containing_oneof().as_ref() == Some(&group)
                    })
                    .map(|(_, place)| *place)
                    .collect(),
                None => Vec::new(),
            };
            fields.push(Self::field(&descriptor, field, column, rivals)?);
        }
        fields.sort_by_key(|field| field.plan.number);
        Ok(Self { fields })
    }

    fn field(
        descriptor: &FieldDescriptor,
        plan: FieldPlan,
        column: usize,
        rivals: Vec<usize>,
    ) -> Result<WriteField> {
        let kind = descriptor.kind();
        let message = match (&plan.shape, kind.as_message()) {
            (
                Shape::One(Item::Message(inner)) | Shape::List(Item::Message(inner)),
                Some(message),
            ) => Some(Box::new(Self::new(message, inner.clone())?)),
            (Shape::Map { value, .. }, Some(entry)) => {
                let value_field = entry.map_entry_value_field();
                let mut value = (**value).clone();
                value.number = 2;
                let value = Self::field(&value_field, value, 0, Vec::new())?;
                Some(Box::new(Self { fields: vec![value] }))
            }
            _ => None,
        };
        Ok(WriteField {
            column,
            presence: descriptor.supports_presence(),
            packed: descriptor.is_packed(),
            plan,
            message,
            rivals,
        })
    }
}

impl Encoder for ProtobufEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        let cells = cells::of_batch(rows, &self.columns, "Protobuf")?;
        for row in 0..rows.num_rows() {
            let written = self.message.write(&cells, row, &self.null_text, out.buffer());
            if let Err(message) = written {
                // What was begun of the record does not stay.
                out.end_null();
                return Err(Error::new(ErrorCode::BadRecord, message));
            }
            out.end_record();
        }
        Ok(())
    }
}

type Write = std::result::Result<(), String>;

impl WriteMessage {
    fn write(&self, cells: &[Cells<'_>], row: usize, null_text: &str, out: &mut Vec<u8>) -> Write {
        for field in &self.fields {
            let Some(cells_of_field) = cells.get(field.column) else { continue };
            let is_set =
                |column: &usize| cells.get(*column).is_some_and(|cells| !cells.is_null(row));
            if cells_of_field.is_null(row) {
                match &field.plan.required {
                    Some(name) => {
                        return Err(format!("column {name} is NULL, but its field is required"));
                    }
                    None => continue,
                }
            }
            if !field.rivals.iter().any(is_set) {
                field.write(cells_of_field, row, null_text, out)?;
            }
        }
        Ok(())
    }
}

impl WriteField {
    fn write(&self, cells: &Cells<'_>, row: usize, null_text: &str, out: &mut Vec<u8>) -> Write {
        let number = self.plan.number;
        match (&self.plan.shape, &cells.values) {
            (Shape::One(Item::Scalar(scalar)), _) => {
                let start = out.len();
                write_tag(number, scalar.wire(), out);
                let default = write_scalar(scalar, cells, row, null_text, out)?;
                if default && !self.presence {
                    out.truncate(start);
                }
                Ok(())
            }
            (Shape::One(Item::Message(_)), Values::Row(inner)) => {
                write_tag(number, Wire::Delimited, out);
                self.nested(inner, row, null_text, out)
            }
            (Shape::List(item), Values::Array { offsets, elements }) => {
                self.list(item, elements, entries(offsets, row), null_text, out)
            }
            (Shape::Map { key, .. }, Values::Map { offsets, keys, values }) => {
                let Some(value) = self.message.as_ref().and_then(|entry| entry.fields.first())
                else {
                    return Err("a map has no values".to_owned());
                };
                for entry in entries(offsets, row) {
                    write_tag(number, Wire::Delimited, out);
                    write_nested(out, |out| {
                        write_tag(1, key.wire(), out);
                        write_scalar(key, keys, entry, null_text, out)?;
                        value.map_value(values, entry, null_text, out)
                    })?;
                }
                Ok(())
            }
            _ => Err("a value is of another type than its field".to_owned()),
        }
    }

    fn nested(&self, cells: &[Cells<'_>], row: usize, null_text: &str, out: &mut Vec<u8>) -> Write {
        let message = self.message.as_ref().ok_or("a field holds no messages")?;
        write_nested(out, |out| message.write(cells, row, null_text, out))
    }

    fn list(
        &self,
        item: &Item,
        elements: &Cells<'_>,
        range: std::ops::Range<usize>,
        null_text: &str,
        out: &mut Vec<u8>,
    ) -> Write {
        let number = self.plan.number;
        match item {
            Item::Scalar(scalar) if self.packed && scalar.wire() != Wire::Delimited => {
                if range.is_empty() {
                    return Ok(());
                }
                write_tag(number, Wire::Delimited, out);
                write_nested(out, |out| {
                    for entry in range {
                        write_scalar(scalar, elements, entry, null_text, out)?;
                    }
                    Ok(())
                })
            }
            Item::Scalar(scalar) => {
                for entry in range {
                    write_tag(number, scalar.wire(), out);
                    write_scalar(scalar, elements, entry, null_text, out)?;
                }
                Ok(())
            }
            Item::Message(_) => {
                for entry in range {
                    write_tag(number, Wire::Delimited, out);
                    self.element(elements, entry, null_text, out)?;
                }
                Ok(())
            }
        }
    }

    /// A message in a list or map; NULL is one without fields.
    fn element(&self, cells: &Cells<'_>, row: usize, null_text: &str, out: &mut Vec<u8>) -> Write {
        match &cells.values {
            _ if cells.is_null(row) => {
                out.push(0);
                Ok(())
            }
            Values::Row(inner) => self.nested(inner, row, null_text, out),
            _ => Err("a value is of another type than its field".to_owned()),
        }
    }

    /// The value of an entry of a map, which is always written.
    fn map_value(
        &self,
        cells: &Cells<'_>,
        row: usize,
        null_text: &str,
        out: &mut Vec<u8>,
    ) -> Write {
        match &self.plan.shape {
            Shape::One(Item::Scalar(scalar)) => {
                write_tag(2, scalar.wire(), out);
                write_scalar(scalar, cells, row, null_text, out).map(|_| ())
            }
            Shape::One(Item::Message(_)) => {
                write_tag(2, Wire::Delimited, out);
                self.element(cells, row, null_text, out)
            }
            _ => Err("a map holds lists".to_owned()),
        }
    }
}

/// Appends a scalar; NULL (in a list or map) as its default. Returns whether it is the default of its type.
fn write_scalar(
    scalar: &Scalar,
    cells: &Cells<'_>,
    row: usize,
    null_text: &str,
    out: &mut Vec<u8>,
) -> std::result::Result<bool, String> {
    let null = cells.is_null(row);
    let whole = || match &cells.values {
        _ if null => Some(0),
        Values::TinyInt(values) => Some(i64::from(values[row])),
        Values::SmallInt(values) => Some(i64::from(values[row])),
        Values::Int(values) => Some(i64::from(values[row])),
        Values::BigInt(values) => Some(values[row]),
        _ => None,
    };
    let wrong = || "a value is of another type than its field".to_owned();
    match (scalar, &cells.values) {
        (Scalar::Int(coding) | Scalar::Long(coding), _) => {
            let value = whole().ok_or_else(wrong)?;
            let bits = scalar.bits(value);
            match (scalar, coding) {
                (Scalar::Int(_), Coding::Fixed) => out.extend((bits as u32).to_le_bytes()),
                (_, Coding::Fixed) => out.extend(bits.to_le_bytes()),
                _ => write_varint(bits, out),
            }
            Ok(value == 0)
        }
        (Scalar::Float, Values::Float(values)) => {
            let value = if null { 0.0 } else { values[row] };
            out.extend(value.to_le_bytes());
            Ok(value.to_bits() == 0)
        }
        (Scalar::Double, Values::Double(values)) => {
            let value = if null { 0.0 } else { values[row] };
            out.extend(value.to_le_bytes());
            Ok(value.to_bits() == 0)
        }
        (Scalar::Boolean, Values::Boolean(values)) => {
            let value = !null && values.value(row);
            out.push(u8::from(value));
            Ok(!value)
        }
        (Scalar::Text { .. }, Values::Text(values)) => {
            let text = if null { null_text } else { values.value(row) };
            write_delimited(text.as_bytes(), out);
            Ok(text.is_empty())
        }
        (Scalar::Bytes, Values::Bytes(values)) => {
            let bytes = if null { &[] } else { values.value(row) };
            write_delimited(bytes, out);
            Ok(bytes.is_empty())
        }
        (Scalar::Enum(names), values) => {
            // What is none of its values is written as the first.
            let number = match values {
                _ if null => names.first,
                Values::Text(values) => {
                    let text = values.value(row);
                    let known = names.names.iter().find(|(_, name)| name == text);
                    known.map_or(names.first, |(number, _)| *number)
                }
                _ => {
                    let number = whole().ok_or_else(wrong)?;
                    let number = i32::try_from(number).ok();
                    let known = number.filter(|number| names.name(*number).is_some());
                    known.unwrap_or(names.first)
                }
            };
            write_varint(i64::from(number) as u64, out);
            Ok(number == 0)
        }
        _ => Err(wrong()),
    }
}
