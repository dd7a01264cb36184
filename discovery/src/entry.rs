//! What is in etcd: a key for each coordinator, `{prefix}/coordinators/{id}`, and one for the leader,
//! `{prefix}/leader`; values are JSON.

use serde::{Deserialize, Serialize};

/// Longest value that is looked at.
const MAX_BYTES: usize = 4_096;

/// A coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// Where it is reached: `host:port`.
    pub address: String,
    /// The term that it leads; only in the leader's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Numbers and a text: nothing of it can fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// None if it is nothing that a coordinator wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let sane = |entry: &Self| !entry.address.is_empty();
        (bytes.len() <= MAX_BYTES)
            .then(|| serde_json::from_slice(bytes).ok())
            .flatten()
            .filter(sane)
    }
}

/// Below which all keys are.
pub(crate) fn all(prefix: &str) -> String {
    format!("{prefix}/")
}

/// The key of a coordinator.
pub(crate) fn coordinator(prefix: &str, id: u64) -> String {
    format!("{prefix}/coordinators/{id}")
}

/// The key of the leader.
pub(crate) fn leader(prefix: &str) -> String {
    format!("{prefix}/leader")
}

/// Addresses in the order in which they should be tried: the leader's, then the others'.
pub(crate) fn addresses<'a>(
    prefix: &str,
    found: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Vec<String> {
    let mut leading = Vec::new();
    let mut others = Vec::new();
    for (key, value) in found {
        let Some(entry) = Entry::decode(value) else {
            let key = String::from_utf8_lossy(key);
            tracing::warn!(%key, "a key in etcd holds what no coordinator wrote");
            continue;
        };
        if key == leader(prefix).as_bytes() {
            leading.push(entry.address);
        } else if key == coordinator(prefix, entry.id).as_bytes() {
            others.push((entry.id, entry.address));
        }
    }
    others.sort();
    for (_, address) in others {
        if !leading.contains(&address) {
            leading.push(address);
        }
    }
    leading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_comes_first_and_nonsense_is_left_out() {
        let entry = |id: u64, term: Option<u64>| {
            Entry { id, address: format!("c{id}:7411"), term }.encode()
        };
        let found = [
            ("/t/coordinators/10", entry(10, None)),
            ("/t/coordinators/2", entry(2, None)),
            ("/t/coordinators/3", b"{".to_vec()),
            ("/t/coordinators/4", entry(5, None)),
            ("/t/leader", entry(10, Some(7))),
            ("/t/other", entry(6, None)),
        ];
        let all = found.iter().map(|(key, value)| (key.as_bytes(), value.as_slice()));
        assert_eq!(addresses("/t", all), ["c10:7411", "c2:7411"]);
        assert_eq!(Entry::decode(&entry(1, Some(3))).unwrap().term, Some(3));
        assert!(Entry::decode(&vec![b' '; MAX_BYTES + 1]).is_none());
    }
}
