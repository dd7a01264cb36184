//! The late rows that are passed on are those that an aggregate over the same rows and watermarks drops.

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::operator::{LateRows as LatePlan, WindowAggregate as Plan};
use tidegate_plan::window::{WindowColumn, WindowEmit, WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, AggregateFunction, ChangelogMode, RowKind, Schema, Updates};
use tidegate_types::{KeyGroupRange, MIN_WATERMARK, TypeKind};

use super::{AggregateInput, EmittingAggregate, LateRows, Slices, WindowAggregate, WindowZone};
use crate::operator::{Operator, Output, Progress};
use crate::testing::{GROUPS, Random, changes, context, node, rows_of, schema};

fn input() -> Schema {
    schema(&[TypeKind::BigInt.nullable(), TypeKind::timestamp(3).not_null()])
}

/// COUNT(*) by window and key.
fn aggregate(shape: &WindowShape, emit: Option<WindowEmit>) -> Box<dyn Operator> {
    let count = AggregateCall {
        function: AggregateFunction::Count,
        argument: None,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "n".into(),
        ty: TypeKind::BigInt.not_null(),
    };
    let plan = Plan {
        shape: shape.clone(),
        time: WindowTime::Event { column: 1 },
        keys: vec![0],
        aggregates: vec![count],
        columns: vec![WindowColumn::End],
        two_phase: false,
        emit,
    };
    let (key, number) = (TypeKind::BigInt.nullable(), TypeKind::BigInt.not_null());
    let output = schema(&[key, number, TypeKind::timestamp(3).not_null()]);
    let (zone, rows) = (WindowZone::Unzoned, AggregateInput::Rows);
    if emit.is_none() {
        return Box::new(WindowAggregate::new(&plan, &input(), &output, zone, rows).unwrap());
    }
    let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
    let mode = ChangelogMode { updates: Updates::BeforeAndAfter, deletes: false };
    let node = node(PlanOperator::WindowAggregate(plan.clone()), output, mode, Some(vec![0]));
    Box::new(EmittingAggregate::new(&plan, &node, &below, zone).unwrap())
}

fn feed(operator: &mut dyn Operator, act: impl FnOnce(&mut dyn Operator, &mut Output)) -> usize {
    let mut out = Output::new(0);
    act(operator, &mut out);
    while operator.drain(&mut out).unwrap() == Progress::More {}
    out.take().iter().map(|changes| rows_of(&changes.rows).len()).sum()
}

#[test]
fn what_an_aggregate_drops_is_passed_on() {
    let emit = |lateness_ms| WindowEmit { early_ms: None, late_ms: Some(0), lateness_ms };
    let shapes = [
        WindowShape::Tumble { size: 10, offset: 3 },
        WindowShape::Hop { size: 12, slide: 4, offset: 0 },
        WindowShape::Hop { size: 10, slide: 4, offset: 0 },
        WindowShape::Hop { size: 4, slide: 10, offset: 0 },
        WindowShape::Cumulate { max_size: 12, step: 4, offset: 0 },
    ];
    let stored = arrow_schema(&input());
    for (shape, emit) in shapes.iter().flat_map(|s| [(s, None), (s, Some(emit(7)))]) {
        let slices = Slices::new(shape).unwrap();
        let mut random = Random(5);
        let lateness_ms = emit.map_or(0, |emit| emit.lateness_ms);
        let plan = LatePlan { shape: shape.clone(), column: 1, lateness_ms };
        let mut late = LateRows::new(&plan, WindowZone::Unzoned).unwrap();
        let mut window = aggregate(shape, emit);
        let context = context(KeyGroupRange::all(GROUPS), MIN_WATERMARK);
        late.open(&context).unwrap();
        window.open(&context).unwrap();
        let (mut passed, mut between) = (0, 0);
        for step in 0..200 {
            let times: Vec<i64> = (0..5).map(|_| step / 2 + random.below(40) as i64 - 30).collect();
            let rows = times.iter().map(|time| (RowKind::Insert, vec![Some(1), Some(*time)]));
            let rows = changes(&stored, &rows.collect::<Vec<_>>());
            let outside = times.iter().filter(|time| !slices.is_covered(slices.slice_end(**time)));
            between += outside.count();
            passed += feed(&mut late, |op, out| op.process(0, rows.clone(), out).unwrap());
            feed(window.as_mut(), |op, out| op.process(0, rows.clone(), out).unwrap());
            for operator in [&mut late as &mut dyn Operator, window.as_mut()] {
                feed(operator, |op, out| op.watermark(step / 2, out).unwrap());
            }
        }
        let dropped = context.metrics.late_records.get() as usize;
        assert!(passed > 0);
        assert_eq!(passed + between, dropped, "{shape:?} {emit:?}");
    }
}
