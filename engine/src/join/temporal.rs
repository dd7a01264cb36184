//! The join of each left row with the version of the right row that was valid at the left row's time.
//!
//! A left row waits until the watermark has reached its time: then every version that began by then is there. It is
//! joined with the version of its key that began last, at or before its time; of versions that began at the same time
//! the one that came last counts. A deletion (`-D`) is a version of which there is no row. Old contents (`-U`) say
//! nothing: the next version ends the one before. When the watermark has passed a version, those of its key that began
//! before it are forgotten, and so is a deletion: no left row that is not late can need them.
//!
//! Late left rows are joined at once with what is there, where Flink does it at the next watermark. What a left row's kind
//! is, is that of its output row.
//!
//! State tables `left` and `right` are those of other joins; in place of the number of partners stand the kind of a left
//! row, and 1 for a deletion.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::filter_record_batch;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{JoinKind, TemporalJoin as Plan};
use tidegate_plan::{Node, PlanSettings, RowKind, Updates};
use tidegate_types::{Error, ErrorCode, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::clock::RowClock;
use super::core::Core;
use super::emission::Emission;
use super::regular::{Parts, two};
use super::residual::{Pairs, without_partner};
use super::rows::{NONE, RowId, split};
use super::side::{New, Side};
use super::state::{Keeps, State};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Joins rows with versions.
pub struct TemporalJoin {
    core: Core,
    state: State,
    /// Left rows up to this time are out.
    settled: Watermark,
    due: Option<VecDeque<RowId>>,
    /// Hashes of keys that got a version, by the time at which it begins.
    begun: BTreeMap<i64, Vec<u64>>,
}

impl TemporalJoin {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// What compiling the condition fails with, `INTERNAL` if the plan contradicts itself.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        let inputs = two(inputs)?;
        if !matches!(plan.kind, JoinKind::Inner | JoinKind::Left) {
            return Err(Error::internal("a temporal join is an inner or a left one"));
        }
        let parts = Parts {
            kind: plan.kind,
            on: &plan.on,
            node,
            inputs,
            kept: inputs.map(|input| arrow_schema(&input.schema)),
            clock: RowClock::Version { columns: plan.times },
            names_forgotten: false,
            settings,
        };
        let mut core = parts.core()?;
        for (side, kept) in core.sides.iter_mut().enumerate() {
            let mut spec = kept.spec.clone();
            (spec.identity, spec.counted, spec.removable) = (None, true, true);
            spec.expiring = side == 0;
            spec.ttl = if side == 0 { 0 } else { spec.ttl };
            *kept = Side::new(spec)?;
        }
        let settled = MIN_WATERMARK;
        Ok(Self { core, state: State::default(), settled, due: None, begun: BTreeMap::new() })
    }

    /// Versions that are kept.
    #[cfg(test)]
    pub(super) fn versions(&self) -> u64 {
        self.core.sides[1].live
    }

    /// New versions.
    fn add_versions(&mut self, changes: &Changes, now_ms: i64) -> Result<()> {
        let mut rows = changes.rows.clone();
        let mut kinds: Vec<i8> = (0..changes.len()).map(|row| changes.kind(row)).collect();
        let old = RowKind::UpdateBefore as i8;
        if kinds.contains(&old) {
            let kept = kinds.iter().map(|kind| Some(*kind != old)).collect();
            rows = filter_record_batch(&rows, &kept)
                .map_err(|error| Error::internal(error.to_string()))?;
            kinds.retain(|kind| *kind != old);
        }
        let (times, _) = self.core.clock.times(1, &rows, now_ms)?;
        if times.contains(&super::clock::NO_TIME) {
            let message =
                "the time of a version is NULL; filter such rows out of the versioned table";
            return Err(Error::new(ErrorCode::BadRecord, message));
        }
        let side = &mut self.core.sides[1];
        let mut hashes = Vec::new();
        hash_columns(&rows, &side.spec.keys, &mut hashes)?;
        for (time, hash) in times.iter().zip(&hashes) {
            self.begun.entry(*time).or_default().push(*hash);
        }
        let deletions: Vec<u32> =
            kinds.iter().map(|kind| u32::from(!RowKind::adds(*kind))).collect();
        let new = New {
            hashes: &hashes,
            counts: &deletions,
            times: &times,
            now: now_ms,
            ..New::default()
        };
        side.add(&rows, new)?;
        Ok(())
    }

    /// Left rows that wait, and those that are late.
    fn add_left(&mut self, changes: &Changes, out: &mut Output) -> Result<()> {
        let (times, _) = self.core.clock.times(0, &changes.rows, out.now_ms)?;
        let waits: Vec<bool> = times.iter().map(|time| *time > self.core.now).collect();
        let some = |wanted: bool| -> Result<(RecordBatch, Vec<u32>, Vec<i64>)> {
            let mask = waits.iter().map(|waits| Some(*waits == wanted)).collect();
            let rows = filter_record_batch(&changes.rows, &mask)
                .map_err(|error| Error::internal(error.to_string()))?;
            let places = (0..waits.len()).filter(|row| waits[*row] == wanted);
            let kept: Vec<(u32, i64)> =
                places.map(|row| (changes.kind(row) as u32, times[row])).collect();
            let (kinds, times) = kept.into_iter().unzip();
            Ok((rows, kinds, times))
        };
        let (late, kinds, late_times) = some(false)?;
        if late.num_rows() > 0 {
            self.join(&late, &kinds, &late_times, out)?;
        }
        let (rows, kinds, times) = some(true)?;
        let side = &mut self.core.sides[0];
        let mut hashes = Vec::new();
        hash_columns(&rows, &side.spec.keys, &mut hashes)?;
        let new = New {
            hashes: &hashes,
            loose: Some(&vec![true; rows.num_rows()]),
            counts: &kinds,
            times: &times,
            expiry: &times,
            numbers: &[],
            now: out.now_ms,
        };
        side.add(&rows, new)?;
        Ok(())
    }

    /// Joins left rows whose time has come.
    fn join(
        &mut self,
        rows: &RecordBatch,
        kinds: &[u32],
        times: &[i64],
        out: &mut Output,
    ) -> Result<()> {
        let columns: Vec<ArrayRef> = rows.columns().to_vec();
        let keys = &self.core.sides[0].spec.keys;
        let mut hashes = Vec::new();
        hash_columns(rows, keys, &mut hashes)?;
        let loose = without_partner(&columns, keys, &self.core.null_safe);
        let versions = &self.core.sides[1];
        let mut pairs = Pairs::default();
        for (row, (hash, time)) in hashes.iter().zip(times).enumerate() {
            if loose.as_ref().is_some_and(|loose| loose[row]) {
                continue;
            }
            let mut at = versions.links.first(*hash);
            while at != NONE {
                if versions.times[at as usize] <= *time {
                    pairs.rows.push(row as u32);
                    pairs.others.push(at);
                }
                at = versions.links.next(at);
            }
        }
        let residual = &self.core.residual;
        residual.filter_keys(0, &columns, &versions.rows, &mut pairs)?;
        let mut pairs = versions.valid(&pairs);
        residual.filter_condition(0, &columns, &versions.rows, &mut pairs, out.now_ms)?;
        let mut emission = Emission::default();
        let mut partner = pairs.rows.iter().zip(&pairs.others).peekable();
        for (row, kind) in (0u32..).zip(kinds) {
            let kind = self.kind(*kind as i8);
            if let Some((_, other)) = partner.next_if(|(of, _)| **of == row) {
                emission.push(row, *other, kind);
            } else if self.core.kind == JoinKind::Left {
                emission.push(row, NONE, kind);
            }
        }
        if versions.spec.ttl > 0 {
            self.core.sides[1].touch(&pairs.others, out.now_ms);
        }
        let layout = &self.core.layout;
        emission.flush(0, &columns, &self.core.sides[1].rows, layout, out)
    }

    /// The kind of an output row.
    fn kind(&self, kind: i8) -> i8 {
        match (self.core.changelog.updates, RowKind::adds(kind)) {
            (Updates::None, true) => RowKind::Insert as i8,
            (Updates::None | Updates::After, false) => RowKind::Delete as i8,
            _ => kind,
        }
    }

    /// Joins the next left rows whose time has come; false if there is none.
    fn join_due(&mut self, out: &mut Output) -> Result<bool> {
        let mut due = match self.due.take() {
            Some(due) => due,
            None => self.core.sides[0].rows_between(self.settled, self.core.now),
        };
        let count = due.len().min(self.core.layout.batch_rows);
        let rows: Vec<RowId> = due.drain(..count).collect();
        if rows.is_empty() {
            return Ok(false);
        }
        let side = &self.core.sides[0];
        let content = side.rows.gather_rows(&rows)?;
        let kinds: Vec<u32> = rows.iter().map(|row| side.counts[*row as usize]).collect();
        let times: Vec<i64> = rows.iter().map(|row| side.times[*row as usize]).collect();
        self.join(&content, &kinds, &times, out)?;
        self.due = Some(due);
        Ok(true)
    }

    /// Forgets versions that others have replaced for every left row to come.
    fn forget(&mut self) -> Result<()> {
        let mut hashes = Vec::new();
        while let Some(entry) = self.begun.first_entry().filter(|e| *e.key() <= self.core.now) {
            hashes.append(&mut entry.remove());
        }
        hashes.sort_unstable();
        hashes.dedup();
        let versions = &mut self.core.sides[1];
        let (mut last, mut before) = (Vec::new(), Pairs::default());
        for hash in hashes {
            let passed = versions.passed(hash, self.core.now);
            let Some(newest) = passed.iter().copied().max_by_key(|row| versions.age(*row)) else {
                continue;
            };
            for row in passed.into_iter().filter(|row| *row != newest) {
                before.rows.push(last.len() as u32);
                before.others.push(row);
            }
            last.push((hash, newest));
        }
        let newest: Vec<RowId> = last.iter().map(|(_, row)| *row).collect();
        let keys = versions.rows.gather(&versions.spec.keys, &newest)?;
        let equal = versions.of_keys(&keys, &before)?;
        for (of, row) in equal {
            versions.remove(row, last[of as usize].0, 0);
        }
        for (hash, row) in last {
            if versions.counts[row as usize] == 1 {
                versions.remove(row, hash, 0);
            }
        }
        versions.compact()
    }
}

