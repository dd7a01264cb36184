//! Measures the operators over changing tables on one core, without sources and sinks: rows per second
//! of an updating aggregate, a Top-N and a deduplication by number of keys.
//! `cargo run --profile demo -p tidegate-engine --example updating` runs it; arguments choose cases by a
//! part of their names.

mod cases;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::memory::MemoryBudget;

use tidegate_engine::operator::{Operator, OperatorContext, Output};
use tidegate_engine::spill::SpillFolder;
use tidegate_runtime::SystemClock;
use tidegate_types::{KeyGroupRange, MIN_WATERMARK, Result};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a case is measured, after it was warmed for a while.
const MEASURED: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout();
    for case in cases::all() {
        if !chosen.is_empty() && !chosen.iter().any(|part| case.name.contains(part.as_str())) {
            continue;
        }
        let (rows, emitted, bytes) = measure(&case)?;
        let line = format!(
            "{:44} {:7.2} million rows/s {:5.2} changes a row {:7.1} MiB",
            case.name,
            rows / 1e6,
            emitted,
            bytes as f64 / f64::from(1 << 20)
        );
        drop(writeln!(out, "{line}"));
    }
    Ok(())
}

/// Rows per second (the best round), changes per row, and bytes of state.
fn measure(case: &cases::Case) -> Result<(f64, f64, usize)> {
    let clock = SystemClock::shared();
    let mut operator = (case.make)()?;
    operator.open(&OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: 128,
        owned: KeyGroupRange::all(128),
        watermark: MIN_WATERMARK,
        batch_rows: 8192,
        metrics: Arc::default(),
        memory: MemoryBudget::unlimited(),
        spill: SpillFolder::new(&std::env::temp_dir()),
    })?;
    // Every key comes once, so that the table has its size.
    let (mut now, mut place) = (1_700_000_000_000, 0);
    while place < case.warm {
        step(operator.as_mut(), case, &mut place, &mut now)?;
    }
    let (mut best, mut all_rows, mut all_emitted) = (0f64, 0, 0);
    for _ in 0..ROUNDS {
        let (start, mut rows) = (clock.elapsed(), 0);
        while clock.elapsed() - start < MEASURED / ROUNDS as u32 {
            let (taken, emitted) = step(operator.as_mut(), case, &mut place, &mut now)?;
            rows += taken;
            all_emitted += emitted;
        }
        best = best.max(rows as f64 / (clock.elapsed() - start).as_secs_f64());
        all_rows += rows;
    }
    Ok((best, all_emitted as f64 / all_rows as f64, operator.state_bytes()))
}

fn step(
    operator: &mut dyn Operator,
    case: &cases::Case,
    place: &mut usize,
    now: &mut i64,
) -> Result<(usize, usize)> {
    let changes = case.batches[*place % case.batches.len()].clone();
    (*place, *now) = (*place + 1, *now + 10);
    let rows = changes.len();
    let mut out = Output::new(*now);
    operator.process(0, changes, &mut out)?;
    Ok((rows, out.take().iter().map(|changes| changes.len()).sum()))
}
