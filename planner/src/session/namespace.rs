//! Catalogs and databases: CREATE, DROP, ALTER and USE.
//!
//! All catalogs are kept in memory, as Flink's `generic_in_memory` ones are.

use std::collections::BTreeMap;

use sqlparser::ast::Ident;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::{Planned, Session, done};
use crate::bind::semantic;
use crate::catalog::{CatalogEntry, Database, Databases, Namespace};
use crate::governed::Governing;
use crate::parser::ast::{CatalogChange, NamespaceStatement, TableName, TableOption, Use};
use crate::parser::cursor;

/// The type of catalog that there is.
const IN_MEMORY: &str = "generic_in_memory";
/// The database of a catalog that says nothing else, as in Flink.
const FIRST_DATABASE: &str = crate::governed::FIRST_DATABASE;
/// The only module.
pub(super) const MODULE: &str = "core";

impl Session {
    pub(super) fn namespace_statement(
        &mut self,
        statement: &NamespaceStatement,
    ) -> Result<Planned> {
        use NamespaceStatement as S;
        match statement {
            S::CreateCatalog { name, if_not_exists, comment, options } => {
                let exists = self.catalog.catalog_names().any(|known| known == name.value);
                if exists && *if_not_exists {
                    return Ok(done("the catalog exists already"));
                }
                if exists {
                    return Err(exists_already("catalog", &name.value, place(name)));
                }
                let (project, place) = (&name.value, place(name));
                self.catalog.check_own(project, Governing::Made("catalog"), place)?;
                self.create_catalog(name, comment.clone(), options)
            }
            S::DropCatalog { name, if_exists } => self.drop_catalog(name, *if_exists),
            S::AlterCatalog { name, change } => self.alter_catalog(name, change),
            S::CreateDatabase { name, if_not_exists, comment, options } => {
                let namespace = name.database(&self.here)?;
                let kind = Governing::Changed("database");
                self.catalog.check_own(&namespace.catalog, kind, name.span)?;
                let databases = self.catalog.databases_mut(&namespace.catalog);
                let databases = databases.map_err(|error| error.at(name.span))?;
                if databases.all.contains_key(&namespace.database) {
                    return match if_not_exists {
                        true => Ok(done("the database exists already")),
                        false => Err(exists_already("database", &namespace.database, name.span)),
                    };
                }
                let (comment, options) = (comment.clone(), options_of(options)?);
                let database = Database::new(comment, options);
                databases.all.insert(namespace.database.clone(), database);
                Ok(Planned::Done(format!("database {namespace} created")))
            }
            S::DropDatabase { name, if_exists, cascade } => {
                self.drop_database(name, *if_exists, *cascade)
            }
            S::AlterDatabase { name, options } => {
                let namespace = name.database(&self.here)?;
                let kind = Governing::Changed("database");
                self.catalog.check_own(&namespace.catalog, kind, name.span)?;
                let database = self.catalog.database_mut(&namespace);
                let database = database.map_err(|error| error.at(name.span))?;
                database.options.extend(options_of(options)?);
                Ok(Planned::Done(format!("database {namespace} altered")))
            }
        }
    }

    fn create_catalog(
        &mut self,
        name: &Ident,
        comment: Option<String>,
        options: &[TableOption],
    ) -> Result<Planned> {
        for (key, value, span) in options {
            check_option(key, value, *span)?;
        }
        let entry = CatalogEntry { comment, options: options_of(options)? };
        if !entry.options.contains_key("type") {
            let message = format!("the catalog '{}' has no 'type'", name.value);
            let error = Error::new(ErrorCode::InvalidOption, message).at(place(name));
            return Err(error.help(format!("say WITH ('type' = '{IN_MEMORY}')")));
        }
        let first = first_database(&entry.options);
        self.catalog.insert_catalog(&name.value, Databases::new(Some(entry), &first));
        Ok(Planned::Done(format!("catalog {} created", name.value)))
    }

    /// What CREATE CATALOG said of a catalog.
    pub(super) fn entry(&self, name: &Ident) -> Result<&CatalogEntry> {
        if self.catalog.governed_databases(&name.value)?.is_some() {
            return Err(not_made(name));
        }
        let databases = self.catalog.databases(&name.value);
        let databases = databases.map_err(|error| error.at(place(name)))?;
        databases.entry.as_ref().ok_or_else(|| not_made(name))
    }

    fn drop_catalog(&mut self, name: &Ident, if_exists: bool) -> Result<Planned> {
        let kind = Governing::Changed("catalog");
        self.catalog.check_own(&name.value, kind, place(name))?;
        let known = self.catalog.databases(&name.value).map(|_| ());
        match known {
            Err(_) if if_exists => Ok(done("there is no such catalog")),
            Err(error) => Err(error.at(place(name))),
            Ok(()) if self.here.catalog == name.value => {
                let message = format!("the catalog '{}' is in use", name.value);
                Err(in_use(message, place(name)).help("USE CATALOG another one first"))
            }
            Ok(()) => {
                self.catalog.remove_catalog(&name.value);
                Ok(Planned::Done(format!("catalog {} dropped", name.value)))
            }
        }
    }

