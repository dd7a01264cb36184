//! Sort keys of rows that are kept.

/// A sort key: bytes that sort as the rows do, the first sixteen in place. No key is the beginning of
/// another, so that filling up with zeros makes none equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct SortBytes {
    head: (u64, u64),
    tail: Box<[u8]>,
}

impl SortBytes {
    /// From bytes.
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let (head, tail) = bytes.split_at(bytes.len().min(16));
        let mut filled = [0; 16];
        filled[..head.len()].copy_from_slice(head);
        let both = u128::from_be_bytes(filled);
        Self { head: ((both >> 64) as u64, both as u64), tail: tail.into() }
    }

    /// Bytes held beside itself.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.tail.len()
    }
}
