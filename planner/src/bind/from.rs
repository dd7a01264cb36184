//! FROM: tables, views, WITH tables, subqueries, window table functions, what is joined to the side.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, Select, TableAlias,
    TableFactor, TableVersion, TableWithJoins,
};
use tidegate_plan::operator::MetadataColumn;
use tidegate_plan::{Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Error, Field, Result, Span, TimeAttribute, TypeKind};

use super::expr::ExprBinder;
use super::join::settle;
use super::match_recognize::Clause;
use super::query::rename;
use super::scope::Scope;
use super::unnest::UnnestCall;
use super::{Binder, semantic, unsupported};
use crate::algebra::{JoinForm, RelOp, Relation, Scan, schema_of};
use crate::catalog::{ColumnKind, Object, Table, View};
use crate::governed::Purpose;
use crate::parser::ast::TableName;
use crate::parser::cursor;
use crate::parser::tokens::table_options;
use crate::suggest;

impl Binder<'_> {
    /// The relation of a FROM clause and the names in it; one row without columns in sight if
    /// there is no FROM.
    pub(super) fn from(&mut self, select: &Select) -> Result<(Relation, Scope)> {
        let mut tables = select.from.iter();
        let Some(first) = tables.next() else {
            return Ok((one_row(), Scope::default()));
        };
        let mut all = self.table_with_joins(first)?;
        let comma = JoinOperator::CrossJoin(JoinConstraint::None);
        for table in tables {
            // What stands behind the comma sees what stands before it.
            all = self.join_factor(all, &table.relation, &comma)?;
            all = self.joins(all, &table.joins)?;
        }
        Ok(all)
    }

    fn table_with_joins(&mut self, table: &TableWithJoins) -> Result<(Relation, Scope)> {
        let first = self.factor(&table.relation)?;
        self.joins(first, &table.joins)
    }

    fn joins(&mut self, mut left: (Relation, Scope), joins: &[Join]) -> Result<(Relation, Scope)> {
        for join in joins {
            left = self.join_factor(left, &join.relation, &join.join_operator)?;
        }
        Ok(left)
    }

    /// Joins a table to those before it, which it may refer to.
    fn join_factor(
        &mut self,
        left: (Relation, Scope),
        factor: &TableFactor,
        operator: &JoinOperator,
    ) -> Result<(Relation, Scope)> {
        let span = self.span_of(factor);
        if let Some(unnest) = UnnestCall::of(factor) {
            return self.unnest(left, unnest, operator, span);
        }
        match factor {
            TableFactor::Table { version: Some(version), .. } => {
                let TableVersion::ForSystemTimeAsOf(time) = version else {
                    return Err(unsupported("this form of a table's version", span));
                };
                let right = self.factor(factor)?;
                self.versioned(left, right, time, operator, span)
            }
            TableFactor::Derived { lateral: true, subquery, alias, sample: None } => {
                self.lateral(left, subquery, alias.as_ref(), operator, span)
            }
            TableFactor::Function { name, args, alias, with_ordinality: false, .. } => {
                let (name, args) = called_table(name, args);
                self.lateral_function(left, (name, args), alias.as_ref(), operator, span)
            }
            _ => {
                let right = self.factor(factor)?;
                self.joined(left, right, operator, JoinForm::Undecided, span)
            }
        }
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<(Relation, Scope)> {
        let span = self.span_of(factor);
        if let Some(unnest) = UnnestCall::of(factor) {
            // `FROM UNNEST(ARRAY[…])`: beside one row, whose column goes.
            let comma = JoinOperator::CrossJoin(JoinConstraint::None);
            let single = (one_row(), Scope::default());
            let (relation, mut scope) = self.unnest(single, unnest, &comma, span)?;
            let exprs = relation.identity().split_off(1);
            let relation = relation.project(exprs);
            scope.retype(&relation);
            return Ok((relation, scope));
        }
        match factor {
            TableFactor::Table { name, alias, args, with_hints, sample, .. } => {
                let path: Vec<ast::Ident> =
                    name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
                if sample.is_some() || !with_hints.is_empty() {
                    return Err(unsupported("TABLESAMPLE or WITH behind a table", span));
                }
                if let Some(args) = args {
                    let relation = self.table_function(name, &args.args, span)?;
                    return self.aliased(relation, alias.as_ref(), None);
                }
                let parts: Vec<String> = path.iter().map(|part| part.value.clone()).collect();
                let place = name_span(&path, span);
                let relation = self.named_table(&parts, place)?;
                let last = parts.last().map(String::as_str);
                let (relation, mut scope) = self.aliased(relation, alias.as_ref(), last)?;
                let is_cte = matches!(parts.as_slice(), [name] if self.is_cte(name));
                if alias.is_none() && !is_cte {
                    let name = TableName { parts, span: place };
                    scope.name_table(self.catalog.place_of(&name, self.here)?);
                }
                Ok((relation, scope))
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let relation = self.query(subquery)?;
                let (relation, mut scope) = self.aliased(relation, alias.as_ref(), None)?;
                if alias.is_none() {
                    scope.columns.iter_mut().zip(origins(subquery)).for_each(|(column, origin)| {
                        column.origin = origin;
                    });
                }
                Ok((relation, scope))
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
                    Some(_) => self.aliased(settle(relation, Vec::new()), alias.as_ref(), None),
                    None => Ok((relation, scope)),
                }
            }
            TableFactor::Derived { .. } | TableFactor::Function { .. } => {
                Err(unsupported("LATERAL", span))
            }
            TableFactor::MatchRecognize {
                table,
                partition_by,
                order_by,
                measures,
                rows_per_match,
                after_match_skip,
                pattern,
                symbols,
                alias,
            } => {
                let (relation, scope) = self.factor(table)?;
                let clause = Clause {
                    partition_by,
                    order_by,
                    measures,
                    rows_per_match: rows_per_match.as_ref(),
                    skip: after_match_skip.as_ref(),
                    pattern,
                    symbols,
                    span,
                };
                let matches = self.match_recognize(relation, &scope, &clause)?;
                self.aliased(matches, alias.as_ref(), None)
            }
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => {
                Err(unsupported("PIVOT", span))
            }
            _ => Err(unsupported("this kind of table", span)),
        }
    }

    /// `table FOR SYSTEM_TIME AS OF left.time`: a temporal join by event time, a lookup by the clock.
    fn versioned(
        &mut self,
        left: (Relation, Scope),
        right: (Relation, Scope),
        time: &ast::Expr,
        operator: &JoinOperator,
        span: Span,
    ) -> Result<(Relation, Scope)> {
        let place = self.span_of(time);
        let bound = ExprBinder::new(self, &left.1, "FOR SYSTEM_TIME AS OF").bind(time)?;
        let attribute = bound.ty().kind.time_attribute();
        let column = match (&bound, attribute) {
            (_, TimeAttribute::Processing) => None,
            (Expr::Column { index, .. }, TimeAttribute::Event) => Some(*index),
            _ => {
                let message = format!(
                    "FOR SYSTEM_TIME AS OF needs a time attribute of the left table, this is {}",
                    bound.ty()
                );
                return Err(semantic(message, place).help(
                    "name the column of its WATERMARK, or a column AS PROCTIME() for a lookup",
                ));
            }
        };
        let form = match column {
            None if lookup_scan(&right.0).is_some() => {
                JoinForm::Lookup { options: Box::new(self.lookup_options(&right.1)?) }
            }
            None => {
                return Err(unsupported(
                    "a temporal join by processing time with a table that is not looked up",
                    span,
                )
                .help("join by event time, or use a connector with lookups such as 'jdbc'"));
            }
            Some(left_time) => {
                let rowtime =
                    |field: &Field| field.ty.kind.time_attribute() == TimeAttribute::Event;
                let Some(right_time) = right.0.schema.iter().position(rowtime) else {
                    return Err(semantic(
                        "the table behind FOR SYSTEM_TIME AS OF has no event time: a versioned table needs a WATERMARK and a PRIMARY KEY",
                        span,
                    ));
                };
                JoinForm::Temporal { times: [left_time, right_time] }
            }
        };
        self.joined(left, right, operator, form, span)
    }

    pub(super) fn aliased(
        &self,
        relation: Relation,
        alias: Option<&TableAlias>,
        name: Option<&str>,
    ) -> Result<(Relation, Scope)> {
        let denied = denied(&relation);
        let (relation, mut scope) = match alias {
            None => {
                let scope = Scope::of(&relation, name);
                (relation, scope)
            }
            Some(alias) => {
                let columns: Vec<&str> =
                    alias.columns.iter().map(|column| column.name.value.as_str()).collect();
                let relation = rename(relation, &columns, self.span_of(alias))?;
                let scope = Scope::of(&relation, Some(&alias.name.value));
                (relation, scope)
            }
        };
        if let Some((table, denied)) = denied {
            scope.deny(&table, &denied);
        }
        Ok((relation, scope))
    }

    fn is_cte(&self, name: &str) -> bool {
        self.ctes.iter().any(|(cte, _)| cte == name)
    }

    /// A WITH table, table or view by name.
    pub(super) fn named_table(&mut self, parts: &[String], span: Span) -> Result<Relation> {
        if let [name] = parts
            && let Some((_, relation)) = self.ctes.iter().rev().find(|(cte, _)| cte == name)
        {
            return Ok(relation.clone());
        }
        let name = TableName { parts: parts.to_vec(), span };
        let found = self.catalog.named(&name, self.here, Purpose::Read, self.settings)?;
        let resolved = found.path;
        let place = (span.end_line, span.end_column + 1);
        self.read.borrow_mut().insert(place);
        let options = self.hints.get(&place).map(|hints| table_options(hints));
        let options = options.filter(|options| !options.is_empty());
        match (&found.object, options) {
            (Some(Object::Table(table)), _) if is_of_source(table) => {
                Err(without_watermarks(table, span))
            }
            (Some(Object::Table(table)), Some(options)) => {
                Ok(scan(&Arc::new(with_options(table, &options, span)?)))
            }
            (Some(Object::Table(table)), None) => Ok(scan(table)),
            (Some(Object::View(_)), Some(_)) => {
                let message =
                    format!("the view '{resolved}' has no options that a hint could change");
                Err(semantic(message, span).help("put the hint behind a table in its query"))
            }
            (Some(Object::View(view)), None) => self.view(view),
            (None, _) => {
                let error = semantic(format!("there is no table or view '{resolved}'"), span);
                let known = self.catalog.candidates(&name, self.here);
                let known = known.iter().map(String::as_str);
                let known = known.chain(self.ctes.iter().map(|(name, _)| name.as_str()));
                Err(match suggest::advice(&resolved.name, known, "there are") {
                    Some(advice) => error.help(advice),
                    None => error,
                })
            }
        }
    }

    /// A view is bound anew at each use, in its own context.
    fn view(&self, view: &View) -> Result<Relation> {
        if self.expanding.contains(&view.path) {
            let message = format!("the view '{}' refers to itself", view.path);
            return Err(semantic(message, self.place));
        }
        let mut inner = self.inside(&view.here, &view.query.hints, view.query.span);
        inner.expanding.push(view.path.clone());
        let context =
            |error: tidegate_types::Error| error.context(format!("expand view {}", view.path));
        let relation = inner.query(&view.query.query).map_err(context)?;
        let names: Vec<&str> = view.columns.iter().map(String::as_str).collect();
        rename(relation, &names, view.query.span).map_err(context)
    }
}

