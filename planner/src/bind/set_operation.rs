//! UNION, INTERSECT and EXCEPT.

use sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};
use tidegate_plan::operator::{JoinKind, Unnest};
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, NamedExpr};
use tidegate_types::{Field, Result, Span, SqlType, TimeAttribute, TypeKind};

use super::expr::ExprBinder;
use super::grouping::bigint;
use super::join::settled;
use super::scope::Scope;
use super::{Binder, cast, select, semantic, unsupported};
use crate::algebra::{Group, Join, JoinForm, RelOp, Relation};

impl Binder<'_> {
    pub(super) fn set_operation(&mut self, body: &SetExpr) -> Result<Relation> {
        let SetExpr::SetOperation { left, op, set_quantifier, right } = body else {
            return self.set_expr(body);
        };
        let span = self.span_of(right.as_ref());
        let all = match set_quantifier {
            SetQuantifier::All => true,
            SetQuantifier::None | SetQuantifier::Distinct => false,
            other => return Err(unsupported(&format!("{op} {other}"), span)),
        };
        match op {
            SetOperator::Union => {
                let united = self.union(body, all)?;
                if all { Ok(united) } else { select::distinct(united, span) }
            }
            SetOperator::Intersect if all => self.counted(left, right, "INTERSECT ALL"),
            SetOperator::Except if all => self.counted(left, right, "EXCEPT ALL"),
            SetOperator::Intersect => self.matching(JoinKind::Semi, left, right, "INTERSECT"),
            SetOperator::Except => self.matching(JoinKind::Anti, left, right, "EXCEPT"),
            SetOperator::Minus => {
                Err(semantic("MINUS is not Flink SQL", span).help("write EXCEPT"))
            }
        }
    }

    /// A chain of UNIONs of one kind leans left; it is read in a loop and becomes one node.
    fn union(&mut self, body: &SetExpr, all: bool) -> Result<Relation> {
        let mut branches = Vec::new();
        let mut rest = body;
        while let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } =
            rest
        {
            if (*set_quantifier == SetQuantifier::All) != all {
                break;
            }
            branches.push(right.as_ref());
            rest = left;
        }
        branches.push(rest);
        let mut inputs = Vec::with_capacity(branches.len());
        for branch in branches.into_iter().rev() {
            inputs.push((self.set_expr(branch)?, self.span_of(branch)));
        }
        let name = if all { "UNION ALL" } else { "UNION" };
        let (inputs, schema) = self.unified_inputs(inputs, name)?;
        Ok(Relation { op: RelOp::Union { inputs }, schema })
    }

    /// The distinct left rows with (`Semi`) or without (`Anti`) an equal right one; NULL equals NULL.
    fn matching(
        &mut self,
        kind: JoinKind,
        left: &SetExpr,
        right: &SetExpr,
        name: &str,
    ) -> Result<Relation> {
        let inputs = vec![
            (self.set_expr(left)?, self.span_of(left)),
            (self.set_expr(right)?, self.span_of(right)),
        ];
        let span = inputs[1].1;
        let (mut inputs, schema) = self.unified_inputs(inputs, name)?;
        let (right, left) = (inputs.pop(), inputs.pop());
        let (Some(left), Some(right)) = (left, right) else {
            return Err(semantic(format!("{name} needs two queries"), span));
        };
        let left = select::distinct(left, span)?;
        let width = schema.len();
        let on = (0..width).map(|index| {
            let other = right.schema[index].ty.clone();
            let pair = vec![left.column(index), Expr::column(width + index, other)];
            Expr::call("IS NOT DISTINCT FROM", pair, TypeKind::Boolean.not_null())
        });
        let on = on.collect();
        let form = JoinForm::Regular;
        Ok(settled(left, right, Join { kind, on, form, ttl: [None, None], span }))
    }

    /// The left rows as often as `INTERSECT ALL` or `EXCEPT ALL` says: equal rows of both sides are counted,
    /// and each is repeated.
    fn counted(&mut self, left: &SetExpr, right: &SetExpr, name: &str) -> Result<Relation> {
        let inputs = vec![
            (self.set_expr(left)?, self.span_of(left)),
            (self.set_expr(right)?, self.span_of(right)),
        ];
        let span = inputs[1].1;
        let (inputs, schema) = self.unified_inputs(inputs, name)?;
        let width = schema.len();
        let marked = inputs.into_iter().enumerate().map(|(side, input)| {
            let mut exprs = input.identity();
            exprs
                .iter_mut()
                .zip(&schema)
                .for_each(|(named, field)| named.name = field.name.clone());
            for (index, name) in ["$left", "$right"].into_iter().enumerate() {
                let expr = bigint(i64::from(index == side));
                exprs.push(NamedExpr { name: name.to_owned(), expr });
            }
            input.project(exprs)
        });
        let inputs: Vec<Relation> = marked.collect();
        let united = inputs.first().map(|first| first.schema.clone()).unwrap_or_default();
        let united = Relation { op: RelOp::Union { inputs }, schema: united };
        let sum = |column: usize| AggregateCall {
            function: AggregateFunction::Sum,
            argument: Some(column),
            parameters: Vec::new(),
            distinct: false,
            filter: None,
            name: united.schema[column].name.clone(),
            ty: TypeKind::BigInt.not_null(),
        };
        let calls = vec![sum(width), sum(width + 1)];
        let group = Group { keys: (0..width).collect(), calls, ttl: None };
        let mut fields: Vec<Field> = united.schema.clone();
        fields.iter_mut().for_each(|field| field.ty = field.ty.clone().materialized());
        let grouped =
            Relation { op: RelOp::Group { input: Box::new(united), group }, schema: fields };
        let empty = Scope::default();
        let binder = ExprBinder::new(self, &empty, "a set operation");
        let (of_left, of_right) = (grouped.column(width), grouped.column(width + 1));
        let times = match name.starts_with("EXCEPT") {
            true => binder.apply("-", vec![of_left, of_right], span)?,
            false => {
                let less = binder.apply("<", vec![of_left.clone(), of_right.clone()], span)?;
                binder.case_of(vec![(less, of_left)], of_right, span)?
            }
        };
        let collection = binder.apply("$COPIES", vec![times], span)?;
        let mut schema_of_copies = grouped.schema.clone();
        schema_of_copies.push(Field::new("$copy", TypeKind::Int.not_null()));
        let unnest = Unnest { collection, ordinality: false, outer: false, condition: None };
        let op = RelOp::Unnest { input: Box::new(grouped), unnest };
        let copies = Relation { op, schema: schema_of_copies };
        let mut exprs = copies.identity();
        exprs.truncate(width);
        Ok(copies.project(exprs))
    }

    /// Casts every input to the common types, under the first one's names.
    fn unified_inputs(
        &self,
        inputs: Vec<(Relation, Span)>,
        operation: &str,
    ) -> Result<(Vec<Relation>, Vec<Field>)> {
        let width = inputs.first().map_or(0, |(first, _)| first.schema.len());
        if let Some((other, span)) = inputs.iter().find(|(input, _)| input.schema.len() != width) {
            let message =
                format!("{operation} of queries with {width} and {} columns", other.schema.len());
            return Err(semantic(message, *span));
        }
        let mut schema = Vec::with_capacity(width);
        for index in 0..width {
            let types: Vec<SqlType> =
                inputs.iter().map(|(input, _)| input.schema[index].ty.clone()).collect();
            let name = inputs.first().map_or("", |(first, _)| first.schema[index].name.as_str());
            let Some(ty) = common_with_time(&types) else {
                let shown: Vec<String> = types.iter().map(ToString::to_string).collect();
                let span = inputs.last().map_or(self.place, |(_, span)| *span);
                let message = format!(
                    "column '{name}' of the {operation} has no common type: {}",
                    shown.join(", ")
                );
                return Err(semantic(message, span).help("cast the columns to one type"));
            };
            schema.push(Field::new(name, ty));
        }
        let inputs = inputs.into_iter().map(|(input, _)| self.conform(input, &schema)).collect();
        Ok((inputs, schema))
    }

    /// A projection to the names and types of a schema; none if they are there already.
    fn conform(&self, input: Relation, schema: &[Field]) -> Relation {
        let same = |(have, want): (&Field, &Field)| cast::same_values(&have.ty, &want.ty);
        if input.schema.iter().zip(schema).all(same) {
            return input;
        }
        let exprs =
            input.schema.iter().enumerate().zip(schema).map(|((index, have), want)| NamedExpr {
                name: want.name.clone(),
                expr: cast::coerce(Expr::column(index, have.ty.clone()), &want.ty, self.settings),
            });
        let exprs = exprs.collect();
        input.project(exprs)
    }
}

/// The common type; the time attribute stays if all have the same.
fn common_with_time(types: &[SqlType]) -> Option<SqlType> {
    let common = cast::unify(types)?;
    let attribute = types.first().map_or(TimeAttribute::None, |ty| ty.kind.time_attribute());
    let kept =
        types.iter().all(|ty| ty.kind.time_attribute() == attribute && ty.same_kind(&common));
    if kept {
        return Some(SqlType {
            kind: common.kind.with_time_attribute(attribute),
            nullable: common.nullable,
        });
    }
    Some(common)
}
