//! From plan nodes to a runnable chain: operators, sinks, output edges, restored state.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidegate_engine::calc::{Calc, Union};
use tidegate_engine::changelog::{
    ChangelogNormalize, DropUpdateBefore, FromChangelog, ToChangelog, UpsertMaterialize,
};
use tidegate_engine::connector::{DeliveryGuarantee, LookupTable, Sink, SinkContext, Source};
use tidegate_engine::deduplicate::deduplicate;
use tidegate_engine::exchange::Sender;
use tidegate_engine::exchange::partition::Partitioner;
use tidegate_engine::expand::Expand;
use tidegate_engine::group::{self, GroupAggregate, LocalGroupAggregate};
use tidegate_engine::join::{IntervalJoin, Join, MultiJoin, TemporalJoin, WindowJoin};
use tidegate_engine::lookup::LookupStage;
use tidegate_engine::metrics::{OperatorMetrics, SinkMetrics, TaskMetrics};
use tidegate_engine::operator::Operator;
use tidegate_engine::over;
use tidegate_engine::pattern::MatchRecognize;
use tidegate_engine::rank::Rank;
use tidegate_engine::sort::TemporalSort;
use tidegate_engine::staging::{StagingArea, StagingFolder};
use tidegate_engine::task::chain::{Chain, ChainNode, OutputEdge, Stage};
use tidegate_engine::task::sink_stage::SinkStage;
use tidegate_engine::task::snapshot::StateFiles;
use tidegate_engine::unnest::Unnest;
use tidegate_engine::values::ValuesSource;
use tidegate_engine::window::{
    AggregateInput, EmittingAggregate, LateRows, LocalWindowAggregate, SessionAggregate,
    SessionRows, WindowAggregate, WindowRank, WindowTvf, WindowZone,
};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::task_graph::{Task, TaskInput};
use tidegate_plan::window::{WindowShape, WindowTime};
use tidegate_plan::{Exchange, Node, StreamGraph};
use tidegate_types::error::ResultExt;
use tidegate_types::{Error, Result, SubtaskId, TypeKind};

use crate::deployment::Deployment;
use crate::metrics::{OperatorEntry, RunMetrics};
use crate::restore::{self, restored_operator};

/// The sources and sinks of a run, made once and shared by their subtasks.
pub struct Connectors {
    sources: HashMap<usize, Arc<dyn Source>>,
    sinks: HashMap<usize, Arc<dyn Sink>>,
    lookups: HashMap<usize, Arc<dyn LookupTable>>,
}

impl Connectors {
    /// Makes the connectors of a graph.
    ///
    /// # Errors
    /// What a connector refuses, with its table's name.
    pub fn make(deployment: &Deployment) -> Result<Self> {
        let (mut sources, mut sinks, mut lookups) =
            (HashMap::new(), HashMap::new(), HashMap::new());
        for (index, node) in deployment.graph.nodes.iter().enumerate() {
            match &node.operator {
                PlanOperator::Source(plan) => {
                    sources.insert(index, deployment.connectors.source(plan)?);
                }
                PlanOperator::Values(plan) => {
                    let source: Arc<dyn Source> = Arc::new(ValuesSource::new(plan, &node.schema)?);
                    sources.insert(index, source);
                }
                PlanOperator::Sink(plan) => {
                    sinks.insert(index, deployment.connectors.sink(plan, &node.schema)?);
                }
                PlanOperator::LookupJoin(plan) => {
                    lookups.insert(index, deployment.connectors.lookup(plan)?);
                }
                _ => {}
            }
        }
        Ok(Self { sources, sinks, lookups })
    }

    /// Sources by node.
    pub fn sources(&self) -> impl Iterator<Item = (usize, &Arc<dyn Source>)> {
        self.sources.iter().map(|(node, source)| (*node, source))
    }

    /// The source of a node.
    ///
    /// # Errors
    /// `INTERNAL` if the node is no source.
    pub fn source(&self, node: usize) -> Result<&Arc<dyn Source>> {
        self.sources.get(&node).ok_or_else(|| Error::internal(format!("node {node} is no source")))
    }

