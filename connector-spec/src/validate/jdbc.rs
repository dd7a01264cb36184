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
    check_parts(options)?;
    check_cache(options)
}

fn check_parts(options: &Values) -> Result<()> {
    const PARTS: [&str; 4] = ["column", "num", "lower-bound", "upper-bound"];
    let key = |part: &str| format!("scan.partition.{part}");
    let (set, missing): (Vec<&str>, Vec<&str>) =
        PARTS.iter().partition(|part| options.contains_key(&key(part)));
    if let (Some(set), Some(missing)) = (set.first(), missing.first()) {
        return Err(invalid(format!("option '{}' needs '{}' too", key(set), key(missing))));
    }
    let bound = |part: &str| {
        let key = key(part);
        options.get(&key).map(|text| value::integer(&key, text)).transpose()
    };
    let (lower, upper) = (bound("lower-bound")?, bound("upper-bound")?);
    if lower > upper {
        let [.., lower, upper] = PARTS;
        return Err(invalid(format!("option '{}' is greater than '{}'", key(lower), key(upper))));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use tidegate_types::{Error, ErrorCode};

    use super::*;
    use crate::{Role, validate};

    fn checked(more: &[(&str, &str)], role: Role) -> Result<()> {
        let own =
            [("connector", "jdbc"), ("url", "jdbc:mysql://me:secret@db/shop"), ("table-name", "t")];
        let pairs = own.iter().chain(more).map(|(key, text)| (key.to_string(), text.to_string()));
        validate(&pairs.collect(), role)
    }

    fn refused(more: &[(&str, &str)], role: Role) -> Error {
        let error = checked(more, role).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        error
    }

    #[test]
    fn options_as_flink_takes_them() {
        let all = [
            ("driver", "com.mysql.cj.jdbc.Driver"),
            ("compatible-mode", "MySQL"),
            ("username", "me"),
            ("password", "secret"),
            ("connection.max-retry-timeout", "5 s"),
            ("scan.partition.column", "id"),
            ("scan.partition.num", "4"),
            ("scan.partition.lower-bound", "-10"),
            ("scan.partition.upper-bound", "10"),
            ("scan.fetch-size", "100"),
            ("scan.auto-commit", "false"),
            ("filter.handling.policy", "never"),
            ("lookup.cache", "partial"),
            ("lookup.max-retries", "0"),
            ("lookup.partial-cache.max-rows", "10"),
            ("lookup.partial-cache.expire-after-write", "1 min"),
            ("lookup.partial-cache.expire-after-access", "1 min"),
            ("lookup.partial-cache.cache-missing-key", "false"),
            ("lookup.cache.caching-missing-key", "false"),
            ("sink.buffer-flush.max-rows", "0"),
            ("sink.buffer-flush.interval", "0"),
            ("sink.max-retries", "1"),
            ("sink.parallelism", "2"),
        ];
        checked(&all, Role::Source).unwrap();
        checked(&[("lookup.cache.max-rows", "1"), ("lookup.cache.ttl", "1 s")], Role::Source)
            .unwrap();
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (more, named) in [
            (&[("scan.partition.column", "id")][..], "scan.partition.num"),
            (&[("lookup.cache.ttl", "1 s")], "lookup.cache.max-rows"),
            (&[("password", "secret")], "username"),
            (&[("connection.max-retry-timeout", "10 ms")], "10 ms"),
            (&[("lookup.cache", "LRU")], "lookup.cache"),
            (&[("lookup.async", "true")], "lookup.async"),
            (
                &[
                    ("scan.partition.column", "id"),
                    ("scan.partition.num", "1"),
                    ("scan.partition.lower-bound", "2"),
                    ("scan.partition.upper-bound", "1"),
                ],
                "scan.partition.lower-bound",
            ),
        ] {
            let error = refused(more, Role::Source);
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(error.code(), ErrorCode::InvalidOption);
        }
        let error = refused(&[], Role::Sink).to_string();
        assert!(
            error.contains("'jdbc' cannot be written to") && error.contains("kafka"),
            "{error}"
        );
    }
}
