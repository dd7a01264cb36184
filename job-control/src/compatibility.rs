//! Whether a job can go on from a checkpoint or savepoint of another version of it: what becomes of the
//! state of each operator, and why.

use serde::Serialize;
use tidegate_checkpoint::{Manifest, OperatorState};
use tidegate_plan::StreamGraph;
use tidegate_plan::state_layout::state_layout;
use tidegate_types::{Error, ErrorCode, OperatorId, Result};

/// What becomes of the state of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The operator goes on with it.
    Kept,
    /// The job has the operator, the checkpoint has no state of it: it begins empty.
    New,
    /// The checkpoint has the state, the job has no such operator.
    Dropped,
    /// Both have it, in different forms.
    Incompatible,
}

/// The fate of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorFate {
    /// The operator.
    pub id: OperatorId,
    /// Its name, such as `GroupAggregate(item)`.
    pub name: String,
    /// What becomes of its state.
    pub fate: Fate,
    /// Bytes of its state files in the checkpoint.
    pub state_bytes: u64,
    /// Why, where it is not kept; empty if nothing more can be said.
    pub reason: String,
}

/// How a job fits a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compatibility {
    /// Key groups (`pipeline.max-parallelism`) of the checkpoint.
    pub checkpoint_key_groups: u16,
    /// Key groups of the job: state fits only if they are as many.
    pub job_key_groups: u16,
    /// Operators with state: those of the job in its order, then those that only the checkpoint has.
    pub operators: Vec<OperatorFate>,
}

impl Compatibility {
    /// Compares the state in a checkpoint with what the operators of a plan keep.
    pub fn of(manifest: &Manifest, graph: &StreamGraph) -> Self {
        let mut operators = Vec::new();
        let dropped: Vec<&OperatorState> = manifest
            .operators
            .iter()
            .filter(|state| has_state(state) && !graph.nodes.iter().any(|node| node.id == state.id))
            .collect();
        let mut unclaimed: Vec<&OperatorState> = dropped.clone();
        let mut replaced: Vec<(OperatorId, String)> = Vec::new();
        for node in &graph.nodes {
            let layout = state_layout(node, graph);
            let known = manifest.operator(node.id);
            let state_bytes = known.map_or(0, bytes);
            let add = |fate, reason| OperatorFate {
                id: node.id,
                name: node.name.clone(),
                fate,
                state_bytes,
                reason,
            };
            match known {
                None if layout.is_empty() => {}
                None => {
                    let before = unclaimed.iter().position(|state| state.name == node.name);
                    let before = before.or_else(|| {
                        unclaimed.iter().position(|state| kind(&state.name) == kind(&node.name))
                    });
                    let reason = before.map_or(String::new(), |place| {
                        let state = unclaimed.remove(place);
                        let difference = difference(&state.layout, &layout);
                        replaced.push((state.id, format!("{}: {difference}", node.name)));
                        format!("{} of the checkpoint is another one: {difference}", state.name)
                    });
                    operators.push(add(Fate::New, reason));
                }
                Some(state) if state.layout.is_empty() || state.layout == layout => {
                    if has_state(state) || !layout.is_empty() {
                        operators.push(add(Fate::Kept, String::new()));
                    }
                }
                Some(state) => {
                    let difference = difference(&state.layout, &layout);
                    operators.push(add(Fate::Incompatible, difference));
                }
            }
        }
        for state in dropped {
            let by = replaced.iter().find(|(id, _)| *id == state.id);
            let reason = by.map_or("the job has no such operator".to_owned(), |(_, by)| {
                format!("the job has another one, {by}")
            });
            operators.push(OperatorFate {
                id: state.id,
                name: state.name.clone(),
                fate: Fate::Dropped,
                state_bytes: bytes(state),
                reason,
            });
        }
        Self {
            checkpoint_key_groups: manifest.key_groups,
            job_key_groups: graph.settings.key_groups,
            operators,
        }
    }

    /// The operators with a fate.
    pub fn with(&self, fate: Fate) -> impl Iterator<Item = &OperatorFate> {
        self.operators.iter().filter(move |operator| operator.fate == fate)
    }

    /// Refuses what would lose state: operators that are incompatible; those that are dropped, unless
    /// `may_drop`; another number of key groups. `what` names the checkpoint.
    ///
    /// # Errors
    /// `INCOMPATIBLE` with the operators, the reasons, and what to do.
    pub fn check(&self, what: &str, may_drop: bool) -> Result<()> {
        if self.checkpoint_key_groups != self.job_key_groups {
            let message = format!(
                "{what} has {} key groups, the job {}",
                self.checkpoint_key_groups, self.job_key_groups
            );
            return Err(Error::new(ErrorCode::Incompatible, message).help(format!(
                "set 'pipeline.max-parallelism' to {}",
                self.checkpoint_key_groups
            )));
        }
        let list = |fate| {
            let operators = self.with(fate);
            let lines =
                operators.map(|operator| format!("{} ({})", operator.name, operator.reason));
            lines.collect::<Vec<_>>().join("; ")
        };
        let incompatible = list(Fate::Incompatible);
        if !incompatible.is_empty() {
            let message = format!("{what} has state in another form than this job: {incompatible}");
            return Err(Error::new(ErrorCode::Incompatible, message)
                .help("start without state, or undo that part of the change"));
        }
        let dropped = list(Fate::Dropped);
        if dropped.is_empty() || may_drop {
            return Ok(());
        }
        let message =
            format!("{what} has state of operators that this job does not have: {dropped}");
        Err(Error::new(ErrorCode::Incompatible, message).help(
            "restore a checkpoint of this job, or set 'execution.state-recovery.ignore-unclaimed-state' to true to drop that state",
        ))
    }
}

fn has_state(state: &OperatorState) -> bool {
    let of_subtask = |s: &tidegate_checkpoint::SubtaskState| {
        !s.tables.is_empty() || s.source.is_some() || !s.staged.is_empty()
    };
    state.subtasks.iter().any(of_subtask)
}

fn bytes(state: &OperatorState) -> u64 {
    let tables = state.subtasks.iter().flat_map(|subtask| &subtask.tables);
    tables.flat_map(|table| &table.files).map(|file| file.size).sum()
}

/// `GroupAggregate` of `GroupAggregate(item)`.
fn kind(name: &str) -> &str {
    name.split('(').next().unwrap_or(name)
}

/// How two layouts differ.
fn difference(was: &[String], is: &[String]) -> String {
    if was.is_empty() {
        return "what it kept is not known".to_owned();
    }
    let missing = |from: &[String], in_: &[String]| -> Vec<String> {
        let mut rest: Vec<&String> = in_.iter().collect();
        let mut missing = Vec::new();
        for line in from {
            match rest.iter().position(|known| *known == line) {
                Some(place) => drop(rest.remove(place)),
                None => missing.push(line.clone()),
            }
        }
        missing
    };
    let (gone, added) = (missing(was, is), missing(is, was));
    match (gone.is_empty(), added.is_empty()) {
        (true, true) if was == is => "an input or an expression of it is another".to_owned(),
        (true, true) => "the order of what it keeps is another".to_owned(),
        (true, false) => format!("it now keeps {}", added.join(", ")),
        (false, true) => format!("it kept {}", gone.join(", ")),
        (false, false) => {
            format!("it kept {}, and now keeps {}", gone.join(", "), added.join(", "))
        }
    }
}
