//! The columns in sight of an expression, and how names find them. Case counts, as in Flink.

use std::sync::Arc;

use sqlparser::ast::Ident;
use tidegate_plan::Expr;
use tidegate_types::{Error, Result, Span, SqlType};

use super::semantic;
use crate::algebra::Relation;
use crate::catalog::{Namespace, ObjectPath, Table};
use crate::governed;
use crate::parser::cursor;
use crate::suggest;

/// Columns in sight, in the order of the relation below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) columns: Vec<ScopeColumn>,
    /// The columns of `*` in order, where a join changed it; empty: as they stand.
    pub(crate) star: Vec<usize>,
    /// Further names, each standing for a placeholder column.
    pub(crate) aliases: Vec<(String, usize, SqlType)>,
}

/// A column in sight.
#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    /// The table or alias it belongs to.
    pub(crate) qualifier: Option<String>,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    /// Whether only its qualified name finds it, and `*` does not: the other column of a USING.
    pub(crate) hidden: bool,
    /// In a subquery without a name: the table inside it that the column is of.
    pub(crate) origin: Option<String>,
    /// The table that it is of, if that has no alias.
    pub(crate) table: Option<Arc<ObjectPath>>,
    /// The governed table of which the caller may not read it.
    pub(crate) denied: Option<Arc<Table>>,
}

impl Scope {
    /// The columns of a relation under a name.
    pub(crate) fn of(relation: &Relation, qualifier: Option<&str>) -> Self {
        let columns = relation.schema.iter().map(|field| ScopeColumn {
            qualifier: qualifier.map(str::to_owned),
            name: field.name.clone(),
            ty: field.ty.clone(),
            hidden: false,
            origin: None,
            table: None,
            denied: None,
        });
        Self { columns: columns.collect(), star: Vec::new(), aliases: Vec::new() }
    }

    /// The columns that `*` stands for.
    pub(crate) fn star(&self) -> Vec<usize> {
        if !self.star.is_empty() {
            return self.star.clone();
        }
        (0..self.columns.len()).filter(|index| !self.columns[*index].hidden).collect()
    }

    /// Takes the types of the relation that the columns are of.
    pub(crate) fn retype(&mut self, relation: &Relation) {
        for (column, field) in self.columns.iter_mut().zip(&relation.schema) {
            column.ty = field.ty.clone();
        }
    }

    /// Says which table all columns are of, so that its full name finds them.
    pub(crate) fn name_table(&mut self, path: ObjectPath) {
        let path = Arc::new(path);
        for column in &mut self.columns {
            column.table = Some(Arc::clone(&path));
        }
    }

    /// Says which columns of a table the caller may not read.
    pub(crate) fn deny(&mut self, table: &Arc<Table>, columns: &[usize]) {
        for index in columns {
            if let Some(column) = self.columns.get_mut(*index) {
                column.denied = Some(Arc::clone(table));
            }
        }
    }

    /// Whether all of some columns may be read.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` with those of a table that may not.
    pub(crate) fn check_readable(&self, columns: &[usize], span: Span) -> Result<()> {
        let columns = || columns.iter().filter_map(|index| self.columns.get(*index));
        let Some(table) = columns().find_map(|column| column.denied.as_ref()) else {
            return Ok(());
        };
        let is_of = |column: &&ScopeColumn| {
            column.denied.as_ref().is_some_and(|other| Arc::ptr_eq(other, table))
        };
        let names: Vec<&str> = columns().filter(is_of).map(|column| column.name.as_str()).collect();
        Err(governed::refusal(&table.name, &names).at(span))
    }