    /// Checks every sink's target.
    ///
    /// # Errors
    /// What a sink fails with.
    pub async fn check(&self) -> Result<()> {
        for sink in self.sinks.values() {
            sink.check().await?;
        }
        Ok(())
    }

    /// Tables whose rows nobody would ever see without checkpoints: the input does not end, and the sink shows its
    /// output only with one. A sink without a target is none of them.
    pub fn wait_for_checkpoints(&self, graph: &StreamGraph) -> Vec<String> {
        if self.sources.values().all(|source| source.is_bounded()) {
            return Vec::new();
        }
        let waiting = self.sinks.iter().filter_map(|(node, sink)| {
            let PlanOperator::Sink(plan) = &graph.nodes.get(*node)?.operator else { return None };
            let waits = sink.guarantee() == DeliveryGuarantee::ExactlyOnce
                && plan.table.options.get("connector").is_none_or(|name| name != "blackhole");
            waits.then(|| plan.table.name.clone())
        });
        let mut names: Vec<String> = waiting.collect();
        names.sort();
        names
    }

    /// Whether a sink shows its output only with a checkpoint.
    pub fn any_staging(&self) -> bool {
        self.sinks.values().any(|sink| sink.guarantee() == DeliveryGuarantee::ExactlyOnce)
    }
}

/// The zone in which a node's windows are cut: the session's for instants, none for TIMESTAMP.
/// Attached windows are those of the operator below that made them.
fn window_zone(graph: &StreamGraph, input: &Node, time: &WindowTime) -> Result<WindowZone> {
    let session = || WindowZone::parse(&graph.settings.time_zone);
    match time {
        WindowTime::Event { column } => match input.schema[*column].ty.kind {
            TypeKind::TimestampLtz { .. } => session(),
            _ => Ok(WindowZone::Unzoned),
        },
        WindowTime::Processing | WindowTime::AttachedProcessing { .. } => session(),
        WindowTime::Attached { .. } => {
            let below = |node: &Node| node.inputs.first().and_then(|i| graph.nodes.get(i.node));
            let time = match &input.operator {
                PlanOperator::WindowTvf(plan) => &plan.time,
                PlanOperator::WindowAggregate(plan) => &plan.time,
                _ => time,
            };
            let below = below(input).ok_or_else(|| Error::internal("windows that nothing made"))?;
            window_zone(graph, below, time)
        }
    }
}

