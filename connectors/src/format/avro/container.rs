//! Object container files: a head with the schema, then blocks of records, each with the file's marker behind it.
//! Nothing here reads or writes files; see `filesystem`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use tidegate_connector_spec::FormatOptions;
use tidegate_engine::element::Changes;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::codec::{Codec, MAX_BLOCK_BYTES};
use super::cursor::{Cursor, write_bytes, write_long};
use super::decode::Columns;
use super::encode::Writer;
use super::plan::Plan;
use super::schema::Schema;
use crate::format::text::cells;

const MAGIC: &[u8; 4] = b"Obj\x01";
/// Bytes of the marker behind each block.
pub(crate) const MARKER: usize = 16;
/// Longest head of a file, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 16 << 20;
/// Records are compressed together until they have so many bytes, as in Java.
const BLOCK_BYTES: usize = 64_000;

/// The head of a file.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) marker: [u8; MARKER],
    codec: Codec,
    schema: Arc<Schema>,
    /// Bytes of the head.
    pub(crate) length: usize,
}

impl Head {
    /// Reads the head from the beginning of a file. `None`: it is longer than `bytes`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn read(bytes: &[u8], whole: bool) -> std::result::Result<Option<Self>, String> {
        let seen = bytes.len().min(MAGIC.len());
        if bytes[..seen] != MAGIC[..seen] {
            return Err("it is no Avro file: it does not begin with 'Obj'".to_owned());
        }
        match Self::parse(bytes) {
            Ok(Ok(head)) => Ok(Some(head)),
            Ok(Err(error)) => Err(error),
            Err(_) if !whole && bytes.len() < MAX_HEAD_BYTES => Ok(None),
            Err(error) => Err(format!("its head is damaged: {error}")),
        }
    }

    /// Outer errors may be for want of bytes; inner ones are not.
    fn parse(bytes: &[u8]) -> std::result::Result<std::result::Result<Self, String>, String> {
        let mut cursor = Cursor::new(bytes);
        cursor.take(MAGIC.len())?;
        let (mut schema, mut codec) = (None, "null");
        loop {
            let (count, _) = cursor.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let (key, value) = (cursor.bytes()?, cursor.bytes()?);
                match key {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = std::str::from_utf8(value).unwrap_or("?"),
                    _ => {}
                }
            }
        }
        let mut marker = [0; MARKER];
        marker.copy_from_slice(cursor.take(MARKER)?);
        let length = bytes.len() - cursor.rest().len();
        let text = schema.and_then(|schema| std::str::from_utf8(schema).ok());
        let Some(text) = text else { return Ok(Err("its head has no schema".to_owned())) };
        let schema = match Schema::parse(text) {
            Ok(schema) => Arc::new(schema),
            Err(error) => return Ok(Err(format!("its schema: {error}"))),
        };
        let Some(codec) = Codec::named(codec) else {
            return Ok(Err(format!("its blocks are compressed as '{codec}', which is not known")));
        };
        Ok(Ok(Self { marker, codec, schema, length }))
    }

    /// The columns of the file's records.
    #[cfg(feature = "probe")]
    pub(crate) fn columns(&self) -> Vec<super::SchemaColumn> {
        self.schema.columns()
    }

    /// Reads the columns of a table from the file's records.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for a column that the records cannot give.
    pub(crate) fn reader(&self, read: &[Field]) -> Result<BlockReader> {
        Ok(BlockReader {
            plan: Plan::new(Arc::clone(&self.schema), read, None)?,
            columns: Columns::new(read)?,
            codec: self.codec,
            marker: self.marker,
            content: Vec::new(),
            consumed: 0,
            records: 0,
        })
    }
}

/// Reads blocks.
pub(crate) struct BlockReader {
    plan: Plan,
    columns: Columns,
    codec: Codec,
    marker: [u8; MARKER],
    /// Of the block that is being read.
    content: Vec<u8>,
    consumed: usize,
    /// Records of it that were not read yet.
    records: u64,
}

impl BlockReader {
    /// Whether a block is being read.
    pub(crate) fn is_open(&self) -> bool {
        self.records > 0
    }

