//! QUALIFY: conditions on what window functions of the SELECT give; also where they stand in WHERE.

use sqlparser::ast::{self, Select, SelectItem};
use tidegate_types::Result;

use super::scope::Scope;
use super::select::{Collected, Context, Item};
use super::subquery::conjuncts;
use super::{Binder, over};

/// The conditions of WHERE, and those among them that name a window function of the SELECT: they hold
/// behind it, as in QUALIFY. SQL itself does not know such names in WHERE.
pub(super) fn where_conditions<'s>(
    select: &'s Select,
    scope: &Scope,
) -> (Vec<&'s ast::Expr>, Vec<&'s ast::Expr>) {
    let names = select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { expr: ast::Expr::Function(call), alias }
            if call.over.is_some() =>
        {
            Some(alias.value.as_str())
        }
        _ => None,
    });
    let names: Vec<&str> =
        names.filter(|name| !scope.columns.iter().any(|column| column.name == *name)).collect();
    let conditions = select.selection.as_ref().map(conjuncts).unwrap_or_default();
    conditions.into_iter().partition(|condition| !mentions(condition, &names))
}

/// Whether a condition has one of some names.
fn mentions(node: &ast::Expr, names: &[&str]) -> bool {
    use ast::Expr as E;
    let any = |nodes: &[&ast::Expr]| nodes.iter().any(|node| mentions(node, names));
    match node {
        E::Identifier(name) => names.contains(&name.value.as_str()),
        E::Nested(inner) | E::UnaryOp { expr: inner, .. } | E::Cast { expr: inner, .. } => {
            any(&[inner])
        }
        E::IsNull(inner) | E::IsNotNull(inner) => any(&[inner]),
        E::BinaryOp { left, right, .. } => any(&[left, right]),
        E::Between { expr, low, high, .. } => any(&[expr, low, high]),
        E::InList { expr, list, .. } => any(&[expr]) || any(&list.iter().collect::<Vec<_>>()),
        _ => false,
    }
}

impl Binder<'_> {
    /// QUALIFY also sees the names of the result.
    pub(super) fn qualify(
        &self,
        node: &ast::Expr,
        context: &Context<'_>,
        items: &[Item],
        collected: &mut Collected,
    ) -> Result<Item> {
        let mut scope = context.scope.clone();
        let first = over::ALIAS_BASE;
        let mut aliases = Vec::new();
        for item in items {
            let Some(name) = &item.name else { continue };
            if scope.columns.iter().any(|column| column.name == *name && !column.hidden) {
                continue;
            }
            aliases.push(item.expr.clone());
            scope.aliases.push((name.clone(), first + aliases.len() - 1, item.expr.ty().clone()));
        }
        let context = context.over(&scope);
        let mut bound = self.condition(node, &context, collected, "QUALIFY")?;
        over::replace_aliases(&mut bound.expr, &aliases);
        Ok(bound)
    }
}
