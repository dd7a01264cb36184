//! SELECT: its clauses in the order of their meaning, and the names of its columns.

use sqlparser::ast::{self, Distinct, Select, SelectItem, SelectItemQualifiedWildcardKind};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Result, Span, TypeKind};

use super::aggregate::{self, AggregateItem};
use super::expr::ExprBinder;
use super::group_window::GroupWindow;
use super::over::{self, OverItem};
use super::qualify::where_conditions;
use super::scope::Scope;
use super::subquery::ScalarSubquery;
use super::{Binder, grouping, query, semantic, unsupported};
use crate::algebra::Relation;

/// A column of the result while it is bound.
pub(super) struct Item {
    /// The alias or the column's own name.
    pub(super) name: Option<String>,
    pub(super) expr: Expr,
    span: Span,
    references: Vec<(usize, Span)>,
}

/// What was collected while the items were bound.
#[derive(Default)]
pub(super) struct Collected {
    aggregates: Vec<AggregateItem>,
    overs: Vec<OverItem>,
    subqueries: Vec<ScalarSubquery>,
}

/// The clauses of a SELECT that see its input.
struct Clauses {
    items: Vec<Item>,
    having: Option<Item>,
    qualify: Vec<Item>,
    /// Sort keys of the query around it that are no columns of the result.
    order: Vec<Item>,
}

impl Clauses {
    fn all_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        let conditions = self.having.iter_mut().chain(&mut self.qualify);
        self.items.iter_mut().chain(&mut self.order).chain(conditions)
    }
}

