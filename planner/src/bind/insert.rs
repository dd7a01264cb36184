//! INSERT: how the columns of a query fill those of a table.

use std::sync::Arc;

use tidegate_functions::coercion;
use tidegate_plan::{Expr, Literal, NamedExpr};
use tidegate_types::{Error, ErrorCode, Field, Result, Span, SqlType, TypeKind};

use super::expr::ExprBinder;
use super::scope::Scope;
use super::{Binder, cast, constant, from, semantic};
use crate::algebra::Relation;
use crate::catalog::{Column, Object, Table};
use crate::governed::Purpose;
use crate::optimize::conjunction::join as conjunction;
use crate::parser::ast::{Insert, OnConflict};
use crate::parser::cursor;
use crate::suggest;

/// A query that fills a table: its columns are the table's, in declared order and cast.
#[derive(Debug, Clone)]
pub(crate) struct BoundInsert {
    pub(crate) table: Arc<Table>,
    pub(crate) relation: Relation,
    pub(crate) overwrite: bool,
    pub(crate) on_conflict: Option<(OnConflict, Span)>,
    pub(crate) span: Span,
}

/// Where a column of the table gets its value from.
enum Filling<'n> {
    Query(usize),
    Constant(&'n sqlparser::ast::Expr),
    Null,
}

/// Binds an INSERT.
///
/// # Errors
/// `SQL_SEMANTIC` listing both schemas if the query does not fit the table.
pub(crate) fn insert(
    binder: &mut Binder<'_>,
    insert: &Insert,
    drops_nulls: bool,
) -> Result<BoundInsert> {
    let table = target(binder, insert)?;
    let query = binder.whole_query(&insert.query.query)?;
    fill(binder, insert, table, query, drops_nulls)
}

/// Fits the query of an INSERT to a table. `drops_nulls`: rows with NULL where the table takes none are left out.
///
/// # Errors
/// As [`insert`].
pub(crate) fn fill(
    binder: &Binder<'_>,
    insert: &Insert,
    table: Arc<Table>,
    query: Relation,
    drops_nulls: bool,
) -> Result<BoundInsert> {
    let columns: Vec<&Column> = table.sink_columns().collect();
    let fillings = fillings(insert, &columns, &query)?;
    let (mut exprs, mut present) = (Vec::with_capacity(columns.len()), Vec::new());
    for (position, (column, filling)) in columns.iter().zip(&fillings).enumerate() {
        let expr = match filling {
            Filling::Query(index) => Expr::column(*index, query.schema[*index].ty.clone()),
            Filling::Constant(node) => {
                ExprBinder::new(binder, &Scope::default(), "PARTITION").bind(node)?
            }
            Filling::Null => Expr::Literal(Literal::null(column.ty.kind.clone())),
        };
        let target = column.ty.clone().materialized();
        if !cast::same_values(expr.ty(), &target)
            && !coercion::can_cast_implicitly(expr.ty(), &target)
            && !is_number_as_text(expr.ty(), &target)
        {
            let message = format!(
                "incompatible types for sink column '{}' at position {position}",
                column.name
            );
            return Err(mismatch(&message, insert, &query.schema, &columns)
                .help(format!("cast it: CAST(… AS {})", target.kind)));
        }
        if drops_nulls && !target.nullable && expr.ty().nullable {
            let there = Expr::call("IS NOT NULL", vec![expr.clone()], TypeKind::Boolean.not_null());
            present.push(there);
        }
        let expr = constant::fold(cast::coerce(expr, &target, binder.settings), binder.settings);
        exprs.push(NamedExpr { name: column.name.clone(), expr });
    }
    let query = match conjunction(present) {
        Some(present) => query.filter(present),
        None => query,
    };
    let relation = query.project(exprs);
    let (overwrite, on_conflict, span) = (insert.overwrite, insert.on_conflict, insert.span);
    Ok(BoundInsert { table, relation, overwrite, on_conflict, span })
}

/// Whole numbers are written as text where a table has text: nothing is lost. Flink wants a CAST.
fn is_number_as_text(from: &SqlType, to: &SqlType) -> bool {
    from.kind.is_integer() && to.kind == TypeKind::STRING
}

