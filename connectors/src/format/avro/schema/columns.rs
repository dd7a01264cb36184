//! From a schema to the columns of a table that reads its records.

use tidegate_types::{Field, SqlType, TimeAttribute, TypeKind};

use super::{IntMeaning, LongMeaning, Node, NodeId, Schema};

/// Deepest type in a type; schemas may hold themselves.
const DEEPEST: usize = 20;

/// A field's name, its type in Avro, and its type here, or why there is none.
pub(crate) type SchemaColumn = (String, String, Result<SqlType, String>);

impl Schema {
    /// The columns of its records; empty if it is not of a record.
    pub(crate) fn columns(&self) -> Vec<SchemaColumn> {
        let (branches, _) = self.nullable(self.root());
        let [(_, root)] = branches.as_slice() else { return Vec::new() };
        let Node::Record { fields, .. } = self.node(*root) else { return Vec::new() };
        let column = |name: &str, id| (name.to_owned(), self.native(id), self.sql_type(id, 0));
        fields.iter().map(|field| column(&field.name, field.node)).collect()
    }

    fn native(&self, id: NodeId) -> String {
        let Node::Union(branches) = self.node(id) else { return self.type_name(id).to_owned() };
        let names: Vec<&str> = branches.iter().map(|branch| self.type_name(*branch)).collect();
        format!("union of {}", names.join(", "))
    }

    fn sql_type(&self, id: NodeId, depth: usize) -> Result<SqlType, String> {
        if depth > DEEPEST {
            return Err("the type holds itself".to_owned());
        }
        let (branches, null) = self.nullable(id);
        let [(_, value)] = branches.as_slice() else {
            return Err("a union of several types is not read".to_owned());
        };
        let kind = self.kind(*value, depth)?;
        Ok(SqlType { kind, nullable: null.is_some() })
    }

    fn kind(&self, id: NodeId, depth: usize) -> Result<TypeKind, String> {
        let attribute = TimeAttribute::None;
        Ok(match self.node(id) {
            Node::Null => return Err("it is always null".to_owned()),
            Node::Boolean => TypeKind::Boolean,
            Node::Int(IntMeaning::Number) => TypeKind::Int,
            Node::Int(IntMeaning::Date) => TypeKind::Date,
            Node::Int(IntMeaning::TimeMillis) => TypeKind::Time { precision: 3 },
            Node::Long(LongMeaning::Number) => TypeKind::BigInt,
            Node::Long(LongMeaning::TimeMicros) => TypeKind::Time { precision: 6 },
            // Also where it is an instant: by default TIMESTAMP stands for both, as in Flink.
            Node::Long(LongMeaning::Timestamp { per_second, .. }) => {
                let precision = if *per_second == 1000 { 3 } else { 6 };
                TypeKind::Timestamp { precision, attribute }
            }
            Node::Float => TypeKind::Float,
            Node::Double => TypeKind::Double,
            Node::Bytes(Some(decimal)) | Node::Fixed { decimal: Some(decimal), .. } => {
                match (u8::try_from(decimal.precision), u8::try_from(decimal.scale)) {
                    (Ok(precision @ 1..=38), Ok(scale)) => TypeKind::Decimal { precision, scale },
                    _ => return Err("a DECIMAL has at most 38 digits".to_owned()),
                }
            }
            Node::Bytes(None) | Node::Fixed { decimal: None, .. } => TypeKind::BYTES,
            Node::String | Node::Enum { .. } => TypeKind::STRING,
            Node::Array(element) => TypeKind::Array(Box::new(self.sql_type(*element, depth + 1)?)),
            Node::Map(value) => {
                let value = self.sql_type(*value, depth + 1)?;
                TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(value))
            }
            Node::Union(_) => return Err("a union within a union is not read".to_owned()),
            Node::Record { fields, .. } => {
                let mut row = Vec::with_capacity(fields.len());
                for field in fields {
                    let ty = self.sql_type(field.node, depth + 1);
                    let ty = ty.map_err(|why| format!("{}: {why}", field.name))?;
                    row.push(Field::new(&field.name, ty));
                }
                TypeKind::Row(row)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_columns() {
        let schema = Schema::parse(
            r#"{"type":"record","name":"R","fields":[
                {"name":"id","type":"long"},
                {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
                {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
                {"name":"tags","type":{"type":"array","items":"string"}},
                {"name":"odd","type":["int","string"]},
                {"name":"self","type":["null","R"]}]}"#,
        )
        .unwrap();
        let columns: Vec<String> = schema
            .columns()
            .into_iter()
            .map(|(name, native, ty)| match ty {
                Ok(ty) => format!("{name} {ty}"),
                Err(why) => format!("{name} ({native}): {why}"),
            })
            .collect();
        assert_eq!(
            columns[..4],
            [
                "id BIGINT NOT NULL",
                "at TIMESTAMP(3)",
                "price DECIMAL(10, 2) NOT NULL",
                "tags ARRAY<STRING NOT NULL> NOT NULL",
            ]
        );
        assert!(columns[4].contains("union of int, string"), "{}", columns[4]);
        assert!(columns[5].starts_with("self (union of null, R): "), "{}", columns[5]);
        assert!(Schema::parse("\"int\"").unwrap().columns().is_empty());
    }
}
