//! OVER by event time against looking at all rows, over random rows with checkpoints and restores of other
//! numbers of subtasks in between.

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{Operator as PlanOperator, OverFrame, OverGroup};
use tidegate_plan::{AggregateCall, AggregateFunction, ChangelogMode, RowKind, Schema};
use tidegate_types::TypeKind;

use super::*;
use crate::testing::{Random, Replay, Subject, changes, node, schema};

/// Key, value, time, number of arrival.
type Given = [i64; 4];

fn input() -> Schema {
    let time = TypeKind::timestamp(3).not_null();
    let number = || TypeKind::BigInt.not_null();
    schema(&[number(), number(), time, number()])
}

/// The sum of the values in the frame of each row.
fn expected(rows: &[Given], frame: OverFrame) -> Vec<(i64, i64)> {
    let sum = |row: &Given| {
        let mut before: Vec<&Given> = rows
            .iter()
            .filter(|other| other[0] == row[0])
            .filter(|other| match frame {
                OverFrame::Range { preceding } => (row[2] - preceding..=row[2]).contains(&other[2]),
                OverFrame::RangeUnbounded => other[2] <= row[2],
                _ => (other[2], other[3]) <= (row[2], row[3]),
            })
            .collect();
        before.sort_by_key(|other| (other[2], other[3]));
        let kept = match frame {
            OverFrame::Rows { preceding } => preceding as usize + 1,
            _ => before.len(),
        };
        before.iter().rev().take(kept).map(|other| other[1]).sum()
    };
    let mut sums: Vec<(i64, i64)> = rows.iter().map(|row| (row[3], sum(row))).collect();
    sums.sort_unstable();
    sums
}

#[test]
fn every_row_comes_out_once_with_the_sum_of_its_frame() {
    let stored = arrow_schema(&input());
    let mut fields = input();
    fields.push(tidegate_types::Field::new("sum", TypeKind::BigInt.nullable()));
    let frames: [(OverFrame, &'static [&'static str]); 4] = [
        (OverFrame::RangeUnbounded, &["waiting", "aggregates"]),
        (OverFrame::RowsUnbounded, &["waiting", "aggregates"]),
        (OverFrame::Range { preceding: 9 }, &["waiting", "history"]),
        (OverFrame::Rows { preceding: 2 }, &["waiting", "history"]),
    ];
    for (frame, tables) in frames {
        let call = AggregateCall {
            function: AggregateFunction::Sum,
            argument: Some(1),
            parameters: Vec::new(),
            distinct: false,
            filter: None,
            name: "sum".to_owned(),
            ty: TypeKind::BigInt.nullable(),
        };
        let groups = vec![OverGroup { frame, aggregates: vec![call] }];
        let plan = Plan { keys: vec![0], order: OverOrder::Event { column: 2 }, groups };
        for seed in 0..25 {
            let mut random = Random(seed);
            let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
            let operator = PlanOperator::OverAggregate(plan.clone());
            let node = node(operator, fields.clone(), ChangelogMode::APPEND, Some(vec![0]));
            let make = || -> Box<dyn Operator> {
                super::operator(&plan, &node, &[&below], &PlanSettings::default()).unwrap()
            };
            let replay = Replay::new(ChangelogMode::APPEND, None);
            let mut subject = Subject::new(make, vec![Some(vec![0])], tables, replay);
            let mut given: Vec<Given> = Vec::new();
            for step in 0..60 {
                let fresh: Vec<Given> = (0..random.below(8))
                    .map(|place| {
                        // No row is late; many have the same time.
                        let time = 4 * step + 4 * random.below(5) as i64;
                        let number = (given.len() as u64 + place) as i64;
                        [random.below(6) as i64, random.below(100) as i64, time, number]
                    })
                    .collect();
                let row = |row: &Given| (RowKind::Insert, row.iter().copied().map(Some).collect());
                let log: Vec<_> = fresh.iter().map(row).collect();
                given.extend(fresh);
                subject.feed(0, &changes(&stored, &log));
                subject.disturb(&mut random);
                if random.below(4) == 0 {
                    subject.watermark(4 * step - 1);
                }
            }
            subject.watermark(i64::MAX);
            let number = |text: &Option<String>| text.as_ref().unwrap().parse::<i64>().unwrap();
            let rows = subject.replay.table();
            let mut actual: Vec<(i64, i64)> =
                rows.iter().map(|row| (number(&row[3]), number(&row[4]))).collect();
            actual.sort_unstable();
            assert_eq!(actual, expected(&given, frame), "{frame:?}, seed {seed}");
        }
    }
}
