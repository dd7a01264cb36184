//! What of this machine a job may take: memory for its state, and a folder for what does not fit.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::spill::SpillFolder;
use tidegate_plan::settings::Settings;

/// The budget where neither the settings nor the system tell: 1 GiB.
const DEFAULT_MEMORY: usize = 1 << 30;

/// The memory for a job's state: as set, or half of the machine's.
pub(crate) fn memory(settings: &Settings) -> Arc<MemoryBudget> {
    let set = settings.memory_size("taskmanager.memory.managed.size");
    let limit = set.and_then(|bytes| usize::try_from(bytes).ok());
    let half = || physical_memory().map(|bytes| bytes / 2);
    MemoryBudget::new(limit.or_else(half).unwrap_or(DEFAULT_MEMORY))
}

/// The folder for state that does not fit.
pub(crate) fn spill(settings: &Settings) -> SpillFolder {
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
    fn a_set_budget_counts_and_half_of_the_machine_does_otherwise() {
        let mut settings = Settings::default();
        assert_eq!(memory(&settings).limit(), physical_memory().unwrap() / 2);
        settings.set("taskmanager.memory.managed.size", "64 mb").unwrap();
        assert_eq!(memory(&settings).limit(), 64 << 20);
    }
}
