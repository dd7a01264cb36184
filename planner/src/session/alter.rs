//! ALTER TABLE and ALTER VIEW: the definition is changed and bound anew.

use std::sync::Arc;

use sqlparser::ast::Ident;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::definition::kind_of;
use super::{Planned, Session, done, partition};
use crate::bind::semantic;
use crate::catalog::{Namespace, Object, ObjectPath, View};
use crate::governed::Purpose;
use crate::parser::ast::{
    AlterTable, AlterView, ColumnDef, ColumnKind, ColumnPosition, CreateTable, ObjectKind,
    SchemaChange, TableChange, TableName, ViewChange,
};
use crate::parser::{cursor, flink_text};
use crate::suggest;

impl Session {
    pub(super) fn alter_table(&mut self, alter: &AlterTable, span: Span) -> Result<Planned> {
        let path = alter.name.resolve(&self.here)?;
        let Some(object) =
            self.permanent(&path, ObjectKind::Table, &alter.name, alter.if_exists)?
        else {
            return Ok(Planned::Done(format!("there is no table {path} to alter")));
        };
        let Object::Table(table) = object else {
            return Err(Error::internal("a table is no table"));
        };
        let mut definition = table.definition.as_ref().clone();
        // It was written where another database was in use, maybe.
        let Namespace { catalog, database } = path.namespace.clone();
        definition.name.parts = vec![catalog, database, path.name.clone()];
        match &alter.change {
            TableChange::RenameTo(to) => {
                let renamed = self.new_name(&path, to)?;
                let Namespace { catalog, database } = renamed.namespace;
                definition.name =
                    TableName { parts: vec![catalog, database, renamed.name], span: to.span };
            }
            TableChange::RenameColumn { from, to } => rename_column(&mut definition, from, to)?,
            TableChange::Set(options) => {
                for option in options {
                    definition.options.retain(|(key, _, _)| *key != option.0);
                    definition.options.push(option.clone());
                }
            }
            TableChange::Reset(keys) => reset(&mut definition, keys)?,
            TableChange::Add(added) => add(&mut definition, added)?,
            TableChange::Modify(modified) => modify(&mut definition, modified)?,
            TableChange::DropColumns(columns) => drop_columns(&mut definition, columns)?,
            TableChange::DropPrimaryKey(place) => drop_key(&mut definition, None, *place)?,
            TableChange::DropConstraint(constraint) => {
                let place = cursor::span(constraint.span);
                drop_key(&mut definition, Some(&constraint.value), place)?;
            }
            TableChange::DropWatermark(place) => {
                if definition.watermark.take().is_none() {
                    return Err(semantic("the table has no watermark", *place));
                }
            }
            TableChange::AddDistribution(added) => {
                if definition.distribution.is_some() {
                    let error = semantic("the table is distributed already", added.span);
                    return Err(error.help("use MODIFY DISTRIBUTION"));
                }
                definition.distribution = Some(added.clone());
            }
            TableChange::ModifyDistribution(modified) => {
                if definition.distribution.is_none() {
                    let error = semantic("the table is not distributed", modified.span);
                    return Err(error.help("use ADD DISTRIBUTION"));
                }
                definition.distribution = Some(modified.clone());
            }
            TableChange::DropDistribution(place) => {
                if definition.distribution.take().is_none() {
                    return Err(semantic("the table is not distributed", *place));
                }
            }
            TableChange::AddPartitions { if_not_exists, partitions } => {
                partition::add(&mut definition, partitions, *if_not_exists, alter.name.span)?;
            }
            TableChange::DropPartitions { if_exists, partitions } => {
                partition::drop(&mut definition, partitions, *if_exists, alter.name.span)?;
            }
        }
        let settings = self.plan_settings()?;
        let altered = self.bound_table(definition, &settings, span)?;
        self.catalog.remove(false, &path);
        self.catalog.insert(altered.path.clone(), Object::Table(Arc::new(altered)))?;
        Ok(Planned::Done(format!("table {path} altered")))
    }

    pub(super) fn alter_view(&mut self, alter: &AlterView) -> Result<Planned> {
        let path = alter.name.resolve(&self.here)?;
        let Some(Object::View(view)) =
            self.permanent(&path, ObjectKind::View, &alter.name, false)?
        else {
            return Err(Error::internal("a view is no view"));
        };
        let mut altered: View = view.as_ref().clone();
        match &alter.change {
            ViewChange::RenameTo(to) => {
                altered.path = self.new_name(&path, to)?;
                self.check_view(&altered, to.span)?;
            }
            ViewChange::Query(query, text) => {
                altered.columns = Vec::new();
                altered.here = self.here.clone();
                altered.query = query.clone();
                altered.text = text.clone();
                self.check_view(&altered, query.span)?;
            }
        }
        self.catalog.remove(false, &path);
        self.catalog.insert(altered.path.clone(), Object::View(Arc::new(altered)))?;
        Ok(done("the view is altered"))
    }

