//! Regular joins against nested loops over the tables that random changelogs describe.

use arrow::datatypes::SchemaRef;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{Join as Plan, JoinKind, JoinOn, Operator as PlanOperator};
use tidegate_plan::{ChangelogMode, Expr, FunctionRef, Node, PlanSettings, RowKind, Updates};
use tidegate_types::{Field, OperatorId, TypeKind};

use super::Join;
use super::snapshot::TABLES;
use crate::testing::{Random, Replay, Row, Subject, changes, ints};

pub(super) const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

pub(super) type Values = Vec<Option<i64>>;

/// A node without inputs, of columns of integers.
pub(super) fn node(operator: PlanOperator, names: &[&str], changelog: ChangelogMode) -> Node {
    let field = |name: &&str| Field::new(*name, TypeKind::BigInt.nullable());
    Node {
        id: OperatorId(1),
        name: "under test".to_owned(),
        operator,
        inputs: Vec::new(),
        schema: names.iter().map(field).collect(),
        changelog,
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    }
}

pub(super) fn column(index: usize) -> Expr {
    Expr::Column { index, ty: TypeKind::BigInt.nullable() }
}

pub(super) fn at_most(left: usize, right: usize) -> Expr {
    Expr::Call {
        function: FunctionRef { name: "<=".to_owned(), version: 1 },
        args: vec![column(left), column(right)],
        ty: TypeKind::Boolean.nullable(),
    }
}

/// A case: what joins what, how.
struct Case {
    kind: JoinKind,
    inputs: [ChangelogMode; 2],
    keys: Vec<usize>,
    null_safe: bool,
    condition: bool,
    output: ChangelogMode,
}

const NAMES: [&str; 3] = ["k", "u", "v"];

impl Case {
    /// Random, for inputs in these modes.
    fn new(random: &mut Random, kind: JoinKind, inputs: [ChangelogMode; 2]) -> Self {
        let upsert = inputs.iter().any(|input| input.is_upsert());
        let keys = match random.below(4) {
            _ if upsert => vec![0],
            0 => vec![],
            1 => vec![0, 1],
            _ => vec![0],
        };
        let append = inputs.iter().all(|input| input.is_append())
            && matches!(kind, JoinKind::Inner | JoinKind::Semi);
        let output = match upsert {
            _ if append => ChangelogMode::APPEND,
            true => *random.pick(&[ChangelogMode::UPSERT, ChangelogMode::RETRACT]),
            false => *random.pick(&[
                ChangelogMode::RETRACT,
                ChangelogMode { updates: Updates::None, deletes: true },
            ]),
        };
        // An upsert key of the output is unique only if both sides have keys.
        let keyed = inputs.iter().all(|input| input.is_upsert());
        let output = if output.is_upsert() && !keyed { ChangelogMode::RETRACT } else { output };
        Self {
            kind,
            inputs,
            keys,
            null_safe: random.below(3) == 0,
            condition: random.below(2) == 0,
            output,
        }
    }

    fn plan(&self) -> (Plan, Node, [Node; 2]) {
        let on = JoinOn {
            left_keys: self.keys.clone(),
            right_keys: self.keys.clone(),
            null_safe: vec![self.null_safe; self.keys.len()],
            condition: self.condition.then(|| at_most(2, 5)),
        };
        let plan = Plan { kind: self.kind, on, expiry: [None, None] };
        let names =
            if self.kind.has_right_columns() { [NAMES, NAMES].concat() } else { NAMES.to_vec() };
        let node_of = node(PlanOperator::Join(plan.clone()), &names, self.output);
        let inputs = self.inputs.map(|mode| {
            let mut input = node(PlanOperator::Union, &NAMES, mode);
            input.upsert_key = mode.is_upsert().then(|| vec![0, 1]);
            input
        });
        (plan, node_of, inputs)
    }

    /// Columns of the output's upsert key.
    fn output_key(&self) -> Option<Vec<usize>> {
        let pair = self.kind.has_right_columns();
        self.output.is_upsert().then(|| if pair { vec![0, 1, 3, 4] } else { vec![0, 1] })
    }

    fn expected(&self, tables: &[Vec<Values>; 2]) -> Vec<Row> {
        let equal = |a: &Values, b: &Values| {
            self.keys.iter().all(|key| a[*key] == b[*key] && (a[*key].is_some() || self.null_safe))
        };
        let fits = |a: &Values, b: &Values| {
            let condition = matches!((a[2], b[2]), (Some(a), Some(b)) if a <= b);
            equal(a, b) && (!self.condition || condition)
        };
        let rows = nested_loops(self.kind, tables, fits);
        let mut rows: Vec<Row> = rows.iter().map(|row| ints(row)).collect();
        rows.sort();
        rows
    }
}

