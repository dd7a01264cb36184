//! A disk in memory that loses its power or fails when a test or a simulation wants it to.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What becomes of writes that were not synced when the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// None is there.
    Lost,
    /// All are there.
    Kept,
    /// Some sectors of some are there; the seed says which.
    Torn(u64),
    /// All but the first few are there: later writes overtook them.
    Reordered(u64),
}

/// What goes wrong, and at which operation (writes, changes of length and syncs are counted from 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// From this operation on nothing is done any more.
    PowerCut(usize),
    /// This operation answers with an error; later ones work.
    Error(usize),
    /// Syncs say that they are done and do nothing, and the power fails at this operation.
    Lie(usize),
}

/// Handles to one disk are clones.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What is on the platters.
    synced: Vec<u8>,
    /// What readers see.
    seen: Vec<u8>,
    /// What came after the last sync, in order.
    unsynced: Vec<Operation>,
    operations: usize,
    trouble: Trouble,
}

#[derive(Debug, Clone)]
enum Operation {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Disk {
    /// A disk with nothing on it.
    pub fn empty() -> Self {
        Self::with(Vec::new(), Trouble::None)
    }

    /// A disk with these bytes that will have this trouble.
    pub fn with(bytes: Vec<u8>, trouble: Trouble) -> Self {
        let (seen, unsynced) = (bytes.clone(), Vec::new());
        Self(Arc::new(Mutex::new(State { synced: bytes, seen, unsynced, operations: 0, trouble })))
    }

    /// How many operations there were.
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// The next operation fails.
    pub fn fail_next(&self) {
        let mut state = self.lock();
        state.trouble = Trouble::Error(state.operations);
    }

    /// Whether the operation has come that was to fail.
    pub fn has_failed(&self) -> bool {
        let state = self.lock();
        matches!(state.trouble, Trouble::Error(at) if state.operations > at)
    }

    /// From now on nothing is done any more: whoever has the disk open is dead.
    pub fn freeze(&self) {
        let mut state = self.lock();
        state.trouble = Trouble::PowerCut(state.operations);
        state.operations += 1;
    }

    /// What is seen now.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().seen.clone()
    }

    /// What is there when the power comes back.
    pub fn after_power_cut(&self, unsynced: Unsynced) -> Vec<u8> {
        let state = self.lock();
        let mut bytes = state.synced.clone();
        let count = state.unsynced.len();
        for (n, operation) in state.unsynced.iter().enumerate() {
            match unsynced {
                Unsynced::Lost => {}
                Unsynced::Kept => operation.apply(&mut bytes, |_| true),
                Unsynced::Torn(seed) => {
                    operation.apply(&mut bytes, |sector| mix(seed, n, sector).is_multiple_of(2));
                }
                Unsynced::Reordered(seed) => {
                    let overtaken = mix(seed, 0, 0) as usize % (count + 1);
                    operation.apply(&mut bytes, |_| n >= overtaken);
                }
            }
        }
        bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that looks random and is the same every time.
fn mix(seed: u64, a: usize, b: usize) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (a as u64) << 32 ^ b as u64;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Cuts bytes, or appends zeros, many at a time.
fn resize(bytes: &mut Vec<u8>, length: usize) {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.truncate(length);
    while bytes.len() < length {
        let some = (length - bytes.len()).min(ZEROS.len());
        bytes.extend_from_slice(&ZEROS[..some]);
    }
}

impl Operation {
    /// Does the operation on those sectors that are kept.
    fn apply(&self, bytes: &mut Vec<u8>, kept: impl Fn(usize) -> bool) {
        match self {
            Self::Length(length) => {
                if kept(0) {
                    resize(bytes, *length);
                }
            }
            Self::Write(offset, data) => {
                let (mut at, mut rest) = (*offset, data.as_slice());
                while !rest.is_empty() {
                    let (piece, left) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                    let end = at + piece.len();
                    if kept(at / SECTOR) {
                        if bytes.len() < end {
                            resize(bytes, end);
                        }
                        bytes[at..end].copy_from_slice(piece);
                    }
                    (at, rest) = (end, left);
                }
            }
        }
    }
}

impl State {
    fn step(&mut self, operation: Option<Operation>) -> io::Result<()> {
        let now = self.operations;
        self.operations += 1;
        let failed = || io::Error::other("the disk fails");
        match self.trouble {
            Trouble::PowerCut(at) | Trouble::Lie(at) if now > at => return Err(failed()),
            Trouble::Error(at) if now == at => return Err(failed()),
            _ => {}
        }
        match operation {
            // The very write that the power fails in may be there in part; a sync that it fails in has done nothing.
            Some(operation) => {
                operation.apply(&mut self.seen, |_| true);
                self.unsynced.push(operation);
            }
            None if self.trouble == Trouble::PowerCut(now) => {}
            None if matches!(self.trouble, Trouble::Lie(_)) => {}
            None => {
                for operation in self.unsynced.drain(..) {
                    operation.apply(&mut self.synced, |_| true);
                }
            }
        }
        if self.trouble == Trouble::PowerCut(now) { Err(failed()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        let from = offset as usize;
        let bytes = state.seen.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.lock().step(Some(Operation::Length(len as usize)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.lock().step(None)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.lock().step(Some(Operation::Write(offset as usize, data.to_vec())))
    }
}
