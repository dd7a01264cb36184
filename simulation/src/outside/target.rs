//! Where rows go: a system with transactions. A transaction makes its rows and the marker of its unit visible together;
//! it is refused if another producer has taken its name over since it began.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_runtime::failpoint;
use tidegate_types::{Attempt, Epoch, OperatorId};

use super::service::{Failure, Service};
use crate::trace;

/// A row: partition and number.
pub(crate) type Row = (i32, i64);

/// Whose transactions: lineage, sink, writer.
pub(crate) type Producer = (String, OperatorId, u32);

/// A row that is visible, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Visible {
    pub(crate) row: Row,
    pub(crate) producer: Producer,
    pub(crate) attempt: Attempt,
    pub(crate) epoch: Epoch,
}

#[derive(Debug, Default)]
struct State {
    /// How often each name was taken over.
    generations: BTreeMap<Producer, u64>,
    markers: BTreeMap<Producer, Epoch>,
    visible: Vec<Visible>,
    refused: u64,
}

/// The system; clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    service: Service,
    state: Arc<Mutex<State>>,
}

/// What a transaction writes.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) producer: Producer,
    pub(crate) generation: u64,
    pub(crate) attempt: Attempt,
    pub(crate) epoch: Epoch,
    pub(crate) rows: Vec<Row>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Target {
    pub(crate) fn new(service: Service) -> Self {
        Self { service, state: Arc::default() }
    }

    /// Takes a name over: whoever had it before can commit nothing any more.
    pub(crate) async fn take_over(&self, producer: Producer) -> Result<u64, Failure> {
        let state = self.state.clone();
        let take = move || {
            let mut state = lock(&state);
            let generation = state.generations.entry(producer).or_default();
            *generation += 1;
            *generation
        };
        self.service.call(take).await
    }

    /// The last committed unit of every producer of a sink.
    pub(crate) async fn markers(
        &self,
        sink: OperatorId,
    ) -> Result<BTreeMap<Producer, Epoch>, Failure> {
        let state = self.state.clone();
        let read = move || {
            let state = lock(&state);
            let of_sink = state.markers.iter().filter(|(producer, _)| producer.1 == sink);
            of_sink.map(|(producer, epoch)| (producer.clone(), *epoch)).collect()
        };
        self.service.call(read).await
    }

    /// Commits a transaction; false if another has taken its name over.
    pub(crate) async fn commit(&self, transaction: Transaction) -> Result<bool, Failure> {
        let state = self.state.clone();
        self.service.call(move || lock(&state).commit(transaction)).await
    }

    /// What is visible from a row on.
    pub(crate) fn visible_from(&self, from: usize) -> Vec<Visible> {
        lock(&self.state).visible.get(from..).unwrap_or_default().to_vec()
    }

    /// How many rows are visible.
    pub(crate) fn visible(&self) -> usize {
        lock(&self.state).visible.len()
    }

    /// How many transactions were refused.
    pub(crate) fn refused(&self) -> u64 {
        lock(&self.state).refused
    }
}

impl State {
    fn commit(&mut self, transaction: Transaction) -> bool {
        let Transaction { producer, generation, attempt, epoch, rows } = transaction;
        let (sink, writer) = (producer.1, producer.2);
        let newest = self.generations.get(&producer) == Some(&generation);
        // As if every process had names of its own.
        if !newest && !failpoint::defect("skip-producer-fencing") {
            self.refused += 1;
            trace::line(format!(
                "target refuses the unit of epoch {epoch}, writer {writer} of {sink}, attempt {attempt}"
            ));
            return false;
        }
        trace::line(format!(
            "target shows {} rows of epoch {epoch}, writer {writer} of {sink}, attempt {attempt}",
            rows.len()
        ));
        let visible = |row| Visible { row, producer: producer.clone(), attempt, epoch };
        self.visible.extend(rows.into_iter().map(visible));
        self.markers.insert(producer, epoch);
        true
    }
}
