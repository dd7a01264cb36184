//! What is kept and for how long, what fails, and how.

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::AfterMatch;
use tidegate_types::{ErrorCode, KeyGroupRange, MAX_WATERMARK, MIN_WATERMARK};

use super::{Condition, Pattern, Row, Variable, input, operator, plan, subject};
use crate::memory::MemoryBudget;
use crate::operator::{Operator, OperatorContext, Output, Progress};
use crate::pattern::MatchRecognize;
use crate::testing::{GROUPS, changes, context, rows_of};

fn one(condition: Option<Condition>) -> Variable {
    Variable { min: 1, max: Some(1), greedy: false, condition }
}

fn many(condition: Option<Condition>) -> Variable {
    Variable { min: 1, max: None, greedy: false, condition }
}

fn pattern(variables: Vec<Variable>, within: Option<i64>) -> Pattern {
    let skip = AfterMatch::PastLastRow;
    Pattern { variables, skip, within, sorted: false, clock: false, keyed: true }
}

fn batch(rows: &[Row]) -> crate::element::Changes {
    let rows: Vec<_> = rows.iter().map(Row::values).collect();
    changes(&arrow_schema(&input()), &rows)
}

/// Rows of keys 0, 1, … in turn, a millisecond apart.
fn rows(from: i64, count: i64, keys: i64, v: impl Fn(i64) -> i64) -> Vec<Row> {
    let row = |id| Row { key: Some(id % keys), time: id, v: Some(v(id)), id };
    (from..from + count).map(row).collect()
}

fn opened(pattern: &Pattern, memory: usize) -> MatchRecognize {
    let (plan, output) = plan(pattern);
    let mut operator = operator(&plan, &output);
    let place = context(KeyGroupRange::all(GROUPS), MIN_WATERMARK);
    let memory = MemoryBudget::new(memory);
    operator.open(&OperatorContext { memory, ..place }).unwrap();
    operator
}

fn drained(operator: &mut MatchRecognize) -> tidegate_types::Result<Vec<crate::testing::Row>> {
    let mut out = Output::new(0);
    while operator.drain(&mut out)? == Progress::More {}
    Ok(out.take().iter().flat_map(|changes| rows_of(&changes.rows)).collect())
}

#[test]
fn keys_that_never_match_leave_nothing() {
    // Every row may be second, none first.
    let pattern = pattern(vec![one(Some(Condition::Above(9))), one(None)], None);
    let mut operator = opened(&pattern, usize::MAX);
    for round in 0..20 {
        let rows = rows(round * 100, 100, 100, |id| id % 7);
        operator.process(0, batch(&rows), &mut Output::new(0)).unwrap();
        operator.watermark(round * 100 + 99, &mut Output::new(0)).unwrap();
        assert_eq!(drained(&mut operator).unwrap(), Vec::<crate::testing::Row>::new());
        assert_eq!(operator.state_rows(), 0);
    }
    assert!(operator.state_bytes() < 64 << 10, "{} bytes", operator.state_bytes());
}

#[test]
fn within_bounds_what_is_kept_whether_rows_come_or_not() {
    let all = many(Some(Condition::Above(-1)));
    let pattern = pattern(vec![one(None), all, one(Some(Condition::Above(100)))], Some(10));
    let mut operator = opened(&pattern, usize::MAX);
    for round in 0..50 {
        let rows = rows(round * 20, 20, 2, |id| id % 7);
        operator.process(0, batch(&rows), &mut Output::new(0)).unwrap();
        operator.watermark(round * 20 + 19, &mut Output::new(0)).unwrap();
        drained(&mut operator).unwrap();
        // Of the last ten ms.
        assert!(operator.state_rows() <= 10, "{} rows", operator.state_rows());
    }
    operator.watermark(1_020, &mut Output::new(0)).unwrap();
    drained(&mut operator).unwrap();
    assert_eq!(operator.state_rows(), 0);
}

