//! Which partition the producer chooses for a key, so that the end offsets of a topic are known before
//! its records are there.

/// How many records with these keys each partition of a topic gets.
pub(super) fn counts<'a>(keys: impl Iterator<Item = &'a str>, partitions: u32) -> Vec<u64> {
    let mut counts = vec![0; partitions as usize];
    for key in keys {
        counts[partition(key.as_bytes(), partitions) as usize] += 1;
    }
    counts
}

/// The default of Kafka's clients in Java.
fn partition(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// The 32-bit hash MurmurHash2 with the seed that Kafka gives it.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    let (words, rest) = bytes.as_chunks::<4>();
    // Kafka counts lengths in 32 bits; keys are far shorter.
    let mut hash = SEED ^ bytes.len() as u32;
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        let word = (word ^ (word >> SHIFT)).wrapping_mul(FACTOR);
        hash = hash.wrapping_mul(FACTOR) ^ word;
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs that Kafka's own tests hold its hash to.
    #[test]
    fn the_hash_is_that_of_kafkas_clients() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), i32::cast_unsigned(hash), "{key}");
        }
    }

    #[test]
    fn every_key_is_counted_once() {
        let keys = ["a", "b", "c", "a"];
        let counts = counts(keys.into_iter(), 3);
        assert_eq!(counts.iter().sum::<u64>(), 4);
        assert!(counts[partition(b"a", 3) as usize] >= 2);
    }
}
