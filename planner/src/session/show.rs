//! SHOW and DESCRIBE: what is in the catalogs.

use std::collections::BTreeSet;

use tidegate_functions::is_like;
use tidegate_plan::Schema;
use tidegate_types::{Result, Span};

use super::namespace::MODULE;
use super::{Planned, Rows, Session};
use crate::bind::{self, Binder, semantic};
use crate::catalog::{Database, Namespace, Object, View};
use crate::describe;
use crate::governed::Purpose;
use crate::parser::ast::{Describe, NamePattern, ObjectKind, Show, TableName};

impl Session {
    pub(super) fn show(&self, show: &Show, span: Span) -> Result<Planned> {
        let rows = match show {
            Show::Catalogs(like) => {
                let own = self.catalog.catalog_names().map(str::to_owned);
                let all: BTreeSet<String> = own.chain(self.catalog.governed_catalogs()?).collect();
                names("catalog name", all.iter().map(String::as_str), like, span)?
            }
            Show::Databases(catalog, like) => {
                let all = self.databases(catalog.as_ref())?;
                names("database name", all.iter().map(String::as_str), like, span)?
            }
            Show::CurrentCatalog => one("current catalog name", &self.here.catalog),
            Show::CurrentDatabase => one("current database name", &self.here.database),
            Show::Tables(database, like) => {
                let namespace = self.listed(database)?;
                let own = self.catalog.names(&namespace).map(str::to_owned);
                let governed = self.catalog.governed_names(&namespace)?;
                let all: BTreeSet<String> = own.chain(governed).collect();
                names("table name", all.iter().map(String::as_str), like, span)?
            }
            Show::Views(database, like) => {
                let namespace = self.listed(database)?;
                let views = self.catalog.view_names(&namespace);
                names("view name", views.into_iter(), like, span)?
            }
            Show::Columns(table, like) => self.columns(table, like, span)?,
            Show::Create(ObjectKind::Function, name) => self.show_create_function(name)?,
            Show::Create(kind, name) => self.show_create(*kind, name)?,
            Show::CreateCatalog(name) => {
                one("result", &describe::create_catalog(&name.value, self.entry(name)?))
            }
            Show::Functions { user, database, like } => {
                let namespace = self.listed(database)?;
                self.functions(*user, &namespace, like, span)?
            }
            Show::Modules { full: false } => one("module name", MODULE),
            Show::Modules { full: true } => Rows {
                columns: ["module name", "used"].map(str::to_owned).to_vec(),
                rows: vec![[MODULE, "TRUE"].map(str::to_owned).to_vec()],
            },
            Show::Partitions(table, values) => self.partitions(table, values)?,
            Show::Nothing(column, database) => {
                self.listed(database)?;
                Rows { columns: vec![(*column).to_owned()], rows: Vec::new() }
            }
        };
        Ok(Planned::Rows(rows))
    }

    /// The databases of a catalog, or of the one in use.
    fn databases(&self, catalog: Option<&TableName>) -> Result<Vec<String>> {
        let catalog = match catalog {
            None => &self.here.catalog,
            Some(name) => match name.parts.as_slice() {
                [catalog] => catalog,
                _ => {
                    let message = format!("the name {name} is none of a catalog");
                    return Err(semantic(message, name.span));
                }
            },
        };
        match self.catalog.governed_databases(catalog)? {
            Some(governed) => Ok(governed),
            None => Ok(self.catalog.databases(catalog)?.all.keys().cloned().collect()),
        }
    }

    /// The database that is named, which must be there, or the one in use.
    fn listed(&self, name: &Option<TableName>) -> Result<Namespace> {
        let Some(name) = name else {
            return Ok(self.here.clone());
        };
        if let Some(governed) = self.catalog.governed_database(name, &self.here)? {
            return Ok(governed);
        }
        let namespace = name.database(&self.here)?;
        self.catalog.database(&namespace).map_err(|error| error.at(name.span))?;
        Ok(namespace)
    }

