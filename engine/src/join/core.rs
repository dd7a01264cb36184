//! What regular and interval joins share: a batch of one side is looked up among the kept rows of the other, pairs come
//! out, and the batch is kept for rows of the other side to come.
//!
//! A batch is worked through in blocks of candidate pairs, so that a key with many rows on both sides takes neither
//! memory nor a long call. The other side does not change meanwhile but for the numbers of partners, which follow the
//! order of the changes: what comes out of a batch is what Flink emits for its rows one after the other, without the
//! rows that the batch itself adds and takes back.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use tidegate_plan::operator::JoinKind;
use tidegate_plan::{ChangelogMode, RowKind, Updates};
use tidegate_types::{Error, Result, Watermark};

use super::changes::{InputMode, Steps};
use super::clock::{NO_TIME, RowClock, partner_times};
use super::emission::{Emission, Layout};
use super::residual::{Pairs, Residual, without_partner};
use super::rows::{NONE, RowId, batch};
use super::side::{New, Side};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::Output;

/// Blocks that one call works through.
const BLOCKS: usize = 4;

/// The two sides, and what is under way between them.
pub(super) struct Core {
    pub(super) kind: JoinKind,
    pub(super) changelog: ChangelogMode,
    /// By side.
    pub(super) modes: [InputMode; 2],
    pub(super) null_safe: Vec<bool>,
    pub(super) sides: [Side; 2],
    pub(super) residual: Residual,
    pub(super) layout: Layout,
    /// When rows happen, and until when they are kept.
    pub(super) clock: RowClock,
    /// Whether rows come out without a partner only when none can come any more.
    pub(super) waits: bool,
    /// Whether rows are kept, by side.
    pub(super) keeps: [bool; 2],
    /// The watermark, or the clock.
    pub(super) now: Watermark,
    pub(super) work: Option<Work>,
}

/// A batch that is being joined.
pub(super) struct Work {
    input: usize,
    steps: Steps,
    columns: Vec<ArrayRef>,
    hashes: Vec<u64>,
    loose: Option<Vec<bool>>,
    /// When rows happened, and when they can be forgotten.
    times: Vec<i64>,
    expiry: Vec<i64>,
    /// First rows of the chains.
    heads: Vec<RowId>,
    /// Partners found so far.
    matched: Vec<u32>,
    /// The step whose chain is walked, and the next row in it.
    step: usize,
    at: RowId,
    /// Steps before this one are finished.
    finished: usize,
    now_ms: i64,
}

impl Core {
    /// Takes a batch of an input: rows with the columns that the side keeps.
    ///
    /// # Errors
    /// As [`Steps::of`].
    pub(super) fn begin(&mut self, input: usize, changes: Changes, now_ms: i64) -> Result<()> {
        let side = &self.sides[input];
        let steps = Steps::of(changes, side, self.modes[input])?;
        let (times, expiry) = self.clock.times(input, &steps.rows, now_ms)?;
        let columns = steps.rows.columns().to_vec();
        let mut hashes = Vec::new();
        hash_columns(&steps.rows, &side.spec.keys, &mut hashes)?;
        let loose = without_partner(&columns, &side.spec.keys, &self.null_safe);
        let other = &self.sides[1 - input].links;
        let mut heads: Vec<RowId> = match &loose {
            None => hashes.iter().map(|hash| other.first(*hash)).collect(),
            Some(loose) => {
                let rows = hashes.iter().zip(loose);
                rows.map(|(hash, loose)| if *loose { NONE } else { other.first(*hash) }).collect()
            }
        };
        // A row without a time has no partner.
        let timeless = times.iter().zip(&mut heads).filter(|(time, _)| **time == NO_TIME);
        timeless.for_each(|(_, head)| *head = NONE);
        let at = heads.first().copied().unwrap_or(NONE);
        self.work = Some(Work {
            input,
            matched: vec![0; heads.len()],
            steps,
            columns,
            hashes,
            loose,
            times,
            expiry,
            heads,
            step: 0,
            at,
            finished: 0,
            now_ms,
        });
        Ok(())
    }

    /// Works on the batch under way; it is kept once it is done.
    ///
    /// # Errors
    /// What the condition fails with.
    pub(super) fn run(&mut self, out: &mut Output) -> Result<()> {
        let mut blocks = 0;
        while blocks < BLOCKS
            && let Some(mut work) = self.work.take()
        {
            let pairs = self.block(&mut work)?;
            let emission = if self.is_plain(&work) {
                work.finished = work.step;
                Emission::inserts(pairs.rows, pairs.others)
            } else {
                self.emissions(&mut work, pairs)
            };
            if !emission.is_empty() {
                let other = &self.sides[1 - work.input].rows;
                emission.flush(work.input, &work.columns, other, &self.layout, out)?;
                blocks += 1;
            }
            if work.step < work.heads.len() {
                self.work = Some(work);
            } else {
                self.keep(&work)?;
            }
        }
        Ok(())
    }

    /// Whether pairs are all that comes out, and all are inserts.
    fn is_plain(&self, work: &Work) -> bool {
        self.kind == JoinKind::Inner && work.steps.kinds.is_none()
    }