impl Side {
    /// The order of versions: by the time at which they begin, then as they came.
    fn age(&self, row: RowId) -> (i64, u64) {
        let (place, at) = split(row);
        let number = self.rows.chunk(place as u32).map_or(0, |chunk| chunk.numbers.get(at));
        (self.times[row as usize], number)
    }

    /// Of each row the version that is valid, if that is no deletion.
    fn valid(&self, pairs: &Pairs) -> Pairs {
        let mut valid = Pairs::default();
        let mut from = 0;
        for run in pairs.rows.chunk_by(|a, b| a == b) {
            let others = &pairs.others[from..from + run.len()];
            from += run.len();
            let newest = others.iter().copied().max_by_key(|row| self.age(*row));
            if let Some(newest) = newest.filter(|row| self.counts[*row as usize] == 0) {
                valid.rows.push(run[0]);
                valid.others.push(newest);
            }
        }
        valid
    }

    /// Rows of a chain that happened by a time.
    fn passed(&self, hash: u64, now: i64) -> Vec<RowId> {
        let mut rows = Vec::new();
        let mut at = self.links.first(hash);
        while at != NONE {
            if self.times[at as usize] <= now {
                rows.push(at);
            }
            at = self.links.next(at);
        }
        rows
    }

    /// The pairs of a row of `keys` and a kept row with the same key.
    fn of_keys(&self, keys: &[ArrayRef], pairs: &Pairs) -> Result<Vec<(u32, RowId)>> {
        let all: Vec<usize> = (0..keys.len()).collect();
        let mine = super::residual::take_columns(keys, &all, &pairs.rows)?;
        let kept = self.rows.gather(&self.spec.keys, &pairs.others)?;
        let equal = super::equality::equal_rows(&mine, &kept, pairs.rows.len())?;
        Ok(equal.set_indices().map(|pair| (pairs.rows[pair], pairs.others[pair])).collect())
    }

