//! The statements of a Flink SQL script. Queries and expressions are `sqlparser`'s.

mod function;
mod namespace;

use sqlparser::ast::{Expr, Ident, Query};
use tidegate_types::{Error, ErrorCode, Result, Span, SqlType};

pub(crate) use self::function::{
    Body, CreateFunction, FunctionDefinition, Kept, Parameter, Returns, SqlBody,
};
pub(crate) use self::namespace::{CatalogChange, NamespaceStatement};
use super::tokens::Hints;
use crate::catalog::{Namespace, ObjectPath};

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
    CreateTableAs(Box<CreateTableAs>),
    CreateView(CreateView),
    CreateFunction(Box<CreateFunction>),
    /// `ALTER FUNCTION f AS 'class'`.
    AlterFunction(Box<CreateFunction>),
    Namespace(NamespaceStatement),
    Drop(Drop),
    AlterTable(Box<AlterTable>),
    AlterView(AlterView),
    Insert(Insert),
    StatementSet(Vec<Insert>),
    Set(Option<(String, String)>),
    Reset(Option<String>),
    Query(QueryText),
    Explain(Explain),
    PlanFile(PlanFileStatement),
    Show(Show),
    Describe(Describe),
    Use(Use),
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

/// What a name that is dropped or shown stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Table,
    View,
    Function,
}

impl ObjectKind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Function => "function",
        }
    }
}

/// A table's name as written, with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableName {
    pub(crate) parts: Vec<String>,
    pub(crate) span: Span,
}

impl TableName {
    /// The full name: what is not spelt out is what is in use.
    ///
    /// # Errors
    /// `SQL_SEMANTIC` for more than three parts.
    pub(crate) fn resolve(&self, here: &Namespace) -> Result<ObjectPath> {
        let namespace = match self.parts.as_slice() {
            [_] => here.clone(),
            [database, _] => Namespace::new(&here.catalog, database),
            [catalog, database, _] => Namespace::new(catalog, database),
            _ => {
                let message = format!("the name {self} has more than three parts");
                let error = Error::new(ErrorCode::SqlSemantic, message).at(self.span);
                return Err(error.help("write name, database.name or catalog.database.name"));
            }
        };
        Ok(ObjectPath { namespace, name: self.last().to_owned() })
    }

    /// The database that it names, in the catalog in use if no other is spelt out.
    ///
    /// # Errors
    /// `SQL_SEMANTIC` for more than two parts.
    pub(crate) fn database(&self, here: &Namespace) -> Result<Namespace> {
        match self.parts.as_slice() {
            [database] => Ok(Namespace::new(&here.catalog, database)),
            [catalog, database] => Ok(Namespace::new(catalog, database)),
            _ => {
                let message = format!("the name {self} is none of a database");
                let error = Error::new(ErrorCode::SqlSemantic, message).at(self.span);
                Err(error.help("write database or catalog.database"))
            }
        }
    }

    /// The name without catalog and database.
    pub(crate) fn last(&self) -> &str {
        self.parts.last().map(String::as_str).unwrap_or_default()
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

/// A query with the hints inside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueryText {
    pub(crate) query: Box<Query>,
    pub(crate) hints: Hints,
    pub(crate) span: Span,
}

/// `CREATE [TEMPORARY] TABLE`: a table's definition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) name: TableName,
    pub(crate) temporary: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) watermark: Option<WatermarkDef>,
    /// Name of the primary key, if it has one.
    pub(crate) constraint: Option<String>,
    pub(crate) primary_key: Vec<Ident>,
    pub(crate) partition_keys: Vec<Ident>,
    pub(crate) distribution: Option<Distribution>,
    /// Partitions that ALTER TABLE … ADD PARTITION told the catalog of: a value for each key.
    pub(crate) partitions: Vec<Vec<(String, String)>>,
    pub(crate) comment: Option<String>,
    pub(crate) options: Vec<TableOption>,
    pub(crate) like: Option<Like>,
}

/// `DISTRIBUTED [BY [HASH | RANGE] (columns)] [INTO n BUCKETS]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distribution {
    /// `HASH` or `RANGE`, if it is said.
    pub(crate) kind: Option<&'static str>,
    pub(crate) columns: Vec<Ident>,
    pub(crate) buckets: Option<u32>,
    pub(crate) span: Span,
}

/// An option of WITH: key, value, and where the key stands.
pub(crate) type TableOption = (String, String, Span);

/// A column of a `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDef {
    pub(crate) name: Ident,
    pub(crate) kind: ColumnKind,
    pub(crate) comment: Option<String>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnKind {
    Physical(SqlType),
    Computed(Box<Expr>),
    Metadata { ty: SqlType, key: Option<String>, is_virtual: bool },
}

/// `WATERMARK FOR column AS expr`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WatermarkDef {
    pub(crate) column: Vec<Ident>,
    pub(crate) expr: Box<Expr>,
}

/// `LIKE source (INCLUDING … EXCLUDING …)` behind a `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Like {
    pub(crate) source: TableName,
    pub(crate) choices: Vec<LikeChoice>,
}

/// One word of a LIKE clause on a part of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LikeChoice {
    pub(crate) merging: Merging,
    pub(crate) part: LikePart,
    pub(crate) span: Span,
}

/// What happens to a part of the table that LIKE names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merging {
    Including,
    Excluding,
    Overwriting,
}

/// The parts of a table that LIKE tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LikePart {
    All,
    Constraints,
    Distribution,
    Generated,
    Metadata,
    Options,
    Partitions,
    Watermarks,
}

