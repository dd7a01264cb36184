//! How a stream graph is cut into tasks: chains of operators that run without queues between them,
//! with a parallelism each, joined by exchanges.

use serde::{Deserialize, Serialize};
use tidegate_types::{TaskId, TypeKind};

use crate::graph::{Exchange, Node, StreamGraph};
use crate::operator::Operator;

/// Tasks in topological order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskGraph {
    /// Tasks; [`TaskId`] is the index.
    pub tasks: Vec<Task>,
}

/// A chain: a tree of nodes whose root reads the task's inputs, each other node reads one of the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Indices into [`StreamGraph::nodes`], root first, parents before children.
    pub nodes: Vec<usize>,
    /// Number of subtasks.
    pub parallelism: u32,
    /// What the root reads.
    pub inputs: Vec<TaskInput>,
}

/// An edge between tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskInput {
    /// The producing task.
    pub task: TaskId,
    /// The node of that task whose output travels.
    pub node: usize,
    /// How; never [`Exchange::Forward`] between different parallelisms.
    pub exchange: Exchange,
}

impl TaskGraph {
    /// Cuts a graph, with `parallelism` for every node that has none of its own.
    ///
    /// A node joins its producer's chain if it has a single input, by `Forward`, of equal
    /// parallelism. A union whose inputs all come forward stays a task of its own.
    pub fn build(graph: &StreamGraph, parallelism: u32) -> Self {
        let mut tasks: Vec<Task> = Vec::new();
        let mut task_of = Vec::with_capacity(graph.nodes.len());
        let node_parallelism = node_parallelism(graph, parallelism);
        for (index, node) in graph.nodes.iter().enumerate() {
            if let [input] = node.inputs.as_slice()
                && input.exchange == Exchange::Forward
                && node_parallelism[input.node] == node_parallelism[index]
            {
                let task: usize = task_of[input.node];
                tasks[task].nodes.push(index);
                task_of.push(task);
                continue;
            }
            let inputs = node
                .inputs
                .iter()
                .map(|input| TaskInput {
                    task: TaskId(task_of[input.node] as u32),
                    node: input.node,
                    exchange: if input.exchange == Exchange::Forward
                        && node_parallelism[input.node] != node_parallelism[index]
                    {
                        spread(&graph.nodes[input.node])
                    } else {
                        input.exchange.clone()
                    },
                })
                .collect();
            task_of.push(tasks.len());
            tasks.push(Task { nodes: vec![index], parallelism: node_parallelism[index], inputs });
        }
        Self { tasks }
    }

    /// Number of subtasks of all tasks.
    pub fn subtask_count(&self) -> usize {
        self.tasks.iter().map(|task| task.parallelism as usize).sum()
    }
}

/// How the rows of a node go to another number of subtasks: evenly, but what takes back a row the same way
/// as the row, or it could arrive first.
fn spread(node: &Node) -> Exchange {
    if node.changelog.is_append() {
        return Exchange::Rebalance;
    }
    let plain = |column: &usize| {
        !matches!(
            node.schema[*column].ty.kind,
            TypeKind::Array(_)
                | TypeKind::Map { .. }
                | TypeKind::Multiset(_)
                | TypeKind::Row(_)
                | TypeKind::Structured { .. }
        )
    };
    let all = || (0..node.schema.len()).filter(plain).collect();
    Exchange::Hash { keys: node.upsert_key.clone().unwrap_or_else(all) }
}

fn node_parallelism(graph: &StreamGraph, default: u32) -> Vec<u32> {
    let limit = u32::from(graph.settings.key_groups);
    let mut result: Vec<u32> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let single = node.inputs.iter().any(|input| input.exchange == Exchange::Single)
            || matches!(node.operator, Operator::Values(_));
        let keyed = node.inputs.iter().any(|i| matches!(i.exchange, Exchange::Hash { .. }));
        let inherited = match node.inputs.as_slice() {
            [input] if input.exchange == Exchange::Forward => result[input.node],
            _ => default,
        };
        let wanted = if single { 1 } else { node.parallelism.unwrap_or(inherited) };
        result.push(if keyed { wanted.min(limit) } else { wanted });
    }
    result
}

#[cfg(test)]
mod tests {
    use tidegate_types::{Field, OperatorId};

    use super::*;
    use crate::{ChangelogMode, Input, PlanSettings, Updates};

    /// A node of parallelism 1 whose output goes on in the default parallelism.
    fn exchange(changelog: ChangelogMode, upsert_key: Option<Vec<usize>>) -> Exchange {
        let node = |inputs: Vec<Input>, parallelism: Option<u32>| Node {
            id: OperatorId(inputs.len() as u64),
            name: "node".to_owned(),
            operator: Operator::Union,
            inputs,
            schema: vec![
                Field::new("k", TypeKind::BigInt.nullable()),
                Field::new("a", TypeKind::Array(Box::new(TypeKind::BigInt.nullable())).nullable()),
                Field::new("v", TypeKind::STRING.nullable()),
            ],
            changelog,
            upsert_key: upsert_key.clone(),
            state_ttl_ms: Vec::new(),
            parallelism,
        };
        let forward = Input { node: 0, exchange: Exchange::Forward };
        let nodes = vec![node(Vec::new(), Some(1)), node(vec![forward], Some(4))];
        let graph = StreamGraph { nodes, settings: PlanSettings::default() };
        let tasks = TaskGraph::build(&graph, 4).tasks;
        tasks[1].inputs[0].exchange.clone()
    }

    #[test]
    fn what_is_taken_back_goes_the_way_of_what_was_sent() {
        assert_eq!(exchange(ChangelogMode::APPEND, None), Exchange::Rebalance);
        let all = ChangelogMode { updates: Updates::BeforeAndAfter, deletes: true };
        assert_eq!(exchange(all, None), Exchange::Hash { keys: vec![0, 2] });
        assert_eq!(exchange(all, Some(vec![2])), Exchange::Hash { keys: vec![2] });
        // One row: one subtask has it.
        assert_eq!(exchange(all, Some(Vec::new())), Exchange::Hash { keys: Vec::new() });
    }
}