/// The join of two tables.
pub(super) fn nested_loops(
    kind: JoinKind,
    tables: &[Vec<Values>; 2],
    fits: impl Fn(&Values, &Values) -> bool,
) -> Vec<Values> {
    let width = tables.iter().flatten().next().map_or(3, Vec::len);
    let nulls: Values = vec![None; width];
    let mut rows = Vec::new();
    for left in &tables[0] {
        let partners: Vec<&Values> = tables[1].iter().filter(|right| fits(left, right)).collect();
        match kind {
            JoinKind::Semi if !partners.is_empty() => rows.push(left.clone()),
            JoinKind::Anti if partners.is_empty() => rows.push(left.clone()),
            JoinKind::Semi | JoinKind::Anti => {}
            _ => rows.extend(partners.iter().map(|right| [left.as_slice(), right].concat())),
        }
        if matches!(kind, JoinKind::Left | JoinKind::Full) && partners.is_empty() {
            rows.push([left.as_slice(), &nulls].concat());
        }
    }
    if kind.keeps_right() {
        let alone = |right: &&Values| !tables[0].iter().any(|left| fits(left, right));
        rows.extend(tables[1].iter().filter(alone).map(|right| [nulls.as_slice(), right].concat()));
    }
    rows
}

fn row(random: &mut Random, keyed: bool) -> Values {
    // Keys are skewed; rows are often equal.
    let bound = if random.below(3) == 0 { 1 } else { 5 };
    let nulls = if keyed { u64::MAX } else { 12 };
    vec![random.value(bound, 8), random.value(1, nulls), random.value(2, 10)]
}

/// Random changes of a table, which are made.
fn change(
    random: &mut Random,
    table: &mut Vec<Values>,
    mode: ChangelogMode,
) -> Vec<(RowKind, Values)> {
    let mut batch = Vec::new();
    for _ in 0..random.below(12) {
        let new = row(random, mode.is_upsert());
        let choice = if table.len() > 60 { 2 } else { random.below(5) };
        let at = random.below(table.len().max(1) as u64) as usize;
        if mode.is_append() {
            table.push(new.clone());
            batch.push((RowKind::Insert, new));
        } else if mode.is_upsert() {
            let same = table.iter().position(|old| old[..2] == new[..2]);
            match same {
                Some(same) if choice == 0 => {
                    table.remove(same);
                    batch.push((RowKind::Delete, new));
                }
                Some(same) => {
                    table[same] = new.clone();
                    batch.push((RowKind::UpdateAfter, new));
                }
                None => {
                    table.push(new.clone());
                    batch.push((RowKind::Insert, new));
                }
            }
        } else if table.is_empty() || choice < 2 {
            table.push(new.clone());
            batch.push((RowKind::Insert, new));
        } else if choice == 2 {
            batch.push((RowKind::Delete, table.swap_remove(at)));
        } else {
            batch.push((RowKind::UpdateBefore, std::mem::replace(&mut table[at], new.clone())));
            batch.push((RowKind::UpdateAfter, new));
        }
    }
    batch
}

fn run(seed: u64, kind: JoinKind, inputs: [ChangelogMode; 2]) {
    run_with(seed, kind, inputs, usize::MAX);
}

/// Returns the most bytes that were on local disk.
fn run_with(seed: u64, kind: JoinKind, inputs: [ChangelogMode; 2], memory: usize) -> usize {
    let mut random = Random(seed);
    let case = Case::new(&mut random, kind, inputs);
    let (plan, node, nodes) = case.plan();
    let settings = PlanSettings::default();
    let make = || -> Box<dyn crate::operator::Operator> {
        Box::new(Join::new(&plan, &node, &[&nodes[0], &nodes[1]], &settings).unwrap())
    };
    let route = Some(case.keys.clone()).filter(|keys| !keys.is_empty());
    let replay = Replay::new(case.output, case.output_key());
    let subject = Subject::new(make, vec![route.clone(), route], &TABLES, replay);
    let mut subject = subject.with_memory(memory);
    let mut spilled = 0;
    let schema: SchemaRef = arrow_schema(&nodes[0].schema);
    let mut tables = [Vec::new(), Vec::new()];
    for _ in 0..40 {
        let side = random.below(2) as usize;
        let batch = change(&mut random, &mut tables[side], inputs[side]);
        if !batch.is_empty() {
            subject.feed(side, &changes(&schema, &batch));
        }
        let table = subject.replay.table();
        assert_eq!(
            table,
            case.expected(&tables),
            "seed {seed} {kind:?} {inputs:?} {:?}",
            case.keys
        );
        spilled = subject.spilled_bytes().max(spilled);
        subject.disturb(&mut random);
    }
    spilled
}

