//! Updating aggregates against the aggregates of the whole table as it stands, over random changes with
//! checkpoints, restores and rescaling in between.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{GroupAggregate as Plan, Operator as PlanOperator};
use tidegate_plan::{
    AggregateCall, AggregateFunction as F, ChangelogMode, Literal, MiniBatch, Node, PlanSettings,
    RowKind, Scalar, Schema, Updates,
};
use tidegate_types::{KeyGroupRange, SqlType, TypeKind};

use super::{GroupAggregate, LocalGroupAggregate};
use crate::operator::{Operator, Output};
use crate::testing::{GROUPS, Random, Replay, Row, Subject, Table, changes, ints, node, schema};

const TABLES: &[&str] = &["groups", "distinct0", "distinct1"];

/// k, v, t (text of a number), f (a flag).
fn input() -> Schema {
    schema(&[
        TypeKind::BigInt.nullable(),
        TypeKind::BigInt.nullable(),
        TypeKind::STRING.nullable(),
        TypeKind::Boolean.nullable(),
    ])
}

fn random_table(appends: bool) -> Table {
    Table::new(vec![(4, 9), (5, 6), (3, 6), (1, 4)], appends)
}

fn call(
    function: F,
    argument: Option<usize>,
    distinct: bool,
    filter: Option<usize>,
) -> AggregateCall {
    let element = argument.map(|index| input()[index].ty.clone());
    let ty = match (function, element) {
        (F::Count, _) | (_, None) => TypeKind::BigInt.not_null(),
        (F::ArrayAgg, Some(element)) => TypeKind::Array(Box::new(element)).nullable(),
        (F::Collect, Some(element)) => TypeKind::Multiset(Box::new(element)).not_null(),
        (F::Percentile, _) => TypeKind::Double.nullable(),
        (_, Some(element)) => element,
    };
    let fraction = Literal { value: Scalar::Double(0.5), ty: TypeKind::Double.not_null() };
    AggregateCall {
        function,
        argument,
        parameters: if function == F::Percentile { vec![fraction] } else { Vec::new() },
        distinct,
        filter,
        name: "a".into(),
        ty,
    }
}

fn simple() -> Vec<AggregateCall> {
    vec![
        call(F::Count, None, false, None),
        call(F::Count, Some(1), false, Some(3)),
        call(F::Sum, Some(1), false, None),
        call(F::Sum0, Some(1), false, Some(3)),
        call(F::Avg, Some(1), false, None),
        call(F::Min, Some(1), false, None),
        call(F::Max, Some(2), false, Some(3)),
    ]
}

fn distinct() -> Vec<AggregateCall> {
    vec![
        call(F::Count, Some(1), true, None),
        call(F::Count, Some(1), true, Some(3)),
        call(F::Sum, Some(1), true, Some(3)),
        call(F::Count, Some(2), true, Some(3)),
        call(F::Max, Some(1), true, None),
    ]
}

fn ordered() -> Vec<AggregateCall> {
    vec![
        call(F::FirstValue, Some(1), false, None),
        call(F::LastValue, Some(2), false, Some(3)),
        call(F::ListAgg, Some(2), false, None),
        call(F::ArrayAgg, Some(1), false, None),
        call(F::Collect, Some(1), false, None),
        call(F::Percentile, Some(1), false, None),
    ]
}

#[derive(Clone)]
struct Case {
    keys: Vec<usize>,
    calls: Vec<AggregateCall>,
    appends: bool,
    updates: Updates,
    two_phase: bool,
    each_change: bool,
    mini_batch: Option<MiniBatch>,
    ttl_ms: u64,
}

impl Case {
    fn new(calls: Vec<AggregateCall>, appends: bool, updates: Updates) -> Self {
        let keys = vec![0];
        Self {
            keys,
            calls,
            appends,
            updates,
            two_phase: false,
            each_change: false,
            mini_batch: None,
            ttl_ms: 0,
        }
    }

    fn settings(&self) -> PlanSettings {
        PlanSettings { mini_batch: self.mini_batch, ..PlanSettings::default() }
    }

    fn plan(&self) -> Plan {
        Plan {
            keys: self.keys.clone(),
            aggregates: self.calls.clone(),
            two_phase: self.two_phase,
            each_change: self.each_change,
        }
    }

