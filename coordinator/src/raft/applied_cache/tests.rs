//! Whatever happens to the database, a node has the same state after a start as without it.

use std::sync::Arc;

use tidegate_catalog::{Action, Catalog, Command};
use tokio::time::timeout;

use super::*;
use crate::raft::network::TcpConnector;
use crate::raft::{Consistency, Metadata, NodeOptions, Storage, Timing};

fn options() -> NodeOptions {
    let timing = Timing {
        heartbeat: Duration::from_millis(10),
        election_min: Duration::from_millis(40),
        election_max: Duration::from_millis(80),
    };
    NodeOptions { timing, snapshot_every: 1_000_000, ..NodeOptions::new(1, "test") }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("applied.sled")
}

async fn node(folder: &Path, cached: bool) -> Metadata {
    let options = options();
    let storage = Storage::in_folder(folder, &options).unwrap();
    let cache = cached.then(|| database(folder));
    let connector = Arc::new(TcpConnector::default());
    Metadata::start_with_cache(&options, storage, connector, cache.as_deref()).await.unwrap()
}

async fn propose(node: &Metadata, tenants: std::ops::Range<u32>) {
    for number in tenants {
        let (tenant, description) = (format!("t{number}"), "x".repeat(4_000));
        let command = Command::new(1, Action::CreateTenant { tenant, description });
        node.propose(command).await.unwrap();
    }
}

/// A folder with a log of 60 commands, and the catalog that they make; the cache has all of it, in several pieces.
async fn filled(folder: &Path) -> Vec<u8> {
    let node = node(folder, true).await;
    node.initialize([(1, "127.0.0.1:1".to_owned())].into()).await.unwrap();
    propose(&node, 0..60).await;
    let state = node.peek(Catalog::encode);
    node.shutdown().await.unwrap();
    drop(node);
    drop(opened(folder));
    state
}

/// What a node has right after its start, before it may have led, and when it has caught up.
async fn started(folder: &Path, cached: bool) -> (Vec<u8>, Vec<u8>) {
    let node = node(folder, cached).await;
    let begins = node.peek(Catalog::encode);
    let all = node.read(Consistency::Linearizable, Catalog::encode);
    let all = timeout(Duration::from_secs(20), all).await.unwrap().unwrap();
    node.shutdown().await.unwrap();
    (begins, all)
}

fn kept(folder: &Path) -> Option<Stored> {
    opened(folder).1
}

/// The database, once nobody else has it open: the last write of a node that was stopped may take a moment longer.
#[allow(clippy::disallowed_methods, reason = "what is waited for is on another thread")]
fn opened(folder: &Path) -> (AppliedCache, Option<Stored>) {
    for _ in 0..200 {
        match AppliedCache::open(&database(folder), 1, "test") {
            Err(error) if error.code() == ErrorCode::FailedPrecondition => {
                std::thread::sleep(Duration::from_millis(50));
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the database stays open");
}

/// Something that happens to the database in a folder.
type Harm = Box<dyn Fn(&Path)>;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test]
async fn a_start_begins_with_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = filled(folder.path()).await;
    let stored = kept(folder.path()).unwrap();
    let meta = stored.meta.clone();
    assert!(snapshots::encode(&stored.meta, &stored.state).len() > PIECE, "in several pieces");
    let log = Storage::in_folder(folder.path(), &options()).unwrap().log;
    assert!(usable(stored, None, &log).await.unwrap().is_some());
    drop(log);
    assert_eq!(started(folder.path(), true).await, (state.clone(), state.clone()));
    // Its own entry when it led anew is in there, too.
    assert!(kept(folder.path()).unwrap().meta.last_log_id > meta.last_log_id);
    assert_eq!(started(folder.path(), false).await.1, state);
}

#[tokio::test]
async fn damage_and_loss_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = filled(folder.path()).await;
    let files = |folder: &Path| -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![database(folder)];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() { folders.push(entry) } else { found.push(entry) }
            }
        }
        found.sort();
        found
    };
    let mut cases: Vec<Harm> = vec![
        Box::new(|folder| std::fs::remove_dir_all(database(folder)).unwrap()),
        Box::new(|folder| {
            std::fs::remove_dir_all(database(folder)).unwrap();
            std::fs::write(database(folder), "a file").unwrap();
        }),
    ];
    // Each file lost, cut at several places, and damaged at several places.
    for index in 0..files(folder.path()).len() {
        cases.push(Box::new(move |folder| std::fs::remove_file(&files(folder)[index]).unwrap()));
        for tenth in 0..10 {
            cases.push(Box::new(move |folder| {
                let path = &files(folder)[index];
                let bytes = std::fs::read(path).unwrap();
                std::fs::write(path, &bytes[..bytes.len() * tenth / 10]).unwrap();
            }));
            cases.push(Box::new(move |folder| {
                let path = &files(folder)[index];
                let mut bytes = std::fs::read(path).unwrap();
                let from = bytes.len() * tenth / 10;
                let to = bytes.len().min(from + 64);
                bytes[from..to].iter_mut().for_each(|byte| *byte = !*byte);
                std::fs::write(path, &bytes).unwrap();
            }));
        }
    }
    assert!(cases.len() > 40, "{}", cases.len());
    for (number, harm) in cases.iter().enumerate() {
        let harmed = tempfile::tempdir().unwrap();
        copy(folder.path(), harmed.path());
        harm(harmed.path());
        let (_, all) = started(harmed.path(), true).await;
        assert!(all == state, "case {number}");
        // It is kept again.
        assert!(kept(harmed.path()).is_some(), "case {number}");
    }
}

