//! CREATE, ALTER and DROP of functions: with bodies in SQL, and of classes that are built in.

use std::sync::Arc;

use tidegate_plan::Expr;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::{Planned, Session, done};
use crate::bind::{self, Binder, NO_HINTS};
use crate::catalog::{Function, ObjectPath, SqlFunction};
use crate::governed::Governing;
use crate::parser::ast::{
    Body, CreateFunction, Drop, FunctionDefinition, Kept, SqlBody, TableName,
};
use crate::suggest;

/// Classes of functions that are built in, and the functions.
const BUILT_IN_CLASSES: &[(&str, &str)] =
    &[("com.github.nexmark.flink.udf.CountChar", "COUNT_CHAR")];

impl Session {
    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Result<Planned> {
        let path = self.function_path(&create.name)?;
        if create.kept == Kept::Catalog {
            let catalog = &path.namespace.catalog;
            self.catalog.check_own(catalog, Governing::Made("function"), create.name.span)?;
            let database = self.catalog.database(&path.namespace);
            database.map_err(|error| error.at(create.name.span))?;
        }
        let exists = self.catalog.function_among(create.kept, &path).is_some();
        if exists && create.if_not_exists {
            return Ok(done("the function exists already"));
        }
        if exists && !create.replace {
            let message = format!("there is a function '{path}' already");
            return Err(Error::new(ErrorCode::AlreadyExists, message)
                .at(create.name.span)
                .help("use IF NOT EXISTS or OR REPLACE, or DROP FUNCTION first"));
        }
        let (function, message) = match &create.definition {
            FunctionDefinition::Class(class) => {
                let built_in = built_in(class, &create.name)?;
                let message = format!("function {path} is the built-in {built_in}");
                (Function::Class(class.clone()), message)
            }
            FunctionDefinition::Sql(sql) => {
                let function = self.sql_function(&path, create, sql)?;
                (Function::Sql(Arc::new(function)), format!("function {path} created"))
            }
        };
        self.catalog.insert_function(create.kept, path, function)?;
        Ok(Planned::Done(message))
    }

    /// `ALTER FUNCTION`: another class for a function that is there.
    pub(super) fn alter_function(&mut self, altered: &CreateFunction) -> Result<Planned> {
        if altered.kept != Kept::Catalog {
            let message = "temporary functions cannot be altered";
            let error = bind::semantic(message, altered.name.span);
            return Err(error.help("use CREATE OR REPLACE TEMPORARY FUNCTION"));
        }
        let path = self.function_path(&altered.name)?;
        if self.catalog.function_among(Kept::Catalog, &path).is_none() {
            return match altered.if_not_exists {
                true => Ok(Planned::Done(format!("there is no function {path} to alter"))),
                false => Err(self.no_function(&path, altered.name.span)),
            };
        }
        self.create_function(&CreateFunction { if_not_exists: false, ..altered.clone() })
    }

    /// The full name of a function: small letters, as Flink keeps them.
    pub(super) fn function_path(&self, name: &TableName) -> Result<ObjectPath> {
        let path = name.resolve(&self.here)?;
        Ok(ObjectPath { name: path.name.to_lowercase(), ..path })
    }

    /// A function whose body fits its parameters and what it returns.
    fn sql_function(
        &self,
        path: &ObjectPath,
        create: &CreateFunction,
        sql: &SqlBody,
    ) -> Result<SqlFunction> {
        let upper = path.name.to_uppercase();
        if tidegate_functions::lookup(&upper).is_some() || bind::aggregate::is_aggregate(&upper) {
            let message = format!("there is a built-in function {upper}");
            return Err(bind::semantic(message, create.name.span).help("choose another name"));
        }
        let name = match create.kept {
            Kept::System => path.name.clone(),
            _ => path.to_string(),
        };
        let function = SqlFunction { name, here: self.here.clone(), sql: sql.clone() };
        self.check_function(&function).map_err(|error| error.at(create.name.span))?;
        Ok(function)
    }

    /// Binds the body as a call does, with columns of the parameters' types as arguments.
    fn check_function(&self, function: &SqlFunction) -> Result<()> {
        let settings = self.plan_settings()?;
        let binder =
            Binder::new(&self.catalog, &self.here, &settings, &NO_HINTS, function.sql.span);
        let parameters = function.sql.parameters.iter().enumerate();
        let values = parameters.map(|(index, parameter)| {
            (parameter.name.value.clone(), Expr::column(index, parameter.ty.clone()))
        });
        let values = values.collect();
        match &function.sql.body {
            Body::Value(_) => binder.check_value(function, values),
            Body::Table(_) => binder.check_table(function, values),
        }
    }

    pub(super) fn drop_function(&mut self, drop: &Drop) -> Result<Planned> {
        let kept = match (drop.temporary, drop.system) {
            (true, true) => Kept::System,
            (true, false) => Kept::Temporary,
            _ => Kept::Catalog,
        };
        let path = self.function_path(&drop.name)?;
        if self.catalog.remove_function(kept, &path).is_some() {
            return Ok(Planned::Done(format!("function {path} dropped")));
        }
        match drop.if_exists {
            true => Ok(Planned::Done(format!("there is no function {path} to drop"))),
            false => Err(self.no_function(&path, drop.name.span)),
        }
    }

    pub(super) fn no_function(&self, path: &ObjectPath, span: Span) -> Error {
        let message = format!("there is no function '{path}' that was made by CREATE FUNCTION");
        let error = Error::new(ErrorCode::NotFound, message).at(span);
        let known = self.catalog.function_names(&path.namespace).into_iter();
        match suggest::advice(&path.name, known, "there are") {
            Some(advice) => error.help(advice),
            None => error.help("use IF EXISTS; built-in functions stay"),
        }
    }
}

/// The built-in function of a class: code in other languages does not run yet.
fn built_in(class: &str, name: &TableName) -> Result<&'static str> {
    let known = BUILT_IN_CLASSES.iter().find(|(known, _)| *known == class);
    match known {
        Some((_, function)) if name.last().eq_ignore_ascii_case(function) => Ok(function),
        _ => {
            let what = format!("the function {name} of class {class}");
            Err(bind::unsupported(&what, name.span).help(
                "user code does not run yet; use built-in functions, or give it a body: CREATE FUNCTION f(a INT) RETURNS INT RETURN a + 1",
            ))
        }
    }
}