    fn nodes(&self) -> (Node, Node) {
        let mode = if self.appends { ChangelogMode::APPEND } else { ChangelogMode::RETRACT };
        let below = node(PlanOperator::Union, input(), mode, None);
        let types = self.keys.iter().map(|key| input()[*key].ty.clone());
        let types: Vec<SqlType> =
            types.chain(self.calls.iter().map(|call| call.ty.clone())).collect();
        let deletes = !self.appends && !self.keys.is_empty();
        let mode = ChangelogMode { updates: self.updates, deletes };
        let operator = PlanOperator::GroupAggregate(self.plan());
        let mut node = node(operator, schema(&types), mode, Some(self.keys.clone()));
        node.state_ttl_ms = vec![self.ttl_ms];
        (below, node)
    }

    fn subject(&self) -> Subject<'_> {
        let (below, node) = self.nodes();
        let key = (0..self.keys.len()).collect::<Vec<_>>();
        let replay = Replay::new(node.changelog, Some(key.clone()));
        let route = match (self.keys.is_empty(), self.two_phase) {
            (true, _) => None,
            (_, true) => Some(key),
            (_, false) => Some(self.keys.clone()),
        };
        let make = move || -> Box<dyn Operator> {
            let aggregate = GroupAggregate::new(&self.plan(), &node, &[&below], &self.settings());
            Box::new(aggregate.unwrap())
        };
        Subject::new(make, vec![route], TABLES, replay)
    }

    fn local(&self) -> Option<LocalGroupAggregate> {
        let (below, node) = self.nodes();
        let local = || LocalGroupAggregate::new(&self.plan(), &below, &self.settings()).unwrap();
        assert_eq!(super::is_two_phase(&self.plan(), &node, &[&below]), self.two_phase);
        self.two_phase.then(local)
    }

    /// Random changes; the table that comes out is that of the whole input, each time it is looked at.
    fn run(&self, seed: u64) -> [usize; 4] {
        let mut random = Random(seed);
        let mut table = random_table(self.appends);
        let (mut subject, mut local) = (self.subject(), self.local());
        let stored = arrow_schema(&input());
        let mut all = Log::new();
        for round in 0..60 {
            let count = 1 + random.below(12);
            let log = table.change(count, &mut random);
            all.extend(log.iter().cloned());
            let batch = changes(&stored, &log);
            let mut out = Output::new(subject.now);
            match &mut local {
                None => subject.feed(0, &batch),
                Some(local) => {
                    local.process(0, batch, &mut out).unwrap();
                    if random.below(3) == 0 || round == 59 {
                        local.before_barrier(&mut out).unwrap();
                        out.take().iter().for_each(|partials| subject.feed(0, partials));
                        subject.disturb(&mut random);
                    }
                    out.take().iter().for_each(|partials| subject.feed(0, partials));
                    continue;
                }
            }
            let step = random.below(3) as i64;
            subject.advance(step);
            subject.disturb(&mut random);
            if random.below(4) == 0 {
                subject.flush();
                assert_eq!(subject.replay.table(), self.expected(&all), "seed {seed}");
            }
        }
        subject.flush();
        assert_eq!(subject.replay.table(), self.expected(&all), "seed {seed}");
        subject.replay.seen
    }

    /// The results over a log: of each call over the values that it has been given and not lost. Of equal
    /// values the earliest is lost.
    fn expected(&self, log: &Log) -> Vec<Row> {
        let key = |row: &[Option<i64>]| self.keys.iter().map(|key| row[*key]).collect::<Vec<_>>();
        let mut groups: BTreeMap<Vec<Option<i64>>, i64> = BTreeMap::new();
        if self.keys.is_empty() {
            groups.insert(Vec::new(), 1);
        }
        for (kind, row) in log {
            *groups.entry(key(row)).or_default() += if RowKind::adds(*kind as i8) { 1 } else { -1 };
        }
        groups.retain(|_, rows| *rows > 0);
        let results = groups.into_keys().map(|group| {
            let mine: Vec<_> = log.iter().filter(|(_, row)| key(row) == group).collect();
            let results = self.calls.iter().map(|call| result(call, &mine));
            ints(&group).into_iter().chain(results).collect::<Row>()
        });
        let mut results: Vec<Row> = results.collect();
        results.sort();
        results
    }
}

type Log = Vec<(RowKind, Vec<Option<i64>>)>;

fn values_of(call: &AggregateCall, log: &[&(RowKind, Vec<Option<i64>>)]) -> Vec<Option<i64>> {
    let mut values = Vec::new();
    for (kind, row) in log {
        if call.filter.is_some_and(|filter| row[filter].is_none_or(|flag| flag == 0)) {
            continue;
        }
        let value = call.argument.map_or(Some(1), |argument| row[argument]);
        if RowKind::adds(*kind as i8) {
            values.push(value);
        } else {
            let place = values.iter().position(|other| *other == value).unwrap();
            values.remove(place);
        }
    }
    values
}

