//! Subqueries that depend on the rows around them in other ways than a pulled condition can tell: they are
//! computed for each combination of the values that they depend on, which are found first.
//!
//! The source of the method: T. Neumann, A. Kemper, "Unnesting Arbitrary Queries" (BTW 2015).

use tidegate_plan::operator::{JoinKind, Rank, Unnest};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Field, Result, Span, TypeKind};

use super::decorrelate::{decorrelate, has_outer, is_outer};
use super::join::settled;
use super::select::distinct;
use super::subquery::OUTER_BASE;
use crate::algebra::{Group, Join, JoinForm, RelOp, Relation};

/// A subquery without references to the rows around it, and the conditions by which it is joined to these.
///
/// `parameters`, over `outer`, are what the subquery's columns from [`OUTER_BASE`] on stand for. The
/// conditions are over the columns of `outer`, then of the result; the subquery's columns keep their places
/// there.
///
/// # Errors
/// `UNSUPPORTED` if the subquery depends on the rows around it in a way that neither method knows.
pub(super) fn decorrelated(
    inner: Relation,
    outer: &Relation,
    parameters: &[Expr],
    span: Span,
) -> Result<(Relation, Vec<Expr>)> {
    let width = outer.schema.len();
    match decorrelate(inner.clone(), span) {
        Ok((relation, pulled)) => {
            let pulled = pulled.into_iter().map(|expr| placed(expr, parameters, width));
            Ok((relation, pulled.collect()))
        }
        Err(refused) => {
            let domain = Domain::of(&inner, outer, parameters, span)?;
            let first = inner.schema.len();
            let relation = domain.attach(inner).ok_or(refused)?;
            let on = domain.used.iter().enumerate().map(|(index, parameter)| {
                let mut value = relation.column(first + index);
                value.remap_columns(&|index| index + width);
                same(parameters[*parameter].clone(), value)
            });
            let on = on.collect();
            Ok((relation, on))
        }
    }
}

/// An expression over parameters and a subquery's columns as one over columns around it, then the subquery's.
pub(super) fn placed(expr: Expr, parameters: &[Expr], width: usize) -> Expr {
    replaced(expr, &|index, column| match parameter_of(index) {
        Some(parameter) => parameters.get(parameter).cloned().unwrap_or(column),
        None => Expr::column(index + width, column.ty().clone()),
    })
}

/// The parameter that a column stands for, if it does.
fn parameter_of(index: usize) -> Option<usize> {
    is_outer(index).then(|| index - OUTER_BASE)
}

/// Each column replaced by what `of` gives for it.
pub(crate) fn replaced(expr: Expr, of: &dyn Fn(usize, Expr) -> Expr) -> Expr {
    match expr {
        Expr::Column { index, .. } => of(index, expr),
        mut other => {
            for child in other.children_mut() {
                let part = std::mem::replace(child, Expr::column(0, TypeKind::Null.nullable()));
                *child = replaced(part, of);
            }
            other
        }
    }
}

fn same(a: Expr, b: Expr) -> Expr {
    Expr::call("IS NOT DISTINCT FROM", vec![a, b], TypeKind::Boolean.not_null())
}

/// The combinations of values that a subquery depends on.
struct Domain {
    values: Relation,
    /// The parameters that are its columns.
    used: Vec<usize>,
    span: Span,
}

impl Domain {
    fn of(inner: &Relation, outer: &Relation, parameters: &[Expr], span: Span) -> Result<Self> {
        let mut used = Vec::new();
        collect(inner, &mut used);
        used.sort_unstable();
        used.dedup();
        used.retain(|parameter| *parameter < parameters.len());
        let exprs = used.iter().enumerate().map(|(index, parameter)| NamedExpr {
            name: format!("$d{index}"),
            expr: parameters[*parameter].clone(),
        });
        let values = distinct(outer.clone().project(exprs.collect()), span)?;
        Ok(Self { values, used, span })
    }

    fn len(&self) -> usize {
        self.used.len()
    }

    /// References to the rows around a subquery become columns that begin at `first`.
    fn bound(&self, expr: Expr, first: usize) -> Expr {
        replaced(expr, &|index, column| {
            let place = parameter_of(index)
                .and_then(|parameter| self.used.iter().position(|used| *used == parameter));
            match place {
                Some(place) => Expr::column(first + place, column.ty().clone().materialized()),
                None => column,
            }
        })
    }

    /// The rows of a relation for each combination: its columns, then those of the combination. None for
    /// relations of which this is not known.
    fn attach(&self, relation: Relation) -> Option<Relation> {
        if !has_outer(&relation) {
            let (form, span) = (JoinForm::Regular, self.span);
            let join =
                Join { kind: JoinKind::Inner, on: Vec::new(), form, ttl: [None, None], span };
            return Some(settled(relation, self.values.clone(), join));
        }
        let Relation { op, schema } = relation;
        match op {
            RelOp::Filter { input, predicate } => {
                let width = input.schema.len();
                Some(self.attach(*input)?.filter(self.bound(predicate, width)))
            }
            RelOp::Project { input, exprs } => {
                let width = input.schema.len();
                let input = self.attach(*input)?;
                let own = exprs.into_iter().map(|NamedExpr { name, expr }| NamedExpr {
                    name,
                    expr: self.bound(expr, width),
                });
                let exprs = own.chain(self.columns(&input, width)).collect();
                Some(input.project(exprs))
            }
            RelOp::Group { input, group } => self.group(*input, group, &schema),
            RelOp::Rank { input, rank } => self.rank(*input, rank, schema),
            RelOp::Unnest { input, unnest } => self.unnest(*input, unnest, &schema),
            RelOp::Join { left, right, join } => self.join(*left, *right, join),
            RelOp::Union { inputs } => {
                let inputs: Vec<Relation> =
                    inputs.into_iter().map(|input| self.attach(input)).collect::<Option<_>>()?;
                let schema = self.extended(schema);
                Some(Relation { op: RelOp::Union { inputs }, schema })
            }
            _ => None,
        }
    }

