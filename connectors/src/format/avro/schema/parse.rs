//! Schemas from JSON.

use hashbrown::HashMap;
use serde_json::{Map, Value};

use super::{Decimal, IntMeaning, LongMeaning, Node, NodeId, RecordField, Schema};

/// Most types of a schema.
const MAX_NODES: usize = 100_000;
/// Largest value of a `fixed`, in bytes.
const MAX_FIXED: u64 = 1 << 24;

pub(super) fn parse(text: &str) -> Result<Schema, String> {
    // A primitive type may stand without quotes around, as registries give it.
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => match text.trim() {
            name if name.bytes().all(|byte| byte.is_ascii_lowercase()) && !name.is_empty() => {
                Value::String(name.to_owned())
            }
            _ => return Err(format!("it is no JSON: {error}")),
        },
    };
    let mut parser =
        Parser { schema: Schema { nodes: Vec::new(), root: 0 }, names: HashMap::new() };
    parser.schema.root = parser.node(&value, "")?;
    Ok(parser.schema)
}

struct Parser {
    schema: Schema,
    /// Named types by their full names.
    names: HashMap<String, NodeId>,
}

impl Parser {
    fn node(&mut self, value: &Value, namespace: &str) -> Result<NodeId, String> {
        if self.schema.nodes.len() >= MAX_NODES {
            return Err(format!("it has more than {MAX_NODES} types"));
        }
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let nodes = branches.iter().map(|branch| self.node(branch, namespace));
                let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
                if nodes.iter().any(|node| matches!(self.schema.node(*node), Node::Union(_))) {
                    return Err("a union is directly in a union".to_owned());
                }
                Ok(self.schema.add(Node::Union(nodes)))
            }
            Value::Object(object) => self.object(object, namespace),
            other => Err(format!("{other} is no type")),
        }
    }

    /// A primitive type, or one that was defined before.
    fn named(&mut self, name: &str, namespace: &str) -> Result<NodeId, String> {
        if let Some(node) = primitive(name) {
            return Ok(self.schema.add(node));
        }
        let full = full_name(name, namespace);
        let known = self.names.get(&full).or_else(|| self.names.get(name));
        known.copied().ok_or_else(|| format!("there is no type '{full}'"))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId, String> {
        let Some(ty) = object.get("type") else { return Err("a type has no 'type'".to_owned()) };
        let Value::String(ty) = ty else { return self.node(ty, namespace) };
        let inner =
            |key: &str| object.get(key).ok_or_else(|| format!("a type '{ty}' has no '{key}'"));
        match ty.as_str() {
            "array" => {
                let items = self.node(inner("items")?, namespace)?;
                Ok(self.schema.add(Node::Array(items)))
            }
            "map" => {
                let values = self.node(inner("values")?, namespace)?;
                Ok(self.schema.add(Node::Map(values)))
            }
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let (name, _) = name_of(object, namespace)?;
                let symbols = inner("symbols")?.as_array().map(Vec::as_slice).unwrap_or_default();
                let symbols = symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                let id = self.schema.add(Node::Enum { name: name.clone(), symbols });
                self.define(name, object, id)
            }
            "fixed" => {
                let (name, _) = name_of(object, namespace)?;
                let size = inner("size")?.as_u64().filter(|size| *size <= MAX_FIXED);
                let size = size.ok_or_else(|| format!("the size of '{name}' is no length"))?;
                let decimal = decimal(object);
                let node = Node::Fixed { name: name.clone(), size: size as usize, decimal };
                let id = self.schema.add(node);
                self.define(name, object, id)
            }
            _ => {
                let id = self.named(ty, namespace)?;
                let meant = match (self.schema.node(id), object.get("logicalType")) {
                    (_, None) => return Ok(id),
                    (Node::Int(_), Some(logical)) => Node::Int(int_meaning(logical)),
                    (Node::Long(_), Some(logical)) => Node::Long(long_meaning(logical)),
                    (Node::Bytes(_), Some(_)) => Node::Bytes(decimal(object)),
                    // A logical type that is not known means nothing.
                    _ => return Ok(id),
                };
                Ok(self.schema.add(meant))
            }
        }
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId, String> {
        let (name, namespace) = name_of(object, namespace)?;
        // The fields may hold the record.
        let id = self.schema.add(Node::Record { name: name.clone(), fields: Vec::new() });
        self.define(name.clone(), object, id)?;
        let all = object.get("fields").and_then(Value::as_array);
        let all = all.ok_or_else(|| format!("record '{name}' has no 'fields'"))?;
        let mut fields: Vec<RecordField> = Vec::with_capacity(all.len());
        for field in all {
            let field_name = field.get("name").and_then(Value::as_str);
            let field_name =
                field_name.ok_or_else(|| format!("a field of record '{name}' has no name"))?;
            let ty = field.get("type");
            let ty = ty.ok_or_else(|| format!("field '{field_name}' of '{name}' has no type"))?;
            let node = self
                .node(ty, &namespace)
                .map_err(|error| format!("field '{field_name}' of '{name}': {error}"))?;
            if fields.iter().any(|known| known.name == field_name) {
                return Err(format!("record '{name}' has two fields '{field_name}'"));
            }
            fields.push(RecordField {
                name: field_name.to_owned(),
                aliases: texts(field.get("aliases")),
                node,
                default: field.get("default").cloned(),
            });
        }
        if let Some(slot) = self.schema.nodes.get_mut(id) {
            *slot = Node::Record { name, fields };
        }
        Ok(id)
    }

    fn define(
        &mut self,
        name: String,
        object: &Map<String, Value>,
        id: NodeId,
    ) -> Result<NodeId, String> {
        let namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        for alias in texts(object.get("aliases")) {
            self.names.insert(full_name(&alias, &namespace), id);
        }
        match self.names.insert(name.clone(), id) {
            None => Ok(id),
            Some(_) => Err(format!("type '{name}' is defined twice")),
        }
    }
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int(IntMeaning::Number),
        "long" => Node::Long(LongMeaning::Number),
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes(None),
        "string" => Node::String,
        _ => return None,
    })
}

