//! The text of Kafka's `specific-offsets` options: `partition:0,offset:42;partition:1,offset:300`.

use tidegate_types::{Error, ErrorCode, Result};

/// An offset of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionOffset {
    /// Partition number.
    pub partition: i32,
    /// Offset of the first record to read, or of the first not to read any more.
    pub offset: i64,
}

/// Parses the value of `key`.
///
/// # Errors
/// `INVALID_OPTION` naming `key` and the part that is wrong.
pub fn specific_offsets(key: &str, text: &str) -> Result<Vec<PartitionOffset>> {
    let mut offsets: Vec<PartitionOffset> = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let parsed = parse_pair(part).ok_or_else(|| {
            let message = format!(
                "option '{key}': '{part}' is not of the form partition:0,offset:42 \
                 (several are separated by ';')"
            );
            Error::new(ErrorCode::InvalidOption, message)
        })?;
        if offsets.iter().any(|other| other.partition == parsed.partition) {
            let message = format!("option '{key}' names partition {} twice", parsed.partition);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        offsets.push(parsed);
    }
    if offsets.is_empty() {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            format!("option '{key}' names no partition"),
        ));
    }
    Ok(offsets)
}

fn parse_pair(part: &str) -> Option<PartitionOffset> {
    let (left, right) = part.split_once(',')?;
    let partition = left.trim().strip_prefix("partition:")?.trim().parse().ok()?;
    let offset = right.trim().strip_prefix("offset:")?.trim().parse().ok()?;
    (partition >= 0 && offset >= 0).then_some(PartitionOffset { partition, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flinks_syntax() {
        let offsets =
            specific_offsets("k", "partition:0,offset:42;partition:1,offset:300").unwrap();
        assert_eq!(offsets[1], PartitionOffset { partition: 1, offset: 300 });
        assert_eq!(offsets.len(), 2);
    }

    #[test]
    fn names_the_wrong_part() {
        for (text, named) in [
            ("partition:0,offset:x", "partition:0,offset:x"),
            ("0:42", "0:42"),
            ("partition:0,offset:1;partition:0,offset:2", "twice"),
            (" ; ", "no partition"),
        ] {
            let error =
                specific_offsets("scan.startup.specific-offsets", text).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("scan.startup"), "{error}");
        }
    }
}
