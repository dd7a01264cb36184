//! What is measured.

use std::sync::Arc;

use tidegate_engine::element::Changes;
use tidegate_engine::join::{IntervalJoin, Join};
use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::metrics::OperatorMetrics;
use tidegate_engine::operator::{Operator, OperatorContext, Output, Progress};
use tidegate_engine::spill::SpillFolder;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::operator::{self as plan, JoinKind, JoinOn};
use tidegate_plan::{ChangelogMode, Expr, FunctionRef, Node, PlanSettings};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, OperatorId, Result, TypeKind};

use crate::Figures;
use crate::rows::{self, Input};

/// A case.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Case {
    /// Every bid finds its auction, among all there ever were.
    NToOne,
    /// The same with texts of 60 bytes on both sides.
    NToOneText,
    /// One auction in ten is wanted, as in q20.
    Selective,
    /// Bids in the time of their auction; both sides are forgotten by time, as in q4 and q9.
    Forgetting,
    /// Rows with 500 000 keys on both sides.
    NToM,
    /// Bids with their auction or NULLs, which changes as auctions come.
    LeftOuter,
    /// Bids and auctions whose times are close.
    Interval,
}

impl Case {
    pub(crate) const ALL: [Self; 7] = [
        Self::NToOne,
        Self::NToOneText,
        Self::Selective,
        Self::Forgetting,
        Self::NToM,
        Self::LeftOuter,
        Self::Interval,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NToOne => "n_to_one",
            Self::NToOneText => "n_to_one_text",
            Self::Selective => "selective",
            Self::Forgetting => "forgetting",
            Self::NToM => "n_to_m",
            Self::LeftOuter => "left_outer",
            Self::Interval => "interval",
        }
    }

    fn inputs(self) -> Result<Vec<Input>> {
        const EVENTS: i64 = 8_000_000;
        match self {
            Self::NToOne | Self::Forgetting | Self::LeftOuter | Self::Interval => {
                rows::auctions_and_bids(EVENTS, 1, false)
            }
            Self::NToOneText => rows::auctions_and_bids(EVENTS / 2, 1, true),
            Self::Selective => rows::auctions_and_bids(EVENTS, 10, false),
            Self::NToM => rows::many_to_many(EVENTS / 2, 500_000),
        }
    }

    fn operator(self) -> Result<Box<dyn Operator>> {
        let text = matches!(self, Self::NToOneText);
        let input = node(PlanOperator::Union, rows::schema(text));
        let schema = [rows::schema(text), rows::schema(text)].concat();
        let mut output = node(PlanOperator::Union, schema);
        let inputs = [&input, &input];
        let settings = PlanSettings::default();
        let forgets = matches!(self, Self::Forgetting);
        let width = input.schema.len();
        let during = || at_least(2, width + 2, 2, width + 3);
        let on = JoinOn {
            left_keys: vec![0],
            right_keys: vec![0],
            null_safe: vec![false],
            condition: forgets.then(during),
        };
        let mut kind = JoinKind::Inner;
        if let Self::LeftOuter = self {
            kind = JoinKind::Left;
            output.changelog = ChangelogMode { deletes: true, ..ChangelogMode::APPEND };
            output.schema.iter_mut().for_each(|field| field.ty.nullable = true);
        }
        if let Self::Interval = self {
            let times = Some([2, 2]);
            let plan = plan::IntervalJoin { kind, on, times, lower: 0, upper: 30 };
            return Ok(Box::new(IntervalJoin::new(&plan, &output, &inputs, &settings)?));
        }
        let expiry = if forgets { [Some(time(2)), Some(time(3))] } else { [None, None] };
        let plan = plan::Join { kind, on, expiry };
        Ok(Box::new(Join::new(&plan, &output, &inputs, &settings)?))
    }

    /// Runs the case once.
    pub(crate) fn measure(self) -> Result<Figures> {
        let inputs = self.inputs()?;
        let mut operator = self.operator()?;
        let metrics = Arc::new(OperatorMetrics::default());
        operator.open(&OperatorContext {
            subtask: 0,
            parallelism: 1,
            key_groups: 128,
            owned: KeyGroupRange::all(128),
            watermark: MIN_WATERMARK,
            batch_rows: 8192,
            metrics,
            memory: MemoryBudget::unlimited(),
            spill: SpillFolder::new(&std::env::temp_dir()),
        })?;
        let (mut rows_in, mut rows_out, mut bytes, mut kept) = (0u64, 0u64, 0usize, 0u64);
        let begin = cpu_seconds()?;
        for input in inputs {
            let mut out = Output::new(0);
            rows_in += input.rows.num_rows() as u64;
            operator.process(input.side, Changes::append(input.rows), &mut out)?;
            while operator.is_pending() {
                rows_out += taken(&mut out);
                operator.drain(&mut out)?;
            }
            operator.watermark(input.watermark, &mut out)?;
            while operator.drain(&mut out)? == Progress::More {}
            rows_out += taken(&mut out);
            if operator.state_bytes() > bytes {
                (bytes, kept) = (operator.state_bytes(), operator.state_rows());
            }
        }
        let seconds = cpu_seconds()? - begin;
        Ok(Figures {
            case: self.name(),
            rows_in,
            rows_out,
            cpu_seconds: seconds,
            rows_per_second_and_core: rows_in as f64 / seconds,
            state_rows: kept,
            state_bytes: bytes,
            state_bytes_per_row: bytes as f64 / kept.max(1) as f64,
        })
    }
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

fn taken(out: &mut Output) -> u64 {
    out.take().iter().map(|changes| changes.len() as u64).sum()
}

fn node(operator: PlanOperator, schema: tidegate_plan::Schema) -> Node {
    Node {
        id: OperatorId(1),
        name: "measured".to_owned(),
        operator,
        inputs: Vec::new(),
        schema,
        changelog: ChangelogMode::APPEND,
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    }
}

fn time(index: usize) -> Expr {
    Expr::Column { index, ty: TypeKind::timestamp(3).not_null() }
}

/// `time >= from AND time <= until`, by columns.
fn at_least(low: usize, from: usize, high: usize, until: usize) -> Expr {
    let call = |name: &str, args: Vec<Expr>| Expr::Call {
        function: FunctionRef { name: name.to_owned(), version: 1 },
        args,
        ty: TypeKind::Boolean.not_null(),
    };
    let (low, from) = (time(low), time(from));
    let (high, until) = (time(high), time(until));
    call("AND", vec![call(">=", vec![low, from]), call("<=", vec![high, until])])
}
