//! How records of a schema become columns: the writer's schema resolved against the columns that are read, by the rules
//! of Avro. Fields are found by name; one that nobody reads is passed over, a column that records lack is its default.

use std::sync::Arc;

use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use super::schema::{IntMeaning, LongMeaning, Node, NodeId, Schema};

/// A plan.
#[derive(Debug, Clone)]
pub(in crate::format) struct Plan {
    schema: Arc<Schema>,
    /// The branch of the record, where records are in a union, as in files that Flink writes.
    branch: Option<i64>,
    rows: Rows,
}

/// How a record becomes a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// In the order of the record.
    pub(super) fields: Vec<FieldPlan>,
    /// Columns that the record does not have.
    pub(super) missing: Vec<(usize, Missing)>,
}

#[derive(Debug, Clone)]
pub(super) enum FieldPlan {
    Skip(NodeId),
    Read { column: usize, value: Value },
}

/// What stands in a column that records do not have.
#[derive(Debug, Clone)]
pub(super) enum Missing {
    Null,
    /// The default of the reader's schema, encoded.
    Default {
        bytes: Vec<u8>,
        plan: ValuePlan,
    },
}

/// How a value of a schema of its own is read.
#[derive(Debug, Clone)]
pub(super) struct ValuePlan {
    schema: Arc<Schema>,
    value: Box<Value>,
}

impl ValuePlan {
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }
}

/// How a value is read. What it becomes is the column's business: an `Int` can go into a BIGINT.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    /// A union of null and another type; `null`: the branch of null, 0 or 1.
    Optional {
        null: i64,
        value: Box<Value>,
    },
    /// Any other union; of branches that cannot be read the name.
    Union(Vec<std::result::Result<Value, String>>),
    Boolean,
    Int,
    Long,
    /// A time of day in microseconds.
    TimeMicros,
    /// Units since 1970 of which a second has `from`.
    Timestamp {
        from: i64,
    },
    Float,
    Double,
    Text,
    Bytes,
    Fixed(usize),
    Enum(Arc<[String]>),
    /// The unscaled value in `size` bytes, or in as many as it says. Without a scale that of the column holds.
    Decimal {
        size: Option<usize>,
        scale: Option<u32>,
    },
    Array(Box<Blocks>),
    Map(Box<Blocks>),
    Row(Rows),
}

/// The items of an array or map.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    pub(super) value: Value,
}

impl Plan {
    /// Resolves the schema that records are written with against columns. `reader`: the schema of the columns, if it
    /// is said, for defaults and aliases.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for a column that the records cannot give, and says why.
    pub(in crate::format) fn new(
        writer: Arc<Schema>,
        read: &[Field],
        reader: Option<&Arc<Schema>>,
    ) -> Result<Self> {
        let (branches, null) = writer.nullable(writer.root());
        let record = match branches.as_slice() {
            [(branch, node)] if matches!(writer.node(*node), Node::Record { .. }) => {
                Some((null.map(|_| *branch as i64), *node))
            }
            _ => None,
        };
        let Some((branch, root)) = record else {
            let name = writer.type_name(writer.root());
            return Err(incompatible("", format!("the records are of type {name}, no record")));
        };
        let resolver = Resolver { writer: &writer };
        let reader = reader.map(|schema| ReaderNode { schema, node: schema.root() });
        let rows = resolver.rows(root, read, reader.as_ref(), "")?;
        Ok(Self { schema: writer, branch, rows })
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The branch of the record, where records are in a union.
    pub(super) fn branch(&self) -> Option<i64> {
        self.branch
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }
}

fn incompatible(path: &str, message: String) -> Error {
    let message = if path.is_empty() { message } else { format!("column {path}: {message}") };
    Error::new(ErrorCode::Incompatible, message)
}

/// A node of the reader's schema.
#[derive(Clone)]
struct ReaderNode<'a> {
    schema: &'a Arc<Schema>,
    node: NodeId,
}

impl<'a> ReaderNode<'a> {
    /// The node that is not null.
    fn value(&self) -> Self {
        let (branches, _) = self.schema.nullable(self.node);
        let node = branches.first().map_or(self.node, |(_, node)| *node);
        Self { schema: self.schema, node }
    }

    /// The field of a record: its aliases, default, and type.
    fn field(&self, name: &str) -> Option<(&'a [String], Option<&'a serde_json::Value>, Self)> {
        let schema: &'a Schema = self.schema;
        let Node::Record { fields, .. } = schema.node(self.value().node) else { return None };
        let field = fields.iter().find(|field| field.name == name)?;
        let inner = Self { schema: self.schema, node: field.node };
        Some((&field.aliases, field.default.as_ref(), inner))
    }

