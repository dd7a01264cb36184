//! The envelope of stored JSON documents: format, version, checksum, and the content under a name
//! of its own. Plans, checkpoint manifests and job records are stored so.
//!
//! ```json
//! {"format": "tidegate-plan", "version": 1, "checksum": "<xxh3-64 of the content's compact JSON>", "plan": {…}}
//! ```

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

/// One kind of stored document.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    /// What stands in `format`.
    pub format: &'static str,
    /// The version that is written, and the newest that is read.
    pub version: u64,
    /// Key of the content.
    pub content: &'static str,
    /// What the document is called in messages.
    pub noun: &'static str,
}

/// A document with the envelope's keys in the order in which a person reads them.
struct Sealed<'a> {
    envelope: &'a Envelope,
    checksum: String,
    content: Value,
}

impl Serialize for Sealed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("format", self.envelope.format)?;
        map.serialize_entry("version", &self.envelope.version)?;
        map.serialize_entry("checksum", &self.checksum)?;
        map.serialize_entry(self.envelope.content, &self.content)?;
        map.end()
    }
}

impl Envelope {
    /// Encodes a document as indented JSON.
    ///
    /// # Errors
    /// `INTERNAL` if the content holds a value that JSON cannot (a NaN).
    pub fn seal<T: Serialize>(&self, content: &T) -> Result<String> {
        let internal =
            |error: serde_json::Error| Error::internal(format!("encode {}: {error}", self.noun));
        let content = serde_json::to_value(content).map_err(internal)?;
        let sealed = Sealed { envelope: self, checksum: checksum(&content), content };
        serde_json::to_string_pretty(&sealed).map_err(internal)
    }

    /// Decodes what [`Envelope::seal`] wrote, in this or an earlier version; `name` tells which
    /// document it is in messages, and may be empty.
    ///
    /// # Errors
    /// `CORRUPT` if it is not such a document or its checksum does not fit; `INCOMPATIBLE` if a newer
    /// release wrote it.
    pub fn open<T: DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Result<T> {
        let what =
            if name.is_empty() { self.noun.to_owned() } else { format!("{} {name}", self.noun) };
        let corrupt = |why: String| Error::new(ErrorCode::Corrupt, format!("{what} {why}"));
        let mut document: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| corrupt(format!("does not parse: {error}")))?;
        let format = document.get("format").and_then(Value::as_str).unwrap_or_default();
        if format != self.format {
            return Err(corrupt(format!("has format '{format}', expected '{}'", self.format)));
        }
        let version = document.get("version").and_then(Value::as_u64);
        let version = version.ok_or_else(|| corrupt("has no version".to_owned()))?;
        if version > self.version {
            let message =
                format!("{what} has version {version}, this release reads up to {}", self.version);
            return Err(Error::new(ErrorCode::Incompatible, message));
        }
        let content = document
            .remove(self.content)
            .ok_or_else(|| corrupt(format!("has no '{}'", self.content)))?;
        let stored = document.get("checksum").and_then(Value::as_str);
        if stored != Some(checksum(&content).as_str()) {
            return Err(corrupt("is damaged: its checksum does not fit its content".to_owned()));
        }
        serde_json::from_value(content)
            .map_err(|error| corrupt(format!("does not fit version {version}: {error}")))
    }
}

/// serde_json keeps object keys sorted, so the compact text is canonical.
fn checksum(content: &Value) -> String {
    format!("{:016x}", xxh3_64(content.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: Envelope =
        Envelope { format: "tidegate-note", version: 2, content: "note", noun: "note" };

    #[test]
    fn what_is_sealed_comes_back() {
        let sealed = NOTE.seal(&vec![1, 2, 3]).unwrap();
        assert_eq!(NOTE.open::<Vec<i32>>("a", sealed.as_bytes()).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn damage_is_named() {
        let sealed = NOTE.seal(&"text").unwrap();
        for (damaged, code, part) in [
            (sealed.replace("text", "test"), ErrorCode::Corrupt, "note x is damaged"),
            (sealed.replace("tidegate-note", "other"), ErrorCode::Corrupt, "has format 'other'"),
            (
                sealed.replace("\"version\": 2", "\"version\": 3"),
                ErrorCode::Incompatible,
                "up to 2",
            ),
            (sealed.replace("\"note\":", "\"body\":"), ErrorCode::Corrupt, "has no 'note'"),
            (sealed[..20].to_owned(), ErrorCode::Corrupt, "does not parse"),
        ] {
            let error = NOTE.open::<String>("x", damaged.as_bytes()).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
