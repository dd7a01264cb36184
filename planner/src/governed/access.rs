//! The table that a caller reads: its definition with masks in the place of values.
//!
//! Masks are part of the scan's own projection, above what the connector produces and below everything else: no filter,
//! join, key, computed column or watermark sees a value without its mask, and no condition on it goes to the connector.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_connector_spec::{Changes, Role, changes};
use tidegate_plan::operator::Mask;
use tidegate_plan::{Expr, Literal, PlanSettings};
use tidegate_types::{Error, ErrorCode, Field, Result, Span, SqlType, TimeAttribute, TypeKind};

use super::digest;
use super::names::of_definition;
use super::{ColumnAccess, GovernedTable};
use crate::bind;
use crate::catalog::{Catalog, Column, ColumnKind, ObjectPath, Table};
use crate::parser::ast::{self as syntax, CreateTable};

/// What a table is named for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    Write,
    /// To tell what it is.
    Show,
}

/// What a table of a script has not: where the catalog keeps it, and how its columns are read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Governed {
    pub(crate) reference: String,
    /// Of what its definition says of rows.
    pub(crate) schema_digest: String,
    /// Options of hints, which are among the table's too.
    pub(crate) hints: BTreeMap<String, String>,
    pub(crate) masks: BTreeMap<String, Mask>,
    /// Columns that must not be needed, with the computed ones that read them.
    pub(crate) denied: BTreeSet<String>,
    /// Columns whose values are not the table's own: masked ones, and computed ones that read them.
    pub(crate) changed: BTreeSet<String>,
    /// What the connector produces: physical, then metadata columns, with their declared types.
    pub(crate) produced: Vec<Field>,
    /// The columns of the primary key of which the caller does not see what tells rows apart.
    pub(crate) hidden_key: Vec<String>,
    pub(crate) place: Place,
}

/// Where a script names a table. Two uses are the same table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(pub(crate) Span);

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Binds a definition for a use.
///
/// # Errors
/// Those of the definition; `FAILED_PRECONDITION` if the catalog masks a column that there is not.
pub(super) fn table_for(
    purpose: Purpose,
    definition: CreateTable,
    answer: &GovernedTable,
    path: &ObjectPath,
    settings: &PlanSettings,
    span: Span,
) -> Result<Table> {
    // The script's own functions and tables have no meaning in a definition.
    let nothing = Catalog::new();
    let bound = |definition: CreateTable| {
        let table = bind::table::table(definition, &nothing, &path.namespace, settings, span);
        table.map_err(|error| of_definition(&error, path).at(span))
    };
    let declared = bound(definition.clone())?;
    let mut governed = Governed {
        reference: answer.reference.clone(),
        schema_digest: digest::of(&definition, &declared),
        hints: BTreeMap::new(),
        masks: BTreeMap::new(),
        denied: BTreeSet::new(),
        changed: BTreeSet::new(),
        produced: produced(&declared),
        hidden_key: Vec::new(),
        place: Place(span),
    };
    if purpose != Purpose::Read || answer.columns.is_empty() {
        return Ok(Table { governed: Some(Box::new(governed)), ..declared });
    }
    for name in answer.columns.keys() {
        if !declared.columns.iter().any(|column| column.name == *name) {
            let message = format!(
                "column '{name}' of table '{path}' is masked or denied, but the table has no such column"
            );
            return Err(Error::new(ErrorCode::FailedPrecondition, message)
                .at(span)
                .help("the table's grants are older than its definition: have them renewed"));
        }
    }
    governed.restrict(&declared, &answer.columns);
    let mut table = bound(governed.visible_definition(definition, &declared))?;
    table.definition = declared.definition;
    for column in &mut table.columns {
        column.ty = governed.visible_type(&column.name, &column.ty);
    }
    table.governed = Some(Box::new(governed));
    Ok(table)
}

fn produced(table: &Table) -> Vec<Field> {
    let physical = table.columns.iter().filter(|column| column.kind == ColumnKind::Physical);
    let metadata =
        table.columns.iter().filter(|column| matches!(column.kind, ColumnKind::Metadata { .. }));
    physical.chain(metadata).map(Column::field).collect()
}

impl Governed {
    /// Notes which columns are masked or denied, also through others.
    fn restrict(&mut self, declared: &Table, access: &BTreeMap<String, ColumnAccess>) {
        for column in &declared.columns {
            // The clock tells nothing of the table.
            let clock = column.ty.kind.time_attribute() == TimeAttribute::Processing;
            match access.get(&column.name) {
                Some(ColumnAccess::Masked(mask)) if !clock => {
                    self.masks.insert(column.name.clone(), *mask);
                    self.changed.insert(column.name.clone());
                }
                Some(ColumnAccess::Denied) => {
                    self.denied.insert(column.name.clone());
                }
                _ => {}
            }
        }
        for column in &declared.columns {
            let ColumnKind::Computed(expr) = &column.kind else { continue };
            let reads: Vec<&str> = expr
                .columns()
                .into_iter()
                .filter_map(|index| self.produced.get(index))
                .map(|field| field.name.as_str())
                .collect();
            if reads.iter().any(|name| self.denied.contains(*name)) {
                self.denied.insert(column.name.clone());
            }
            if reads.iter().any(|name| self.masks.contains_key(*name)) {
                self.changed.insert(column.name.clone());
            }
        }
        let hides = |name: &&String| {
            let field = declared.columns.iter().find(|column| column.name == **name);
            let text = field.is_some_and(|column| column.ty.kind.is_text());
            let kept = !self.changed.contains(*name)
                // A digest tells texts apart as the texts do.
                || text && self.masks.get(*name) == Some(&Mask::Hash);
            self.denied.contains(*name) || !kept
        };
        let hidden = declared.primary_key.iter().filter(hides).cloned().collect();
        self.hidden_key = hidden;
    }

