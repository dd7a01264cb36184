//! `CROSS JOIN UNNEST(collection)`: one row per element, beside the row that the collection is of.

use sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, JoinConstraint, JoinOperator, TableAlias, TableFactor,
};
use tidegate_plan::operator::{JoinKind, Unnest};
use tidegate_types::{Field, Result, Span, SqlType, TypeKind};

use super::expr::ExprBinder;
use super::join::settle;
use super::scope::{Scope, ScopeColumn};
use super::{Binder, semantic, unsupported};
use crate::algebra::{RelOp, Relation};

/// `UNNEST(collection) [WITH ORDINALITY] [AS alias (…)]`.
pub(super) struct UnnestCall<'n> {
    collection: &'n ast::Expr,
    ordinality: bool,
    alias: Option<&'n TableAlias>,
}

impl<'n> UnnestCall<'n> {
    /// The call that a table of FROM is, if it is one.
    pub(super) fn of(factor: &'n TableFactor) -> Option<Self> {
        let TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } = factor
        else {
            return None;
        };
        let named = name.to_string().eq_ignore_ascii_case("UNNEST");
        match args.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(collection))] if named => {
                let (ordinality, alias) = (*with_ordinality, alias.as_ref());
                Some(Self { collection, ordinality, alias })
            }
            _ => None,
        }
    }
}

impl Binder<'_> {
    pub(super) fn unnest(
        &mut self,
        (input, mut scope): (Relation, Scope),
        unnest: UnnestCall<'_>,
        operator: &JoinOperator,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let UnnestCall { collection, ordinality, alias } = unnest;
        let (kind, condition) = self.unnest_kind(operator, span)?;
        let input = settle(input, Vec::new());
        scope.retype(&input);
        let bound = ExprBinder::new(self, &scope, "UNNEST").bind(collection)?;
        let outer = kind == JoinKind::Left;
        let mut fields = elements(bound.ty(), self.span_of(collection))?;
        if ordinality {
            fields.push(Field::new("ORDINALITY", TypeKind::Int.not_null()));
        }
        for field in &mut fields {
            field.ty.nullable |= outer;
        }
        let names = self.element_names(alias, &fields, span)?;
        for (field, name) in fields.iter_mut().zip(names) {
            field.name = name;
        }
        scope.columns.extend(fields.iter().map(|field| ScopeColumn {
            qualifier: alias.map(|alias| alias.name.value.clone()),
            name: field.name.clone(),
            ty: field.ty.clone(),
            hidden: false,
            origin: None,
            table: None,
            denied: None,
        }));
        let mut schema = input.schema.clone();
        schema.extend(fields);
        let condition = condition
            .map(|condition| ExprBinder::new(self, &scope, "ON").bind_condition(condition))
            .transpose()?;
        let (above, condition) = if outer { (None, condition) } else { (condition, None) };
        let unnest = Unnest { collection: bound, ordinality, outer, condition };
        let relation = Relation { op: RelOp::Unnest { input: Box::new(input), unnest }, schema };
        Ok((above.into_iter().fold(relation, Relation::filter), scope))
    }

    /// Whether rows without elements stay, and what elements must meet.
    fn unnest_kind<'n>(
        &self,
        operator: &'n JoinOperator,
        span: Span,
    ) -> Result<(JoinKind, Option<&'n ast::Expr>)> {
        use JoinOperator as J;
        let (kind, constraint) = match operator {
            J::Join(on) | J::Inner(on) | J::CrossJoin(on) => (JoinKind::Inner, on),
            J::Left(on) | J::LeftOuter(on) => (JoinKind::Left, on),
            _ => {
                return Err(semantic("UNNEST is joined by CROSS JOIN, JOIN or LEFT JOIN", span));
            }
        };
        let condition = match constraint {
            JoinConstraint::None => return Ok((kind, None)),
            JoinConstraint::On(condition) => condition,
            _ => return Err(unsupported("USING with UNNEST", span).help("write ON TRUE")),
        };
        let bound = ExprBinder::new(self, &Scope::default(), "ON").bind_condition(condition);
        let is_true =
            bound.is_ok_and(|bound| crate::optimize::conjunction::split(bound).is_empty());
        Ok((kind, Some(condition).filter(|_| !is_true)))
    }

    /// The names that an alias gives, else those of the elements.
    fn element_names(
        &self,
        alias: Option<&TableAlias>,
        fields: &[Field],
        span: Span,
    ) -> Result<Vec<String>> {
        let given = alias.map(|alias| alias.columns.as_slice()).unwrap_or_default();
        if given.is_empty() {
            return Ok(fields.iter().map(|field| field.name.clone()).collect());
        }
        if given.len() != fields.len() {
            let message = format!("{} names are given for {} columns", given.len(), fields.len());
            return Err(semantic(message, span));
        }
        Ok(given.iter().map(|column| column.name.value.clone()).collect())
    }
}

/// The columns that an element makes.
fn elements(collection: &SqlType, span: Span) -> Result<Vec<Field>> {
    match &collection.kind {
        TypeKind::Array(element) | TypeKind::Multiset(element) => Ok(match &element.kind {
            TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => fields
                .iter()
                .map(|field| {
                    let nullable = field.ty.nullable || element.nullable;
                    Field::new(field.name.clone(), field.ty.clone().with_nullable(nullable))
                })
                .collect(),
            _ => vec![Field::new("EXPR$0", (**element).clone())],
        }),
        TypeKind::Map(key, value) => {
            Ok(vec![Field::new("KEY", (**key).clone()), Field::new("VALUE", (**value).clone())])
        }
        _ => Err(semantic(
            format!("UNNEST takes an ARRAY, MAP or MULTISET, this is {collection}"),
            span,
        )),
    }
}
