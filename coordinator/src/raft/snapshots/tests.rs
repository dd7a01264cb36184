//! Tests of snapshots on disk: crashes at every step, damage, and what is kept.

use std::collections::BTreeMap;

use openraft::CommittedLeaderId;

use super::*;
use crate::raft::types::{LogId, StoredMembership};

/// A folder in memory that loses its power when a test wants it to. What is in a file is synced by its write; what the
/// folder says is synced by [`SnapshotFiles::sync`].
#[derive(Debug, Default)]
struct Memory(Mutex<Disk>);

#[derive(Debug, Default, Clone)]
struct Disk {
    synced: BTreeMap<String, Vec<u8>>,
    seen: BTreeMap<String, Vec<u8>>,
    steps: usize,
    power_cut: Option<usize>,
}

impl Memory {
    fn with(files: BTreeMap<String, Vec<u8>>, power_cut: Option<usize>) -> Arc<Self> {
        let (synced, seen) = (files.clone(), files);
        Arc::new(Self(Mutex::new(Disk { synced, seen, steps: 0, power_cut })))
    }

    fn disk(&self) -> Disk {
        self.0.lock().unwrap().clone()
    }

    /// Counts a step; the one in which the power fails is done by halves, later ones not at all.
    fn step(&self, act: impl FnOnce(&mut Disk, bool)) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let now = disk.steps;
        disk.steps += 1;
        match disk.power_cut {
            Some(at) if now > at => Err(io::Error::other("no power")),
            Some(at) if now == at => {
                act(&mut disk, false);
                Err(io::Error::other("no power"))
            }
            _ => {
                act(&mut disk, true);
                Ok(())
            }
        }
    }
}

impl SnapshotFiles for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().seen.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.lock().unwrap().seen.get(name).cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step(|disk, whole| {
            let bytes = if whole { bytes } else { &bytes[..bytes.len() / 2] };
            disk.seen.insert(name.to_owned(), bytes.to_vec());
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step(|disk, _| {
            let bytes = disk.seen.remove(from).unwrap();
            disk.seen.insert(to.to_owned(), bytes);
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step(|disk, _| drop(disk.seen.remove(name)))
    }

    fn sync(&self) -> io::Result<()> {
        self.step(|disk, whole| {
            if whole {
                disk.synced = disk.seen.clone();
            }
        })
    }
}

fn meta(index: u64) -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: Some(LogId::new(CommittedLeaderId::new(1, 1), index)),
        last_membership: StoredMembership::default(),
        snapshot_id: format!("s{index}"),
    }
}

fn state(index: u64) -> Vec<u8> {
    format!("state at {index} ").repeat(20).into_bytes()
}

fn open(files: BTreeMap<String, Vec<u8>>, log_begins: u64) -> Result<Option<u64>> {
    let (snapshots, stored) = Snapshots::open(Memory::with(files, None), log_begins)?;
    let index = stored.as_ref().map(|stored| stored.meta.last_log_id.unwrap().index);
    if let Some(stored) = stored {
        assert_eq!(stored.state, state(index.unwrap()));
        assert_eq!(snapshots.read_current().unwrap().unwrap().meta, stored.meta);
    }
    Ok(index)
}

/// The files after snapshots at these indices.
fn files(indices: &[u64]) -> BTreeMap<String, Vec<u8>> {
    let memory = Memory::with(BTreeMap::new(), None);
    let (snapshots, _) = Snapshots::open(memory.clone(), 0).unwrap();
    for index in indices {
        snapshots.save(&meta(*index), &state(*index)).unwrap();
    }
    memory.disk().synced
}

#[test]
fn a_crash_at_any_step_leaves_the_older_or_the_newer() {
    for before in [&[][..], &[10], &[10, 20], &[5, 10, 20]] {
        let start = files(before);
        for at in 0..20 {
            let memory = Memory::with(start.clone(), Some(at));
            let (snapshots, _) = Snapshots::open(memory.clone(), 0).unwrap();
            let saved = snapshots.save(&meta(30), &state(30)).is_ok();
            let disk = memory.disk();
            for left in [disk.synced, disk.seen] {
                let found = open(left, 0).unwrap();
                let older = before.last().copied();
                assert!(found == Some(30) || found == older && !saved, "step {at}: {found:?}");
            }
        }
    }
}

#[test]
fn two_are_kept_and_leftovers_removed() {
    let memory = Memory::with(BTreeMap::from([("x.unfinished".to_owned(), vec![1])]), None);
    let (snapshots, _) = Snapshots::open(memory.clone(), 0).unwrap();
    for index in [10, 20, 30, 40] {
        snapshots.save(&meta(index), &state(index)).unwrap();
    }
    snapshots.save(&meta(25), &state(25)).unwrap();
    assert_eq!(snapshots.current(), Some(meta(40)), "an older one does not replace a newer");
    let names = memory.list().unwrap();
    assert_eq!(names, [file_name(&meta(30)), file_name(&meta(40))]);
}

#[test]
fn a_damaged_one_is_put_aside_if_the_log_reaches_back() {
    let damage = |files: &mut BTreeMap<String, Vec<u8>>, index| {
        let bytes = files.get_mut(&file_name(&meta(index))).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    let mut files = files(&[10, 20]);
    damage(&mut files, 20);
    assert_eq!(open(files.clone(), 11).unwrap(), Some(10));
    let error = open(files.clone(), 12).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Corrupt);
    let text = error.to_string();
    assert!(text.contains("begins with entry 12") && text.contains("remove-coordinator"), "{text}");
    damage(&mut files, 10);
    assert_eq!(open(files.clone(), 0).unwrap(), None, "the log has everything");
    assert!(open(files, 1).is_err());
    assert!(open(BTreeMap::new(), 5).is_err(), "the snapshots are gone");
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = encode(&meta(7), &state(7));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        assert_eq!(decode(&damaged).unwrap_err().code(), ErrorCode::Corrupt, "byte {at}");
    }
    for length in [0, 7, 20, bytes.len() - 1] {
        assert!(decode(&bytes[..length]).is_err());
    }
}

#[test]
fn a_real_folder_keeps_them() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("deep/snapshots");
    std::fs::create_dir(place.path().join("deep")).unwrap();
    let folder = || Arc::new(Folder::open(&path).unwrap());
    let (snapshots, none) = Snapshots::open(folder(), 0).unwrap();
    assert!(none.is_none() && snapshots.read_current().unwrap().is_none());
    for index in [1, 2, 3] {
        snapshots.save(&meta(index), &state(index)).unwrap();
    }
    let (_, stored) = Snapshots::open(folder(), 4).unwrap();
    assert_eq!(stored.unwrap().meta, meta(3));
    assert_eq!(folder().list().unwrap().len(), 2);
}
