//! The join of whole tables that change.

use tidegate_functions::eval::Evaluator;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{Join as Plan, JoinKind, JoinOn};
use tidegate_plan::{ChangelogMode, Node, PlanSettings};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::changes::InputMode;
use super::clock::RowClock;
use super::core::Core;
use super::emission::Layout;
use super::residual::Residual;
use super::side::{Side, SideSpec};
use super::state::{Keeps, State};
use crate::element::Changes;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Joins two tables, keeping both.
pub struct Join {
    core: Core,
    state: State,
}

/// What the operators of a join are made of.
pub(super) struct Parts<'a> {
    pub(super) kind: JoinKind,
    pub(super) on: &'a JoinOn,
    pub(super) node: &'a Node,
    pub(super) inputs: [&'a Node; 2],
    /// Columns that each side keeps: the input's, and maybe more behind them.
    pub(super) kept: [SchemaRef; 2],
    pub(super) clock: RowClock,
    /// Whether snapshots must name rows that were forgotten by time.
    pub(super) names_forgotten: bool,
    pub(super) settings: &'a PlanSettings,
}

/// The two inputs of a node.
///
/// # Errors
/// `INTERNAL` if there are not two.
pub(super) fn two<'a>(inputs: &[&'a Node]) -> Result<[&'a Node; 2]> {
    inputs.try_into().map_err(|_| Error::internal("a join has two inputs"))
}

impl Parts<'_> {
    /// The sides without rows.
    ///
    /// # Errors
    /// What compiling the condition fails with.
    pub(super) fn core(self) -> Result<Core> {
        let schemas = [&self.inputs[0].schema, &self.inputs[1].schema];
        let residual = Residual::new(self.on, schemas, self.settings)?;
        let sides = [self.side(0)?, self.side(1)?];
        let columns = |side: usize| -> Vec<usize> { (0..schemas[side].len()).collect() };
        let right = if self.kind.has_right_columns() { columns(1) } else { Vec::new() };
        Ok(Core {
            kind: self.kind,
            changelog: self.node.changelog,
            modes: self.inputs.map(|input| mode(input.changelog)),
            null_safe: self.on.null_safe.clone(),
            sides,
            residual,
            layout: Layout {
                schema: arrow_schema(&self.node.schema),
                columns: [columns(0), right],
                kinds: !self.node.changelog.is_append(),
                batch_rows: 8192,
            },
            waits: self.clock.interval().is_some(),
            keeps: [true; 2],
            clock: self.clock,
            now: MIN_WATERMARK,
            work: None,
        })
    }

    fn side(&self, side: usize) -> Result<Side> {
        let input = self.inputs[side];
        let columns = || (0..input.schema.len()).collect::<Vec<usize>>();
        let identity = match mode(input.changelog) {
            _ if matches!(self.clock, RowClock::Version { .. }) => None,
            InputMode::Append => None,
            InputMode::Retract => Some(input.upsert_key.clone().unwrap_or_else(columns)),
            InputMode::Upsert => Some(input.upsert_key.clone().ok_or_else(|| {
                Error::internal(format!("{} updates by a key that it does not have", input.name))
            })?),
        };
        let kept = match side {
            0 => self.kind.keeps_left() || self.kind == JoinKind::Semi,
            _ => self.kind.keeps_right(),
        };
        let ttl = self.node.state_ttl_ms.get(side).copied().unwrap_or(0);
        let keys = if side == 0 { &self.on.left_keys } else { &self.on.right_keys };
        let (expiring, timed) = match &self.clock {
            RowClock::Expiry(expiry) => (expiry[side].is_some(), false),
            RowClock::Interval { .. } | RowClock::Version { .. } => (true, true),
        };
        Side::new(SideSpec {
            schema: self.kept[side].clone(),
            keys: keys.clone(),
            removable: identity.is_some() || expiring || ttl > 0,
            identity,
            counted: kept,
            expiring,
            timed,
            ttl: i64::try_from(ttl).unwrap_or(i64::MAX),
            names_forgotten: self.names_forgotten,
        })
    }
}

fn mode(changelog: ChangelogMode) -> InputMode {
    if changelog.is_append() {
        InputMode::Append
    } else if changelog.is_upsert() {
        InputMode::Upsert
    } else {
        InputMode::Retract
    }
}

impl Join {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// What compiling an expression fails with, `INTERNAL` if the plan contradicts itself.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        let inputs = two(inputs)?;
        let expiry = |side: usize| {
            let expr = plan.expiry[side].as_ref();
            expr.map(|expr| Evaluator::compile(expr, settings).map(Box::new)).transpose()
        };
        let parts = Parts {
            kind: plan.kind,
            on: &plan.on,
            node,
            inputs,
            kept: inputs.map(|input| arrow_schema(&input.schema)),
            clock: RowClock::Expiry([expiry(0)?, expiry(1)?]),
            names_forgotten: false,
            settings,
        };
        Ok(Self { core: parts.core()?, state: State::default() })
    }
}

impl Operator for Join {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.core.now = context.watermark;
        self.core.layout.batch_rows = context.batch_rows.max(1);
        self.state.open(context);
        Ok(())
    }

    fn restore(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        self.state.restore(&mut self.core, table, version, entries, groups)
    }

    fn restored(&mut self) -> Result<()> {
        self.state.restored(&mut self.core)
    }

    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        self.core.begin(input, changes, out.now_ms)?;
        self.core.run(out)?;
        if self.core.work.is_none() { self.state.weigh(&mut self.core) } else { Ok(()) }
    }

    fn is_pending(&self) -> bool {
        self.core.work.is_some()
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.core.now = self.core.now.max(watermark);
        for side in &mut self.core.sides {
            side.evict(self.core.now)?;
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.state.next_sweep(&self.core)
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.state.sweep(&mut self.core, out.now_ms)
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        self.core.run(out)?;
        if self.core.work.is_some() {
            return Ok(Progress::More);
        }
        self.state.weigh(&mut self.core)?;
        Ok(Progress::Done)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        self.state.snapshot(&mut self.core, true, request)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.state.copy(entries)
    }

    fn abandon_copy(&mut self) {
        self.state.abandon();
    }

    fn spilled_bytes(&self) -> usize {
        self.core.spilled_bytes()
    }

    fn state_rows(&self) -> u64 {
        self.core.live()
    }

    fn state_bytes(&self) -> usize {
        self.core.memory_size()
    }
}
