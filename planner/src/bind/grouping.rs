//! GROUPING SETS, ROLLUP and CUBE: each row is grouped once per set, with NULL in the place of the keys
//! that the set does not have.

use sqlparser::ast;
use tidegate_plan::{Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Error, Field, Result, TypeKind};

use super::aggregate::{self, AggregateItem, Grouped};
use crate::algebra::{RelOp, Relation};

/// Most sets of one GROUP BY: each multiplies the rows.
const MAX_SETS: usize = 4096;

/// The keys of a GROUP BY, and the sets of them.
pub(super) struct Sets {
    keys: Vec<Expr>,
    /// Indices of keys.
    sets: Vec<Vec<usize>>,
}

/// Reads the expressions of GROUP BY; `bind` gives the keys of one that is no set.
///
/// # Errors
/// What `bind` fails with; `RESOURCE_EXHAUSTED` for too many sets.
pub(super) fn sets(
    nodes: &[ast::Expr],
    bind: &mut dyn FnMut(&ast::Expr) -> Result<Vec<Expr>>,
) -> Result<Sets> {
    let mut keys = Keys { keys: Vec::new(), bind };
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for node in nodes {
        let choices = keys.choices(node)?;
        if sets.len() * choices.len() > MAX_SETS {
            let message = format!("GROUP BY has more than {MAX_SETS} grouping sets");
            return Err(Error::new(tidegate_types::ErrorCode::ResourceExhausted, message));
        }
        // Several sets beside each other multiply.
        let mut next = Vec::with_capacity(sets.len() * choices.len());
        for set in &sets {
            for choice in &choices {
                let mut all = set.clone();
                all.extend(choice.iter().filter(|key| !set.contains(key)));
                next.push(all);
            }
        }
        sets = next;
    }
    Ok(Sets { keys: keys.keys, sets })
}

struct Keys<'b> {
    keys: Vec<Expr>,
    bind: &'b mut dyn FnMut(&ast::Expr) -> Result<Vec<Expr>>,
}

impl Keys<'_> {
    /// The sets that an expression of GROUP BY stands for.
    fn choices(&mut self, node: &ast::Expr) -> Result<Vec<Vec<usize>>> {
        Ok(match node {
            ast::Expr::GroupingSets(sets) => {
                let mut choices = Vec::new();
                for set in sets {
                    // A set may itself be a ROLLUP, a CUBE or GROUPING SETS.
                    if let [
                        inner @ (ast::Expr::GroupingSets(_)
                        | ast::Expr::Rollup(_)
                        | ast::Expr::Cube(_)),
                    ] = set.as_slice()
                    {
                        choices.extend(self.choices(inner)?);
                    } else {
                        choices.push(self.list(set)?);
                    }
                }
                choices
            }
            ast::Expr::Rollup(parts) => {
                let parts = parts.iter().map(|part| self.list(part)).collect::<Result<Vec<_>>>()?;
                (0..=parts.len()).rev().map(|length| parts[..length].concat()).collect()
            }
            ast::Expr::Cube(parts) => {
                let parts = parts.iter().map(|part| self.list(part)).collect::<Result<Vec<_>>>()?;
                if parts.len() > 12 {
                    return Err(Error::new(
                        tidegate_types::ErrorCode::ResourceExhausted,
                        format!("CUBE of {} parts has too many grouping sets", parts.len()),
                    ));
                }
                let chosen = |mask: usize| {
                    let parts = parts.iter().enumerate();
                    // The first part is the highest bit, and complete sets come first.
                    let last = parts.len() - 1;
                    let taken = parts.filter(|(at, _)| mask & (1 << (last - at)) != 0);
                    taken.flat_map(|(_, part)| part.iter().copied()).collect()
                };
                (0..1 << parts.len()).rev().map(chosen).collect()
            }
            ast::Expr::Tuple(parts) => vec![self.list(parts)?],
            ast::Expr::Nested(inner) => self.choices(inner)?,
            other => vec![self.list(std::slice::from_ref(other))?],
        })
    }

    fn list(&mut self, nodes: &[ast::Expr]) -> Result<Vec<usize>> {
        let mut indices: Vec<usize> = Vec::new();
        for node in nodes {
            let parts = match node {
                ast::Expr::Tuple(parts) => parts.iter().collect(),
                ast::Expr::Nested(inner) => vec![inner.as_ref()],
                other => vec![other],
            };
            for part in parts {
                for key in (self.bind)(part)? {
                    let known = self.keys.iter().position(|other| *other == key);
                    let index = known.unwrap_or(self.keys.len());
                    if known.is_none() {
                        self.keys.push(key);
                    }
                    if !indices.contains(&index) {
                        indices.push(index);
                    }
                }
            }
        }
        Ok(indices)
    }
}

