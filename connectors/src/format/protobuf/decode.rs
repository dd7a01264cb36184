//! Messages into columns.

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;
use tidegate_types::{Error, Result};

use super::plan::{Absent, Coding, Default, Defaults, FieldPlan, Item, MessagePlan, Scalar, Shape};
use super::wire::{Cursor, Read, Wire, WireValue, unzigzag};
use crate::format::column::{Column, Data, RowColumns, end_of};
use crate::format::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Records, read_schema,
};

/// The decoder.
pub(super) struct ProtobufDecoder {
    schema: SchemaRef,
    plan: MessagePlan,
    row: RowColumns,
    found: Found,
    ignore_errors: bool,
}

impl ProtobufDecoder {
    pub(super) fn new(context: &DecoderContext<'_>) -> Result<Self> {
        let message = super::descriptor::message(context.options)?;
        let defaults = context.options.boolean("read-default-values")?;
        let defaults = Defaults::new(&message, defaults);
        // Columns that nobody reads must be fields too.
        MessagePlan::new(&message, context.declared, defaults, "")?;
        Ok(Self {
            schema: read_schema(context.read),
            plan: MessagePlan::new(&message, context.read, defaults, "")?,
            row: RowColumns::new("", context.read)?,
            found: Found::default(),
            ignore_errors: context.options.boolean("ignore-parse-errors")?,
        })
    }
}

impl Decoder for ProtobufDecoder {
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        self.row.reserve(records.len());
        let (mut rows, mut bad_records) = (0, 0);
        let mut origins = Vec::with_capacity(records.len());
        for (record, bytes) in records.iter().enumerate() {
            let Some(bytes) = bytes else { continue };
            self.found.clear();
            let read = self.found.message(&self.plan, bytes, 0, bytes.len(), &mut self.row);
            match read {
                Ok(()) => {
                    rows += 1;
                    origins.push(record as u32);
                }
                Err(_) if self.ignore_errors => {
                    self.row.truncate(rows);
                    bad_records += 1;
                }
                Err(message) => {
                    self.row.truncate(0);
                    return Err(BadRecord { record, message }.into());
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let arrays = self.row.finish()?;
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::internal(format!("decode Protobuf: {error}")))?;
        let origins = (origins.len() < records.len()).then(|| UInt32Array::from(origins));
        Ok(Decoded { rows, metadata: Vec::new(), origins, bad_records, kinds: None })
    }
}

/// Where the values of planned fields are in a message. The memory is kept from message to message.
#[derive(Default)]
struct Found {
    /// For each field of the messages that are open its first and last value.
    slots: Vec<Option<(u32, u32)>>,
    values: Vec<(WireValue, Option<u32>)>,
}

impl Found {
    fn clear(&mut self) {
        self.slots.clear();
        self.values.clear();
    }

    fn add(&mut self, slot: usize, value: WireValue) {
        let index = self.values.len() as u32;
        self.values.push((value, None));
        let Some(slot) = self.slots.get_mut(slot) else { return };
        match slot {
            None => *slot = Some((index, index)),
            Some((_, last)) => {
                if let Some((_, next)) = self.values.get_mut(*last as usize) {
                    *next = Some(index);
                }
                *last = index;
            }
        }
    }

    /// Appends the row of the message in `start..end` of `bytes`.
    fn message(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        start: usize,
        end: usize,
        row: &mut RowColumns,
    ) -> Read<()> {
        let (base, values) = (self.slots.len(), self.values.len());
        self.slots.resize(base + plan.fields.len(), None);
        let mut cursor = Cursor::new(bytes, start, end);
        while let Some((number, value)) = cursor.field()? {
            if let Some(field) = plan.find(number) {
                self.add(base + field, value);
            }
        }
        for (index, field) in plan.fields.iter().enumerate() {
            let slot = self.slots.get(base + index).copied().flatten();
            if let (Some(name), None) = (&field.required, slot) {
                return Err(format!("the required field '{name}' is missing"));
            }
            if let Some(column) = field.column.and_then(|column| row.columns.get_mut(column)) {
                self.field(field, slot, bytes, column)?;
            }
        }
        self.slots.truncate(base);
        self.values.truncate(values);
        Ok(())
    }

    /// Appends the value of a field whose values in the message begin and end with `slot`.
    fn field(
        &mut self,
        field: &FieldPlan,
        slot: Option<(u32, u32)>,
        bytes: &[u8],
        column: &mut Column,
    ) -> Read<()> {
        let Some((first, last)) = slot else { return self.absent(field, column) };
        match &field.shape {
            Shape::One(Item::Scalar(scalar)) => {
                let value = self.last_of(first, last, scalar);
                match value {
                    Some(value) if push(scalar, value, bytes, column)? => Ok(()),
                    _ => self.absent(field, column),
                }
            }
            Shape::One(Item::Message(plan)) => self.one_message(plan, first, bytes, column),
            Shape::List(item) => self.list(field, item, first, bytes, column),
            Shape::Map { key, value } => self.map(key, value, first, bytes, column),
        }
    }

