//! What must hold between several options of a table in a database.

use std::time::Duration;

use tidegate_types::Result;

use super::{Values, invalid};
use crate::value;

/// Checks a table's options as a whole.
pub(super) fn check(options: &Values) -> Result<()> {
    let url = options.get("url").map_or("", |url| url.trim());
    let known = ["jdbc:postgresql://", "jdbc:mysql://", "jdbc:mariadb://"];
    if !known.iter().any(|prefix| url.starts_with(prefix)) {
        // Not the URL itself: a password may be in it.
        return Err(invalid("option 'url' is not of a known database")
            .help(format!("it begins with {}, then comes host:port/database", known.join(", "))));
    }
    if options.get("table-name").is_some_and(|name| name.trim().is_empty()) {
        return Err(invalid("option 'table-name' is empty"));
    }
    if options.contains_key("password") && !options.contains_key("username") {
        return Err(invalid("'password' needs the option 'username'"));
    }
    const WAIT: &str = "connection.max-retry-timeout";
    if let Some(text) = options.get(WAIT)
        && value::duration(WAIT, text)? < Duration::from_secs(1)
    {
        return Err(invalid(format!("option '{WAIT}': '{text}' is less than a second")));
    }
    check_cache(options)
}

fn check_cache(options: &Values) -> Result<()> {
    const OLD: [&str; 2] = ["lookup.cache.max-rows", "lookup.cache.ttl"];
    let old = OLD.map(|key| options.contains_key(key));
    if old[0] != old[1] {
        return Err(invalid(format!("set '{}' and '{}' both or neither", OLD[0], OLD[1])));
    }
    let cache = options.get("lookup.cache").map(|text| text.to_ascii_uppercase());
    if old[0] && cache.as_deref().is_some_and(|cache| cache != "PARTIAL") {
        return Err(invalid(format!("'{}' is for 'lookup.cache' = 'PARTIAL'", OLD[0])));
    }
    Ok(())
}
