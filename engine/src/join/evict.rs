//! Rows of a side that are not needed any more, and the room of those that are gone.

use arrow::array::RecordBatch;
use tidegate_types::Result;

use super::rows::{CHUNK_ROWS, NONE, RowId};
use super::side::{Gone, Side};
use crate::keys::hash::hash_columns;

/// Chunks that one compaction makes.
const MERGES: usize = 4;

impl Side {
    /// The first row of a chunk.
    pub(super) fn first_of(place: u32) -> RowId {
        place * CHUNK_ROWS as u32
    }

    /// Live rows of a chunk.
    pub(super) fn live_of(&self, place: u32) -> Vec<RowId> {
        let len = self.rows.chunk(place).map_or(0, |chunk| chunk.len()) as u32;
        let first = Self::first_of(place);
        (first..first + len).filter(|row| self.links.is_live(*row)).collect()
    }

    /// Hashes of some columns of all rows of a chunk.
    pub(super) fn hashes_of(&self, place: u32, columns: &[usize]) -> Result<Vec<u64>> {
        let mut hashes = Vec::new();
        for piece in self.rows.content(place)? {
            let mut of_piece = Vec::new();
            hash_columns(&piece, columns, &mut of_piece)?;
            hashes.append(&mut of_piece);
        }
        Ok(hashes)
    }

    fn identities_of(&self, place: u32) -> Result<Vec<u64>> {
        match &self.spec.identity {
            Some(columns) => self.hashes_of(place, columns),
            None => Ok(Vec::new()),
        }
    }

