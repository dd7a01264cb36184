//! CREATE TABLE: computed columns, metadata columns and the watermark get their types.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_plan::PlanSettings;
use tidegate_types::{Error, ErrorCode, Result, Span, SqlType, TimeAttribute, TypeKind};

use sqlparser::ast;

use super::call::plain_arguments;
use super::expr::ExprBinder;
use super::scope::{Scope, ScopeColumn};
use super::{Binder, NO_HINTS, constant, semantic};
use crate::catalog::{Catalog, Column, ColumnKind, Namespace, Table, Watermark};
use crate::parser::ast::{self as syntax, CreateTable};
use crate::parser::cursor;
use crate::parser::dialect::SOURCE_WATERMARK;
use crate::parser::table::check_names;
use crate::suggest;

/// Binds a table's declaration; one with LIKE must have its source merged in. Names without catalog and
/// database are looked up `here`.
///
/// # Errors
/// `SQL_SEMANTIC` where an expression, key or watermark does not fit the columns.
pub(crate) fn table(
    mut create: CreateTable,
    catalog: &Catalog,
    here: &Namespace,
    settings: &PlanSettings,
    span: Span,
) -> Result<Table> {
    check_names(&create)?;
    // A primary key is never NULL.
    for def in &mut create.columns {
        if let syntax::ColumnKind::Physical(ty) = &mut def.kind
            && create.primary_key.iter().any(|key| key.value == def.name.value)
        {
            ty.nullable = false;
        }
    }
    let create = create;
    let binder = Binder::new(catalog, here, settings, &NO_HINTS, span);
    let mut columns = declared_columns(&binder, &create)?;
    let watermark = match &create.watermark {
        Some(def) => Some(watermark(&binder, def, &mut columns)?),
        None => None,
    };
    let names =
        |idents: &[sqlparser::ast::Ident]| idents.iter().map(|ident| ident.value.clone()).collect();
    let path = create.name.resolve(here)?;
    Ok(Table {
        name: path.to_string(),
        path,
        columns,
        watermark,
        primary_key: names(&create.primary_key),
        partition_keys: names(&create.partition_keys),
        options: options(&create)?,
        definition: Arc::new(create),
        governed: None,
    })
}

fn options(create: &CreateTable) -> Result<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for (key, value, span) in &create.options {
        if options.insert(key.clone(), value.clone()).is_some() {
            let message = format!("the option '{key}' is given twice");
            return Err(Error::new(ErrorCode::InvalidOption, message).at(*span));
        }
    }
    Ok(modern(options))
}

/// The options of Flink before 1.11 (`connector.type`, `format.type`) under their later names.
fn modern(options: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if options.contains_key("connector") || !options.contains_key("connector.type") {
        return options;
    }
    let format = options.get("format.type").cloned().unwrap_or_default();
    let mut options = options;
    if format == "csv" {
        // The older format read what is no number as NULL.
        options.entry("format.ignore-parse-errors".to_owned()).or_insert("true".to_owned());
    }
    let renamed = options.into_iter().filter_map(|(key, value)| {
        let key = match key.as_str() {
            "connector.type" => "connector".to_owned(),
            "format.type" => "format".to_owned(),
            // They say of which version the options are, and that the schema is the table's.
            "connector.property-version"
            | "format.property-version"
            | "format.derive-schema"
            | "update-mode" => return None,
            other => match (other.strip_prefix("connector."), other.strip_prefix("format.")) {
                (Some(rest), _) => rest.to_owned(),
                (None, Some(rest)) => format!("{format}.{rest}"),
                (None, None) => other.to_owned(),
            },
        };
        Some((key, value))
    });
    renamed.collect()
}

/// Physical and metadata columns first, as computed ones may read them wherever they stand.
fn declared_columns(binder: &Binder<'_>, create: &CreateTable) -> Result<Vec<Column>> {
    let scope = read_scope(create);
    create
        .columns
        .iter()
        .map(|def| {
            let (ty, kind) = match &def.kind {
                syntax::ColumnKind::Physical(ty) => (ty.clone(), ColumnKind::Physical),
                syntax::ColumnKind::Metadata { ty, key, is_virtual } => {
                    let key = key.clone().unwrap_or_else(|| def.name.value.clone());
                    (ty.clone(), ColumnKind::Metadata { key, is_virtual: *is_virtual })
                }
                syntax::ColumnKind::Computed(node) => {
                    let expr = ExprBinder::new(binder, &scope, "a computed column").bind(node)?;
                    if expr.ty().kind == TypeKind::Null {
                        let message =
                            format!("the type of column '{}' is not known", def.name.value);
                        return Err(semantic(message, cursor::span(def.name.span))
                            .help("cast it: CAST(NULL AS INT)"));
                    }
                    (expr.ty().clone(), ColumnKind::Computed(expr))
                }
            };
            Ok(Column { name: def.name.value.clone(), ty, kind })
        })
        .collect()
}

