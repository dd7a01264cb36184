//! Optimized algebra → plan nodes: exchanges, parallelism, names and stable operator ids.
//!
//! Equal parts of the queries of a job become one node. Ids come from `identity`: from what a node
//! computes, not from where it stands or what else the script does.

mod identity;
mod name;
mod sink;
mod source;

pub use sink::COLLECT;

use std::collections::{BTreeMap, HashMap};

use tidegate_plan::operator::{Calc, Values, WindowAggregate, WindowRank};
use tidegate_plan::settings::Settings;
use tidegate_plan::window::{WindowShape, WindowTime};
use tidegate_plan::{
    ChangelogMode, Exchange, Expr, Input, NamedExpr, Node, Operator, PlanSettings, StreamGraph,
};
use tidegate_types::{Error, Field, OperatorId, Result};

use crate::algebra::{Aggregate, AggregateWindow, Rank, RelOp, Relation, TvfTime, WindowTvf};
use crate::bind::insert::BoundInsert;
use identity::{Digest, Identity};

/// A query with the place its rows go to.
pub(crate) struct Target {
    pub(crate) relation: Relation,
    pub(crate) sink: SinkTarget,
}

/// Where rows go.
pub(crate) enum SinkTarget {
    /// A table.
    Table(Box<BoundInsert>),
    /// The caller: a SELECT.
    Collect,
}

/// Makes the graph of a job, and the names of its inserts.
///
/// # Errors
/// `INVALID_OPTION` where a table's options do not fit its use.
pub(crate) fn lower(
    targets: Vec<Target>,
    plan_settings: &PlanSettings,
    settings: &Settings,
) -> Result<(StreamGraph, Vec<String>)> {
    let mut lowering = Lowering {
        settings,
        nodes: Vec::new(),
        identities: Vec::new(),
        known: HashMap::new(),
        ids: BTreeMap::new(),
    };
    let mut inserts: Vec<String> = Vec::new();
    for target in targets {
        let input = lowering.relation(target.relation)?;
        inserts.push(lowering.sink(target.sink, input, &inserts)?);
    }
    let graph = StreamGraph { settings: plan_settings.clone(), nodes: lowering.nodes };
    graph.validate()?;
    Ok((graph, inserts))
}

struct Lowering<'a> {
    settings: &'a Settings,
    nodes: Vec<Node>,
    /// What each node computes, beside `nodes`.
    identities: Vec<Identity>,
    /// Nodes by their content, to share equal ones.
    known: HashMap<String, usize>,
    /// How often an id was wanted.
    ids: BTreeMap<u64, u64>,
}

/// A node that is about to be added.
struct Draft {
    operator: Operator,
    inputs: Vec<Input>,
    schema: Vec<Field>,
    identity: Identity,
    /// What its id comes from.
    id: Digest,
    parallelism: Option<u32>,
}

