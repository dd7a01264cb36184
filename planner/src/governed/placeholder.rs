//! Options that have no value before a job is started in an environment.

use std::collections::BTreeMap;

use tidegate_connector_spec::{OptionKind, Required, connector};

/// Whether a value of an option stands for that of an environment: `${name}`, with anything between the braces.
pub fn is_placeholder(value: &str) -> bool {
    let name = value.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && !name.contains(['{', '}']))
}

/// The options with a value that fits in the place of every placeholder, and of what the connector cannot do without, so
/// that all others can be checked.
pub(crate) fn with_samples(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let name = options.get("connector").map(String::as_str).unwrap_or_default();
    let specs = connector(name).map(|spec| spec.options).unwrap_or_default();
    let required = specs.iter().filter(|option| option.required != Required::No);
    let required = required.filter(|option| !is_said(options, option.key));
    let required = required.map(|option| (option.key.to_owned(), sample(name, option.key)));
    let sampled = options.iter().map(|(key, value)| {
        let value = match is_placeholder(value) && !is_fixed(key) {
            true => sample(name, key),
            false => value.clone(),
        };
        (key.clone(), value)
    });
    required.chain(sampled).collect()
}

/// Whether an option is there, or cannot be left out; of topics there is a name or a pattern.
fn is_said(options: &BTreeMap<String, String>, key: &str) -> bool {
    let pattern = key == "topic" && options.contains_key("topic-pattern");
    pattern || options.contains_key(key) || is_fixed(key)
}

/// Whether an option is part of the definition, wherever the table is.
fn is_fixed(key: &str) -> bool {
    key == "connector" || key == "format" || key.ends_with(".format")
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
    fn what_the_connector_cannot_do_without_may_be_left_out() {
        use tidegate_connector_spec::{Role, validate};
        type Case = (&'static str, &'static [(&'static str, &'static str)], Role);
        let cases: [Case; 4] = [
            (
                "kafka",
                &[("format", "json"), ("scan.startup.mode", "earliest-offset")],
                Role::Source,
            ),
            ("kafka", &[("format", "json")], Role::Sink),
            ("jdbc", &[], Role::Source),
            ("filesystem", &[("format", "csv")], Role::Source),
        ];
        for (connector, own, role) in cases {
            let own = own.iter().copied().chain([("connector", connector)]);
            let options = own.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            validate(&with_samples(&options), role).unwrap_or_else(|e| panic!("{connector}: {e}"));
        }
        let bare = BTreeMap::from([("connector".to_owned(), "filesystem".to_owned())]);
        assert!(
            validate(&with_samples(&bare), Role::Source).is_err(),
            "a format is no environment's"
        );
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
