//! How one coordinator's part of the replicated metadata is set up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::SnapshotPolicy;
use tidegate_types::{Error, ErrorCode, Result};

use crate::raft::execution::Execution;
use crate::raft::log_store::LogStore;
use crate::raft::snapshots::{Folder, SnapshotFiles};
use crate::raft::storage_error::from_io;
use crate::raft::types::NodeId;

/// A new node has caught up when it is at most so many entries behind.
const CAUGHT_UP: u64 = 50;

/// When a leader is missed, and how soon the others act.
///
/// A follower stands for election when it has not heard of the leader for `election_max` and a random time between
/// `election_min` and `election_max`. With the defaults a lost leader is replaced within two seconds, or three if two
/// followers stand at once. The time is drawn once, when a node starts; a simulation that must repeat itself gives each
/// node times that are one millisecond apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader says that it is there.
    pub heartbeat: Duration,
    /// The least time of an election.
    pub election_min: Duration,
    /// The most time of an election, and how long a leader is believed in.
    pub election_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(400),
            election_max: Duration::from_millis(800),
        }
    }
}

impl Timing {
    /// How long a leader believes in itself without hearing from a majority: longer than another election takes, and
    /// short enough that workers which it has kept find the new leader before that gives them up.
    pub fn lease(&self) -> Duration {
        self.election_max * 5 / 2
    }
}

/// One coordinator's part.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// Its number.
    pub id: NodeId,
    /// Name of the cluster; nodes of others are refused.
    pub cluster: String,
    /// When a leader is missed.
    pub timing: Timing,
    /// A snapshot is written after so many entries.
    pub snapshot_every: u64,
    /// Entries that are kept although a snapshot has them: for followers that are a little behind, and so that the
    /// snapshot before the last is of use when the last is damaged, for which it must be more than `snapshot_every`.
    pub keep_entries: u64,
    /// Bytes of the pieces in which a snapshot is sent.
    pub snapshot_chunk_bytes: u64,
    /// Bytes of a snapshot at most; a larger one is not received.
    pub snapshot_bytes: u64,
    /// How long a piece of a snapshot may take, the installation of the whole included.
    pub snapshot_timeout: Duration,
    /// How long a command or a read is tried before it is given up.
    pub request_timeout: Duration,
    /// How long a change of the membership is tried, catching up included.
    pub membership_timeout: Duration,
    /// Where calls run that wait for a disk.
    pub execution: Execution,
}

impl NodeOptions {
    /// Options with defaults for everything but the identity.
    pub fn new(id: NodeId, cluster: impl Into<String>) -> Self {
        Self {
            id,
            cluster: cluster.into(),
            timing: Timing::default(),
            snapshot_every: 2_000,
            keep_entries: 2_500,
            snapshot_chunk_bytes: 2 << 20,
            snapshot_bytes: 1 << 30,
            snapshot_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            membership_timeout: Duration::from_secs(60),
            execution: Execution::Blocking,
        }
    }

    /// The options in the Raft library's terms. `INVALID_OPTION` for times that make no sense together.
    pub(crate) fn config(&self) -> Result<openraft::Config> {
        let Timing { heartbeat, election_min, election_max } = self.timing;
        let config = openraft::Config {
            cluster_name: self.cluster.clone(),
            heartbeat_interval: millis(heartbeat),
            election_timeout_min: millis(election_min),
            election_timeout_max: millis(election_max),
            install_snapshot_timeout: millis(self.snapshot_timeout),
            max_payload_entries: 300,
            // How far behind a node may be when it is said to have caught up; it has no other meaning.
            replication_lag_threshold: CAUGHT_UP,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every.max(1)),
            snapshot_max_chunk_size: self.snapshot_chunk_bytes.clamp(1 << 10, 16 << 20),
            max_in_snapshot_log_to_keep: self.keep_entries,
            ..openraft::Config::default()
        };
        config.validate().map_err(|error| {
            Error::new(ErrorCode::InvalidOption, format!("the times of elections: {error}"))
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where a node keeps what must survive it.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The log.
    pub log: LogStore,
    /// The snapshots' files.
    pub snapshots: Arc<dyn SnapshotFiles>,
}

impl Storage {
    /// Opens `log.redb` and the folder `snapshots` in a folder, all of which are made if they do not exist. Errors as
    /// [`LogStore::open_file`].
    pub fn in_folder(folder: &Path, options: &NodeOptions) -> Result<Self> {
        let opened = Folder::open(folder);
        let place = opened.map_err(|e| from_io(e, &format!("open folder {}", folder.display())))?;
        let log = LogStore::open_file(&folder.join("log.redb"), options.id, options.execution)?;
        place.sync().map_err(|e| from_io(e, &format!("sync folder {}", folder.display())))?;
        let path = folder.join("snapshots");
        let snapshots = Folder::open(&path);
        let snapshots = snapshots.map_err(|e| from_io(e, &format!("open {}", path.display())))?;
        Ok(Self { log, snapshots: Arc::new(snapshots) })
    }
}
