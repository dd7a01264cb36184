//! Whether a setting is known and its value fits its kind.

use tidegate_types::quantity::{parse_duration, parse_memory_size};
use tidegate_types::{Error, ErrorCode, Result};

use super::registry::{SETTINGS, SettingKind, lookup};

/// Checks that a key is known and its value fits.
///
/// # Errors
/// `INVALID_OPTION` naming the key, with a suggestion for a misspelt one.
pub fn validate(key: &str, value: &str) -> Result<()> {
    let Some(spec) = lookup(key) else {
        let error = Error::new(ErrorCode::InvalidOption, format!("there is no setting '{key}'"));
        return Err(match nearest(key) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error,
        });
    };
    check(spec.kind, value).map_err(|error| error.context(format!("setting {key}")))
}

fn check(kind: SettingKind, value: &str) -> Result<()> {
    let wrong = |expected: String| {
        Err(Error::new(ErrorCode::InvalidOption, format!("'{value}' is not {expected}")))
    };
    match kind {
        SettingKind::Integer(min, max) => match value.trim().parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            _ => wrong(format!("an integer from {min} to {max}")),
        },
        SettingKind::Number => match value.trim().parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Ok(()),
            _ => wrong("a number of at least 0".to_owned()),
        },
        SettingKind::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "false" => Ok(()),
            _ => wrong("true or false".to_owned()),
        },
        SettingKind::Duration => parse_duration(value).map(drop),
        SettingKind::MemorySize => parse_memory_size(value).map(drop),
        SettingKind::OneOf(words) if words.contains(&value.to_ascii_lowercase().as_str()) => Ok(()),
        SettingKind::OneOf(words) => wrong(format!("one of {}", words.join(", "))),
        SettingKind::TimeZone | SettingKind::Text => Ok(()),
    }
}

/// The known key that shares most with a misspelt one, if it shares enough.
fn nearest(key: &str) -> Option<&'static str> {
    let pairs = |text: &str| -> Vec<(u8, u8)> {
        text.as_bytes().windows(2).map(|pair| (pair[0], pair[1])).collect()
    };
    let wanted = pairs(key);
    let score = |candidate: &str| {
        let have = pairs(candidate);
        let shared = wanted.iter().filter(|pair| have.contains(pair)).count();
        200 * shared / (wanted.len() + have.len()).max(1)
    };
    SETTINGS
        .iter()
        .map(|spec| (score(spec.key), spec.key))
        .max()
        .filter(|(score, _)| *score >= 60)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_its_defaults_are_valid() {
        assert!(SETTINGS.windows(2).all(|pair| pair[0].key < pair[1].key));
        for spec in SETTINGS.iter().filter(|spec| !spec.default.is_empty()) {
            check(spec.kind, spec.default).unwrap_or_else(|error| panic!("{}: {error}", spec.key));
        }
    }

    #[test]
    fn every_setting_is_in_the_documentation_with_its_default_and_no_other_is() {
        let page = include_str!("../../../docs/settings.md");
        let rows: Vec<Vec<&str>> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect())
            .collect();
        for spec in SETTINGS {
            let row = rows.iter().find(|row| row[0] == spec.key);
            let row = row.unwrap_or_else(|| panic!("{} is not documented", spec.key));
            let default = row.iter().rev().nth(1).copied().unwrap_or_default();
            let wanted = if spec.default.is_empty() { "—" } else { spec.default };
            assert_eq!(default, wanted, "{}", spec.key);
        }
        assert_eq!(rows.len(), SETTINGS.len());
    }

    #[test]
    fn a_misspelt_key_gets_a_suggestion() {
        let error = validate("execution.checkpoint.interval", "1 s").unwrap_err();
        assert!(error.to_string().contains("execution.checkpointing.interval"), "{error}");
        assert!(validate("zzz", "1").unwrap_err().help_text().is_none());
    }
}
