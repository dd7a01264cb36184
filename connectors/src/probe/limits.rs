//! How much looking at a data source may take.

use std::path::PathBuf;
use std::time::Duration;

/// Bounds of one look at a data source, and where it may go.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest time for everything together.
    pub deadline: Duration,
    /// Whether addresses of private networks and of this machine may be connected to.
    pub private_addresses: bool,
    /// Local folders that data sources of files may lie in.
    pub folders: Vec<PathBuf>,
    /// Most records that are looked at to find out columns.
    pub sampled_records: usize,
    /// Most bytes that are looked at to find out columns.
    pub sampled_bytes: usize,
}

impl Default for Limits {
    /// Half a minute, public addresses, no local folders, 200 records, 4 MiB.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            private_addresses: false,
            folders: Vec::new(),
            sampled_records: 200,
            sampled_bytes: 4 << 20,
        }
    }
}
