//! What holds for every type of data source, and what single types make of their parameters.

mod checks;
mod docs;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::spec::OptionKind;

pub(super) type Values = BTreeMap<String, String>;

pub(super) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn spec(name: &str) -> &'static DataSourceSpec {
    data_source(name).unwrap_or_else(|| panic!("there is no type '{name}'"))
}

/// The least that a data source of a type needs.
pub(super) fn least(name: &str) -> Values {
    const HOST: (&str, &str) = ("host", "db.example");
    values(match name {
        "kafka" => &[("bootstrap-servers", "kafka1.example:9092,kafka2.example:9092")],
        "oracle" => &[HOST, ("service-name", "SHOP"), ("username", "me"), ("password", "canary")],
        "mysql" => &[HOST, ("database", "shop"), ("username", "me"), ("password", "canary")],
        "postgresql" | "greenplum" => &[HOST, ("database", "shop"), ("username", "me")],
        "hive" | "ftp" | "redis" => &[HOST],
        "hbase" => &[("rest-url", "http://hbase.example:8080")],
        "elasticsearch" => &[("hosts", "https://es1.example:9200")],
        "s3" => &[("bucket", "lake"), ("access-key", "AK"), ("secret-key", "canary")],
        "files" => &[("folder", "/data/shared")],
        "http" => &[("base-url", "https://api.example/v1")],
        other => panic!("what does '{other}' need?"),
    })
}

#[test]
fn c1_every_type_of_the_manual_is_there_and_more() {
    let names: BTreeSet<&str> = data_sources().iter().map(|spec| spec.name).collect();
    for name in [
        "oracle",
        "mysql",
        "hive",
        "hbase",
        "elasticsearch",
        "ftp",
        "s3",
        "kafka",
        "redis",
        "http",
        "greenplum",
        "postgresql",
        "files",
    ] {
        assert!(names.contains(name), "{name}");
    }
    assert_eq!(names.len(), data_sources().len(), "a name is there twice");
    assert!(data_sources().is_sorted_by_key(|spec| spec.category));
}

#[test]
fn c1_every_text_is_there_in_both_languages() {
    for spec in data_sources() {
        let mut texts =
            vec![spec.title, spec.summary, spec.tested, spec.category.title(), spec.table.title()];
        texts.extend(spec.database);
        texts.extend(spec.creation.iter().map(|option| option.help));
        for parameter in spec.parameters {
            texts.extend([parameter.label, parameter.help]);
            assert!(parameter.help.en.ends_with('.'), "{}: {}", spec.name, parameter.name);
            assert!(parameter.help.zh.ends_with('。'), "{}: {}", spec.name, parameter.name);
        }
        for text in texts {
            assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}: {text:?}", spec.name);
            assert!(text.en.is_ascii(), "{}: {text:?}", spec.name);
        }
    }
}

#[test]
fn parameters_are_consistent() {
    for spec in data_sources() {
        for (at, parameter) in spec.parameters.iter().enumerate() {
            let place = format!("{}: {}", spec.name, parameter.name);
            let earlier = &spec.parameters[..at];
            assert!(earlier.iter().all(|other| other.name != parameter.name), "{place} is twice");
            let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(parameter.name.bytes().all(kebab), "{place}");
            if let Some(default) = parameter.default {
                let set = values(&[(parameter.name, default)]);
                let fault = |violation: &ParameterViolation| {
                    violation.field == parameter.name && !violation.message.contains("only where")
                };
                assert!(!check(spec, &set).iter().any(fault), "{place}: its default");
                assert!(!parameter.secret, "{place}: a secret has no default");
            }
            if let Some(when) = parameter.when {
                let other = earlier.iter().find(|other| other.name == when.parameter);
                let other = other.unwrap_or_else(|| panic!("{place}: depends on a later one"));
                for value in when.values {
                    let fits = match other.kind {
                        OptionKind::Enum(words) => words.contains(value),
                        OptionKind::Boolean => ["true", "false"].contains(value),
                        _ => false,
                    };
                    assert!(fits, "{place}: '{value}' is nothing that {} can be", other.name);
                }
            }
            if parameter.secret {
                assert_eq!(parameter.kind, OptionKind::Text, "{place}: messages show other kinds");
            }
        }
        for name in spec.connectors {
            assert!(crate::connector(name).is_some(), "{}: {name}", spec.name);
        }
    }
}

#[test]
fn what_sounds_secret_is_secret_and_nothing_else() {
    for spec in data_sources() {
        for parameter in spec.parameters {
            let name = parameter.name;
            let sounds = ["password", "secret-key", "token", "api-key", "client-key"];
            let secret = sounds.contains(&name) || name.ends_with("-password");
            assert_eq!(parameter.secret, secret, "{}: {name}", spec.name);
        }
    }
}

#[test]
fn secrets_are_parted_and_what_is_unknown_goes_with_them() {
    let all = values(&[
        ("bootstrap-servers", "a:1"),
        ("sasl-password", "canary"),
        ("sasl-pasword", "canary too"),
    ]);
    let (public, secret) = split_secrets(spec("kafka"), all);
    assert_eq!(public.keys().collect::<Vec<_>>(), ["bootstrap-servers"]);
    assert_eq!(secret.keys().collect::<Vec<_>>(), ["sasl-password", "sasl-pasword"]);
}

#[test]
fn e4_kafka_has_exactly_insert_and_select_and_no_columns() {
    let kafka = spec("kafka");
    assert_eq!(kafka.permissions, [Permission::Insert, Permission::Select]);
    assert!(!kafka.column_grants && kafka.database.is_none());
    for spec in data_sources() {
        assert!(spec.permissions.contains(&Permission::Select), "{}", spec.name);
        if spec.category == Category::Relational {
            assert_eq!(spec.permissions.len(), 4, "{}", spec.name);
        }
    }
}

#[test]
fn values_are_read_with_their_defaults_and_conditions() {
    let given =
        values(&[("host", " h "), ("cluster", "TRUE"), ("database", "3"), ("password", "")]);
    let parameters = Parameters::new(spec("redis"), &given);
    assert_eq!(parameters.text("host"), Some("h"));
    assert_eq!(parameters.port().unwrap(), 6379);
    assert!(parameters.boolean("cluster"));
    assert_eq!(parameters.text("database"), None, "a cluster has no numbered databases");
    assert_eq!(parameters.text("password"), None);
    assert!(parameters.required("password").unwrap_err().to_string().contains("'password'"));
}