    /// The last value of a scalar that stands in the message as it should.
    fn last_of(&self, first: u32, last: u32, scalar: &Scalar) -> Option<WireValue> {
        let fits = |value: &WireValue| {
            let named = match scalar {
                Scalar::Enum(names) if names.closed => names.name(value.bits as i32).is_some(),
                _ => true,
            };
            value.wire == scalar.wire() && named
        };
        let (value, _) = self.values.get(last as usize)?;
        if fits(value) {
            return Some(*value);
        }
        self.chain(first).filter(fits).last()
    }

    /// The values of a field.
    fn chain(&self, first: u32) -> impl Iterator<Item = WireValue> {
        let mut next = Some(first);
        std::iter::from_fn(move || {
            let (value, following) = self.values.get(next? as usize)?;
            next = *following;
            Some(*value)
        })
    }

    /// Several values of one message are merged: as if their bytes stood one behind the other.
    fn one_message(
        &mut self,
        plan: &MessagePlan,
        first: u32,
        bytes: &[u8],
        column: &mut Column,
    ) -> Read<()> {
        let parts: Vec<(usize, usize)> = self
            .chain(first)
            .filter(|value| value.wire == Wire::Delimited)
            .map(|value| (value.start, value.end))
            .collect();
        let Data::Row(row) = &mut column.data else { return Err(other_type(column)) };
        match parts.as_slice() {
            [(start, end)] => self.message(plan, bytes, *start, *end, row)?,
            parts => {
                let merged: Vec<u8> = parts
                    .iter()
                    .flat_map(|(start, end)| bytes.get(*start..*end).unwrap_or_default())
                    .copied()
                    .collect();
                self.message(plan, &merged, 0, merged.len(), row)?;
            }
        }
        column.pushed();
        Ok(())
    }

    fn list(
        &mut self,
        field: &FieldPlan,
        item: &Item,
        first: u32,
        bytes: &[u8],
        column: &mut Column,
    ) -> Read<()> {
        let Data::Array { ends, element, .. } = &mut column.data else {
            return Err(other_type(column));
        };
        let before = element.len();
        let mut next = Some(first);
        while let Some((value, following)) =
            next.and_then(|index| self.values.get(index as usize)).copied()
        {
            next = following;
            match item {
                Item::Message(plan) if value.wire == Wire::Delimited => {
                    let Data::Row(row) = &mut element.data else { return Err(other_type(element)) };
                    self.message(plan, bytes, value.start, value.end, row)?;
                    element.pushed();
                }
                Item::Message(_) => {}
                Item::Scalar(scalar) if value.wire == scalar.wire() => {
                    push(scalar, value, bytes, element)?;
                }
                Item::Scalar(scalar) if value.wire == Wire::Delimited => {
                    packed(scalar, value, bytes, element)?;
                }
                Item::Scalar(_) => {}
            }
        }
        if element.len() == before && matches!(field.absent, Absent::Null) {
            return null(column);
        }
        ends.push(end_of(element.len()));
        column.pushed();
        Ok(())
    }

    fn map(
        &mut self,
        key: &Scalar,
        value: &FieldPlan,
        first: u32,
        bytes: &[u8],
        column: &mut Column,
    ) -> Read<()> {
        let Data::Map { ends, key: keys, value: values, .. } = &mut column.data else {
            return Err(other_type(column));
        };
        // Of entries with equal keys the last counts.
        let mut entries: Vec<(Option<WireValue>, (usize, usize))> = Vec::new();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        for entry in self.chain(first).filter(|entry| entry.wire == Wire::Delimited) {
            let mut cursor = Cursor::new(bytes, entry.start, entry.end);
            let mut found = None;
            while let Some((number, part)) = cursor.field()? {
                if number == 1 && part.wire == key.wire() {
                    found = Some(part);
                }
            }
            let name = match found {
                Some(part) if part.wire == Wire::Delimited => {
                    bytes.get(part.start..part.end).unwrap_or_default().to_vec()
                }
                Some(part) => part.bits.to_le_bytes().to_vec(),
                None if key.wire() == Wire::Delimited => Vec::new(),
                None => 0_u64.to_le_bytes().to_vec(),
            };
            let entry = (found, (entry.start, entry.end));
            match places.get(&name) {
                Some(place) => {
                    if let Some(slot) = entries.get_mut(*place) {
                        *slot = entry;
                    }
                }
                None => {
                    places.insert(name, entries.len());
                    entries.push(entry);
                }
            }
        }
        for (found, (start, end)) in entries {
            let nothing = WireValue { wire: key.wire(), bits: 0, start: 0, end: 0 };
            push(key, found.unwrap_or(nothing), bytes, keys)?;
            let (base, count) = (self.slots.len(), self.values.len());
            self.slots.push(None);
            let mut cursor = Cursor::new(bytes, start, end);
            while let Some((number, part)) = cursor.field()? {
                if number == 2 {
                    self.add(base, part);
                }
            }
            let slot = self.slots.get(base).copied().flatten();
            self.field(value, slot, bytes, values)?;
            self.slots.truncate(base);
            self.values.truncate(count);
        }
        ends.push(end_of(values.len()));
        column.pushed();
        Ok(())
    }

