//! FROM: tables, views, WITH tables, subqueries, window table functions; joins are refused by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlparser::ast::{self, JoinOperator, Select, TableAlias, TableFactor, TableWithJoins};
use tidegate_plan::operator::MetadataColumn;
use tidegate_plan::{Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Field, Result, Span, TypeKind};

use super::query::rename;
use super::scope::Scope;
use super::{Binder, semantic, unsupported};
use crate::algebra::{RelOp, Relation, Scan, schema_of};
use crate::catalog::{ColumnKind, Object, Table, View};
use crate::parser::ast::TableName;
use crate::parser::cursor;
use crate::suggest;

impl Binder<'_> {
    /// The relation of a FROM clause and the names in it; one row without columns in sight if
    /// there is no FROM.
    pub(super) fn from(&mut self, select: &Select) -> Result<(Relation, Scope)> {
        match select.from.as_slice() {
            [] => Ok((one_row(), Scope::default())),
            [one] => self.table_with_joins(one),
            [_, second, ..] => {
                Err(unsupported("a join (several tables in FROM)", self.span_of(second)))
            }
        }
    }

    fn table_with_joins(&mut self, table: &TableWithJoins) -> Result<(Relation, Scope)> {
        if let Some(join) = table.joins.first() {
            return Err(unsupported(&join_name(&join.join_operator), self.span_of(join)));
        }
        self.factor(&table.relation)
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<(Relation, Scope)> {
        let span = self.span_of(factor);
        match factor {
            TableFactor::Table { name, alias, args, version, with_hints, sample, .. } => {
                let path: Vec<ast::Ident> =
                    name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
                if version.is_some() {
                    return Err(unsupported(
                        "FOR SYSTEM_TIME AS OF (temporal and lookup joins)",
                        span,
                    ));
                }
                if sample.is_some() || !with_hints.is_empty() {
                    return Err(unsupported("TABLESAMPLE or WITH behind a table", span));
                }
                if let Some(args) = args {
                    let relation = self.table_function(name, &args.args, span)?;
                    return self.aliased(relation, alias.as_ref(), None);
                }
                let parts: Vec<String> = path.iter().map(|part| part.value.clone()).collect();
                let relation = self.named_table(&parts, name_span(&path, span))?;
                self.aliased(relation, alias.as_ref(), parts.last().map(String::as_str))
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let relation = self.query(subquery)?;
                self.aliased(relation, alias.as_ref(), None)
            }
            TableFactor::TableFunction { expr, alias } => {
                let ast::Expr::Function(call) = expr else {
                    return Err(semantic("TABLE(…) needs a table function", span));
                };
                let args = match &call.args {
                    ast::FunctionArguments::List(list) => list.args.as_slice(),
                    _ => &[],
                };
                let relation = self.table_function(&call.name, args, span)?;
                self.aliased(relation, alias.as_ref(), None)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let (relation, scope) = self.table_with_joins(table_with_joins)?;
                match alias {
                    Some(_) => self.aliased(relation, alias.as_ref(), None),
                    None => Ok((relation, scope)),
                }
            }
            TableFactor::Derived { .. } | TableFactor::Function { .. } => {
                Err(unsupported("LATERAL", span))
            }
            TableFactor::UNNEST { .. } => Err(unsupported("UNNEST", span)),
            TableFactor::MatchRecognize { .. } => Err(unsupported("MATCH_RECOGNIZE", span)),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => {
                Err(unsupported("PIVOT", span))
            }
            _ => Err(unsupported("this kind of table", span)),
        }
    }

    fn aliased(
        &self,
        relation: Relation,
        alias: Option<&TableAlias>,
        name: Option<&str>,
    ) -> Result<(Relation, Scope)> {
        let Some(alias) = alias else {
            let scope = Scope::of(&relation, name);
            return Ok((relation, scope));
        };
        let columns: Vec<&str> =
            alias.columns.iter().map(|column| column.name.value.as_str()).collect();
        let relation = rename(relation, &columns, self.span_of(alias))?;
        let scope = Scope::of(&relation, Some(&alias.name.value));
        Ok((relation, scope))
    }

    /// A WITH table, table or view by name.
    pub(super) fn named_table(&mut self, parts: &[String], span: Span) -> Result<Relation> {
        if let [name] = parts
            && let Some((_, relation)) = self.ctes.iter().rev().find(|(cte, _)| cte == name)
        {
            return Ok(relation.clone());
        }
        let name = TableName { parts: parts.to_vec(), span };
        let resolved = name.resolve()?;
        let catalog = self.catalog;
        match catalog.get(resolved) {
            Some(Object::Table(table)) => {
                let place = (span.end_line, span.end_column + 1);
                match self.hints.get(&place) {
                    Some(options) => Ok(scan(&Arc::new(with_options(table, options)))),
                    None => Ok(scan(table)),
                }
            }
            Some(Object::View(view)) => self.view(view),
            None => {
                let error = semantic(format!("there is no table or view '{resolved}'"), span);
                let known = catalog.names().chain(self.ctes.iter().map(|(name, _)| name.as_str()));
                Err(match suggest::advice(resolved, known, "there are") {
                    Some(advice) => error.help(advice),
                    None => error,
                })
            }
        }
    }

    /// A view is bound anew at each use, in its own context.
    fn view(&self, view: &View) -> Result<Relation> {
        let mut inner =
            Binder::new(self.catalog, self.settings, &view.query.hints, view.query.span);
        inner.depth = self.depth;
        let context =
            |error: tidegate_types::Error| error.context(format!("expand view {}", view.name));
        let relation = inner.query(&view.query.query).map_err(context)?;
        let names: Vec<&str> = view.columns.iter().map(String::as_str).collect();
        rename(relation, &names, view.query.span).map_err(context)
    }
}

