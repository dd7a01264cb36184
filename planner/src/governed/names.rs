//! What a name in a script stands for: something of the script first, else a governed table.
//!
//! Projects are catalogs beside those of the script. A script begins in its own default database; names without a
//! database that are not found there are those of the job's project in [`FIRST_DATABASE`], and names with a database
//! are those of the project.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_plan::PlanSettings;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::access::{Purpose, table_for};
use super::{FIRST_DATABASE, GovernedTable, GovernedTables};
use crate::catalog::{Catalog, DEFAULT_CATALOG, Namespace, Object, ObjectPath};
use crate::parser::ast::{CreateTable, StatementKind, TableName};
use crate::parser::parse_script;

/// The governed tables that a session may name.
#[derive(Debug, Clone)]
pub(crate) struct GovernedCatalogs {
    provider: Arc<dyn GovernedTables>,
    home: Namespace,
    /// What was answered, so that all statements of a script see one definition.
    answers: Arc<Mutex<BTreeMap<ObjectPath, Option<Arc<Answer>>>>>,
}

/// A table with its definition read.
#[derive(Debug)]
struct Answer {
    table: GovernedTable,
    definition: CreateTable,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where it was found; where it would stand in the script, if it was not.
    pub(crate) path: ObjectPath,
    pub(crate) object: Option<Object>,
    /// Whether the catalog governs it.
    pub(crate) governed: bool,
}

impl GovernedCatalogs {
    pub(crate) fn new(provider: Arc<dyn GovernedTables>, project: &str) -> Self {
        let home = Namespace::new(project, FIRST_DATABASE);
        Self { provider, home, answers: Arc::default() }
    }

    fn answer(&self, path: &ObjectPath) -> Result<Option<Arc<Answer>>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers.get(path) {
            return Ok(known.clone());
        }
        let Namespace { catalog, database } = &path.namespace;
        let answer = match self.provider.table(catalog, database, &path.name)? {
            None => None,
            Some(table) => {
                let definition = definition_of(path, &table)?;
                Some(Arc::new(Answer { table, definition }))
            }
        };
        answers.insert(path.clone(), answer.clone());
        Ok(answer)
    }
}

/// The definition under its full name.
fn definition_of(path: &ObjectPath, table: &GovernedTable) -> Result<CreateTable> {
    let mut definition = parsed(&table.definition).map_err(|error| of_definition(&error, path))?;
    let Namespace { catalog, database } = &path.namespace;
    definition.name.parts = vec![catalog.clone(), database.clone(), path.name.clone()];
    Ok(definition)
}

/// The CREATE TABLE statement that a text consists of.
///
/// # Errors
/// `SQL_SYNTAX` and `SQL_SEMANTIC` for anything else, with places in the text.
pub(super) fn parsed(definition: &str) -> Result<CreateTable> {
    let mut statements = parse_script(definition)?.into_iter();
    let refused = |message: &str| Err(Error::new(ErrorCode::SqlSemantic, message));
    match (statements.next().map(|statement| statement.kind), statements.next()) {
        (Some(StatementKind::CreateTable(create)), None) if create.like.is_none() => {
            Ok(CreateTable { temporary: false, ..create })
        }
        (Some(StatementKind::CreateTable(_)), None) => refused("a definition has no LIKE"),
        _ => refused("a definition is one CREATE TABLE statement"),
    }
}

/// An error in a definition, whose places are not those of the script.
pub(super) fn of_definition(error: &Error, path: &ObjectPath) -> Error {
    let message = format!("the definition of table '{path}': {}", error.message());
    let placeless = Error::new(error.code(), message);
    match error.help_text() {
        Some(help) => placeless.help(help),
        None => placeless,
    }
}

impl Catalog {
    /// Lets names stand for the governed tables that a caller sees.
    ///
    /// # Errors
    /// Those of the provider; `NOT_FOUND` if it does not know the project.
    pub(crate) fn govern(&mut self, governed: GovernedCatalogs) -> Result<()> {
        let project = &governed.home.catalog;
        if governed.provider.databases(project)?.is_none() {
            let message = format!("there is no project '{project}'");
            return Err(Error::new(ErrorCode::NotFound, message));
        }
        self.governed = Some(governed);
        Ok(())
    }

    /// What a name stands for in a use of it.
    ///
    /// # Errors
    /// What keeps the caller from this use of a governed table, and errors of its definition.
    pub(crate) fn named(
        &self,
        name: &TableName,
        here: &Namespace,
        purpose: Purpose,
        settings: &PlanSettings,
    ) -> Result<Found> {
        let path = name.resolve(here)?;
        if let Some(object) = self.get(&path) {
            return Ok(Found { path, object: Some(object.clone()), governed: false });
        }
        let Some((governed, found)) = self.governed_path(name, here, &path) else {
            return Ok(Found { path, object: None, governed: false });
        };
        let answer = governed.answer(&found).map_err(|error| error.at(name.span))?;
        let Some(answer) = answer else {
            return Ok(Found { path, object: None, governed: false });
        };
        let refusal = match purpose {
            Purpose::Read => &answer.table.read,
            Purpose::Write => &answer.table.write,
            Purpose::Show => &None,
        };
        if let Some(refusal) = refusal {
            return Err(refusal.clone().at(name.span));
        }
        let (definition, table) = (answer.definition.clone(), &answer.table);
        let table = table_for(purpose, definition, table, &found, settings, name.span)?;
        Ok(Found { path: found, object: Some(Object::Table(Arc::new(table))), governed: true })
    }

