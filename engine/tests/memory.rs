//! What operators say they hold against what the allocator gave out for them.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(unsafe_code, reason = "an allocator is counted by being one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray};
use tidegate_engine::element::Changes;
use tidegate_engine::join::Join;
use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::metrics::OperatorMetrics;
use tidegate_engine::operator::{Operator, OperatorContext, Output};
use tidegate_engine::spill::SpillFolder;
use tidegate_engine::window::{SessionAggregate, SessionRows, WindowRank, WindowZone};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator as plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, AggregateFunction, ChangelogMode, Node, PlanSettings, Schema};
use tidegate_types::{Field, KeyGroupRange, MIN_WATERMARK, OperatorId, TypeKind};

struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH: i64 = 4_096;

fn time(name: &str) -> Field {
    Field::new(name, TypeKind::timestamp(3).not_null())
}

fn input() -> Schema {
    vec![
        Field::new("k", TypeKind::BigInt.nullable()),
        Field::new("text", TypeKind::STRING.nullable()),
        time("t"),
        time("window_end"),
    ]
}

/// Every row has a key of its own, a text of 40 bytes, and times that are far apart.
fn batch(number: i64) -> Changes {
    let rows = number * BATCH..(number + 1) * BATCH;
    let times = |after: i64| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from_iter_values(rows.clone().map(|_| after)))
    };
    let texts: Vec<String> = rows.clone().map(|row| format!("{row:040}")).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.clone())),
        Arc::new(StringViewArray::from_iter_values(texts)),
        times(0),
        times(60_000),
    ];
    Changes::append(RecordBatch::try_new(arrow_schema(&input()), columns).unwrap())
}

fn sessions() -> Box<dyn Operator> {
    let call = |function, argument| AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "a".into(),
        ty: TypeKind::BigInt.nullable(),
    };
    let plan = plan::WindowAggregate {
        shape: WindowShape::Session { gap: 1_000 },
        time: WindowTime::Event { column: 2 },
        keys: vec![0],
        aggregates: vec![
            call(AggregateFunction::Count, None),
            call(AggregateFunction::Sum, Some(0)),
        ],
        columns: vec![WindowColumn::Start],
        two_phase: false,
    };
    let mut output = input();
    output.insert(1, Field::new("n", TypeKind::BigInt.nullable()));
    Box::new(SessionAggregate::new(&plan, &input(), &output, WindowZone::Unzoned).unwrap())
}

fn session_rows() -> Box<dyn Operator> {
    let plan = plan::WindowTvf {
        shape: WindowShape::Session { gap: 1_000 },
        time: WindowTime::Event { column: 2 },
        partition_keys: vec![0],
    };
    let mut output = input();
    output.extend(["window_start", "window_end", "window_time"].map(time));
    Box::new(SessionRows::new(&plan, &input(), &output, WindowZone::Unzoned).unwrap())
}

fn rank() -> Box<dyn Operator> {
    let key = plan::SortKey { column: 1, descending: true, nulls_first: false };
    let plan = plan::WindowRank {
        time: WindowTime::Attached { start: 2, end: 3 },
        keys: vec![0],
        order: vec![key],
        from: 1,
        to: 3,
        rank_column: None,
    };
    Box::new(WindowRank::new(&plan, &input(), &input(), WindowZone::Unzoned).unwrap())
}

fn join() -> Box<dyn Operator> {
    let on = plan::JoinOn {
        left_keys: vec![0],
        right_keys: vec![0],
        null_safe: vec![false],
        condition: None,
    };
    let plan = plan::Join { kind: plan::JoinKind::Inner, on, expiry: [None, None] };
    let node = |schema| Node {
        id: OperatorId(1),
        name: "join".into(),
        operator: plan::Operator::Union,
        inputs: Vec::new(),
        schema,
        changelog: ChangelogMode::APPEND,
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    };
    let (input, output) = (node(input()), node([input(), input()].concat()));
    Box::new(Join::new(&plan, &output, &[&input, &input], &PlanSettings::default()).unwrap())
}

fn context(memory: Arc<MemoryBudget>) -> OperatorContext {
    OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: 16,
        owned: KeyGroupRange::all(16),
        watermark: MIN_WATERMARK,
        batch_rows: 8_192,
        metrics: Arc::new(OperatorMetrics::default()),
        memory,
        spill: SpillFolder::new(&std::env::temp_dir()),
    }
}

type Make = fn() -> Box<dyn Operator>;

/// Bytes that were given out for an operator after some batches, what it says, and how much is on disk.
fn held(mut operator: Box<dyn Operator>, budget: usize) -> (isize, isize, usize) {
    operator.open(&context(MemoryBudget::new(budget))).unwrap();
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..40 {
        operator.process(0, batch(number), &mut Output::new(0)).unwrap();
    }
    let held = HELD.load(Ordering::Relaxed) - before;
    (held, operator.state_bytes() as isize, operator.spilled_bytes())
}

/// One test, so that nothing else allocates at the same time.
#[test]
fn state_is_as_large_as_operators_say_and_stays_within_the_budget() {
    // With the part of its state that may stay in memory. Of a join the chains stay.
    let all: [(&str, Make, isize); 4] = [
        ("sessions", sessions, 4),
        ("rows of sessions", session_rows, 4),
        ("rank", rank, 4),
        ("join", join, 2),
    ];
    for (name, make, part) in all {
        let (held, said, spilled) = held(make(), usize::MAX);
        let off = (held - said).abs() as f64 / held as f64;
        eprintln!("{name}: {held} bytes, said {said}");
        assert!(off < 0.05, "{name} holds {held} bytes and says {said}");
        assert_eq!(spilled, 0);
        // A portion comes on top before it is written.
        let budget = held / part;
        let (held, said, spilled) = self::held(make(), budget as usize);
        eprintln!("{name}: {held} bytes, said {said}, {spilled} on disk");
        assert!(held < budget + budget / 2, "{name} holds {held} bytes of {budget}");
        assert!(spilled > 0, "{name} says {said}");
    }
}
