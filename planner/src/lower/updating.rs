//! Nodes over whole tables: aggregates, ranks, deduplication, OVER, sorting, unnesting, and what completes
//! or orders changes.

use tidegate_plan::operator::{
    ChangelogNormalize, Deduplicate, Expand, GroupAggregate, OverAggregate, OverFrame, OverOrder,
    Rank, RankFunction, SortKey, TemporalSort, Unnest, UpsertMaterialize,
};
use tidegate_plan::{AggregateFunction, Expr, Operator};
use tidegate_types::{Field, Result, TimeAttribute};

use super::{Draft, Lowering, forward, keyed};
use crate::algebra::{Group, Relation};

impl Lowering<'_> {
    /// The TTL of one input's state: the hint's, else the job's.
    pub(super) fn ttl(&self, hint: Option<u64>) -> u64 {
        let setting = self.settings.duration("table.exec.state.ttl");
        let setting = setting.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        hint.or(setting).unwrap_or(0)
    }

    fn one_ttl(&self, hint: Option<u64>) -> Vec<u64> {
        match self.ttl(hint) {
            0 => Vec::new(),
            ttl => vec![ttl],
        }
    }

    pub(super) fn group(
        &mut self,
        input: Relation,
        group: Group,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let two_phase = self.group_two_phase(node, &group);
        let ttl = self.one_ttl(group.ttl);
        let operator = GroupAggregate {
            keys: group.keys,
            aggregates: group.calls,
            two_phase,
            each_change: false,
        };
        let identity = self.identities[node].group(&operator);
        let id = identity.all(identity.rows.word("group-aggregate"));
        let inputs = keyed(node, &operator.keys);
        let operator = Operator::GroupAggregate(operator);
        self.add(Draft { ttl, ..Draft::new(operator, inputs, schema, identity, id) })
    }

    /// A local phase pays where the strategy asks for it; its partial results must be mergeable.
    fn group_two_phase(&self, node: usize, group: &Group) -> bool {
        let strategy = self.settings.get("table.optimizer.agg-phase-strategy");
        let wanted = strategy.is_some_and(|strategy| strategy.eq_ignore_ascii_case("two_phase"));
        let mini_batch = self.settings.boolean("table.exec.mini-batch.enabled");
        let one_phase = strategy.is_some_and(|strategy| strategy.eq_ignore_ascii_case("one_phase"));
        let mergeable = group.calls.iter().all(|call| {
            !matches!(
                call.function,
                AggregateFunction::FirstValue
                    | AggregateFunction::LastValue
                    | AggregateFunction::SingleValue
            )
        });
        (wanted || (mini_batch && !one_phase)) && mergeable && self.facts[node].is_append()
    }

    pub(super) fn expand(
        &mut self,
        input: Relation,
        projections: Vec<Vec<Expr>>,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let operator = Expand { projections };
        let identity = self.identities[node].expand(&operator);
        let id = identity.all(identity.rows.word("expand"));
        self.add(Draft::new(Operator::Expand(operator), forward(node), schema, identity, id))
    }

    pub(super) fn unnest(
        &mut self,
        input: Relation,
        unnest: Unnest,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let identity = self.identities[node].unnest(&unnest, schema.len());
        let id = identity.rows.word("unnest");
        self.add(Draft::new(Operator::Unnest(unnest), forward(node), schema, identity, id))
    }

    pub(super) fn rank(
        &mut self,
        input: Relation,
        mut rank: Rank,
        schema: Vec<Field>,
    ) -> Result<usize> {
        if let Some(deduplicate) = deduplicates(&input, &rank) {
            let node = self.relation(input)?;
            if self.facts[node].is_append() {
                return self.deduplicated(node, deduplicate, schema);
            }
            return self.ranked(node, rank, schema);
        }
        // Rows come in the order of processing time.
        let arrives = |key: &SortKey| {
            input.schema[key.column].ty.kind.time_attribute() == TimeAttribute::Processing
                && !key.descending
        };
        if rank.order.first().is_some_and(arrives) {
            rank.order.clear();
        }
        let node = self.relation(input)?;
        self.ranked(node, rank, schema)
    }

    fn ranked(&mut self, node: usize, rank: Rank, schema: Vec<Field>) -> Result<usize> {
        let identity = self.identities[node].rank(&rank);
        let id = identity.rows.word("rank");
        let inputs = keyed(node, &rank.keys);
        let ttl = self.one_ttl(None);
        let operator = Operator::Rank(rank);
        self.add(Draft { ttl, ..Draft::new(operator, inputs, schema, identity, id) })
    }

    fn deduplicated(
        &mut self,
        node: usize,
        deduplicate: Deduplicate,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let below = &self.identities[node];
        let order = deduplicate.time.map(|column| SortKey {
            column,
            descending: deduplicate.keep_last,
            nulls_first: false,
        });
        let identity = below.keyed(
            if deduplicate.keep_last { "keep-last" } else { "keep-first" },
            &deduplicate.keys,
            order.as_slice(),
        );
        let id = identity.rows.word("deduplicate");
        let inputs = keyed(node, &deduplicate.keys);
        let ttl = self.one_ttl(None);
        let operator = Operator::Deduplicate(deduplicate);
        self.add(Draft { ttl, ..Draft::new(operator, inputs, schema, identity, id) })
    }

    pub(super) fn over(
        &mut self,
        input: Relation,
        over: OverAggregate,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let identity = self.identities[node].over(&over);
        let id = identity.all(identity.rows.word("over"));
        let inputs = keyed(node, &over.keys);
        let ttl = self.one_ttl(None);
        let operator = Operator::OverAggregate(over);
        self.add(Draft { ttl, ..Draft::new(operator, inputs, schema, identity, id) })
    }

    pub(super) fn sort(
        &mut self,
        input: Relation,
        sort: TemporalSort,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let time = SortKey { column: sort.time, descending: false, nulls_first: true };
        let order: Vec<SortKey> = std::iter::once(time).chain(sort.order.iter().cloned()).collect();
        let identity = self.identities[node].keyed("sort", &[], &order);
        let id = identity.rows.word("temporal-sort");
        let operator = Operator::TemporalSort(sort);
        self.add(Draft::new(operator, keyed(node, &[]), schema, identity, id))
    }

    /// Completes an upsert stream.
    pub(super) fn normalize(&mut self, node: usize, keys: Vec<usize>) -> Result<usize> {
        let identity = self.identities[node].keyed("normalize", &keys, &[]);
        let id = identity.rows.word("changelog-normalize");
        let (inputs, schema) = (keyed(node, &keys), self.nodes[node].schema.clone());
        let ttl = self.one_ttl(None);
        let operator =
            Operator::ChangelogNormalize(ChangelogNormalize { keys, each_change: false });
        self.add(Draft { ttl, ..Draft::new(operator, inputs, schema, identity, id) })
    }

    /// Orders changes by a sink's key.
    pub(super) fn materialize(&mut self, node: usize, keys: Vec<usize>) -> Result<usize> {
        let identity = self.identities[node].keyed("materialize", &keys, &[]);
        let id = identity.rows.word("upsert-materialize");
        let (inputs, schema) = (keyed(node, &keys), self.nodes[node].schema.clone());
        let ttl = self.one_ttl(None);
        let operator = Operator::UpsertMaterialize(UpsertMaterialize { keys });
        self.add(Draft { ttl, ..Draft::new(operator, inputs, schema, identity, id) })
    }
}

