//! What travels in `app_metadata`: the header of an element, and the list of credits.
//!
//! All numbers are little endian. An element's header has 24 bytes; a batch's row kinds, one byte per
//! row, follow it if the batch has any.
//!
//! | bytes | element | credits |
//! |---|---|---|
//! | 0 | version, 1 | version, 1 |
//! | 1 | [`Kind`] | 16 |
//! | 2 | 1: row kinds follow | 0 |
//! | 3 | why a barrier was injected: 0 checkpoint, 1 savepoint, 2 savepoint and stop | 0 |
//! | 4–7 | channel | 0 |
//! | 8–15 | watermark, or epoch of a barrier | [`Grant`]s of 24 bytes each |
//! | 16–19 | bytes of credit that the message costs | |
//! | 20–23 | elements that it stands for | |

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tidegate_engine::element::BarrierKind;
use tidegate_types::{Error, ErrorCode, Result};

/// Version of the header.
pub(crate) const VERSION: u8 = 1;
/// Bytes of an element's header.
pub(crate) const LENGTH: usize = 24;
const ROW_KINDS: u8 = 1;
const CREDITS: u8 = 16;
const CREDITS_LENGTH: usize = 8;
const GRANT_LENGTH: usize = 24;
const READER_GONE: u32 = 1;

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rows, in the message's body.
    Batch = 1,
    /// A watermark.
    Watermark = 2,
    /// The channel is idle.
    Idle = 3,
    /// A barrier.
    Barrier = 4,
    /// The channel has ended.
    End = 5,
    /// The sending task went away without an end.
    Gone = 6,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Batch,
            2 => Self::Watermark,
            3 => Self::Idle,
            4 => Self::Barrier,
            5 => Self::End,
            6 => Self::Gone,
            _ => return None,
        })
    }
}

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) has_row_kinds: bool,
    /// Why a barrier was injected.
    pub(crate) barrier: u8,
    pub(crate) channel: u32,
    /// Watermark or epoch.
    pub(crate) value: i64,
    /// Bytes of credit.
    pub(crate) charge: u32,
    /// Elements that the sender put into this message: more than one if batches were joined.
    pub(crate) elements: u32,
}

impl Header {
    /// The header of a single element that costs nothing.
    pub(crate) fn control(kind: Kind, channel: u32, value: i64) -> Self {
        Self { kind, has_row_kinds: false, barrier: 0, channel, value, charge: 0, elements: 1 }
    }

    /// Encoded, with the row kinds of a batch.
    pub(crate) fn encode(&self, row_kinds: &[i8]) -> Bytes {
        let mut out = BytesMut::with_capacity(LENGTH + row_kinds.len());
        out.put_u8(VERSION);
        out.put_u8(self.kind as u8);
        out.put_u8(if self.has_row_kinds { ROW_KINDS } else { 0 });
        out.put_u8(self.barrier);
        out.put_u32_le(self.channel);
        out.put_i64_le(self.value);
        out.put_u32_le(self.charge);
        out.put_u32_le(self.elements);
        out.extend(row_kinds.iter().map(|kind| *kind as u8));
        out.freeze()
    }

    /// Takes the header off the metadata; what stays are the row kinds.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another version, `INTERNAL` for what is no header.
    pub(crate) fn decode(metadata: &mut Bytes) -> Result<Self> {
        check_version(metadata)?;
        if metadata.len() < LENGTH {
            return Err(malformed("an element's header is too short"));
        }
        let mut bytes = metadata.split_to(LENGTH);
        bytes.advance(1);
        let code = bytes.get_u8();
        let kind =
            Kind::of(code).ok_or_else(|| malformed(&format!("element of unknown kind {code}")))?;
        Ok(Self {
            kind,
            has_row_kinds: bytes.get_u8() & ROW_KINDS != 0,
            barrier: bytes.get_u8(),
            channel: bytes.get_u32_le(),
            value: bytes.get_i64_le(),
            charge: bytes.get_u32_le(),
            elements: bytes.get_u32_le(),
        })
    }
}

/// What a reader allows a channel in all, counted from the channel's start. Later ones replace
/// earlier ones and are never smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) channel: u32,
    /// The reading task went away: nothing more is wanted.
    pub(crate) reader_gone: bool,
    pub(crate) bytes: u64,
    pub(crate) elements: u64,
}

impl Grant {
    /// A message of grants.
    pub(crate) fn encode(grants: &[Self]) -> Bytes {
        let mut out = BytesMut::with_capacity(CREDITS_LENGTH + grants.len() * GRANT_LENGTH);
        out.put_u8(VERSION);
        out.put_u8(CREDITS);
        out.put_bytes(0, CREDITS_LENGTH - 2);
        for grant in grants {
            out.put_u32_le(grant.channel);
            out.put_u32_le(if grant.reader_gone { READER_GONE } else { 0 });
            out.put_u64_le(grant.bytes);
            out.put_u64_le(grant.elements);
        }
        out.freeze()
    }

