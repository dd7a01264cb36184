//! Which fields of a message go into which columns, and what stands there without them.

use std::sync::Arc;

use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Syntax, Value,
};
use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use super::wire::Wire;

/// A message.
#[derive(Debug, Clone)]
pub(super) struct MessagePlan {
    pub(super) fields: Vec<FieldPlan>,
    /// Field numbers in order, each with its index in `fields`.
    numbers: Vec<(u32, usize)>,
}

/// A field of a message.
#[derive(Debug, Clone)]
pub(super) struct FieldPlan {
    pub(super) number: u32,
    /// Its column; `None`: it is only looked for.
    pub(super) column: Option<usize>,
    pub(super) shape: Shape,
    pub(super) absent: Absent,
    /// Of a message of proto2: whether it must be there. For messages.
    pub(super) required: Option<String>,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    One(Item),
    List(Item),
    Map { key: Scalar, value: Box<FieldPlan> },
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Scalar(Scalar),
    Message(MessagePlan),
}

/// A value that is no message.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    /// A number of 32 bits.
    Int(Coding),
    /// A number of 64 bits.
    Long(Coding),
    Float,
    Double,
    Boolean,
    /// Text; `strict`: what is no UTF-8 is malformed.
    Text {
        strict: bool,
    },
    Bytes,
    Enum(Arc<EnumNames>),
}

/// How whole numbers stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    ZigZag,
    Fixed,
}

/// The values of an enum.
#[derive(Debug)]
pub(super) struct EnumNames {
    /// By number; of several names of a number the first.
    pub(super) names: Vec<(i32, String)>,
    /// The first value, which stands for values that are none.
    pub(super) first: i32,
    /// Whether numbers without a name are no values (proto2).
    pub(super) closed: bool,
}

/// What a column has where the field is missing.
#[derive(Debug, Clone)]
pub(super) enum Absent {
    Null,
    /// This value; of a list or map nothing, of a message all its fields' own.
    Default(Default),
}

/// A default.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Default {
    /// As it would stand in a message.
    Bits(u64),
    Bytes(Vec<u8>),
    /// Nothing in it.
    Empty,
}

/// How missing fields are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    scalars: bool,
    others: bool,
}

impl Defaults {
    /// Of a message: in proto3 scalars always have their defaults.
    pub(super) fn new(message: &MessageDescriptor, read_default_values: bool) -> Self {
        let proto3 = message.parent_file().syntax() == Syntax::Proto3;
        Self { scalars: read_default_values || proto3, others: read_default_values }
    }
}

fn mismatch(path: &str, message: String) -> Error {
    Error::new(ErrorCode::InvalidOption, format!("column {path}: {message}"))
}

impl MessagePlan {
    /// The plan of a message for columns.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a column that is no field, or of another type.
    pub(super) fn new(
        message: &MessageDescriptor,
        columns: &[Field],
        defaults: Defaults,
        path: &str,
    ) -> Result<Self> {
        let dot = if path.is_empty() { "" } else { "." };
        let mut fields = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let path = format!("{path}{dot}{}", column.name);
            let field = message.get_field_by_name(&column.name).ok_or_else(|| {
                let known: Vec<_> = message.fields().map(|field| field.name().to_owned()).collect();
                mismatch(&path, format!("message {} has no such field", message.full_name()))
                    .help(format!("its fields are {}", known.join(", ")))
            })?;
            let mut plan = FieldPlan::new(&field, &column.ty, defaults, &path)?;
            plan.column = Some(index);
            fields.push(plan);
        }
        // Fields that must be there are looked for also where nobody reads them.
        for field in message.fields().filter(|field| field.cardinality() == Cardinality::Required) {
            if fields.iter().all(|known| known.number != field.number()) {
                fields.push(FieldPlan {
                    number: field.number(),
                    column: None,
                    shape: Shape::One(Item::Scalar(Scalar::Bytes)),
                    absent: Absent::Null,
                    required: Some(field.name().to_owned()),
                });
            }
        }
        let mut numbers: Vec<_> =
            fields.iter().enumerate().map(|(index, field)| (field.number, index)).collect();
        numbers.sort_unstable();
        Ok(Self { fields, numbers })
    }

    /// The index of the field with a number.
    #[inline]
    pub(super) fn find(&self, number: u32) -> Option<usize> {
        // Fields mostly have the numbers 1, 2, 3, …
        if let Some((known, index)) = self.numbers.get((number as usize).wrapping_sub(1))
            && *known == number
        {
            return Some(*index);
        }
        let place = self.numbers.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.numbers.get(place).map(|(_, index)| *index)
    }
}

