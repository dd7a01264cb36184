//! Envelopes to rows with their kinds, a whole batch of records at once.

use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, Int8Array, ListArray, RecordBatch, RecordBatchOptions,
    StringViewArray, StructArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidegate_plan::RowKind;
use tidegate_types::{Error, Field, Result, TypeKind};

use super::dialect::{Dialect, Operation};
use super::envelope_decoder;
use super::include::Include;
use super::metadata::MetadataReader;
use super::partial::Partial;
use crate::format::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Records, read_schema,
};

/// The decoder.
pub(super) struct ChangeDecoder {
    dialect: &'static Dialect,
    /// Reads envelopes.
    inner: Box<dyn Decoder>,
    schema: SchemaRef,
    names: Vec<String>,
    /// Whether envelopes are in a field `payload`.
    wrapped: bool,
    include: Option<Include>,
    metadata: MetadataReader,
    ignore_errors: bool,
}

/// The sides of a change, as indices of what rows are taken from.
const BEFORE: usize = 0;
pub(super) const AFTER: usize = 1;

/// Columns of the envelope, in or outside of its payload.
const OPERATION: usize = 2;
/// Columns of the envelope in front of the metadata.
const FIXED: usize = 3;

impl ChangeDecoder {
    pub(super) fn new(dialect: &'static Dialect, context: &DecoderContext<'_>) -> Result<Self> {
        let has = |key| context.options.knows(key);
        let wrapped = has("schema-include") && context.options.boolean("schema-include")?;
        // A row of no columns cannot be told from NULL: one is read to count by.
        let first = context.declared.iter().take(1).cloned();
        let counted: Vec<Field> =
            if context.read.is_empty() { first.collect() } else { Vec::new() };
        let read = if context.read.is_empty() { &counted } else { context.read };
        let metadata = MetadataReader::new(dialect, context.metadata)?;
        let fields = |columns: &[Field]| {
            let mut inside = envelope(dialect, columns);
            inside.extend(metadata.fields(false));
            let mut fields = match wrapped {
                true => vec![Field::new("payload", TypeKind::Row(inside).nullable())],
                false => inside,
            };
            fields.extend(metadata.fields(true));
            fields
        };
        let inner = envelope_decoder(
            dialect.encoding,
            &DecoderContext {
                declared: &fields(context.declared),
                read: &fields(read),
                metadata: &[],
                ..*context
            },
        )?;
        Ok(Self {
            dialect,
            inner,
            schema: read_schema(context.read),
            names: context.read.iter().map(|field| field.name.clone()).collect(),
            wrapped,
            include: Include::new(context)?,
            metadata,
            ignore_errors: context.options.boolean("ignore-parse-errors")?,
        })
    }
}

/// The fields of an envelope: the row before, the row, and the operation.
fn envelope(dialect: &Dialect, columns: &[Field]) -> Vec<Field> {
    let mut row = TypeKind::Row(dialect.row(columns)).nullable();
    if dialect.lists {
        row = TypeKind::Array(Box::new(row)).nullable();
    }
    vec![
        Field::new(dialect.before, row.clone()),
        Field::new(dialect.after, row),
        Field::new(dialect.operation, TypeKind::STRING.nullable()),
    ]
}

/// One side of the envelopes of a batch.
struct Side<'a> {
    lists: Option<&'a ListArray>,
    rows: &'a StructArray,
}

impl<'a> Side<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match array.as_list_opt() {
            Some(lists) => Self { lists: Some(lists), rows: lists.values().as_struct() },
            None => Self { lists: None, rows: array.as_struct() },
        }
    }

    /// The rows of an envelope.
    fn of(&self, envelope: usize) -> Option<Range<usize>> {
        match self.lists {
            None => self.rows.is_valid(envelope).then_some(envelope..envelope + 1),
            Some(lists) if lists.is_null(envelope) => None,
            Some(lists) => {
                let offsets = lists.value_offsets();
                Some(offsets[envelope] as usize..offsets[envelope + 1] as usize)
            }
        }
    }
}

/// The envelopes of a batch.
struct Envelopes<'a> {
    before: Side<'a>,
    after: Side<'a>,
    operations: &'a StringViewArray,
    /// Where the payload is missing, if there is one.
    missing: Option<&'a NullBuffer>,
}

