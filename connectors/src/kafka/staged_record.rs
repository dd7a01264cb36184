//! How a record for a topic is staged in a checkpoint.
//!
//! A flags byte, the topic's index in the unit's list (u16), then as the flags say: partition (i32),
//! timestamp (i64), key (u32 length, bytes), headers (u32 length, then for each its name and value:
//! u32 length, bytes; a length of `u32::MAX` is NULL), and the value to the end. Little-endian.

use tidegate_types::{Error, ErrorCode, Result};

use super::row_encoder::{Headers, Outgoing};

const PARTITION: u8 = 1;
const TIMESTAMP: u8 = 2;
const KEY: u8 = 4;
const HEADERS: u8 = 8;
const VALUE: u8 = 16;
const NULL: u32 = u32::MAX;

/// Appends a record.
pub(super) fn encode(record: &Outgoing<'_>, out: &mut Vec<u8>) -> Result<()> {
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let topic = u16::try_from(record.topic)
        .map_err(|_| Error::new(ErrorCode::InvalidOption, "a table has too many topics"))?;
    out.push(
        flag(record.partition.is_some(), PARTITION)
            | flag(record.timestamp.is_some(), TIMESTAMP)
            | flag(record.key.is_some(), KEY)
            | flag(record.headers.is_some(), HEADERS)
            | flag(record.value.is_some(), VALUE),
    );
    out.extend_from_slice(&topic.to_le_bytes());
    if let Some(partition) = record.partition {
        out.extend_from_slice(&partition.to_le_bytes());
    }
    if let Some(timestamp) = record.timestamp {
        out.extend_from_slice(&timestamp.to_le_bytes());
    }
    if let Some(key) = record.key {
        put(key, out);
    }
    if let Some(headers) = record.headers {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        headers.each(|name, value| {
            put(name.as_bytes(), out);
            match value {
                Some(value) => put(value, out),
                None => out.extend_from_slice(&NULL.to_le_bytes()),
            }
        })?;
        let length = (out.len() - start - 4) as u32;
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(record.value.unwrap_or_default());
    Ok(())
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads a record.
///
/// # Errors
/// `CORRUPT` if it ends early.
pub(super) fn decode(bytes: &[u8]) -> Result<Outgoing<'_>> {
    let mut cursor = Cursor(bytes);
    let [flags] = cursor.array::<1>()?;
    let has = |flag: u8| flags & flag != 0;
    let topic = usize::from(u16::from_le_bytes(cursor.array()?));
    Ok(Outgoing {
        topic,
        partition: has(PARTITION).then(|| cursor.array()).transpose()?.map(i32::from_le_bytes),
        timestamp: has(TIMESTAMP).then(|| cursor.array()).transpose()?.map(i64::from_le_bytes),
        key: has(KEY).then(|| cursor.bytes()).transpose()?.flatten(),
        headers: has(HEADERS)
            .then(|| cursor.bytes())
            .transpose()?
            .map(|bytes| Headers::Staged(bytes.unwrap_or_default())),
        value: has(VALUE).then_some(cursor.0),
    })
}

/// Calls `each` for staged headers.
pub(super) fn headers(bytes: &[u8], mut each: impl FnMut(&str, Option<&[u8]>)) -> Result<()> {
    let mut cursor = Cursor(bytes);
    while !cursor.0.is_empty() {
        let name = cursor.bytes()?.and_then(|name| std::str::from_utf8(name).ok());
        let value = cursor.bytes()?;
        each(name.ok_or_else(ended)?, value);
    }
    Ok(())
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(ended)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn bytes(&mut self) -> Result<Option<&'a [u8]>> {
        let length = u32::from_le_bytes(self.array()?);
        if length == NULL {
            return Ok(None);
        }
        let (taken, rest) = self.0.split_at_checked(length as usize).ok_or_else(ended)?;
        self.0 = rest;
        Ok(Some(taken))
    }
}

fn ended() -> Error {
    Error::new(ErrorCode::Corrupt, "a staged Kafka record cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(headers: Headers<'_>) -> Vec<(String, Option<Vec<u8>>)> {
        let mut all = Vec::new();
        headers.each(|name, value| all.push((name.to_owned(), value.map(<[u8]>::to_vec)))).unwrap();
        all
    }

    #[test]
    fn everything_of_a_record_comes_back() {
        let mut staged = Vec::new();
        put(b"origin", &mut staged);
        put(b"north", &mut staged);
        put(b"empty", &mut staged);
        staged.extend_from_slice(&NULL.to_le_bytes());
        for bits in 0..32_u8 {
            let has = |bit: u8| bits & (1 << bit) != 0;
            let record = Outgoing {
                topic: usize::from(bits),
                partition: has(0).then_some(-7),
                timestamp: has(1).then_some(i64::MIN),
                key: has(2).then_some(b"k".as_slice()),
                headers: has(3).then_some(Headers::Staged(&staged)),
                value: has(4).then_some(b"".as_slice()),
            };
            let mut bytes = Vec::new();
            encode(&record, &mut bytes).unwrap();
            let back = decode(&bytes).unwrap();
            assert_eq!(back.topic, record.topic);
            assert_eq!(back.partition, record.partition);
            assert_eq!(back.timestamp, record.timestamp);
            assert_eq!((back.key, back.value), (record.key, record.value));
            assert_eq!(back.headers.map(collect), record.headers.map(collect));
        }
    }

    #[test]
    fn what_ends_early_is_refused() {
        let record = Outgoing {
            topic: 0,
            partition: Some(1),
            timestamp: Some(2),
            key: Some(b"key"),
            headers: None,
            value: None,
        };
        let mut bytes = Vec::new();
        encode(&record, &mut bytes).unwrap();
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}