/// `CREATE TABLE … AS query`.
#[derive(Debug, Clone)]
pub(crate) struct CreateTableAs {
    /// Columns that are added to those of the query, and what else the table has.
    pub(crate) table: CreateTable,
    /// All columns of the query in another order, instead of columns with types.
    pub(crate) order: Vec<Ident>,
    pub(crate) query: QueryText,
    pub(crate) replace: Replace,
    pub(crate) span: Span,
}

/// What a `CREATE` does with a table of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// `CREATE`: refuses.
    Never,
    /// `CREATE OR REPLACE`.
    IfThere,
    /// `REPLACE`: refuses if there is none.
    Always,
}

/// `CREATE [OR REPLACE] [TEMPORARY] VIEW`.
#[derive(Debug, Clone)]
pub(crate) struct CreateView {
    pub(crate) name: TableName,
    pub(crate) temporary: bool,
    pub(crate) replace: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<Ident>,
    pub(crate) comment: Option<String>,
    pub(crate) query: QueryText,
    /// The query as written.
    pub(crate) text: String,
}

/// `DROP [TEMPORARY] TABLE`, `VIEW` or `FUNCTION`.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) kind: ObjectKind,
    pub(crate) temporary: bool,
    /// `TEMPORARY SYSTEM`, of a function.
    pub(crate) system: bool,
    pub(crate) name: TableName,
    pub(crate) if_exists: bool,
}

/// `ALTER TABLE`.
#[derive(Debug, Clone)]
pub(crate) struct AlterTable {
    pub(crate) name: TableName,
    pub(crate) if_exists: bool,
    pub(crate) change: TableChange,
}

/// What an `ALTER TABLE` does.
#[derive(Debug, Clone)]
pub(crate) enum TableChange {
    RenameTo(TableName),
    RenameColumn { from: Ident, to: Ident },
    Set(Vec<TableOption>),
    Reset(Vec<(String, Span)>),
    Add(SchemaChange),
    Modify(SchemaChange),
    DropColumns(Vec<Ident>),
    DropPrimaryKey(Span),
    DropConstraint(Ident),
    DropWatermark(Span),
    AddDistribution(Distribution),
    ModifyDistribution(Distribution),
    DropDistribution(Span),
    AddPartitions { if_not_exists: bool, partitions: Vec<Vec<(Ident, Expr)>> },
    DropPartitions { if_exists: bool, partitions: Vec<Vec<(Ident, Expr)>> },
}

/// What is added to a table's schema, or put in place of what is there.
#[derive(Debug, Clone)]
pub(crate) struct SchemaChange {
    /// The parts, as those of a `CREATE TABLE`.
    pub(crate) parts: CreateTable,
    /// Where each of the columns goes.
    pub(crate) positions: Vec<Option<ColumnPosition>>,
    pub(crate) span: Span,
}

/// `FIRST` or `AFTER column`.
#[derive(Debug, Clone)]
pub(crate) enum ColumnPosition {
    First,
    After(Ident),
}

/// `ALTER VIEW`.
#[derive(Debug, Clone)]
pub(crate) struct AlterView {
    pub(crate) name: TableName,
    pub(crate) change: ViewChange,
}

/// What an `ALTER VIEW` does.
#[derive(Debug, Clone)]
pub(crate) enum ViewChange {
    RenameTo(TableName),
    /// Another query, with its text.
    Query(QueryText, String),
}

/// `SHOW`.
#[derive(Debug, Clone)]
pub(crate) enum Show {
    Catalogs(Option<NamePattern>),
    Databases(Option<TableName>, Option<NamePattern>),
    CurrentCatalog,
    CurrentDatabase,
    Tables(Option<TableName>, Option<NamePattern>),
    Views(Option<TableName>, Option<NamePattern>),
    Columns(TableName, Option<NamePattern>),
    Create(ObjectKind, TableName),
    CreateCatalog(Ident),
    Functions {
        user: bool,
        database: Option<TableName>,
        like: Option<NamePattern>,
    },
    Modules {
        full: bool,
    },
    /// Those of a table, or those that have some values.
    Partitions(TableName, Vec<(Ident, Expr)>),
    /// Things that there can be none of: what the column of their names is called.
    Nothing(&'static str, Option<TableName>),
}

/// `DESCRIBE`.
#[derive(Debug, Clone)]
pub(crate) enum Describe {
    Table(TableName),
    Catalog { name: Ident, extended: bool },
    Database { name: TableName, extended: bool },
    Function { name: TableName, extended: bool },
}

/// `[NOT] LIKE 'pattern'` behind a SHOW.
#[derive(Debug, Clone)]
pub(crate) struct NamePattern {
    pub(crate) negated: bool,
    /// ILIKE: upper and lower case are the same.
    pub(crate) any_case: bool,
    pub(crate) pattern: String,
}

/// `USE`.
#[derive(Debug, Clone)]
pub(crate) enum Use {
    Catalog(Ident),
    Database(TableName),
    Modules(Vec<Ident>),
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
    /// `ON CONFLICT DO …`, with its place.
    pub(crate) on_conflict: Option<(OnConflict, Span)>,
    pub(crate) span: Span,
}

/// What happens where rows of other keys meet in the key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// The last of them is in the table.
    Deduplicate,
    /// The job fails.
    Error,
    /// The first of them stays.
    Nothing,
}

/// `EXPLAIN`.
#[derive(Debug, Clone)]
pub(crate) struct Explain {
    pub(crate) json: bool,
    /// Run it, and say what each operator did.
    pub(crate) analyze: bool,
    pub(crate) statement: Box<Statement>,
}
