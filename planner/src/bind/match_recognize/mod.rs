//! `MATCH_RECOGNIZE (…)` behind a table.
//!
//! | file | holds |
//! |---|---|
//! | `variables` | which patterns are accepted |
//! | `rows` | names and functions in MEASURES and DEFINE |

mod rows;
mod variables;

pub(crate) use rows::PatternRows;

use sqlparser::ast::{
    AfterMatchSkip, Expr as Syntax, Ident, MatchRecognizePattern, MatchRecognizeSymbol, Measure,
    OrderByExpr, RowsPerMatch, SymbolDefinition,
};
use tidegate_plan::operator::{AfterMatch, MatchRecognize, PatternAggregate, SortKey};
use tidegate_plan::{Expr, NamedExpr};
use tidegate_types::{Error, Field, Result, Span, TimeAttribute};

use super::expr::ExprBinder;
use super::scope::Scope;
use super::{Binder, semantic};
use crate::algebra::{RelOp, Relation};
use crate::parser::cursor;
use crate::parser::row_pattern::RowPattern;
use crate::suggest;
use rows::{AGGREGATE_BASE, REFERENCE_BASE, TIME};

/// The parts of the clause.
pub(super) struct Clause<'a> {
    pub(super) partition_by: &'a [Syntax],
    pub(super) order_by: &'a [OrderByExpr],
    pub(super) measures: &'a [Measure],
    pub(super) rows_per_match: Option<&'a RowsPerMatch>,
    pub(super) skip: Option<&'a AfterMatchSkip>,
    pub(super) pattern: &'a MatchRecognizePattern,
    pub(super) symbols: &'a [SymbolDefinition],
    pub(super) span: Span,
}

