//! Windowed aggregation against naive enumeration: random rows out of order and late, random
//! batches, one and two phases, snapshots and a restore into two subtasks in the middle.

use tidegate_plan::window::WindowShape;
use tidegate_types::{MAX_WATERMARK, MIN_WATERMARK};

use super::testing::{Event, Random, Row, Stored, Subject, batch, events, naive};
use crate::operator::SnapshotMode;

/// Returns the most bytes that were on local disk.
fn check(shape: &WindowShape, two_phase: bool, seed: u64, memory: Option<usize>) -> usize {
    let mut random = Random(seed);
    let events = events(&mut random, 300);
    let restore_at = random.below(events.len() as u64) as usize;
    // Now and then only a part of it fits into memory.
    let some = match random.below(60) {
        0 => 30_000,
        _ => usize::MAX,
    };
    let memory = memory.unwrap_or(some);
    let mut subject = Subject::new(shape, two_phase, memory);
    let mut stored = Stored::default();
    let mut rows = Vec::new();
    let (mut watermark, mut spilled) = (MIN_WATERMARK, 0);
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Row(row) => rows.push(*row),
            Event::Watermark(mark) => {
                subject.feed(batch(&std::mem::take(&mut rows)));
                watermark = watermark.max(*mark);
                subject.watermark(watermark);
            }
        }
        if random.below(5) == 0 {
            subject.feed(batch(&std::mem::take(&mut rows)));
        }
        let on_disk = subject.subtasks.iter().map(|(operator, _)| operator.spilled_bytes());
        spilled = spilled.max(on_disk.sum());
        if random.below(20) == 0 || index == restore_at {
            subject.feed(batch(&std::mem::take(&mut rows)));
            let (recall, refresh) = (random.below(4) as u32, random.below(9) as usize);
            let mode = match random.below(5) {
                0 => SnapshotMode::Full,
                _ => SnapshotMode::Incremental { recall, refresh },
            };
            subject.snapshot(mode, &mut stored, watermark);
            if index == restore_at {
                subject.restore(&mut stored, watermark);
            }
        }
    }
    let (expected, late) = naive(shape, &events);
    let context = format!("{shape:?} two_phase {two_phase} seed {seed} memory {memory}");
    assert_eq!(subject.results, expected, "{context}");
    assert_eq!(subject.late + subject.late_in_subtasks(), late, "late rows, {context}");
    spilled
}

#[test]
fn windows_agree_with_enumeration() {
    let shapes = [
        WindowShape::Tumble { size: 10, offset: 3 },
        WindowShape::Hop { size: 12, slide: 4, offset: 0 },
        WindowShape::Hop { size: 30, slide: 5, offset: -2 },
        WindowShape::Cumulate { max_size: 20, step: 5, offset: 0 },
        WindowShape::Session { gap: 3 },
        WindowShape::Session { gap: 9 },
    ];
    for shape in &shapes {
        for seed in 0..150 {
            check(shape, false, seed, None);
            if !matches!(shape, WindowShape::Session { .. }) {
                check(shape, true, seed, None);
            }
        }
    }
}

#[test]
fn slices_beyond_memory_agree_with_enumeration() {
    let shapes = [
        WindowShape::Tumble { size: 60, offset: 3 },
        WindowShape::Hop { size: 60, slide: 20, offset: 0 },
        WindowShape::Cumulate { max_size: 40, step: 10, offset: 0 },
    ];
    for shape in &shapes {
        for seed in 1_000..1_030 {
            let memory = if seed % 3 == 0 { 0 } else { 2_000 + 200 * (seed as usize - 1_000) };
            let spilled = check(shape, seed % 2 == 0, seed, Some(memory));
            assert!(spilled > 0 || memory > 0, "nothing was spilled, seed {seed}");
        }
    }
}

/// A window that lives long under a budget of nothing: with and without snapshots in between.
#[test]
fn runs_of_a_long_window_stay_few() {
    let shape = WindowShape::Tumble { size: 1_000_000, offset: 0 };
    for snapshots in [false, true] {
        let mut subject = Subject::new(&shape, false, 0);
        let mut stored = Stored::default();
        let (mut random, mut most) = (Random(7), 0);
        for round in 0..400 {
            let rows: Vec<Row> = (0..4)
                .map(|_| (Some(random.below(40) as i64), Some(1), random.below(1_000) as i64))
                .collect();
            subject.feed(batch(&rows));
            if snapshots && round % 10 == 0 {
                let mode = match round % 60 {
                    50 => SnapshotMode::Full,
                    _ => SnapshotMode::CHANGES,
                };
                subject.snapshot(mode, &mut stored, MIN_WATERMARK);
            }
            most = most.max(subject.subtasks[0].0.spilled_bytes());
        }
        // 40 keys in blocks of one partition; without merging there would be 400 runs.
        assert!(most < 200_000, "{most} bytes on disk, snapshots {snapshots}");
        if snapshots {
            subject.snapshot(SnapshotMode::CHANGES, &mut stored, MIN_WATERMARK);
            subject.restore(&mut stored, MIN_WATERMARK);
        }
        subject.watermark(MAX_WATERMARK);
        assert_eq!(subject.results.values().map(|(count, _)| count).sum::<i64>(), 1_600);
        assert_eq!(subject.results.len(), 40);
    }
}

#[test]
fn sessions_beyond_memory_agree_with_enumeration() {
    for gap in [3, 9, 25] {
        let shape = WindowShape::Session { gap };
        for seed in 1_000..1_060 {
            let memory = if seed % 5 == 0 { 0 } else { 3_000 + 60 * (seed as usize - 1_000) };
            let spilled = check(&shape, false, seed, Some(memory));
            assert!(spilled > 0 || memory > 0, "nothing was spilled, seed {seed}");
        }
    }
}