    /// The grants of a message.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another version, `INTERNAL` for what is no list of grants.
    pub(crate) fn decode(mut metadata: Bytes) -> Result<Vec<Self>> {
        check_version(&metadata)?;
        if metadata.len() < CREDITS_LENGTH || metadata.get(1) != Some(&CREDITS) {
            return Err(malformed("a response is no list of credits"));
        }
        metadata.advance(CREDITS_LENGTH);
        if !metadata.len().is_multiple_of(GRANT_LENGTH) {
            return Err(malformed("a list of credits is cut off"));
        }
        let count = metadata.len() / GRANT_LENGTH;
        let grant = |_| Self {
            channel: metadata.get_u32_le(),
            reader_gone: metadata.get_u32_le() & READER_GONE != 0,
            bytes: metadata.get_u64_le(),
            elements: metadata.get_u64_le(),
        };
        Ok((0..count).map(grant).collect())
    }
}

/// Why a barrier was injected, as a number.
pub(crate) fn barrier_code(kind: BarrierKind) -> u8 {
    match kind {
        BarrierKind::Checkpoint => 0,
        BarrierKind::Savepoint => 1,
        BarrierKind::StopWithSavepoint => 2,
    }
}

/// The inverse of [`barrier_code`].
///
/// # Errors
/// `INTERNAL` for an unknown number.
pub(crate) fn barrier_kind(code: u8) -> Result<BarrierKind> {
    match code {
        0 => Ok(BarrierKind::Checkpoint),
        1 => Ok(BarrierKind::Savepoint),
        2 => Ok(BarrierKind::StopWithSavepoint),
        _ => Err(malformed(&format!("barrier of unknown kind {code}"))),
    }
}

/// What was received is not what a worker sends.
pub(crate) fn malformed(what: &str) -> Error {
    Error::internal(format!("message of the shuffle cannot be read: {what}"))
}

fn check_version(metadata: &[u8]) -> Result<()> {
    match metadata.first() {
        Some(&VERSION) => Ok(()),
        Some(other) => Err(Error::new(
            ErrorCode::Incompatible,
            format!("message of the shuffle has version {other}, this worker knows {VERSION}"),
        )
        .help("run the same release of Tidegate on all workers")),
        None => Err(malformed("it has no header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_leave_the_row_kinds() {
        let header = Header {
            kind: Kind::Batch,
            has_row_kinds: true,
            barrier: 2,
            channel: 7,
            value: -5,
            charge: 4096,
            elements: 3,
        };
        let mut bytes = header.encode(&[0, 3, 1]);
        assert_eq!(bytes.len(), LENGTH + 3);
        assert_eq!(Header::decode(&mut bytes).unwrap(), header);
        assert_eq!(bytes.as_ref(), [0, 3, 1]);
    }

    /// The layout is what other releases read: it changes only with the version.
    #[test]
    fn the_layout_is_fixed() {
        let header = Header { barrier: 1, ..Header::control(Kind::Barrier, 2, 9) };
        let expected = [1, 4, 0, 1, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(header.encode(&[]).as_ref(), expected);
    }

    #[test]
    fn grants_round_trip() {
        let grants = [
            Grant { channel: 0, reader_gone: false, bytes: 1 << 40, elements: 256 },
            Grant { channel: 9, reader_gone: true, bytes: 0, elements: 0 },
        ];
        assert_eq!(Grant::decode(Grant::encode(&grants)).unwrap(), grants);
        assert_eq!(Grant::decode(Grant::encode(&[])).unwrap(), []);
    }

    #[test]
    fn what_is_damaged_or_of_another_version_is_refused() {
        let header = Header::control(Kind::End, 0, 0).encode(&[]);
        for length in 0..LENGTH {
            assert!(Header::decode(&mut header.slice(..length)).is_err());
        }
        let mut other = header.to_vec();
        other[0] = 2;
        let error = Header::decode(&mut other.clone().into()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        other[0] = VERSION;
        other[1] = 99;
        assert!(Header::decode(&mut other.into()).is_err());
        assert!(Grant::decode(header).is_err());
        let cut = Grant::encode(&[Grant { channel: 0, reader_gone: false, bytes: 1, elements: 1 }]);
        assert!(Grant::decode(cut.slice(..cut.len() - 1)).is_err());
        assert!(barrier_kind(3).is_err());
    }
}
