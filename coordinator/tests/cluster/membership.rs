//! Coordinators come and go.

use std::collections::BTreeSet;

use tidegate_coordinator::raft::NodeRole;
use tidegate_types::ErrorCode;

use crate::sandbox::{Sandbox, eventually, options};

fn voters(sandbox: &Sandbox, at: u64) -> BTreeSet<u64> {
    let members = sandbox.nodes[&at].metadata.status().members;
    let voters = members.iter().filter(|member| member.role == NodeRole::Voter);
    voters.map(|member| member.id).collect()
}

#[test]
fn a_fourth_is_added_and_the_leader_removed() {
    let mut sandbox = Sandbox::start(3, options);
    sandbox.follower().create("before").unwrap();
    let next = sandbox.follower().metadata.next_node_id();
    assert_eq!(next, 4);
    sandbox.start_node(next);
    let address = sandbox.address(next);
    // Asked of a follower, which passes it on.
    let leader = sandbox.nodes[&1].metadata.status().leader.unwrap();
    let follower = sandbox.nodes.keys().copied().find(|id| *id != leader && *id != next).unwrap();
    let node = &sandbox.nodes[&follower];
    node.run(node.metadata.add_learner(next, address.clone())).unwrap();
    eventually("a learner", || {
        let members = sandbox.nodes[&leader].metadata.status().members;
        let learner = members.iter().find(|member| member.id == next)?;
        (learner.role == NodeRole::Learner && learner.lag == Some(0)).then_some(())
    });
    let node = &sandbox.nodes[&follower];
    node.run(node.metadata.add_voter(next, address.clone())).unwrap();
    node.run(node.metadata.add_voter(next, address)).unwrap();
    eventually("four vote", || (voters(&sandbox, leader).len() == 4).then_some(()));
    assert!(sandbox.nodes[&next].has("before"));

    let node = &sandbox.nodes[&follower];
    node.run(node.metadata.remove(leader)).unwrap();
    sandbox.kill(leader);
    let second = sandbox.leader();
    assert_ne!(second, leader);
    assert_eq!(voters(&sandbox, second).len(), 3);
    sandbox.nodes[&next].create("after").unwrap();
    assert!(sandbox.nodes[&follower].has("after"));

    let node = &sandbox.nodes[&follower];
    node.run(node.metadata.remove(leader)).unwrap();
    let again = node.run(node.metadata.add_voter(leader, sandbox.address(leader)));
    assert_eq!(again.unwrap_err().code(), ErrorCode::FailedPrecondition, "numbers are used once");
    assert_eq!(node.metadata.next_node_id(), 5);
    assert_eq!(node.metadata.status().retired, BTreeSet::from([leader]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let sandbox = Sandbox::start(1, options);
    let node = &sandbox.nodes[&1];
    let last = node.run(node.metadata.remove(1)).unwrap_err();
    assert_eq!(last.code(), ErrorCode::FailedPrecondition, "{last}");
    let unknown = node.run(node.metadata.remove(9)).unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);
    let elsewhere = node.run(node.metadata.add_learner(1, "127.0.0.1:1")).unwrap_err();
    assert_eq!(elsewhere.code(), ErrorCode::AlreadyExists);
}

#[test]
fn one_that_is_not_reached_gets_no_vote_and_holds_nobody_up() {
    for size in [1, 3] {
        let sandbox = Sandbox::start(size, options);
        let leader = sandbox.leader();
        let node = &sandbox.nodes[&leader];
        let refused = node.run(node.metadata.add_voter(7, "127.0.0.1:1")).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::FailedPrecondition, "{refused}");
        node.create("after").unwrap();
        assert!(node.has("after"));
        assert_eq!(voters(&sandbox, leader), (1..=size).collect());
        node.run(node.metadata.remove(7)).unwrap();
    }
}
