//! VALUES.

use sqlparser::ast::Values;
use tidegate_plan::{Expr, Literal, NamedExpr, Schema};
use tidegate_types::{Field, Result};

use super::expr::ExprBinder;
use super::scope::Scope;
use super::{Binder, cast, constant, query, select, semantic};
use crate::algebra::{RelOp, Relation};

impl Binder<'_> {
    /// Rows of constants; the columns are named `EXPR$0`, … and have the common types.
    pub(super) fn values(&self, values: &Values) -> Result<Relation> {
        let scope = Scope::default();
        let mut binder = ExprBinder::new(self, &scope, "VALUES");
        let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let bound =
                row.content.iter().map(|value| binder.bind(value)).collect::<Result<Vec<_>>>()?;
            let width = rows.first().map_or(bound.len(), Vec::len);
            if bound.len() != width {
                let span = row.content.first().map_or(self.place, |first| self.span_of(first));
                let message =
                    format!("the rows of VALUES have {width} and {} columns", bound.len());
                return Err(semantic(message, span));
            }
            rows.push(bound);
        }
        let span = self.span_of(values);
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 {
            return Err(query::no_columns(span));
        }
        let mut columns = Vec::with_capacity(width);
        for index in 0..width {
            let column = rows.iter().map(|row| row[index].clone()).collect();
            columns.push(binder.unified(column, span)?);
        }
        let schema = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let types: Vec<_> = column.iter().map(|value| value.ty().clone()).collect();
                let ty = cast::unify(&types);
                let ty = ty.filter(|ty| ty.kind != tidegate_types::TypeKind::Null);
                ty.map(|ty| Field::new(format!("EXPR${index}"), ty))
                    .ok_or_else(|| select::bare_null(span))
            })
            .collect::<Result<Vec<_>>>()?;
        let folded = columns.into_iter().map(|column| {
            let values = column.into_iter().map(|value| constant::fold(value, self.settings));
            values.collect::<Vec<_>>()
        });
        let mut folded: Vec<_> = folded.map(Vec::into_iter).collect();
        let rows: Vec<Vec<Expr>> =
            rows.iter().map(|_| folded.iter_mut().filter_map(Iterator::next).collect()).collect();
        let literals: Option<Vec<Vec<Literal>>> =
            rows.iter().map(|row| row.iter().map(literal).collect()).collect();
        Ok(match literals {
            Some(literals) => Relation { op: RelOp::Values(literals), schema },
            None => computed(rows, schema),
        })
    }
}

fn literal(value: &Expr) -> Option<Literal> {
    match value {
        Expr::Literal(literal) => Some(literal.clone()),
        _ => None,
    }
}

/// Rows of which some value has no literal: each is computed from a row without columns.
fn computed(rows: Vec<Vec<Expr>>, schema: Schema) -> Relation {
    let one = || Relation { op: RelOp::Values(vec![Vec::new()]), schema: Vec::new() };
    let mut inputs = rows
        .into_iter()
        .map(|row| {
            let named = row.into_iter().zip(&schema);
            let named = named.map(|(expr, field)| NamedExpr { name: field.name.clone(), expr });
            Relation {
                op: RelOp::Project { input: Box::new(one()), exprs: named.collect() },
                schema: schema.clone(),
            }
        })
        .collect::<Vec<_>>();
    match inputs.len() {
        1 => inputs.remove(0),
        _ => Relation { op: RelOp::Union { inputs }, schema },
    }
}