    /// When the first chunk expires.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.expiring.first_key_value().map(|(expires, _)| *expires)
    }

    /// Forgets the chunks that have expired at a time.
    ///
    /// # Errors
    /// `UNSUPPORTED` never: the columns were hashed before.
    pub(super) fn evict(&mut self, until: i64) -> Result<()> {
        while let Some(entry) = self.expiring.first_entry().filter(|entry| *entry.key() <= until) {
            for place in entry.remove() {
                self.forget(place)?;
            }
        }
        Ok(())
    }

    /// Forgets chunks that were not used since a time of the clock.
    ///
    /// # Errors
    /// As [`Side::evict`].
    pub(super) fn evict_unused(&mut self, since: i64) -> Result<()> {
        let unused = self.rows.iter().filter(|(_, chunk)| chunk.touched <= since);
        for place in unused.map(|(place, _)| place).collect::<Vec<_>>() {
            self.forget(place)?;
        }
        Ok(())
    }

    /// Forgets a chunk with its rows.
    fn forget(&mut self, place: u32) -> Result<()> {
        let hashes = self.hashes_of(place, &self.spec.keys)?;
        let identities = self.identities_of(place)?;
        let first = Self::first_of(place);
        let live = self.live_of(place);
        for row in &live {
            let at = (row - first) as usize;
            self.links.remove(*row, || hashes[at]);
            if let Some(by_identity) = &mut self.identities {
                by_identity.remove(*row, || identities[at]);
            }
        }
        self.live -= live.len() as u64;
        self.dead += live.len() as u64;
        if let Some(chunk) = self.rows.chunk(place).filter(|_| self.spec.names_forgotten) {
            let saved = live.iter().map(|row| (row - first) as usize);
            let saved = saved.filter(|at| *at < chunk.saved as usize);
            self.gone.extend(saved.map(|at| Gone {
                number: chunk.numbers.get(at),
                hash: hashes[at],
                expires: i64::MAX,
            }));
        }
        self.close(place);
        Ok(())
    }

    /// Moves the live rows of sparse chunks together, if that is worth it.
    ///
    /// # Errors
    /// As [`super::rows::Rows::open`].
    pub(super) fn compact(&mut self) -> Result<()> {
        if self.dead < self.live.max(CHUNK_ROWS as u64) {
            return Ok(());
        }
        let open: Vec<u32> = self.open.values().copied().collect();
        let sparse = self.rows.iter().filter(|(place, chunk)| {
            (chunk.live as usize) * 2 <= chunk.len() && !open.contains(place)
        });
        let mut sparse: Vec<(i64, u32)> =
            sparse.map(|(place, chunk)| (chunk.expires, place)).collect();
        sparse.sort_unstable();
        let mut rest = sparse.as_slice();
        let mut left = MERGES;
        while let Some((expires, _)) = rest.first().copied().filter(|_| left > 0) {
            left -= 1;
            // As many of one time as fit into one chunk: at least two.
            let (mut count, mut rows) = (0, 0);
            while let Some((other, place)) = rest.get(count)
                && *other == expires
            {
                rows += self.rows.chunk(*place).map_or(0, |chunk| chunk.live as usize);
                if rows > CHUNK_ROWS {
                    break;
                }
                count += 1;
            }
            let places: Vec<u32> = rest[..count].iter().map(|(_, place)| *place).collect();
            self.merge(&places, expires)?;
            rest = &rest[count..];
        }
        Ok(())
    }

    /// Moves the live rows of chunks into one.
    fn merge(&mut self, places: &[u32], expires: i64) -> Result<()> {
        let mut moved: Vec<Moved> = Vec::new();
        let mut touched = i64::MIN;
        for place in places {
            let hashes = self.hashes_of(*place, &self.spec.keys)?;
            let identities = self.identities_of(*place)?;
            let first = Self::first_of(*place);
            let Some(chunk) = self.rows.chunk(*place) else { continue };
            touched = touched.max(chunk.touched);
            moved.extend(self.live_of(*place).into_iter().map(|row| {
                let at = (row - first) as usize;
                Moved {
                    row,
                    hash: hashes[at],
                    identity: identities.get(at).copied().unwrap_or_default(),
                    number: chunk.numbers.get(at),
                    saved: at < chunk.saved as usize,
                }
            }));
        }
        if moved.is_empty() {
            places.iter().for_each(|place| self.close(*place));
            return Ok(());
        }
        // What a snapshot holds comes first.
        moved.sort_by_key(|moved| !moved.saved);
        let rows: Vec<RowId> = moved.iter().map(|moved| moved.row).collect();
        let numbers: Vec<u64> = moved.iter().map(|moved| moved.number).collect();
        let kept: RecordBatch = crate::texts::own(&self.rows.gather_rows(&rows)?)?;
        let place = self.new_chunk(expires, touched)?;
        if let Some(chunk) = self.rows.chunk_mut(place) {
            chunk.numbers = super::rows::Numbers::Each(Vec::new());
            chunk.saved = moved.iter().filter(|moved| moved.saved).count() as u32;
        }
        self.rows.append(place, &kept, &numbers)?;
        for (to, moved) in (Self::first_of(place)..).zip(&moved) {
            self.links.replace(moved.row, to, || moved.hash);
            if let Some(identities) = &mut self.identities {
                identities.replace(moved.row, to, || moved.identity);
            }
            self.carry(moved.row, to);
        }
        self.dead += moved.len() as u64;
        places.iter().for_each(|place| self.close(*place));
        Ok(())
    }

    /// What is known of a row goes with it to another place.
    fn carry(&mut self, from: RowId, to: RowId) {
        debug_assert!(from != NONE && to != NONE);
        let (from, to) = (from as usize, to as usize);
        if self.spec.counted {
            self.counts[to] = self.counts[from];
            let changed = self.changed[from / 64] >> (from % 64) & 1;
            self.changed[to / 64] &= !(1 << (to % 64));
            self.changed[to / 64] |= changed << (to % 64);
        }
        if self.spec.timed {
            self.times[to] = self.times[from];
        }
    }
}

struct Moved {
    row: RowId,
    hash: u64,
    identity: u64,
    number: u64,
    saved: bool,
}

#[cfg(test)]
impl Side {
    /// Every live row is where its hashes lead, and nothing else is.
    pub(super) fn check(&self) {
        let mut live = 0;
        for (place, chunk) in self.rows.iter() {
            let hashes = self.hashes_of(place, &self.spec.keys).unwrap();
            let identities = self.identities_of(place).unwrap();
            let rows = self.live_of(place);
            assert_eq!(rows.len(), chunk.live as usize);
            live += rows.len() as u64;
            for row in rows {
                let at = (row - Self::first_of(place)) as usize;
                let found = |links: &super::links::Links, hash: u64| {
                    let mut next = links.first(hash);
                    while next != NONE && next != row {
                        next = links.next(next);
                    }
                    next == row
                };
                assert!(!self.links.is_linked(row) || found(&self.links, hashes[at]));
                if let Some(links) = &self.identities {
                    assert!(found(links, identities[at]), "{row} is not found");
                }
            }
        }
        assert_eq!(live, self.live);
    }
}
