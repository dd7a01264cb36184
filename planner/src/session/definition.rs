//! CREATE and DROP of tables and views.
//!
//! Not here: `CREATE TABLE … AS` (`table_as.rs`), what LIKE takes over (`like.rs`), functions (`function.rs`).

use std::sync::Arc;

use tidegate_plan::PlanSettings;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::{Planned, Session, done};
use crate::bind::{self, Binder};
use crate::catalog::{Object, Table, View};
use crate::governed::{self, Governing, Purpose};
use crate::parser::ast::{CreateTable, CreateView, Drop, ObjectKind, TableName};
use crate::suggest;

impl Session {
    pub(super) fn create_table(&mut self, create: &CreateTable, span: Span) -> Result<Planned> {
        let settings = self.plan_settings()?;
        if !self.is_free(&create.name, create.temporary, create.if_not_exists)? {
            return Ok(done("the table exists already"));
        }
        let definition = match &create.like {
            Some(like) => super::like::merge(&self.like_source(like)?, create, like)?,
            None => create.clone(),
        };
        let table = self.bound_table(definition, &settings, span).map_err(|error| {
            match &create.like {
                // What is wrong may stand in the other table's declaration.
                Some(like) => error.context(format!("table {} LIKE {}", create.name, like.source)),
                None => error,
            }
        })?;
        let path = table.path.clone();
        self.catalog.insert(path.clone(), Object::Table(Arc::new(table)))?;
        Ok(Planned::Done(format!("table {path} created")))
    }

    /// A table's declaration with its expressions bound.
    pub(super) fn bound_table(
        &self,
        definition: CreateTable,
        settings: &PlanSettings,
        span: Span,
    ) -> Result<Table> {
        bind::table::table(definition, &self.catalog, &self.here, settings, span)
    }

    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<Planned> {
        let path = create.name.resolve(&self.here)?;
        if !create.temporary {
            let catalog = &path.namespace.catalog;
            self.catalog.check_own(catalog, Governing::Made("view"), create.name.span)?;
        }
        let replaced = create.replace
            && matches!(self.catalog.among(create.temporary, &path), Some(Object::View(_)));
        if !replaced && !self.is_free(&create.name, create.temporary, create.if_not_exists)? {
            return Ok(done("the view exists already"));
        }
        let view = View {
            path: path.clone(),
            here: self.here.clone(),
            temporary: create.temporary,
            columns: create.columns.iter().map(|column| column.value.clone()).collect(),
            comment: create.comment.clone(),
            query: create.query.clone(),
            text: create.text.clone(),
        };
        self.check_view(&view, create.name.span)?;
        self.catalog.insert(path.clone(), Object::View(Arc::new(view)))?;
        Ok(Planned::Done(format!("view {path} created")))
    }

    /// Whether a view's query binds once there is the view, and has as many columns as the view names.
    pub(super) fn check_view(&self, view: &View, span: Span) -> Result<()> {
        let settings = self.plan_settings()?;
        let mut catalog = self.catalog.clone();
        catalog.insert(view.path.clone(), Object::View(Arc::new(view.clone())))?;
        let query = &view.query;
        let mut binder = Binder::new(&catalog, &view.here, &settings, &query.hints, query.span);
        binder.expanding.push(view.path.clone());
        let relation = binder.whole_query(&view.query.query)?;
        let (named, found) = (view.columns.len(), relation.schema.len());
        if named > 0 && named != found {
            let message = format!("the view names {named} columns, its query has {found}");
            return Err(bind::semantic(message, span));
        }
        Ok(())
    }

    /// Whether a name may be given to something new: temporary objects hide others, and need no database.
    pub(super) fn is_free(
        &self,
        name: &TableName,
        temporary: bool,
        if_not_exists: bool,
    ) -> Result<bool> {
        let resolved = name.resolve(&self.here)?;
        if !temporary {
            let catalog = &resolved.namespace.catalog;
            self.catalog.check_own(catalog, Governing::Made("table"), name.span)?;
            self.catalog.database(&resolved.namespace).map_err(|error| error.at(name.span))?;
        }
        let Some(object) = self.catalog.among(temporary, &resolved) else {
            return Ok(true);
        };
        if if_not_exists {
            return Ok(false);
        }
        let noun = kind_of(object).noun();
        let message = format!("there is a {noun} '{resolved}' already");
        Err(Error::new(ErrorCode::AlreadyExists, message)
            .at(name.span)
            .help(format!("use IF NOT EXISTS, or DROP {} first", noun.to_uppercase())))
    }

    pub(super) fn drop_object(&mut self, drop: &Drop) -> Result<Planned> {
        if drop.kind == ObjectKind::Function {
            return self.drop_function(drop);
        }
        let path = drop.name.resolve(&self.here)?;
        let noun = drop.kind.noun();
        let is = |object: Option<&Object>| object.map(kind_of) == Some(drop.kind);
        if !drop.temporary && is(self.catalog.among(true, &path)) {
            let message = format!("'{path}' is a temporary {noun}");
            let help = format!("DROP TEMPORARY {}", noun.to_uppercase());
            return Err(bind::semantic(message, drop.name.span).help(help));
        }
        if is(self.catalog.among(drop.temporary, &path)) {
            self.catalog.remove(drop.temporary, &path);
            return Ok(Planned::Done(format!("{noun} {path} dropped")));
        }
        if !drop.temporary {
            let catalog = &path.namespace.catalog;
            self.catalog.check_own(catalog, Governing::Changed(noun), drop.name.span)?;
        }
        if drop.if_exists {
            return Ok(Planned::Done(format!("there is no {noun} {path}")));
        }
        match self.catalog.get(&path) {
            Some(object) if kind_of(object) != drop.kind => {
                let message = format!("'{path}' is a {}, not a {noun}", kind_of(object).noun());
                Err(bind::semantic(message, drop.name.span))
            }
            Some(_) => {
                let message = format!("there is no temporary {noun} '{path}'");
                Err(Error::new(ErrorCode::NotFound, message)
                    .at(drop.name.span)
                    .help(format!("DROP {} without TEMPORARY", noun.to_uppercase())))
            }
            None => Err(self.none_to_change(noun, &drop.name)?),
        }
    }

    pub(super) fn no_such(&self, noun: &str, name: &TableName) -> Result<Error> {
        let path = name.resolve(&self.here)?;
        let error =
            Error::new(ErrorCode::NotFound, format!("there is no {noun} '{path}'")).at(name.span);
        let known = self.catalog.candidates(name, &self.here);
        let known = known.iter().map(String::as_str);
        Ok(match suggest::advice(&path.name, known, "there are") {
            Some(advice) => error.help(advice),
            None => error,
        })
    }

    /// That there is no such object of the script to change; one that the catalog governs is not the script's.
    pub(super) fn none_to_change(&self, noun: &'static str, name: &TableName) -> Result<Error> {
        let found = self.named(name, Purpose::Show)?;
        match found.governed {
            true => {
                let project = &found.path.namespace.catalog;
                Ok(governed::refused(project, Governing::Changed(noun), name.span))
            }
            false => self.no_such(noun, name),
        }
    }
}

pub(super) fn kind_of(object: &Object) -> ObjectKind {
    match object {
        Object::Table(_) => ObjectKind::Table,
        Object::View(_) => ObjectKind::View,
    }
}