impl Binder<'_> {
    /// The matches in a relation, whose names are those of `scope`.
    pub(super) fn match_recognize(
        &mut self,
        input: Relation,
        scope: &Scope,
        clause: &Clause<'_>,
    ) -> Result<Relation> {
        let span = clause.span;
        if matches!(clause.rows_per_match, Some(RowsPerMatch::AllRows(_))) {
            return Err(Error::unsupported("ALL ROWS PER MATCH is not supported")
                .at(span)
                .help("write ONE ROW PER MATCH, and measures for what is needed of the rows"));
        }
        if clause.measures.is_empty() {
            return Err(semantic("MATCH_RECOGNIZE has no MEASURES", span)
                .help("name what comes out of a match: MEASURES A.x AS x"));
        }
        let pattern = written(clause.pattern, span)?;
        let mut variables = variables::variables(&pattern, span)?;
        let names: Vec<String> = variables.iter().map(|one| one.name.clone()).collect();
        let skip = after_match(clause.skip, &names)?;
        let within_ms = pattern.within.as_ref().map(variables::within).transpose()?;
        let keys = self.partition_columns(clause.partition_by, scope)?;
        let (time, order) = self.match_order(clause.order_by, scope, span)?;
        let others = others(clause.symbols, &names)?;
        let time_type = time.map(|column| (column, input.schema[column].ty.clone()));
        let mut rows = PatternRows::new(names, others, time_type);
        for definition in clause.symbols {
            let name = &definition.symbol.value;
            let defined = rows.variables.iter().position(|known| known == name);
            let place = self.span_of(&definition.definition);
            // Of a variable that is not in the pattern only the names are checked.
            rows.defines = Some(defined.unwrap_or(usize::MAX));
            let mut binder = ExprBinder::new(self, scope, "DEFINE");
            binder.rows = Some(&mut rows);
            let condition = binder.bind(&definition.definition)?;
            let condition = binder.boolean(condition, place)?;
            if let Some(defined) = defined {
                variables[defined].condition = Some(condition);
            }
        }
        rows.defines = None;
        let mut measures = Vec::with_capacity(clause.measures.len());
        for measure in clause.measures {
            let name = measure.alias.value.clone();
            let taken = |other: &str| other == name;
            let twice = measures.iter().any(|known: &NamedExpr| taken(&known.name))
                || keys.iter().any(|key| taken(&input.schema[*key].name));
            if twice {
                let message = format!("two columns of the result are called '{name}'");
                return Err(semantic(message, cursor::span(measure.alias.span))
                    .help("give the measure another name"));
            }
            let mut binder = ExprBinder::new(self, scope, "MEASURES");
            binder.rows = Some(&mut rows);
            measures.push(NamedExpr { name, expr: binder.bind(&measure.expr)? });
        }
        let plan = MatchRecognize {
            keys,
            time,
            order,
            variables,
            references: rows.references,
            computed: Vec::new(),
            aggregates: Vec::new(),
            measures,
            skip,
            within_ms,
        };
        Ok(placed(input, plan, rows.aggregates))
    }

    fn partition_columns(&self, partition: &[Syntax], scope: &Scope) -> Result<Vec<usize>> {
        let mut keys = Vec::with_capacity(partition.len());
        for node in partition {
            let place = self.span_of(node);
            let bound = ExprBinder::new(self, scope, "PARTITION BY").bind(node)?;
            let Expr::Column { index, .. } = bound else {
                return Err(semantic("PARTITION BY of MATCH_RECOGNIZE takes columns", place)
                    .help("compute the value in a subquery or view before"));
            };
            if keys.contains(&index) {
                return Err(semantic("a column stands twice in PARTITION BY", place));
            }
            keys.push(index);
        }
        Ok(keys)
    }

    /// The rowtime column, none for processing time; and the order of rows of the same time.
    fn match_order(
        &self,
        order: &[OrderByExpr],
        scope: &Scope,
        span: Span,
    ) -> Result<(Option<usize>, Vec<SortKey>)> {
        let help = "order by the column of a WATERMARK or AS PROCTIME() first";
        let Some(first) = order.first() else {
            let message = "MATCH_RECOGNIZE needs ORDER BY a time attribute";
            return Err(semantic(message, span).help(help));
        };
        let mut keys = Vec::with_capacity(order.len());
        let bound = ExprBinder::new(self, scope, "ORDER BY").order_keys(order)?;
        for (key, (expr, descending, nulls_first)) in order.iter().zip(bound) {
            let place = self.span_of(&key.expr);
            let Expr::Column { index, .. } = expr else {
                return Err(semantic("ORDER BY of MATCH_RECOGNIZE takes columns", place)
                    .help("compute the value in a subquery or view before"));
            };
            keys.push(SortKey { column: index, descending, nulls_first });
        }
        let place = self.span_of(&first.expr);
        let time = keys.remove(0);
        let attribute = scope.columns[time.column].ty.kind.time_attribute();
        if attribute == TimeAttribute::None {
            let message = format!(
                "ORDER BY of MATCH_RECOGNIZE begins with a time attribute, '{}' is none",
                scope.columns[time.column].name
            );
            return Err(semantic(message, place).help(help));
        }
        if time.descending {
            return Err(
                semantic("rows come in ascending order of time", place).help("leave DESC out")
            );
        }
        Ok(((attribute == TimeAttribute::Event).then_some(time.column), keys))
    }
}

/// The pattern that the parser put into the tree.
fn written(pattern: &MatchRecognizePattern, span: Span) -> Result<RowPattern> {
    if let MatchRecognizePattern::Symbol(MatchRecognizeSymbol::Named(name)) = pattern {
        return serde_json::from_str(&name.value)
            .map_err(|error| Error::internal(format!("a row pattern: {error}")));
    }
    Err(Error::internal("a row pattern did not come through the parser").at(span))
}

fn after_match(skip: Option<&AfterMatchSkip>, variables: &[String]) -> Result<AfterMatch> {
    let find = |name: &Ident| {
        variables.iter().position(|known| *known == name.value).ok_or_else(|| {
            let message = format!("there is no variable '{}' in the pattern", name.value);
            let error = semantic(message, cursor::span(name.span));
            let known = variables.iter().map(String::as_str);
            match suggest::advice(&name.value, known, "the variables are") {
                Some(advice) => error.help(advice),
                None => error,
            }
        })
    };
    Ok(match skip {
        // As in Flink.
        None | Some(AfterMatchSkip::ToNextRow) => AfterMatch::ToNextRow,
        Some(AfterMatchSkip::PastLastRow) => AfterMatch::PastLastRow,
        Some(AfterMatchSkip::ToFirst(name)) => AfterMatch::ToFirst { variable: find(name)? },
        Some(AfterMatchSkip::ToLast(name)) => AfterMatch::ToLast { variable: find(name)? },
    })
}

