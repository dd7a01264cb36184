//! Whether a table of files announces its partitions later than its files.

use std::collections::BTreeMap;

use crate::value;

/// Whether partitions are announced some time behind their files: the table is then written by one
/// subtask, which knows what all of them hold and how far event time is for all of them.
pub fn waits_to_announce(options: &BTreeMap<String, String>) -> bool {
    let option = |key: &str| options.get(key).map(String::as_str);
    if option("connector") != Some("filesystem")
        || option("sink.partition-commit.policy.kind").is_none()
    {
        return false;
    }
    const DELAY: &str = "sink.partition-commit.delay";
    let delay = option(DELAY).and_then(|text| value::duration(DELAY, text).ok());
    option("sink.partition-commit.trigger") == Some("partition-time")
        || delay.is_some_and(|delay| !delay.is_zero())
}