    /// The definition with the types that the caller sees, for what is computed from them.
    fn visible_definition(&self, mut definition: CreateTable, declared: &Table) -> CreateTable {
        if !self.hidden_key.is_empty() {
            definition.primary_key.clear();
        }
        for (def, column) in definition.columns.iter_mut().zip(&declared.columns) {
            let (syntax::ColumnKind::Physical(ty) | syntax::ColumnKind::Metadata { ty, .. }) =
                &mut def.kind
            else {
                continue;
            };
            *ty = self.visible_type(&column.name, &column.ty.clone().materialized());
        }
        definition
    }

    fn visible_type(&self, name: &str, ty: &SqlType) -> SqlType {
        match self.masks.get(name) {
            _ if self.denied.contains(name) => ty.clone().with_nullable(true),
            None => ty.clone(),
            Some(Mask::Partial) if ty.kind.is_text() => ty.clone(),
            Some(Mask::Hash) if ty.kind.is_text() => {
                TypeKind::STRING.nullable().with_nullable(ty.nullable)
            }
            Some(_) => ty.clone().with_nullable(true),
        }
    }

    /// What stands for a column that the connector produces, or that is computed from such.
    pub(crate) fn visible(&self, name: &str, value: Expr) -> Expr {
        let null = |ty: &SqlType| Expr::Literal(Literal::null(ty.kind.clone()));
        let masked =
            |function: &str, value: Expr, ty: SqlType| Expr::call(function, vec![value], ty);
        if self.denied.contains(name) {
            return null(value.ty());
        }
        let ty = value.ty().clone();
        match self.masks.get(name) {
            None => value,
            Some(Mask::Partial) if ty.kind.is_text() => masked("$MASK_PARTIAL", value, ty),
            Some(Mask::Hash) if ty.kind.is_text() => {
                masked("SHA256", value, TypeKind::STRING.nullable().with_nullable(ty.nullable))
            }
            Some(_) => null(&ty),
        }
    }

    /// What stands for a column that the connector produces at a place.
    pub(crate) fn produced_column(&self, column: &Column, place: usize) -> Expr {
        match (self.produced.get(place), self.hides(&column.name)) {
            (Some(field), true) => {
                self.visible(&column.name, Expr::column(place, field.ty.clone()))
            }
            _ => Expr::column(place, column.ty.clone()),
        }
    }

    /// The masks that a column's values depend on, if they do on any.
    pub(crate) fn changed_by(&self, name: &str) -> Option<String> {
        let masks = || {
            let own = self.masks.get_key_value(name).into_iter();
            // Of a computed column it is not kept which ones it reads.
            own.chain(&self.masks).map(|(name, mask)| format!("{name} {}", mask.name()))
        };
        match self.masks.get(name) {
            Some(mask) if self.produced.iter().any(|field| field.name == name) => {
                Some(mask.name().to_owned())
            }
            _ => self.changed.contains(name).then(|| masks().collect::<Vec<_>>().join(", ")),
        }
    }

    fn hides(&self, name: &str) -> bool {
        self.masks.contains_key(name) || self.denied.contains(name)
    }

    /// Takes the options of a hint.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for options that are not the statement's to give.
    pub(crate) fn hint(
        &mut self,
        table: &str,
        options: &[(String, String)],
        span: Span,
    ) -> Result<()> {
        super::hints::check(table, options, span)?;
        self.hints.extend(options.iter().cloned());
        Ok(())
    }

    /// A computed column over what the caller sees of other columns.
    pub(crate) fn computed(&self, name: &str, expr: Expr) -> Expr {
        let visible =
            bind::dependent::replaced(expr, &|index, column| match self.produced.get(index) {
                Some(field) => {
                    let raw = Expr::column(index, field.ty.clone());
                    match self.hides(&field.name) {
                        true => self.visible(&field.name, raw),
                        false => column,
                    }
                }
                None => column,
            });
        self.visible(name, visible)
    }

    /// Whether rows cannot be put together again, as their key is not seen.
    pub(crate) fn check_key(&self, table: &Table, by_key: bool) -> Result<()> {
        let needs_key = by_key || changes(&table.options, Role::Source) == Changes::Upsert;
        let Some(column) = self.hidden_key.first().filter(|_| needs_key) else {
            return Ok(());
        };
        let message = format!(
            "table '{}' cannot be read: its rows are updated by the key column '{column}', which you do not see as it is",
            table.name
        );
        Err(Error::new(ErrorCode::PermissionDenied, message).at(self.place.0).help(
            "request access to the key's columns, or have texts among them masked as 'hash', which keeps them apart",
        ))
    }
}
