//! Window nodes: window functions, window aggregates, window Top-N.

use tidegate_plan::Operator;
use tidegate_plan::operator::{Calc, LateRows, WindowAggregate, WindowRank};
use tidegate_plan::window::{WindowShape, WindowTime};
use tidegate_types::{Field, Result};

use super::{Draft, Lowering, forward, keyed};
use crate::algebra::{self, Aggregate, AggregateWindow, Late, RelOp, Relation, TvfTime, WindowTvf};

impl Lowering<'_> {
    pub(super) fn window_tvf(
        &mut self,
        input: Relation,
        tvf: WindowTvf,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let keys = tvf.partition_keys;
        // Sessions are found per key; other windows depend on nothing but the row.
        let inputs = match tvf.shape {
            WindowShape::Session { .. } => keyed(node, &keys),
            _ => forward(node),
        };
        let time = window_time(tvf.time);
        let below = &self.identities[node];
        let identity = below.window(&tvf.shape, &time, &keys);
        let id = identity.rows.word("window-tvf");
        let operator =
            tidegate_plan::operator::WindowTvf { shape: tvf.shape, time, partition_keys: keys };
        let operator = Operator::WindowTvf(operator);
        self.add(Draft::new(operator, inputs, schema, identity, id))
    }

    pub(super) fn window_aggregate(
        &mut self,
        input: Relation,
        aggregate: Aggregate,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let behind_exchange = matches!(input.op, RelOp::Gate { .. });
        let node = self.relation(input)?;
        let time = match aggregate.window {
            AggregateWindow::Time(time) => window_time(time),
            AggregateWindow::Attached { start, end, event: true } => {
                WindowTime::Attached { start, end }
            }
            AggregateWindow::Attached { start, end, event: false } => {
                WindowTime::AttachedProcessing { start, end }
            }
        };
        let emit = self.emit(&aggregate.shape, aggregate.grouping, aggregate.is_event())?;
        // A local phase combines rows of which none is taken back.
        let two_phase = self.facts[node].is_append()
            && !behind_exchange
            && emit.is_none()
            && self.two_phase(&aggregate.shape, &time);
        let operator = WindowAggregate {
            shape: aggregate.shape,
            time,
            keys: aggregate.keys,
            aggregates: aggregate.calls,
            columns: aggregate.columns,
            two_phase,
            emit,
        };
        let identity = self.identities[node].aggregate(&operator);
        // What is kept of windows differs, so that state of one is never given to the other.
        let kind = if operator.emit.is_some() { "emitting-aggregate" } else { "window-aggregate" };
        let id = identity.columns.iter().fold(identity.rows.word(kind), |id, c| id.digest(*c));
        let inputs = match behind_exchange {
            true => forward(node),
            false => keyed(node, &operator.keys),
        };
        let operator = Operator::WindowAggregate(operator);
        self.add(Draft::new(operator, inputs, schema, identity, id))
    }

    /// What several operators read behind one exchange.
    pub(super) fn gate(&mut self, input: Relation, keys: &[usize]) -> Result<usize> {
        let projection = input.identity();
        let node = self.relation(input)?;
        let identity = self.identities[node].calc(None, &projection);
        let id = identity.all(identity.rows.word("gate"));
        let schema = crate::algebra::schema_of(&projection);
        let operator = Operator::Calc(Calc { filter: None, projection });
        self.add(Draft::new(operator, keyed(node, keys), schema, identity, id))
    }

    pub(super) fn late_rows(&mut self, input: Relation, late: Late) -> Result<usize> {
        let schema = input.schema.clone();
        let node = self.relation(input)?;
        let emit = self.emit(&late.shape, late.grouping, true)?;
        let lateness_ms = emit.map_or(0, |emit| emit.lateness_ms);
        let time = WindowTime::Event { column: late.time };
        let identity = self.identities[node].late(&late.shape, &time);
        let id = identity.rows.word("late-rows");
        let operator = LateRows { shape: late.shape, column: late.time, lateness_ms };
        let operator = Operator::LateRows(operator);
        self.add(Draft::new(operator, forward(node), schema, identity, id))
    }

    /// A local phase needs windows that are known from the row's time alone and complete by event
    /// time.
    fn two_phase(&self, shape: &WindowShape, time: &WindowTime) -> bool {
        let one_phase = self
            .settings
            .get("table.optimizer.agg-phase-strategy")
            .is_some_and(|strategy| strategy.eq_ignore_ascii_case("one_phase"));
        let event = matches!(time, WindowTime::Event { .. });
        !one_phase && event && !matches!(shape, WindowShape::Session { .. })
    }

    pub(super) fn window_rank(
        &mut self,
        input: Relation,
        rank: algebra::WindowRank,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let (start, end) = (rank.start, rank.end);
        let time = match rank.event {
            true => WindowTime::Attached { start, end },
            false => WindowTime::AttachedProcessing { start, end },
        };
        let operator = WindowRank {
            time,
            keys: rank.keys,
            order: rank.order,
            from: rank.from.max(1),
            to: rank.to,
            rank_column: rank.rank_column,
        };
        let identity = self.identities[node].window_rank(&operator);
        let id = identity.rows.word("window-rank");
        let inputs = keyed(node, &operator.keys);
        let operator = Operator::WindowRank(operator);
        self.add(Draft::new(operator, inputs, schema, identity, id))
    }
}

fn window_time(time: TvfTime) -> WindowTime {
    match time {
        TvfTime::Event(column) => WindowTime::Event { column },
        TvfTime::Processing => WindowTime::Processing,
    }
}
