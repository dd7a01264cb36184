//! From a batch of rows to records for topics: key, value, partition, timestamp and headers of each
//! row. What becomes of the records is the writers' business.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, MapArray, RecordBatch, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use tidegate_engine::Changes;
use tidegate_plan::RowKind;
use tidegate_types::error::ResultExt as _;
use tidegate_types::{Error, ErrorCode, Result};

use super::client::Context;
use super::in_flight::Side;
use super::sink::{Partitioner, Shared};
use crate::format::{Encoder, Records};

/// Encodes the rows of one subtask.
pub(super) struct RowEncoder {
    shared: Arc<Shared>,
    subtask: u32,
    value_encoder: Box<dyn Encoder>,
    key_encoder: Option<Box<dyn Encoder>>,
    values: Records,
    keys: Records,
    envelopes: Envelopes,
    /// Of a table by key: for each row of the batch whether its key is deleted.
    tombstones: Vec<bool>,
    /// Whether a later row of the batch has the same key; empty where all rows are written.
    replaced: Vec<bool>,
    /// Number of partitions by topic, where the partitioner needs it; asked for at the first row.
    partitions: BTreeMap<String, i32>,
    /// Rows encoded, for turns.
    turn: i32,
}

/// The columns of a batch that are neither key nor value.
#[derive(Default)]
struct Envelopes {
    topics: Option<StringViewArray>,
    headers: Option<RowHeaders>,
    timestamps: Option<ArrayRef>,
}

struct RowHeaders {
    rows: MapArray,
    keys: StringViewArray,
    values: BinaryViewArray,
}

/// One record.
pub(super) struct Outgoing<'a> {
    /// Index among the table's topics.
    pub(super) topic: usize,
    /// `None`: the client decides by the key.
    pub(super) partition: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    /// Milliseconds since 1970.
    pub(super) timestamp: Option<i64>,
    pub(super) headers: Option<Headers<'a>>,
}

/// The headers of a record.
#[derive(Clone, Copy)]
pub(super) enum Headers<'a> {
    /// Entries `from..to` of the columns that hold the headers of all rows.
    Columns { keys: &'a StringViewArray, values: &'a BinaryViewArray, from: usize, to: usize },
    /// As they were staged.
    Staged(&'a [u8]),
}

impl RowEncoder {
    pub(super) fn new(shared: Arc<Shared>, subtask: u32) -> Result<Self> {
        Ok(Self {
            value_encoder: shared.value_encoder()?,
            key_encoder: shared.key_encoder()?,
            shared,
            subtask,
            values: Records::new(),
            keys: Records::new(),
            envelopes: Envelopes::default(),
            tombstones: Vec::new(),
            replaced: Vec::new(),
            partitions: BTreeMap::new(),
            turn: 0,
        })
    }

    /// Finds out what must be known before rows are encoded: the number of partitions where the partitioner needs it,
    /// and what the formats need.
    pub(super) async fn prepare<C>(&mut self, client: &C) -> Result<()>
    where
        C: Producer<Context> + Clone + Send + 'static,
    {
        self.value_encoder.prepare().await?;
        if let Some(encoder) = &mut self.key_encoder {
            encoder.prepare().await?;
        }
        if self.shared.partitioner == Partitioner::Default || !self.partitions.is_empty() {
            return Ok(());
        }
        let (shared, client) = (Arc::clone(&self.shared), client.clone());
        let counts = tokio::task::spawn_blocking(move || shared.partition_counts(&client)).await;
        self.partitions =
            counts.map_err(|_| Error::internal("looking up partitions ended early"))??;
        Ok(())
    }

