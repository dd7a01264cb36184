//! Joins of several inputs against nested loops, with crashes, restores at other parallelisms and little memory.

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{MultiJoin as Plan, Operator as PlanOperator};
use tidegate_plan::{ChangelogMode, PlanSettings, RowKind};
use tidegate_types::{Field, TypeKind};

use super::MultiJoin;
use super::snapshot::MULTI_TABLES;
use super::tests::{Values, at_most, node};
use crate::operator::Operator;
use crate::testing::{Random, Replay, Row, Subject, changes, ints};

const NAMES: [&str; 3] = ["k", "u", "v"];

/// All rows of the product whose keys are equal and of which the first column of each pair is at most the
/// second.
fn expected(
    tables: &[Vec<Values>],
    keys: &[Vec<usize>],
    conditions: &[(usize, usize)],
) -> Vec<Row> {
    let mut rows: Vec<Values> = vec![Vec::new()];
    for (input, table) in tables.iter().enumerate() {
        let mut extended = Vec::new();
        for row in &rows {
            let fits = |other: &&Values| {
                let pairs = keys[0].iter().zip(&keys[input]);
                pairs.into_iter().all(|(first, own)| {
                    let first = if input == 0 { other[*first] } else { row[*first] };
                    first.is_some() && first == other[*own]
                })
            };
            let others = table.iter().filter(fits);
            extended.extend(others.map(|other| [row.clone(), other.clone()].concat()));
        }
        rows = extended;
    }
    rows.retain(|row| {
        let met =
            |(a, b): &(usize, usize)| matches!((row[*a], row[*b]), (Some(a), Some(b)) if a <= b);
        conditions.iter().all(met)
    });
    let mut rows: Vec<Row> = rows.iter().map(|row| ints(row)).collect();
    rows.sort();
    rows
}

#[test]
fn joins_of_several_inputs_equal_nested_loops() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let inputs = 2 + random.below(3) as usize;
        // By one column, another one for each input, or by two in either order.
        let keys: Vec<Vec<usize>> = match random.below(3) {
            0 => vec![vec![0]; inputs],
            1 => (0..inputs).map(|input| vec![input % 2]).collect(),
            _ => (0..inputs).map(|input| vec![input % 2, 1 - input % 2]).collect(),
        };
        let width = inputs * NAMES.len();
        // None, or some of any inputs, those of one among them.
        let conditions: Vec<(usize, usize)> = (0..random.below(3))
            .map(|_| (random.below(width as u64) as usize, random.below(width as u64) as usize))
            .collect();
        let at_most = conditions.iter().map(|(a, b)| at_most(*a, *b)).collect();
        let plan = Plan { keys: keys.clone(), conditions: at_most };
        let names = NAMES.repeat(inputs);
        let of = node(PlanOperator::MultiJoin(plan.clone()), &names, ChangelogMode::APPEND);
        let below = node(PlanOperator::Union, &NAMES, ChangelogMode::APPEND);
        let below = vec![&below; inputs];
        let make = || -> Box<dyn Operator> {
            Box::new(MultiJoin::new(&plan, &of, &below, &PlanSettings::default()).unwrap())
        };
        let field = |name: &&str| Field::new(*name, TypeKind::BigInt.nullable());
        let schema = arrow_schema(&NAMES.iter().map(field).collect::<Vec<_>>());
        let exchanges = keys.iter().cloned().map(Some).collect();
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let mut subject = Subject::new(make, exchanges, &MULTI_TABLES[..inputs], replay);
        if random.below(3) == 0 {
            subject = subject.with_memory(1);
        }
        let mut tables: Vec<Vec<Values>> = vec![Vec::new(); inputs];
        for _ in 0..40 {
            let input = random.below(inputs as u64) as usize;
            let rows: Vec<Values> = (0..1 + random.below(6))
                .map(|_| vec![random.value(5, 10), random.value(3, 10), random.value(9, 10)])
                .collect();
            let log: Vec<_> = rows.iter().map(|row| (RowKind::Insert, row.clone())).collect();
            tables[input].extend(rows);
            subject.feed(input, &changes(&schema, &log));
            subject.disturb(&mut random);
        }
        let wanted = expected(&tables, &keys, &conditions);
        let got = subject.replay.table();
        assert_eq!(got.len(), wanted.len(), "seed {seed}, {keys:?}, {conditions:?}");
        assert!(got == wanted, "seed {seed}, {keys:?}, {conditions:?}");
    }
}

#[test]
fn inputs_that_change_are_not_taken() {
    let plan = Plan { keys: vec![vec![0]; 3], conditions: Vec::new() };
    let of = node(PlanOperator::MultiJoin(plan.clone()), &NAMES.repeat(3), ChangelogMode::APPEND);
    let below = node(PlanOperator::Union, &NAMES, ChangelogMode::RETRACT);
    let refused = MultiJoin::new(&plan, &of, &[&below; 3], &PlanSettings::default());
    assert!(refused.is_err_and(|error| error.to_string().contains("inserted rows only")));
}
