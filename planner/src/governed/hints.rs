//! Which options a statement may give to a governed table by a hint: how it is read and written, never where it is, who
//! connects and what its records look like.

use tidegate_types::{Error, ErrorCode, Result, Span};

/// Options that stand for themselves, or, with a dot at the end, for all that begin so.
const ALLOWED: &[&str] = &[
    "lookup.",
    "number-of-rows",
    "events.num",
    "properties.group.id",
    "rows-per-second",
    "scan.bounded.",
    "scan.fetch-size",
    "scan.parallelism",
    "scan.startup.",
    "scan.topic-partition-discovery.interval",
    "scan.watermark.",
    "sink.buffer-flush.",
    "sink.delivery-guarantee",
    "sink.max-retries",
    "sink.parallelism",
    "sink.partitioner",
    "sink.rolling-policy.",
    "sink.transaction-naming-strategy",
    "sink.transactional-id-prefix",
];

/// # Errors
/// `PERMISSION_DENIED` for the first option that is not the statement's to give.
pub(super) fn check(table: &str, hints: &[(String, String)], span: Span) -> Result<()> {
    let refused = hints.iter().find(|(key, _)| !is_allowed(key));
    let Some((key, _)) = refused else { return Ok(()) };
    let message = format!(
        "the option '{key}' of the governed table '{table}' cannot be given by a hint: the catalog says where the table is and what is in it"
    );
    Err(Error::new(ErrorCode::PermissionDenied, message).at(span).help(
        "options that a hint may give: scan.startup.*, scan.bounded.*, scan.watermark.*, scan.parallelism, properties.group.id, lookup.*, sink.parallelism, sink.buffer-flush.*, sink.delivery-guarantee, sink.transactional-id-prefix and a few more",
    ))
}

fn is_allowed(key: &str) -> bool {
    ALLOWED.iter().any(|allowed| match allowed.ends_with('.') {
        true => key.len() > allowed.len() && key.starts_with(allowed),
        false => key == *allowed,
    })
}