impl FieldPlan {
    fn new(field: &FieldDescriptor, ty: &SqlType, defaults: Defaults, path: &str) -> Result<Self> {
        let shape = match &ty.kind {
            _ if field.is_map() => Self::map(field, ty, defaults, path)?,
            TypeKind::Array(element) if field.is_list() => {
                Shape::List(item(field, &field.kind(), element, defaults, &format!("{path}[]"))?)
            }
            _ if field.is_list() => return Err(refused(field, ty, path, "an ARRAY")),
            _ => Shape::One(item(field, &field.kind(), ty, defaults, path)?),
        };
        let absent = match &shape {
            Shape::One(Item::Scalar(scalar)) if defaults.scalars && is_simple(ty) => {
                Absent::Default(default_of(&field.default_value(), scalar))
            }
            Shape::One(Item::Scalar(scalar)) if defaults.others => {
                Absent::Default(default_of(&field.default_value(), scalar))
            }
            Shape::One(Item::Scalar(_)) => Absent::Null,
            _ if defaults.others => Absent::Default(Default::Empty),
            _ => Absent::Null,
        };
        let required =
            (field.cardinality() == Cardinality::Required).then(|| field.name().to_owned());
        Ok(Self { number: field.number(), column: None, shape, absent, required })
    }

    fn map(field: &FieldDescriptor, ty: &SqlType, defaults: Defaults, path: &str) -> Result<Shape> {
        let (TypeKind::Map(key, value), Kind::Message(entry)) = (&ty.kind, field.kind()) else {
            return Err(refused(field, ty, path, "a MAP"));
        };
        let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let Item::Scalar(key) =
            item(&key_field, &key_field.kind(), key, defaults, &format!("{path} (key)"))?
        else {
            return Err(refused(field, ty, path, "a MAP"));
        };
        // A value that an entry lacks is its default.
        let whole = Defaults { scalars: true, others: true };
        let path = format!("{path}{{}}");
        let mut plan = Self::new(&value_field, value, defaults, &path)?;
        plan.absent = match &plan.shape {
            Shape::One(Item::Scalar(scalar)) if whole.scalars => {
                Absent::Default(default_of(&value_field.default_value(), scalar))
            }
            _ => Absent::Default(Default::Empty),
        };
        Ok(Shape::Map { key, value: Box::new(plan) })
    }
}

/// Types whose defaults proto3 always reads. As in Flink, TINYINT and SMALLINT are not among them.
fn is_simple(ty: &SqlType) -> bool {
    !matches!(ty.kind, TypeKind::TinyInt | TypeKind::SmallInt)
}

fn refused(field: &FieldDescriptor, ty: &SqlType, path: &str, wanted: &str) -> Error {
    mismatch(path, format!("field '{}' is {wanted}, the column is a {ty}", field.name()))
}

fn item(
    field: &FieldDescriptor,
    kind: &Kind,
    ty: &SqlType,
    defaults: Defaults,
    path: &str,
) -> Result<Item> {
    if let (Kind::Message(message), Some(fields)) = (kind, ty.kind.row_fields()) {
        return Ok(Item::Message(MessagePlan::new(message, fields, defaults, path)?));
    }
    let strict = field.parent_file().syntax() == Syntax::Proto3;
    let scalar = match (kind, &ty.kind) {
        (Kind::Int32 | Kind::Uint32, TypeKind::Int) => Scalar::Int(Coding::Plain),
        (Kind::Sint32, TypeKind::Int) => Scalar::Int(Coding::ZigZag),
        (Kind::Fixed32 | Kind::Sfixed32, TypeKind::Int) => Scalar::Int(Coding::Fixed),
        (Kind::Int64 | Kind::Uint64, TypeKind::BigInt) => Scalar::Long(Coding::Plain),
        (Kind::Sint64, TypeKind::BigInt) => Scalar::Long(Coding::ZigZag),
        (Kind::Fixed64 | Kind::Sfixed64, TypeKind::BigInt) => Scalar::Long(Coding::Fixed),
        (Kind::Float, TypeKind::Float) => Scalar::Float,
        (Kind::Double, TypeKind::Double) => Scalar::Double,
        (Kind::Bool, TypeKind::Boolean) => Scalar::Boolean,
        (Kind::String, TypeKind::Char { .. } | TypeKind::VarChar { .. }) => Scalar::Text { strict },
        (Kind::Bytes, TypeKind::Binary { .. } | TypeKind::VarBinary { .. }) => Scalar::Bytes,
        (
            Kind::Enum(names),
            TypeKind::Char { .. }
            | TypeKind::VarChar { .. }
            | TypeKind::TinyInt
            | TypeKind::SmallInt
            | TypeKind::Int
            | TypeKind::BigInt,
        ) => Scalar::Enum(Arc::new(EnumNames::new(names))),
        (Kind::Message(message), _) => {
            let wanted = format!("a message {}, which is a ROW", message.full_name());
            return Err(refused(field, ty, path, &wanted));
        }
        (kind, _) => return Err(refused(field, ty, path, &format!("of the type {}", name(kind)))),
    };
    Ok(Item::Scalar(scalar))
}

