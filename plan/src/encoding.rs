//! The stored form of a stream graph: JSON with a version and a checksum ([`crate::envelope`]).
//! Every version ever released stays readable; `plan/golden/` keeps a file of each.

use tidegate_types::Result;

use crate::envelope::Envelope;
use crate::graph::StreamGraph;

/// Version that [`encode`] writes. 2: changelog modes by kind of change (`I,UB,UA,D`), operators over changing tables.
pub const VERSION: u64 = 2;

const ENVELOPE: Envelope =
    Envelope { format: "tidegate-plan", version: VERSION, content: "plan", noun: "stored plan" };

/// Encodes a graph as indented JSON.
///
/// # Errors
/// `INTERNAL` if the graph holds a value that JSON cannot (a NaN literal).
pub fn encode(graph: &StreamGraph) -> Result<String> {
    ENVELOPE.seal(graph)
}

/// Decodes what [`encode`] wrote, in this or an earlier version, and validates it.
///
/// # Errors
/// `CORRUPT` if it is not such a document or its checksum does not fit; `INCOMPATIBLE` if a newer
/// version wrote it.
pub fn decode(text: &str) -> Result<StreamGraph> {
    let graph: StreamGraph = ENVELOPE.open("", text.as_bytes())?;
    graph.validate()?;
    Ok(graph)
}