/// Builds the aggregate of a GROUP BY with its sets.
///
/// # Errors
/// `UNSUPPORTED` for keys that cannot be NULL.
pub(super) fn group(
    input: Relation,
    Sets { keys, sets }: Sets,
    items: &[AggregateItem],
    ttl: Option<u64>,
) -> Result<Grouped> {
    let plain = matches!(sets.as_slice(), [one] if one.len() == keys.len());
    if plain {
        return Ok(aggregate::group(input, keys, items, ttl));
    }
    let (width, count) = (input.schema.len(), keys.len());
    // Keys first, as the sets need them; then the set's number; then the rows for the arguments.
    let mut exprs: Vec<NamedExpr> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| NamedExpr { name: format!("$k{index}"), expr: key.clone() })
        .collect();
    exprs.extend(input.identity());
    let rows = input.project(exprs);
    let mut schema = Vec::with_capacity(count + 1 + width);
    for (index, field) in rows.schema[..count].iter().enumerate() {
        let always = sets.iter().all(|set| set.contains(&index));
        let ty = field.ty.clone();
        let nullable = ty.nullable || !always;
        schema.push(Field::new(field.name.clone(), ty.with_nullable(nullable)));
    }
    schema.push(Field::new("$e", TypeKind::BigInt.not_null()));
    schema.extend(rows.schema[count..].iter().cloned());
    let projections = sets.iter().enumerate().map(|(number, set)| {
        let key = |index: usize| {
            let ty = rows.schema[index].ty.clone();
            match set.contains(&index) {
                true => Expr::column(index, ty),
                false => Expr::Literal(Literal::null(ty.materialized().kind)),
            }
        };
        let mut projection: Vec<Expr> = (0..count).map(key).collect();
        projection.push(bigint(number as i64));
        let rest = rows.schema.iter().enumerate().skip(count);
        projection.extend(rest.map(|(index, field)| Expr::column(index, field.ty.clone())));
        projection
    });
    let projections = projections.collect();
    let expanded = Relation { op: RelOp::Expand { input: Box::new(rows), projections }, schema };
    let columns = (0..=count).map(|index| expanded.column(index)).collect();
    let mut items = items.to_vec();
    for item in &mut items {
        let shifted = |index: usize| index + count + 1;
        item.exprs_mut().for_each(|expr| expr.remap_columns(&shifted));
    }
    let grouped = aggregate::group(expanded, columns, &items, ttl);
    Ok(grouped.of_sets(keys, sets))
}

/// A BIGINT literal.
pub(super) fn bigint(value: i64) -> Expr {
    Expr::Literal(Literal { value: Scalar::Integer(value), ty: TypeKind::BigInt.not_null() })
}

/// What `GROUPING`, `GROUPING_ID` and `GROUP_ID` give for each set.
pub(super) fn grouping_values(
    name: &str,
    args: &[usize],
    sets: &[Vec<usize>],
) -> impl Iterator<Item = i64> {
    let value = |(number, set): (usize, &Vec<usize>)| match name {
        "GROUP_ID" => sets[..number].iter().filter(|earlier| same(earlier, set)).count() as i64,
        _ => args.iter().fold(0, |bits, key| bits << 1 | i64::from(!set.contains(key))),
    };
    sets.iter().enumerate().map(value).collect::<Vec<_>>().into_iter()
}

fn same(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().all(|key| b.contains(key))
}
