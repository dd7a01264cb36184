//! The leader dies in the middle of every step of an approval: whoever sends the step again, under its request id, gets
//! its answer, and it is done once.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use tidegate_catalog::{
    AccountAction, AccountName, Action, ApprovalAction, ApprovalState, Catalog, ChildName, Column,
    Command, DataPermission, GrantAction, Grantee, ProjectSettings, ResourceName, Rights,
    RoleAction, Scope, TableAction, TableDefinition, TableName, TenancyAction,
};
use tidegate_coordinator::raft::{Consistency, Metadata};
use tidegate_types::ErrorCode;
use tokio::runtime::Builder;

use crate::sandbox::{Sandbox, eventually, options, pause};

/// Milliseconds after which the leader dies, counted from the moment at which the step is sent.
const DELAYS: [u64; 2] = [0, 4];

fn person(id: &str) -> AccountName {
    AccountName::user("default", id).unwrap()
}

fn table() -> TableName {
    TableName::new("p", "default", "clicks").unwrap()
}

/// A project in which two must say yes, with a table, and somebody who wants to read it.
fn set_up(sandbox: &Sandbox) {
    let node = sandbox.follower();
    let apply = |action: Action| node.propose(action).unwrap();
    apply(Action::CreateProject {
        project: "p".to_owned(),
        tenant: "default".to_owned(),
        description: String::new(),
        services: None,
    });
    let settings = ProjectSettings { required_approvals: 2, ..ProjectSettings::default() };
    apply(Action::Tenancy(TenancyAction::UpdateProject {
        project: "p".to_owned(),
        etag: None,
        description: None,
        settings: Some(settings),
    }));
    for id in ["ann", "data1", "data2"] {
        apply(Action::Account(AccountAction::Create {
            account: person(id),
            display_name: String::new(),
            email: String::new(),
            password: Some("x".to_owned()),
        }));
    }
    for id in ["data1", "data2"] {
        let (account, scope) = (person(id), Scope::Project("p".to_owned()));
        let (role, creator) = ("project-data-admin".to_owned(), "test".to_owned());
        apply(Action::Role(RoleAction::Assign { account, scope, role, creator }));
    }
    let column = Column { name: "a".to_owned(), ty: "STRING".to_owned(), ..Column::default() };
    apply(Action::Table(Box::new(TableAction::CreateTable {
        table: table(),
        kind: "kafka".to_owned(),
        description: String::new(),
        tags: BTreeSet::new(),
        owner: person("data1").to_string(),
        definition: Box::new(TableDefinition {
            columns: vec![column],
            ..TableDefinition::default()
        }),
        design: None,
    })));
}

/// Sends a step to the leader, which dies meanwhile, and again to others until it is answered. Then the dead one is back.
fn step(sandbox: &mut Sandbox, id: &str, delay: u64, action: Action) -> ResourceName {
    let leader = sandbox.leader();
    let others: Vec<Metadata> = sandbox
        .nodes
        .iter()
        .filter(|(node, _)| **node != leader)
        .map(|(_, node)| node.metadata.clone())
        .collect();
    let first = sandbox.nodes[&leader].metadata.clone();
    let id = id.to_owned();
    let sending = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let command = || Command::new(2_000, action.clone()).with_request_id(id.clone());
        let sent = runtime.block_on(async {
            let patience = std::time::Duration::from_millis(500);
            tokio::time::timeout(patience, first.propose(command())).await
        });
        if let Ok(Ok(answered)) = sent {
            // Asked again it is the same answer.
            let again = eventually("the same answer", || {
                others.iter().find_map(|node| runtime.block_on(node.propose(command())).ok())
            });
            assert_eq!(again.name, answered.name);
            return answered.name;
        }
        eventually("the step is answered", || {
            others.iter().find_map(|node| match runtime.block_on(node.propose(command())) {
                Ok(response) => Some(response.name),
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::Unavailable, "{error}");
                    None
                }
            })
        })
    });
    pause(delay);
    sandbox.restart(leader);
    let answered = sending.join().unwrap();
    sandbox.leader();
    answered
}

