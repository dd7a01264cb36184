//! The state file: typed Arrow columns, compressed and checksummed.
//!
//! `TGSTATE` + version byte 1, an Arrow IPC stream with zstd or LZ4 buffers, then the xxh3-64 of
//! everything before it, little-endian.

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"TGSTATE\x01";
const CHECKSUM: usize = 8;
/// Compressing takes the processor from the rows: level 3 needs twice the time for 6 % fewer bytes of rows with
/// texts.
const ZSTD_LEVEL: i32 = 1;
/// Rows to which batches are joined.
const BATCH_ROWS: usize = 64 << 10;

/// How a file is compressed. Readers take either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// zstd: for what goes over a network and stays.
    Small,
    /// LZ4: for a local disk.
    Fast,
}

/// Encodes batches of one schema.
///
/// # Errors
/// `INTERNAL` if there is no batch or Arrow cannot encode them.
pub fn encode(batches: &[RecordBatch], compression: Compression) -> Result<Vec<u8>> {
    let internal =
        |error: arrow::error::ArrowError| Error::internal(format!("encode state: {error}"));
    let first = batches.first().ok_or_else(|| Error::internal("encode a state file of nothing"))?;
    let (compression, level) = match compression {
        Compression::Small => (CompressionType::ZSTD, Some(ZSTD_LEVEL)),
        Compression::Fast => (CompressionType::LZ4_FRAME, None),
    };
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(compression))
        .and_then(|options| options.try_with_compression_level(level))
        .map_err(internal)?;
    let mut bytes = MAGIC.to_vec();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &first.schema(), options)
        .map_err(internal)?;
    for batch in batches {
        writer.write(batch).map_err(internal)?;
    }
    writer.finish().map_err(internal)?;
    drop(writer);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// The rows of batches of one schema in batches of 64 Ki: what was copied bit by bit compresses badly
/// and is read slowly.
///
/// # Errors
/// As [`encode`].
pub fn join(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let internal =
        |error: arrow::error::ArrowError| Error::internal(format!("join state: {error}"));
    let Some(schema) = batches.first().map(RecordBatch::schema) else { return Ok(batches) };
    let mut coalescer = BatchCoalescer::new(schema, BATCH_ROWS);
    let mut joined = Vec::new();
    for batch in batches {
        coalescer.push_batch(batch).map_err(internal)?;
        joined.extend(std::iter::from_fn(|| coalescer.next_completed_batch()));
    }
    coalescer.finish_buffered_batch().map_err(internal)?;
    joined.extend(std::iter::from_fn(|| coalescer.next_completed_batch()));
    Ok(joined)
}

/// Decodes a state file.
///
/// # Errors
/// `CORRUPT` if a byte differs from what was written, `INCOMPATIBLE` for a newer version.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    let corrupt = |what: &str| Error::new(ErrorCode::Corrupt, format!("state file {name} {what}"));
    if bytes.len() < MAGIC.len() + CHECKSUM || bytes[..7] != MAGIC[..7] {
        return Err(corrupt("is not a state file"));
    }
    if bytes[7] != MAGIC[7] {
        return Err(Error::new(
            ErrorCode::Incompatible,
            format!("state file {name} has version {}, this release reads version 1", bytes[7]),
        ));
    }
    let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if xxh3_64(content).to_le_bytes() != checksum {
        return Err(corrupt("is damaged: its checksum does not fit its content"));
    }
    let reader = StreamReader::try_new(&content[MAGIC.len()..], None)
        .map_err(|error| corrupt(&format!("cannot be decoded: {error}")))?;
    reader
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| corrupt(&format!("cannot be decoded: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn joined_batches_hold_the_same_rows_in_order() {
        let column = |values: std::ops::Range<i64>| -> RecordBatch {
            let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
            RecordBatch::try_from_iter([("v", column)]).unwrap()
        };
        let batches = (0..100).map(|i| column(i * 1_000..(i + 1) * 1_000)).collect();
        let joined = join(batches).unwrap();
        let rows: Vec<usize> = joined.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [BATCH_ROWS, 100_000 - BATCH_ROWS]);
        let first = BATCH_ROWS as i64;
        assert_eq!(joined, [column(0..first), column(first..100_000)]);
        assert_eq!(join(Vec::new()).unwrap(), []);
    }

    #[test]
    fn round_trip_and_every_flipped_byte_is_found() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("k", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            (
                "t",
                Arc::new(StringViewArray::from(vec![
                    Some("a text longer than inline"),
                    None,
                    Some("b"),
                ])),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let bytes = encode(&[batch.clone(), batch.slice(1, 2)], Compression::Small).unwrap();
        assert_eq!(decode("f", &bytes).unwrap(), [batch.clone(), batch.slice(1, 2)]);
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x10;
            assert!(decode("f", &damaged).is_err(), "byte {index}");
        }
        assert!(decode("f", &bytes[..bytes.len() - 3]).is_err());
    }
}
