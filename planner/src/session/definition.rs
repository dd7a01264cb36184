//! CREATE and DROP of tables, views and functions.
//!
//! Not here: `CREATE TABLE … AS` (`table_as.rs`), what LIKE takes over (`like.rs`).

use std::sync::Arc;

use tidegate_types::{Error, ErrorCode, Result, Span};

use super::{Planned, Session, done};
use crate::bind::{self, Binder};
use crate::catalog::{Object, View};
use crate::parser::ast::{CreateFunction, CreateTable, CreateView, Drop, ObjectKind, TableName};
use crate::suggest;

/// Classes of functions that are built in, and the functions.
const BUILT_IN_CLASSES: &[(&str, &str)] =
    &[("com.github.nexmark.flink.udf.CountChar", "COUNT_CHAR")];

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
        let table = bind::table::table(definition, &settings, span).map_err(|error| {
            match &create.like {
                // What is wrong may stand in the other table's declaration.
                Some(like) => error.context(format!("table {} LIKE {}", create.name, like.source)),
                None => error,
            }
        })?;
        let name = table.name.clone();
        self.catalog.insert(name.clone(), Object::Table(Arc::new(table)));
        Ok(Planned::Done(format!("table {name} created")))
    }

    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<Planned> {
        let name = create.name.resolve()?.to_owned();
        let replaced = create.replace
            && matches!(self.catalog.among(create.temporary, &name), Some(Object::View(_)));
        if !replaced && !self.is_free(&create.name, create.temporary, create.if_not_exists)? {
            return Ok(done("the view exists already"));
        }
        let view = View {
            name: name.clone(),
            temporary: create.temporary,
            columns: create.columns.iter().map(|column| column.value.clone()).collect(),
            comment: create.comment.clone(),
            query: create.query.clone(),
            text: create.text.clone(),
        };
        self.check_view(&view, create.name.span)?;
        self.catalog.insert(name.clone(), Object::View(Arc::new(view)));
        Ok(Planned::Done(format!("view {name} created")))
    }

    /// Whether a view's query binds once there is the view, and has as many columns as the view names.
    pub(super) fn check_view(&self, view: &View, span: Span) -> Result<()> {
        let settings = self.plan_settings()?;
        let mut catalog = self.catalog.clone();
        catalog.insert(view.name.clone(), Object::View(Arc::new(view.clone())));
        let mut binder = Binder::new(&catalog, &settings, &view.query.hints, view.query.span);
        binder.expanding.push(view.name.clone());
        let relation = binder.query(&view.query.query)?;
        let (named, found) = (view.columns.len(), relation.schema.len());
        if named > 0 && named != found {
            let message = format!("the view names {named} columns, its query has {found}");
            return Err(bind::semantic(message, span));
        }
        Ok(())
    }

    /// Whether a name may be given to something new: temporary objects hide others.
    pub(super) fn is_free(
        &self,
        name: &TableName,
        temporary: bool,
        if_not_exists: bool,
    ) -> Result<bool> {
        let resolved = name.resolve()?;
        let Some(object) = self.catalog.among(temporary, resolved) else {
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
        let name = drop.name.resolve()?;
        if drop.kind == ObjectKind::Function {
            return self.drop_function(name, drop);
        }
        let noun = drop.kind.noun();
        let is = |object: Option<&Object>| object.map(kind_of) == Some(drop.kind);
        if !drop.temporary && is(self.catalog.among(true, name)) {
            let message = format!("'{name}' is a temporary {noun}");
            let help = format!("DROP TEMPORARY {}", noun.to_uppercase());
            return Err(bind::semantic(message, drop.name.span).help(help));
        }
        if is(self.catalog.among(drop.temporary, name)) {
            self.catalog.remove(drop.temporary, name);
            return Ok(Planned::Done(format!("{noun} {name} dropped")));
        }
        if drop.if_exists {
            return Ok(Planned::Done(format!("there is no {noun} {name}")));
        }
        match self.catalog.get(name) {
            Some(object) if kind_of(object) != drop.kind => {
                let message = format!("'{name}' is a {}, not a {noun}", kind_of(object).noun());
                Err(bind::semantic(message, drop.name.span))
            }
            Some(_) => {
                let message = format!("there is no temporary {noun} '{name}'");
                Err(Error::new(ErrorCode::NotFound, message)
                    .at(drop.name.span)
                    .help(format!("DROP {} without TEMPORARY", noun.to_uppercase())))
            }
            None => Err(self.no_such(noun, name, drop.name.span)),
        }
    }

    pub(super) fn no_such(&self, noun: &str, name: &str, span: Span) -> Error {
        let error =
            Error::new(ErrorCode::NotFound, format!("there is no {noun} '{name}'")).at(span);
        match suggest::advice(name, self.catalog.names(), "there are") {
            Some(advice) => error.help(advice),
            None => error,
        }
    }

    /// A function of a class: code in other languages does not run yet, what is built in does.
    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Result<Planned> {
        let name = create.name.parts.last().map(String::as_str).unwrap_or_default();
        let known = BUILT_IN_CLASSES.iter().find(|(class, _)| *class == create.class);
        let Some((_, function)) = known.filter(|(_, known)| name.eq_ignore_ascii_case(known))
        else {
            let what = format!("the function {name} of class {}", create.class);
            return Err(bind::unsupported(&what, create.name.span)
                .help("user code does not run yet; use built-in functions"));
        };
        if !self.functions.insert((*function).to_owned()) && !create.if_not_exists {
            let message = format!("there is a function '{name}' already");
            return Err(Error::new(ErrorCode::AlreadyExists, message)
                .at(create.name.span)
                .help("use IF NOT EXISTS, or DROP FUNCTION first"));
        }
        Ok(Planned::Done(format!("function {name} is the built-in {function}")))
    }

    fn drop_function(&mut self, name: &str, drop: &Drop) -> Result<Planned> {
        if self.functions.remove(&name.to_ascii_uppercase()) {
            return Ok(Planned::Done(format!("function {name} dropped")));
        }
        if drop.if_exists {
            return Ok(Planned::Done(format!("there is no function {name} to drop")));
        }
        let message = format!("there is no function '{name}' that was made by CREATE FUNCTION");
        Err(Error::new(ErrorCode::NotFound, message)
            .at(drop.name.span)
            .help("use IF EXISTS; built-in functions stay"))
    }
}

pub(super) fn kind_of(object: &Object) -> ObjectKind {
    match object {
        Object::Table(_) => ObjectKind::Table,
        Object::View(_) => ObjectKind::View,
    }
}