    /// Where the table or view stands that a name finds, or would.
    pub(crate) fn place_of(&self, name: &TableName, here: &Namespace) -> Result<ObjectPath> {
        let path = name.resolve(here)?;
        if self.get(&path).is_some() {
            return Ok(path);
        }
        let governed = self.governed_path(name, here, &path).map(|(_, path)| path);
        Ok(governed.unwrap_or(path))
    }

    /// The governed table that a name would stand for, if the script has nothing of that name.
    fn governed_path(
        &self,
        name: &TableName,
        here: &Namespace,
        path: &ObjectPath,
    ) -> Option<(&GovernedCatalogs, ObjectPath)> {
        let governed = self.governed.as_ref()?;
        if !self.has_catalog(&path.namespace.catalog) {
            return Some((governed, path.clone()));
        }
        let namespace = match name.parts.as_slice() {
            [_] if *here == Namespace::default() => governed.home.clone(),
            [database, _]
                if here.catalog == DEFAULT_CATALOG && self.database(&path.namespace).is_err() =>
            {
                Namespace::new(&governed.home.catalog, database)
            }
            _ => return None,
        };
        Some((governed, namespace.path(&path.name)))
    }

    /// Names that a misspelt one may have meant: of the script, and of the governed database that was looked in.
    pub(crate) fn candidates(&self, name: &TableName, here: &Namespace) -> Vec<String> {
        let Ok(path) = name.resolve(here) else { return Vec::new() };
        let mut names: Vec<String> = self.names(&path.namespace).map(str::to_owned).collect();
        if let Some((governed, path)) = self.governed_path(name, here, &path) {
            let Namespace { catalog, database } = &path.namespace;
            // There is an error to tell already.
            names.extend(governed.provider.tables(catalog, database).unwrap_or_default());
        }
        names
    }

    /// The databases of a project; `None` for what is no visible project, or where there are none.
    pub(crate) fn governed_databases(&self, catalog: &str) -> Result<Option<Vec<String>>> {
        match &self.governed {
            Some(governed) if !self.has_catalog(catalog) => governed.provider.databases(catalog),
            _ => Ok(None),
        }
    }

    /// The projects that are seen.
    pub(crate) fn governed_catalogs(&self) -> Result<Vec<String>> {
        self.governed.as_ref().map_or(Ok(Vec::new()), |governed| governed.provider.projects())
    }

    /// Names of the governed tables that are found where names are looked up in `here`.
    pub(crate) fn governed_names(&self, here: &Namespace) -> Result<Vec<String>> {
        let Some(governed) = &self.governed else { return Ok(Vec::new()) };
        let looked_in = match self.has_catalog(&here.catalog) {
            true if *here == Namespace::default() => &governed.home,
            true => return Ok(Vec::new()),
            false => here,
        };
        governed.provider.tables(&looked_in.catalog, &looked_in.database)
    }

    /// The governed database that USE and SHOW name: one of the project in use, of another, or of the job's.
    pub(crate) fn governed_database(
        &self,
        name: &TableName,
        here: &Namespace,
    ) -> Result<Option<Namespace>> {
        let (Some(governed), named) = (&self.governed, name.database(here)?) else {
            return Ok(None);
        };
        let looked_in = match self.has_catalog(&named.catalog) {
            false => named,
            true if name.parts.len() == 1
                && here.catalog == DEFAULT_CATALOG
                && self.database(&named).is_err() =>
            {
                Namespace::new(&governed.home.catalog, &named.database)
            }
            true => return Ok(None),
        };
        let databases = governed.provider.databases(&looked_in.catalog)?;
        let is_there = databases.is_some_and(|all| all.contains(&looked_in.database));
        Ok(is_there.then_some(looked_in))
    }

    /// Refuses what a statement would do in a project: only the catalog's API changes one.
    ///
    /// # Errors
    /// `UNSUPPORTED` with what to do instead.
    pub(crate) fn check_own(&self, catalog: &str, kind: Governing, span: Span) -> Result<()> {
        let databases = self.governed_databases(catalog).map_err(|error| error.at(span))?;
        match databases {
            None => Ok(()),
            Some(_) => Err(refused(catalog, kind, span)),
        }
    }
}

/// What a statement would make, change or drop in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Governing {
    Made(&'static str),
    Changed(&'static str),
}

/// The refusal of a change of a project.
pub(crate) fn refused(catalog: &str, kind: Governing, span: Span) -> Error {
    let (message, help) = match kind {
        Governing::Made(noun @ ("table" | "view" | "function")) => (
            format!(
                "a script makes no {noun} in the project '{catalog}', which the catalog governs"
            ),
            format!(
                "write CREATE TEMPORARY {} for one of this script alone, or make it by the catalog's API",
                noun.to_uppercase()
            ),
        ),
        Governing::Made(noun) => (
            format!(
                "a script makes no {noun} of the name '{catalog}': there is a project of that name"
            ),
            "choose another name".to_owned(),
        ),
        Governing::Changed(noun) => (
            format!(
                "a script neither changes nor drops a {noun} of the project '{catalog}', which the catalog governs"
            ),
            "change it by the catalog's API".to_owned(),
        ),
    };
    Error::unsupported(message).at(span).help(help)
}
