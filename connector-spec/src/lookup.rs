//! Finding an option by key, and the nearest name to a misspelt one.

use crate::spec::OptionSpec;

/// The option that describes `key`: an exact match first, then patterns.
pub(crate) fn find(options: &'static [OptionSpec], key: &str) -> Option<&'static OptionSpec> {
    let exact = options.iter().find(|spec| spec.key == key);
    exact.or_else(|| options.iter().find(|spec| matches_pattern(spec.key, key)))
}

/// Whether `key` is described by a pattern: `prefix.*`, or `before.#.after`.
fn matches_pattern(pattern: &str, key: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return key.len() > prefix.len() && key.starts_with(prefix);
    }
    let Some((before, after)) = pattern.split_once('#') else {
        return false;
    };
    let middle = key.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    middle.is_some_and(|name| !name.is_empty())
}

/// The candidate that `word` most resembles, if any does.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_need_a_name_where_the_mark_is() {
        assert!(matches_pattern("properties.*", "properties.acks"));
        assert!(!matches_pattern("properties.*", "properties."));
        assert!(matches_pattern("fields.#.min", "fields.a.b.min"));
        assert!(!matches_pattern("fields.#.min", "fields..min"));
        assert!(!matches_pattern("fields.#.min", "fields.min"));
    }

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["topic", "topic-pattern", "format"];
        assert_eq!(nearest("topics", names.into_iter()), Some("topic"));
        assert_eq!(nearest("frmat", names.into_iter()), Some("format"));
        assert_eq!(nearest("bootstrap", names.into_iter()), None);
    }
}
