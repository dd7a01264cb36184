//! What is measured.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use tidegate_engine::Changes;
use tidegate_engine::calc::Calc;
use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::metrics::OperatorMetrics;
use tidegate_engine::operator::{Operator, OperatorContext, Output, Progress};
use tidegate_engine::pattern::MatchRecognize;
use tidegate_engine::spill::SpillFolder;
use tidegate_plan::PlanSettings;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result};

use crate::Figures;
use crate::plans::{self, Shape};

/// Rows of a batch.
const BATCH: u64 = 4096;

/// A case.
pub(crate) struct Case {
    /// What is measured.
    pub(crate) name: String,
    shape: Shape,
    event: bool,
    keys: u64,
    rows: u64,
}

impl Case {
    /// Every case.
    pub(crate) fn all() -> Vec<Self> {
        let case = |name: &str, shape: Shape, event: bool, keys: u64, rows: u64| {
            let time = if event { "event time" } else { "processing time" };
            let name = match shape {
                Shape::Filter => name.to_owned(),
                _ => format!("{name}, {keys} keys, {time}"),
            };
            Self { name, shape, event, keys, rows }
        };
        let mut cases = vec![case("filter", Shape::Filter, false, 1_000_000, 8 << 20)];
        for event in [false, true] {
            let name = "keys that never match";
            cases.push(case(name, Shape::Never, event, 1_000_000, 8 << 20));
            cases.push(case("one row in 100 begins", Shape::Rare, event, 1_000_000, 4 << 20));
            cases.push(case("pairs", Shape::Pairs, event, 100_000, 4 << 20));
        }
        for keys in [100_000, 1_000, 1] {
            cases.push(case("falls and rises", Shape::FallsAndRises, true, keys, 2 << 20));
        }
        for keys in [1_000, 1] {
            cases.push(case("far back", Shape::FarBack, true, keys, 1 << 20));
            cases.push(case("average in DEFINE", Shape::Average, true, keys, 1 << 20));
        }
        cases
    }

    /// Runs the case.
    pub(crate) fn measure(self) -> Result<Figures> {
        let batches = self.batches()?;
        let mut operator = self.operator()?;
        operator.open(&OperatorContext {
            subtask: 0,
            parallelism: 1,
            key_groups: 128,
            owned: KeyGroupRange::all(128),
            watermark: MIN_WATERMARK,
            batch_rows: 8192,
            metrics: Arc::new(OperatorMetrics::default()),
            memory: MemoryBudget::unlimited(),
            spill: SpillFolder::new(&std::env::temp_dir()),
        })?;
        let (mut rows_in, mut rows_out, mut bytes, mut kept) = (0, 0, 0, 0);
        let begin = cpu_seconds()?;
        for (last, rows) in batches {
            let mut out = Output::new(last);
            rows_in += rows.num_rows() as u64;
            operator.process(0, Changes::append(rows), &mut out)?;
            if self.event {
                // Rows are up to 64 ms out of order.
                operator.watermark(last - 64, &mut out)?;
                while operator.drain(&mut out)? == Progress::More {}
            }
            rows_out += out.take().iter().map(|changes| changes.len() as u64).sum::<u64>();
            if operator.state_bytes() > bytes {
                (bytes, kept) = (operator.state_bytes(), operator.state_rows());
            }
        }
        let seconds = cpu_seconds()? - begin;
        Ok(Figures {
            case: self.name,
            rows_in,
            rows_out,
            cpu_seconds: seconds,
            rows_per_second_and_core: rows_in as f64 / seconds,
            state_rows: kept,
            state_bytes: bytes,
        })
    }

    fn operator(&self) -> Result<Box<dyn Operator>> {
        let settings = PlanSettings::default();
        if self.shape == Shape::Filter {
            let (plan, schema) = plans::filter();
            return Ok(Box::new(Calc::new(&plan, &schema, &settings)?));
        }
        let (plan, below, node) = plans::pattern(self.shape, self.event);
        Ok(Box::new(MatchRecognize::new(&plan, &node, &[&below], &settings)?))
    }

    /// The rows, 16 a millisecond, and the last time of each batch.
    fn batches(&self) -> Result<Vec<(i64, RecordBatch)>> {
        let schema = arrow_schema(&plans::input());
        let mut state = 7;
        let mut batches = Vec::new();
        for first in (0..self.rows).step_by(BATCH as usize) {
            let (mut keys, mut times, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for row in first..first + BATCH {
                let bits = random(&mut state);
                let late = (bits >> 58) as i64;
                keys.push((bits % self.keys) as i64);
                times.push((row / 16) as i64 - if self.event { late } else { 0 });
                values.push((random(&mut state) % 1_000) as i64);
            }
            let ids: Vec<i64> = (first..first + BATCH).map(|row| row as i64).collect();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(keys)),
                Arc::new(TimestampMillisecondArray::from(times)),
                Arc::new(Int64Array::from(values)),
                Arc::new(Int64Array::from(ids)),
            ];
            let batch = RecordBatch::try_new(schema.clone(), columns);
            let batch = batch.map_err(|error| Error::internal(error.to_string()))?;
            batches.push((((first + BATCH) / 16) as i64, batch));
        }
        Ok(batches)
    }
}

/// splitmix64
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// CPU time of the thread: other work on the machine does not count.
fn cpu_seconds() -> Result<f64> {
    let failed =
        |what: String| Error::internal(format!("read /proc/thread-self/schedstat: {what}"));
    let text = std::fs::read_to_string("/proc/thread-self/schedstat");
    let text = text.map_err(|error| failed(error.to_string()))?;
    let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.map(|number| number / 1e9).ok_or_else(|| failed(text.clone()))
}