    /// Encodes a batch; its records are then found with [`RowEncoder::record`].
    ///
    /// # Errors
    /// `BAD_RECORD` for changes that the format cannot say (a table by key takes all), and rows that the formats
    /// cannot hold.
    pub(super) fn encode(&mut self, changes: &Changes) -> Result<()> {
        let project = |columns: &[usize]| {
            changes.rows.project(columns).map_err(|error| Error::internal(error.to_string()))
        };
        self.values.clear();
        // What is taken back is deleted: old content comes alone only where no new content follows it.
        let by_key = self.shared.by_key;
        self.tombstones.clear();
        self.tombstones.extend(
            changes
                .kinds
                .iter()
                .filter(|_| by_key)
                .flat_map(|kinds| kinds.values().iter().map(|kind| !RowKind::adds(*kind))),
        );
        let kinds = changes.kinds.clone().filter(|_| !by_key);
        let values = Changes { kinds, rows: project(&self.shared.value_columns)? };
        let encoded = self.value_encoder.encode_changes(&values, &mut self.values);
        encoded.context(|| format!("table {}", self.shared.table))?;
        self.keys.clear();
        if let Some(encoder) = &mut self.key_encoder {
            encoder.encode(&project(&self.shared.key_columns)?, &mut self.keys)?;
        }
        self.envelopes = self.envelopes(&changes.rows)?;
        self.find_replaced();
        Ok(())
    }

    /// Notes which rows need not be written, because a later one of the batch has their key.
    fn find_replaced(&mut self) {
        self.replaced.clear();
        if !self.shared.last_of_key {
            return;
        }
        let mut later: HashSet<(Option<usize>, &[u8])> = HashSet::with_capacity(self.keys.len());
        self.replaced.resize(self.keys.len(), false);
        for row in (0..self.keys.len()).rev() {
            // A row whose topic is none of the table's fails when it is written.
            let topic = self.topic(row).ok();
            if let (Some(key), Some(replaced)) = (self.keys.get(row), self.replaced.get_mut(row)) {
                *replaced = !later.insert((topic, key));
            }
        }
    }

    /// Whether a row need not be written.
    pub(super) fn is_replaced(&self, row: usize) -> bool {
        self.replaced.get(row).copied().unwrap_or(false)
    }

    /// Bytes of the keys and values of the batch.
    pub(super) fn bytes(&self) -> u64 {
        (self.values.bytes().len() + self.keys.bytes().len()) as u64
    }

    /// Bytes of the value of a row.
    pub(super) fn value_bytes(&self, row: usize) -> usize {
        self.values.get(row).map_or(0, <[u8]>::len)
    }

    fn is_tombstone(&self, row: usize) -> bool {
        self.tombstones.get(row).copied().unwrap_or(false)
    }

    /// Goes on to the next row's turn.
    pub(super) fn advance(&mut self) {
        self.turn = self.turn.wrapping_add(1) & i32::MAX;
    }