impl Binder<'_> {
    /// Binds a SELECT; `order` are sort keys that may name columns of its input: their values come as
    /// further columns.
    pub(super) fn select(&mut self, select: &Select, order: &[&ast::Expr]) -> Result<Relation> {
        self.refuse_select_clauses(select)?;
        let hints = self.hints_of(select);
        let around = std::mem::replace(&mut self.select_hints, hints);
        let bound = self.select_body(select, order);
        self.select_hints = around;
        bound
    }

    fn select_body(&mut self, select: &Select, order: &[&ast::Expr]) -> Result<Relation> {
        let (relation, mut scope) = self.from(select)?;
        self.check_hints(&scope)?;
        let (conditions, late) = where_conditions(select, &scope);
        let mut relation = self.filtered(relation, &mut scope, conditions)?;
        let keys = aggregate::group_by(select).map_err(|error| error.at(self.span_of(select)))?;
        let group_window = self.group_window(&mut relation, &mut scope, keys)?;
        let mut collected = Collected::default();
        let qualify: Vec<&ast::Expr> = late.into_iter().chain(&select.qualify).collect();
        let context = Context {
            select,
            scope: &scope,
            window: group_window.as_ref(),
            whole_table: keys.is_empty(),
            qualify: &qualify,
        };
        let mut clauses = self.clauses(&context, order, &mut collected)?;
        let grouped =
            !keys.is_empty() || !collected.aggregates.is_empty() || clauses.having.is_some();
        if grouped {
            relation = self.group(relation, &context, keys, &mut clauses, &mut collected)?;
        }
        relation = self.join_scalars(relation, &collected.subqueries, |rewrite| {
            clauses.all_mut().for_each(|item| rewrite(&mut item.expr));
        })?;
        if let Some(having) = clauses.having.take() {
            relation = relation.filter(having.expr);
        }
        if !collected.overs.is_empty() {
            let (with_results, columns) = over::add(relation, &collected.overs)?;
            relation = with_results;
            let place = |index: usize| match index.checked_sub(over::OVER_BASE) {
                Some(over) => columns.get(over).copied().unwrap_or(index),
                None => index,
            };
            clauses.all_mut().for_each(|item| item.expr.remap_columns(&place));
        }
        for qualify in std::mem::take(&mut clauses.qualify) {
            relation = relation.filter(qualify.expr);
        }
        if let Some(item) = clauses.items.iter().find(|item| item.expr.ty().kind == TypeKind::Null)
        {
            return Err(bare_null(item.span));
        }
        let mut exprs = name_items(clauses.items);
        if exprs.is_empty() {
            return Err(query::no_columns(self.span_of(select)));
        }
        let hidden = clauses.order.into_iter().enumerate();
        exprs.extend(
            hidden.map(|(index, item)| NamedExpr { name: format!("$o{index}"), expr: item.expr }),
        );
        let result = relation.project(exprs);
        if !matches!(select.distinct, Some(Distinct::Distinct)) {
            return Ok(result);
        }
        if !order.is_empty() {
            return Err(semantic(
                "ORDER BY of SELECT DISTINCT may name columns of the result only",
                self.span_of(select),
            ));
        }
        distinct(result, self.span_of(select))
    }

    fn refuse_select_clauses(&self, select: &Select) -> Result<()> {
        let span = self.span_of(select);
        let refused = [
            (select.top.is_some(), "TOP"),
            (select.into.is_some(), "SELECT INTO"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.cluster_by.is_empty(), "CLUSTER BY"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!select.sort_by.is_empty(), "SORT BY"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (select.value_table_mode.is_some(), "SELECT AS STRUCT"),
            (select.exclude.is_some(), "EXCLUDE"),
            (matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON"),
        ];
        match refused.into_iter().find(|(there, _)| *there) {
            Some((_, clause)) => Err(unsupported(clause, span)),
            None => Ok(()),
        }
    }

    /// Binds everything that sees the input.
    fn clauses(
        &self,
        context: &Context<'_>,
        order: &[&ast::Expr],
        collected: &mut Collected,
    ) -> Result<Clauses> {
        let select = context.select;
        let items = self.items(context, collected)?;
        let order = order.iter().map(|node| self.item(node, context, collected, "ORDER BY"));
        let order = order.collect::<Result<_>>()?;
        let having = select.having.as_ref();
        let having = having.map(|node| self.condition(node, context, collected, "HAVING"));
        let qualify = context.qualify.iter();
        let qualify = qualify.map(|node| self.qualify(node, context, &items, collected));
        let qualify = qualify.collect::<Result<_>>()?;
        Ok(Clauses { items, having: having.transpose()?, qualify, order })
    }

    /// Binds the columns of the result, stars spread out.
    fn items(&self, context: &Context<'_>, collected: &mut Collected) -> Result<Vec<Item>> {
        let (select, scope) = (context.select, context.scope);
        let mut items = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(node) => {
                    let mut bound = self.item(node, context, collected, "SELECT")?;
                    bound.name = natural_name(node);
                    items.push(bound);
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let mut bound = self.item(expr, context, collected, "SELECT")?;
                    bound.name = Some(alias.value.clone());
                    items.push(bound);
                }
                SelectItem::Wildcard(_) => {
                    let span = self.span_of(item);
                    if scope.columns.is_empty() {
                        return Err(semantic("SELECT * needs a FROM clause", span));
                    }
                    let shown = scope.star();
                    scope.check_readable(&shown, span)?;
                    items.extend(shown.into_iter().map(|index| star_item(scope, index, span)));
                }
                SelectItem::QualifiedWildcard(kind, _) => {
                    items.extend(self.qualified_star(kind, scope, self.span_of(item))?);
                }
                other => return Err(unsupported("this form of SELECT item", self.span_of(other))),
            }
        }
        Ok(items)
    }

    fn item(
        &self,
        node: &ast::Expr,
        context: &Context<'_>,
        collected: &mut Collected,
        clause: &'static str,
    ) -> Result<Item> {
        let mut binder = context.binder(self, clause, collected);
        let expr = binder.bind(node)?;
        let references = binder.references;
        Ok(Item { name: None, expr, span: self.span_of(node), references })
    }

    pub(super) fn condition(
        &self,
        node: &ast::Expr,
        context: &Context<'_>,
        collected: &mut Collected,
        clause: &'static str,
    ) -> Result<Item> {
        let mut binder = context.binder(self, clause, collected);
        if clause == "HAVING" {
            binder.overs = None;
        }
        let expr = binder.bind_condition(node)?;
        let references = binder.references;
        Ok(Item { name: None, expr, span: self.span_of(node), references })
    }

    /// `t.*`, and `t.row_column.*` or `row_column.*` for the fields of a ROW.
    fn qualified_star(
        &self,
        kind: &SelectItemQualifiedWildcardKind,
        scope: &Scope,
        span: Span,
    ) -> Result<Vec<Item>> {
        let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
            return Err(unsupported("* behind an expression", span));
        };
        let path: Vec<ast::Ident> =
            name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
        if let [table] = scope.inside(&path)
            && scope.columns.iter().any(|column| column.qualifier.as_deref() == Some(&table.value))
        {
            let columns = scope.columns_of(table)?;
            scope.check_readable(&columns, span)?;
            return Ok(columns.into_iter().map(|index| star_item(scope, index, span)).collect());
        }
        let row = scope.resolve(&path)?;
        let Some(fields) = row.ty().kind.row_fields().map(<[tidegate_types::Field]>::to_vec) else {
            return Err(semantic(format!("{name} is neither a table nor a ROW"), span));
        };
        fields
            .iter()
            .map(|field| {
                let expr =
                    super::scope::field_of(row.clone(), &ast::Ident::new(field.name.as_str()))?;
                Ok(Item { name: Some(field.name.clone()), expr, span, references: Vec::new() })
            })
            .collect()
    }

    /// Builds the aggregate and rewrites what was bound over its input.
    fn group(
        &self,
        relation: Relation,
        context: &Context<'_>,
        nodes: &[ast::Expr],
        clauses: &mut Clauses,
        collected: &mut Collected,
    ) -> Result<Relation> {
        let mut binder = ExprBinder::new(self, context.scope, "GROUP BY");
        binder.group_window = context.window;
        let sets = grouping::sets(nodes, &mut |node| {
            if let Some(window) = context.window.filter(|window| window.is(node)) {
                return Ok(window.keys());
            }
            Ok(vec![aggregate::bind_key(&mut binder, node)?])
        })?;
        let names = relation.schema.clone();
        let ttl = self.state_ttl(context.scope)?;
        let grouped = grouping::group(relation, sets, &collected.aggregates, ttl)?;
        for item in clauses.all_mut() {
            item.expr = grouped.rewrite(item.expr.clone(), &item.references, &names, item.span)?;
        }
        for over in &mut collected.overs {
            let span = over.span;
            for expr in over.exprs_mut() {
                *expr = grouped.rewrite(expr.clone(), &[], &names, span)?;
            }
        }
        for subquery in &mut collected.subqueries {
            let span = subquery.span;
            for parameter in subquery.parameters_mut() {
                *parameter = grouped.rewrite(parameter.clone(), &[], &names, span)?;
            }
        }
        Ok(grouped.relation)
    }
}