    fn items(&self) -> Option<Self> {
        let node = match self.schema.node(self.value().node) {
            Node::Array(items) => *items,
            Node::Map(values) => *values,
            _ => return None,
        };
        Some(Self { schema: self.schema, node })
    }
}

struct Resolver<'a> {
    writer: &'a Schema,
}

impl Resolver<'_> {
    fn rows(
        &self,
        record: NodeId,
        read: &[Field],
        reader: Option<&ReaderNode<'_>>,
        path: &str,
    ) -> Result<Rows> {
        let Node::Record { fields, .. } = self.writer.node(record) else {
            return Err(incompatible(path, "the records are no rows".to_owned()));
        };
        let dot = if path.is_empty() { "" } else { "." };
        let mut column_of: Vec<Option<usize>> = vec![None; fields.len()];
        let mut missing = Vec::new();
        let mut readers = Vec::with_capacity(read.len());
        for (index, column) in read.iter().enumerate() {
            let path = format!("{path}{dot}{}", column.name);
            let known = reader.and_then(|reader| reader.field(&column.name));
            let (aliases, default, inner) = match known {
                Some((aliases, default, inner)) => (aliases, default, Some(inner)),
                None => (&[][..], None, None),
            };
            let by_name = fields.iter().position(|field| field.name == column.name);
            let by_alias = || fields.iter().position(|field| aliases.contains(&field.name));
            match by_name.or_else(by_alias).and_then(|place| column_of.get_mut(place)) {
                Some(slot) => *slot = Some(index),
                None => {
                    missing.push((index, self.missing(column, default, inner.as_ref(), &path)?));
                }
            }
            readers.push((inner, path));
        }
        let field = |(field, column): (&super::schema::RecordField, &Option<usize>)| {
            let known =
                column.and_then(|index| Some((index, read.get(index)?, readers.get(index)?)));
            let Some((column, declared, (reader, path))) = known else {
                return Ok(FieldPlan::Skip(field.node));
            };
            let value = self.value(field.node, &declared.ty, reader.as_ref(), path)?;
            Ok(FieldPlan::Read { column, value })
        };
        let fields = fields.iter().zip(&column_of).map(field).collect::<Result<_>>()?;
        Ok(Rows { fields, missing })
    }

    /// What stands in a column that records do not have.
    fn missing(
        &self,
        column: &Field,
        default: Option<&serde_json::Value>,
        reader: Option<&ReaderNode<'_>>,
        path: &str,
    ) -> Result<Missing> {
        match (default, reader) {
            (Some(default), Some(reader)) if !default.is_null() => {
                // A default is one of the first branch of its union.
                let node = match reader.schema.node(reader.node) {
                    Node::Union(branches) => branches.first().copied().unwrap_or(reader.node),
                    _ => reader.node,
                };
                let bytes = super::json::to_binary(reader.schema, node, default)
                    .map_err(|error| incompatible(path, format!("its default: {error}")))?;
                let resolver = Resolver { writer: reader.schema };
                let value = resolver.value(node, &column.ty, None, path)?;
                let schema = Arc::clone(reader.schema);
                let plan = ValuePlan { schema, value: Box::new(value) };
                Ok(Missing::Default { bytes, plan })
            }
            _ if column.ty.nullable => Ok(Missing::Null),
            _ => {
                let message = "the schema of the records has no such field, and the column is NOT NULL without a default";
                Err(incompatible(path, message.to_owned())
                    .help("declare the column without NOT NULL"))
            }
        }
    }

    fn value(
        &self,
        node: NodeId,
        ty: &SqlType,
        reader: Option<&ReaderNode<'_>>,
        path: &str,
    ) -> Result<Value> {
        let refuse = || {
            let found = self.writer.type_name(node);
            let message = format!("the records have the type {found}, which is not read as {ty}");
            incompatible(path, message)
        };
        let bytes = |size: Option<usize>| match size {
            Some(size) => Value::Fixed(size),
            None => Value::Bytes,
        };
        let value = match (self.writer.node(node), &ty.kind) {
            (Node::Union(branches), _) => return self.union(branches, ty, reader, path),
            (Node::Null, _) => Value::Null,
            (Node::Boolean, TypeKind::Boolean) => Value::Boolean,
            (
                Node::Int(_),
                TypeKind::TinyInt
                | TypeKind::SmallInt
                | TypeKind::Int
                | TypeKind::BigInt
                | TypeKind::Float
                | TypeKind::Double,
            ) => Value::Int,
            (Node::Int(IntMeaning::Number | IntMeaning::Date), TypeKind::Date)
            | (Node::Int(IntMeaning::Number | IntMeaning::TimeMillis), TypeKind::Time { .. }) => {
                Value::Int
            }
            (Node::Long(_), TypeKind::BigInt | TypeKind::Float | TypeKind::Double) => Value::Long,
            (Node::Long(LongMeaning::TimeMicros), TypeKind::Time { .. }) => Value::TimeMicros,
            (Node::Long(meaning), TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. }) => {
                match meaning {
                    LongMeaning::Timestamp { per_second, .. } => {
                        Value::Timestamp { from: *per_second }
                    }
                    LongMeaning::Number => Value::Timestamp { from: 1_000 },
                    LongMeaning::TimeMicros => return Err(refuse()),
                }
            }
            (Node::Float, TypeKind::Float | TypeKind::Double) => Value::Float,
            (Node::Double, TypeKind::Double) => Value::Double,
            (Node::String | Node::Bytes(_), TypeKind::Char { .. } | TypeKind::VarChar { .. }) => {
                Value::Text
            }
            (
                Node::String | Node::Bytes(_),
                TypeKind::Binary { .. } | TypeKind::VarBinary { .. },
            ) => bytes(None),
            (Node::Fixed { size, .. }, TypeKind::Binary { .. } | TypeKind::VarBinary { .. }) => {
                bytes(Some(*size))
            }
            (Node::Bytes(meaning), TypeKind::Decimal { .. }) => {
                self.decimal(None, meaning.map(|decimal| decimal.scale)).ok_or_else(refuse)?
            }
            (Node::Fixed { size, decimal, .. }, TypeKind::Decimal { .. }) => {
                self.decimal(Some(*size), decimal.map(|d| d.scale)).ok_or_else(refuse)?
            }
            (Node::Enum { symbols, .. }, TypeKind::Char { .. } | TypeKind::VarChar { .. }) => {
                Value::Enum(symbols.clone().into())
            }
            (Node::Array(items), TypeKind::Array(element)) => {
                let reader = reader.and_then(ReaderNode::items);
                let value = self.value(*items, element, reader.as_ref(), &format!("{path}[]"))?;
                Value::Array(Box::new(Blocks { value }))
            }
            (Node::Map(values), TypeKind::Map(key, value)) if key.kind.is_text() => {
                let reader = reader.and_then(ReaderNode::items);
                let value = self.value(*values, value, reader.as_ref(), &format!("{path}{{}}"))?;
                Value::Map(Box::new(Blocks { value }))
            }
            (Node::Map(values), TypeKind::Multiset(element)) if element.kind.is_text() => {
                let count = TypeKind::Int.not_null();
                let value = self.value(*values, &count, None, &format!("{path}{{}}"))?;
                Value::Map(Box::new(Blocks { value }))
            }
            (Node::Record { .. }, TypeKind::Row(fields) | TypeKind::Structured { fields, .. }) => {
                Value::Row(self.rows(node, fields, reader, path)?)
            }
            _ => return Err(refuse()),
        };
        Ok(value)
    }

    /// Widest scale of a decimal that has a place in a column.
    fn decimal(&self, size: Option<usize>, scale: Option<u32>) -> Option<Value> {
        const WIDEST: u32 = 38;
        scale.is_none_or(|scale| scale <= WIDEST).then_some(Value::Decimal { size, scale })
    }

    fn union(
        &self,
        branches: &[NodeId],
        ty: &SqlType,
        reader: Option<&ReaderNode<'_>>,
        path: &str,
    ) -> Result<Value> {
        let reader = reader.map(ReaderNode::value);
        let is_null = |id: &NodeId| *self.writer.node(*id) == Node::Null;
        if let [first, second] = branches {
            for (null, other, index) in [(first, second, 0), (second, first, 1)] {
                if is_null(null) && !is_null(other) {
                    let value = self.value(*other, ty, reader.as_ref(), path)?;
                    return Ok(Value::Optional { null: index, value: Box::new(value) });
                }
            }
        }
        let mut refused = None;
        let mut values = Vec::with_capacity(branches.len());
        for branch in branches {
            values.push(match self.value(*branch, ty, reader.as_ref(), path) {
                Ok(value) => Ok(value),
                Err(error) => {
                    refused = Some(error);
                    Err(self.writer.type_name(*branch).to_owned())
                }
            });
        }
        let some =
            values.iter().any(|value| matches!(value, Ok(value) if !matches!(value, Value::Null)));
        match refused {
            Some(error) if !some => Err(error),
            _ => Ok(Value::Union(values)),
        }
    }
}
