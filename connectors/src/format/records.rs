//! The bytes of many records in one buffer. What they mean is the formats' business.

/// Where a record's bytes are in the buffer of its [`Records`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRange {
    start: u32,
    end: u32,
}

impl RecordRange {
    /// A record that is NULL (a Kafka message without value).
    pub const NULL: Self = Self { start: u32::MAX, end: 0 };

    /// Whether the record is NULL.
    pub fn is_null(self) -> bool {
        self.start > self.end
    }

    /// Bytes of the record.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the record has no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Records in order: one buffer, and each record's range in it.
///
/// Holds at most 4 GiB; callers bound their batches far below that.
#[derive(Debug, Default, Clone)]
pub struct Records {
    bytes: Vec<u8>,
    ranges: Vec<RecordRange>,
    /// Bytes written behind each record by [`Records::end_record`], outside of its range.
    terminator: &'static [u8],
    /// Where the record that is being written starts.
    open: usize,
}

/// Most bytes in one [`Records`]; a push that would go beyond is refused.
const MAX_BYTES: usize = u32::MAX as usize - 1;

impl Records {
    /// No records yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No records yet; each one that is written is followed by `terminator` (a line end).
    pub fn with_terminator(terminator: &'static [u8]) -> Self {
        Self { terminator, ..Self::default() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The whole buffer.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A record's bytes; `None` if it is NULL or there is no such record.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let range = self.ranges.get(index)?;
        self.bytes.get(range.start as usize..range.end as usize)
    }

    /// The records in order, `None` for NULL.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        self.ranges.iter().map(|range| self.bytes.get(range.start as usize..range.end as usize))
    }

    /// Adds a copy of a record, or NULL. Returns whether it fitted.
    #[must_use]
    pub fn push(&mut self, record: Option<&[u8]>) -> bool {
        let Some(record) = record else {
            self.ranges.push(RecordRange::NULL);
            return true;
        };
        if self.bytes.len() + record.len() > MAX_BYTES {
            return false;
        }
        self.bytes.extend_from_slice(record);
        self.end_record();
        true
    }

    /// The buffer to append the next record's bytes to; finish with [`Records::end_record`].
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the record whose bytes were appended to [`Records::buffer`] since the last record.
    pub fn end_record(&mut self) {
        let range = RecordRange {
            start: u32::try_from(self.open).unwrap_or(u32::MAX),
            end: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
        };
        self.ranges.push(range);
        self.bytes.extend_from_slice(self.terminator);
        self.open = self.bytes.len();
    }

    /// Ends a record that is NULL; bytes appended for it are taken back.
    pub fn end_null(&mut self) {
        self.bytes.truncate(self.open);
        self.ranges.push(RecordRange::NULL);
    }

    /// Begins adding records that are ranges of bytes which [`Records::end_frames`] will append.
    /// Returns where those bytes will start.
    pub(super) fn begin_frames(&mut self) -> usize {
        self.bytes.truncate(self.open);
        self.open
    }

    /// Declares `start..end` of the buffer a record.
    pub(super) fn push_frame(&mut self, start: usize, end: usize) {
        let range = RecordRange {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        };
        self.ranges.push(range);
    }

    /// Appends the bytes that the records declared since [`Records::begin_frames`] are in.
    pub(super) fn end_frames(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.open = self.bytes.len();
    }

    /// Forgets all records and gives their buffer away, terminators included.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.ranges.clear();
        self.open = 0;
        std::mem::take(&mut self.bytes)
    }

    /// Forgets all records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ranges.clear();
        self.open = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_null_and_empty_apart() {
        let mut records = Records::new();
        assert!(records.push(Some(b"ab")) && records.push(None) && records.push(Some(b"")));
        let all: Vec<_> = records.iter().collect();
        assert_eq!(all, [Some(&b"ab"[..]), None, Some(&b""[..])]);
    }

    #[test]
    fn a_terminator_stands_between_records_but_not_in_them() {
        let mut records = Records::with_terminator(b"\n");
        records.buffer().extend_from_slice(b"a");
        records.end_record();
        records.buffer().extend_from_slice(b"dropped");
        records.end_null();
        records.buffer().extend_from_slice(b"b");
        records.end_record();
        assert_eq!(records.bytes(), b"a\nb\n");
        assert_eq!(
            (records.get(0), records.get(1), records.get(2)),
            (Some(&b"a"[..]), None, Some(&b"b"[..]))
        );
    }
}