impl<'a> Envelopes<'a> {
    fn side(&self, side: usize) -> &Side<'a> {
        if side == BEFORE { &self.before } else { &self.after }
    }
}

/// The rows of a batch, gathered from its envelopes.
#[derive(Default)]
struct Gathered {
    /// For each row its side, and the row there.
    places: Vec<(usize, usize)>,
    kinds: Vec<i8>,
    records: Vec<u32>,
    envelopes: Vec<u32>,
    partial: Partial,
}

impl Gathered {
    fn push(&mut self, place: (usize, usize), kind: RowKind, record: usize, envelope: usize) {
        self.places.push(place);
        self.kinds.push(kind as i8);
        self.records.push(u32::try_from(record).unwrap_or(u32::MAX));
        self.envelopes.push(u32::try_from(envelope).unwrap_or(u32::MAX));
    }
}

#[async_trait]
impl Decoder for ChangeDecoder {
    async fn prepare(&mut self, records: &Records) -> Result<()> {
        self.inner.prepare(records).await
    }

    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let Some(include) = &mut self.include else {
            return self.decode_all(records);
        };
        let included = include.select(records)?;
        let mut decoded = match self.decode_all(&included.records) {
            Err(DecodeError::Record(mut bad)) => {
                bad.record = included.origin(bad.record);
                return Err(bad.into());
            }
            decoded => decoded?,
        };
        let origins = (0..decoded.rows.num_rows()).map(|row| decoded.origin(row));
        let origins = origins.map(|record| included.origin(record) as u32).collect();
        decoded.origins = Some(origins);
        decoded.bad_records += included.bad_records;
        Ok(decoded)
    }
}

impl ChangeDecoder {
    fn decode_all(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let decoded = self.inner.decode(records)?;
        let payload = self.wrapped.then(|| decoded.rows.column(0).as_struct());
        let inside = |index: usize| match payload {
            Some(payload) => payload.column(index),
            None => decoded.rows.column(index),
        };
        let envelopes = Envelopes {
            before: Side::new(inside(BEFORE)),
            after: Side::new(inside(AFTER)),
            operations: inside(OPERATION).as_string_view(),
            missing: payload.and_then(|payload| payload.nulls()),
        };
        let inside_count = self.metadata.inside();
        let metadata = self.metadata.read(|index, outside| match (outside, self.wrapped) {
            (true, true) => decoded.rows.column(1 + index),
            (true, false) => decoded.rows.column(FIXED + inside_count + index),
            (false, _) => inside(FIXED + index),
        })?;
        let mut gathered = Gathered::default();
        let mut bad_records = decoded.bad_records;
        for envelope in 0..decoded.rows.num_rows() {
            let record = decoded.origin(envelope);
            let checked = match metadata.fault(envelope) {
                Some(fault) => Err(fault.to_owned()),
                None => self.gather(&envelopes, envelope, records, record, &mut gathered),
            };
            match checked {
                Ok(()) => {}
                Err(_) if self.ignore_errors => bad_records += 1,
                Err(message) => return Err(BadRecord { record, message }.into()),
            }
        }
        if !gathered.partial.is_empty() {
            gathered.partial.find_named(records, self.dialect.before, &self.names);
        }
        let rows = self.rows(&envelopes, &gathered)?;
        let envelopes = UInt32Array::from(gathered.envelopes);
        Ok(Decoded {
            rows,
            metadata: metadata.take(&envelopes)?,
            origins: Some(UInt32Array::from(gathered.records)),
            bad_records,
            kinds: Some(Int8Array::from(gathered.kinds)),
        })
    }