#[test]
fn a_row_that_was_passed_is_dropped_and_counted() {
    let pattern = pattern(vec![one(None), one(None)], None);
    let (plan, output) = plan(&pattern);
    let mut subject = subject(&plan, &output);
    let row = |time, id| Row { key: Some(1), time, v: Some(1), id };
    subject.feed(0, &batch(&[row(5, 0)]));
    subject.watermark(5);
    subject.feed(0, &batch(&[row(5, 1), row(4, 2), row(6, 3)]));
    subject.watermark(MAX_WATERMARK);
    let found = subject.replay.table();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0][1].as_deref(), Some("0"), "the first row, and the one at 6");
}

#[test]
fn candidates_that_do_not_fit_the_memory_fail_the_job() {
    // Two loops over the same rows: as many candidates as there are pairs of them.
    let loops = vec![one(None), many(None), many(None), one(Some(Condition::Above(100)))];
    let mut operator = opened(&pattern(loops, None), 8 << 20);
    let mut failed = None;
    for round in 0..20 {
        let rows = rows(round * 100, 100, 1, |id| id % 7);
        operator.process(0, batch(&rows), &mut Output::new(0)).unwrap();
        operator.watermark(round * 100 + 99, &mut Output::new(0)).unwrap();
        if let Err(error) = drained(&mut operator) {
            failed = Some(error);
            break;
        }
    }
    let error = failed.unwrap();
    assert_eq!(error.code(), ErrorCode::ResourceExhausted);
    assert!(error.to_string().contains("rows that wait or may belong to a match"), "{error}");
}

#[test]
fn a_condition_fails_only_where_it_is_tested() {
    let variables = vec![one(Some(Condition::Above(5))), one(Some(Condition::Quotient(1)))];
    let pattern = pattern(variables, None);
    let row = |id: i64, v| Row { key: Some(1), time: id, v: Some(v), id };
    let mut operator = opened(&pattern, usize::MAX);
    let values = [0, 6, 3, 0, 0, 7, 12, 6, 2];
    let all: Vec<Row> = (0..).zip(values).map(|(id, v)| row(id, v)).collect();
    operator.process(0, batch(&all), &mut Output::new(0)).unwrap();
    operator.watermark(20, &mut Output::new(0)).unwrap();
    let found = drained(&mut operator).unwrap();
    let first: Vec<_> = found.iter().map(|row| row[1].as_deref()).collect();
    assert_eq!(first, [Some("1"), Some("6")]);
    operator.process(0, batch(&[row(30, 9), row(31, 0)]), &mut Output::new(0)).unwrap();
    operator.watermark(40, &mut Output::new(0)).unwrap();
    let error = drained(&mut operator).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Evaluation);
}

#[test]
fn the_search_cannot_go_on_where_a_match_has_no_row_or_began() {
    let optional = Variable { min: 0, ..one(Some(Condition::Above(5))) };
    let variables = vec![one(None), optional, one(Some(Condition::Below(2)))];
    for (skip, values, message) in [
        (AfterMatch::ToFirst { variable: 1 }, [3, 1], "V1 has no row"),
        (AfterMatch::ToLast { variable: 0 }, [3, 1], "the first row of the match"),
    ] {
        let pattern = Pattern { skip, ..pattern(variables.clone(), None) };
        let mut operator = opened(&pattern, usize::MAX);
        let all = rows(0, 2, 1, |id| values[id as usize]);
        operator.process(0, batch(&all), &mut Output::new(0)).unwrap();
        operator.watermark(9, &mut Output::new(0)).unwrap();
        let error = drained(&mut operator).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Evaluation);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn matches_come_in_the_order_of_time() {
    let pattern =
        pattern(vec![one(Some(Condition::Above(0))), one(Some(Condition::Below(1)))], None);
    let mut operator = opened(&pattern, usize::MAX);
    let all = rows(0, 300, 5, |id| (id / 5) % 2 * 3 - 1 + id % 2);
    operator.process(0, batch(&all), &mut Output::new(0)).unwrap();
    operator.watermark(400, &mut Output::new(0)).unwrap();
    let found = drained(&mut operator).unwrap();
    let times: Vec<_> = found.iter().map(|row| row.last().cloned().unwrap()).collect();
    assert!(times.len() > 20 && times.is_sorted(), "{times:?}");
}