/// The operator of a node that is neither source nor sink.
///
/// # Errors
/// `UNSUPPORTED`, `INTERNAL` from the operator's construction.
fn operator(graph: &StreamGraph, node: &Node) -> Result<Box<dyn Operator>> {
    let input = || {
        let first = node.inputs.first().ok_or_else(|| Error::internal("operator without input"))?;
        Ok::<_, Error>(&graph.nodes[first.node])
    };
    Ok(match &node.operator {
        PlanOperator::Calc(plan) => Box::new(Calc::new(plan, &node.schema, &graph.settings)?),
        PlanOperator::Union => Box::new(Union),
        PlanOperator::WindowTvf(plan) => {
            let zone = window_zone(graph, input()?, &plan.time)?;
            if let WindowShape::Session { .. } = plan.shape {
                return Ok(Box::new(SessionRows::new(plan, &input()?.schema, &node.schema, zone)?));
            }
            Box::new(WindowTvf::new(plan, &node.schema, zone)?)
        }
        PlanOperator::WindowRank(plan) => {
            let input = input()?;
            let zone = window_zone(graph, input, &plan.time)?;
            Box::new(WindowRank::new(plan, &input.schema, &node.schema, zone)?)
        }
        PlanOperator::WindowAggregate(plan) => {
            let input = input()?;
            let zone = window_zone(graph, input, &plan.time)?;
            if plan.emit.is_some() {
                return Ok(Box::new(EmittingAggregate::new(plan, node, input, zone)?));
            }
            let kind = match (is_two_phase(node), input.changelog.is_append()) {
                (true, _) => AggregateInput::Partials,
                (false, true) => AggregateInput::Rows,
                (false, false) => AggregateInput::Changes,
            };
            if matches!(plan.shape, WindowShape::Session { .. })
                && matches!(plan.time, WindowTime::Event { .. } | WindowTime::Processing)
            {
                return Ok(Box::new(SessionAggregate::new(
                    plan,
                    &input.schema,
                    &node.schema,
                    zone,
                    kind,
                )?));
            }
            Box::new(WindowAggregate::new(plan, &input.schema, &node.schema, zone, kind)?)
        }
        PlanOperator::GroupAggregate(plan) => {
            Box::new(GroupAggregate::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::Join(plan) => {
            Box::new(Join::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::MultiJoin(plan) => {
            Box::new(MultiJoin::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::IntervalJoin(plan) => {
            Box::new(IntervalJoin::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::Rank(plan) => {
            Box::new(Rank::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::Deduplicate(plan) => {
            deduplicate(plan, node, &inputs(graph, node)?, &graph.settings)?
        }
        PlanOperator::Expand(plan) => {
            Box::new(Expand::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::TemporalSort(plan) => {
            Box::new(TemporalSort::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::MatchRecognize(plan) => {
            Box::new(MatchRecognize::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::ChangelogNormalize(plan) => {
            Box::new(ChangelogNormalize::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::UpsertMaterialize(plan) => {
            Box::new(UpsertMaterialize::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::OverAggregate(plan) => {
            over::operator(plan, node, &inputs(graph, node)?, &graph.settings)?
        }
        PlanOperator::Unnest(plan) => {
            Box::new(Unnest::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::ToChangelog(plan) => Box::new(ToChangelog::new(plan, node)),
        PlanOperator::FromChangelog(plan) => {
            Box::new(FromChangelog::new(plan, node, &inputs(graph, node)?)?)
        }
        PlanOperator::DropUpdateBefore => Box::new(DropUpdateBefore),
        PlanOperator::LateRows(plan) => {
            let time = WindowTime::Event { column: plan.column };
            Box::new(LateRows::new(plan, window_zone(graph, input()?, &time)?)?)
        }
        PlanOperator::WindowJoin(plan) => {
            let (start, end) = (plan.starts[0], plan.ends[0]);
            let zone = window_zone(graph, input()?, &WindowTime::Attached { start, end })?;
            let inputs = inputs(graph, node)?;
            Box::new(WindowJoin::new(plan, node, &inputs, &graph.settings, zone)?)
        }
        PlanOperator::TemporalJoin(plan) => {
            Box::new(TemporalJoin::new(plan, node, &inputs(graph, node)?, &graph.settings)?)
        }
        PlanOperator::Source(_) | PlanOperator::Values(_) | PlanOperator::Sink(_) => {
            return Err(Error::internal(format!("{} is not an operator", node.name)));
        }
        _ => return Err(Error::unsupported(format!("{} does not run yet", node.operator.kind()))),
    })
}

/// The nodes that a node reads.
fn inputs<'a>(graph: &'a StreamGraph, node: &Node) -> Result<Vec<&'a Node>> {
    let missing = |index: usize| Error::internal(format!("the plan has no node {index}"));
    let inputs = node.inputs.iter();
    inputs.map(|i| graph.nodes.get(i.node).ok_or_else(|| missing(i.node))).collect()
}

/// Whether a local phase runs before the exchange into this node.
fn is_two_phase(node: &Node) -> bool {
    let PlanOperator::WindowAggregate(plan) = &node.operator else { return false };
    plan.two_phase
        && matches!(plan.time, WindowTime::Event { .. })
        && !matches!(plan.shape, WindowShape::Session { .. })
        && node
            .inputs
            .iter()
            .all(|i| matches!(i.exchange, Exchange::Hash { .. } | Exchange::Single))
}

/// An edge to another task: the consumer's input, its root node, the senders of this subtask.
pub type OutputChannels = (TaskInput, usize, Vec<Box<dyn Sender>>);

/// What building a subtask's chain needs.
pub struct ChainBuilder<'a> {
    /// The run.
    pub deployment: &'a Deployment,
    /// Its connectors.
    pub connectors: &'a Connectors,
    /// The task.
    pub task: &'a Task,
    /// The subtask.
    pub subtask: SubtaskId,
    /// Edges to other tasks.
    pub outputs: Vec<OutputChannels>,
    /// Counters of the task.
    pub task_metrics: Arc<TaskMetrics>,
    /// Counters of the run.
    pub run_metrics: &'a RunMetrics,
}

impl ChainBuilder<'_> {
    /// Builds the chain, opens its operators and restores their state.
    ///
    /// # Errors
    /// What an operator, a sink or the store fails with.
    pub async fn build(self) -> Result<Chain> {
        let graph = self.deployment.graph.clone();
        let root = self.task.nodes[0];
        let has_source = self.connectors.sources.contains_key(&root);
        let mut nodes: Vec<ChainNode> = Vec::new();
        let mut index_of: HashMap<usize, usize> = HashMap::new();
        let mut roots = Vec::new();
        for node_index in self.task.nodes.iter().skip(usize::from(has_source)) {
            let node = &graph.nodes[*node_index];
            let place = nodes.len();
            nodes.push(self.chain_node(*node_index, node)?);
            index_of.insert(*node_index, place);
            let parent = node.inputs.iter().find_map(|input| index_of.get(&input.node));
            match parent.filter(|_| *node_index != root) {
                Some(parent) => nodes[*parent].next.push(place),
                None => roots.push(place),
            }
        }
        let manifest = self.deployment.restored.as_ref().map(|restored| restored.manifest.as_ref());
        let watermark = restored_operator(manifest, graph.nodes[root].id).watermark;
        for (input, consumer, senders) in self.outputs {
            let edge = edge_nodes(&graph, &input, consumer, senders)?;
            let mut parent = index_of.get(&input.node).copied();
            for node in edge {
                let place = nodes.len();
                nodes.push(node);
                match parent {
                    Some(parent) => nodes[parent].next.push(place),
                    None => roots.push(place),
                }
                parent = Some(place);
            }
        }
        let clock = self.deployment.clock.clone();
        let mut chain = Chain::new(nodes, roots, clock, self.task_metrics.clone());
        chain.set_watermark(watermark);
        let (task, subtask) = (self.task, self.subtask);
        restore::open(&mut chain, self.deployment, task, subtask, &self.task_metrics).await?;
        Ok(chain)
    }

    fn chain_node(&self, index: usize, node: &Node) -> Result<ChainNode> {
        let metrics = Arc::new(OperatorMetrics::default());
        let mut sink_metrics = None;
        let stage = match self.connectors.sinks.get(&index) {
            Some(sink) => {
                let counters = Arc::new(SinkMetrics::default());
                sink_metrics = Some(counters.clone());
                let (deployment, subtask) = (self.deployment, self.subtask.index);
                let folder = StagingFolder {
                    storage: deployment.checkpoints.clone(),
                    stored: deployment.staged_as,
                };
                let area = StagingArea::new(folder, deployment.attempt, node.id, subtask);
                let staging = Arc::new(area);
                let context = SinkContext {
                    lineage: deployment.lineage.clone(),
                    operator: node.id,
                    attempt: deployment.attempt,
                    subtask,
                    parallelism: self.task.parallelism,
                    metrics: counters,
                    staging: staging.clone(),
                };
                let (writer, lineage) = (sink.writer(context)?, deployment.lineage.clone());
                Stage::Sink(SinkStage::new(writer, staging, lineage, not_null(node)))
            }
            None if let PlanOperator::LookupJoin(plan) = &node.operator => {
                let table = self.connectors.lookups.get(&index);
                let table = table.ok_or_else(|| Error::internal("a lookup without a table"))?;
                let graph = &self.deployment.graph;
                Stage::Lookup(Box::new(LookupStage::new(
                    plan,
                    node,
                    &inputs(graph, node)?,
                    &graph.settings,
                    table.connect()?,
                    self.deployment.batch_rows,
                )?))
            }
            None => Stage::Operator(
                operator(&self.deployment.graph, node).context(|| node.name.clone())?,
            ),
        };
        self.run_metrics.register(OperatorEntry {
            node: index,
            id: node.id,
            name: node.name.clone(),
            subtask: self.subtask.index,
            metrics: metrics.clone(),
            source: None,
            sink: sink_metrics,
            task: self.task_metrics.clone(),
        });
        Ok(ChainNode {
            id: Some(node.id),
            name: node.name.clone(),
            stage,
            next: Vec::new(),
            metrics,
            files: StateFiles::default(),
        })
    }
}

/// The columns of a sink that are declared NOT NULL.
fn not_null(node: &Node) -> Vec<(usize, String)> {
    let PlanOperator::Sink(sink) = &node.operator else { return Vec::new() };
    let declared = sink.table.columns.iter().filter(|column| !column.ty.nullable);
    declared
        .filter_map(|column| {
            let index = node.schema.iter().position(|field| field.name == column.name)?;
            Some((index, column.name.clone()))
        })
        .collect()
}

/// The nodes of an output edge: the local phase of a two-phase aggregate, then the channels.
fn edge_nodes(
    graph: &StreamGraph,
    input: &TaskInput,
    consumer: usize,
    senders: Vec<Box<dyn Sender>>,
) -> Result<Vec<ChainNode>> {
    let producer = &graph.nodes[input.node];
    let target = &graph.nodes[consumer];
    let node = |name: String, stage: Stage| ChainNode {
        id: None,
        name,
        stage,
        next: Vec::new(),
        metrics: Arc::new(OperatorMetrics::default()),
        files: StateFiles::default(),
    };
    let mut nodes = Vec::new();
    let mut exchange = input.exchange.clone();
    if let Some(local) = local_phase(graph, producer, target)? {
        if let Exchange::Hash { .. } = exchange {
            exchange = Exchange::Hash { keys: local.keys };
        }
        nodes.push(node(format!("Local{}", target.name), Stage::Operator(local.operator)));
    }
    let partitioner = Partitioner::new(exchange, graph.settings.key_groups, senders);
    let edge = OutputEdge { partitioner, ended: false };
    nodes.push(node(format!("output to {}", target.name), Stage::Output(edge)));
    Ok(nodes)
}

/// The columns that travel on the edge from a node of the graph to another: those of the node, or of
/// the local phase before the exchange.
pub(crate) fn edge_schema(
    graph: &StreamGraph,
    producer: usize,
    consumer: usize,
) -> Result<SchemaRef> {
    let node = |index: usize| {
        let missing = || Error::internal(format!("the plan has no node {index}"));
        graph.nodes.get(index).ok_or_else(missing)
    };
    let (producer, consumer) = (node(producer)?, node(consumer)?);
    Ok(match local_phase(graph, producer, consumer)? {
        Some(local) => local.schema,
        None => arrow_schema(&producer.schema),
    })
}

/// The part of a two-phase aggregate that runs before the exchange.
struct LocalPhase {
    operator: Box<dyn Operator>,
    /// Columns of its output that hold the keys.
    keys: Vec<usize>,
    schema: SchemaRef,
}

/// The local phase of a two-phase aggregate.
fn local_phase(graph: &StreamGraph, producer: &Node, target: &Node) -> Result<Option<LocalPhase>> {
    match &target.operator {
        PlanOperator::WindowAggregate(plan) if is_two_phase(target) => {
            let zone = window_zone(graph, producer, &plan.time)?;
            let local = LocalWindowAggregate::new(plan, &producer.schema, zone)?;
            let (keys, schema) = (local.output_keys(), local.output_schema().clone());
            Ok(Some(LocalPhase { operator: Box::new(local), keys, schema }))
        }
        PlanOperator::GroupAggregate(plan) if group::is_two_phase(plan, target, &[producer]) => {
            let local = LocalGroupAggregate::new(plan, producer, &graph.settings)?;
            let (keys, schema) = (local.output_keys(), local.output_schema().clone());
            Ok(Some(LocalPhase { operator: Box::new(local), keys, schema }))
        }
        _ => Ok(None),
    }
}