    /// Rows that happened after one time and by another.
    fn rows_between(&self, after: i64, until: i64) -> VecDeque<RowId> {
        let mut rows = VecDeque::new();
        for (place, _) in self.chunks_until(until) {
            let inside = |row: &RowId| {
                let time = self.times[*row as usize];
                after < time && time <= until
            };
            rows.extend(self.live_of(place).into_iter().filter(inside));
        }
        rows
    }
}

impl Operator for TemporalJoin {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        (self.core.now, self.settled) = (context.watermark, context.watermark);
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
        self.state.restored(&mut self.core)?;
        let versions = &self.core.sides[1];
        for (place, _) in versions.rows.iter() {
            let hashes = versions.hashes_of(place, &versions.spec.keys)?;
            for row in versions.live_of(place) {
                let hash = hashes[(row - Side::first_of(place)) as usize];
                self.begun.entry(versions.times[row as usize]).or_default().push(hash);
            }
        }
        Ok(())
    }

    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if input == 0 {
            self.add_left(&changes, out)?;
        } else {
            self.add_versions(&changes, out.now_ms)?;
        }
        self.state.weigh(&mut self.core)
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.core.now = self.core.now.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.state.next_sweep(&self.core)
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.state.sweep(&mut self.core, out.now_ms)
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        if self.settled >= self.core.now {
            return Ok(Progress::Done);
        }
        if self.join_due(out)? {
            return Ok(Progress::More);
        }
        self.due = None;
        self.settled = self.core.now;
        self.core.sides[0].evict(self.core.now)?;
        self.forget()?;
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
        let begun: usize = self.begun.values().map(|hashes| hashes.capacity() * 8 + 64).sum();
        self.core.memory_size() + begun
    }
}