fn request(id: &str) -> Action {
    Action::Grant(GrantAction::Request {
        table: table(),
        grantee: Grantee::Account(person(id)),
        rights: Rights {
            permissions: BTreeSet::from([DataPermission::Select]),
            columns: None,
            expires_ms: None,
        },
        requester: person(id).to_string(),
        reason: "for a report".to_owned(),
    })
}

fn decide(approval: &ChildName, id: &str, approve: bool) -> Action {
    Action::Approval(ApprovalAction::Decide {
        approval: approval.clone(),
        account: person(id),
        approve,
        text: "because".to_owned(),
    })
}

fn child(name: ResourceName) -> ChildName {
    match name {
        ResourceName::Child(name) => name,
        other => panic!("{other} is no approval"),
    }
}

/// State, opinions and grants, as everybody must see them.
fn seen(sandbox: &Sandbox, approval: &ChildName) -> (ApprovalState, usize, usize) {
    let look = |catalog: &Catalog| {
        let found = catalog.approval(approval).unwrap();
        (found.state, found.opinions.len(), catalog.grants_on(&table()).count())
    };
    sandbox.follower().read(Consistency::Linearizable, look).unwrap()
}

#[test]
fn e7_e8_e9_every_step_of_an_approval_is_done_once_although_the_leader_dies_in_it() {
    use ApprovalState::{Approved, Pending, Rejected, Withdrawn};
    let mut sandbox = Sandbox::start(3, options);
    set_up(&sandbox);
    for (round, delay) in DELAYS.into_iter().enumerate() {
        let id = |what: &str| format!("{round}/{what}");
        let asked = child(step(&mut sandbox, &id("ask"), delay, request("ann")));
        assert_eq!(seen(&sandbox, &asked), (Pending, 0, 0));
        step(&mut sandbox, &id("yes-1"), delay, decide(&asked, "data1", true));
        assert_eq!(seen(&sandbox, &asked), (Pending, 1, 0));
        step(&mut sandbox, &id("yes-2"), delay, decide(&asked, "data2", true));
        assert_eq!(seen(&sandbox, &asked), (Approved, 2, 1));
        let grant = sandbox.follower().read(Consistency::Linearizable, |catalog| {
            catalog.grants_on(&table()).map(|grant| grant.name.clone()).next().unwrap()
        });
        let revoke = Action::Grant(GrantAction::Revoke { grant: grant.unwrap() });
        step(&mut sandbox, &id("revoke"), delay, revoke);
        let asked = child(step(&mut sandbox, &id("ask-2"), delay, request("ann")));
        step(&mut sandbox, &id("no"), delay, decide(&asked, "data2", false));
        assert_eq!(seen(&sandbox, &asked), (Rejected, 1, 0));
        let asked = child(step(&mut sandbox, &id("ask-3"), delay, request("ann")));
        let requester = person("ann").to_string();
        let withdraw = ApprovalAction::Withdraw { approval: asked.clone(), requester };
        step(&mut sandbox, &id("withdraw"), delay, Action::Approval(withdraw));
        assert_eq!(seen(&sandbox, &asked), (Withdrawn, 0, 0));
    }
    // So many were asked for, and not one more.
    let count = |catalog: &Catalog| catalog.approvals_about(&ResourceName::Table(table())).count();
    assert_eq!(sandbox.follower().read(Consistency::Linearizable, count).unwrap(), 6);
    let bytes: BTreeMap<u64, Vec<u8>> = eventually("all have the same", || {
        let encoded = sandbox.nodes.iter().map(|(id, node)| {
            let bytes = node.read(Consistency::Stale, Catalog::encode).unwrap();
            (*id, bytes)
        });
        let all: BTreeMap<u64, Vec<u8>> = encoded.collect();
        let first = all.values().next()?.clone();
        all.values().all(|bytes| *bytes == first).then_some(all)
    });
    assert_eq!(bytes.len(), 3);
}
