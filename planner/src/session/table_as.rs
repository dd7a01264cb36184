//! `CREATE TABLE … AS query`: the table has the query's columns, and is filled by a job.

use std::sync::Arc;

use sqlparser::ast::Ident;
use tidegate_plan::Schema;
use tidegate_types::{Error, ErrorCode, Result, TypeKind};

use super::{Planned, Session};
use crate::bind::{self, semantic};
use crate::catalog::Object;
use crate::governed::Governing;
use crate::lower::SinkTarget;
use crate::parser::ast::{ColumnDef, ColumnKind, CreateTable, CreateTableAs, Insert, Replace};
use crate::parser::cursor;

impl Session {
    /// Adds the table and plans the job that fills it. The table is not added if the job cannot run.
    pub(super) fn create_table_as(&mut self, create: &CreateTableAs) -> Result<Planned> {
        let definition = &create.table;
        if definition.temporary {
            let message = "CREATE TABLE … AS makes no temporary table, as in Flink SQL";
            return Err(semantic(message, create.span).help("leave TEMPORARY out"));
        }
        self.check_replacement(create)?;
        let exists = create.replace == Replace::Never
            && !self.is_free(&definition.name, false, definition.if_not_exists)?;
        if exists {
            // As Flink does: the rows go into the table that is there.
            return self.job(&[insert(create, Vec::new())]);
        }
        let settings = self.plan_settings()?;
        let mut binder = self.binder(&create.query, &settings);
        let relation = binder.whole_query(&create.query.query)?;
        let names = relation.schema.iter().map(|field| named(create, &field.name)).collect();
        let definition = definition_of(create, &relation.schema)?;
        let table = Arc::new(self.bound_table(definition, &settings, create.span)?);
        let insert = insert(create, names);
        let bound =
            bind::insert::fill(&binder, &insert, Arc::clone(&table), relation, self.drops_nulls())?;
        let target = (bound.relation.clone(), SinkTarget::Table(Box::new(bound)));
        let late = self.late_table(std::slice::from_ref(&insert))?;
        let planned = self.finish(vec![target], &settings, None, late)?;
        self.catalog.insert(table.path.clone(), Object::Table(table))?;
        Ok(planned)
    }

    /// Whether there is a table to replace where there must be one, and no view in its place.
    fn check_replacement(&self, create: &CreateTableAs) -> Result<()> {
        if create.replace == Replace::Never {
            return Ok(());
        }
        let name = create.table.name.resolve(&self.here)?;
        let place = create.table.name.span;
        self.catalog.check_own(&name.namespace.catalog, Governing::Made("table"), place)?;
        self.catalog.database(&name.namespace).map_err(|error| error.at(place))?;
        if create.table.if_not_exists {
            let message = "REPLACE and IF NOT EXISTS exclude each other";
            return Err(semantic(message, create.span));
        }
        match self.catalog.among(false, &name) {
            Some(Object::View(_)) => {
                let message = format!("'{name}' is a view, not a table");
                Err(semantic(message, create.table.name.span))
            }
            None if create.replace == Replace::Always => {
                let message = format!("there is no table '{name}' to replace");
                Err(Error::new(ErrorCode::NotFound, message)
                    .at(create.table.name.span)
                    .help("use CREATE TABLE … AS or CREATE OR REPLACE TABLE … AS"))
            }
            _ => Ok(()),
        }
    }
}

fn insert(create: &CreateTableAs, columns: Vec<Ident>) -> Insert {
    Insert {
        table: create.table.name.clone(),
        overwrite: false,
        options: Vec::new(),
        partition: Vec::new(),
        columns,
        query: create.query.clone(),
        on_conflict: None,
        span: create.span,
    }
}

/// The name of a column of the query, which stands where the query does.
fn named(create: &CreateTableAs, name: &str) -> Ident {
    Ident::with_span(cursor::token_span(create.query.span), name)
}

/// The columns that are declared besides, then the query's; a declared column of the same name gives
/// the query's another type. A mere list of names puts the query's columns in its order.
fn definition_of(create: &CreateTableAs, query: &Schema) -> Result<CreateTable> {
    let mut definition = create.table.clone();
    if let Some(field) = query.iter().find(|field| field.ty.kind == TypeKind::Null) {
        let message = format!("the type of column '{}' is not known", field.name);
        return Err(semantic(message, create.query.span).help("cast it: CAST(NULL AS INT)"));
    }
    let columns = query.iter().map(|field| ColumnDef {
        name: named(create, &field.name),
        kind: ColumnKind::Physical(field.ty.clone().materialized()),
        comment: None,
    });
    let mut columns: Vec<ColumnDef> = columns.collect();
    if !create.order.is_empty() {
        definition.columns = ordered(create, columns)?;
        return Ok(definition);
    }
    check_key(create, query)?;
    let mut added = Vec::new();
    for column in std::mem::take(&mut definition.columns) {
        match columns.iter_mut().find(|other| other.name.value == column.name.value) {
            None => added.push(column),
            Some(place) if matches!(column.kind, ColumnKind::Physical(_)) => *place = column,
            Some(_) => {
                let message = format!(
                    "the query has a column '{}': it cannot be computed or metadata",
                    column.name.value
                );
                return Err(semantic(message, cursor::span(column.name.span)));
            }
        }
    }
    added.extend(columns);
    definition.columns = added;
    Ok(definition)
}

/// Whether the columns of the query that are to be a key are never NULL; those that are declared are not.
fn check_key(create: &CreateTableAs, query: &Schema) -> Result<()> {
    let table = &create.table;
    let nullable = table.primary_key.iter().find(|key| {
        !table.columns.iter().any(|column| column.name.value == key.value)
            && query.iter().any(|field| field.name == key.value && field.ty.nullable)
    });
    match nullable {
        Some(key) => {
            let message = format!("the column '{}' of the primary key may be NULL", key.value);
            Err(semantic(message, cursor::span(key.span))
                .help("make the query's column NOT NULL, with COALESCE for example"))
        }
        None => Ok(()),
    }
}

fn ordered(create: &CreateTableAs, columns: Vec<ColumnDef>) -> Result<Vec<ColumnDef>> {
    if create.order.len() != columns.len() {
        let message = format!(
            "the list names {} columns, the query has {}",
            create.order.len(),
            columns.len()
        );
        return Err(semantic(message, create.query.span));
    }
    let find = |name: &Ident| {
        let column = columns.iter().find(|column| column.name.value == name.value);
        column.cloned().ok_or_else(|| {
            let message = format!("the query has no column '{}'", name.value);
            let error = semantic(message, cursor::span(name.span));
            let known = columns.iter().map(|column| column.name.value.as_str());
            match crate::suggest::advice(&name.value, known, "the columns are") {
                Some(advice) => error.help(advice),
                None => error,
            }
        })
    };
    create.order.iter().map(find).collect()
}