    /// Begins the block at the beginning of `bytes`, and says how many bytes it has; `None`: more than these. Blocks
    /// without records are possible.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn open(
        &mut self,
        bytes: &[u8],
        whole: bool,
    ) -> std::result::Result<Option<usize>, String> {
        let mut cursor = Cursor::new(bytes);
        let head = cursor.long().and_then(|records| Ok((records, cursor.long()?)));
        let (records, size) = match head {
            Ok(head) => head,
            Err(_) if !whole => return Ok(None),
            Err(error) => return Err(error),
        };
        let records = u64::try_from(records).map_err(|_| damaged(records))?;
        let size = usize::try_from(size).map_err(|_| damaged(size))?;
        if size > MAX_BLOCK_BYTES {
            return Err(format!("a block of {size} bytes is larger than {MAX_BLOCK_BYTES}"));
        }
        let block = cursor.take(size).and_then(|packed| Ok((packed, cursor.take(MARKER)?)));
        let (packed, marker) = match block {
            Ok(block) => block,
            Err(_) if !whole => return Ok(None),
            Err(_) => return Err("it ends in the middle of a block".to_owned()),
        };
        if marker != self.marker {
            return Err("a block does not end with the file's marker".to_owned());
        }
        self.content = self.codec.decompress(packed)?;
        (self.consumed, self.records) = (0, records);
        Ok(Some(bytes.len() - cursor.rest().len()))
    }

    /// The next rows of the block, at most `most`; fewer only at its end.
    ///
    /// # Errors
    /// What is wrong with a record, and its number among these.
    pub(crate) fn rows(
        &mut self,
        most: usize,
    ) -> std::result::Result<Result<RecordBatch>, (usize, String)> {
        let mut cursor = Cursor::new(self.content.get(self.consumed..).unwrap_or_default());
        let count = usize::try_from(self.records).unwrap_or(usize::MAX).min(most);
        self.columns.reserve(count);
        for record in 0..count {
            if let Err(message) = self.columns.push_next(&self.plan, &mut cursor) {
                self.columns.clear();
                return Err((record, message));
            }
        }
        self.consumed = self.content.len() - cursor.rest().len();
        self.records -= count as u64;
        Ok(self.columns.finish())
    }

    /// Passes over records of the block: they were read before.
    ///
    /// # Errors
    /// What is wrong with one.
    pub(crate) fn skip(&mut self, records: u64) -> std::result::Result<(), String> {
        const AT_ONCE: u64 = 8_192;
        let mut left = records.min(self.records);
        while left > 0 {
            let count = left.min(AT_ONCE);
            match self.rows(count as usize) {
                Ok(Ok(_)) => left -= count,
                Ok(Err(error)) => return Err(error.to_string()),
                Err((_, message)) => return Err(message),
            }
        }
        Ok(())
    }
}

fn damaged(number: i64) -> String {
    format!("a block has {number} records or bytes")
}

/// What the files of a table are written with.
#[derive(Debug, Clone)]
pub(crate) struct FileSettings {
    codec: Codec,
    schema: Arc<Schema>,
    writer: Writer,
    columns: Vec<Field>,
}

impl FileSettings {
    /// Of a table's options.
    ///
    /// # Errors
    /// `INVALID_OPTION` for types that Avro does not hold, and codecs that do not exist.
    pub(crate) fn new(
        options: &FormatOptions,
        columns: &[Field],
        declared: &[Field],
    ) -> Result<Self> {
        let schema = super::table_schema(options, declared)?;
        let name = options.text("codec").unwrap_or("snappy");
        let codec = Codec::named(name).ok_or_else(|| {
            let key = options.full_key("codec");
            Error::new(ErrorCode::InvalidOption, format!("option '{key}': there is no '{name}'"))
        })?;
        let writer = Writer::new(&schema, columns)?;
        Ok(Self { codec, schema: Arc::new(schema), writer, columns: columns.to_vec() })
    }

    /// Encodes a file, whose marker is made from `seed`: the name of the file, say.
    pub(crate) fn file(&self, seed: &str) -> FileWriter {
        let marker = xxhash_rust::xxh3::xxh3_128(seed.as_bytes()).to_be_bytes();
        let mut ready = MAGIC.to_vec();
        let schema = self.schema.to_json();
        let facts = [("avro.schema", schema.as_str()), ("avro.codec", self.codec.name())];
        write_long(facts.len() as i64, &mut ready);
        for (key, value) in facts {
            write_bytes(key.as_bytes(), &mut ready);
            write_bytes(value.as_bytes(), &mut ready);
        }
        write_long(0, &mut ready);
        ready.extend_from_slice(&marker);
        FileWriter { settings: self.clone(), marker, ready, block: Vec::new(), records: 0 }
    }
}

/// Encodes the rows of a file.
pub(crate) struct FileWriter {
    settings: FileSettings,
    marker: [u8; MARKER],
    /// Bytes to append to the file.
    ready: Vec<u8>,
    /// Records of the block that is being filled.
    block: Vec<u8>,
    records: i64,
}

impl FileWriter {
    /// Encodes rows; returns the bytes to append to the file.
    ///
    /// # Errors
    /// `BAD_RECORD` for a value that Avro does not hold, and for changes.
    pub(crate) fn encode(&mut self, changes: &Changes) -> Result<Vec<u8>> {
        crate::format::check_inserts(changes)?;
        let cells = cells::of_batch(&changes.rows, &self.settings.columns, "Avro")?;
        for row in 0..changes.rows.num_rows() {
            let start = self.block.len();
            if let Err(error) = self.settings.writer.write(&cells, row, &mut self.block) {
                self.block.truncate(start);
                return Err(error);
            }
            self.records += 1;
            if self.block.len() >= BLOCK_BYTES {
                self.end_block()?;
            }
        }
        Ok(std::mem::take(&mut self.ready))
    }

    /// Bytes that are held in memory until the block ends.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.block.len()
    }

    /// Ends the block; returns the bytes to append.
    ///
    /// # Errors
    /// `INTERNAL` if it cannot be compressed.
    pub(crate) fn flush(&mut self) -> Result<Vec<u8>> {
        self.end_block()?;
        Ok(std::mem::take(&mut self.ready))
    }

    fn end_block(&mut self) -> Result<()> {
        if self.records == 0 {
            return Ok(());
        }
        let packed = self.settings.codec.compress(&self.block);
        let packed = packed.map_err(|error| Error::internal(format!("compress Avro: {error}")))?;
        write_long(self.records, &mut self.ready);
        write_bytes(&packed, &mut self.ready);
        self.ready.extend_from_slice(&self.marker);
        self.block.clear();
        self.records = 0;
        Ok(())
    }
}