/// The table of a scan and its columns by place, where the caller may not read all of them.
fn denied(relation: &Relation) -> Option<(Arc<Table>, Vec<usize>)> {
    let RelOp::Scan(scan) = &relation.op else { return None };
    let governed = scan.table.governed.as_ref().filter(|governed| !governed.denied.is_empty())?;
    let columns = relation.schema.iter().enumerate();
    let denied = columns.filter(|(_, field)| governed.denied.contains(&field.name));
    Some((Arc::clone(&scan.table), denied.map(|(index, _)| index).collect()))
}

/// Whether the table's watermarks are to come from its source.
fn is_of_source(table: &Table) -> bool {
    table.watermark.as_ref().is_some_and(|watermark| watermark.expr.is_none())
}

fn without_watermarks(table: &Table, span: Span) -> Error {
    let connector = table.options.get("connector").map_or("", String::as_str);
    let column = table.watermark.as_ref().and_then(|watermark| table.columns.get(watermark.column));
    let column = column.map_or("ts", |column| column.name.as_str());
    let message = format!(
        "table '{}' cannot be read: its watermark is SOURCE_WATERMARK(), but the connector '{connector}' makes none",
        table.name
    );
    Error::unsupported(message).at(span).help(format!(
        "say in the table how late rows may be: WATERMARK FOR {column} AS {column} - INTERVAL '5' SECOND"
    ))
}