/// All columns of a table.
pub(crate) fn scan(table: &Arc<Table>) -> Relation {
    let read = table.physical_columns();
    let metadata: Vec<MetadataColumn> = table
        .metadata_columns()
        .map(|(field, key)| MetadataColumn { key: key.to_owned(), field })
        .collect();
    let (mut physical, mut meta) = (0, read.len());
    let projection: Vec<NamedExpr> = table
        .columns
        .iter()
        .map(|column| {
            let expr = match &column.kind {
                ColumnKind::Physical => {
                    physical += 1;
                    Expr::column(physical - 1, column.ty.clone())
                }
                ColumnKind::Metadata { .. } => {
                    meta += 1;
                    Expr::column(meta - 1, column.ty.clone())
                }
                ColumnKind::Computed(expr) => expr.clone(),
            };
            NamedExpr { name: column.name.clone(), expr }
        })
        .collect();
    // A computed rowtime column has its attribute in the declaration, not in its expression.
    let schema =
        table.columns.iter().map(|column| Field::new(column.name.clone(), column.ty.clone()));
    let schema = schema.collect();
    let watermark = table.watermark.as_ref().map(|w| (w.column, w.expr.clone()));
    let scan = Scan {
        table: Arc::clone(table),
        read,
        metadata,
        projection,
        pushed: Vec::new(),
        watermark,
    };
    Relation { op: RelOp::Scan(Box::new(scan)), schema }
}

/// The table with options of a hint.
pub(super) fn with_options(table: &Table, options: &[(String, String)]) -> Table {
    let mut merged: BTreeMap<String, String> = table.options.clone();
    merged.extend(options.iter().cloned());
    Table {
        name: table.name.clone(),
        columns: table.columns.clone(),
        watermark: table.watermark.clone(),
        primary_key: table.primary_key.clone(),
        partition_keys: table.partition_keys.clone(),
        options: merged,
        comment: table.comment.clone(),
        text: table.text.clone(),
    }
}

/// The input of a SELECT without FROM.
fn one_row() -> Relation {
    let literal = Literal { value: Scalar::Integer(0), ty: TypeKind::Int.not_null() };
    let named = NamedExpr { name: "ZERO".to_owned(), expr: Expr::Literal(literal.clone()) };
    Relation { op: RelOp::Values(vec![vec![literal]]), schema: schema_of(&[named]) }
}

/// From the first to the last part of a name.
fn name_span(path: &[ast::Ident], fallback: Span) -> Span {
    match (path.first(), path.last()) {
        (Some(first), Some(last)) => {
            cursor::join(cursor::span(first.span), cursor::span(last.span))
        }
        _ => fallback,
    }
}

fn join_name(operator: &JoinOperator) -> String {
    use JoinOperator as J;
    let kind = match operator {
        J::Left(_) | J::LeftOuter(_) => "LEFT JOIN",
        J::Right(_) | J::RightOuter(_) => "RIGHT JOIN",
        J::FullOuter(_) => "FULL JOIN",
        J::CrossJoin(_) => "CROSS JOIN",
        _ => "JOIN",
    };
    format!("a join ({kind})")
}
