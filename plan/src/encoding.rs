//! The stored form of a stream graph: JSON with a version and a checksum.
//!
//! ```json
//! {"format": "tidegate-plan", "version": 1, "checksum": "<xxh3-64 of the plan's compact JSON>", "plan": {…}}
//! ```
//! Every version ever released stays readable; `plan/golden/` keeps a file of each.

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_types::{Error, ErrorCode, Result};

use crate::graph::StreamGraph;

/// Version that [`encode`] writes.
pub const VERSION: u64 = 1;
const FORMAT: &str = "tidegate-plan";

#[derive(Deserialize)]
struct Envelope {
    format: String,
    version: u64,
    checksum: String,
    plan: Value,
}

/// Encodes a graph as indented JSON.
///
/// # Errors
/// `INTERNAL` if the graph holds a value that JSON cannot (a NaN literal).
pub fn encode(graph: &StreamGraph) -> Result<String> {
    let to_internal = |error: serde_json::Error| Error::internal(format!("encode plan: {error}"));
    let plan = serde_json::to_value(graph).map_err(to_internal)?;
    let envelope = json!({
        "format": FORMAT,
        "version": VERSION,
        "checksum": checksum(&plan),
        "plan": plan,
    });
    serde_json::to_string_pretty(&envelope).map_err(to_internal)
}

/// Decodes what [`encode`] wrote, in this or an earlier version, and validates it.
///
/// # Errors
/// `CORRUPT` if it is not such a document or its checksum does not fit; `INCOMPATIBLE` if a newer
/// version wrote it.
pub fn decode(text: &str) -> Result<StreamGraph> {
    let corrupt = |what: String| Error::new(ErrorCode::Corrupt, format!("stored plan {what}"));
    let envelope: Envelope =
        serde_json::from_str(text).map_err(|error| corrupt(format!("does not parse: {error}")))?;
    if envelope.format != FORMAT {
        return Err(corrupt(format!("has format '{}', expected '{FORMAT}'", envelope.format)));
    }
    if envelope.version > VERSION {
        return Err(Error::new(
            ErrorCode::Incompatible,
            format!(
                "stored plan has version {}, this release reads up to {VERSION}",
                envelope.version
            ),
        ));
    }
    if checksum(&envelope.plan) != envelope.checksum {
        return Err(corrupt("is damaged: its checksum does not fit its content".to_owned()));
    }
    let graph: StreamGraph = serde_json::from_value(envelope.plan)
        .map_err(|error| corrupt(format!("does not fit version {}: {error}", envelope.version)))?;
    graph.validate()?;
    Ok(graph)
}

/// serde_json keeps object keys sorted, so the compact text is canonical.
fn checksum(plan: &Value) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(plan.to_string().as_bytes()))
}
