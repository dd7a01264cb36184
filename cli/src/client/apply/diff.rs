//! What differs between what a file gives and what there is. Fields that a file does not give do not differ; lists and
//! maps that it gives are compared as wholes.

use std::collections::BTreeSet;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json};

/// Characters of a value that are shown at most.
const SHOWN: usize = 80;
/// What stands for a secret.
const HIDDEN: &str = "******";
/// Lists whose order counts; others are sets.
const ORDERED: [&str; 2] =
    ["tidegate.v1.TableDefinition.columns", "tidegate.v1.TableDefinition.primary_key"];
/// A key that has one of these words names a secret.
const SECRET_WORDS: [&str; 10] = [
    "password",
    "secret",
    "token",
    "apikey",
    "api-key",
    "access-key",
    "private-key",
    "auth-params",
    "jaas.config",
    "credentials",
];

/// A value that differs; as it is shown, which of a secret is not what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// Such as `definition.columns[url].type`.
    pub(super) path: String,
    /// None: it is not there.
    pub(super) before: Option<String>,
    /// None: it goes.
    pub(super) after: Option<String>,
}

/// What differs, by field.
pub(super) fn differences(
    kind: &MessageDescriptor,
    given: &Map<String, Json>,
    there: &Json,
) -> Vec<Difference> {
    let mut found = Vec::new();
    message(&mut found, "", kind, given, there);
    found
}

fn message(
    found: &mut Vec<Difference>,
    prefix: &str,
    kind: &MessageDescriptor,
    given: &Map<String, Json>,
    there: &Json,
) {
    for field in kind.fields() {
        let Some(value) = given.get(field.json_name()) else { continue };
        let path = format!("{prefix}{}", field.name());
        self::field(
            found,
            &path,
            &field,
            value,
            there.get(field.json_name()).unwrap_or(&Json::Null),
        );
    }
}

fn field(
    found: &mut Vec<Difference>,
    path: &str,
    field: &FieldDescriptor,
    given: &Json,
    there: &Json,
) {
    match (field.kind(), given) {
        (_, Json::Object(given)) if field.is_map() => map(found, path, given, there),
        (Kind::Message(kind), Json::Object(given)) => {
            message(found, &format!("{path}."), &kind, given, there);
        }
        (kind, Json::Array(given)) => {
            let there = there.as_array().map(Vec::as_slice).unwrap_or_default();
            let ordered = ORDERED.contains(&field.full_name());
            list(found, path, &kind, given, there, ordered);
        }
        (Kind::Message(_), Json::Null) if there.is_null() => {}
        (kind, given) if same(&kind, given, there) => {}
        (_, given) => push(found, path, value(there), value(given)),
    }
}

/// Values by default are not there in an inner message that is not set.
fn same(kind: &Kind, given: &Json, there: &Json) -> bool {
    let default = || match kind {
        Kind::String => given.as_str() == Some(""),
        Kind::Bool => given.as_bool() == Some(false),
        Kind::Enum(kind) => given.as_str() == Some(kind.default_value().name()),
        _ => given.as_f64() == Some(0.0),
    };
    given == there || (there.is_null() && default())
}

fn map(found: &mut Vec<Difference>, path: &str, given: &Map<String, Json>, there: &Json) {
    let nothing = Map::new();
    let there = there.as_object().unwrap_or(&nothing);
    let keys: BTreeSet<&String> = given.keys().chain(there.keys()).collect();
    for key in keys {
        let (before, after) = (there.get(key), given.get(key));
        if before != after {
            let shown = |value: Option<&Json>| {
                let value = value.and_then(self::value)?;
                Some(if is_secret(key) { HIDDEN.to_owned() } else { value })
            };
            push(found, &format!("{path}.{key}"), shown(before), shown(after));
        }
    }
}

fn list(
    found: &mut Vec<Difference>,
    path: &str,
    kind: &Kind,
    given: &[Json],
    there: &[Json],
    ordered: bool,
) {
    let sorted = |list: &[Json]| {
        let mut texts: Vec<String> = list.iter().map(Json::to_string).collect();
        if !ordered {
            texts.sort();
            texts.dedup();
        }
        texts
    };
    if sorted(given) == sorted(there) {
        return;
    }
    let name = |item: &Json| item["name"].as_str().map(str::to_owned);
    let names = |list: &[Json]| list.iter().map(name).collect::<Option<Vec<String>>>();
    let (Kind::Message(kind), Some(before), Some(after)) = (kind, names(there), names(given))
    else {
        let whole = |list: &[Json]| {
            let texts = list.iter().map(|item| value(item).unwrap_or_default());
            Some(shortened(&format!("[{}]", texts.collect::<Vec<_>>().join(", "))))
        };
        let before = if there.is_empty() { None } else { whole(there) };
        push(found, path, before, whole(given));
        return;
    };
    for (item, name) in there.iter().zip(&before).filter(|(_, name)| !after.contains(name)) {
        push(found, &format!("{path}[{name}]"), summary(item), None);
    }
    for (item, name) in given.iter().zip(&after) {
        let path = format!("{path}[{name}]");
        match there.iter().zip(&before).find(|(_, before)| *before == name) {
            Some((before, _)) => {
                let nothing = Map::new();
                let item = item.as_object().unwrap_or(&nothing);
                message(found, &format!("{path}."), kind, item, before);
            }
            None => push(found, &path, None, summary(item)),
        }
    }
    let kept = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|name| other.contains(name)).cloned().collect()
    };
    let (stay, stayed) = (kept(&before, &after), kept(&after, &before));
    if ordered && stay != stayed {
        let shown = |list: Vec<String>| Some(shortened(&list.join(", ")));
        push(found, &format!("{path} (order)"), shown(stay), shown(stayed));
    }
}

