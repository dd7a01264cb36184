//! Records into batches: rows, arrays and maps.

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;
use tidegate_types::{Error, ErrorCode, Result};

use super::value::{Outcome, Scratch, key_text, scalar};
use crate::format::column::{Column, Data, RowColumns, end_of};
use crate::format::text::datetime_parse::Standard;
use crate::format::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Records, quote, read_schema,
};
use tidegate_json::cursor::{Cursor, Fault, Parse};

/// The decoder.
pub(super) struct JsonDecoder {
    schema: SchemaRef,
    row: RowColumns,
    values: Values,
}

/// How values become columns.
struct Values {
    /// A field that cannot be converted becomes NULL, a malformed record is dropped.
    ignore_errors: bool,
    fail_on_missing: bool,
    standard: Standard,
    scratch: Scratch,
}

impl JsonDecoder {
    pub(super) fn new(context: &DecoderContext<'_>) -> Result<Self> {
        let options = context.options;
        let ignore_errors = options.boolean("ignore-parse-errors")?;
        let fail_on_missing = options.boolean("fail-on-missing-field")?;
        if ignore_errors && fail_on_missing {
            let keys = [
                options.full_key("fail-on-missing-field"),
                options.full_key("ignore-parse-errors"),
            ];
            let message = format!(
                "{}: '{}' and '{}' must not both be true",
                context.origin, keys[0], keys[1]
            );
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let row = RowColumns::new("", context.read)?;
        row.columns.iter().try_for_each(check_keys)?;
        let values = Values {
            ignore_errors,
            fail_on_missing,
            standard: super::standard(options)?,
            scratch: Scratch::default(),
        };
        Ok(Self { schema: read_schema(context.read), row, values })
    }

    /// Decodes all records; on failure columns may be left begun.
    fn decode_all(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        self.row.reserve(records.len());
        let (mut rows, mut bad_records) = (0, 0);
        // Which record each row came from, once that is not one row per record.
        let mut origins: Option<Vec<u32>> = None;
        for (index, record) in records.iter().enumerate() {
            let before = rows;
            match self.values.record(&mut self.row, rows, record.unwrap_or_default()) {
                Ok(count) => rows += count,
                Err(_) if self.values.ignore_errors => {
                    self.row.truncate(rows);
                    bad_records += 1;
                }
                Err(fault) => {
                    let message = format!("{} (byte {})", fault.message, fault.offset);
                    return Err(BadRecord { record: index, message }.into());
                }
            }
            if origins.is_none() && rows != before + 1 {
                origins = Some((0..before as u32).collect());
            }
            if let Some(origins) = &mut origins {
                origins.extend(std::iter::repeat_n(index as u32, rows - before));
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let arrays = self.row.finish()?;
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::internal(format!("decode JSON: {error}")))?;
        Ok(Decoded {
            rows,
            metadata: Vec::new(),
            origins: origins.map(UInt32Array::from),
            bad_records,
            kinds: None,
        })
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let decoded = self.decode_all(records);
        if decoded.is_err() {
            self.row.truncate(0);
        }
        decoded
    }
}

/// Maps must have text keys.
fn check_keys(column: &Column) -> Result<()> {
    match &column.data {
        Data::Map { key, value, .. } => {
            if !key.kind.is_text() {
                let message = format!(
                    "column {}: JSON objects have text keys, so a map of type {} cannot be read from them",
                    column.path, column.kind
                );
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
            check_keys(value)
        }
        Data::Array { element, .. } => check_keys(element),
        Data::Row(row) => row.columns.iter().try_for_each(check_keys),
        _ => Ok(()),
    }
}

impl Values {
    /// Appends the rows of a record, of which there are `rows` so far; returns how many it has. An empty
    /// record has none.
    fn record(&mut self, row: &mut RowColumns, rows: usize, record: &[u8]) -> Parse<usize> {
        if record.is_empty() {
            return Ok(0);
        }
        let mut cursor = Cursor::new(record);
        cursor.skip_space();
        match cursor.peek() {
            Some(b'{') => self.object(row, rows, &mut cursor).map(|()| 1),
            Some(b'[') => {
                cursor.position += 1;
                cursor.skip_space();
                if cursor.peek() == Some(b']') {
                    return Ok(0);
                }
                let mut count = 0;
                loop {
                    if cursor.peek() != Some(b'{') {
                        return cursor.unexpected("a JSON object");
                    }
                    self.object(row, rows + count, &mut cursor)?;
                    count += 1;
                    if !cursor.another(b']')? {
                        return Ok(count);
                    }
                }
            }
            _ => cursor.unexpected("a JSON object"),
        }
    }

    /// Appends an object as row number `at`; the next byte is its brace.
    fn object(&mut self, row: &mut RowColumns, at: usize, cursor: &mut Cursor<'_>) -> Parse<()> {
        cursor.position += 1;
        cursor.skip_space();
        let (mut found, mut position, mut twice) = (0, 0, false);
        let mut open = cursor.peek() != Some(b'}');
        if !open {
            cursor.position += 1;
        }
        while open {
            if found == row.columns.len() {
                cursor.skip_open()?;
                break;
            }
            let field = self.key(row, position, cursor)?;
            position += 1;
            match field.and_then(|field| row.columns.get_mut(field)) {
                Some(column) => {
                    if column.len() > at {
                        column.truncate(at);
                        twice = true;
                    }
                    self.value(column, cursor)?;
                    found += 1;
                }
                None => cursor.skip_value()?,
            }
            open = cursor.another(b'}')?;
        }
        if found == row.columns.len() && !twice {
            return Ok(());
        }
        self.missing(row, at, found, cursor)
    }

    /// Goes over a key and its colon; the field that it names, if it is read.
    #[inline]
    fn key(
        &mut self,
        row: &mut RowColumns,
        position: usize,
        cursor: &mut Cursor<'_>,
    ) -> Parse<Option<usize>> {
        let field = match row.keys.predict(position, cursor.rest()) {
            Some((field, length)) => {
                cursor.position += length;
                field
            }
            None => {
                if cursor.peek() != Some(b'"') {
                    return cursor.unexpected("a key in double quotes");
                }
                let start = cursor.position;
                let token = cursor.string()?;
                let raw = &cursor.bytes[start..cursor.position];
                match key_text(token.raw, token.escaped, &mut self.scratch) {
                    Ok(name) => row.keys.find(position, raw, name),
                    Err(offset) => {
                        cursor.position = start + 1 + offset;
                        return cursor.fault("an escape in a key is malformed");
                    }
                }
            }
        };
        cursor.expect(b':', "':'")?;
        Ok(field)
    }

    /// Fills the fields that an object lacks.
    #[cold]
    fn missing(
        &self,
        row: &mut RowColumns,
        at: usize,
        found: usize,
        cursor: &Cursor<'_>,
    ) -> Parse<()> {
        let fail = self.fail_on_missing && found < row.columns.len();
        for column in &mut row.columns {
            if column.len() > at {
                continue;
            }
            if fail {
                return cursor.fault(format!("column {} is missing", column.path));
            }
            null(column, cursor)?;
        }
        Ok(())
    }

    /// Appends the value that begins here.
    #[inline]
    fn value(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parse<()> {
        let start = cursor.position;
        if cursor.peek() == Some(b'n') {
            cursor.word(b"null")?;
            return null(column, cursor);
        }
        let outcome = match (&column.data, cursor.peek()) {
            (Data::Row(_), Some(b'{')) => self.row(column, cursor)?,
            (Data::Array { .. }, Some(b'[')) => self.array(column, cursor)?,
            (Data::Map { .. }, Some(b'{')) => self.map(column, cursor)?,
            _ => scalar(column, cursor, self.standard, &mut self.scratch)?,
        };
        match outcome {
            Outcome::Pushed => Ok(()),
            Outcome::Null => null(column, cursor),
            Outcome::Mismatch => self.mismatch(column, start, cursor),
        }
    }

    /// A value that does not fit its column: NULL if errors are ignored.
    #[cold]
    fn mismatch(&self, column: &mut Column, start: usize, cursor: &mut Cursor<'_>) -> Parse<()> {
        cursor.position = start;
        cursor.skip_value()?;
        if self.ignore_errors {
            return null(column, cursor);
        }
        let found = quote(&cursor.bytes[start..cursor.position]);
        let message =
            format!("column {}: {found} is not a value of type {}", column.path, column.kind);
        Err(Box::new(Fault { offset: start, message }))
    }

    fn row(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parse<Outcome> {
        let at = column.len();
        let Data::Row(row) = &mut column.data else {
            return Ok(Outcome::Mismatch);
        };
        self.object(row, at, cursor)?;
        column.pushed();
        Ok(Outcome::Pushed)
    }

    fn array(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parse<Outcome> {
        let Data::Array { ends, element, .. } = &mut column.data else {
            return Ok(Outcome::Mismatch);
        };
        cursor.position += 1;
        cursor.skip_space();
        if cursor.peek() == Some(b']') {
            cursor.position += 1;
        } else {
            self.value(element, cursor)?;
            while cursor.another(b']')? {
                self.value(element, cursor)?;
            }
        }
        ends.push(end_of(element.len()));
        column.pushed();
        Ok(Outcome::Pushed)
    }

    /// Appends a map. Of entries with equal keys the last one stays, so the keys are looked at first.
    fn map(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parse<Outcome> {
        let Data::Map { ends, key, value, .. } = &mut column.data else {
            return Ok(Outcome::Mismatch);
        };
        for (name, offset) in map_entries(cursor, &mut self.scratch)? {
            let Data::Text(keys) = &mut key.data else {
                return Ok(Outcome::Mismatch);
            };
            keys.append_value(&name);
            key.pushed();
            let mut at_value = Cursor { bytes: cursor.bytes, position: offset };
            self.value(value, &mut at_value)?;
        }
        ends.push(end_of(value.len()));
        column.pushed();
        Ok(Outcome::Pushed)
    }
}

/// The keys of an object and where their values begin, in order, each key once. Stands behind the
/// object afterwards.
fn map_entries(cursor: &mut Cursor<'_>, scratch: &mut Scratch) -> Parse<Vec<(String, usize)>> {
    let mut entries: Vec<(String, usize)> = Vec::new();
    let mut indices: HashMap<String, usize> = HashMap::new();
    cursor.position += 1;
    cursor.skip_space();
    if cursor.peek() == Some(b'}') {
        cursor.position += 1;
        return Ok(entries);
    }
    loop {
        if cursor.peek() != Some(b'"') {
            return cursor.unexpected("a key in double quotes");
        }
        let start = cursor.position;
        let token = cursor.string()?;
        let name = key_text(token.raw, token.escaped, scratch)
            .ok()
            .and_then(|name| std::str::from_utf8(name).ok());
        let Some(name) = name.map(str::to_owned) else {
            cursor.position = start;
            return cursor.fault("a key is not valid text");
        };
        cursor.expect(b':', "':'")?;
        match indices.get(&name) {
            Some(index) => entries[*index].1 = cursor.position,
            None => {
                indices.insert(name.clone(), entries.len());
                entries.push((name, cursor.position));
            }
        }
        cursor.skip_value()?;
        if !cursor.another(b'}')? {
            return Ok(entries);
        }
    }
}

/// Appends NULL.
fn null(column: &mut Column, cursor: &Cursor<'_>) -> Parse<()> {
    match column.push_null() {
        Ok(()) => Ok(()),
        Err(_) => cursor.fault(format!("column {} is NULL, but declared NOT NULL", column.path)),
    }
}
