//! Columns of what is found at paths: scalars of a type, JSON texts, arrays of texts.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, ListBuilder, StringViewBuilder,
};
use tidegate_json::path::Found;
use tidegate_json::tree::{Kind, Tree};
use tidegate_types::Result;

use super::options::Returning;
use crate::function::Value;
use crate::vector::{self, Lane, TextLane};

/// A column of scalars of the type that is returned.
pub(super) enum Column {
    Text(StringViewBuilder, String),
    Boolean(BooleanBuilder),
    Integer(Int32Builder),
    Double(Float64Builder),
}

impl Column {
    pub(super) fn new(returning: Returning) -> Self {
        match returning {
            Returning::Boolean => Self::Boolean(BooleanBuilder::new()),
            Returning::Integer => Self::Integer(Int32Builder::new()),
            Returning::Double => Self::Double(Float64Builder::new()),
            _ => Self::Text(StringViewBuilder::new(), String::new()),
        }
    }

    /// Appends a scalar; or says why it is not of the type.
    pub(super) fn append(
        &mut self,
        found: &Found<'_>,
        tree: &Tree<'_>,
    ) -> std::result::Result<(), String> {
        let number = || match found {
            Found::Node(node) => match tree.kind(*node) {
                Kind::Integer | Kind::Decimal => Some(tree.raw(*node)),
                _ => None,
            },
            Found::Number(text) => Some(text.as_str()),
            _ => None,
        };
        match self {
            Self::Text(builder, buffer) => {
                buffer.clear();
                match found {
                    Found::Node(node) => tree.write_scalar(*node, buffer),
                    Found::Key(key) => buffer.push_str(key),
                    other => other.write(tree, buffer),
                }
                builder.append_value(&buffer);
                Ok(())
            }
            Self::Boolean(builder) => match found {
                Found::Node(node) if let Kind::Boolean(value) = tree.kind(*node) => {
                    builder.append_value(value);
                    Ok(())
                }
                _ => Err("the value is not a BOOLEAN".to_owned()),
            },
            Self::Integer(builder) => match number().and_then(|text| text.parse().ok()) {
                Some(value) => {
                    builder.append_value(value);
                    Ok(())
                }
                None => Err("the value is not an INT".to_owned()),
            },
            Self::Double(builder) => match number().and_then(|text| text.parse::<f64>().ok()) {
                Some(value) => {
                    // A decimal has no negative zero.
                    builder.append_value(value + 0.0);
                    Ok(())
                }
                None => Err("the value is not a DOUBLE".to_owned()),
            },
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Text(builder, _) => builder.append_null(),
            Self::Boolean(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
        }
    }

    /// Appends the value of a DEFAULT.
    pub(super) fn append_default(&mut self, value: &Value, row: usize) -> Result<()> {
        let at = row * value.step();
        if value.array().is_null(at) {
            self.append_null();
            return Ok(());
        }
        match self {
            Self::Text(builder, _) => builder.append_value(TextLane::new(value)?.get(row)),
            Self::Boolean(builder) => {
                builder.append_value(vector::booleans(value.array())?.value(at));
            }
            Self::Integer(builder) => builder
                .append_value(Lane::<i32>::new::<arrow::datatypes::Int32Type>(value)?.get(row)),
            Self::Double(builder) => builder
                .append_value(Lane::<f64>::new::<arrow::datatypes::Float64Type>(value)?.get(row)),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder, _) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Integer(mut builder) => Arc::new(builder.finish()),
            Self::Double(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// JSON texts, or arrays of texts.
pub(super) enum Documents {
    Text(StringViewBuilder),
    Texts(ListBuilder<StringViewBuilder>),
}

impl Documents {
    pub(super) fn append_null(&mut self) {
        match self {
            Self::Text(builder) => builder.append_null(),
            Self::Texts(builder) => builder.append_null(),
        }
    }

    /// Appends what was found; or says why it is not of the type.
    pub(super) fn append(
        &mut self,
        found: &Found<'_>,
        tree: &Tree<'_>,
        wraps: bool,
        buffer: &mut String,
    ) -> std::result::Result<(), String> {
        buffer.clear();
        match self {
            Self::Text(builder) => {
                if wraps {
                    buffer.push('[');
                }
                found.write(tree, buffer);
                if wraps {
                    buffer.push(']');
                }
                builder.append_value(&buffer);
                Ok(())
            }
            Self::Texts(builder) => {
                let items: Vec<Found<'_>> = match found {
                    _ if wraps => vec![found.clone()],
                    Found::List(items) => items.clone(),
                    Found::Node(node) if matches!(tree.kind(*node), Kind::Array(_)) => {
                        tree.elements(*node).map(Found::Node).collect()
                    }
                    _ => return Err("the value at the path is not an array".to_owned()),
                };
                for item in &items {
                    if item.is_null(tree) {
                        builder.values().append_null();
                        continue;
                    }
                    buffer.clear();
                    match item {
                        Found::Node(node) => tree.write_scalar(*node, buffer),
                        other => other.write(tree, buffer),
                    }
                    builder.values().append_value(&buffer);
                }
                builder.append(true);
                Ok(())
            }
        }
    }

    pub(super) fn append_empty(&mut self, text: &str) {
        match self {
            Self::Text(builder) => builder.append_value(text),
            Self::Texts(builder) => builder.append(true),
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Texts(mut builder) => Arc::new(builder.finish()),
        }
    }
}
