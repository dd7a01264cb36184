//! What a coordinator's machine keeps while its processes come and go: a disk with the log, a folder of snapshots, and a
//! clock that is wrong.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_coordinator::raft::disk::{Disk, Trouble, Unsynced};
use tidegate_coordinator::raft::snapshots::SnapshotFiles;

use crate::random::Random;

/// A machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) disk: Disk,
    pub(crate) files: Files,
    /// By how many milliseconds its wall clock is ahead.
    pub(crate) ahead: Arc<AtomicI64>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { disk: Disk::empty(), files: Files::default(), ahead: Arc::default() }
    }

    /// The disk as it is after the process was killed: everything that was written is there.
    pub(crate) fn killed(&mut self) {
        let bytes = self.disk.bytes();
        self.disk.freeze();
        self.disk = Disk::with(bytes, Trouble::None);
        self.files = self.files.copy();
    }

    /// The disk as it is after a power cut: what was not synced is there, or not, or in part.
    pub(crate) fn lost_power(&mut self, random: &mut Random) {
        let unsynced = match random.below(4) {
            0 => Unsynced::Kept,
            1 => Unsynced::Lost,
            2 => Unsynced::Torn(random.next()),
            _ => Unsynced::Reordered(random.next()),
        };
        let bytes = self.disk.after_power_cut(unsynced);
        self.disk.freeze();
        self.disk = Disk::with(bytes, Trouble::None);
        self.files = self.files.durable();
    }
}

#[derive(Debug, Clone, Default)]
struct Folder {
    seen: BTreeMap<String, Vec<u8>>,
    durable: BTreeMap<String, Vec<u8>>,
}

/// A folder of snapshots; what was not synced is lost with the power.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(Arc<Mutex<Folder>>);

impl Files {
    fn lock(&self) -> MutexGuard<'_, Folder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    fn durable(&self) -> Self {
        let durable = self.lock().durable.clone();
        Self(Arc::new(Mutex::new(Folder { seen: durable.clone(), durable })))
    }
}

impl SnapshotFiles for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().seen.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.lock().seen.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.lock().seen.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut folder = self.lock();
        let bytes = folder.seen.remove(from).ok_or(io::ErrorKind::NotFound)?;
        folder.seen.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().seen.remove(name);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut folder = self.lock();
        folder.durable = folder.seen.clone();
        Ok(())
    }
}
