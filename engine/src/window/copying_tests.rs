//! Snapshots that are copied while rows, windows' ends and spilling go on: a restore finds the state
//! of the barrier.

use std::collections::BTreeMap;

use tidegate_plan::window::WindowShape;
use tidegate_types::{MIN_WATERMARK, Watermark};

use super::testing::{
    Event, Random, Results, Stored, Subject, batch, copy, events, naive, whole_snapshot,
};
use crate::operator::{Operator, SnapshotMode, SnapshotRequest, TableSnapshot};

/// Where the job stood at a barrier.
#[derive(Clone)]
struct Barrier {
    /// The next event.
    next: usize,
    watermark: Watermark,
    results: Results,
    late: u64,
}

/// Snapshots by subtask, with those that are copied completely.
struct Pending {
    barrier: Barrier,
    tables: Vec<(Vec<TableSnapshot>, bool)>,
}

struct Run {
    subject: Subject,
    stored: Stored,
    pending: Option<Pending>,
    /// The last snapshot that was copied and stored.
    complete: Option<Barrier>,
}

impl Run {
    fn mark(&mut self, mode: SnapshotMode, next: usize, watermark: Watermark) {
        self.copy(usize::MAX);
        let subject = &mut self.subject;
        subject.flush_local(|local, out| local.before_barrier(out).unwrap());
        let request = SnapshotRequest {
            full: mode == SnapshotMode::Full,
            tables: BTreeMap::from([("windows".to_owned(), mode)]),
        };
        let late = subject.late + subject.late_in_subtasks();
        let barrier = Barrier { next, watermark, results: subject.results.clone(), late };
        let subtasks = subject.subtasks.iter_mut();
        let tables = subtasks.map(|(operator, _)| (operator.snapshot(&request).unwrap(), false));
        self.pending = Some(Pending { barrier, tables: tables.collect() });
    }

    /// Copies some entries; `usize::MAX`: all that is left.
    fn copy(&mut self, entries: usize) {
        let Some(pending) = &mut self.pending else { return };
        for ((operator, _), (tables, done)) in
            self.subject.subtasks.iter_mut().zip(&mut pending.tables)
        {
            while !*done {
                *done = copy(operator.as_mut(), entries, tables);
                if entries != usize::MAX {
                    break;
                }
            }
        }
        if pending.tables.iter().all(|(_, done)| *done)
            && let Some(pending) = self.pending.take()
        {
            for (index, (tables, _)) in pending.tables.into_iter().enumerate() {
                for table in tables {
                    self.stored.write(index, table, pending.barrier.watermark);
                }
            }
            self.complete = Some(pending.barrier);
        }
    }

    /// Goes back to the last complete snapshot.
    fn crash(&mut self) -> Option<Barrier> {
        let barrier = self.complete.clone()?;
        self.pending = None;
        self.subject.restart_local();
        self.subject.restore(&mut self.stored, barrier.watermark);
        self.subject.results = barrier.results.clone();
        self.subject.late = barrier.late;
        Some(barrier)
    }
}

fn check(shape: &WindowShape, two_phase: bool, seed: u64) {
    let mut random = Random(seed);
    let events = events(&mut random, 300);
    let crash_at = random.below(events.len() as u64) as usize;
    let memory = if random.below(40) == 0 { 30_000 } else { usize::MAX };
    let mut run = Run {
        subject: Subject::new(shape, two_phase, memory),
        stored: Stored::default(),
        pending: None,
        complete: None,
    };
    let (mut rows, mut watermark, mut crashed) = (Vec::new(), MIN_WATERMARK, false);
    let mut index = 0;
    while let Some(event) = events.get(index) {
        match event {
            Event::Row(row) => rows.push(*row),
            Event::Watermark(mark) => {
                run.subject.feed(batch(&std::mem::take(&mut rows)));
                watermark = watermark.max(*mark);
                run.subject.watermark(watermark);
            }
        }
        index += 1;
        if random.below(5) == 0 {
            run.subject.feed(batch(&std::mem::take(&mut rows)));
        }
        if random.below(3) == 0 {
            run.copy(1 + random.below(70) as usize);
        }
        if random.below(20) == 0 {
            run.subject.feed(batch(&std::mem::take(&mut rows)));
            let (recall, refresh) = (random.below(4) as u32, random.below(9) as usize);
            let mode = match random.below(3) {
                0 => SnapshotMode::Full,
                _ => SnapshotMode::Incremental { recall, refresh },
            };
            run.mark(mode, index, watermark);
        }
        if !crashed
            && index > crash_at
            && let Some(barrier) = run.crash()
        {
            crashed = true;
            rows.clear();
            (index, watermark) = (barrier.next, barrier.watermark);
        }
    }
    let (expected, late) = naive(shape, &events);
    let context = format!("{shape:?} two_phase {two_phase} seed {seed} memory {memory}");
    let differences: Vec<_> = expected
        .iter()
        .map(|(window, value)| (window, Some(value), run.subject.results.get(window)))
        .filter(|(_, expected, found)| expected != found)
        .collect();
    assert!(differences.is_empty(), "window, expected, found: {differences:?}, {context}");
    assert_eq!(run.subject.results.len(), expected.len(), "{context}");
    assert_eq!(run.subject.late + run.subject.late_in_subtasks(), late, "late rows, {context}");
}

#[test]
fn a_snapshot_holds_the_state_of_its_barrier_whatever_happens_while_it_is_copied() {
    let shapes = [
        WindowShape::Tumble { size: 10, offset: 3 },
        WindowShape::Tumble { size: 500, offset: 0 },
        WindowShape::Hop { size: 30, slide: 5, offset: -2 },
        WindowShape::Cumulate { max_size: 20, step: 5, offset: 0 },
    ];
    for shape in &shapes {
        for seed in 0..60 {
            check(shape, false, seed);
            check(shape, true, seed);
        }
    }
}

#[test]
fn an_abandoned_snapshot_leaves_nothing_behind() {
    let shape = WindowShape::Tumble { size: 1_000, offset: 0 };
    let mut subject = Subject::new(&shape, false, usize::MAX);
    let rows: Vec<_> = (0..100).map(|key| (Some(key), Some(1), 5)).collect();
    subject.feed(batch(&rows));
    let operator = subject.subtasks[0].0.as_mut();
    operator.snapshot(&SnapshotRequest::full()).unwrap();
    operator.abandon_copy();
    assert!(copy(operator, 1, &mut []), "nothing is left to copy");
    let tables = whole_snapshot(operator, &SnapshotRequest::full());
    let rows: usize = tables[0].pieces.iter().map(|piece| piece.entries.rows()).sum();
    assert_eq!((rows, tables[0].changed.rows()), (100, 0));
}