/// A type, with the SQL type that it is read as.
fn name(kind: &Kind) -> String {
    let (name, sql) = match kind {
        Kind::Int32 => ("int32", "INT"),
        Kind::Sint32 => ("sint32", "INT"),
        Kind::Uint32 => ("uint32", "INT"),
        Kind::Fixed32 => ("fixed32", "INT"),
        Kind::Sfixed32 => ("sfixed32", "INT"),
        Kind::Int64 => ("int64", "BIGINT"),
        Kind::Sint64 => ("sint64", "BIGINT"),
        Kind::Uint64 => ("uint64", "BIGINT"),
        Kind::Fixed64 => ("fixed64", "BIGINT"),
        Kind::Sfixed64 => ("sfixed64", "BIGINT"),
        Kind::Float => ("float", "FLOAT"),
        Kind::Double => ("double", "DOUBLE"),
        Kind::Bool => ("bool", "BOOLEAN"),
        Kind::String => ("string", "STRING"),
        Kind::Bytes => ("bytes", "BYTES"),
        Kind::Enum(_) => ("enum", "STRING or a whole number"),
        Kind::Message(_) => ("message", "ROW"),
    };
    format!("{name}, which is {sql}")
}

fn default_of(value: &Value, scalar: &Scalar) -> Default {
    match value {
        Value::Bool(value) => Default::Bits(u64::from(*value)),
        Value::I32(value) => Default::Bits(scalar.bits(i64::from(*value))),
        Value::I64(value) => Default::Bits(scalar.bits(*value)),
        Value::U32(value) => Default::Bits(scalar.bits(i64::from(*value))),
        Value::U64(value) => Default::Bits(scalar.bits(*value as i64)),
        Value::F32(value) => Default::Bits(u64::from(value.to_bits())),
        Value::F64(value) => Default::Bits(value.to_bits()),
        Value::String(text) => Default::Bytes(text.as_bytes().to_vec()),
        Value::Bytes(bytes) => Default::Bytes(bytes.to_vec()),
        Value::EnumNumber(number) => Default::Bits(i64::from(*number) as u64),
        Value::Message(_) | Value::List(_) | Value::Map(_) => Default::Empty,
    }
}

impl Scalar {
    /// How values stand in a message.
    pub(super) fn wire(&self) -> Wire {
        match self {
            Self::Int(Coding::Fixed) | Self::Float => Wire::Fixed32,
            Self::Long(Coding::Fixed) | Self::Double => Wire::Fixed64,
            Self::Int(_) | Self::Long(_) | Self::Boolean | Self::Enum(_) => Wire::Varint,
            Self::Text { .. } | Self::Bytes => Wire::Delimited,
        }
    }

    /// The bits of a whole number.
    pub(super) fn bits(&self, value: i64) -> u64 {
        match self {
            Self::Int(Coding::ZigZag) | Self::Long(Coding::ZigZag) => super::wire::zigzag(value),
            Self::Int(Coding::Fixed) => u64::from(value as u32),
            _ => value as u64,
        }
    }
}

impl EnumNames {
    fn new(names: &EnumDescriptor) -> Self {
        let mut by_number: Vec<(i32, String)> = Vec::new();
        for value in names.values() {
            if by_number.iter().all(|(number, _)| *number != value.number()) {
                by_number.push((value.number(), value.name().to_owned()));
            }
        }
        let closed = names.parent_file().syntax() != Syntax::Proto3;
        let first = by_number.first().map_or(0, |(number, _)| *number);
        Self { names: by_number, first, closed }
    }

    /// The name of a number.
    pub(super) fn name(&self, number: i32) -> Option<&str> {
        self.names.iter().find(|(known, _)| *known == number).map(|(_, name)| name.as_str())
    }
}
