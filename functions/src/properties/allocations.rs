//! Allocations are counted: a function whose result is a number, a truth value or a time makes none per row.
#![allow(unsafe_code, reason = "an allocator is counted by being one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::{Expr, PlanSettings};
use tidegate_types::{Field, TypeKind};

use super::arguments::{arguments, batch};
use super::{TRIES, ZONE};
use crate::function::Volatility;
use crate::testing::{NOW_MS, try_call};
use crate::{EvalContext, Evaluator, lookup, names};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // At the end of a thread there is no counter any more.
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rows of a batch.
const ROWS: usize = 1_024;
/// Calls that are counted for each function.
const CALLS: usize = 8;
/// Allocations of a batch: buffers, and arrays around them.
const MOST: u64 = 96;

/// Functions that do allocate, with what for.
const ALLOCATE: &[(&str, &str)] = &[
    ("IS JSON ARRAY", "what is wrong with a text that is no JSON"),
    ("IS JSON OBJECT", "what is wrong with a text that is no JSON"),
    ("IS JSON SCALAR", "what is wrong with a text that is no JSON"),
    ("IS JSON VALUE", "what is wrong with a text that is no JSON"),
    ("JSON_EXISTS", "what is wrong with a text that is no JSON"),
];
/// Functions whose second argument is compiled: once if it is a constant, as it is here.
const COMPILED: &[&str] =
    &["LIKE", "SIMILAR TO", "REGEXP", "REGEXP_COUNT", "REGEXP_INSTR", "JSON_EXISTS"];

/// Whether values lie side by side without buffers of their own.
fn is_flat(kind: &TypeKind) -> bool {
    *kind == TypeKind::Boolean || kind.is_numeric() || kind.is_temporal() || kind.is_interval()
}

/// The same call over columns that hold the values of its arguments.
fn over_columns(name: &str, args: &[Expr], source: &RecordBatch) -> Option<(Expr, RecordBatch)> {
    let settings = PlanSettings { time_zone: ZONE.to_owned(), ..PlanSettings::default() };
    let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    let mut plain = Vec::new();
    for arg in args {
        if matches!(arg, Expr::Literal(_)) {
            plain.push(arg.clone());
            continue;
        }
        let values = Evaluator::compile(arg, &settings).ok()?;
        let values = values.evaluate(source, &EvalContext::at(NOW_MS)).ok()?;
        plain.push(Expr::column(columns.len(), arg.ty().clone()));
        fields.push(Field::new(format!("a{}", columns.len()), arg.ty().clone()));
        columns.push(values);
    }
    if columns.is_empty() {
        return None;
    }
    let batch = RecordBatch::try_new(arrow_schema(&fields), columns).ok()?;
    Some((try_call(name, plain).ok()?, batch))
}

/// The most allocations of a call, and how many calls were counted.
fn count(name: &'static str, random: &mut StdRng) -> (u64, String, usize) {
    let settings = PlanSettings { time_zone: ZONE.to_owned(), ..PlanSettings::default() };
    let context = EvalContext::at(NOW_MS);
    let (mut most, mut whose, mut calls) = (0, String::new(), 0);
    for _ in 0..TRIES {
        if calls == CALLS {
            break;
        }
        let (args, _) = arguments(name, random);
        if COMPILED.contains(&name) && !matches!(args.get(1), Some(Expr::Literal(_))) {
            continue;
        }
        let Ok(expr) = try_call(name, args.clone()) else { continue };
        if !is_flat(&expr.ty().kind) {
            continue;
        }
        let Some((expr, batch)) = over_columns(name, &args, &batch(random, ROWS)) else { continue };
        let Ok(evaluator) = Evaluator::compile(&expr, &settings) else { continue };
        // The first batch prepares patterns and sets.
        if evaluator.evaluate(&batch, &context).is_err() {
            continue;
        }
        let before = COUNT.get();
        let values = evaluator.evaluate(&batch, &context);
        let made = COUNT.get() - before;
        drop(values);
        calls += 1;
        if made > most {
            let kinds: Vec<String> = args.iter().map(|arg| arg.ty().to_string()).collect();
            (most, whose) = (made, format!("{name}({})", kinds.join(", ")));
        }
    }
    (most, whose, calls)
}

#[test]
fn no_row_costs_an_allocation_where_the_result_is_not_text() {
    let mut offenders = BTreeMap::new();
    let mut counted = 0;
    for (number, name) in names().enumerate() {
        if lookup(name).unwrap().volatility == Volatility::Volatile {
            continue;
        }
        let (most, whose, calls) = count(name, &mut StdRng::seed_from_u64(number as u64));
        counted += usize::from(calls > 0);
        let known = ALLOCATE.iter().any(|(known, _)| *known == name);
        if (most > MOST) != known {
            offenders.insert(whose, most);
        }
    }
    println!("{counted} functions counted");
    assert!(offenders.is_empty(), "allocations per {ROWS} rows: {offenders:#?}");
    assert!(counted > 100, "only {counted} functions");
}
