//! The bounded memory of request ids that makes it safe to send a command again.

use std::collections::VecDeque;
use std::sync::Arc;

use rpds::QueueSync;
use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use crate::bounds::{Bounds, invalid};
use crate::persistent::PersistentMap;
use crate::response::Response;

/// The most characters of a request id.
const MAX_REQUEST_ID: usize = 128;

/// Which requests were answered, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<Answered>", into = "VecDeque<Answered>")]
pub struct RequestMemory {
    by_id: PersistentMap<String, Arc<Answered>>,
    /// Ids, oldest first.
    order: QueueSync<String>,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    id: String,
    /// Fingerprint of what was asked.
    digest: u64,
    at_ms: i64,
    response: Response,
}

impl RequestMemory {
    /// The answer to a request that was answered before, none for a new one. `INVALID_OPTION` for an id that is none or
    /// that was used for another request.
    pub(crate) fn recall(&self, id: &str, digest: u64, now_ms: i64) -> Result<Option<Response>> {
        if id.is_empty() || id.len() > MAX_REQUEST_ID || !id.chars().all(|c| c.is_ascii_graphic()) {
            return Err(invalid(format!(
                "a request id has 1 to {MAX_REQUEST_ID} printable ASCII characters without spaces"
            )));
        }
        let Some(answered) = self.by_id.get(id).filter(|answered| answered.lives(now_ms)) else {
            return Ok(None);
        };
        if answered.digest != digest {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                format!("request id {id} was used for another request: use a new one"),
            ));
        }
        Ok(Some(answered.response.clone()))
    }

    /// Whether an id was answered.
    pub(crate) fn remembers(&self, id: &str, now_ms: i64) -> bool {
        self.by_id.get(id).is_some_and(|answered| answered.lives(now_ms))
    }

    /// Remembers an answer and forgets what is too old or too much.
    pub(crate) fn remember(&mut self, id: String, digest: u64, now_ms: i64, response: Response) {
        self.forget(now_ms, Bounds::REQUESTS - 1);
        // An id whose answer has aged out may still be there if the clock of commands stood still.
        if self.by_id.contains_key(&id) {
            self.order = self.order.iter().filter(|other| **other != id).cloned().collect();
        }
        self.order.enqueue_mut(id.clone());
        let answered = Answered { id: id.clone(), digest, at_ms: now_ms, response };
        self.by_id.insert(id, Arc::new(answered));
    }

    /// Forgets what is too old, and the oldest beyond `most`.
    pub(crate) fn forget(&mut self, now_ms: i64, most: usize) {
        while let Some(oldest) = self.order.peek().cloned() {
            let lives = self.by_id.get(&oldest).is_some_and(|answered| answered.lives(now_ms));
            if lives && self.order.len() <= most {
                break;
            }
            self.order.dequeue_mut();
            self.by_id.remove(&oldest);
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl Answered {
    fn lives(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.at_ms) <= Bounds::REQUEST_AGE_MS
    }
}

impl From<VecDeque<Answered>> for RequestMemory {
    fn from(stored: VecDeque<Answered>) -> Self {
        let order = stored.iter().map(|answered| answered.id.clone()).collect();
        let entry = |answered: Answered| (answered.id.clone(), Arc::new(answered));
        let by_id = stored.into_iter().map(entry).collect();
        Self { by_id, order }
    }
}

impl From<RequestMemory> for VecDeque<Answered> {
    fn from(memory: RequestMemory) -> Self {
        let answered = |id| memory.by_id.get(id).map(|answered| Answered::clone(answered));
        memory.order.iter().filter_map(answered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ResourceName;

    fn response(revision: u64) -> Response {
        Response { name: ResourceName::Project("p".to_owned()), revision }
    }

    #[test]
    fn answers_are_bounded_by_age_and_count() {
        let mut memory = RequestMemory::default();
        for n in 0..Bounds::REQUESTS as u64 + 5 {
            memory.remember(format!("r{n}"), n, 1_000, response(n));
        }
        assert_eq!(memory.len(), Bounds::REQUESTS);
        assert_eq!(memory.recall("r4", 4, 1_000).unwrap(), None);
        assert_eq!(memory.recall("r5", 5, 1_000).unwrap(), Some(response(5)));
        let late = 1_001 + Bounds::REQUEST_AGE_MS;
        assert_eq!(memory.recall("r5", 5, late).unwrap(), None);
        memory.remember("r5".to_owned(), 5, late, response(99));
        assert_eq!(memory.len(), 1);
        assert_eq!(memory.recall("r5", 5, late).unwrap(), Some(response(99)));
    }

    #[test]
    fn an_id_is_for_one_request() {
        let mut memory = RequestMemory::default();
        memory.remember("a".to_owned(), 1, 0, response(1));
        assert_eq!(memory.recall("a", 2, 0).unwrap_err().code(), ErrorCode::InvalidOption);
        assert!(memory.recall("", 1, 0).is_err());
        assert!(memory.recall("a b", 1, 0).is_err());
    }
}