    /// The record of a row of the encoded batch.
    ///
    /// # Errors
    /// `BAD_RECORD` if the row names a topic that is not the table's.
    pub(super) fn record(&self, row: usize) -> Result<Outgoing<'_>> {
        let topic = self.topic(row)?;
        Ok(Outgoing {
            topic,
            partition: self.partition(topic),
            key: if self.key_encoder.is_some() { self.keys.get(row) } else { None },
            value: self.values.get(row).filter(|_| !self.is_tombstone(row)),
            timestamp: self.envelopes.timestamps.as_ref().and_then(|times| {
                let times = times.as_primitive_opt::<TimestampMillisecondType>()?;
                times.is_valid(row).then(|| times.value(row))
            }),
            headers: self.envelopes.headers.as_ref().and_then(|headers| headers.of(row)),
        })
    }

    /// The columns of `rows` that are not part of key or value.
    fn envelopes(&self, rows: &RecordBatch) -> Result<Envelopes> {
        let metadata = &self.shared.metadata;
        let column = |index: Option<usize>| index.and_then(|index| rows.columns().get(index));
        let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let table = &self.shared.table;
        let wrong = |what: &str| {
            let message = format!("metadata column '{what}' of table {table} has the wrong type");
            Error::new(ErrorCode::InvalidOption, message)
        };
        Ok(Envelopes {
            topics: match column(metadata.topic) {
                Some(topics) => {
                    Some(topics.as_string_view_opt().cloned().ok_or_else(|| wrong("topic"))?)
                }
                None => None,
            },
            headers: match column(metadata.headers) {
                Some(headers) => Some(RowHeaders::new(headers).ok_or_else(|| wrong("headers"))?),
                None => None,
            },
            timestamps: match column(metadata.timestamp) {
                Some(times) => Some(cast(times, &millis).map_err(|_| wrong("timestamp"))?),
                None => None,
            },
        })
    }

    fn topic(&self, row: usize) -> Result<usize> {
        let Some(topics) = &self.envelopes.topics else { return Ok(0) };
        if topics.is_null(row) {
            let message =
                format!("table {}: the metadata column 'topic' is NULL", self.shared.table);
            return Err(Error::new(ErrorCode::BadRecord, message));
        }
        let topic = topics.value(row);
        self.shared.topics.iter().position(|known| known == topic).ok_or_else(|| {
            let message = format!(
                "table {}: '{topic}' is not among the topics of the option 'topic'",
                self.shared.table
            );
            Error::new(ErrorCode::BadRecord, message)
        })
    }

    /// The partition of a row; `None`: the client decides by the key.
    fn partition(&self, topic: usize) -> Option<i32> {
        if self.shared.partitioner == Partitioner::Default {
            return None;
        }
        let topic = self.shared.topics.get(topic)?;
        let count = self.partitions.get(topic).copied().filter(|count| *count > 0)?;
        match self.shared.partitioner {
            Partitioner::Default => None,
            Partitioner::Fixed => i32::try_from(self.subtask).ok().map(|subtask| subtask % count),
            Partitioner::RoundRobin => Some(self.turn.rem_euclid(count)),
        }
    }
}

impl RowHeaders {
    fn new(column: &ArrayRef) -> Option<Self> {
        let rows = column.as_map_opt()?.clone();
        let keys = rows.keys().as_string_view_opt()?.clone();
        let values = rows.values().as_binary_view_opt()?.clone();
        Some(Self { rows, keys, values })
    }

    fn of(&self, row: usize) -> Option<Headers<'_>> {
        if self.rows.is_null(row) {
            return None;
        }
        let offsets = self.rows.value_offsets();
        let at = |index: usize| usize::try_from(*offsets.get(index)?).ok();
        let (from, to) = (at(row)?, at(row + 1)?);
        Some(Headers::Columns { keys: &self.keys, values: &self.values, from, to })
    }
}

impl<'a> Outgoing<'a> {
    /// As librdkafka takes it.
    pub(super) fn to_record(
        &self,
        topics: &'a [String],
        side: Side,
    ) -> Result<BaseRecord<'a, [u8], [u8], Side>> {
        let topic = topics.get(self.topic).ok_or_else(|| {
            let message = format!("a staged record is for topic number {}", self.topic);
            Error::new(ErrorCode::Corrupt, message)
        })?;
        let mut record: BaseRecord<'_, [u8], [u8], Side> = BaseRecord::with_opaque_to(topic, side);
        record.key = self.key;
        record.payload = self.value;
        record.partition = self.partition;
        record.timestamp = self.timestamp;
        if let Some(headers) = self.headers {
            let mut owned = Some(OwnedHeaders::new());
            headers.each(|key, value| {
                owned = owned.take().map(|owned| owned.insert(Header { key, value }));
            })?;
            record.headers = owned;
        }
        Ok(record)
    }
}

impl Headers<'_> {
    /// Calls `each` with name and value of each header.
    ///
    /// # Errors
    /// `CORRUPT` if staged headers cannot be read.
    pub(super) fn each(self, mut each: impl FnMut(&str, Option<&[u8]>)) -> Result<()> {
        match self {
            Self::Columns { keys, values, from, to } => {
                for entry in from..to.min(keys.len()).min(values.len()) {
                    let value = values.is_valid(entry).then(|| values.value(entry));
                    each(if keys.is_valid(entry) { keys.value(entry) } else { "" }, value);
                }
                Ok(())
            }
            Self::Staged(bytes) => super::staged_record::headers(bytes, each),
        }
    }
}