    /// The domain's columns in a relation in which they begin at `first`.
    fn columns(&self, relation: &Relation, first: usize) -> impl Iterator<Item = NamedExpr> {
        let columns = (first..first + self.len()).map(|index| NamedExpr {
            name: relation.schema[index].name.clone(),
            expr: relation.column(index),
        });
        columns.collect::<Vec<_>>().into_iter()
    }

    fn extended(&self, mut schema: Vec<Field>) -> Vec<Field> {
        schema.extend(self.values.schema.iter().cloned());
        schema
    }

    /// The domain's columns behind all others, which begin at `first` now.
    fn behind(&self, relation: Relation, first: usize) -> Relation {
        let all = relation.identity();
        let moved = first..first + self.len();
        let (domain, mut exprs): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(index, _)| moved.contains(index));
        exprs.extend(domain);
        relation.project(exprs.into_iter().map(|(_, named)| named).collect())
    }

    fn group(&self, input: Relation, mut group: Group, schema: &[Field]) -> Option<Relation> {
        let (width, keys) = (input.schema.len(), group.keys.len());
        let input = self.attach(input)?;
        group.keys.extend(width..width + self.len());
        let mut output = schema[..keys].to_vec();
        output.extend(input.schema[width..].iter().cloned());
        output.extend(schema[keys..].iter().cloned());
        let op = RelOp::Group { input: Box::new(input), group };
        Some(self.behind(Relation { op, schema: output }, keys))
    }

    fn rank(&self, input: Relation, mut rank: Rank, mut schema: Vec<Field>) -> Option<Relation> {
        let width = input.schema.len();
        let input = self.attach(input)?;
        rank.keys.extend(width..width + self.len());
        let number = schema.split_off(width);
        let mut schema = self.extended(schema);
        schema.extend(number);
        let op = RelOp::Rank { input: Box::new(input), rank };
        Some(self.behind(Relation { op, schema }, width))
    }

    fn unnest(&self, input: Relation, mut unnest: Unnest, schema: &[Field]) -> Option<Relation> {
        let width = input.schema.len();
        let input = self.attach(input)?;
        let (bound, count) = (|expr| self.bound(expr, width), self.len());
        unnest.collection = bound(unnest.collection);
        unnest.condition = unnest.condition.map(|mut condition| {
            condition.remap_columns(&|index| match index {
                element if element >= width && !is_outer(element) => element + count,
                other => other,
            });
            bound(condition)
        });
        let mut output = input.schema.clone();
        output.extend(schema[width..].iter().cloned());
        let op = RelOp::Unnest { input: Box::new(input), unnest };
        Some(self.behind(Relation { op, schema: output }, width))
    }

    /// The side that depends on the rows around gets the domain; the other side only where both do.
    fn join(&self, left: Relation, right: Relation, mut join: Join) -> Option<Relation> {
        if join.form != JoinForm::Regular {
            return None;
        }
        let (widths, count) = ([left.schema.len(), right.schema.len()], self.len());
        let inner = join.kind == JoinKind::Inner;
        if has_outer(&right) && !has_outer(&left) && inner {
            let first = widths[0] + widths[1];
            join.on = join.on.into_iter().map(|on| self.bound(on, first)).collect();
            return Some(settled(left, self.attach(right)?, join));
        }
        let both = has_outer(&right);
        let keeps_to_left = matches!(join.kind, JoinKind::Left | JoinKind::Semi | JoinKind::Anti);
        if !inner && !keeps_to_left {
            return None;
        }
        let on = std::mem::take(&mut join.on).into_iter().map(|mut on| {
            on.remap_columns(&|index| match index {
                right if right >= widths[0] && !is_outer(right) => right + count,
                other => other,
            });
            self.bound(on, widths[0])
        });
        join.on = on.collect();
        let left = self.attach(left)?;
        let right = if both { self.attach(right)? } else { right };
        if both {
            let second = widths[0] + count + widths[1];
            let column = |index: usize| match index.checked_sub(left.schema.len()) {
                None => left.column(index),
                Some(own) => Expr::column(index, right.schema[own].ty.clone()),
            };
            let pairs = (0..count).map(|at| same(column(widths[0] + at), column(second + at)));
            join.on.extend(pairs);
        }
        let has_right_columns = join.kind.has_right_columns();
        let joined = settled(left, right, join);
        if !has_right_columns {
            return Some(joined);
        }
        let mut joined = self.behind(joined, widths[0]);
        if both {
            let mut exprs = joined.identity();
            let first = widths[0] + widths[1];
            exprs.drain(first..first + count);
            joined = joined.project(exprs);
        }
        Some(joined)
    }
}

/// The parameters that a relation reads.
fn collect(relation: &Relation, used: &mut Vec<usize>) {
    for expr in relation.exprs() {
        used.extend(expr.columns().into_iter().filter_map(parameter_of));
    }
    relation.inputs().into_iter().for_each(|input| collect(input, used));
}
