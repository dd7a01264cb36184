//! What is needed of a value: nothing, all of it, or some fields of a ROW; and how expressions
//! change when only that is there.

use std::collections::BTreeMap;

use tidegate_plan::Expr;
use tidegate_types::{Field, SqlType, TypeKind};

/// What of a value is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Need {
    /// Nothing.
    #[default]
    No,
    /// These fields of a ROW.
    Fields(BTreeMap<usize, Need>),
    /// The value itself.
    All,
}

impl Need {
    pub(super) fn is_needed(&self) -> bool {
        *self != Self::No
    }

    /// Everything that either needs.
    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::No) | (Self::All, _) => {}
            (Self::Fields(mine), Self::Fields(others)) => {
                for (index, need) in others {
                    mine.entry(*index).or_default().merge(need);
                }
            }
            _ => *self = other.clone(),
        }
    }

    /// All instead of some fields, for operators that pass values on whole.
    pub(super) fn whole(&self) -> Self {
        if self.is_needed() { Self::All } else { Self::No }
    }

    /// The type with only the needed fields.
    pub(super) fn reduce(&self, ty: &SqlType) -> SqlType {
        match (self, &ty.kind) {
            (Self::Fields(needs), TypeKind::Row(fields) | TypeKind::Structured { fields, .. }) => {
                let kept = needs.iter().filter_map(|(index, need)| {
                    let field = fields.get(*index)?;
                    Some(Field::new(field.name.clone(), need.reduce(&field.ty)))
                });
                SqlType { kind: ty.kind.with_fields(kept.collect()), nullable: ty.nullable }
            }
            _ => ty.clone(),
        }
    }
}

/// Notes what an expression, of which `need` is needed, needs of the columns below.
pub(super) fn add(expr: &Expr, need: &Need, needs: &mut [Need]) {
    match expr {
        Expr::Column { index, .. } => {
            if let Some(column) = needs.get_mut(*index) {
                column.merge(need);
            }
        }
        Expr::Field { input, index, .. } => {
            let field = Need::Fields(BTreeMap::from([(*index, need.clone())]));
            add(input, &field, needs);
        }
        other => {
            for child in other.children() {
                add(child, &Need::All, needs);
            }
        }
    }
}

/// Where a column went, and what is left of it.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub(super) index: usize,
    pub(super) ty: SqlType,
    pub(super) need: Need,
}

/// Old columns in order; none for those that are gone.
pub(super) type Moves = Vec<Option<Moved>>;

/// Rewrites an expression to the columns that are left.
pub(super) fn rewrite(expr: Expr, moves: &Moves) -> Expr {
    rewrite_with_need(expr, moves).0
}

fn rewrite_with_need(expr: Expr, moves: &Moves) -> (Expr, Need) {
    match expr {
        Expr::Column { index, ty } => match moves.get(index).and_then(Option::as_ref) {
            Some(moved) => {
                // A declared attribute or a constant's narrower type stays what the reader bound.
                let ty = if matches!(moved.need, Need::Fields(_)) { moved.ty.clone() } else { ty };
                (Expr::Column { index: moved.index, ty }, moved.need.clone())
            }
            None => (Expr::Column { index, ty }, Need::All),
        },
        Expr::Field { input, index, ty } => {
            let (input, need) = rewrite_with_need(*input, moves);
            let Need::Fields(fields) = need else {
                return (Expr::Field { input: Box::new(input), index, ty }, Need::All);
            };
            let place = fields.keys().position(|field| *field == index).unwrap_or(0);
            let need = fields.get(&index).cloned().unwrap_or_default();
            let ty = match &input.ty().kind {
                TypeKind::Row(left) | TypeKind::Structured { fields: left, .. } => left
                    .get(place)
                    .map_or(ty.clone(), |field| field.ty.clone().with_nullable(ty.nullable)),
                _ => ty,
            };
            (Expr::Field { input: Box::new(input), index: place, ty }, need)
        }
        mut other => {
            for child in other.children_mut() {
                let part = std::mem::replace(child, Expr::column(0, TypeKind::Null.nullable()));
                *child = rewrite(part, moves);
            }
            (other, Need::All)
        }
    }
}
