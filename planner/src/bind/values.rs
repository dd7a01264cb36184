//! VALUES.

use sqlparser::ast::Values;
use tidegate_plan::{Expr, Literal};
use tidegate_types::{Field, Result};

use super::expr::ExprBinder;
use super::scope::Scope;
use super::{Binder, cast, constant, query, select, semantic, unsupported};
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
        let mut literals = Vec::with_capacity(rows.len());
        for index in 0..rows.len() {
            let row = columns.iter().map(|column| self.literal(&column[index]));
            literals.push(row.collect::<Result<Vec<_>>>()?);
        }
        Ok(Relation { op: RelOp::Values(literals), schema })
    }

    fn literal(&self, value: &Expr) -> Result<Literal> {
        let folded = constant::fold(value.clone(), self.settings);
        match folded {
            Expr::Literal(literal) => Ok(literal),
            other => Err(unsupported("a value in VALUES that is not a constant", self.place).help(
                format!("it has the type {}; write SELECT … UNION ALL SELECT …", other.ty()),
            )),
        }
    }
}