fn result(call: &AggregateCall, log: &[&(RowKind, Vec<Option<i64>>)]) -> Option<String> {
    let all = values_of(call, log);
    let mut values: Vec<i64> = all.iter().flatten().copied().collect();
    if call.distinct {
        values = values.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    }
    let text = |value: &i64| value.to_string();
    let sum = values.iter().sum::<i64>();
    let mut sorted = values.clone();
    sorted.sort_unstable();
    match call.function {
        F::Count => Some(values.len().to_string()),
        F::Sum0 => Some(sum.to_string()),
        F::Collect => {
            let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
            values.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
            let counts = counts.iter().map(|(value, count)| format!("{value}: {count}"));
            Some(format!("{{{}}}", counts.collect::<Vec<_>>().join(", ")))
        }
        F::ArrayAgg => {
            let items = all.iter().map(|value| value.map_or(String::new(), |v| v.to_string()));
            let items: Vec<_> = items.collect();
            (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
        }
        _ if values.is_empty() => None,
        F::Sum => Some(sum.to_string()),
        F::Avg => Some((sum / values.len() as i64).to_string()),
        F::Min => sorted.first().map(text),
        // Text sorts as text.
        F::Max if call.argument == Some(2) => values.iter().map(text).max(),
        F::Max => sorted.last().map(text),
        F::FirstValue => values.first().map(text),
        F::LastValue => values.last().map(text),
        F::ListAgg => Some(values.iter().map(text).collect::<Vec<_>>().join(",")),
        F::Percentile => {
            let at = (sorted.len() - 1) as f64 * 0.5;
            let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            Some(format!("{:?}", (low + high) as f64 / 2.0))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn results_are_those_of_the_whole_table() {
    for calls in [simple(), distinct(), ordered(), Vec::new()] {
        for appends in [true, false] {
            for updates in [Updates::BeforeAndAfter, Updates::After] {
                for seed in 0..8 {
                    Case::new(calls.clone(), appends, updates).run(seed);
                }
            }
        }
    }
}

#[test]
fn without_keys_there_is_one_row_from_the_first_barrier_on() {
    for appends in [true, false] {
        let mut case = Case::new(simple(), appends, Updates::BeforeAndAfter);
        case.keys.clear();
        (0..10).for_each(|seed| _ = case.run(seed));
        let mut subject = case.subject();
        assert_eq!(subject.replay.table(), [] as [Row; 0]);
        subject.flush();
        subject.flush();
        assert_eq!(subject.replay.table(), case.expected(&Log::new()));
        assert_eq!(subject.replay.seen, [1, 0, 0, 0]);
    }
}

#[test]
fn partial_states_combine_also_those_that_take_back() {
    for appends in [true, false] {
        for mini_batch in [None, Some(MiniBatch { latency_ms: 5, size: 30 })] {
            let mut case = Case::new(simple(), appends, Updates::BeforeAndAfter);
            (case.two_phase, case.mini_batch) = (true, mini_batch);
            (0..10).for_each(|seed| _ = case.run(seed));
        }
    }
}

#[test]
fn every_change_comes_out_as_if_its_row_had_come_alone() {
    let stored = arrow_schema(&input());
    for appends in [true, false] {
        for seed in 0..20 {
            let mut case = Case::new(simple(), appends, Updates::BeforeAndAfter);
            case.keys.truncate(seed as usize % 2);
            let each = Case { each_change: true, ..case.clone() };
            each.run(seed);
            let (mut alone, mut together) = (case.subject(), each.subject());
            let mut random = Random(seed);
            let mut table = random_table(appends);
            for _ in 0..20 {
                let log = table.change(1 + random.below(20), &mut random);
                together.feed(0, &changes(&stored, &log));
                for change in &log {
                    alone.feed(0, &changes(&stored, std::slice::from_ref(change)));
                    alone.advance(10);
                }
                together.advance(10);
            }
            assert_eq!(together.replay.seen, alone.replay.seen);
            assert_eq!(together.replay.table(), alone.replay.table());
        }
    }
}

#[test]
fn mini_batches_emit_less() {
    let mut case = Case::new(simple(), false, Updates::BeforeAndAfter);
    let each: usize = case.run(3).iter().sum();
    case.mini_batch = Some(MiniBatch { latency_ms: 1_000, size: 10_000 });
    let bundled: usize = case.run(3).iter().sum();
    assert!(bundled < each * 7 / 8, "{bundled} of {each}");
    // A bundle goes out in time, by size, and before a watermark.
    case.mini_batch = Some(MiniBatch { latency_ms: 100, size: 3 });
    let mut subject = case.subject();
    let stored = arrow_schema(&input());
    let row = |k: i64| (RowKind::Insert, vec![Some(k); 4]);
    subject.feed(0, &changes(&stored, &[row(1)]));
    assert_eq!(subject.replay.seen, [0; 4]);
    subject.advance(100);
    assert_eq!(subject.replay.seen, [1, 0, 0, 0]);
    subject.feed(0, &changes(&stored, &[row(1), row(1), row(1)]));
    assert_eq!(subject.replay.seen, [1, 1, 1, 0]);
    subject.feed(0, &changes(&stored, &[row(2)]));
    subject.watermark(0);
    assert_eq!(subject.replay.seen, [2, 1, 1, 0]);
}

#[test]
fn equal_results_are_not_emitted_unless_state_expires() {
    let stored = arrow_schema(&input());
    let row = |k: i64, v| (RowKind::Insert, vec![Some(k), v, None, None]);
    for (ttl_ms, seen) in [(0, [1, 0, 0, 0]), (1_000, [1, 1, 1, 0])] {
        let calls = vec![call(F::Max, Some(1), false, None)];
        let mut case = Case::new(calls, true, Updates::BeforeAndAfter);
        case.ttl_ms = ttl_ms;
        let mut subject = case.subject();
        subject.feed(0, &changes(&stored, &[row(1, Some(5))]));
        subject.advance(10);
        subject.feed(0, &changes(&stored, &[row(1, Some(3))]));
        assert_eq!(subject.replay.seen, seen);
    }
}

#[test]
fn state_beyond_the_budget_is_an_error_that_names_the_mend() {
    let case = Case::new(simple(), true, Updates::After);
    let (below, node) = case.nodes();
    let aggregate = GroupAggregate::new(&case.plan(), &node, &[&below], &case.settings());
    let mut aggregate = aggregate.unwrap();
    let mut context = crate::testing::context(KeyGroupRange::all(GROUPS), i64::MIN);
    context.memory = crate::memory::MemoryBudget::new(20_000);
    aggregate.open(&context).unwrap();
    let stored = arrow_schema(&input());
    let batch = |from: i64| {
        let rows = (from..from + 50).map(|k| (RowKind::Insert, vec![Some(k); 4]));
        changes(&stored, &rows.collect::<Vec<_>>())
    };
    let process = |from: i64| aggregate.process(0, batch(from * 50), &mut Output::new(0));
    let error = (0..100).map(process).find_map(Result::err).unwrap();
    assert_eq!(error.code(), tidegate_types::ErrorCode::ResourceExhausted);
    assert!(format!("{error:?}").contains("table.exec.state.ttl"), "{error:?}");
}

#[test]
fn an_expired_group_starts_anew_with_its_distinct_values() {
    let calls = vec![call(F::Count, Some(1), true, None), call(F::Count, None, false, None)];
    let mut case = Case::new(calls, true, Updates::BeforeAndAfter);
    case.ttl_ms = 1_000;
    let stored = arrow_schema(&input());
    let row = |k: i64, v: i64| (RowKind::Insert, vec![Some(k), Some(v), None, None]);
    for restarts in [false, true] {
        let mut subject = case.subject();
        let mut random = Random(1);
        subject.feed(0, &changes(&stored, &[row(1, 5), row(1, 6), row(2, 5)]));
        subject.checkpoint(&mut random);
        subject.advance(600);
        subject.feed(0, &changes(&stored, &[row(2, 5)]));
        subject.checkpoint(&mut random);
        if restarts {
            subject.restart(&[KeyGroupRange::all(GROUPS)]);
        }
        subject.advance(600);
        // Downstream forgets in its own time: a strict reader would not take the new +I.
        subject.replay = Replay::new(case.nodes().1.changelog, None);
        subject.feed(0, &changes(&stored, &[row(1, 5), row(1, 5)]));
        let expected = ["1", "1", "2"].map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(subject.replay.table(), [expected]);
        subject.checkpoint(&mut random);
        subject.restart(&[KeyGroupRange::all(GROUPS)]);
        subject.replay = Replay::new(ChangelogMode::UPSERT, None);
    }
}