/// The columns that a reader produces: physical ones, then metadata.
fn read_scope(create: &CreateTable) -> Scope {
    let column = |def: &syntax::ColumnDef, ty: &SqlType| ScopeColumn {
        qualifier: Some(create.name.parts.last().cloned().unwrap_or_default()),
        name: def.name.value.clone(),
        ty: ty.clone(),
        hidden: false,
        origin: None,
        table: None,
        denied: None,
    };
    let physical = create.columns.iter().filter_map(|def| match &def.kind {
        syntax::ColumnKind::Physical(ty) => Some(column(def, ty)),
        _ => None,
    });
    let metadata = create.columns.iter().filter_map(|def| match &def.kind {
        syntax::ColumnKind::Metadata { ty, .. } => Some(column(def, ty)),
        _ => None,
    });
    Scope { columns: physical.chain(metadata).collect(), ..Scope::default() }
}

/// Checks the rowtime column, gives it its attribute, and binds the watermark over all columns.
fn watermark(
    binder: &Binder<'_>,
    def: &syntax::WatermarkDef,
    columns: &mut [Column],
) -> Result<Watermark> {
    let [name] = def.column.as_slice() else {
        let span = def.column.first().map_or(binder.place, |first| cursor::span(first.span));
        return Err(Error::unsupported("a watermark on a field of a ROW is not supported yet")
            .at(span)
            .help("declare a computed column: ts AS row_column.field, WATERMARK FOR ts AS …"));
    };
    let span = cursor::span(name.span);
    let Some(index) = columns.iter().position(|column| column.name == name.value) else {
        let error =
            semantic(format!("WATERMARK FOR names no column of the table: '{}'", name.value), span);
        let known = columns.iter().map(|column| column.name.as_str());
        return Err(match suggest::advice(&name.value, known, "the columns are") {
            Some(advice) => error.help(advice),
            None => error,
        });
    };
    if !is_rowtime_type(&columns[index].ty) {
        let message = format!(
            "the column of a watermark must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3, '{}' is {}",
            name.value, columns[index].ty
        );
        return Err(semantic(message, span)
            .help("declare it TIMESTAMP(3), or add a computed column with a CAST"));
    }
    let scope = Scope {
        columns: columns
            .iter()
            .map(|column| ScopeColumn {
                qualifier: None,
                name: column.name.clone(),
                ty: column.ty.clone().materialized(),
                hidden: false,
                origin: None,
                table: None,
                denied: None,
            })
            .collect(),
        ..Scope::default()
    };
    if is_of_source(&def.expr) {
        set_rowtime(&mut columns[index]);
        return Ok(Watermark { column: index, expr: None });
    }
    let expr = ExprBinder::new(binder, &scope, "WATERMARK").bind(&def.expr)?;
    let place = binder.span_of(def.expr.as_ref());
    if !is_rowtime_type(expr.ty()) {
        let message = format!(
            "the watermark must be a timestamp with precision up to 3, it is {}",
            expr.ty()
        );
        return Err(semantic(message, place)
            .help(format!("write WATERMARK FOR {0} AS {0} - INTERVAL '5' SECOND", name.value)));
    }
    if !constant::is_deterministic(&expr) {
        return Err(semantic("the watermark must depend on the row alone", place));
    }
    set_rowtime(&mut columns[index]);
    Ok(Watermark { column: index, expr: Some(expr) })
}

fn set_rowtime(column: &mut Column) {
    column.ty.kind = column.ty.kind.clone().with_time_attribute(TimeAttribute::Event);
}

/// Whether an expression is `SOURCE_WATERMARK()`.
fn is_of_source(node: &ast::Expr) -> bool {
    let ast::Expr::Function(call) = node else {
        return false;
    };
    let named = call.name.to_string().eq_ignore_ascii_case(SOURCE_WATERMARK);
    named
        && plain_arguments(call, cursor::span(sqlparser::tokenizer::Span::empty()))
            .is_ok_and(|arguments| arguments.is_empty())
}

fn is_rowtime_type(ty: &SqlType) -> bool {
    matches!(
        ty.kind,
        TypeKind::Timestamp { precision: 0..=3, .. }
            | TypeKind::TimestampLtz { precision: 0..=3, .. }
    )
}
