//! The outside table of a lookup join, below its projections and filters.

use std::sync::Arc;

use tidegate_plan::operator::{LookupJoin, LookupKey};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Error, Field, Result, TypeKind};

use crate::algebra::{RelOp, Relation, Scan};
use crate::bind::dependent::replaced;
use crate::catalog::Table;
use crate::optimize::join::equality;

/// A table that is looked up.
pub(super) struct Looked {
    pub(super) table: Arc<Table>,
    /// The physical columns that are read.
    pub(super) read: Vec<Field>,
    /// Each column of the relation over `read`: a column, or one behind a mask.
    pub(super) columns: Vec<Expr>,
    /// Conditions over `read`.
    pub(super) filter: Vec<Expr>,
}

/// # Errors
/// `UNSUPPORTED` if the relation has columns that are not the table's own.
pub(super) fn looked_up(relation: Relation) -> Result<Looked> {
    match relation.op {
        RelOp::Scan(scan) => {
            let exprs = scan.projection.iter();
            let columns: Option<Vec<Expr>> = exprs.map(|named| own_column(&scan, named)).collect();
            let Some(columns) = columns else {
                return Err(refused(&scan.table.name));
            };
            Ok(Looked { table: scan.table, read: scan.read, columns, filter: scan.pushed })
        }
        RelOp::Project { input, exprs } => {
            let below = looked_up(*input)?;
            let column = |named: &NamedExpr| match &named.expr {
                Expr::Column { index, .. } => below.columns.get(*index).cloned(),
                _ => None,
            };
            match exprs.iter().map(column).collect() {
                Some(columns) => Ok(Looked { columns, ..below }),
                None => Err(refused(&below.table.name)),
            }
        }
        RelOp::Filter { input, predicate } => {
            let mut below = looked_up(*input)?;
            below.filter.push(over_read(predicate, &below.columns, 0));
            Ok(below)
        }
        _ => Err(Error::internal("a lookup of what is no table")),
    }
}

fn refused(name: &str) -> Error {
    Error::unsupported(format!(
        "table {name} is looked up with computed or metadata columns, which is not supported yet"
    ))
    .help("select the table's own columns and compute behind the join")
}

/// A column that is read, or what a mask makes of one.
fn own_column(scan: &Scan, named: &NamedExpr) -> Option<Expr> {
    let is_read = |index: &usize| *index < scan.read.len();
    let masked = || {
        let governed = scan.table.governed.as_ref()?;
        let physical = scan.table.physical_columns();
        let own = physical.iter().any(|field| field.name == named.name);
        (own && governed.masks.contains_key(&named.name)).then(|| named.expr.clone())
    };
    match &named.expr {
        Expr::Column { index, .. } => is_read(index).then(|| named.expr.clone()),
        other if other.columns().iter().all(is_read) => masked(),
        _ => None,
    }
}

/// An expression over an input of `width` columns and the relation's as one over the input and what is read.
pub(super) fn over_read(expr: Expr, columns: &[Expr], width: usize) -> Expr {
    replaced(expr, &|index, column| match index.checked_sub(width) {
        None => column,
        Some(own) => match &columns[own] {
            Expr::Column { index, .. } => Expr::column(width + index, column.ty().clone()),
            masked => {
                let mut masked = masked.clone();
                masked.remap_columns(&|index| width + index);
                masked
            }
        },
    })
}

/// The columns of `read` that the join emits: in the relation's order, or those below masks once each.
pub(super) fn output_of(columns: &[Expr]) -> Vec<usize> {
    let plain = columns.iter().map(|column| match column {
        Expr::Column { index, .. } => Some(*index),
        _ => None,
    });
    let plain: Option<Vec<usize>> = plain.collect();
    plain.unwrap_or_else(|| {
        let mut read: Vec<usize> = columns.iter().flat_map(Expr::columns).collect();
        read.sort_unstable();
        read.dedup();
        read
    })
}

/// A lookup whose columns are masked behind it.
pub(super) struct Masked {
    /// The columns of the join itself.
    pub(super) joined: Vec<Field>,
    /// What they are for everything behind.
    pub(super) projection: Vec<NamedExpr>,
}

/// None if no column is masked. `schema`: what the join's readers see, with `width` columns of its input.
pub(super) fn masked_columns(
    columns: &[Expr],
    lookup: &LookupJoin,
    schema: &[Field],
    width: usize,
) -> Option<Masked> {
    if columns.iter().all(|column| matches!(column, Expr::Column { .. })) {
        return None;
    }
    let outer = lookup.kind.keeps_left();
    let emitted = lookup.output.iter().map(|index| {
        let field = &lookup.read[*index];
        let ty = field.ty.clone();
        Field::new(field.name.clone(), ty.clone().with_nullable(ty.nullable || outer))
    });
    let joined: Vec<Field> = schema[..width].iter().cloned().chain(emitted).collect();
    let place = |read: usize| {
        let output = lookup.output.iter().position(|index| *index == read).unwrap_or_default();
        Expr::column(width + output, joined[width + output].ty.clone())
    };
    let seen = schema.iter().enumerate().map(|(index, field)| {
        let expr = match index.checked_sub(width).and_then(|own| columns.get(own)) {
            None => Expr::column(index, field.ty.clone()),
            Some(own) => retyped(replaced(own.clone(), &|read, _| place(read)), field),
        };
        NamedExpr { name: field.name.clone(), expr }
    });
    let projection = seen.collect();
    Some(Masked { joined, projection })
}

/// A mask is NULL where there is no row.
fn retyped(mut expr: Expr, field: &Field) -> Expr {
    if let Expr::Call { ty, .. } = &mut expr {
        *ty = field.ty.clone();
    }
    expr
}

pub(super) fn nothing() -> Expr {
    Expr::column(0, TypeKind::Null.nullable())
}

/// `table column = input column` or `= constant`; columns are over the input, then what is read.
pub(super) fn lookup_key(condition: &Expr, width: usize) -> Option<(usize, LookupKey)> {
    if let Some((Expr::Column { index: a, .. }, Expr::Column { index: b, .. }, false)) =
        equality(condition, width)
    {
        return Some((b - width, LookupKey::Column(*a)));
    }
    let Expr::Call { function, args, .. } = condition else { return None };
    if function.name != "=" {
        return None;
    }
    match args.as_slice() {
        [Expr::Column { index, .. }, Expr::Literal(value)]
        | [Expr::Literal(value), Expr::Column { index, .. }]
            if *index >= width =>
        {
            Some((index - width, LookupKey::Constant(value.clone())))
        }
        _ => None,
    }
}