    fn columns(&self, table: &TableName, like: &Option<NamePattern>, span: Span) -> Result<Rows> {
        let mut rows = self.describe_table(table)?;
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
        let found = self.named(name, Purpose::Show)?;
        let resolved = found.path;
        let text = match (kind, found.object) {
            (ObjectKind::Table, Some(Object::Table(table))) => describe::create_table(&table),
            (ObjectKind::View, Some(Object::View(view))) => {
                describe::create_view(&view, &self.view_schema(&view)?)
            }
            (ObjectKind::Table, Some(Object::View(_))) => {
                let message = format!("'{resolved}' is a view, not a table");
                return Err(semantic(message, name.span).help("use SHOW CREATE VIEW"));
            }
            (ObjectKind::View, Some(Object::Table(_))) => {
                let message = format!("'{resolved}' is a table, not a view");
                return Err(semantic(message, name.span).help("use SHOW CREATE TABLE"));
            }
            _ => return Err(self.no_such(kind.noun(), name)?),
        };
        Ok(one("result", &text))
    }

    pub(super) fn describe(&self, described: &Describe) -> Result<Rows> {
        match described {
            Describe::Table(name) => self.describe_table(name),
            Describe::Catalog { name, extended } => {
                Ok(describe::catalog(&name.value, self.entry(name)?, *extended))
            }
            Describe::Database { name, extended } => {
                if let Some(governed) = self.catalog.governed_database(name, &self.here)? {
                    return Ok(describe::database(&governed, &Database::default(), *extended));
                }
                let namespace = name.database(&self.here)?;
                let database = self.catalog.database(&namespace);
                let database = database.map_err(|error| error.at(name.span))?;
                Ok(describe::database(&namespace, database, *extended))
            }
            Describe::Function { name, extended } => self.describe_function(name, *extended),
        }
    }

    fn describe_table(&self, name: &TableName) -> Result<Rows> {
        match self.named(name, Purpose::Show)?.object {
            Some(Object::Table(table)) => Ok(describe::table(&table)),
            Some(Object::View(view)) => Ok(describe::view(&view, &self.view_schema(&view)?)),
            None => Err(self.no_such("table or view", name)?),
        }
    }

    /// The columns of a view's query.
    fn view_schema(&self, view: &View) -> Result<Schema> {
        let (settings, query) = (self.plan_settings()?, &view.query);
        let (hints, span) = (&query.hints, query.span);
        let mut binder = Binder::new(&self.catalog, &view.here, &settings, hints, span);
        Ok(binder.query(&query.query)?.schema)
    }

    /// What CREATE FUNCTION made, else what is built in.
    fn describe_function(&self, name: &TableName, extended: bool) -> Result<Rows> {
        let path = self.function_path(name)?;
        if let Some((kept, function)) = self.catalog.function(&path, name.parts.len() > 1) {
            return Ok(describe::function(kept, function, extended));
        }
        let upper = path.name.to_uppercase();
        let aggregate = bind::aggregate::is_aggregate(&upper);
        let known = tidegate_functions::lookup(&upper);
        if name.parts.len() > 1 || known.is_none() && !aggregate {
            return Err(self.no_function(&path, name.span));
        }
        let immutable =
            known.is_none_or(|known| known.volatility == tidegate_functions::Volatility::Immutable);
        Ok(describe::built_in_function(aggregate, immutable, extended))
    }

    fn show_create_function(&self, name: &TableName) -> Result<Rows> {
        let path = self.function_path(name)?;
        match self.catalog.function(&path, name.parts.len() > 1) {
            Some((kept, function)) => {
                Ok(one("result", &describe::create_function(kept, &path, function)))
            }
            None => Err(self.no_function(&path, name.span)),
        }
    }

    /// All functions, or those of CREATE FUNCTION, in small letters: Flink's are called that way here.
    fn functions(
        &self,
        user: bool,
        here: &Namespace,
        like: &Option<NamePattern>,
        span: Span,
    ) -> Result<Rows> {
        let built_in = tidegate_functions::names().chain(bind::aggregate::names());
        // Operators have signs or several words.
        let built_in =
            built_in.filter(|name| name.chars().all(|c| c == '_' || c.is_alphanumeric()));
        let made = self.catalog.function_names(here).into_iter().map(str::to_owned);
        let called: BTreeSet<String> = match user {
            true => made.collect(),
            false => built_in.map(str::to_lowercase).chain(made).collect(),
        };
        names("function name", called.iter().map(String::as_str), like, span)
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
