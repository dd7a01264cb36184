//! Types of fields in the mapping of an index of Elasticsearch or OpenSearch.

use serde_json::Value;
use tidegate_types::{Field, TimeAttribute, TypeKind};

use super::Description;

/// Deepest object in an object that is looked at.
const DEEPEST: usize = 20;

/// The columns of an index: its top fields in the order of their names, objects as rows.
pub(crate) fn describe(properties: &Value) -> Description {
    let mut found = Description::default();
    let fields = properties.as_object().into_iter().flatten().take(super::MAX_COLUMNS);
    for (name, field) in fields {
        let native = native(field);
        let ty = kind(field, 0).map(TypeKind::nullable);
        found.add(name, &native, ty, None, false);
    }
    found
}

fn native(field: &Value) -> String {
    let object = if field["properties"].is_object() { "object" } else { "?" };
    field["type"].as_str().unwrap_or(object).to_owned()
}

fn kind(field: &Value, depth: usize) -> Result<TypeKind, String> {
    if depth > DEEPEST {
        return Err("objects lie too deep within each other".to_owned());
    }
    let name = native(field);
    Ok(match name.as_str() {
        "boolean" => TypeKind::Boolean,
        "byte" => TypeKind::TinyInt,
        "short" => TypeKind::SmallInt,
        "integer" => TypeKind::Int,
        "long" => TypeKind::BigInt,
        "unsigned_long" => TypeKind::Decimal { precision: 20, scale: 0 },
        "float" | "half_float" => TypeKind::Float,
        "double" | "scaled_float" => TypeKind::Double,
        "date" => TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None },
        "date_nanos" => TypeKind::TimestampLtz { precision: 9, attribute: TimeAttribute::None },
        "keyword" | "text" | "wildcard" | "constant_keyword" | "match_only_text" | "ip"
        | "version" | "search_as_you_type" | "completion" => TypeKind::STRING,
        "binary" => TypeKind::BYTES,
        "object" => row(field, depth)?,
        "nested" => TypeKind::Array(Box::new(row(field, depth)?.nullable())),
        "flattened" | "flat_object" => {
            let text = Box::new(TypeKind::STRING.nullable());
            TypeKind::Map(Box::new(TypeKind::STRING.not_null()), text)
        }
        other => return Err(format!("there is no type for '{other}'")),
    })
}

fn row(field: &Value, depth: usize) -> Result<TypeKind, String> {
    let properties = field["properties"].as_object().filter(|all| !all.is_empty());
    let Some(properties) = properties else {
        return Err("the mapping says nothing of what is in the object".to_owned());
    };
    let mut fields = Vec::new();
    for (name, inner) in properties {
        let inner = kind(inner, depth + 1).map_err(|why| format!("{name}: {why}"))?;
        fields.push(Field::new(name, inner.nullable()));
    }
    Ok(TypeKind::Row(fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_become_columns_and_what_has_no_type_is_named() {
        let found = describe(&json!({
            "at": { "type": "date" },
            "user": { "properties": { "id": { "type": "long" }, "name": { "type": "keyword" } } },
            "items": { "type": "nested", "properties": { "n": { "type": "short" } } },
            "place": { "type": "geo_point" },
            "empty": { "type": "object" },
        }));
        let columns: Vec<String> =
            found.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
        let expected = [
            "at TIMESTAMP_LTZ(3)",
            "items ARRAY<ROW<`n` SMALLINT>>",
            "user ROW<`id` BIGINT, `name` STRING>",
        ];
        assert_eq!(columns, expected);
        let unmapped: Vec<&str> = found.unmapped.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(unmapped, ["empty", "place"]);
    }
}
