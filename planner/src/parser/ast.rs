//! The statements of a Flink SQL script. Queries and expressions are `sqlparser`'s.

use sqlparser::ast::{Expr, Ident, Query};
use tidegate_types::{Error, ErrorCode, Result, Span, SqlType};

use super::tokens::Hints;

/// A statement with its place and text.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What it says.
    pub(crate) kind: StatementKind,
    /// Where it stands in the script.
    pub span: Span,
    /// Its text without the semicolon.
    pub text: String,
}

/// The kinds of statement.
#[derive(Debug, Clone)]
pub(crate) enum StatementKind {
    CreateTable(CreateTable),
    CreateView(CreateView),
    /// A function of a class, which must be one that is built in.
    CreateFunction {
        name: TableName,
        class: String,
    },
    Drop(Drop),
    Insert(Insert),
    StatementSet(Vec<Insert>),
    Set(Option<(String, String)>),
    Reset(Option<String>),
    Query(QueryText),
    Explain(Explain),
    PlanFile(PlanFileStatement),
    ShowTables,
    ShowViews,
    ShowCreate(ObjectKind, TableName),
    Describe(TableName),
}

/// `COMPILE [AND EXECUTE] PLAN` or `EXECUTE PLAN`.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanFileStatement {
    pub(crate) path: String,
    /// The INSERT or statement set that is compiled.
    pub(crate) compiled: Option<Box<Statement>>,
    pub(crate) if_not_exists: bool,
    pub(crate) execute: bool,
}

/// Whether a name is that of a table or a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Table,
    View,
}

impl ObjectKind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
        }
    }
}

/// A table's name as written, with its place.
#[derive(Debug, Clone)]
pub(crate) struct TableName {
    pub(crate) parts: Vec<String>,
    pub(crate) span: Span,
}

impl TableName {
    /// The name inside the only database; catalog and database may be spelt out.
    pub(crate) fn resolve(&self) -> Result<&str> {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            [name] | ["default_database", name] | ["default_catalog", "default_database", name] => Ok(name),
            _ => Err(Error::new(
                ErrorCode::SqlSemantic,
                format!("there is no table {}: the only catalog is default_catalog with default_database", self),
            )
            .at(self.span)),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

/// A query with the hints inside it.
#[derive(Debug, Clone)]
pub(crate) struct QueryText {
    pub(crate) query: Box<Query>,
    pub(crate) hints: Hints,
    pub(crate) span: Span,
}

/// `CREATE [TEMPORARY] TABLE`.
#[derive(Debug, Clone)]
pub(crate) struct CreateTable {
    pub(crate) name: TableName,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) watermark: Option<WatermarkDef>,
    pub(crate) primary_key: Vec<Ident>,
    pub(crate) partition_keys: Vec<Ident>,
    pub(crate) comment: Option<String>,
    pub(crate) options: Vec<(String, String, Span)>,
}

/// A column of a `CREATE TABLE`.
#[derive(Debug, Clone)]
pub(crate) struct ColumnDef {
    pub(crate) name: Ident,
    pub(crate) kind: ColumnKind,
    pub(crate) comment: Option<String>,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
pub(crate) enum ColumnKind {
    Physical(SqlType),
    Computed(Box<Expr>),
    Metadata { ty: SqlType, key: Option<String>, is_virtual: bool },
}

/// `WATERMARK FOR column AS expr`.
#[derive(Debug, Clone)]
pub(crate) struct WatermarkDef {
    pub(crate) column: Vec<Ident>,
    pub(crate) expr: Box<Expr>,
}

/// `CREATE [TEMPORARY] VIEW`.
#[derive(Debug, Clone)]
pub(crate) struct CreateView {
    pub(crate) name: TableName,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<Ident>,
    pub(crate) query: QueryText,
}

/// `DROP TABLE` or `DROP VIEW`.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) kind: ObjectKind,
    pub(crate) name: TableName,
    pub(crate) if_exists: bool,
}

/// `INSERT INTO` or `INSERT OVERWRITE`.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) table: TableName,
    pub(crate) overwrite: bool,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) partition: Vec<(Ident, Expr)>,
    pub(crate) columns: Vec<Ident>,
    pub(crate) query: QueryText,
    pub(crate) span: Span,
}

/// `EXPLAIN`.
#[derive(Debug, Clone)]
pub(crate) struct Explain {
    pub(crate) json: bool,
    /// Run it, and say what each operator did.
    pub(crate) analyze: bool,
    pub(crate) statement: Box<Statement>,
}