/// The function in `LATERAL TABLE(f(…))`, or that of `LATERAL f(…)`.
fn called_table<'n>(
    name: &'n ast::ObjectName,
    args: &'n [FunctionArg],
) -> (&'n ast::ObjectName, &'n [FunctionArg]) {
    if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Function(call)))] = args
        && name.to_string().eq_ignore_ascii_case("TABLE")
        && let ast::FunctionArguments::List(list) = &call.args
    {
        return (&call.name, &list.args);
    }
    (name, args)
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
            let place = match &column.kind {
                ColumnKind::Physical => &mut physical,
                ColumnKind::Metadata { .. } => &mut meta,
                ColumnKind::Computed(expr) => {
                    let name = column.name.clone();
                    let expr = match &table.governed {
                        Some(governed) => governed.computed(&name, expr.clone()),
                        None => expr.clone(),
                    };
                    return NamedExpr { name, expr };
                }
            };
            *place += 1;
            let expr = match &table.governed {
                Some(governed) => governed.produced_column(column, *place - 1),
                None => Expr::column(*place - 1, column.ty.clone()),
            };
            NamedExpr { name: column.name.clone(), expr }
        })
        .collect();
    // A computed rowtime column has its attribute in the declaration, not in its expression.
    let schema =
        table.columns.iter().map(|column| Field::new(column.name.clone(), column.ty.clone()));
    let schema = schema.collect();
    let watermark = table.watermark.as_ref();
    let watermark = watermark.and_then(|w| Some((w.column, w.expr.clone()?)));
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
///
/// # Errors
/// `PERMISSION_DENIED` for options that a statement may not give to a governed table.
pub(super) fn with_options(
    table: &Table,
    options: &[(String, String)],
    span: Span,
) -> Result<Table> {
    let mut governed = table.governed.clone();
    if let Some(governed) = &mut governed {
        governed.hint(&table.name, options, span)?;
    }
    let mut merged: BTreeMap<String, String> = table.options.clone();
    merged.extend(options.iter().cloned());
    Ok(Table {
        path: table.path.clone(),
        name: table.name.clone(),
        columns: table.columns.clone(),
        watermark: table.watermark.clone(),
        primary_key: table.primary_key.clone(),
        partition_keys: table.partition_keys.clone(),
        options: merged,
        definition: Arc::clone(&table.definition),
        governed,
    })
}