    /// What RENAME TO makes of a name; the object stays in its database.
    fn new_name(&self, path: &ObjectPath, to: &TableName) -> Result<ObjectPath> {
        let renamed = match to.parts.len() {
            1 => path.namespace.path(to.last()),
            _ => to.resolve(&self.here)?,
        };
        if renamed.namespace != path.namespace {
            let message = format!("'{path}' cannot be moved to {}", renamed.namespace);
            return Err(semantic(message, to.span).help("create it there and drop it here"));
        }
        match self.catalog.among(false, &renamed) {
            Some(object) => {
                let noun = kind_of(object).noun();
                let message = format!("there is a {noun} '{renamed}' already");
                Err(Error::new(ErrorCode::AlreadyExists, message).at(to.span))
            }
            None => Ok(renamed),
        }
    }

    /// The object of a kind that a name stands for, if it is not temporary.
    fn permanent(
        &self,
        name: &ObjectPath,
        kind: ObjectKind,
        written: &TableName,
        if_exists: bool,
    ) -> Result<Option<Object>> {
        let noun = kind.noun();
        match self.catalog.get(name) {
            Some(object) if object.is_temporary() && !if_exists => {
                let message = format!("'{name}' is temporary and cannot be altered");
                Err(semantic(message, written.span).help("drop it and create it anew"))
            }
            Some(object) if !object.is_temporary() && kind_of(object) == kind => {
                Ok(Some(object.clone()))
            }
            Some(object) if !object.is_temporary() => {
                let message = format!("'{name}' is a {}, not a {noun}", kind_of(object).noun());
                Err(semantic(message, written.span))
            }
            _ if if_exists && !self.named(written, Purpose::Show)?.governed => Ok(None),
            _ => Err(self.none_to_change(noun, written)?),
        }
    }
}

fn place_of(definition: &CreateTable, name: &Ident) -> Result<usize> {
    let columns = &definition.columns;
    columns.iter().position(|column| column.name.value == name.value).ok_or_else(|| {
        let message = format!("the table has no column '{}'", name.value);
        let error = semantic(message, cursor::span(name.span));
        let known = columns.iter().map(|column| column.name.value.as_str());
        match suggest::advice(&name.value, known, "the columns are") {
            Some(advice) => error.help(advice),
            None => error,
        }
    })
}

fn rename_column(definition: &mut CreateTable, from: &Ident, to: &Ident) -> Result<()> {
    let place = place_of(definition, from)?;
    check_unused(definition, from)?;
    check_partition(definition, from)?;
    if definition.columns.iter().any(|column| column.name.value == to.value) {
        let message = format!("the table has a column '{}' already", to.value);
        return Err(semantic(message, cursor::span(to.span)));
    }
    let column = &mut definition.columns[place];
    if let ColumnKind::Metadata { key, .. } = &mut column.kind {
        // The key stays, also where it was the column's name.
        key.get_or_insert_with(|| from.value.clone());
    }
    column.name = to.clone();
    // The key keeps its name.
    let constraint = constraint_name(definition);
    if let Some(key) = definition.primary_key.iter_mut().find(|key| key.value == from.value) {
        *key = to.clone();
        definition.constraint = Some(constraint);
    }
    Ok(())
}

/// The name of the primary key, given or made from its columns.
fn constraint_name(definition: &CreateTable) -> String {
    let columns = definition.primary_key.iter().map(|key| key.value.as_str());
    let made = || format!("PK_{}", columns.collect::<Vec<_>>().join("_"));
    definition.constraint.clone().unwrap_or_else(made)
}

fn reset(definition: &mut CreateTable, keys: &[(String, Span)]) -> Result<()> {
    for (key, span) in keys {
        if key == "connector" {
            let message = "the option 'connector' cannot be taken away";
            return Err(Error::new(ErrorCode::InvalidOption, message).at(*span));
        }
        definition.options.retain(|(known, _, _)| known != key);
    }
    Ok(())
}

fn add(definition: &mut CreateTable, added: &SchemaChange) -> Result<()> {
    for (column, position) in added.parts.columns.iter().zip(&added.positions) {
        if definition.columns.iter().any(|other| other.name.value == column.name.value) {
            let message = format!("the table has a column '{}' already", column.name.value);
            return Err(semantic(message, cursor::span(column.name.span)).help("use MODIFY"));
        }
        put(definition, column.clone(), position.as_ref(), definition.columns.len())?;
    }
    if let Some(watermark) = &added.parts.watermark {
        if definition.watermark.is_some() {
            let error = semantic("the table has a watermark already", added.span);
            return Err(error.help("use MODIFY WATERMARK"));
        }
        definition.watermark = Some(watermark.clone());
    }
    if !added.parts.primary_key.is_empty() {
        if !definition.primary_key.is_empty() {
            let error = semantic("the table has a primary key already", added.span);
            return Err(error.help("use MODIFY PRIMARY KEY"));
        }
        set_key(definition, &added.parts);
    }
    Ok(())
}