    /// Gathers the rows of an envelope; those in front of one that is wrong are there, as in Flink.
    fn gather(
        &self,
        envelopes: &Envelopes<'_>,
        envelope: usize,
        records: &Records,
        record: usize,
        gathered: &mut Gathered,
    ) -> Result<(), String> {
        let bytes = records.get(record).unwrap_or_default();
        if self.dialect.partial && bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err("it is an array of changes: a record is one change".to_owned());
        }
        if envelopes.missing.is_some_and(|nulls| nulls.is_null(envelope)) {
            return Err("the record has no \"payload\"; it has one if Kafka Connect adds the schema, else leave 'schema-include' out".to_owned());
        }
        let operations = envelopes.operations;
        let text = operations.is_valid(envelope).then(|| operations.value(envelope));
        let (side, kind) = match self.operation(text)? {
            Operation::Skip => return Ok(()),
            Operation::Update => return self.update(envelopes, envelope, record, gathered),
            Operation::Insert => (AFTER, RowKind::Insert),
            // Where the row before is partial, what was deleted stands where rows stand.
            Operation::Delete if self.dialect.partial => (AFTER, RowKind::Delete),
            Operation::Delete => (BEFORE, RowKind::Delete),
        };
        for row in self.of(envelopes, side, envelope)? {
            self.check(envelopes, side, row)?;
            gathered.push((side, row), kind, record, envelope);
        }
        Ok(())
    }

    fn update(
        &self,
        envelopes: &Envelopes<'_>,
        envelope: usize,
        record: usize,
        gathered: &mut Gathered,
    ) -> Result<(), String> {
        let after = self.of(envelopes, AFTER, envelope)?;
        let mut before = self.of(envelopes, BEFORE, envelope)?;
        for after in after {
            let before = before.next().ok_or_else(|| self.missing(BEFORE))?;
            self.check(envelopes, AFTER, after)?;
            self.check(envelopes, BEFORE, before)?;
            if self.dialect.partial {
                gathered.partial.push(gathered.places.len(), after, record);
            }
            gathered.push((BEFORE, before), RowKind::UpdateBefore, record, envelope);
            gathered.push((AFTER, after), RowKind::UpdateAfter, record, envelope);
        }
        Ok(())
    }

    fn operation(&self, text: Option<&str>) -> Result<Operation, String> {
        let Dialect { operation, operations, .. } = self.dialect;
        let Some(text) = text else {
            return Err(format!("there is no '{operation}'"));
        };
        let known = operations.iter().find(|(known, _)| *known == text);
        known.map(|(_, operation)| *operation).ok_or_else(|| {
            let all: Vec<&str> = operations.iter().map(|(known, _)| *known).collect();
            format!("'{operation}' is '{text}': it must be one of {}", all.join(", "))
        })
    }

    /// The rows that an envelope has on a side.
    fn of(
        &self,
        envelopes: &Envelopes<'_>,
        side: usize,
        envelope: usize,
    ) -> Result<Range<usize>, String> {
        envelopes.side(side).of(envelope).ok_or_else(|| self.missing(side))
    }

    /// Fails if a row is NULL.
    fn check(&self, envelopes: &Envelopes<'_>, side: usize, row: usize) -> Result<(), String> {
        let rows = envelopes.side(side).rows;
        if rows.is_valid(row) { Ok(()) } else { Err(self.missing(side)) }
    }

    fn missing(&self, side: usize) -> String {
        let Dialect { before, after, before_is_missing, lists, .. } = self.dialect;
        let of = if *lists { "a row of " } else { "" };
        match side {
            BEFORE => format!("{of}'{before}' is missing: {before_is_missing}"),
            _ => format!("{of}'{after}' is missing"),
        }
    }

    /// The columns of the gathered rows.
    fn rows(
        &self,
        envelopes: &Envelopes<'_>,
        gathered: &Gathered,
    ) -> Result<RecordBatch, DecodeError> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for column in 0..self.schema.fields().len() {
            let before = envelopes.before.rows.column(column);
            let sides = [before.as_ref(), envelopes.after.rows.column(column).as_ref()];
            let values = match gathered.partial.is_empty() {
                true => interleave(&sides, &gathered.places),
                false => {
                    let mut places = gathered.places.clone();
                    gathered.partial.complete(column, |row| before.is_null(row), &mut places);
                    interleave(&sides, &places)
                }
            };
            columns.push(values.map_err(|error| Error::internal(error.to_string()))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(gathered.kinds.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        let record = gathered.records.first().map_or(0, |record| *record as usize);
        rows.map_err(|error| {
            let message = format!("this record or one behind it: {error}");
            BadRecord { record, message }.into()
        })
    }
}