/// What the clauses of a SELECT are bound in.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    select: &'c Select,
    pub(super) scope: &'c Scope,
    window: Option<&'c GroupWindow>,
    /// Whether an aggregate would be of the whole table.
    whole_table: bool,
    /// Conditions behind window functions.
    qualify: &'c [&'c ast::Expr],
}

impl<'c> Context<'c> {
    /// The same over other columns.
    pub(super) fn over<'s>(&self, scope: &'s Scope) -> Context<'s>
    where
        'c: 's,
    {
        Context { scope, ..*self }
    }

    fn binder<'b, 'a>(
        &self,
        binder: &'b Binder<'a>,
        clause: &'static str,
        collected: &'b mut Collected,
    ) -> ExprBinder<'b, 'a>
    where
        'c: 'b,
    {
        let mut bound = ExprBinder::new(binder, self.scope, clause);
        bound.aggregates = Some(&mut collected.aggregates);
        bound.overs = Some(&mut collected.overs);
        bound.subqueries = Some(&mut collected.subqueries);
        bound.windows = &self.select.named_window;
        bound.group_window = self.window;
        bound.whole_table = self.whole_table;
        bound
    }
}

/// SELECT DISTINCT is a grouping by all columns.
pub(super) fn distinct(relation: Relation, span: Span) -> Result<Relation> {
    let columns = relation.identity();
    let names = relation.schema.clone();
    let keys = columns.iter().map(|named| named.expr.clone()).collect();
    let grouped = aggregate::group(relation, keys, &[], None);
    let exprs = columns
        .into_iter()
        .map(|named| {
            let expr = grouped.rewrite(named.expr, &[], &names, span)?;
            Ok(NamedExpr { name: named.name, expr })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(grouped.relation.project(exprs))
}

/// A NULL of which nothing says the type, as Flink refuses it too.
pub(super) fn bare_null(span: Span) -> tidegate_types::Error {
    semantic("the type of NULL is not known here", span).help("write CAST(NULL AS type)")
}

fn star_item(scope: &Scope, index: usize, span: Span) -> Item {
    let name = Some(scope.columns[index].name.clone());
    Item { name, expr: scope.column(index), span, references: vec![(index, span)] }
}

/// A column or field keeps its name; other expressions have none.
pub(super) fn natural_name(node: &ast::Expr) -> Option<String> {
    match node {
        ast::Expr::Identifier(name) => Some(name.value.clone()),
        ast::Expr::CompoundIdentifier(path) => path.last().map(|name| name.value.clone()),
        ast::Expr::Nested(inner) => natural_name(inner),
        ast::Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(ast::AccessExpr::Dot(ast::Expr::Identifier(name))) => Some(name.value.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// `EXPR$i` for the nameless; a name that was there before gets a number, as in Flink (`a`, `a0`).
fn name_items(items: Vec<Item>) -> Vec<NamedExpr> {
    let wanted: Vec<String> = items
        .iter()
        .enumerate()
        .map(|(index, item)| item.name.clone().unwrap_or_else(|| format!("EXPR${index}")))
        .collect();
    let names = unique_names(&wanted);
    names.into_iter().zip(items).map(|(name, item)| NamedExpr { name, expr: item.expr }).collect()
}

/// Names without repetition: a repeated one gets the first number that makes it new.
pub(crate) fn unique_names(wanted: &[String]) -> Vec<String> {
    let mut used = std::collections::BTreeSet::new();
    wanted
        .iter()
        .map(|name| {
            let mut unique = name.clone();
            let mut number = 0;
            while !used.insert(unique.clone()) {
                unique = format!("{name}{number}");
                number += 1;
            }
            unique
        })
        .collect()
}
