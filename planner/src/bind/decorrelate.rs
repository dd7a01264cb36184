//! Subqueries that refer to the query around them: the conditions that do are pulled up into a join.

use tidegate_plan::operator::Rank;
use tidegate_plan::{Expr, FunctionRef, NamedExpr};
use tidegate_types::{Field, Result, Span, SqlType};

use super::subquery::{OUTER_BASE, SUBQUERY_BASE};
use super::unsupported;
use crate::algebra::{Group, RelOp, Relation};
use crate::optimize::conjunction::{join as conjunction, split};

/// The relation without the conditions that refer to columns around it, and those conditions, over
/// outer columns and the relation's. Columns keep their places; further ones stand behind them.
pub(super) fn decorrelate(relation: Relation, span: Span) -> Result<(Relation, Vec<Expr>)> {
    if !has_outer(&relation) {
        return Ok((relation, Vec::new()));
    }
    let refuse = || {
        Err(unsupported("a subquery that refers to the query around it in this way", span)
            .help("refer to it in conditions of WHERE, or write a join"))
    };
    let Relation { op, schema } = relation;
    match op {
        RelOp::Filter { input, predicate } => {
            let (input, mut pulled) = decorrelate(*input, span)?;
            let (outer, own): (Vec<Expr>, Vec<Expr>) =
                split(predicate).into_iter().partition(reads_outer);
            pulled.extend(outer);
            let input = match conjunction(own) {
                Some(predicate) => input.filter(predicate),
                None => input,
            };
            Ok((input, pulled))
        }
        RelOp::Project { input, mut exprs } => {
            if exprs.iter().any(|named| reads_outer(&named.expr)) {
                return refuse();
            }
            let (input, pulled) = decorrelate(*input, span)?;
            let pulled = pulled.into_iter().map(|expr| raise(expr, &input, &mut exprs)).collect();
            Ok((input.project(exprs), pulled))
        }
        RelOp::Group { input, group } => {
            let (input, pulled) = decorrelate(*input, span)?;
            match grouped_by(input, group, &schema, pulled) {
                Some(grouped) => Ok(grouped),
                None => refuse(),
            }
        }
        RelOp::Rank { input, rank } if rank.rank_column.is_none() => {
            let (input, pulled) = decorrelate(*input, span)?;
            match ranked_by(input, rank, pulled) {
                Some(ranked) => Ok(ranked),
                None => refuse(),
            }
        }
        _ => refuse(),
    }
}

/// A pulled condition over a projection: columns that it misses are added.
fn raise(mut expr: Expr, input: &Relation, exprs: &mut Vec<NamedExpr>) -> Expr {
    let mut moves = Vec::new();
    for column in expr.columns().into_iter().filter(|column| *column < OUTER_BASE) {
        let reference = input.column(column);
        let known = exprs.iter().position(|named| named.expr == reference);
        let place = known.unwrap_or_else(|| {
            exprs.push(NamedExpr { name: format!("$c{column}"), expr: reference });
            exprs.len() - 1
        });
        moves.push((column, place));
    }
    expr.remap_columns(&|index| {
        moves.iter().find(|(from, _)| *from == index).map_or(index, |(_, to)| *to)
    });
    expr
}

/// `outer = own`, of which one side is over the columns around a subquery and the other over its own.
struct Equality {
    function: FunctionRef,
    outer: Expr,
    own: Expr,
    ty: SqlType,
}

impl Equality {
    fn of(condition: Expr) -> Option<Self> {
        let Expr::Call { function, args, ty } = condition else { return None };
        let [a, b] = <[Expr; 2]>::try_from(args).ok()?;
        let (outer, own) = if reads_outer(&a) { (a, b) } else { (b, a) };
        let mixed = outer.columns().iter().any(|column| *column < OUTER_BASE);
        let fits = function.name == "=" && !mixed && !reads_outer(&own);
        fits.then_some(Self { function, outer, own, ty })
    }

    /// The condition with a column in place of what it compares with.
    fn with(self, place: usize) -> Expr {
        let key = Expr::column(place, self.own.ty().clone().materialized());
        Expr::Call { function: self.function, args: vec![self.outer, key], ty: self.ty }
    }
}

/// The first rows per value of what they are compared with by `=`.
fn ranked_by(input: Relation, mut rank: Rank, pulled: Vec<Expr>) -> Option<(Relation, Vec<Expr>)> {
    let mut exprs = input.identity();
    let mut on = Vec::with_capacity(pulled.len());
    for condition in pulled {
        let equality = Equality::of(condition)?;
        rank.keys.push(exprs.len());
        exprs.push(NamedExpr { name: format!("$c{}", exprs.len()), expr: equality.own.clone() });
        on.push(equality.with(exprs.len() - 1));
    }
    let input = input.project(exprs);
    let schema = input.schema.clone();
    Some((Relation { op: RelOp::Rank { input: Box::new(input), rank }, schema }, on))
}

/// An aggregate per value of what its rows are compared with by `=`.
fn grouped_by(
    input: Relation,
    mut group: Group,
    schema: &[Field],
    pulled: Vec<Expr>,
) -> Option<(Relation, Vec<Expr>)> {
    let (keys, calls) = (group.keys.len(), group.calls.len());
    let mut added: Vec<NamedExpr> = input.identity();
    let mut on = Vec::with_capacity(pulled.len());
    for condition in pulled {
        let equality = Equality::of(condition)?;
        // Results first, as before; the further keys behind them.
        let place = schema.len() + on.len();
        group.keys.push(added.len());
        added.push(NamedExpr { name: format!("$c{}", added.len()), expr: equality.own.clone() });
        on.push(equality.with(place));
    }
    let input = input.project(added);
    let fields = |columns: &[usize]| -> Vec<Field> {
        let field = |column: &usize| &input.schema[*column];
        columns
            .iter()
            .map(field)
            .map(|field| Field::new(field.name.clone(), field.ty.clone().materialized()))
            .collect()
    };
    let mut output = fields(&group.keys);
    output.extend(schema[keys..].iter().cloned());
    let further = group.keys.len() - keys;
    let grouped = Relation { op: RelOp::Group { input: Box::new(input), group }, schema: output };
    let order = (0..keys).chain(keys + further..keys + further + calls).chain(keys..keys + further);
    let exprs = order.map(|index| NamedExpr {
        name: grouped.schema[index].name.clone(),
        expr: grouped.column(index),
    });
    let exprs = exprs.collect();
    Some((grouped.project(exprs), on))
}

fn reads_outer(expr: &Expr) -> bool {
    expr.columns().into_iter().any(is_outer)
}

/// Whether a column is one of the query around a subquery.
pub(super) fn is_outer(column: usize) -> bool {
    (OUTER_BASE..SUBQUERY_BASE).contains(&column)
}

/// Whether a relation refers to columns around it.
pub(super) fn has_outer(relation: &Relation) -> bool {
    relation.exprs().into_iter().any(reads_outer) || relation.inputs().into_iter().any(has_outer)
}

/// Whether a relation has exactly one row: a grouping without keys.
pub(super) fn is_single_row(relation: &Relation) -> bool {
    match &relation.op {
        RelOp::Group { group, .. } => group.keys.is_empty(),
        RelOp::Project { input, .. } => is_single_row(input),
        RelOp::Values(rows) => rows.len() == 1,
        _ => false,
    }
}
