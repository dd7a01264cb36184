//! Options that have no value before a job is started in an environment.

use std::collections::BTreeMap;

use tidegate_connector_spec::{OptionKind, connector};

/// Whether a value of an option stands for that of an environment: `${name}`, with anything between the braces.
pub fn is_placeholder(value: &str) -> bool {
    let name = value.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && !name.contains(['{', '}']))
}

/// The options with a value that fits in the place of every placeholder, so that all others can be checked.
pub(crate) fn with_samples(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let name = options.get("connector").map(String::as_str).unwrap_or_default();
    let sampled = options.iter().map(|(key, value)| {
        // What they are is part of the definition.
        let fixed = key == "connector" || key == "format" || key.ends_with(".format");
        let value = match is_placeholder(value) && !fixed {
            true => sample(name, key),
            false => value.clone(),
        };
        (key.clone(), value)
    });
    sampled.collect()
}

fn sample(name: &str, key: &str) -> String {
    match (name, key) {
        ("jdbc", "url") => return "jdbc:postgresql://host/database".to_owned(),
        (_, "url" | "hosts" | "endpoint") => return "http://host:80".to_owned(),
        _ => {}
    }
    let options = connector(name).map(|spec| spec.options).unwrap_or_default();
    let kind = options.iter().find(|option| option.key == key).map(|option| option.kind);
    match kind.unwrap_or(OptionKind::Text) {
        OptionKind::Text | OptionKind::List => "value".to_owned(),
        OptionKind::Integer { min, .. } => min.max(1).to_string(),
        OptionKind::Float { min, .. } => min.to_string(),
        OptionKind::Boolean => "true".to_owned(),
        OptionKind::Duration => "1 s".to_owned(),
        OptionKind::MemorySize => "1 mb".to_owned(),
        OptionKind::Enum(words) => words.first().copied().unwrap_or_default().to_owned(),
        OptionKind::Map => "key:value".to_owned(),
        OptionKind::Character => ",".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_whole_values_with_a_name() {
        for text in ["${topic}", " ${secret:orders/password} "] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["", "${}", "$topic", "${a}-${b}", "prefix ${a}"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn only_placeholders_get_samples_and_the_rest_is_still_checked() {
        let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let given = pairs(&[
            ("connector", "jdbc"),
            ("url", "${url}"),
            ("table-name", "${table}"),
            ("scan.fetch-size", "${rows}"),
        ]);
        let role = tidegate_connector_spec::Role::Source;
        tidegate_connector_spec::validate(&with_samples(&given), role).unwrap();
        let wrong = pairs(&[("connector", "jdbc"), ("url", "${url}"), ("tabel-name", "${table}")]);
        let error = tidegate_connector_spec::validate(&with_samples(&wrong), role).unwrap_err();
        assert!(error.to_string().contains("did you mean 'table-name'"), "{error}");
    }
}
