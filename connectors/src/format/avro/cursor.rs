//! The primitives of Avro's binary encoding.

/// A place in encoded bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// Items of arrays and maps that may still come. Items can be empty, so bytes alone are no bound.
    items: usize,
}

/// What is wrong with encoded bytes; the caller knows where.
pub(super) type Read<T> = Result<T, String>;

/// Items of one record beyond one for each of its bytes.
const FREE_ITEMS: usize = 1 << 20;

/// Most bytes of a number of 64 bits, seven to a byte.
const LONGEST_NUMBER: usize = 10;

impl<'a> Cursor<'a> {
    /// The beginning of a record, or of several.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, items: bytes.len().saturating_add(FREE_ITEMS) }
    }

    /// Bytes that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.bytes.split_first().ok_or_else(ended)?;
        self.bytes = rest;
        Ok(*first)
    }

    /// `length` bytes.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(ended)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// A number of 64 bits.
    #[inline]
    pub(super) fn long(&mut self) -> Read<i64> {
        // Most numbers have one byte.
        let value = match self.bytes.split_first() {
            Some((first, rest)) if *first < 0x80 => {
                self.bytes = rest;
                u64::from(*first)
            }
            _ => self.long_number()?,
        };
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn long_number(&mut self) -> Read<u64> {
        let mut value = 0_u64;
        for (index, byte) in self.bytes.iter().take(LONGEST_NUMBER).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[index + 1..];
                return Ok(value);
            }
        }
        if self.bytes.len() < LONGEST_NUMBER {
            return Err(ended());
        }
        Err("a number has more than 64 bits".to_owned())
    }

    /// A number of 32 bits.
    #[inline]
    pub(super) fn int(&mut self) -> Read<i32> {
        let value = self.long()?;
        i32::try_from(value).map_err(|_| format!("{value} has more than 32 bits"))
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Read<bool> {
        Ok(self.byte()? == 1)
    }

    #[inline]
    pub(super) fn float(&mut self) -> Read<f32> {
        let bytes = self.take(4)?.try_into().map_err(|_| ended())?;
        Ok(f32::from_le_bytes(bytes))
    }

    #[inline]
    pub(super) fn double(&mut self) -> Read<f64> {
        let bytes = self.take(8)?.try_into().map_err(|_| ended())?;
        Ok(f64::from_le_bytes(bytes))
    }

    /// Bytes with their length in front.
    #[inline]
    pub(super) fn bytes(&mut self) -> Read<&'a [u8]> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| format!("{length} is no length"))?;
        self.take(length)
    }

    /// Text with its length in front.
    #[inline]
    pub(super) fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a string is not valid UTF-8".to_owned())
    }

    /// The number of items in the next block of an array or map; 0 at its end. With it the bytes of the block, where
    /// they are told.
    pub(super) fn block(&mut self) -> Read<(usize, Option<usize>)> {
        let count = self.long()?;
        let bytes = match count < 0 {
            true => {
                let bytes = self.long()?;
                Some(usize::try_from(bytes).map_err(|_| format!("{bytes} is no length"))?)
            }
            false => None,
        };
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        self.items = self
            .items
            .checked_sub(count)
            .ok_or_else(|| format!("an array or map of {count} items is longer than its record"))?;
        Ok((count, bytes))
    }
}

#[cold]
fn ended() -> String {
    "the record ends too early".to_owned()
}

/// Appends a number.
#[inline]
pub(super) fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends bytes with their length in front.
#[inline]
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() {
        let edges = [0, -1, 1, 63, 64, -64, -65, i64::from(i32::MAX), i64::MAX, i64::MIN];
        for value in edges {
            let mut bytes = Vec::new();
            write_long(value, &mut bytes);
            let mut cursor = Cursor::new(&bytes);
            assert_eq!((cursor.long(), cursor.rest().len()), (Ok(value), 0));
            for length in 0..bytes.len() {
                assert!(Cursor::new(&bytes[..length]).long().is_err());
            }
        }
        let mut bytes = Vec::new();
        write_long(i64::from(i32::MAX) + 1, &mut bytes);
        assert!(Cursor::new(&bytes).int().is_err());
        assert!(Cursor::new(&[0xff; 11]).long().unwrap_err().contains("64 bits"));
    }

    #[test]
    fn lengths_and_counts_are_bounded() {
        let mut bytes = Vec::new();
        write_long(i64::MAX, &mut bytes);
        assert!(Cursor::new(&bytes).bytes().is_err());
        assert!(Cursor::new(&bytes).block().unwrap_err().contains("longer than its record"));
        bytes.clear();
        write_long(-1, &mut bytes);
        assert!(Cursor::new(&bytes).bytes().unwrap_err().contains("no length"));
        write_long(7, &mut bytes);
        assert_eq!(Cursor::new(&bytes).block(), Ok((1, Some(7))));
    }
}