fn target(binder: &Binder<'_>, insert: &Insert) -> Result<Arc<Table>> {
    let (name, catalog) = (&insert.table, binder.catalog);
    let found = catalog.named(name, binder.here, Purpose::Write, binder.settings)?;
    let name = found.path;
    match &found.object {
        Some(Object::Table(table)) if insert.options.is_empty() => Ok(Arc::clone(table)),
        Some(Object::Table(table)) => {
            let table = from::with_options(table, &insert.options, insert.table.span)?;
            Ok(Arc::new(table))
        }
        Some(Object::View(_)) => Err(semantic(
            format!("'{name}' is a view; rows can be inserted into tables only"),
            insert.table.span,
        )),
        None => {
            let error = semantic(format!("there is no table '{name}'"), insert.table.span);
            let known = catalog.candidates(&insert.table, binder.here);
            let known = known.iter().map(String::as_str);
            Err(match suggest::advice(&name.name, known, "there are") {
                Some(advice) => error.help(advice),
                None => error,
            })
        }
    }
}

/// Query columns by position, or by the list of columns; constants of PARTITION; NULL for the rest.
fn fillings<'n>(
    insert: &'n Insert,
    columns: &[&Column],
    query: &Relation,
) -> Result<Vec<Filling<'n>>> {
    let mut fillings: Vec<Option<Filling<'n>>> = columns.iter().map(|_| None).collect();
    for (ident, value) in &insert.partition {
        let place = place_of(ident, columns)?;
        fillings[place] = Some(Filling::Constant(value));
    }
    let places = if insert.columns.is_empty() {
        (0..columns.len()).filter(|place| fillings[*place].is_none()).collect::<Vec<_>>()
    } else {
        insert.columns.iter().map(|ident| place_of(ident, columns)).collect::<Result<Vec<_>>>()?
    };
    if places.len() != query.schema.len() {
        let message =
            format!("different number of columns: {} for {}", query.schema.len(), places.len());
        return Err(mismatch(&message, insert, &query.schema, columns));
    }
    for (index, place) in places.into_iter().enumerate() {
        if fillings[place].is_some() {
            let message = format!("column '{}' is filled twice", columns[place].name);
            return Err(semantic(message, insert.table.span));
        }
        fillings[place] = Some(Filling::Query(index));
    }
    fillings
        .into_iter()
        .zip(columns)
        .map(|(filling, column)| match filling {
            Some(filling) => Ok(filling),
            None if column.ty.nullable => Ok(Filling::Null),
            None => {
                let message = format!(
                    "column '{}' is NOT NULL and the INSERT gives it no value",
                    column.name
                );
                Err(semantic(message, insert.table.span))
            }
        })
        .collect()
}

fn place_of(ident: &sqlparser::ast::Ident, columns: &[&Column]) -> Result<usize> {
    columns.iter().position(|column| column.name == ident.value).ok_or_else(|| {
        let message = format!("the table has no column '{}' that can be written", ident.value);
        let error = semantic(message, cursor::span(ident.span));
        let known = columns.iter().map(|column| column.name.as_str());
        match suggest::advice(&ident.value, known, "the columns are") {
            Some(advice) => error.help(advice),
            None => error,
        }
    })
}

/// Flink's report: both schemas, one below the other.
fn mismatch(cause: &str, insert: &Insert, query: &[Field], columns: &[&Column]) -> Error {
    let show = |fields: &mut dyn Iterator<Item = (&str, &SqlType)>| -> String {
        let shown: Vec<String> = fields.map(|(name, ty)| format!("{name}: {ty}")).collect();
        format!("[{}]", shown.join(", "))
    };
    let query_schema = show(&mut query.iter().map(|field| (field.name.as_str(), &field.ty)));
    let sink_schema = show(&mut columns.iter().map(|column| (column.name.as_str(), &column.ty)));
    let message = format!(
        "the query does not fit the table '{}': {cause}\n  query schema: {query_schema}\n  sink schema:  {sink_schema}",
        insert.table
    );
    Error::new(ErrorCode::SqlSemantic, message).at(insert.query.span)
}
