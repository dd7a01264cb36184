//! Avro schemas: parsed from JSON, derived from SQL types, written as JSON.
//!
//! A schema is a list of nodes that name each other by index, because records may hold themselves.

#[cfg(feature = "probe")]
mod columns;
mod derive;
mod parse;
mod write;

#[cfg(feature = "probe")]
pub(crate) use columns::SchemaColumn;
pub(super) use derive::{TimestampMapping, derive};

/// A schema.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::format) struct Schema {
    nodes: Vec<Node>,
    root: NodeId,
}

/// Index of a node in its [`Schema`].
pub(super) type NodeId = usize;

/// A type of a schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean,
    Int(IntMeaning),
    Long(LongMeaning),
    Float,
    Double,
    Bytes(Option<Decimal>),
    String,
    Fixed { name: String, size: usize, decimal: Option<Decimal> },
    Enum { name: String, symbols: Vec<String> },
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record { name: String, fields: Vec<RecordField> },
}

/// What a number of 32 bits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntMeaning {
    Number,
    /// Days since 1970-01-01.
    Date,
    /// Milliseconds of the day.
    TimeMillis,
}

/// What a number of 64 bits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongMeaning {
    Number,
    TimeMicros,
    /// Units since 1970-01-01 00:00:00, of which a second has `per_second`; `local`: without zone.
    Timestamp {
        per_second: i64,
        local: bool,
    },
}

/// Precision and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) precision: u32,
    pub(super) scale: u32,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RecordField {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) node: NodeId,
    pub(super) default: Option<serde_json::Value>,
}

impl Schema {
    /// Parses the JSON text of a schema.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(in crate::format) fn parse(text: &str) -> Result<Self, String> {
        parse::parse(text)
    }

    /// The JSON text, as Java's Avro writes it.
    pub(in crate::format) fn to_json(&self) -> String {
        write::to_json(self)
    }

    /// The union of null and these values.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub(in crate::format) fn or_null(mut self) -> Self {
        let (null, root) = (self.add(Node::Null), self.root);
        self.root = self.add(Node::Union(vec![null, root]));
        self
    }

    /// Whether its records have a field.
    #[cfg(feature = "kafka")]
    pub(in crate::format) fn has(&self, name: &str) -> bool {
        self.nullable(self.root).0.iter().any(|(_, node)| match self.node(*node) {
            Node::Record { fields, .. } => fields.iter().any(|field| field.name == name),
            _ => false,
        })
    }

    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    /// A node. Indices are made by this module only, so there always is one.
    #[inline]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id).unwrap_or(&Node::Null)
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The name of a type in messages, and in the JSON encoding of unions.
    pub(super) fn type_name(&self, id: NodeId) -> &str {
        match self.node(id) {
            Node::Null => "null",
            Node::Boolean => "boolean",
            Node::Int(_) => "int",
            Node::Long(_) => "long",
            Node::Float => "float",
            Node::Double => "double",
            Node::Bytes(_) => "bytes",
            Node::String => "string",
            Node::Array(_) => "array",
            Node::Map(_) => "map",
            Node::Union(_) => "union",
            Node::Fixed { name, .. } | Node::Enum { name, .. } | Node::Record { name, .. } => name,
        }
    }

    /// The branches of a union that are not null; other types are their only branch. With it the index of null.
    pub(super) fn nullable(&self, id: NodeId) -> (Vec<(usize, NodeId)>, Option<usize>) {
        let Node::Union(branches) = self.node(id) else { return (vec![(0, id)], None) };
        let null = branches.iter().position(|branch| *self.node(*branch) == Node::Null);
        let others = branches.iter().copied().enumerate();
        (others.filter(|(index, _)| Some(*index) != null).collect(), null)
    }
}
