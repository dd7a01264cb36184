//! What of this machine a job may take: memory for its state, and a folder for what does not fit.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::spill::SpillFolder;
use tidegate_plan::settings::Settings;

/// The memory for all state where neither settings nor the system tell: 1 GiB.
const DEFAULT_MEMORY: usize = 1 << 30;

/// The memory for a job's state: as set, or its share (0 to 1) of half of the machine's.
pub fn memory(settings: &Settings, share: f64) -> Arc<MemoryBudget> {
    let set = settings.memory_size("taskmanager.memory.managed.size");
    let limit = set.and_then(|bytes| usize::try_from(bytes).ok());
    let all = || physical_memory().map_or(DEFAULT_MEMORY, |bytes| bytes / 2);
    MemoryBudget::new(limit.unwrap_or_else(|| (all() as f64 * share.clamp(0.0, 1.0)) as usize))
}

/// The folder for state that does not fit.
pub fn spill(settings: &Settings) -> SpillFolder {
    let folder = settings.get("io.tmp.dirs").map(PathBuf::from);
    SpillFolder::new(&folder.unwrap_or_else(std::env::temp_dir))
}

/// Bytes of memory of this machine, or of the control group that the process is confined to.
fn physical_memory() -> Option<usize> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = machine.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    // "max", or no such file: not confined.
    let confined = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = confined.and_then(|text| text.trim().parse().ok());
    Some((kilobytes * 1024).min(limit.unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_budget_counts_and_a_share_of_half_of_the_machine_does_otherwise() {
        let mut settings = Settings::default();
        let half = physical_memory().unwrap() / 2;
        assert_eq!(memory(&settings, 1.0).limit(), half);
        assert!(memory(&settings, 0.25).limit().abs_diff(half / 4) <= 1);
        settings.set("taskmanager.memory.managed.size", "64 mb").unwrap();
        assert_eq!(memory(&settings, 0.25).limit(), 64 << 20);
    }
}