/// The deduplication that a rank is: the first row by a time attribute.
fn deduplicates(input: &Relation, rank: &Rank) -> Option<Deduplicate> {
    let [key] = rank.order.as_slice() else { return None };
    if rank.function != RankFunction::RowNumber
        || (rank.from, rank.to) != (1, 1)
        || rank.rank_column.is_some()
    {
        return None;
    }
    let time = match input.schema[key.column].ty.kind.time_attribute() {
        TimeAttribute::Event => Some(key.column),
        TimeAttribute::Processing => None,
        TimeAttribute::None => return None,
    };
    let keep_last = key.descending;
    Some(Deduplicate { keys: rank.keys.clone(), time, keep_last, each_change: false })
}

/// A frame for people and digests.
pub(crate) fn frame_text(frame: &OverFrame) -> String {
    match frame {
        OverFrame::RowsUnbounded => "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_owned(),
        OverFrame::RangeUnbounded => "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_owned(),
        OverFrame::Rows { preceding } => {
            format!("ROWS BETWEEN {preceding} PRECEDING AND CURRENT ROW")
        }
        OverFrame::Range { preceding } => {
            format!("RANGE BETWEEN {preceding} PRECEDING AND CURRENT ROW")
        }
    }
}

/// What rows are ordered by, as sort keys.
pub(super) fn order_keys(order: &OverOrder) -> Vec<SortKey> {
    match order {
        OverOrder::Event { column } => {
            vec![SortKey { column: *column, descending: false, nulls_first: true }]
        }
        OverOrder::Processing => Vec::new(),
        OverOrder::Columns { keys } => keys.clone(),
    }
}