    fn alter_catalog(&mut self, name: &Ident, change: &CatalogChange) -> Result<Planned> {
        let kind = Governing::Changed("catalog");
        self.catalog.check_own(&name.value, kind, place(name))?;
        let is_used = self.here.catalog == name.value;
        let databases = self.catalog.databases_mut(&name.value);
        let databases = databases.map_err(|error| error.at(place(name)))?;
        let Some(entry) = &mut databases.entry else {
            return Err(not_made(name));
        };
        match change {
            CatalogChange::Set(options) => {
                for (key, value, span) in options {
                    check_option(key, value, *span)?;
                }
                entry.options.extend(options_of(options)?);
            }
            CatalogChange::Reset(keys) => {
                for (key, span) in keys {
                    if key == "type" {
                        let message = "the option 'type' of a catalog cannot be taken away";
                        return Err(Error::new(ErrorCode::InvalidOption, message).at(*span));
                    }
                    entry.options.remove(key);
                }
            }
            CatalogChange::Comment(comment) => entry.comment = Some(comment.clone()),
        }
        // It is made at its first use, with the options that it has then.
        if !is_used && databases.is_untouched() {
            let entry = databases.entry.take();
            let first = entry.as_ref().map(|entry| first_database(&entry.options));
            let first = first.unwrap_or_else(|| databases.default.clone());
            *databases = Databases::new(entry, &first);
        }
        Ok(Planned::Done(format!("catalog {} altered", name.value)))
    }

    fn drop_database(
        &mut self,
        name: &TableName,
        if_exists: bool,
        cascade: bool,
    ) -> Result<Planned> {
        let namespace = name.database(&self.here)?;
        let kind = Governing::Changed("database");
        self.catalog.check_own(&namespace.catalog, kind, name.span)?;
        let databases = self.catalog.databases_mut(&namespace.catalog);
        let databases = databases.map_err(|error| error.at(name.span))?;
        let Some(database) = databases.all.get(&namespace.database) else {
            let missing = self.catalog.database(&namespace).map(|_| ()).err();
            return match missing.filter(|_| !if_exists) {
                Some(error) => Err(error.at(name.span)),
                None => Ok(done("there is no such database")),
            };
        };
        if self.here == namespace {
            let message = format!("the database '{}' is in use", namespace.database);
            return Err(in_use(message, name.span).help("USE another one first"));
        }
        if !cascade && !database.is_empty() {
            let message = format!("the database '{}' is not empty", namespace.database);
            return Err(in_use(message, name.span).help("say CASCADE to drop what is in it, too"));
        }
        databases.all.remove(&namespace.database);
        Ok(Planned::Done(format!("database {namespace} dropped")))
    }

    /// Changes where names are looked up; of modules there is one.
    pub(super) fn use_statement(&mut self, used: &Use, span: Span) -> Result<Planned> {
        match used {
            Use::Catalog(name) if self.catalog.governed_databases(&name.value)?.is_some() => {
                self.here = Namespace::new(&name.value, FIRST_DATABASE);
            }
            Use::Catalog(name) => {
                let databases = self.catalog.databases(&name.value);
                let databases = databases.map_err(|error| error.at(place(name)))?;
                self.here = Namespace::new(&name.value, &databases.default);
            }
            Use::Database(name) => {
                if let Some(governed) = self.catalog.governed_database(name, &self.here)? {
                    self.here = governed;
                    return Ok(done("it is in use"));
                }
                let namespace = name.database(&self.here)?;
                self.catalog.database(&namespace).map_err(|error| error.at(name.span))?;
                self.here = namespace;
            }
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

fn place(name: &Ident) -> Span {
    cursor::span(name.span)
}

fn not_made(name: &Ident) -> Error {
    let message = format!("the catalog '{}' was not made by CREATE CATALOG", name.value);
    semantic(message, place(name)).help("it has neither options nor a comment")
}

fn first_database(options: &BTreeMap<String, String>) -> String {
    let first = options.get("default-database").cloned();
    first.unwrap_or_else(|| FIRST_DATABASE.to_owned())
}

fn exists_already(noun: &str, name: &str, span: Span) -> Error {
    let message = format!("there is a {noun} '{name}' already");
    Error::new(ErrorCode::AlreadyExists, message).at(span).help("use IF NOT EXISTS")
}

fn in_use(message: String, span: Span) -> Error {
    Error::new(ErrorCode::FailedPrecondition, message).at(span)
}

fn check_option(key: &str, value: &str, span: Span) -> Result<()> {
    let invalid = |message: String| Error::new(ErrorCode::InvalidOption, message).at(span);
    match key {
        "type" if value == IN_MEMORY => Ok(()),
        "type" => {
            let message = format!("there are no catalogs of type '{value}'");
            Err(invalid(message).help(format!("the types are: {IN_MEMORY}")))
        }
        "default-database" if value.trim().is_empty() => {
            Err(invalid("'default-database' is empty".to_owned()).help("give it a name"))
        }
        "default-database" | "property-version" => Ok(()),
        _ => {
            let message = format!("a catalog of type '{IN_MEMORY}' has no option '{key}'");
            Err(invalid(message).help("its options are: type, default-database"))
        }
    }
}

fn options_of(options: &[TableOption]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (key, value, span) in options {
        if found.insert(key.clone(), value.clone()).is_some() {
            let message = format!("the option '{key}' is given twice");
            return Err(Error::new(ErrorCode::InvalidOption, message).at(*span));
        }
    }
    Ok(found)
}
