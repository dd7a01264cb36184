//! Late rows go to a table of their own (`table.exec.late-rows.table`): the input of a window aggregate gets
//! a second reader that passes on what the aggregate drops. Both stand behind the same exchange, in one
//! task, so that they see the same rows between the same watermarks and no row is lost or doubled.

use std::sync::Arc;

use tidegate_functions::coercion;
use tidegate_plan::window::WindowShape;
use tidegate_plan::{Expr, NamedExpr, PlanSettings};
use tidegate_types::{Error, ErrorCode, Field, Result};

use crate::algebra::{Aggregate, AggregateWindow, Late, RelOp, Relation, TvfTime};
use crate::bind::{cast, constant};
use crate::catalog::{Column, Table};

/// The setting that names the table.
pub(crate) const SETTING: &str = "table.exec.late-rows.table";

/// Gives the windows of a query a second reader; what those pass on is added to `diverted`, as the table's
/// columns.
///
/// # Errors
/// `UNSUPPORTED` for windows whose late rows cannot be told from their time alone, `SQL_SEMANTIC` if the
/// rows do not have the table's columns.
pub(super) fn divert(
    mut relation: Relation,
    table: &Arc<Table>,
    settings: &PlanSettings,
    diverted: &mut Vec<Relation>,
) -> Result<Relation> {
    for input in relation.inputs_mut() {
        let taken = std::mem::replace(input, Relation::empty());
        *input = divert(taken, table, settings, diverted)?;
    }
    let Relation { op, schema } = relation;
    let op = match op {
        RelOp::Aggregate { input, aggregate } if !is_over_windows(&input) => {
            match aggregate.window {
                AggregateWindow::Time(TvfTime::Event(time)) => {
                    let (gate, rows) = read_twice(*input, &aggregate, time, table, settings)?;
                    if !diverted.contains(&rows) {
                        diverted.push(rows);
                    }
                    RelOp::Aggregate { input: Box::new(gate), aggregate }
                }
                _ => RelOp::Aggregate { input, aggregate },
            }
        }
        RelOp::WindowTvf { input, tvf } if tvf.time.is_event() && !is_over_windows(&input) => {
            return Err(refused("windows that are not aggregated by their bounds alone"));
        }
        op => op,
    };
    Ok(Relation { op, schema })
}

/// Whether rows are results of windows, which are never late for a window that comes after.
fn is_over_windows(relation: &Relation) -> bool {
    match &relation.op {
        RelOp::Aggregate { .. } => true,
        RelOp::Project { input, .. } | RelOp::Filter { input, .. } => is_over_windows(input),
        _ => false,
    }
}

fn refused(what: &str) -> Error {
    Error::unsupported(format!("'{SETTING}' is for TUMBLE, HOP and CUMULATE, not for {what}"))
        .help(format!("RESET '{SETTING}' before this statement"))
}

/// The input of an aggregate for two readers, and what the second one passes on to the table.
fn read_twice(
    input: Relation,
    aggregate: &Aggregate,
    time: usize,
    table: &Table,
    settings: &PlanSettings,
) -> Result<(Relation, Relation)> {
    if matches!(aggregate.shape, WindowShape::Session { .. }) {
        return Err(refused("SESSION"));
    }
    let (rows, mut exprs) = match input.op {
        RelOp::Project { input, exprs } => (*input, exprs),
        op => {
            let rows = Relation { op, schema: input.schema };
            let exprs = rows.identity();
            (rows, exprs)
        }
    };
    let filled = table.sink_columns().map(|column| {
        let source = source_of(column, &rows.schema, table)?;
        let same = |named: &NamedExpr| matches!(&named.expr, Expr::Column { index, .. } if *index == source);
        let place = exprs.iter().position(same).unwrap_or_else(|| {
            exprs.push(NamedExpr { name: column.name.clone(), expr: rows.column(source) });
            exprs.len() - 1
        });
        let value = Expr::column(place, rows.schema[source].ty.clone());
        let target = column.ty.clone().materialized();
        let expr = constant::fold(cast::coerce(value, &target, settings), settings);
        Ok(NamedExpr { name: column.name.clone(), expr })
    });
    let filled = filled.collect::<Result<Vec<_>>>()?;
    let rows = rows.project(exprs);
    let schema = rows.schema.clone();
    let keys = aggregate.keys.clone();
    let op = RelOp::Gate { input: Box::new(rows), keys };
    let gate = Relation { op, schema: schema.clone() };
    let late = Late { shape: aggregate.shape.clone(), time, grouping: aggregate.grouping };
    let op = RelOp::Late { input: Box::new(gate.clone()), late };
    Ok((gate, Relation { op, schema }.project(filled)))
}

/// The column of the rows that fills one of the table.
fn source_of(column: &Column, rows: &[Field], table: &Table) -> Result<usize> {
    let mut places = rows.iter().enumerate().filter(|(_, field)| field.name == column.name);
    let wrong = |what: String, help: String| {
        let message = format!("late rows do not fit the table '{}': {what}", table.name);
        Err(Error::new(ErrorCode::SqlSemantic, message).help(help))
    };
    let (Some((place, field)), more) = (places.next(), places.next()) else {
        let names: Vec<&str> = rows.iter().map(|field| field.name.as_str()).collect();
        return wrong(
            format!("the rows of the window have no column '{}'", column.name),
            format!("they have {}", names.join(", ")),
        );
    };
    if more.is_some() {
        return wrong(
            format!("the rows of the window have several columns '{}'", column.name),
            "give them other names in a subquery below the window".to_owned(),
        );
    }
    let target = column.ty.clone().materialized();
    if !cast::same_values(&field.ty, &target) && !coercion::can_cast_implicitly(&field.ty, &target)
    {
        return wrong(
            format!("column '{}' is {target}, that of the rows {}", column.name, field.ty),
            format!("declare it as {}", field.ty.kind),
        );
    }
    Ok(place)
}
