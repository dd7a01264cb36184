//! Subtasks of an operator under test: rows come to them by key group, their output is replayed,
//! snapshots are copied while rows go on, and subtasks are restored from them and given again what came
//! since, as after a crash.

use std::sync::Arc;

use tidegate_types::{KeyGroupRange, MIN_WATERMARK, Watermark, key_group};

use super::stored::copy;
use super::{Random, Replay, Stored};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::memory::MemoryBudget;
use crate::metrics::OperatorMetrics;
use crate::operator::{
    Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};
use crate::spill::SpillFolder;

/// Key groups of the jobs under test.
pub(crate) const GROUPS: u16 = 16;
/// The key groups of two subtasks.
const HALVES: [KeyGroupRange; 2] =
    [KeyGroupRange { start: 0, end: 5 }, KeyGroupRange { start: 5, end: GROUPS }];
/// The key groups of three subtasks.
const THIRDS: [KeyGroupRange; 3] = [
    KeyGroupRange { start: 0, end: 4 },
    KeyGroupRange { start: 4, end: 11 },
    KeyGroupRange { start: 11, end: GROUPS },
];

/// What an operator of a subtask learns.
pub(crate) fn context(owned: KeyGroupRange, watermark: Watermark) -> OperatorContext {
    OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: GROUPS,
        owned,
        watermark,
        batch_rows: 7,
        metrics: Arc::new(OperatorMetrics::default()),
        memory: MemoryBudget::unlimited(),
        spill: SpillFolder::new(&std::env::temp_dir()),
    }
}

type Make<'a> = Box<dyn Fn() -> Box<dyn Operator> + 'a>;

/// What happened since a barrier.
#[derive(Clone)]
enum Event {
    Feed(usize, Changes),
    Watermark(Watermark),
    Advance(i64),
    Flush,
}

/// How things stood at the last barrier, and what has happened since.
struct Barrier {
    replay: Replay,
    now: i64,
    watermark: Watermark,
    since: Vec<Event>,
    /// By subtask, what is still being copied.
    copying: Vec<Vec<TableSnapshot>>,
}

/// Subtasks of an operator.
pub(crate) struct Subject<'a> {
    make: Make<'a>,
    /// Key columns by input; none: everything goes to the first subtask.
    routes: Vec<Option<Vec<usize>>>,
    tables: &'static [&'static str],
    subtasks: Vec<(Box<dyn Operator>, KeyGroupRange)>,
    stored: Stored,
    /// What came out.
    pub(crate) replay: Replay,
    /// The clock, ms.
    pub(crate) now: i64,
    watermark: Watermark,
    fresh: bool,
    barrier: Option<Barrier>,
    memory: Arc<MemoryBudget>,
}

