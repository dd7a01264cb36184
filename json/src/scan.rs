//! Finding the bytes that matter in JSON, eight at a time.

/// A 1 in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of every byte.
const HIGH: u64 = 0x8080_8080_8080_8080;
const WORD: usize = size_of::<u64>();
/// Words that are looked at before the search is left to `memchr`, whose start costs more.
const SHORT_WORDS: usize = 6;

/// The highest bit of each byte that is 0. Bytes behind the first one that is found may be marked
/// wrongly, so only the first one counts.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

const fn first(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize
}

/// Position of the first `"` or `\` from `from` on.
#[inline]
pub fn quote_or_backslash(bytes: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    for _ in 0..SHORT_WORDS {
        let Some(chunk) = bytes.get(position..).and_then(|rest| rest.first_chunk::<WORD>()) else {
            break;
        };
        let word = u64::from_le_bytes(*chunk);
        let mask =
            zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64));
        if mask != 0 {
            return Some(position + first(mask));
        }
        position += WORD;
    }
    memchr::memchr2(b'"', b'\\', bytes.get(position..)?).map(|found| position + found)
}

/// Position of the first `"`, `{`, `}`, `[` or `]` from `from` on.
#[inline]
pub fn structural(bytes: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    while let Some(chunk) = bytes.get(position..).and_then(|rest| rest.first_chunk::<WORD>()) {
        let word = u64::from_le_bytes(*chunk);
        // The four brackets, and no byte but `_`, `y`, `Y` and DEL, become `y` this way.
        let folded = (word | (ONES * 0x20)) & !(ONES * 0x06);
        let mask =
            zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(folded ^ (ONES * b'y' as u64));
        if mask == 0 {
            position += WORD;
            continue;
        }
        position += first(mask);
        if is_structural(chunk[first(mask)]) {
            return Some(position);
        }
        position += 1;
    }
    let rest = bytes.get(position..)?;
    rest.iter().position(|byte| is_structural(*byte)).map(|found| position + found)
}

const fn is_structural(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'}' | b'[' | b']')
}

/// Position of the first byte from `from` on that cannot stand in a JSON string as it is: quotes,
/// backslashes and control characters.
#[inline]
pub fn to_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    while let Some(chunk) = bytes.get(position..).and_then(|rest| rest.first_chunk::<WORD>()) {
        let word = u64::from_le_bytes(*chunk);
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let mask = zero_bytes(word ^ (ONES * b'"' as u64))
            | zero_bytes(word ^ (ONES * b'\\' as u64))
            | controls;
        if mask != 0 {
            return Some(position + first(mask));
        }
        position += WORD;
    }
    let rest = bytes.get(position..)?;
    rest.iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
        .map(|found| position + found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng as _, SeedableRng as _};

    #[test]
    fn the_first_of_its_kind_is_found() {
        let alphabet = b"ay_Y\x7f\"\\{}[]:,\x00\x1f\x20\x80\xff!#|z^";
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let mut below = |bound: u64| random.random_range(0..bound);
        for _ in 0..20_000 {
            let rare = below(40) + 1;
            let bytes: Vec<u8> = (0..below(90))
                .map(|_| {
                    if below(rare) > 0 {
                        b'y'
                    } else {
                        alphabet[below(alphabet.len() as u64) as usize]
                    }
                })
                .collect();
            for from in 0..=bytes.len() {
                let naive = |wanted: &dyn Fn(u8) -> bool| {
                    bytes[from..].iter().position(|byte| wanted(*byte)).map(|found| from + found)
                };
                assert_eq!(quote_or_backslash(&bytes, from), naive(&|b| b == b'"' || b == b'\\'));
                assert_eq!(structural(&bytes, from), naive(&is_structural));
                assert_eq!(
                    to_escape(&bytes, from),
                    naive(&|b| b < 0x20 || b == b'"' || b == b'\\')
                );
            }
        }
        assert_eq!(structural(b"", 0), None);
        assert_eq!(quote_or_backslash(b"abc", 3), None);
    }
}