fn int_meaning(logical: &Value) -> IntMeaning {
    match logical.as_str() {
        Some("date") => IntMeaning::Date,
        Some("time-millis") => IntMeaning::TimeMillis,
        _ => IntMeaning::Number,
    }
}

fn long_meaning(logical: &Value) -> LongMeaning {
    let (per_second, local) = match logical.as_str() {
        Some("time-micros") => return LongMeaning::TimeMicros,
        Some("timestamp-millis") => (1_000, false),
        Some("timestamp-micros") => (1_000_000, false),
        Some("timestamp-nanos") => (1_000_000_000, false),
        Some("local-timestamp-millis") => (1_000, true),
        Some("local-timestamp-micros") => (1_000_000, true),
        Some("local-timestamp-nanos") => (1_000_000_000, true),
        _ => return LongMeaning::Number,
    };
    LongMeaning::Timestamp { per_second, local }
}

/// A decimal that is properly described; else the bytes are only bytes, as Avro says.
fn decimal(object: &Map<String, Value>) -> Option<Decimal> {
    if object.get("logicalType").and_then(Value::as_str) != Some("decimal") {
        return None;
    }
    let number = |key: &str| object.get(key).and_then(Value::as_u64).map(u32::try_from);
    let precision = number("precision")?.ok().filter(|precision| *precision > 0)?;
    let scale = number("scale").unwrap_or(Ok(0)).ok().filter(|scale| *scale <= precision)?;
    Some(Decimal { precision, scale })
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let all = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The full name of a type, and the namespace that holds inside of it.
fn name_of(object: &Map<String, Value>, namespace: &str) -> Result<(String, String), String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| "a record, enum or fixed has no name".to_owned())?;
    let full = full_name(name, text("namespace").unwrap_or(namespace));
    let inside = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
    Ok((full, inside))
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        return name.to_owned();
    }
    format!("{namespace}.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_their_namespaces() {
        let schema = parse(
            r#"{"type":"record","name":"a.b.R","fields":[
                {"name":"x","type":{"type":"enum","name":"E","symbols":["A","B"]}},
                {"name":"y","type":["null","E"],"default":null},
                {"name":"z","type":["null","a.b.R"],"default":null},
                {"name":"f","type":{"type":"fixed","name":"c.F","size":4}},
                {"name":"g","type":{"type":"c.F"}}]}"#,
        )
        .unwrap();
        let Node::Record { name, fields } = schema.node(schema.root()) else { panic!("a record") };
        assert_eq!(name, "a.b.R");
        let (branches, null) = schema.nullable(fields[1].node);
        assert_eq!((branches[0].1, null), (fields[0].node, Some(0)));
        assert_eq!(schema.nullable(fields[2].node).0[0].1, schema.root());
        assert_eq!(fields[4].node, fields[3].node);
        assert_eq!(schema.type_name(fields[0].node), "a.b.E");
    }

    #[test]
    fn logical_types_are_taken_where_they_fit() {
        let node = |text: &str| {
            let schema = parse(text).unwrap();
            schema.node(schema.root()).clone()
        };
        assert_eq!(node(r#"{"type":"int","logicalType":"date"}"#), Node::Int(IntMeaning::Date));
        assert_eq!(node(r#"{"type":"string","logicalType":"uuid"}"#), Node::String);
        assert_eq!(
            node(r#"{"type":"long","logicalType":"local-timestamp-micros"}"#),
            Node::Long(LongMeaning::Timestamp { per_second: 1_000_000, local: true })
        );
        let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
        assert_eq!(node(decimal), Node::Bytes(Some(Decimal { precision: 9, scale: 2 })));
        assert_eq!(node(r#"{"type":"bytes","logicalType":"decimal"}"#), Node::Bytes(None));
        assert_eq!(node("string"), Node::String);
        assert_eq!(node(r#"{"type":{"type":"string"}}"#), Node::String);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, message) in [
            ("{", "no JSON"),
            ("7", "no type"),
            (r#""nope""#, "there is no type 'nope'"),
            (r#"{"type":"record","name":"r"}"#, "has no 'fields'"),
            (
                r#"{"type":"record","name":"r","fields":[{"name":"x","type":"y"}]}"#,
                "field 'x' of 'r'",
            ),
            (r#"{"type":"record","fields":[]}"#, "has no name"),
            (r#"{"type":"array"}"#, "has no 'items'"),
            (r#"{"type":"fixed","name":"f","size":-1}"#, "no length"),
            (r#"["null",["int"]]"#, "directly in a union"),
            (
                r#"[{"type":"enum","name":"e","symbols":[]},{"type":"enum","name":"e","symbols":[]}]"#,
                "twice",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