impl<'a> Subject<'a> {
    /// One subtask of the operator, whose inputs are partitioned by `routes` and whose state tables are
    /// `tables`.
    pub(crate) fn new(
        make: impl Fn() -> Box<dyn Operator> + 'a,
        routes: Vec<Option<Vec<usize>>>,
        tables: &'static [&'static str],
        replay: Replay,
    ) -> Self {
        let mut subject = Self {
            make: Box::new(make),
            routes,
            tables,
            subtasks: Vec::new(),
            stored: Stored::default(),
            replay,
            now: 1_700_000_000_000,
            watermark: MIN_WATERMARK,
            fresh: true,
            barrier: None,
            memory: MemoryBudget::unlimited(),
        };
        subject.start(KeyGroupRange::all(GROUPS));
        subject
    }

    /// The same with so many bytes for the state.
    pub(crate) fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = MemoryBudget::new(bytes);
        self.subtasks.clear();
        self.start(KeyGroupRange::all(GROUPS));
        self
    }

    fn start(&mut self, owned: KeyGroupRange) {
        let mut operator = (self.make)();
        let memory = self.memory.clone();
        operator.open(&OperatorContext { memory, ..context(owned, self.watermark) }).unwrap();
        self.subtasks.push((operator, owned));
    }

    /// Rows of an input.
    pub(crate) fn feed(&mut self, input: usize, changes: &Changes) {
        self.note(Event::Feed(input, changes.clone()));
        let mut hashes = vec![0; changes.len()];
        if let Some(keys) = &self.routes[input] {
            hash_columns(&changes.rows, keys, &mut hashes).unwrap();
        }
        for index in 0..self.subtasks.len() {
            let owned = self.subtasks[index].1;
            let mine =
                |row: &u32| owned.contains(key_group::key_group(hashes[*row as usize], GROUPS));
            let rows: Vec<u32> = match (&self.routes[input], self.subtasks.len()) {
                (Some(_), 2..) => (0..changes.len() as u32).filter(mine).collect(),
                _ => (0..changes.len() as u32).collect(),
            };
            let part = changes.take(&rows.into()).unwrap();
            if !part.is_empty() {
                self.act(index, |operator, out| operator.process(input, part, out).unwrap());
            }
        }
    }

    fn act(&mut self, index: usize, act: impl FnOnce(&mut dyn Operator, &mut Output)) {
        let mut out = Output::new(self.now);
        let operator = self.subtasks[index].0.as_mut();
        act(operator, &mut out);
        while operator.drain(&mut out).unwrap() == Progress::More {}
        out.take().iter().for_each(|changes| self.replay.apply(changes));
        if let Some(tables) = self.barrier.as_mut().and_then(|b| b.copying.get_mut(index)) {
            copy(self.subtasks[index].0.as_mut(), 2, tables);
        }
    }

    fn note(&mut self, event: Event) {
        if let Some(barrier) = &mut self.barrier {
            barrier.since.push(event);
        }
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Operator, &mut Output)) {
        (0..self.subtasks.len()).for_each(|index| self.act(index, &mut act));
    }

    /// Event time advances.
    pub(crate) fn watermark(&mut self, watermark: Watermark) {
        self.note(Event::Watermark(watermark));
        self.watermark = watermark;
        self.each(|operator, out| operator.watermark(watermark, out).unwrap());
    }

    /// The clock advances; timers that are due run.
    pub(crate) fn advance(&mut self, ms: i64) {
        self.note(Event::Advance(ms));
        self.now += ms;
        let now = self.now;
        self.each(|operator, out| {
            if operator.next_timer().is_some_and(|at| at <= now) {
                operator.timer(out).unwrap();
            }
        });
    }

    /// What is buffered goes out.
    pub(crate) fn flush(&mut self) {
        self.note(Event::Flush);
        self.each(|operator, out| operator.before_barrier(out).unwrap());
    }

    /// A checkpoint, of random kind, which is copied while things go on.
    pub(crate) fn checkpoint(&mut self, random: &mut Random) {
        self.flush();
        self.finish_copying();
        let mut copying = Vec::new();
        for (index, (operator, _)) in self.subtasks.iter_mut().enumerate() {
            let request = if self.stored.has_files(index) || self.fresh {
                self.stored.request(index, self.tables, random)
            } else {
                SnapshotRequest::full()
            };
            copying.push(operator.snapshot(&request).unwrap());
        }
        self.fresh = false;
        let (now, watermark) = (self.now, self.watermark);
        let (replay, since) = (self.replay.clone(), Vec::new());
        self.barrier = Some(Barrier { replay, now, watermark, since, copying });
    }

    fn finish_copying(&mut self) {
        let Some(barrier) = &mut self.barrier else { return };
        for (index, mut tables) in std::mem::take(&mut barrier.copying).into_iter().enumerate() {
            while !copy(self.subtasks[index].0.as_mut(), 3, &mut tables) {}
            self.stored.finish(index, tables, barrier.watermark);
        }
    }

    /// A crash after the last checkpoint was copied: new subtasks that share the key groups are given again
    /// what came since.
    pub(crate) fn restart(&mut self, owned: &[KeyGroupRange]) {
        self.finish_copying();
        let barrier = self.barrier.take().expect("there was a checkpoint");
        (self.replay, self.now, self.watermark) =
            (barrier.replay.clone(), barrier.now, barrier.watermark);
        self.subtasks.clear();
        self.stored.end_run();
        for owned in owned {
            self.start(*owned);
            let alone = *owned == KeyGroupRange::all(GROUPS);
            if let Some((operator, _)) = self.subtasks.last_mut() {
                self.stored.restore(operator.as_mut(), *owned, alone);
            }
        }
        let since = barrier.since.clone();
        self.barrier = Some(Barrier { since: Vec::new(), ..barrier });
        for event in since {
            match event {
                Event::Feed(input, changes) => self.feed(input, &changes),
                Event::Watermark(watermark) => self.watermark(watermark),
                Event::Advance(ms) => self.advance(ms),
                Event::Flush => self.flush(),
            }
        }
    }

    /// A checkpoint now and then, and now and then subtasks are restored, also in other numbers.
    pub(crate) fn disturb(&mut self, random: &mut Random) {
        if random.below(3) == 0 {
            self.checkpoint(random);
        }
        if random.below(9) == 0 && self.barrier.is_some() {
            let parallel = self.routes.iter().all(Option::is_some);
            match random.below(4) {
                0 if parallel => self.restart(&HALVES),
                1 if parallel => self.restart(&THIRDS),
                _ => self.restart(&[KeyGroupRange::all(GROUPS)]),
            }
        }
    }

    /// Bytes on local disk that the operators report.
    pub(crate) fn spilled_bytes(&self) -> usize {
        self.subtasks.iter().map(|(operator, _)| operator.spilled_bytes()).sum()
    }

    /// Rows of state that the operators report.
    pub(crate) fn state_rows(&self) -> u64 {
        self.subtasks.iter().map(|(operator, _)| operator.state_rows()).sum()
    }

    /// Bytes that the operators report.
    pub(crate) fn state_bytes(&self) -> usize {
        self.subtasks.iter().map(|(operator, _)| operator.state_bytes()).sum()
    }
}