impl Lowering<'_> {
    fn relation(&mut self, relation: Relation) -> Result<usize> {
        let schema = relation.schema;
        match relation.op {
            RelOp::Scan(scan) => self.source(*scan, schema),
            RelOp::Values(rows) => self.values(rows, schema),
            RelOp::Project { input, exprs } => match input.op {
                RelOp::Filter { input, predicate } => self.calc(*input, Some(predicate), exprs),
                op => self.calc(Relation { op, schema: input.schema }, None, exprs),
            },
            RelOp::Filter { input, predicate } => {
                let identity = input.identity();
                self.calc(*input, Some(predicate), identity)
            }
            RelOp::Union { inputs } => self.union(inputs, schema),
            RelOp::WindowTvf { input, tvf } => self.window_tvf(*input, tvf, schema),
            RelOp::Aggregate { input, aggregate } => self.aggregate(*input, aggregate, schema),
            RelOp::Rank { input, rank } => self.rank(*input, rank, schema),
            RelOp::Number { number, .. } => {
                Err(Error::unsupported("ROW_NUMBER without a bound is not supported yet")
                    .at(number.span))
            }
        }
    }

    /// Adds a node, or finds an equal one.
    fn add(&mut self, draft: Draft) -> Result<usize> {
        let content = serde_json::to_string(&(
            &draft.operator,
            &draft.inputs,
            &draft.schema,
            draft.parallelism,
        ))
        .map_err(|error| Error::internal(format!("encode plan node: {error}")))?;
        if let Some(known) = self.known.get(&content) {
            return Ok(*known);
        }
        let id = self.id(draft.id);
        let inputs: Vec<&[Field]> =
            draft.inputs.iter().map(|input| self.nodes[input.node].schema.as_slice()).collect();
        let name = name::of(&draft.operator, &inputs, &draft.schema);
        self.nodes.push(Node {
            id,
            name,
            operator: draft.operator,
            inputs: draft.inputs,
            schema: draft.schema,
            changelog: ChangelogMode::APPEND,
            upsert_key: None,
            state_ttl_ms: Vec::new(),
            parallelism: draft.parallelism,
        });
        self.identities.push(draft.identity);
        self.known.insert(content, self.nodes.len() - 1);
        Ok(self.nodes.len() - 1)
    }

    /// The id of a digest; a repeated digest is told apart by its number.
    fn id(&mut self, digest: Digest) -> OperatorId {
        let count = self.ids.entry(digest.value()).or_insert(0);
        let number = *count;
        *count += 1;
        if number == 0 {
            OperatorId(digest.value())
        } else {
            OperatorId(digest.number(number).value())
        }
    }

    fn values(
        &mut self,
        rows: Vec<Vec<tidegate_plan::Literal>>,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let identity = Identity::values(&rows, schema.len());
        let id = identity.rows.word("values");
        let operator = Operator::Values(Values { rows });
        self.add(Draft { operator, inputs: Vec::new(), schema, identity, id, parallelism: None })
    }

    fn calc(
        &mut self,
        input: Relation,
        filter: Option<Expr>,
        projection: Vec<NamedExpr>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let below = &self.identities[node];
        let identity = below.calc(filter.as_ref(), &projection);
        let id = identity
            .columns
            .iter()
            .fold(identity.rows.word("calc"), |id, column| id.digest(*column));
        let schema = crate::algebra::schema_of(&projection);
        let operator = Operator::Calc(Calc { filter, projection });
        self.add(Draft { operator, inputs: forward(node), schema, identity, id, parallelism: None })
    }

    fn union(&mut self, inputs: Vec<Relation>, schema: Vec<Field>) -> Result<usize> {
        let nodes =
            inputs.into_iter().map(|input| self.relation(input)).collect::<Result<Vec<_>>>()?;
        let below: Vec<&Identity> = nodes.iter().map(|node| &self.identities[*node]).collect();
        let identity = Identity::union(&below, schema.len());
        let id = identity.rows.word("union");
        let inputs =
            nodes.into_iter().map(|node| Input { node, exchange: Exchange::Forward }).collect();
        self.add(Draft {
            operator: Operator::Union,
            inputs,
            schema,
            identity,
            id,
            parallelism: None,
        })
    }

    fn window_tvf(&mut self, input: Relation, tvf: WindowTvf, schema: Vec<Field>) -> Result<usize> {
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
        self.add(Draft { operator, inputs, schema, identity, id, parallelism: None })
    }

    fn aggregate(
        &mut self,
        input: Relation,
        aggregate: Aggregate,
        schema: Vec<Field>,
    ) -> Result<usize> {
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
        let two_phase = self.two_phase(&aggregate.shape, &time);
        let operator = WindowAggregate {
            shape: aggregate.shape,
            time,
            keys: aggregate.keys,
            aggregates: aggregate.calls,
            columns: aggregate.columns,
            two_phase,
        };
        let identity = self.identities[node].aggregate(&operator);
        let id = identity
            .columns
            .iter()
            .fold(identity.rows.word("window-aggregate"), |id, c| id.digest(*c));
        let inputs = keyed(node, &operator.keys);
        let operator = Operator::WindowAggregate(operator);
        self.add(Draft { operator, inputs, schema, identity, id, parallelism: None })
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

    fn rank(&mut self, input: Relation, rank: Rank, schema: Vec<Field>) -> Result<usize> {
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
        let identity = self.identities[node].rank(&operator);
        let id = identity.rows.word("window-rank");
        let inputs = keyed(node, &operator.keys);
        let operator = Operator::WindowRank(operator);
        self.add(Draft { operator, inputs, schema, identity, id, parallelism: None })
    }
}

fn forward(node: usize) -> Vec<Input> {
    vec![Input { node, exchange: Exchange::Forward }]
}

/// By key, or to one subtask where there is none.
fn keyed(node: usize, keys: &[usize]) -> Vec<Input> {
    let exchange = match keys {
        [] => Exchange::Single,
        keys => Exchange::Hash { keys: keys.to_vec() },
    };
    vec![Input { node, exchange }]
}

fn window_time(time: TvfTime) -> WindowTime {
    match time {
        TvfTime::Event(column) => WindowTime::Event { column },
        TvfTime::Processing => WindowTime::Processing,
    }
}