fn modify(definition: &mut CreateTable, modified: &SchemaChange) -> Result<()> {
    for (column, position) in modified.parts.columns.iter().zip(&modified.positions) {
        let place = place_of(definition, &column.name)?;
        let before = definition.columns.remove(place);
        let comment = column.comment.clone().or(before.comment);
        let column = ColumnDef { comment, ..column.clone() };
        put(definition, column, position.as_ref(), place)?;
    }
    if let Some(watermark) = &modified.parts.watermark {
        if definition.watermark.is_none() {
            let error = semantic("the table has no watermark to modify", modified.span);
            return Err(error.help("use ADD WATERMARK"));
        }
        definition.watermark = Some(watermark.clone());
    }
    if !modified.parts.primary_key.is_empty() {
        if definition.primary_key.is_empty() {
            let error = semantic("the table has no primary key to modify", modified.span);
            return Err(error.help("use ADD PRIMARY KEY"));
        }
        set_key(definition, &modified.parts);
    }
    Ok(())
}

fn set_key(definition: &mut CreateTable, parts: &CreateTable) {
    definition.primary_key = parts.primary_key.clone();
    definition.constraint = parts.constraint.clone();
}

/// Puts a column where its position says, or where it would stand without one.
fn put(
    definition: &mut CreateTable,
    column: ColumnDef,
    position: Option<&ColumnPosition>,
    otherwise: usize,
) -> Result<()> {
    let place = match position {
        None => otherwise,
        Some(ColumnPosition::First) => 0,
        Some(ColumnPosition::After(other)) => place_of(definition, other)? + 1,
    };
    definition.columns.insert(place, column);
    Ok(())
}

fn drop_columns(definition: &mut CreateTable, dropped: &[Ident]) -> Result<()> {
    let mut removed = Vec::with_capacity(dropped.len());
    for name in dropped {
        let place = place_of(definition, name)?;
        removed.push(definition.columns.remove(place));
    }
    if definition.columns.is_empty() {
        let span = dropped.first().map_or(definition.name.span, |name| cursor::span(name.span));
        return Err(semantic("the table would have no columns", span));
    }
    dropped.iter().try_for_each(|name| {
        if definition.primary_key.iter().any(|key| key.value == name.value) {
            return Err(in_use(name, "the primary key"));
        }
        check_unused(definition, name)?;
        check_partition(definition, name)
    })
}

fn drop_key(definition: &mut CreateTable, name: Option<&str>, place: Span) -> Result<()> {
    if definition.primary_key.is_empty() {
        return Err(semantic("the table has no primary key", place));
    }
    let known = constraint_name(definition);
    if let Some(name) = name.filter(|name| **name != known) {
        let message = format!("the table has no constraint '{name}'");
        return Err(semantic(message, place).help(format!("the primary key is called '{known}'")));
    }
    definition.primary_key = Vec::new();
    definition.constraint = None;
    Ok(())
}

/// Whether no expression in the definition takes its value from a column.
fn check_unused(definition: &CreateTable, name: &Ident) -> Result<()> {
    for column in &definition.columns {
        if let ColumnKind::Computed(expr) = &column.kind
            && flink_text::columns(expr).contains(&name.value)
        {
            return Err(in_use(name, &format!("the computed column '{}'", column.name.value)));
        }
    }
    let by_watermark = definition.watermark.as_ref().is_some_and(|watermark| {
        watermark.column.first().is_some_and(|column| column.value == name.value)
            || flink_text::columns(&watermark.expr).contains(&name.value)
    });
    if by_watermark { Err(in_use(name, "the watermark")) } else { Ok(()) }
}

fn check_partition(definition: &CreateTable, name: &Ident) -> Result<()> {
    let mut buckets = definition.distribution.iter().flat_map(|buckets| &buckets.columns);
    if buckets.any(|key| key.value == name.value) {
        return Err(in_use(name, "the distribution"));
    }
    match definition.partition_keys.iter().any(|key| key.value == name.value) {
        true => Err(in_use(name, "PARTITIONED BY")),
        false => Ok(()),
    }
}

fn in_use(name: &Ident, user: &str) -> Error {
    let message = format!("the column '{}' is used by {user}", name.value);
    semantic(message, cursor::span(name.span))
}