    /// Appends what stands in a column whose field is missing.
    fn absent(&mut self, field: &FieldPlan, column: &mut Column) -> Read<()> {
        let Absent::Default(default) = &field.absent else { return null(column) };
        match (&field.shape, default) {
            (Shape::One(Item::Scalar(scalar)), Default::Bits(bits)) => {
                let value = WireValue { wire: scalar.wire(), bits: *bits, start: 0, end: 0 };
                match push(scalar, value, &[], column)? {
                    true => Ok(()),
                    false => null(column),
                }
            }
            (Shape::One(Item::Scalar(scalar)), Default::Bytes(bytes)) => {
                let wire = Wire::Delimited;
                let value = WireValue { wire, bits: 0, start: 0, end: bytes.len() };
                push(scalar, value, bytes, column).map(|_| ())
            }
            (Shape::One(Item::Message(plan)), _) => {
                let Data::Row(row) = &mut column.data else { return Err(other_type(column)) };
                self.message(plan, &[], 0, 0, row)?;
                column.pushed();
                Ok(())
            }
            (Shape::List(_) | Shape::Map { .. }, _) => {
                match &mut column.data {
                    Data::Array { ends, element, .. } => ends.push(end_of(element.len())),
                    Data::Map { ends, value, .. } => ends.push(end_of(value.len())),
                    _ => return Err(other_type(column)),
                }
                column.pushed();
                Ok(())
            }
            (Shape::One(Item::Scalar(_)), Default::Empty) => null(column),
        }
    }
}

/// Appends the values of a packed list.
fn packed(scalar: &Scalar, list: WireValue, bytes: &[u8], column: &mut Column) -> Read<()> {
    let wire = scalar.wire();
    let mut cursor = Cursor::new(bytes, list.start, list.end);
    while !cursor.is_at_end() {
        let bits = match wire {
            Wire::Varint => cursor.varint()?,
            Wire::Fixed32 => cursor.fixed32()?,
            Wire::Fixed64 => cursor.fixed64()?,
            Wire::Delimited => return Ok(()),
        };
        push(scalar, WireValue { wire, bits, start: 0, end: 0 }, bytes, column)?;
    }
    Ok(())
}

/// Appends a scalar. `false`: it is none of its enum, and nothing is appended.
#[inline]
fn push(scalar: &Scalar, value: WireValue, bytes: &[u8], column: &mut Column) -> Read<bool> {
    let bits = value.bits;
    let content = || bytes.get(value.start..value.end).unwrap_or_default();
    match (scalar, &mut column.data) {
        (Scalar::Int(Coding::ZigZag), Data::Int(values)) => {
            values.push(unzigzag(u64::from(bits as u32)) as i32);
        }
        (Scalar::Int(_), Data::Int(values)) => values.push(bits as i32),
        (Scalar::Long(Coding::ZigZag), Data::BigInt(values)) => values.push(unzigzag(bits)),
        (Scalar::Long(_), Data::BigInt(values)) => values.push(bits as i64),
        (Scalar::Float, Data::Float(values)) => values.push(f32::from_bits(bits as u32)),
        (Scalar::Double, Data::Double(values)) => values.push(f64::from_bits(bits)),
        (Scalar::Boolean, Data::Boolean(values)) => values.append(bits != 0),
        (Scalar::Text { strict }, Data::Text(values)) => {
            match (std::str::from_utf8(content()), strict) {
                (Ok(text), _) => values.append_value(text),
                (Err(_), true) => {
                    return Err(format!("column {}: the text is not valid UTF-8", column.path));
                }
                (Err(_), false) => values.append_value(String::from_utf8_lossy(content())),
            }
        }
        (Scalar::Bytes, Data::Bytes(values)) => values.append_value(content()),
        (Scalar::Enum(names), data) => {
            let number = bits as i32;
            let name = names.name(number);
            if names.closed && name.is_none() {
                return Ok(false);
            }
            match data {
                Data::Text(values) => values.append_value(name.unwrap_or("UNRECOGNIZED")),
                Data::TinyInt(values) => values.push(number as i8),
                Data::SmallInt(values) => values.push(number as i16),
                Data::Int(values) => values.push(number),
                Data::BigInt(values) => values.push(i64::from(number)),
                _ => return Err(other_type(column)),
            }
        }
        _ => return Err(other_type(column)),
    }
    column.pushed();
    Ok(true)
}

#[cold]
fn other_type(column: &Column) -> String {
    format!("column {}: the plan is of another type", column.path)
}

/// Appends NULL.
fn null(column: &mut Column) -> Read<()> {
    column.push_null().map_err(|_| format!("column {} is NULL, but declared NOT NULL", column.path))
}
