//! Statements about catalogs and databases.

use sqlparser::ast::Ident;
use tidegate_types::Span;

use super::{TableName, TableOption};

/// `CREATE`, `DROP` and `ALTER` of catalogs and databases.
#[derive(Debug, Clone)]
pub(crate) enum NamespaceStatement {
    CreateCatalog {
        name: Ident,
        if_not_exists: bool,
        comment: Option<String>,
        options: Vec<TableOption>,
    },
    DropCatalog {
        name: Ident,
        if_exists: bool,
    },
    AlterCatalog {
        name: Ident,
        change: CatalogChange,
    },
    CreateDatabase {
        name: TableName,
        if_not_exists: bool,
        comment: Option<String>,
        options: Vec<TableOption>,
    },
    DropDatabase {
        name: TableName,
        if_exists: bool,
        cascade: bool,
    },
    AlterDatabase {
        name: TableName,
        options: Vec<TableOption>,
    },
}

/// What an `ALTER CATALOG` does.
#[derive(Debug, Clone)]
pub(crate) enum CatalogChange {
    Set(Vec<TableOption>),
    Reset(Vec<(String, Span)>),
    Comment(String),
}
