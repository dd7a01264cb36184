//! `CREATE FUNCTION`.

use sqlparser::ast::{Expr, Ident};
use tidegate_types::{Span, SqlType};

use super::{QueryText, TableName};

/// `CREATE FUNCTION`.
#[derive(Debug, Clone)]
pub(crate) struct CreateFunction {
    pub(crate) name: TableName,
    pub(crate) kept: Kept,
    pub(crate) replace: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) definition: FunctionDefinition,
}

/// Where a function is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In a database.
    Catalog,
    /// Beside the databases, by a full name.
    Temporary,
    /// Beside the built-in functions, by a name alone.
    System,
}

/// What a function does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FunctionDefinition {
    /// `AS 'class'`.
    Class(String),
    Sql(Box<SqlBody>),
}

/// `(parameters) RETURNS … RETURN body`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SqlBody {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Returns,
    pub(crate) comment: Option<String>,
    pub(crate) body: Body,
    /// The body as written.
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: SqlType,
    pub(crate) default: Option<Box<Expr>>,
}

/// What a function gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Returns {
    Value(SqlType),
    Table(Vec<(Ident, SqlType)>),
}

/// What stands behind RETURN.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Value(Box<Expr>),
    Table(QueryText),
}