fn push(found: &mut Vec<Difference>, path: &str, before: Option<String>, after: Option<String>) {
    found.push(Difference { path: path.to_owned(), before, after });
}

/// Whether a key of a map names a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace('_', "-");
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// What is shown of an element: its fields that are set.
fn summary(item: &Json) -> Option<String> {
    let fields = item.as_object()?.iter().filter(|(key, _)| *key != "name");
    let set = fields.filter(|(_, value)| **value != Json::Bool(false));
    let texts: Vec<String> = set
        .filter_map(|(_, value)| self::value(value).filter(|text| text != "\"\""))
        .map(|text| text.trim_matches('"').to_owned())
        .collect();
    Some(shortened(&texts.join(" ")))
}

/// A value as it is shown.
fn value(json: &Json) -> Option<String> {
    match json {
        Json::Null => None,
        other => Some(shortened(&other.to_string())),
    }
}

fn shortened(text: &str) -> String {
    match text.chars().count() > SHOWN {
        true => text.chars().take(SHOWN - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// What there is with what is given over it.
pub(super) fn merged(kind: &MessageDescriptor, given: &Map<String, Json>, there: &Json) -> Json {
    let mut result = there.as_object().cloned().unwrap_or_default();
    for field in kind.fields() {
        let name = field.json_name();
        let Some(value) = given.get(name) else { continue };
        let value = match (field.kind(), value) {
            (Kind::Message(kind), Json::Object(given)) if !field.is_map() => {
                merged(&kind, given, result.get(name).unwrap_or(&Json::Null))
            }
            (_, value) => value.clone(),
        };
        result.insert(name.to_owned(), value);
    }
    Json::Object(result)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::apply::calls;

    fn table(given: &Json, there: &Json) -> Vec<String> {
        let kind = calls::message("Table").unwrap();
        let there = calls::whole(&calls::parsed(&kind, there).unwrap()).unwrap();
        let found = differences(&kind, given.as_object().unwrap(), &there);
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        found
            .into_iter()
            .map(|d| format!("{}: {} > {}", d.path, text(d.before), text(d.after)))
            .collect()
    }

    fn column(name: &str, ty: &str) -> Json {
        json!({"name": name, "type": ty, "comment": "", "expression": "", "metadata": "", "virtual": false})
    }

    #[test]
    fn only_what_is_given_differs() {
        let there = json!({
            "description": "a", "tags": ["x", "y"],
            "definition": {"columns": [column("a", "INT"), column("b", "INT")], "options": {"format": "json", "k": "1"}}
        });
        assert!(table(&json!({}), &there).is_empty());
        let same = json!({"description": "a", "tags": ["y", "x"], "definition": {"watermark": null, "primaryKey": []}});
        assert!(table(&same, &there).is_empty());
        let given = json!({
            "description": "b", "tags": [],
            "definition": {
                "columns": [column("b", "BIGINT"), column("a", "INT"), column("c", "STRING")],
                "watermark": {"column": "c"},
                "options": {"format": "json", "x.password": "s3cret"}
            }
        });
        assert_eq!(
            table(&given, &there),
            [
                "description: \"a\" > \"b\"",
                "tags: [\"x\", \"y\"] > []",
                "definition.columns[b].type: \"INT\" > \"BIGINT\"",
                "definition.columns[c]: - > STRING",
                "definition.columns (order): a, b > b, a",
                "definition.watermark.column: - > \"c\"",
                "definition.options.k: \"1\" > -",
                "definition.options.x.password: - > ******",
            ]
        );
    }

    #[test]
    fn what_is_given_goes_over_what_there_is() {
        let kind = calls::message("Table").unwrap();
        let there = json!({"definition": {"columns": [1], "options": {"a": "1"}, "watermark": {"column": "a"}}});
        let given = json!({"definition": {"options": {"b": "2"}, "watermark": null}});
        let merged = merged(&kind, given.as_object().unwrap(), &there);
        let wanted =
            json!({"definition": {"columns": [1], "options": {"b": "2"}, "watermark": null}});
        assert_eq!(merged, wanted);
    }
}
