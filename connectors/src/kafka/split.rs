//! Splits of topics: a partition with its next offset and, if reading is bounded, its end.

use serde::{Deserialize, Serialize};
use tidegate_engine::connector::Split;
use tidegate_types::{Error, ErrorCode, Result};

/// A partition and how far it was read. Stored in checkpoints as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SplitState {
    /// Topic.
    pub(super) topic: String,
    /// Partition.
    pub(super) partition: i32,
    /// Offset of the next record to read; always a number, also where there is no record yet.
    pub(super) next: i64,
    /// Offset behind the last record to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<i64>,
}

impl SplitState {
    /// Stable identity: `topic-3`.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Reads the state of a split.
    pub(super) fn decode(split: &Split) -> Result<Self> {
        let state: Self = serde_json::from_value(split.state.clone()).map_err(|error| {
            Error::new(
                ErrorCode::Corrupt,
                format!("position of Kafka partition {}: {error}", split.id),
            )
        })?;
        if state.next < 0 {
            let message =
                format!("position of Kafka partition {}: {} is no offset", split.id, state.next);
            return Err(Error::new(ErrorCode::Corrupt, message));
        }
        Ok(state)
    }

    /// The split for the engine.
    pub(super) fn encode(&self, finished: bool) -> Result<Split> {
        let state =
            serde_json::to_value(self).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Split { id: self.id(), state, finished })
    }

    /// Whether nothing is left to read.
    pub(super) fn is_done(&self) -> bool {
        self.stop.is_some_and(|stop| self.next >= stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_their_encoding() {
        let state = SplitState { topic: "clicks".into(), partition: 3, next: 0, stop: None };
        let split = state.encode(false).unwrap();
        assert_eq!(split.id, "clicks-3");
        assert_eq!(SplitState::decode(&split).unwrap(), state);
        let bad =
            Split { state: serde_json::json!({"topic": "t", "partition": 0, "next": -1}), ..split };
        assert_eq!(SplitState::decode(&bad).unwrap_err().code(), ErrorCode::Corrupt);
    }
}
