//! From records of unknown format to columns.

use super::{Description, csv, json};

/// The columns of these records; the error says why there are none.
pub(crate) fn describe(records: &[Vec<u8>], what: &str) -> Result<Description, String> {
    if records.is_empty() {
        return Err(format!("{what} has no records to find columns by"));
    }
    let mut sample = json::Sample::default();
    records.iter().for_each(|record| sample.add(record));
    // A few records of another kind do not make a topic of JSON something else.
    if sample.records > sample.failed {
        return Ok(sample.describe());
    }
    if let Some(found) = csv::describe(records) {
        return Ok(found);
    }
    let registered = records.iter().all(|record| record.first() == Some(&0) && record.len() > 5);
    Err(if registered {
        format!(
            "the records of {what} seem to have schemas in a registry: set the data source's 'schema-registry-url'"
        )
    } else {
        format!(
            "the records of {what} are neither JSON objects nor CSV of one shape: declare its columns by hand"
        )
    })
}