/// The input of a SELECT without FROM.
fn one_row() -> Relation {
    let literal = Literal { value: Scalar::Integer(0), ty: TypeKind::Int.not_null() };
    let named = NamedExpr { name: "ZERO".to_owned(), expr: Expr::Literal(literal.clone()) };
    Relation { op: RelOp::Values(vec![vec![literal]]), schema: schema_of(&[named]) }
}

/// The tables that the columns of a query are of, as far as they are written: `A` of `A.id`.
fn origins(query: &ast::Query) -> Vec<Option<String>> {
    let ast::SetExpr::Select(select) = query.body.as_ref() else { return Vec::new() };
    let origin = |item: &ast::SelectItem| match item {
        ast::SelectItem::UnnamedExpr(ast::Expr::CompoundIdentifier(parts))
        | ast::SelectItem::ExprWithAlias { expr: ast::Expr::CompoundIdentifier(parts), .. } => {
            Some(parts.first().filter(|_| parts.len() == 2).map(|part| part.value.clone()))
        }
        ast::SelectItem::UnnamedExpr(_) | ast::SelectItem::ExprWithAlias { .. } => Some(None),
        // How many columns a star has is not known here.
        _ => None,
    };
    select.projection.iter().map_while(origin).collect()
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

/// The table of a relation that is a scan, possibly behind computed columns, of a connector with
/// lookups.
pub(crate) fn lookup_scan(relation: &Relation) -> Option<&Arc<Table>> {
    match &relation.op {
        RelOp::Scan(scan) => {
            let name = scan.table.options.get("connector")?;
            let spec = tidegate_connector_spec::connector(name)?;
            spec.looks_up.then_some(&scan.table)
        }
        RelOp::Project { input, .. } | RelOp::Filter { input, .. } => lookup_scan(input),
        _ => None,
    }
}
