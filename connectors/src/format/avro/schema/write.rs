//! Schemas as JSON, in the order of keys that Java's Avro has.

use hashbrown::HashSet;
use serde_json::{Value, json};

use super::{Decimal, IntMeaning, LongMeaning, Node, NodeId, Schema};

pub(super) fn to_json(schema: &Schema) -> String {
    let mut out = String::new();
    Writer { schema, defined: HashSet::new() }.node(schema.root(), "", &mut out);
    out
}

struct Writer<'a> {
    schema: &'a Schema,
    /// Named types that stand in front already.
    defined: HashSet<NodeId>,
}

impl Writer<'_> {
    fn node(&mut self, id: NodeId, namespace: &str, out: &mut String) {
        let schema = self.schema;
        match schema.node(id) {
            Node::Int(IntMeaning::Number)
            | Node::Long(LongMeaning::Number)
            | Node::Bytes(None)
            | Node::Null
            | Node::Boolean
            | Node::Float
            | Node::Double
            | Node::String => quote(schema.type_name(id), out),
            Node::Int(meaning) => {
                let logical = if *meaning == IntMeaning::Date { "date" } else { "time-millis" };
                logical_type("int", logical, out);
            }
            Node::Long(meaning) => logical_type("long", long_name(*meaning), out),
            Node::Bytes(Some(decimal)) => {
                out.push_str("{\"type\":\"bytes\"");
                write_decimal(*decimal, out);
                out.push('}');
            }
            Node::Array(items) => {
                out.push_str("{\"type\":\"array\",\"items\":");
                self.node(*items, namespace, out);
                out.push('}');
            }
            Node::Map(values) => {
                out.push_str("{\"type\":\"map\",\"values\":");
                self.node(*values, namespace, out);
                out.push('}');
            }
            Node::Union(branches) => {
                out.push('[');
                for (index, branch) in branches.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    self.node(*branch, namespace, out);
                }
                out.push(']');
            }
            Node::Fixed { name, size, decimal } => {
                let Some(_) = self.begin(id, "fixed", name, namespace, out) else { return };
                out.push_str(&format!(",\"size\":{size}"));
                if let Some(decimal) = decimal {
                    write_decimal(*decimal, out);
                }
                out.push('}');
            }
            Node::Enum { name, symbols } => {
                let Some(_) = self.begin(id, "enum", name, namespace, out) else { return };
                out.push_str(",\"symbols\":");
                out.push_str(&json!(symbols).to_string());
                out.push('}');
            }
            Node::Record { name, fields } => {
                let Some(inside) = self.begin(id, "record", name, namespace, out) else { return };
                out.push_str(",\"fields\":[");
                for (index, field) in fields.iter().enumerate() {
                    out.push_str(if index > 0 { ",{\"name\":" } else { "{\"name\":" });
                    quote(&field.name, out);
                    out.push_str(",\"type\":");
                    self.node(field.node, inside, out);
                    if let Some(default) = &field.default {
                        out.push_str(",\"default\":");
                        out.push_str(&default.to_string());
                    }
                    if !field.aliases.is_empty() {
                        out.push_str(",\"aliases\":");
                        out.push_str(&json!(field.aliases).to_string());
                    }
                    out.push('}');
                }
                out.push_str("]}");
            }
        }
    }

    /// Begins the definition of a named type, or names it if it stands in front. Gives the namespace inside of it.
    fn begin<'n>(
        &mut self,
        id: NodeId,
        ty: &str,
        name: &'n str,
        namespace: &str,
        out: &mut String,
    ) -> Option<&'n str> {
        let (inside, short) = name.rsplit_once('.').unwrap_or(("", name));
        if !self.defined.insert(id) {
            quote(if inside == namespace { short } else { name }, out);
            return None;
        }
        out.push_str("{\"type\":");
        quote(ty, out);
        out.push_str(",\"name\":");
        quote(short, out);
        if inside != namespace {
            out.push_str(",\"namespace\":");
            quote(inside, out);
        }
        Some(inside)
    }
}

fn long_name(meaning: LongMeaning) -> &'static str {
    match meaning {
        LongMeaning::Number => "",
        LongMeaning::TimeMicros => "time-micros",
        LongMeaning::Timestamp { per_second: 1_000, local: false } => "timestamp-millis",
        LongMeaning::Timestamp { per_second: 1_000_000, local: false } => "timestamp-micros",
        LongMeaning::Timestamp { local: false, .. } => "timestamp-nanos",
        LongMeaning::Timestamp { per_second: 1_000, local: true } => "local-timestamp-millis",
        LongMeaning::Timestamp { per_second: 1_000_000, local: true } => "local-timestamp-micros",
        LongMeaning::Timestamp { local: true, .. } => "local-timestamp-nanos",
    }
}

fn logical_type(ty: &str, logical: &str, out: &mut String) {
    out.push_str("{\"type\":");
    quote(ty, out);
    out.push_str(",\"logicalType\":");
    quote(logical, out);
    out.push('}');
}

fn write_decimal(decimal: Decimal, out: &mut String) {
    let Decimal { precision, scale } = decimal;
    out.push_str(",\"logicalType\":\"decimal\"");
    out.push_str(&format!(",\"precision\":{precision},\"scale\":{scale}"));
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&Value::String(text.to_owned()).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = r#"{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"x","type":["null",{"type":"enum","name":"E","symbols":["A"]}],"default":null},{"name":"y","type":{"type":"array","items":"E"}},{"name":"z","type":{"type":"map","values":["null","R"]},"aliases":["old"]},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2},"default":"\u0001"},{"name":"t","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"f","type":{"type":"fixed","name":"F","namespace":"c","size":4}},{"name":"g","type":"c.F"}]}"#;
        let schema = Schema::parse(text).unwrap();
        assert_eq!(schema.to_json(), text);
        assert_eq!(Schema::parse(&schema.to_json()).unwrap(), schema);
    }
}
