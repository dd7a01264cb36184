//! What must hold between several options of a table of files.

use tidegate_types::Result;

use super::{Values, invalid};
use crate::spec::Role;
use crate::value;

/// Checks a table's options as a whole.
pub(super) fn check(options: &Values, role: Role) -> Result<()> {
    let path = options.get("path").map(|path| path.trim()).unwrap_or_default();
    if path.is_empty() {
        return Err(invalid("option 'path' is empty"));
    }
    if role == Role::Sink && path.contains(['*', '?']) {
        return Err(invalid(format!(
            "option 'path': '{path}' has wildcards, so it cannot be written to"
        )));
    }
    if options.contains_key("s3.access-key") != options.contains_key("s3.secret-key") {
        return Err(invalid("set both 's3.access-key' and 's3.secret-key', or neither"));
    }
    let key = "source.monitor-interval";
    match options.get(key) {
        Some(text) if value::duration(key, text)?.is_zero() => Err(invalid(format!(
            "option '{key}' must be longer than zero; leave it out to read once"
        ))),
        _ => Ok(()),
    }
}