    /// What stands behind the catalog and the database of a table in sight, if a name begins with them.
    pub(crate) fn inside<'p>(&self, path: &'p [Ident]) -> &'p [Ident] {
        let is_known = |name: &Ident| {
            let named = |c: &ScopeColumn| {
                c.qualifier.as_deref() == Some(&name.value) || c.name == name.value
            };
            self.columns.iter().any(named)
        };
        let begins = |parts: &[&str]| {
            path.len() >= parts.len() && path.iter().zip(parts).all(|(a, b)| a.value == *b)
        };
        let tables = self.columns.iter().filter_map(|column| column.table.as_ref());
        for table in tables.filter(|_| path.first().is_some_and(|first| !is_known(first))) {
            let Namespace { catalog, database } = &table.namespace;
            if begins(&[catalog, database, &table.name]) {
                return &path[2..];
            }
            if begins(&[database, &table.name]) {
                return &path[1..];
            }
        }
        path
    }

    /// Resolves `column`, `table.column`, `column.field`, `table.column.field…`; catalog and database may
    /// stand before a table.
    pub(crate) fn resolve(&self, path: &[Ident]) -> Result<Expr> {
        let path = self.inside(path);
        let Some(first) = path.first() else {
            return Err(Error::internal("an empty name reached the binder"));
        };
        let span = cursor::span(first.span);
        if let [table, column, fields @ ..] = path
            && self.columns.iter().any(|c| c.qualifier.as_deref() == Some(&table.value))
        {
            let found = self
                .find(|c| c.qualifier.as_deref() == Some(&table.value) && c.name == column.value);
            match found.as_slice() {
                [index] => return fields_of(self.readable(*index, column)?, fields),
                [] if self.find(|c| c.name == table.value).is_empty() => {
                    return Err(self.unknown(column, Some(&table.value)));
                }
                [] => {}
                _ => return Err(ambiguous(column)),
            }
        }
        // `A.id` where the table A is inside a subquery without a name.
        if let [table, column, fields @ ..] = path
            && let [index] = self
                .find(|c| c.origin.as_deref() == Some(&table.value) && c.name == column.value)
                .as_slice()
            && self.find(|c| c.name == first.value && !c.hidden).is_empty()
        {
            return fields_of(self.readable(*index, column)?, fields);
        }
        match self.find(|c| c.name == first.value && !c.hidden).as_slice() {
            [index] => fields_of(self.readable(*index, first)?, &path[1..]),
            [] if let Some((_, index, ty)) =
                self.aliases.iter().find(|(name, ..)| *name == first.value) =>
            {
                fields_of(Expr::column(*index, ty.clone()), &path[1..])
            }
            [] if path.len() > 1 => Err(self.unknown_table(first, span)),
            [] => Err(self.unknown(first, None)),
            _ => Err(ambiguous(first)),
        }
    }

    /// Indices of the columns of a table or alias.
    pub(crate) fn columns_of(&self, table: &Ident) -> Result<Vec<usize>> {
        let found = self.find(|c| c.qualifier.as_deref() == Some(&table.value));
        if found.is_empty() {
            return Err(self.unknown_table(table, cursor::span(table.span)));
        }
        Ok(found)
    }

    /// A reference to a column that is named.
    fn readable(&self, index: usize, name: &Ident) -> Result<Expr> {
        // The columns of a NATURAL JOIN are written nowhere.
        let table = self.columns[index].denied.as_ref();
        let place = table.and_then(|table| Some(table.governed.as_ref()?.place.0));
        let written = (name.span.start.line > 0).then(|| cursor::span(name.span));
        if let Some(place) = written.or(place) {
            self.check_readable(&[index], place)?;
        }
        Ok(self.column(index))
    }

    /// A reference to a column.
    pub(crate) fn column(&self, index: usize) -> Expr {
        Expr::column(index, self.columns[index].ty.clone())
    }

    fn find(&self, is: impl Fn(&ScopeColumn) -> bool) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        columns.filter(|(_, column)| is(column)).map(|(index, _)| index).collect()
    }

    fn unknown(&self, name: &Ident, table: Option<&str>) -> Error {
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("DEFAULT") {
            let message = "DEFAULT stands only for an argument of a function that may be left out";
            return semantic(message, cursor::span(name.span))
                .help("columns have no default values: write NULL, or leave the column out of INSERT INTO t (…)");
        }
        let of_table = table.map(|table| format!(" in {table}")).unwrap_or_default();
        let message = format!("there is no column '{}'{of_table}", name.value);
        let error = semantic(message, cursor::span(name.span));
        let known = self
            .columns
            .iter()
            .filter(|column| table.is_none() || column.qualifier.as_deref() == table)
            .map(|column| column.name.as_str());
        match suggest::advice(&name.value, known, "the columns are") {
            Some(advice) => error.help(advice),
            None => error,
        }
    }

    fn unknown_table(&self, name: &Ident, span: Span) -> Error {
        let error = semantic(format!("there is no table or column '{}' here", name.value), span);
        let mut known: Vec<&str> =
            self.columns.iter().filter_map(|c| c.qualifier.as_deref()).collect();
        known.extend(self.columns.iter().map(|c| c.name.as_str()));
        known.dedup();
        match suggest::advice(&name.value, known.into_iter(), "in sight are") {
            Some(advice) => error.help(advice),
            None => error,
        }
    }
}

fn ambiguous(name: &Ident) -> Error {
    semantic(format!("column '{}' is ambiguous", name.value), cursor::span(name.span))
        .help("write the table's name or alias before it")
}

/// The field at the end of a path into a ROW.
pub(crate) fn fields_of(mut expr: Expr, path: &[Ident]) -> Result<Expr> {
    for name in path {
        expr = field_of(expr, name)?;
    }
    Ok(expr)
}

/// A field of a ROW value.
pub(crate) fn field_of(input: Expr, name: &Ident) -> Result<Expr> {
    let span = cursor::span(name.span);
    let Some(fields) = input.ty().kind.row_fields() else {
        let message = format!(
            "'{}' is not a field: the value before it is {}, not a ROW",
            name.value,
            input.ty()
        );
        return Err(semantic(message, span));
    };
    let Some(index) = fields.iter().position(|field| field.name == name.value) else {
        let error = semantic(format!("the ROW has no field '{}'", name.value), span);
        let known = fields.iter().map(|field| field.name.as_str());
        return Err(match suggest::advice(&name.value, known, "its fields are") {
            Some(advice) => error.help(advice),
            None => error,
        });
    };
    let ty = fields[index].ty.clone();
    let nullable = ty.nullable || input.ty().nullable;
    Ok(Expr::Field { input: Box::new(input), index, ty: ty.with_nullable(nullable) })
}
