//! Versioned scalar expressions: what the planner binds and the engine lowers to kernels.
//!
//! Every expression knows its type. Operators such as `+`, `=`, `AND` are calls like any other;
//! the names are those of `tidegate-functions`. Column indices refer to the operator's input schema.

use serde::{Deserialize, Serialize};
use tidegate_types::{SqlType, TypeKind};

/// A built-in function by name and semantic version: a change of meaning is a new version,
/// so that a stored plan keeps what it was compiled with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FunctionRef {
    /// Upper-case name, or the operator's symbol.
    pub name: String,
    /// Semantic version, from 1.
    pub version: u16,
}

/// How a cast treats values that do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CastMode {
    /// `CAST`, also where the planner inserts it: a value that cannot be converted fails the job.
    Cast,
    /// `TRY_CAST`: such a value becomes NULL.
    TryCast,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalar {
    /// NULL of the literal's type.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// Any integer type, DATE (days), TIME (ms of the day), interval (months or ms) and
    /// TIMESTAMP / TIMESTAMP_LTZ in the unit of the type's precision (0–3 ms, 4–6 µs, 7–9 ns).
    Integer(i64),
    /// FLOAT, DOUBLE.
    Double(f64),
    /// DECIMAL: the unscaled value.
    #[serde(with = "decimal_text")]
    Decimal(i128),
    /// CHAR, VARCHAR.
    Text(String),
    /// BINARY, VARBINARY.
    Bytes(Vec<u8>),
}

/// A constant with its type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Literal {
    /// The value.
    pub value: Scalar,
    /// Its type; nullable if the value is NULL, or if the expression that it was computed from may be.
    #[serde(rename = "type")]
    pub ty: SqlType,
}

/// A scalar expression over the columns of one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// A column of the input.
    Column {
        /// Index in the input schema.
        index: usize,
        /// The column's type.
        #[serde(rename = "type")]
        ty: SqlType,
    },
    /// A constant.
    Literal(Literal),
    /// A function or operator.
    Call {
        /// Which function.
        function: FunctionRef,
        /// Arguments, already cast to what the function takes.
        args: Vec<Expr>,
        /// Result type by the function's type rule.
        #[serde(rename = "type")]
        ty: SqlType,
    },
    /// A conversion.
    Cast {
        /// What is converted.
        input: Box<Expr>,
        /// Result type.
        #[serde(rename = "type")]
        ty: SqlType,
        /// What happens to values that do not fit.
        mode: CastMode,
    },
    /// Searched `CASE`: the value of the first branch whose condition is TRUE. A branch is
    /// evaluated only on the rows that reach it.
    Case {
        /// Condition and value of each branch.
        branches: Vec<(Expr, Expr)>,
        /// The ELSE value.
        otherwise: Box<Expr>,
        /// Common type of the values.
        #[serde(rename = "type")]
        ty: SqlType,
    },
    /// A field of a ROW value; NULL if the row is.
    Field {
        /// The row.
        input: Box<Expr>,
        /// Index of the field in the row's type.
        index: usize,
        /// The field's type, nullable if the row is.
        #[serde(rename = "type")]
        ty: SqlType,
    },
}

/// An expression with the name of the column it makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedExpr {
    /// Column name.
    pub name: String,
    /// Value.
    pub expr: Expr,
}

impl Literal {
    /// NULL of a type.
    pub fn null(kind: TypeKind) -> Self {
        Self { value: Scalar::Null, ty: kind.nullable() }
    }
}

impl Expr {
    /// A column reference.
    pub fn column(index: usize, ty: SqlType) -> Self {
        Self::Column { index, ty }
    }

    /// A call of version 1 of a function.
    pub fn call(name: impl Into<String>, args: Vec<Expr>, ty: SqlType) -> Self {
        Self::Call { function: FunctionRef { name: name.into(), version: 1 }, args, ty }
    }

    /// The expression's type.
    pub fn ty(&self) -> &SqlType {
        match self {
            Self::Column { ty, .. }
            | Self::Call { ty, .. }
            | Self::Cast { ty, .. }
            | Self::Case { ty, .. }
            | Self::Field { ty, .. } => ty,
            Self::Literal(literal) => &literal.ty,
        }
    }

    /// The direct operands.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Self::Column { .. } | Self::Literal(_) => Vec::new(),
            Self::Call { args, .. } => args.iter().collect(),
            Self::Cast { input, .. } | Self::Field { input, .. } => vec![input],
            Self::Case { branches, otherwise, .. } => branches
                .iter()
                .flat_map(|(condition, value)| [condition, value])
                .chain([otherwise.as_ref()])
                .collect(),
        }
    }

    /// The direct operands, to be rewritten in place.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::Column { .. } | Self::Literal(_) => Vec::new(),
            Self::Call { args, .. } => args.iter_mut().collect(),
            Self::Cast { input, .. } | Self::Field { input, .. } => vec![input],
            Self::Case { branches, otherwise, .. } => branches
                .iter_mut()
                .flat_map(|(condition, value)| [condition, value])
                .chain([otherwise.as_mut()])
                .collect(),
        }
    }

    /// Calls `visit` on this expression and everything below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// Indices of the columns that the expression reads, ascending, each once.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        self.walk(&mut |expr| {
            if let Self::Column { index, .. } = expr {
                columns.push(*index);
            }
        });
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Replaces every column index through `map`.
    pub fn remap_columns(&mut self, map: &dyn Fn(usize) -> usize) {
        if let Self::Column { index, .. } = self {
            *index = map(*index);
        }
        for child in self.children_mut() {
            child.remap_columns(map);
        }
    }
}

/// Decimals as text in JSON, which has no 128-bit numbers.
mod decimal_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
