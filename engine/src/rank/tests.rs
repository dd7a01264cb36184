//! Ranking against sorting the whole table, over rows that only come, are taken back, or are updated by
//! key, with checkpoints, restores and rescaling in between.

use std::collections::BTreeMap;

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{Operator as PlanOperator, Rank as Plan, RankFunction, SortKey};
use tidegate_plan::{ChangelogMode, PlanSettings, RowKind, Schema, Updates};
use tidegate_types::TypeKind;

use super::Rank;
use crate::operator::Operator;
use crate::testing::{Random, Replay, Row, Subject, Table, changes, ints, node, schema};

type Values = Vec<Option<i64>>;

/// Partition, id, number, text of a number.
fn input() -> Schema {
    schema(&[
        TypeKind::BigInt.nullable(),
        TypeKind::BigInt.nullable(),
        TypeKind::Int.nullable(),
        TypeKind::STRING.nullable(),
    ])
}

fn by(column: usize, descending: bool) -> SortKey {
    SortKey { column, descending, nulls_first: !descending }
}

#[derive(Debug)]
struct Case {
    plan: Plan,
    /// Of the input.
    mode: ChangelogMode,
    /// Of the output.
    updates: Updates,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let functions = [RankFunction::RowNumber, RankFunction::Rank, RankFunction::DenseRank];
        let orders = [
            vec![by(2, true)],
            vec![by(2, false)],
            vec![by(2, true), by(3, false)],
            vec![by(3, true)],
            vec![],
        ];
        let modes = [ChangelogMode::APPEND, ChangelogMode::RETRACT, ChangelogMode::UPSERT];
        let from = 1 + random.below(2);
        let plan = Plan {
            function: *random.pick(&functions),
            keys: if random.below(5) == 0 { vec![] } else { vec![0] },
            order: random.pick(&orders).clone(),
            from,
            to: from + random.below(4),
            rank_column: (random.below(2) == 0).then(|| "r".to_owned()),
        };
        let updates = *random.pick(&[Updates::BeforeAndAfter, Updates::After]);
        Self { plan, mode: *random.pick(&modes), updates }
    }

    /// Whether rows of the output are known by partition and rank.
    fn by_rank(&self) -> bool {
        let one = self.plan.from == self.plan.to;
        self.plan.function == RankFunction::RowNumber && (one || self.plan.rank_column.is_some())
    }

    fn subject(&self) -> Subject<'_> {
        let mut below = node(PlanOperator::Union, input(), self.mode, None);
        // Without a key of the input rows are known by all of their columns.
        let keyed = self.mode == ChangelogMode::UPSERT;
        below.upsert_key = keyed.then(|| vec![0, 1]);
        let mut columns = input();
        if self.plan.rank_column.is_some() {
            columns.extend(schema(&[TypeKind::BigInt.not_null()]));
        }
        let mode = ChangelogMode { updates: self.updates, deletes: true };
        let mut node = node(PlanOperator::Rank(self.plan.clone()), columns, mode, None);
        node.upsert_key = match (self.by_rank(), keyed) {
            (true, _) => {
                let rank = self.plan.rank_column.iter().map(|_| 4);
                Some(self.plan.keys.iter().copied().chain(rank).collect())
            }
            (false, true) => Some(vec![0, 1]),
            (false, false) => None,
        };
        let strict = if node.upsert_key.is_some() { mode } else { ChangelogMode::RETRACT };
        let replay = Replay::new(strict, node.upsert_key.clone());
        let route = (!self.plan.keys.is_empty()).then(|| self.plan.keys.clone());
        let make = move || -> Box<dyn Operator> {
            let settings = PlanSettings::default();
            Box::new(Rank::new(&self.plan, &node, &[&below], &settings).unwrap())
        };
        Subject::new(make, vec![route], &["rows"], replay)
    }

    fn expected(&self, rows: &[Values]) -> Vec<Row> {
        let mut partitions: BTreeMap<Values, Vec<Values>> = BTreeMap::new();
        for row in rows {
            let key = self.plan.keys.iter().map(|key| row[*key]).collect();
            partitions.entry(key).or_default().push(row.clone());
        }
        let mut expected = Vec::new();
        for mut rows in partitions.into_values() {
            rows.sort_by_key(|row| self.sort(row));
            let (mut rank, mut distinct) = (0, 0);
            for (index, row) in rows.iter().enumerate() {
                if index == 0 || self.sort(row) != self.sort(&rows[index - 1]) {
                    (rank, distinct) = (index as u64 + 1, distinct + 1);
                }
                let rank = match self.plan.function {
                    RankFunction::RowNumber => index as u64 + 1,
                    RankFunction::Rank => rank,
                    RankFunction::DenseRank => distinct,
                };
                if (self.plan.from..=self.plan.to).contains(&rank) {
                    let mut row = ints(row);
                    row.extend(self.plan.rank_column.iter().map(|_| Some(rank.to_string())));
                    expected.push(row);
                }
            }
        }
        expected.sort();
        expected
    }

    /// Sorts as the order does; NULL is the smallest value.
    fn sort(&self, row: &Values) -> Vec<Result<Option<Key>, std::cmp::Reverse<Option<Key>>>> {
        let keys = self.plan.order.iter().map(|key| {
            let value = row[key.column].map(|value| match key.column {
                3 => Key::Text(value.to_string()),
                _ => Key::Number(value),
            });
            if key.descending { Err(std::cmp::Reverse(value)) } else { Ok(value) }
        });
        keys.collect()
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

#[test]
fn kept_rows_are_those_of_the_sorted_table() {
    let stored = arrow_schema(&input());
    for seed in 0..160 {
        let mut random = Random(seed);
        let case = Case::random(&mut random);
        let appends = case.mode == ChangelogMode::APPEND;
        let columns = vec![(2, 12), (6, u64::MAX), (4, 8), (3, 8)];
        let mut table = Table::new(columns, appends);
        if case.mode == ChangelogMode::UPSERT {
            table = table.with_key(2);
        }
        let mut subject = case.subject();
        for _ in 0..40 {
            let count = 1 + random.below(8);
            let mut log = table.change(count, &mut random);
            if case.mode == ChangelogMode::UPSERT {
                log.retain(|(kind, _)| *kind != RowKind::UpdateBefore);
            }
            subject.feed(0, &changes(&stored, &log));
            subject.disturb(&mut random);
            let expected = case.expected(&table.rows);
            assert_eq!(subject.replay.table(), expected, "seed {seed} {case:?}");
        }
    }
}

#[test]
fn a_limit_without_order_is_done_once_it_is_full() {
    let plan = Plan {
        function: RankFunction::RowNumber,
        keys: vec![],
        order: vec![],
        from: 2,
        to: 4,
        rank_column: None,
    };
    let case = Case { plan, mode: ChangelogMode::APPEND, updates: Updates::None };
    let mut subject = case.subject();
    let stored = arrow_schema(&input());
    for id in 0..100 {
        let row = vec![Some(1), Some(id), None, None];
        subject.feed(0, &changes(&stored, &[(RowKind::Insert, row)]));
    }
    assert_eq!(subject.replay.seen, [3, 0, 0, 0]);
    let ids: Vec<_> = subject.replay.table().into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(ids, ["1", "2", "3"].map(|id| Some(id.to_owned())));
}

#[test]
fn a_partition_that_is_not_used_is_forgotten() {
    let plan = Plan {
        function: RankFunction::RowNumber,
        keys: vec![0],
        order: vec![by(2, true)],
        from: 1,
        to: 1,
        rank_column: None,
    };
    let stored = arrow_schema(&input());
    let row = |value| (RowKind::Insert, vec![Some(1), Some(1), Some(value), None]);
    let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
    let operator = PlanOperator::Rank(plan.clone());
    let mut node = node(operator, input(), ChangelogMode::RETRACT, Some(vec![0]));
    node.state_ttl_ms = vec![1_000];
    let make = || -> Box<dyn Operator> {
        Box::new(Rank::new(&plan, &node, &[&below], &PlanSettings::default()).unwrap())
    };
    let replay = || Replay::new(ChangelogMode::RETRACT, None);
    let mut subject = Subject::new(make, vec![Some(vec![0])], &["rows"], replay());
    subject.feed(0, &changes(&stored, &[row(5)]));
    subject.checkpoint(&mut Random(3));
    subject.restart(&[tidegate_types::KeyGroupRange::all(crate::testing::GROUPS)]);
    subject.advance(900);
    subject.feed(0, &changes(&stored, &[row(4)]));
    assert_eq!(subject.replay.table()[0][2], Some("5".to_owned()));
    subject.advance(1_100);
    subject.replay = replay();
    subject.feed(0, &changes(&stored, &[row(3)]));
    assert_eq!(subject.replay.table()[0][2], Some("3".to_owned()));
}