#[tokio::test]
async fn what_is_stale_foreign_or_ahead_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let state = filled(folder.path()).await;
    let early = tempfile::tempdir().unwrap();
    copy(folder.path(), early.path());

    // The log goes on without the cache: what was kept is older and used all the same.
    let later = node(folder.path(), false).await;
    later.read(Consistency::Linearizable, |_| ()).await.unwrap();
    propose(&later, 60..80).await;
    let longer = later.peek(Catalog::encode);
    later.shutdown().await.unwrap();
    drop(later);
    assert!(started(folder.path(), true).await.1 == longer);

    // A cache that is ahead of its log is thrown away.
    std::fs::remove_dir_all(database(early.path())).unwrap();
    copy(&database(folder.path()), &database(early.path()));
    let (begins, all) = started(early.path(), true).await;
    assert!(all == state && begins != longer);

    // One that is older than a snapshot does not count.
    let snapshots = tempfile::tempdir().unwrap();
    copy(folder.path(), snapshots.path());
    let kept_before = kept(snapshots.path()).unwrap();
    let newer = node(snapshots.path(), false).await;
    newer.read(Consistency::Linearizable, |_| ()).await.unwrap();
    newer.trigger_snapshot().await.unwrap();
    let written = async {
        while std::fs::read_dir(snapshots.path().join("snapshots")).unwrap().count() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), written).await.unwrap();
    newer.shutdown().await.unwrap();
    drop(newer);
    let storage = Storage::in_folder(snapshots.path(), &options()).unwrap();
    let (_, snapshot) = snapshots::Snapshots::open(storage.snapshots, 0).unwrap();
    let used = usable(kept_before, snapshot.as_ref(), &storage.log).await.unwrap();
    assert!(used.is_none());
    drop(storage.log);
    assert!(started(snapshots.path(), true).await.1 == longer);

    // One of another node, or of another cluster, does not count either.
    let foreign = |node, cluster| AppliedCache::open(&database(folder.path()), node, cluster);
    assert!(foreign(2, "test").unwrap().1.is_none());
    assert!(kept(folder.path()).is_none(), "it was thrown away");
}

#[tokio::test]
async fn a_log_that_begins_anew_takes_the_cache_with_it() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    std::fs::remove_file(folder.path().join("log.redb")).unwrap();
    // The same numbers of entries and terms, another history.
    let second = node(folder.path(), true).await;
    assert!(kept_nothing(&second));
    second.initialize([(1, "127.0.0.1:1".to_owned())].into()).await.unwrap();
    propose(&second, 100..160).await;
    let state = second.peek(Catalog::encode);
    // As if it were killed before it has kept anything.
    let aside = tempfile::tempdir().unwrap();
    copy(&database(folder.path()), &database(aside.path()));
    second.shutdown().await.unwrap();
    drop(second);
    std::fs::remove_dir_all(database(folder.path())).unwrap();
    copy(&database(aside.path()), &database(folder.path()));
    assert!(started(folder.path(), true).await.1 == state);
}

fn kept_nothing(node: &Metadata) -> bool {
    node.peek(|catalog| catalog.tenant("t0").is_none())
}