/// Variables that DEFINE has and the pattern has not.
fn others(symbols: &[SymbolDefinition], variables: &[String]) -> Result<Vec<String>> {
    let mut seen: Vec<&str> = Vec::new();
    for definition in symbols {
        let name = definition.symbol.value.as_str();
        if seen.contains(&name) {
            let message = format!("the variable '{name}' is defined twice");
            return Err(semantic(message, cursor::span(definition.symbol.span)));
        }
        seen.push(name);
    }
    let others = seen.into_iter().filter(|name| !variables.iter().any(|known| known == name));
    Ok(others.map(str::to_owned).collect())
}

/// The operator over those columns of its input that it reads.
fn placed(
    input: Relation,
    mut plan: MatchRecognize,
    aggregates: Vec<(Option<usize>, super::aggregate::AggregateItem)>,
) -> Relation {
    let mut read: Vec<usize> = plan.keys.clone();
    read.extend(plan.time);
    read.extend(plan.order.iter().map(|key| key.column));
    read.extend(plan.references.iter().map(|reference| reference.column));
    let conditions = plan.variables.iter().flat_map(|variable| &variable.condition);
    read.extend(conditions.flat_map(Expr::columns).filter(|column| *column < REFERENCE_BASE));
    let mut aggregates = aggregates;
    for (_, item) in &mut aggregates {
        read.extend(item.exprs_mut().flat_map(|expr| expr.columns()));
    }
    read.sort_unstable();
    read.dedup();
    if read.is_empty() {
        // Rows need a column.
        read.push(0);
    }
    let width = read.len();
    let place = |column: usize| read.binary_search(&column).unwrap_or(0);
    plan.keys.iter_mut().for_each(|key| *key = place(*key));
    plan.time = plan.time.map(place);
    plan.order.iter_mut().for_each(|key| key.column = place(key.column));
    plan.references.iter_mut().for_each(|reference| reference.column = place(reference.column));
    for (index, (variable, mut item)) in aggregates.into_iter().enumerate() {
        item.exprs_mut().for_each(|expr| expr.remap_columns(&place));
        let computed = &mut plan.computed;
        let call = item.call(format!("$agg{index}"), &mut |expr| match expr {
            Expr::Column { index, .. } => *index,
            expr => {
                let known = computed.iter().position(|known: &NamedExpr| known.expr == *expr);
                let at = known.unwrap_or(computed.len());
                if known.is_none() {
                    let name = format!("$f{at}");
                    computed.push(NamedExpr { name, expr: expr.clone() });
                }
                width + at
            }
        });
        plan.aggregates.push(PatternAggregate { variable, call });
    }
    let (of_aggregates, of_time) = (plan.aggregate_column(width, 0), plan.time_column(width));
    let moved = |column: usize| match column {
        TIME.. => of_time + column - TIME,
        AGGREGATE_BASE.. => of_aggregates + column - AGGREGATE_BASE,
        REFERENCE_BASE.. => width + column - REFERENCE_BASE,
        _ => place(column),
    };
    for condition in plan.variables.iter_mut().flat_map(|variable| &mut variable.condition) {
        condition.remap_columns(&moved);
    }
    plan.measures.iter_mut().for_each(|measure| measure.expr.remap_columns(&moved));
    let input = match width == input.schema.len() {
        true => input,
        false => {
            let exprs = read.iter().map(|column| NamedExpr {
                name: input.schema[*column].name.clone(),
                expr: input.column(*column),
            });
            let exprs = exprs.collect();
            input.project(exprs)
        }
    };
    let keys = plan.keys.iter().map(|key| {
        let field = &input.schema[*key];
        Field::new(field.name.clone(), field.ty.clone().materialized())
    });
    let measures = plan.measures.iter();
    let measures =
        measures.map(|measure| Field::new(measure.name.clone(), measure.expr.ty().clone()));
    let schema = keys.chain(measures).collect();
    Relation { op: RelOp::Match { input: Box::new(input), pattern: Box::new(plan) }, schema }
}
