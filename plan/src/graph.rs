//! The graph itself: nodes in topological order, their inputs and exchanges.

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Field, OperatorId, Result};

use crate::changelog::ChangelogMode;
use crate::operator::{MAX_MULTI_JOIN_INPUTS, Operator};

/// Columns of an edge.
pub type Schema = Vec<Field>;

/// A job's plan: what runs, independent of where and how parallel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamGraph {
    /// Settings that the meaning of the plan depends on.
    pub settings: PlanSettings,
    /// Nodes; inputs stand before the nodes that read them.
    pub nodes: Vec<Node>,
}

/// Settings that the meaning of a plan depends on; they are fixed when the plan is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSettings {
    /// `table.local-time-zone`: an IANA zone or an offset such as `+08:00`.
    pub time_zone: String,
    /// `pipeline.max-parallelism`: the number of key groups.
    pub key_groups: u16,
    /// `table.exec.mini-batch.*`, if it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mini_batch: Option<MiniBatch>,
}

/// How long updating operators may hold back changes, to emit fewer of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiniBatch {
    /// Longest wait, ms.
    pub latency_ms: u64,
    /// Most rows that wait.
    pub size: u64,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            key_groups: tidegate_types::key_group::DEFAULT_KEY_GROUPS,
            mini_batch: None,
        }
    }
}

/// One operator of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Stable id.
    pub id: OperatorId,
    /// What people see: `WindowAggregate(page, country)`.
    pub name: String,
    /// What it computes.
    #[serde(flatten)]
    pub operator: Operator,
    /// Where its rows come from.
    pub inputs: Vec<Input>,
    /// Output columns.
    pub schema: Schema,
    /// Changes that its output carries.
    #[serde(default)]
    pub changelog: ChangelogMode,
    /// Columns whose values no two rows of the output share at a time; what updates of an upsert stream
    /// are by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upsert_key: Option<Vec<usize>>,
    /// How long state of each input is kept after its last use, in ms of the clock; 0 is for ever. Empty:
    /// for ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state_ttl_ms: Vec<u64>,
    /// Parallelism set for this operator (`scan.parallelism`, `sink.parallelism`), else the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
}

/// An input of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Index of the producing node in [`StreamGraph::nodes`].
    pub node: usize,
    /// How rows travel.
    pub exchange: Exchange,
}

/// How rows travel from the subtasks of one node to those of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exchange {
    /// Subtask i to subtask i; the two may be chained. Where parallelisms differ it becomes `Rebalance`, or
    /// `Hash` for rows that may be taken back.
    Forward,
    /// By key group of the hash of these columns.
    Hash {
        /// Columns.
        keys: Vec<usize>,
    },
    /// Round robin.
    Rebalance,
    /// Everything to everyone.
    Broadcast,
    /// Everything to subtask 0; the reading node runs with parallelism 1.
    Single,
}

impl StreamGraph {
    /// Checks what every consumer of a graph relies on: inputs stand before their readers, exist,
    /// and keys are columns of the producing node.
    ///
    /// # Errors
    /// `INTERNAL` with the node that breaks a rule.
    pub fn validate(&self) -> Result<()> {
        let mut ids = std::collections::BTreeSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let fail = |what: &str| {
                Err(Error::internal(format!("plan node {index} ({}) {what}", node.name)))
            };
            if !ids.insert(node.id) {
                return fail("has the operator id of another node");
            }
            for input in &node.inputs {
                if input.node >= index {
                    return fail("reads a node that does not stand before it");
                }
                if let Exchange::Hash { keys } = &input.exchange
                    && keys.iter().any(|key| *key >= self.nodes[input.node].schema.len())
                {
                    return fail("partitions by a column that its input does not have");
                }
            }
            let expected = match node.operator {
                Operator::Source(_) | Operator::Values(_) => node.inputs.is_empty(),
                Operator::Union => !node.inputs.is_empty(),
                Operator::MultiJoin(ref join) => {
                    (2..=MAX_MULTI_JOIN_INPUTS).contains(&node.inputs.len())
                        && node.inputs.len() == join.keys.len()
                }
                ref operator if operator.is_binary() => node.inputs.len() == 2,
                _ => node.inputs.len() == 1,
            };
            if !expected {
                return fail("has the wrong number of inputs");
            }
        }
        Ok(())
    }

    /// Indices of the nodes that read node `index`, ascending.
    pub fn consumers(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, node)| node.inputs.iter().any(|input| input.node == index))
            .map(|(consumer, _)| consumer)
    }
}