#[test]
fn joins_equal_nested_loops_with_rows_on_local_disk() {
    let modes = [ChangelogMode::APPEND, ChangelogMode::RETRACT, ChangelogMode::UPSERT];
    let mut moved = 0;
    for seed in 0..54 {
        let mut random = Random(seed + 3_000);
        let inputs = [*random.pick(&modes), *random.pick(&modes)];
        let spilled = run_with(seed, KINDS[seed as usize % 6], inputs, 10);
        moved += usize::from(spilled > 0);
    }
    assert!(moved > 36, "{moved}");
}

const I_D: ChangelogMode = ChangelogMode { updates: Updates::None, deletes: true };

#[test]
fn joins_equal_nested_loops_over_append_only_inputs() {
    for seed in 0..60 {
        run(seed, KINDS[seed as usize % 6], [ChangelogMode::APPEND; 2]);
    }
}

#[test]
fn joins_equal_nested_loops_over_retractions() {
    for seed in 0..120 {
        let modes = [ChangelogMode::APPEND, ChangelogMode::RETRACT, I_D];
        let mut random = Random(seed + 1_000);
        let inputs = [*random.pick(&modes), *random.pick(&modes[1..])];
        let inputs = if random.below(2) == 0 { inputs } else { [inputs[1], inputs[0]] };
        run(seed, KINDS[seed as usize % 6], inputs);
    }
}

#[test]
fn joins_equal_nested_loops_over_upserts() {
    for seed in 0..120 {
        let mut random = Random(seed + 2_000);
        let other = *random.pick(&[
            ChangelogMode::APPEND,
            ChangelogMode::RETRACT,
            ChangelogMode::UPSERT,
            ChangelogMode::UPSERT,
        ]);
        let inputs = [ChangelogMode::UPSERT, other];
        let inputs = if random.below(2) == 0 { inputs } else { [inputs[1], inputs[0]] };
        run(seed, KINDS[seed as usize % 6], inputs);
    }
}

#[test]
fn a_key_with_many_rows_comes_out_in_small_parts() {
    let case = Case {
        kind: JoinKind::Inner,
        inputs: [ChangelogMode::APPEND; 2],
        keys: vec![0],
        null_safe: false,
        condition: false,
        output: ChangelogMode::APPEND,
    };
    let (plan, node, nodes) = case.plan();
    let mut join =
        Join::new(&plan, &node, &[&nodes[0], &nodes[1]], &PlanSettings::default()).unwrap();
    let owned = tidegate_types::KeyGroupRange::all(crate::testing::GROUPS);
    let context = crate::testing::context(owned, tidegate_types::MIN_WATERMARK);
    crate::operator::Operator::open(&mut join, &context).unwrap();
    let rows: Vec<_> = (0..100).map(|v| (RowKind::Insert, vec![Some(1), None, Some(v)])).collect();
    let batch = changes(&arrow_schema(&nodes[0].schema), &rows);
    let (mut total, mut calls) = (0, 0);
    for side in 0..2 {
        use crate::operator::{Operator, Output, Progress};
        let mut out = Output::new(0);
        join.process(side, batch.clone(), &mut out).unwrap();
        loop {
            let batches = out.take();
            assert!(batches.iter().all(|changes| changes.len() <= context.batch_rows));
            assert!(batches.len() <= 4);
            total += batches.iter().map(crate::element::Changes::len).sum::<usize>();
            calls += 1;
            if !join.is_pending() {
                break;
            }
            let _: Progress = join.drain(&mut out).unwrap();
        }
    }
    assert_eq!(total, 10_000);
    assert!(calls > 300);
}

#[test]
fn a_join_that_does_not_fit_names_the_remedy() {
    let mut random = Random(1);
    let case = Case::new(&mut random, JoinKind::Inner, [ChangelogMode::APPEND; 2]);
    let (plan, node, nodes) = case.plan();
    let mut join =
        Join::new(&plan, &node, &[&nodes[0], &nodes[1]], &PlanSettings::default()).unwrap();
    let owned = tidegate_types::KeyGroupRange::all(crate::testing::GROUPS);
    let mut context = crate::testing::context(owned, tidegate_types::MIN_WATERMARK);
    context.memory = crate::memory::MemoryBudget::new(1_500);
    crate::operator::Operator::open(&mut join, &context).unwrap();
    let schema = arrow_schema(&nodes[0].schema);
    let mut out = crate::operator::Output::new(0);
    let feed = |value: i64| {
        let row = (RowKind::Insert, vec![Some(value), Some(value), Some(value)]);
        crate::operator::Operator::process(&mut join, 0, changes(&schema, &[row]), &mut out)
    };
    let error = (0..1_000).map(feed).find_map(Result::err).unwrap();
    assert!(error.to_string().contains("taskmanager.memory.managed.size"), "{error}");
}