    /// The next pairs that pass.
    fn block(&self, work: &mut Work) -> Result<Pairs> {
        let side = &self.sides[1 - work.input];
        let (limit, mut pairs) = (self.layout.batch_rows, Pairs::default());
        let updates_whole = self.changelog.is_upsert() && !work.steps.replaces.is_empty();
        while work.step < work.heads.len() {
            let inside_update =
                updates_whole && work.step > 0 && work.steps.replaces(work.step - 1);
            let full = pairs.rows.len() >= limit && !inside_update;
            if full {
                break;
            }
            let limit = if updates_whole { usize::MAX } else { limit };
            let mut at = work.at;
            match self.clock.interval() {
                None => {
                    while at != NONE && pairs.rows.len() < limit {
                        pairs.rows.push(work.step as u32);
                        pairs.others.push(at);
                        at = side.links.next(at);
                    }
                }
                Some(interval) => {
                    let (from, to) = partner_times(work.input, work.times[work.step], interval);
                    while at != NONE && pairs.rows.len() < limit {
                        let time = side.times[at as usize];
                        let over = partner_times(1 - work.input, time, interval).1 <= self.now;
                        if from <= time && time <= to && !over {
                            pairs.rows.push(work.step as u32);
                            pairs.others.push(at);
                        }
                        at = side.links.next(at);
                    }
                }
            }
            work.at = at;
            if at == NONE {
                work.step += 1;
                work.at = work.heads.get(work.step).copied().unwrap_or(NONE);
            }
        }
        if !pairs.rows.is_empty() && !self.residual.is_nothing() {
            let (input, now_ms) = (work.input, work.now_ms);
            self.residual.filter(input, &work.columns, &side.rows, &mut pairs, now_ms)?;
        }
        Ok(pairs)
    }

    /// What comes out of a block, in order.
    fn emissions(&mut self, work: &mut Work, pairs: Pairs) -> Emission {
        let mut emission = Emission::default();
        let mut rest = pairs.others.as_slice();
        let mut rows = pairs.rows.as_slice();
        let last = work.step.max(rows.last().map_or(0, |row| *row as usize + 1));
        // Partners of the old row of an update, which the new row may have as well.
        let mut before: Option<Vec<RowId>> = None;
        for step in work.finished..last {
            let count = rows.partition_point(|row| *row as usize == step);
            let (partners, behind) = rest.split_at(count);
            (rest, rows) = (behind, &rows[count..]);
            work.matched[step] += count as u32;
            let of_update = self.changelog.is_upsert() && work.steps.replaces(step);
            let stays: Option<Vec<RowId>> = match before.take() {
                Some(old) => Some(old),
                None if of_update => {
                    let next = rows.partition_point(|row| *row as usize <= step + 1);
                    Some(sorted(&rest[..next]))
                }
                None => None,
            };
            for partner in partners {
                let stays =
                    stays.as_ref().is_some_and(|stays| stays.binary_search(partner).is_ok());
                self.pair(work, step, *partner, stays, &mut emission);
            }
            if step < work.step {
                let stays = stays.as_ref().map(|stays| !stays.is_empty());
                self.finish(work, step, stays, &mut emission);
                work.finished = step + 1;
            }
            if of_update {
                before = Some(sorted(partners));
            }
        }
        emission
    }

    /// A change of a row with a partner. `stays`: the partner has one of the same update before or behind.
    fn pair(
        &mut self,
        work: &Work,
        step: usize,
        other: RowId,
        stays: bool,
        emission: &mut Emission,
    ) {
        let kind = work.steps.kind(step);
        let adds = RowKind::adds(kind);
        let row = step as u32;
        let side = &mut self.sides[1 - work.input];
        let mut alone = false;
        if side.spec.ttl > 0 && side.spec.counted && !stays {
            side.touch(&[other], work.now_ms);
        }
        if side.spec.counted && !stays {
            let count = side.count(other, |count| {
                if adds { count.saturating_add(1) } else { count.saturating_sub(1) }
            });
            alone = count == u32::from(!adds);
        }
        if stays && !adds {
            return;
        }
        let waits = self.waits;
        match self.kind {
            JoinKind::Semi | JoinKind::Anti => {
                if work.input == 1 && alone && (self.kind == JoinKind::Semi || !waits) {
                    let appears = adds == (self.kind == JoinKind::Semi);
                    let kind = if appears { self.added(kind, false) } else { self.removed(kind) };
                    emission.push(NONE, other, kind);
                }
            }
            _ if adds => {
                if alone && !waits {
                    emission.push(NONE, other, RowKind::Delete as i8);
                }
                emission.push(row, other, self.added(kind, stays));
            }
            _ => {
                emission.push(row, other, self.removed(kind));
                if alone && !waits {
                    emission.push(NONE, other, RowKind::Insert as i8);
                }
            }
        }
    }

