//! SELECT: its clauses in the order of their meaning, and the names of its columns.

use sqlparser::ast::{self, Distinct, Select, SelectItem, SelectItemQualifiedWildcardKind};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Result, Span, TypeKind};

use super::aggregate::{self, AggregateItem};
use super::expr::ExprBinder;
use super::number::{self, NUMBER_BASE, NumberItem};
use super::scope::Scope;
use super::{Binder, query, semantic, unsupported};
use crate::algebra::Relation;

/// A column of the result while it is bound.
struct Item {
    /// The alias or the column's own name.
    name: Option<String>,
    expr: Expr,
    span: Span,
    references: Vec<(usize, Span)>,
}

/// What was collected while the items were bound.
#[derive(Default)]
struct Collected {
    aggregates: Vec<AggregateItem>,
    numbers: Vec<NumberItem>,
}

impl Binder<'_> {
    pub(super) fn select(&mut self, select: &Select) -> Result<Relation> {
        self.refuse_select_clauses(select)?;
        let (mut relation, scope) = self.from(select)?;
        if let Some(condition) = &select.selection {
            let predicate = ExprBinder::new(self, &scope, "WHERE").bind_condition(condition)?;
            relation = relation.filter(predicate);
        }
        let mut collected = Collected::default();
        let mut items = self.items(select, &scope, &mut collected)?;
        let mut having = match &select.having {
            Some(having) => Some(self.having(having, &scope, &mut collected)?),
            None => None,
        };
        let keys = aggregate::group_by(select).map_err(|error| error.at(self.span_of(select)))?;
        let grouped = !keys.is_empty() || !collected.aggregates.is_empty() || having.is_some();
        if grouped {
            relation =
                self.group(relation, &scope, select, &mut items, &mut having, &mut collected)?;
        }
        if let Some(having) = having {
            relation = relation.filter(having.expr);
        }
        if !collected.numbers.is_empty() {
            let (numbered, column) = number::add(relation, &collected.numbers)?;
            relation = numbered;
            for item in &mut items {
                item.expr.remap_columns(&|index| if index == NUMBER_BASE { column } else { index });
            }
        }
        if let Some(item) = items.iter().find(|item| item.expr.ty().kind == TypeKind::Null) {
            return Err(bare_null(item.span));
        }
        let exprs = name_items(items);
        if exprs.is_empty() {
            return Err(query::no_columns(self.span_of(select)));
        }
        let result = relation.project(exprs);
        if select.distinct.is_some() { self.distinct(result, select) } else { Ok(result) }
    }

    fn refuse_select_clauses(&self, select: &Select) -> Result<()> {
        let span = self.span_of(select);
        let refused = [
            (select.top.is_some(), "TOP"),
            (select.into.is_some(), "SELECT INTO"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (select.prewhere.is_some(), "PREWHERE"),
            (select.qualify.is_some(), "QUALIFY"),
            (!select.cluster_by.is_empty(), "CLUSTER BY"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!select.sort_by.is_empty(), "SORT BY"),
            (!select.named_window.is_empty(), "WINDOW"),
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

    /// Binds the columns of the result, stars spread out.
    fn items(
        &self,
        select: &Select,
        scope: &Scope,
        collected: &mut Collected,
    ) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(node) => {
                    let mut bound = self.item(node, scope, collected)?;
                    bound.name = natural_name(node);
                    items.push(bound);
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let mut bound = self.item(expr, scope, collected)?;
                    bound.name = Some(alias.value.clone());
                    items.push(bound);
                }
                SelectItem::Wildcard(_) => {
                    let span = self.span_of(item);
                    if scope.columns.is_empty() {
                        return Err(semantic("SELECT * needs a FROM clause", span));
                    }
                    items.extend(
                        (0..scope.columns.len()).map(|index| star_item(scope, index, span)),
                    );
                }
                SelectItem::QualifiedWildcard(kind, _) => {
                    items.extend(self.qualified_star(kind, scope, self.span_of(item))?);
                }
                other => return Err(unsupported("this form of SELECT item", self.span_of(other))),
            }
        }
        Ok(items)
    }

    fn item(&self, node: &ast::Expr, scope: &Scope, collected: &mut Collected) -> Result<Item> {
        let mut binder = ExprBinder::new(self, scope, "SELECT");
        binder.aggregates = Some(&mut collected.aggregates);
        binder.numbers = Some(&mut collected.numbers);
        let expr = binder.bind(node)?;
        let references = binder.references;
        Ok(Item { name: None, expr, span: self.span_of(node), references })
    }

    fn having(&self, node: &ast::Expr, scope: &Scope, collected: &mut Collected) -> Result<Item> {
        let mut binder = ExprBinder::new(self, scope, "HAVING");
        binder.aggregates = Some(&mut collected.aggregates);
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
        if let [table] = path.as_slice()
            && scope.columns.iter().any(|column| column.qualifier.as_deref() == Some(&table.value))
        {
            let columns = scope.columns_of(table)?;
            return Ok(columns.into_iter().map(|index| star_item(scope, index, span)).collect());
        }
        let row = scope.resolve(&path)?;
        let TypeKind::Row(fields) = row.ty().kind.clone() else {
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
        scope: &Scope,
        select: &Select,
        items: &mut [Item],
        having: &mut Option<Item>,
        collected: &mut Collected,
    ) -> Result<Relation> {
        let mut binder = ExprBinder::new(self, scope, "GROUP BY");
        let nodes = aggregate::group_by(select)?;
        let span = nodes.first().map_or_else(|| self.span_of(select), |first| self.span_of(first));
        let keys = nodes
            .iter()
            .map(|node| aggregate::bind_key(&mut binder, node))
            .collect::<Result<Vec<_>>>()?;
        let names = relation.schema.clone();
        let grouped = aggregate::group(relation, keys, &collected.aggregates, span)?;
        for item in items.iter_mut().chain(having) {
            item.expr = grouped.rewrite(item.expr.clone(), &item.references, &names, item.span)?;
        }
        for number in &mut collected.numbers {
            let rewrite = |expr: &mut Expr| -> Result<()> {
                *expr = grouped.rewrite(expr.clone(), &[], &names, number.span)?;
                Ok(())
            };
            number.partition.iter_mut().try_for_each(rewrite)?;
            number.order.iter_mut().try_for_each(|(expr, ..)| rewrite(expr))?;
        }
        Ok(grouped.relation)
    }

    /// SELECT DISTINCT is a grouping by all columns; it needs the window's bounds among them.
    fn distinct(&self, relation: Relation, select: &Select) -> Result<Relation> {
        let span = self.span_of(select);
        let window = relation.window().filter(|w| !w.starts.is_empty() && !w.ends.is_empty());
        if window.is_none() {
            return Err(unsupported("SELECT DISTINCT without a window", span)
                .help("select window_start and window_end of a window table function as well"));
        }
        let columns = relation.identity();
        let names = relation.schema.clone();
        let keys = columns.iter().map(|named| named.expr.clone()).collect();
        let grouped = aggregate::group(relation, keys, &[], span)?;
        let exprs = columns
            .into_iter()
            .map(|named| {
                let expr = grouped.rewrite(named.expr, &[], &names, span)?;
                Ok(NamedExpr { name: named.name, expr })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(grouped.relation.project(exprs))
    }
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
fn natural_name(node: &ast::Expr) -> Option<String> {
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
pub(super) fn unique_names(wanted: &[String]) -> Vec<String> {
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
