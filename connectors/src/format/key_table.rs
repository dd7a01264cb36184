//! Finding a field of a row by the key bytes of a record, fast where records look alike.
//!
//! For each position of a key in an object the table remembers the key that stood there last, so that
//! in records of the same make one comparison of a few bytes tells what to do, also for keys that
//! nobody reads.

use hashbrown::HashMap;

/// Positions that are remembered; keys behind them are looked up by hash.
const MAX_POSITIONS: usize = 256;
/// Longest key that is remembered, in bytes, with its quotes.
const MAX_REMEMBERED: usize = 128;
const WORD: usize = size_of::<u128>();

/// The fields of a row by name, and the keys that are expected.
#[derive(Debug)]
pub(super) struct KeyTable {
    fields: HashMap<Box<[u8]>, usize>,
    expected: Vec<Expected>,
}

/// What stood at a position last.
#[derive(Debug)]
struct Expected {
    /// The key as written, with its quotes.
    raw: Box<[u8]>,
    /// The same as one word, if it is short enough; bytes behind it are 0.
    word: u128,
    /// Which bytes of the word belong to the key; 0: it is too long.
    mask: u128,
    /// The field that it names, if it is read.
    field: Option<usize>,
}

impl KeyTable {
    /// A table of names; the index of a name is that of its field.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let fields =
            names.enumerate().map(|(index, name)| (name.as_bytes().into(), index)).collect();
        Self { fields, expected: Vec::new() }
    }

    /// If `rest` begins with the key that is expected at `position`: the field that it names, if any,
    /// and the key's length with its quotes.
    #[inline]
    pub(super) fn predict(&self, position: usize, rest: &[u8]) -> Option<(Option<usize>, usize)> {
        let expected = self.expected.get(position)?;
        let fits = match rest.first_chunk::<WORD>() {
            Some(chunk) if expected.mask != 0 => {
                u128::from_le_bytes(*chunk) & expected.mask == expected.word
            }
            _ => rest.starts_with(&expected.raw),
        };
        fits.then_some((expected.field, expected.raw.len()))
    }

    /// Looks a name up, and remembers that its key, `raw` with the quotes, stood at `position`.
    pub(super) fn find(&mut self, position: usize, raw: &[u8], name: &[u8]) -> Option<usize> {
        let field = self.fields.get(name).copied();
        if position < MAX_POSITIONS
            && position <= self.expected.len()
            && raw.len() <= MAX_REMEMBERED
        {
            let expected = Expected::new(raw, field);
            match self.expected.get_mut(position) {
                Some(slot) => *slot = expected,
                None => self.expected.push(expected),
            }
        }
        field
    }
}

impl Expected {
    fn new(raw: &[u8], field: Option<usize>) -> Self {
        let (mut word, mut mask) = ([0; WORD], [0; WORD]);
        if let (Some(word), Some(mask)) = (word.get_mut(..raw.len()), mask.get_mut(..raw.len())) {
            word.copy_from_slice(raw);
            mask.fill(0xff);
        }
        Self {
            raw: raw.into(),
            word: u128::from_le_bytes(word),
            mask: u128::from_le_bytes(mask),
            field,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_expected_where_it_stood_last() {
        let mut table = KeyTable::new(["a", "a long name that fills no word"].into_iter());
        assert_eq!(table.predict(0, b"\"a\":1"), None);
        assert_eq!(table.find(0, b"\"a\"", b"a"), Some(0));
        assert_eq!(table.predict(0, b"\"a\":1"), Some((Some(0), 3)));
        assert_eq!(table.predict(0, b"\"a\":1, and more than sixteen bytes"), Some((Some(0), 3)));
        assert_eq!(table.predict(0, b"\"ab\":1, and more than sixteen bytes"), None);
        assert_eq!(table.predict(1, b"\"a\":1"), None);
        let long = b"\"a long name that fills no word\"";
        assert_eq!(table.find(1, long, &long[1..long.len() - 1]), Some(1));
        assert_eq!(table.predict(1, long), Some((Some(1), long.len())));
        assert_eq!(table.find(0, b"\"z\"", b"z"), None);
        assert_eq!(table.predict(0, b"\"z\" : 2"), Some((None, 3)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut table = KeyTable::new(["a"].into_iter());
        for position in 0..10_000 {
            table.find(position, b"\"x\"", b"x");
        }
        assert_eq!(table.expected.len(), MAX_POSITIONS);
        let huge = vec![b'k'; 1_000_000];
        table.find(3, &huge, &huge);
        assert_eq!(table.predict(3, &huge), None);
    }
}