    /// A step has met all its partners. `stays`: of an update, whether the other row of it has partners.
    fn finish(&self, work: &Work, step: usize, stays: Option<bool>, emission: &mut Emission) {
        let matched = work.matched[step] > 0;
        let kind = work.steps.kind(step);
        let adds = RowKind::adds(kind);
        let comes_out = match self.kind {
            JoinKind::Semi if work.input == 0 => matched,
            JoinKind::Semi | JoinKind::Inner => false,
            JoinKind::Anti if work.input == 0 => !matched,
            JoinKind::Anti => false,
            kind => {
                !matched && if work.input == 0 { kind.keeps_left() } else { kind.keeps_right() }
            }
        };
        if !comes_out || (!adds && stays == Some(matched)) {
            return;
        }
        if !matched && self.waits && self.is_kept(work, step) {
            return;
        }
        let kind = if adds { self.added(kind, stays == Some(matched)) } else { self.removed(kind) };
        emission.push(step as u32, NONE, kind);
    }

    /// The kind of an output row that is added; `updates`: in place of another of its upsert key.
    fn added(&self, kind: i8, updates: bool) -> i8 {
        let forwards = matches!(self.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Anti);
        match self.changelog.updates {
            Updates::After if updates => RowKind::UpdateAfter as i8,
            Updates::BeforeAndAfter if forwards && RowKind::adds(kind) => kind,
            _ => RowKind::Insert as i8,
        }
    }

    /// The kind of an output row that is taken back.
    fn removed(&self, kind: i8) -> i8 {
        let forwards = matches!(self.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Anti);
        let before = self.changelog.updates == Updates::BeforeAndAfter && forwards;
        if before && !RowKind::adds(kind) { kind } else { RowKind::Delete as i8 }
    }

    /// Whether an added row is kept: rows of the other side may come that it is joined with, or it may
    /// have to be found again.
    fn is_kept(&self, work: &Work, step: usize) -> bool {
        let loose = work.loose.as_ref().is_some_and(|loose| loose[step]);
        let over = work.expiry.get(step).is_some_and(|expiry| *expiry <= self.now);
        self.keeps[work.input] && ((!loose && !over) || self.modes[work.input] == InputMode::Upsert)
    }

    /// Emits inserted rows of a side with NULLs for the other.
    ///
    /// # Errors
    /// `INTERNAL` if a row is gone.
    pub(super) fn emit_alone(&self, side: usize, rows: &[RowId], out: &mut Output) -> Result<()> {
        let layout = &self.layout;
        let mine = self.sides[side].rows.gather(&layout.columns[side], rows)?;
        let nulls = vec![NONE; rows.len()];
        let others = self.sides[1 - side].rows.gather(&layout.columns[1 - side], &nulls)?;
        let (mut columns, right) = if side == 0 { (mine, others) } else { (others, mine) };
        columns.extend(right);
        out.emit(Changes::append(batch(&layout.schema, columns, rows.len())?));
        Ok(())
    }

    /// The batch is done: its side is changed.
    fn keep(&mut self, work: &Work) -> Result<()> {
        let rows = work.heads.len();
        let adds = |step: &u32| {
            RowKind::adds(work.steps.kind(*step as usize)) && self.is_kept(work, *step as usize)
        };
        let kept: Vec<u32> = (0..rows as u32).filter(adds).collect();
        let side = &mut self.sides[work.input];
        if !work.steps.kept.is_empty() {
            let identity = side.spec.identity.clone().unwrap_or_default();
            let mut identities = Vec::new();
            hash_columns(&work.steps.rows, &identity, &mut identities)?;
            for (step, place) in work.steps.kept.iter().enumerate() {
                if *place != NONE {
                    side.remove(*place, work.hashes[step], identities[step]);
                }
            }
        }
        if kept.len() == rows {
            let new = New {
                hashes: &work.hashes,
                loose: work.loose.as_deref(),
                counts: &work.matched,
                expiry: &work.expiry,
                times: &work.times,
                numbers: &[],
                now: work.now_ms,
            };
            side.add(&work.steps.rows, new)?;
        } else if !kept.is_empty() {
            side.add_some(work, kept)?;
        }
        side.compact()?;
        #[cfg(test)]
        side.check();
        Ok(())
    }
}

fn sorted(rows: &[RowId]) -> Vec<RowId> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows
}

impl Side {
    /// Keeps some of the rows of a batch.
    fn add_some(&mut self, work: &Work, kept: Vec<u32>) -> Result<()> {
        fn some<T: Copy>(values: &[T], kept: &[u32]) -> Vec<T> {
            let has = !values.is_empty();
            kept.iter().filter(|_| has).map(|row| values[*row as usize]).collect()
        }
        let loose = work.loose.as_ref().map(|loose| some(loose, &kept));
        let new = New {
            hashes: &some(&work.hashes, &kept),
            loose: loose.as_deref().filter(|loose| loose.contains(&true)),
            counts: &some(&work.matched, &kept),
            expiry: &some(&work.expiry, &kept),
            times: &some(&work.times, &kept),
            numbers: &[],
            now: work.now_ms,
        };
        let rows: RecordBatch = take_record_batch(&work.steps.rows, &UInt32Array::from(kept))
            .map_err(|error| Error::internal(error.to_string()))?;
        self.add(&rows, new).map(drop)
    }
}
