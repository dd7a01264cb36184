//! The guards that are removed one at a time, each with the world in which that shows soonest.

use crate::faults::Mix;
use crate::scenario::Scenario;

/// A guard.
pub(crate) struct Guard {
    /// Name of the defect that removes it.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// Kind of world.
    pub(crate) scenario: &'static str,
    /// What goes wrong there.
    pub(crate) mix: Mix,
}

const CATALOG: &str = "catalog";
const CLUSTER: &str = "cluster";
const EMBEDDED: &str = "embedded";

/// Leaders come and go.
const ELECTIONS: Mix =
    Mix { pause_coordinator: 4, isolate_coordinator: 4, one_way: 4, count: (4, 9), ..Mix::NONE };

/// The power fails often.
const POWER: Mix = Mix { power_cut: 6, blackout: 3, count: (5, 10), ..Mix::NONE };

/// Workers are lost, and what is outside is slow and unsure.
const COMMITS: Mix = Mix {
    kill_worker: 4,
    pause_worker: 3,
    isolate_worker: 3,
    target: 6,
    count: (5, 9),
    ..Mix::NONE
};

/// The guards.
pub(crate) const GUARDS: [Guard; 11] = [
    Guard {
        name: "skip-term-check",
        what: "what a leader decides by itself counts in its own term only",
        scenario: CATALOG,
        mix: ELECTIONS,
    },
    Guard {
        name: "skip-append-sync",
        what: "entries of the log are synced before they are acknowledged",
        scenario: CATALOG,
        mix: POWER,
    },
    Guard {
        name: "skip-vote-persistence",
        what: "a vote is stored before it is given",
        scenario: CATALOG,
        mix: Mix { kill_coordinator: 8, isolate_coordinator: 2, count: (8, 16), ..Mix::NONE },
    },
    Guard {
        name: "skip-resignation",
        what: "a leader that starts again is elected anew",
        scenario: CATALOG,
        mix: Mix { kill_coordinator: 8, count: (6, 12), ..Mix::NONE },
    },
    Guard {
        name: "skip-read-quorum",
        what: "a majority confirms the leader before it answers a linearizable read",
        scenario: CATALOG,
        mix: Mix { isolate_coordinator: 1, count: (5, 9), ..Mix::NONE },
    },
    Guard {
        name: "skip-conditional-put",
        what: "manifests and records are created, never written over",
        scenario: EMBEDDED,
        mix: Mix { pause_worker: 5, store: 2, count: (3, 6), ..Mix::NONE },
    },
    Guard {
        name: "skip-save-before-complete",
        what: "sinks are told of a checkpoint after its record is saved",
        scenario: CLUSTER,
        mix: Mix { secede: 5, kill_coordinator: 3, count: (3, 6), ..Mix::NONE },
    },
    Guard {
        name: "skip-upload-wait",
        what: "staged output is stored before its checkpoint is acknowledged",
        scenario: CLUSTER,
        mix: Mix { kill_worker: 4, store: 8, count: (5, 9), ..Mix::NONE },
    },
    Guard {
        name: "skip-settlement",
        what: "a restore settles the staged output that the manifest names",
        scenario: CLUSTER,
        mix: COMMITS,
    },
    Guard {
        name: "skip-marker-check",
        what: "a restore looks at the markers before it writes staged output",
        scenario: CLUSTER,
        mix: COMMITS,
    },
    Guard {
        name: "skip-producer-fencing",
        what: "a start takes over the names under which older runs commit",
        scenario: CLUSTER,
        mix: COMMITS,
    },
];

/// The guard of a name.
pub(crate) fn find(name: &str) -> Option<&'static Guard> {
    GUARDS.iter().find(|guard| guard.name == name)
}

/// The world of a seed, that of a guard if one is removed.
pub(crate) fn scenario(seed: u64, guard: Option<&Guard>) -> Scenario {
    match guard {
        None => Scenario::of(seed, None),
        Some(guard) => Scenario { mix: guard.mix, ..Scenario::of(seed, Some(guard.scenario)) },
    }
}

#[cfg(test)]
mod tests {
    use tidegate_runtime::failpoint::DEFECTS;

    use super::*;

    #[test]
    fn every_guard_can_be_removed_and_has_one_name() {
        for guard in &GUARDS {
            let known = DEFECTS.iter().find(|(name, _)| *name == guard.name);
            assert_eq!(known.map(|(_, what)| *what), Some(guard.what), "{}", guard.name);
            assert_eq!(GUARDS.iter().filter(|other| other.name == guard.name).count(), 1);
        }
    }
}
