//! Elections, forwarding, lost leaders, restarts, reads, fencing.

use std::time::Duration;

use tidegate_catalog::{Action, Command};
use tidegate_coordinator::raft::{Consistency, NodeOptions};
use tidegate_types::ErrorCode;

use crate::sandbox::{Sandbox, create, eventually, name, options, timed};

#[test]
fn a_leader_is_elected_and_followers_pass_on_commands_and_reads() {
    let sandbox = Sandbox::start(3, options);
    let response = sandbox.follower().create("a").unwrap();
    assert_eq!(response.name.to_string(), "projects/default/jobs/a");
    for node in sandbox.nodes.values() {
        assert!(node.has("a"), "a linearizable read has seen what was answered");
        let refused = node.create("a").unwrap_err();
        assert_eq!(refused.code(), ErrorCode::AlreadyExists, "{refused}");
    }
    let again = sandbox.nodes[&1].run(sandbox.nodes[&1].metadata.initialize([].into()));
    assert_eq!(again.unwrap_err().code(), ErrorCode::FailedPrecondition);
}

#[test]
fn linearizable_reads_on_followers_see_every_answered_command() {
    let sandbox = Sandbox::start(3, options);
    let nodes: Vec<_> = sandbox.nodes.values().collect();
    for n in 0..60 {
        let job = format!("j{n}");
        nodes[n % 3].create(&job).unwrap();
        assert!(nodes[(n + 1) % 3].has(&job), "{job}");
    }
}

#[test]
fn a_lost_leader_is_replaced_and_nothing_answered_is_lost() {
    let mut sandbox = Sandbox::start(3, options);
    let mut known = Vec::new();
    for round in 0..3 {
        for n in 0..10 {
            let job = format!("j{round}-{n}");
            sandbox.nodes[&sandbox.leader()].create(&job).unwrap();
            known.push(job);
        }
        let lost = sandbox.leader();
        let before = sandbox.nodes[&lost].metadata.leadership().borrow().term;
        sandbox.kill(lost);
        let (leader, took) = timed(|| {
            eventually("a new leader", || {
                let leaders = sandbox.nodes.iter();
                let mut leaders = leaders.filter(|(_, node)| {
                    let leadership = node.metadata.leadership().borrow().clone();
                    leadership.is_self && leadership.term > before
                });
                leaders.next().map(|(id, _)| *id)
            })
        });
        println!("round {round}: coordinator {leader} leads {took:?} after {lost} was killed");
        assert!(took < Duration::from_secs(3), "{took:?}");
        for job in &known {
            assert!(sandbox.nodes[&leader].has(job), "{job} was answered and is lost");
        }
        sandbox.start_node(lost);
        assert!(eventually("it comes back", || sandbox.nodes[&lost]
            .has(&known[0])
            .then_some(true)));
    }
}

#[test]
fn commands_go_on_while_a_leader_is_lost() {
    let mut sandbox = Sandbox::start(3, options);
    let lost = sandbox.leader();
    sandbox.kill(lost);
    // No request id: nobody is known to lead, so that nothing was sent, or the connection is refused.
    let answer = sandbox.nodes.values().next().unwrap().propose(create("patient"));
    match answer {
        Ok(_) => assert!(sandbox.follower().has("patient")),
        Err(error) => assert!(error.to_string().contains("outcome unknown"), "{error}"),
    }
    // With one it is repeated until it is answered.
    let command = Command::new(1_000, create("sure")).with_request_id("r1");
    let node = sandbox.nodes.values().next().unwrap();
    let first = node.run(node.metadata.propose(command.clone())).unwrap();
    let other = sandbox.nodes.values().last().unwrap();
    let second = other.run(other.metadata.propose(command)).unwrap();
    assert_eq!(first, second, "the same id has the same answer");
}

#[test]
fn everything_is_there_after_all_were_killed() {
    let mut sandbox = Sandbox::start(3, options);
    for n in 0..20 {
        sandbox.follower().create(&format!("j{n}")).unwrap();
    }
    for id in 1..=3 {
        sandbox.kill(id);
    }
    for id in 1..=3 {
        sandbox.start_node(id);
    }
    sandbox.leader();
    for node in sandbox.nodes.values() {
        assert!((0..20).all(|n| node.has(&format!("j{n}"))));
    }
}

#[test]
fn a_minority_refuses_to_claim_anything() {
    fn hasty(id: u64) -> NodeOptions {
        NodeOptions { request_timeout: Duration::from_secs(2), ..options(id) }
    }
    let mut sandbox = Sandbox::start(3, hasty);
    sandbox.follower().create("a").unwrap();
    let leader = sandbox.leader();
    for id in (1..=3).filter(|id| *id != leader) {
        sandbox.kill(id);
    }
    let node = &sandbox.nodes[&leader];
    let wrote = node.create("b").unwrap_err();
    assert_eq!(wrote.code(), ErrorCode::Unavailable, "{wrote}");
    assert!(wrote.to_string().contains("outcome unknown"), "{wrote}");
    let read = node.read(Consistency::Linearizable, |_| ()).unwrap_err();
    assert_eq!(read.code(), ErrorCode::Unavailable, "{read}");
    // It does not lead any more, as nobody follows: what it is told now is certainly not done.
    eventually("it gives up", || (!node.metadata.leadership().borrow().is_self).then_some(()));
    let late = node.create("d").unwrap_err();
    assert!(late.to_string().contains("not done"), "{late}");
    let stale = node.read(Consistency::Stale, |catalog| catalog.job(&name("a")).is_some());
    assert!(stale.unwrap(), "a stale read needs nobody");
    let back = if leader == 1 { 2 } else { 1 };
    sandbox.start_node(back);
    eventually("a majority", || sandbox.nodes[&back].create("c").ok());
}

#[test]
fn a_replaced_leader_s_decisions_are_refused() {
    let mut sandbox = Sandbox::start(3, options);
    let first = sandbox.leader();
    let term = sandbox.nodes[&first].metadata.leadership().borrow().term;
    let decide = |sandbox: &Sandbox, id: u64, term: u64, job: &str| {
        let node = &sandbox.nodes[&id];
        node.run(node.metadata.propose_as_leader(term, Command::new(1_000, create(job))))
    };
    decide(&sandbox, first, term, "in-time").unwrap();
    let wrong = decide(&sandbox, first, term + 1, "too-early").unwrap_err();
    assert_eq!(wrong.code(), ErrorCode::Fenced);
    sandbox.restart(first);
    let second = sandbox.leader();
    let late = decide(&sandbox, second, term, "too-late").unwrap_err();
    assert_eq!(late.code(), ErrorCode::Fenced, "{late}");
    let now = sandbox.nodes[&second].metadata.leadership().borrow().term;
    assert!(now > term);
    decide(&sandbox, second, now, "in-time-again").unwrap();
    let follower = sandbox.nodes.keys().copied().find(|id| *id != second).unwrap();
    assert_eq!(decide(&sandbox, follower, now, "x").unwrap_err().code(), ErrorCode::Fenced);
    for job in ["too-early", "too-late", "x"] {
        assert!(!sandbox.nodes[&second].has(job));
    }
}

#[test]
fn a_stopped_node_says_so() {
    let sandbox = Sandbox::start(1, options);
    let node = &sandbox.nodes[&1];
    node.propose(Action::CreateTenant { tenant: "t".to_owned(), description: String::new() })
        .unwrap();
    node.run(node.metadata.shutdown()).unwrap();
    assert_eq!(node.run(node.metadata.stopped()).code(), ErrorCode::Cancelled);
    assert_eq!(node.metadata.leadership().borrow().leader, None);
}
