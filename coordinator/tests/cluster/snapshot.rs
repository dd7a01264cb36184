//! Snapshots: written, used after a restart, sent to a node that was away too long.

use tidegate_coordinator::raft::{Consistency, NodeOptions};

use crate::sandbox::{Sandbox, eventually, name, options};

/// Snapshots often, a short log, and small pieces, so that one is sent in many.
fn frequent(id: u64) -> NodeOptions {
    let (snapshot_every, keep_entries, snapshot_chunk_bytes) = (20, 5, 2_048);
    NodeOptions { snapshot_every, keep_entries, snapshot_chunk_bytes, ..options(id) }
}

#[test]
fn a_node_that_was_away_gets_a_snapshot() {
    let mut sandbox = Sandbox::start(3, frequent);
    let leader = sandbox.leader();
    let away = sandbox.nodes.keys().copied().find(|id| *id != leader).unwrap();
    sandbox.nodes[&leader].create("before").unwrap();
    let had = sandbox.nodes[&away].metadata.status().last_log.unwrap();
    sandbox.kill(away);
    for n in 0..100 {
        sandbox.nodes[&leader].create(&format!("j{n}")).unwrap();
    }
    eventually("the log was cut", || {
        sandbox.nodes[&leader].metadata.status().purged.filter(|purged| *purged > had)
    });
    sandbox.start_node(away);
    let node = &sandbox.nodes[&away];
    eventually("it has caught up", || {
        let seen = node.read(Consistency::Stale, |catalog| catalog.job(&name("j99")).is_some());
        seen.unwrap().then_some(())
    });
    assert!(node.metadata.status().snapshot.unwrap() > had, "it came as a snapshot");
    assert!(node.has("before") && node.has("j0"));
    // And it is there for good.
    sandbox.restart(away);
    assert!((0..100).all(|n| sandbox.nodes[&away].has(&format!("j{n}"))));
}

#[test]
fn a_single_node_restarts_from_snapshot_and_log() {
    let mut sandbox = Sandbox::start(1, frequent);
    for n in 0..70 {
        sandbox.nodes[&1].create(&format!("j{n}")).unwrap();
    }
    let status = eventually("a snapshot", || {
        let status = sandbox.nodes[&1].metadata.status();
        status.purged.is_some().then_some(status)
    });
    assert!(status.snapshot.is_some());
    let all = |sandbox: &Sandbox| {
        let node = &sandbox.nodes[&1];
        node.read(Consistency::Linearizable, |catalog| catalog.encode()).unwrap()
    };
    let before = all(&sandbox);
    sandbox.restart(1);
    sandbox.leader();
    assert_eq!(all(&sandbox), before);
}
