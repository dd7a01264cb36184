//! Splits: who owns which numbers, and the position in them.
//!
//! Split *s* of *S* owns the chunks *c* with *c* mod *S* = *s*, a chunk being consecutive numbers. The
//! numbers of splits and of rows per chunk are fixed at the first start and recorded in every split,
//! with the shape of the rows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_engine::connector::Split;
use tidegate_types::{Error, ErrorCode, Result};

/// Splits of a new source: divides evenly over 1, 2, 3, 4, 6, 8, 12 and 24 subtasks.
const SPLITS: u64 = 24;
/// Numbers of a chunk at full speed: 4 048 bids of Nexmark's usual proportions, one batch.
const FULL_SPEED_CHUNK: u64 = 4_400;
/// Time that a round over all splits takes at most when rows leave by the clock.
const PACED_ROUND_MS: u64 = 100;
const VERSION: u32 = 1;

/// How numbers are dealt to splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// Number of splits.
    pub(crate) splits: u64,
    /// Numbers per chunk.
    pub(crate) chunk: u64,
}

impl Layout {
    /// The layout of a new source whose rows leave as fast as possible.
    pub(crate) fn full_speed() -> Self {
        Self { splits: SPLITS, chunk: FULL_SPEED_CHUNK }
    }

    /// The layout of a new source with so many rows per second: a split that waits for its next turn
    /// holds watermarks back, so a round is short.
    pub(crate) fn paced(rate: u64) -> Self {
        let round = rate.saturating_mul(PACED_ROUND_MS) / 1000;
        Self { splits: SPLITS, chunk: (round / SPLITS).clamp(1, FULL_SPEED_CHUNK) }
    }

    /// Numbers in a round over all splits.
    pub(crate) fn round(&self) -> u64 {
        self.splits * self.chunk
    }

    /// Numbers from `number` to the end of its chunk.
    pub(super) fn left_in_chunk(&self, number: u64) -> u64 {
        self.chunk - number % self.chunk
    }

    /// The position behind `count` numbers from `number` on, none beyond the chunk's end.
    pub(super) fn advance(&self, number: u64, count: u64) -> u64 {
        let next = number + count;
        if next.is_multiple_of(self.chunk) {
            next.saturating_add(self.round() - self.chunk)
        } else {
            next
        }
    }
}

/// What a split's state holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SplitState {
    version: u32,
    pub(super) layout: Layout,
    shape: Value,
    /// The next number of this split.
    pub(super) next: u64,
}

impl SplitState {
    /// Split `index` at its start.
    pub(super) fn start(layout: Layout, shape: Value, index: u64) -> Self {
        Self { version: VERSION, layout, shape, next: index * layout.chunk }
    }

    /// Decodes a split's state and checks that it belongs to rows of `shape`.
    ///
    /// # Errors
    /// `CORRUPT` if it cannot be decoded; `INCOMPATIBLE` if it comes from a newer version or from
    /// other rows.
    pub(super) fn decode(split: &Split, name: &str, shape: &Value) -> Result<Self> {
        let id = &split.id;
        let state: Self = serde_json::from_value(split.state.clone()).map_err(|error| {
            Error::new(ErrorCode::Corrupt, format!("split {id} of a {name} source: {error}"))
        })?;
        if state.version > VERSION {
            let found = state.version;
            let message = format!(
                "split {id} of a {name} source has version {found}, this release reads up to {VERSION}"
            );
            return Err(Error::new(ErrorCode::Incompatible, message));
        }
        let Layout { splits, chunk } = state.layout;
        if splits == 0 || chunk == 0 || splits.checked_mul(chunk).is_none() {
            let message =
                format!("split {id} of a {name} source has {splits} splits of {chunk} rows");
            return Err(Error::new(ErrorCode::Corrupt, message));
        }
        if state.shape != *shape {
            let differences = differences(&state.shape, shape);
            let message =
                format!("the checkpoint counts other rows of the {name} source: {differences}");
            return Err(Error::new(ErrorCode::Incompatible, message).help(
                "restore with the options that the job was started with, or start without state",
            ));
        }
        Ok(state)
    }

    /// The split with this state.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn encode(&self, id: String, finished: bool) -> Result<Split> {
        let state = serde_json::to_value(self)
            .map_err(|error| Error::internal(format!("encode split {id}: {error}")))?;
        Ok(Split { id, state, finished })
    }
}

/// Identity of a split.
pub(super) fn split_id(index: u64) -> String {
    format!("rows-{index}")
}

/// The members in which two JSON objects differ.
fn differences(was: &Value, now: &Value) -> String {
    let (Value::Object(was), Value::Object(now)) = (was, now) else {
        return format!("{was} then, {now} now");
    };
    let keys: std::collections::BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), Value::to_string);
    let different = keys.into_iter().filter(|key| was.get(*key) != now.get(*key));
    let parts: Vec<String> = different
        .map(|key| format!("{key} was {}, is {}", shown(was.get(key)), shown(now.get(key))))
        .collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn splits_cover_all_numbers_once() {
        let layout = Layout { splits: 3, chunk: 4 };
        let mut seen = Vec::new();
        for split in 0..3 {
            let mut next = split * 4;
            while next < 60 {
                let count = layout.left_in_chunk(next).min(3);
                seen.extend(next..next + count);
                next = layout.advance(next, count);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..60).collect::<Vec<_>>());
    }

    #[test]
    fn a_paced_round_takes_no_more_than_a_tenth_of_a_second() {
        for rate in [1, 100, 10_000, 100_000, 10_000_000] {
            let layout = Layout::paced(rate);
            assert!(layout.chunk >= 1 && (layout.round() * 10 <= rate || layout.chunk == 1));
        }
    }

    #[test]
    fn other_rows_are_refused_with_what_differs() {
        let shape = json!({"seed": 1, "rate": 10});
        let layout = Layout::full_speed();
        let split = SplitState::start(layout, shape.clone(), 3).encode(split_id(3), false).unwrap();
        assert_eq!(SplitState::decode(&split, "test", &shape).unwrap().next, 3 * layout.chunk);
        let error =
            SplitState::decode(&split, "test", &json!({"seed": 1, "rate": 11})).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        assert!(error.to_string().contains("rate was 10, is 11"), "{error}");
        let broken = Split { state: json!({"next": "x"}), ..split.clone() };
        assert_eq!(
            SplitState::decode(&broken, "test", &shape).unwrap_err().code(),
            ErrorCode::Corrupt
        );
        let mut newer = split;
        newer.state["version"] = json!(99);
        assert_eq!(
            SplitState::decode(&newer, "test", &shape).unwrap_err().code(),
            ErrorCode::Incompatible
        );
    }
}
