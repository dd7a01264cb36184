//! What holds for every function, on random arguments of random types:
//!
//! - a column's values are those of its rows one by one;
//! - a constant gives what a column of the same values gives;
//! - an argument that is NULL gives NULL, but for the functions of [`TAKES_NULL`];
//! - no row costs an allocation where the result is not text ([`allocations`]).

mod allocations;
mod arguments;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tidegate_plan::{Expr, Literal, PlanSettings, Scalar};
use tidegate_types::SqlType;

use self::arguments::{arguments, batch};
use crate::eval::literal;
use crate::function::Volatility;
use crate::testing::{NOW_MS, evaluate, try_call};
use crate::{EvalContext, Evaluator, TAKES_NULL, lookup, names};

/// The session's zone.
const ZONE: &str = "Europe/Berlin";
/// Rows of a batch.
const ROWS: usize = 16;
/// Random calls that are tried for each function.
const TRIES: usize = 3_000;
/// Calls that are compared for each function.
const CALLS: usize = 20;

/// The value of an expression in one row.
type Row = Result<Option<String>, String>;

fn row_by_row(expr: &Expr, batch: &RecordBatch) -> Vec<Row> {
    let one = |row| evaluate(ZONE, expr, &batch.slice(row, 1));
    (0..batch.num_rows())
        .map(|row| one(row).map(|mut values| values.remove(0)).map_err(|error| error.to_string()))
        .collect()
}

/// The values of an argument as constants, row by row; none if its type has no literals.
fn constants(expr: &Expr, batch: &RecordBatch) -> Option<Vec<Expr>> {
    if !literal::has_literal(expr.ty()) {
        return None;
    }
    let settings = PlanSettings { time_zone: ZONE.to_owned(), ..PlanSettings::default() };
    let evaluator = Evaluator::compile(expr, &settings).ok()?;
    let values = evaluator.evaluate(batch, &EvalContext::at(NOW_MS)).ok()?;
    let one = |row| {
        let mut literal = literal::from_array(&values, row, expr.ty()).unwrap();
        literal.ty.nullable |= expr.ty().nullable;
        Expr::Literal(literal)
    };
    Some((0..batch.num_rows()).map(one).collect())
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Literal { value: Scalar::Null, .. }))
}

/// A call with a constant in the place of one argument, if it has the same type.
fn with_constant(
    name: &str,
    args: &[Expr],
    index: usize,
    constant: &Expr,
    ty: &SqlType,
) -> Option<Expr> {
    let mut args = args.to_vec();
    args[index] = constant.clone();
    try_call(name, args).ok().filter(|call| call.ty() == ty)
}

struct Seen {
    calls: usize,
    values: usize,
    takes_null: bool,
}

fn check(name: &'static str, random: &mut StdRng) -> Seen {
    let mut seen = Seen { calls: 0, values: 0, takes_null: false };
    let mut tried = BTreeSet::new();
    for _ in 0..TRIES {
        if seen.calls == CALLS {
            break;
        }
        let (args, is_shaped) = arguments(name, random);
        let Ok(expr) = try_call(name, args.clone()) else { continue };
        let kinds: Vec<String> = args.iter().map(|arg| arg.ty().to_string()).collect();
        if !tried.insert(kinds.join(", ")) && !is_shaped {
            continue;
        }
        seen.calls += 1;
        let what = || format!("{name}({})", kinds.join(", "));
        let batch = batch(random, ROWS);
        let rows = row_by_row(&expr, &batch);
        seen.values += rows.iter().filter(|row| matches!(row, Ok(Some(_)))).count();
        match evaluate(ZONE, &expr, &batch) {
            Ok(values) => {
                let rows: Result<Vec<_>, _> = rows.iter().cloned().collect();
                assert_eq!(rows.as_ref(), Ok(&values), "{}", what());
            }
            Err(error) => {
                assert!(
                    rows.iter().any(Result::is_err),
                    "{}: no row fails by itself: {error}",
                    what()
                );
            }
        }
        for (index, arg) in args.iter().enumerate() {
            let Some(constants) = constants(arg, &batch) else { continue };
            for (row, constant) in constants.iter().enumerate() {
                if is_null(constant) {
                    seen.takes_null |= matches!(rows[row], Ok(Some(_)));
                }
                let Some(expr) = with_constant(name, &args, index, constant, expr.ty()) else {
                    continue;
                };
                let got = row_by_row(&expr, &batch.slice(row, 1)).remove(0);
                match (&got, &rows[row]) {
                    // A malformed constant fails also where another argument is NULL.
                    (Err(_), Err(_) | Ok(None)) => {}
                    (got, wanted) => assert_eq!(got, wanted, "{} with {constant:?}", what()),
                }
            }
        }
    }
    seen
}

#[test]
fn columns_are_their_rows_and_constants_are_columns() {
    let mut takes_null = BTreeSet::new();
    let mut seen = BTreeMap::new();
    let mut reached = 0;
    for (number, name) in names().enumerate() {
        if lookup(name).unwrap().volatility == Volatility::Volatile || name == "PI" || name == "E" {
            continue;
        }
        let mut random = StdRng::seed_from_u64(number as u64);
        let found = check(name, &mut random);
        if found.takes_null {
            takes_null.insert(name);
        }
        reached += found.values;
        if found.values == 0 {
            seen.insert(name, found.calls);
        }
    }
    println!("{reached} values compared");
    let without: Vec<&str> = seen.keys().copied().collect();
    assert!(without.is_empty(), "functions without a value: {without:?}");
    let unknown: Vec<&str> =
        takes_null.into_iter().filter(|name| !TAKES_NULL.contains(name)).collect();
    assert!(unknown.is_empty(), "they have a value although an argument is NULL: {unknown:?}");
    assert!(reached > 15_000, "only {reached} values");
}
