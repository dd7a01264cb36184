//! SHOW, DESCRIBE and USE: what is in the catalog, of which there is one with one database.

use std::collections::BTreeSet;

use tidegate_functions::is_like;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::{DATABASE, Planned, Rows, Session, done};
use crate::bind::{self, semantic};
use crate::catalog::Object;
use crate::describe;
use crate::parser::ast::{NamePattern, ObjectKind, Show, TableName, Use};

/// The only catalog.
const CATALOG: &str = "default_catalog";
/// The only module.
const MODULE: &str = "core";

impl Session {
    pub(super) fn show(&self, show: &Show, span: Span) -> Result<Planned> {
        let rows = match show {
            Show::Catalogs(like) => names("catalog name", [CATALOG].into_iter(), like, span)?,
            Show::Databases(catalog, like) => {
                catalog.as_ref().map_or(Ok(()), check_catalog_name)?;
                names("database name", [DATABASE].into_iter(), like, span)?
            }
            Show::CurrentCatalog => one("current catalog name", CATALOG),
            Show::CurrentDatabase => one("current database name", DATABASE),
            Show::Tables(database, like) => {
                check_database(database)?;
                names("table name", self.catalog.names(), like, span)?
            }
            Show::Views(database, like) => {
                check_database(database)?;
                names("view name", self.catalog.view_names(), like, span)?
            }
            Show::Columns(table, like) => self.columns(table, like, span)?,
            Show::Create(kind, name) => self.show_create(*kind, name)?,
            Show::Functions { user, database, like } => {
                check_database(database)?;
                self.functions(*user, like, span)?
            }
            Show::Modules { full: false } => one("module name", MODULE),
            Show::Modules { full: true } => Rows {
                columns: ["module name", "used"].map(str::to_owned).to_vec(),
                rows: vec![[MODULE, "TRUE"].map(str::to_owned).to_vec()],
            },
            Show::Partitions(table) => return Err(self.no_partitions(table)),
            Show::Nothing(column, database) => {
                check_database(database)?;
                Rows { columns: vec![(*column).to_owned()], rows: Vec::new() }
            }
        };
        Ok(Planned::Rows(rows))
    }

    fn columns(&self, table: &TableName, like: &Option<NamePattern>, span: Span) -> Result<Rows> {
        let mut rows = self.describe(table)?;
        let mut kept = Vec::with_capacity(rows.rows.len());
        for row in rows.rows {
            if is_wanted(row.first().map(String::as_str).unwrap_or_default(), like, span)? {
                kept.push(row);
            }
        }
        rows.rows = kept;
        Ok(rows)
    }

    fn show_create(&self, kind: ObjectKind, name: &TableName) -> Result<Rows> {
        let resolved = name.resolve()?;
        let text = match (kind, self.catalog.get(resolved)) {
            (ObjectKind::Table, Some(Object::Table(table))) => describe::create_table(table),
            (ObjectKind::View, Some(Object::View(view))) => {
                let settings = self.plan_settings()?;
                let relation = self.binder(&view.query, &settings).query(&view.query.query)?;
                describe::create_view(view, &relation.schema)
            }
            (ObjectKind::Table, Some(Object::View(_))) => {
                let message = format!("'{resolved}' is a view, not a table");
                return Err(semantic(message, name.span).help("use SHOW CREATE VIEW"));
            }
            (ObjectKind::View, Some(Object::Table(_))) => {
                let message = format!("'{resolved}' is a table, not a view");
                return Err(semantic(message, name.span).help("use SHOW CREATE TABLE"));
            }
            _ => return Err(self.no_such(kind.noun(), resolved, name.span)),
        };
        Ok(one("result", &text))
    }

    pub(super) fn describe(&self, name: &TableName) -> Result<Rows> {
        let resolved = name.resolve()?;
        match self.catalog.get(resolved) {
            Some(Object::Table(table)) => Ok(describe::table(table)),
            Some(Object::View(view)) => {
                let settings = self.plan_settings()?;
                let relation = self.binder(&view.query, &settings).query(&view.query.query)?;
                Ok(describe::view(view, &relation.schema))
            }
            None => Err(self.no_such("table or view", resolved, name.span)),
        }
    }

    /// All functions, or those of CREATE FUNCTION, in small letters: Flink's are called that way here.
    fn functions(&self, user: bool, like: &Option<NamePattern>, span: Span) -> Result<Rows> {
        let built_in = tidegate_functions::names().chain(bind::aggregate::names());
        // Operators have signs or several words.
        let built_in =
            built_in.filter(|name| name.chars().all(|c| c == '_' || c.is_alphanumeric()));
        let called: BTreeSet<String> = match user {
            true => self.functions.iter().map(|name| name.to_lowercase()).collect(),
            false => built_in.map(str::to_lowercase).collect(),
        };
        names("function name", called.iter().map(String::as_str), like, span)
    }

    fn no_partitions(&self, table: &TableName) -> Error {
        let error = |resolved: &str| match self.catalog.get(resolved) {
            Some(Object::Table(found)) if found.partition_keys.is_empty() => {
                semantic(format!("the table '{resolved}' is not partitioned"), table.span)
            }
            Some(Object::Table(found)) => {
                let keys = found.partition_keys.join(", ");
                let message = "SHOW PARTITIONS is not supported: the catalog keeps no list of them";
                Error::unsupported(message)
                    .at(table.span)
                    .help(format!("ask the data: SELECT DISTINCT {keys} FROM {resolved}"))
            }
            Some(Object::View(_)) => {
                semantic(format!("'{resolved}' is a view, not a table"), table.span)
            }
            None => self.no_such("table", resolved, table.span),
        };
        table.resolve().map_or_else(|error| error, error)
    }

    /// There is one catalog, one database and one module to use.
    pub(super) fn use_statement(&self, used: &Use, span: Span) -> Result<Planned> {
        match used {
            Use::Catalog(name) => check_catalog(&name.value, span)?,
            Use::Database(name) => check_database_name(name)?,
            Use::Modules(modules) => {
                if let Some(other) = modules.iter().find(|module| module.value != MODULE) {
                    let message = format!("there is no module '{}'", other.value);
                    return Err(Error::new(ErrorCode::NotFound, message)
                        .at(span)
                        .help("the only module is core, with the built-in functions"));
                }
                if modules.len() > 1 {
                    return Err(semantic("a module is named twice", span));
                }
            }
        }
        Ok(done("it is in use"))
    }
}

fn check_catalog(name: &str, span: Span) -> Result<()> {
    if name == CATALOG {
        return Ok(());
    }
    Err(Error::new(ErrorCode::NotFound, format!("there is no catalog '{name}'"))
        .at(span)
        .help("the only catalog is default_catalog: declare tables with CREATE TABLE"))
}

fn check_catalog_name(name: &TableName) -> Result<()> {
    check_catalog(&name.parts.join("."), name.span)
}

fn check_database(name: &Option<TableName>) -> Result<()> {
    name.as_ref().map_or(Ok(()), check_database_name)
}

fn check_database_name(name: &TableName) -> Result<()> {
    let parts: Vec<&str> = name.parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [DATABASE] | [CATALOG, DATABASE] => Ok(()),
        _ => Err(Error::new(ErrorCode::NotFound, format!("there is no database '{name}'"))
            .at(name.span)
            .help("the only database is default_database in default_catalog")),
    }
}

fn one(column: &str, value: &str) -> Rows {
    Rows { columns: vec![column.to_owned()], rows: vec![vec![value.to_owned()]] }
}

/// The names that a pattern lets through, one per row.
fn names<'a>(
    column: &str,
    names: impl Iterator<Item = &'a str>,
    like: &Option<NamePattern>,
    span: Span,
) -> Result<Rows> {
    let mut rows = Vec::new();
    for name in names {
        if is_wanted(name, like, span)? {
            rows.push(vec![name.to_owned()]);
        }
    }
    Ok(Rows { columns: vec![column.to_owned()], rows })
}

fn is_wanted(name: &str, like: &Option<NamePattern>, span: Span) -> Result<bool> {
    let Some(like) = like else {
        return Ok(true);
    };
    let matches = match like.any_case {
        true => is_like(&name.to_lowercase(), &like.pattern.to_lowercase(), Some('\\')),
        false => is_like(name, &like.pattern, Some('\\')),
    };
    Ok(matches.map_err(|error| error.at(span))? != like.negated)
}
