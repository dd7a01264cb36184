//! The engine: who decides, how often, until when, and that a decision and what it does are one.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_types::{ErrorCode, Result};

use super::*;
use crate::{
    AccountAction, Action, ApprovalFilter, ApprovalView, Bounds, Catalog, Collection, Command,
    Connection, ConnectionChange, DataSourceAction, PageRequest, ProjectSettings, RoleAction,
    TenancyAction,
};

/// A project with people: `dev` asks, `global` and `other` decide.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) now_ms: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self { catalog: Catalog::new(), now_ms: 1_000 };
        let tenant = || Scope::Tenant("default".to_owned());
        let project = || Scope::Project("p".to_owned());
        world.apply(Action::CreateProject {
            project: "p".to_owned(),
            tenant: "default".to_owned(),
            description: String::new(),
            services: None,
        });
        for (id, scope, role) in [
            ("dev", project(), "developer"),
            ("global", tenant(), "global-data-admin"),
            ("other", tenant(), "global-data-admin"),
            ("data", project(), "project-data-admin"),
            ("stranger", project(), "developer"),
        ] {
            world.account(id, scope, role);
        }
        world
    }

    pub(crate) fn account(&mut self, id: &str, scope: Scope, role: &str) {
        let account = person(id);
        self.apply(Action::Account(AccountAction::Create {
            account: account.clone(),
            display_name: String::new(),
            email: String::new(),
            password: Some("x".to_owned()),
        }));
        let (role, creator) = (role.to_owned(), "test".to_owned());
        self.apply(Action::Role(RoleAction::Assign { account, scope, role, creator }));
    }

    pub(crate) fn attempt(&mut self, action: Action) -> Result<String> {
        let before = self.catalog.clone();
        let applied = self.catalog.apply(Command::new(self.now_ms, action));
        if applied.is_err() {
            assert_eq!(self.catalog, before, "what is refused changes nothing");
        }
        let again = Catalog::decode(&self.catalog.encode()).unwrap();
        assert_eq!(again, self.catalog, "a snapshot has all of it, the index included");
        applied.map(|response| response.name.to_string())
    }

    pub(crate) fn apply(&mut self, action: Action) -> String {
        self.attempt(action.clone()).unwrap_or_else(|error| panic!("{action:?}: {error}"))
    }

    pub(crate) fn refuse(&mut self, action: Action) -> ErrorCode {
        self.attempt(action).unwrap_err().code()
    }

    pub(crate) fn data_source(&mut self, id: &str, kind: &str) -> ChildName {
        let data_source = source(id);
        self.apply(Action::DataSource(Box::new(DataSourceAction::Create {
            data_source: data_source.clone(),
            kind: kind.to_owned(),
            description: String::new(),
            connection: Connection {
                parameters: BTreeMap::from([("host".to_owned(), "h".to_owned())]),
                secrets: BTreeMap::new(),
            },
            owner: person("dev").to_string(),
            active: false,
            shared_with: BTreeSet::new(),
            shared_with_all: false,
        })));
        data_source
    }

    pub(crate) fn ask(&mut self, data_source: &ChildName) -> ChildName {
        let name = self.apply(publish(data_source));
        name.parse().unwrap()
    }

    pub(crate) fn state(&self, approval: &ChildName) -> ApprovalState {
        self.catalog.approval(approval).unwrap().state
    }

    pub(crate) fn listed(&self, id: &str, view: ApprovalView) -> Vec<u64> {
        let filter = ApprovalFilter::default();
        let request = PageRequest::first(100);
        let page =
            self.catalog.list_approvals(&person(id), "default", view, &filter, &request).unwrap();
        page.items.iter().map(|approval| approval.number).collect()
    }
}

pub(crate) fn person(id: &str) -> AccountName {
    AccountName::user("default", id).unwrap()
}

pub(crate) fn source(id: &str) -> ChildName {
    ChildName::new(Scope::Project("p".to_owned()), Collection::DataSources, id).unwrap()
}

fn publish(data_source: &ChildName) -> Action {
    Action::DataSource(Box::new(DataSourceAction::Publish {
        data_source: data_source.clone(),
        requester: person("dev").to_string(),
        reason: "for the clicks".to_owned(),
    }))
}

pub(crate) fn decide(approval: &ChildName, id: &str, approve: bool) -> Action {
    Action::Approval(ApprovalAction::Decide {
        approval: approval.clone(),
        account: person(id),
        approve,
        text: "because".to_owned(),
    })
}

fn withdraw(approval: &ChildName, id: &str) -> Action {
    let requester = person(id).to_string();
    Action::Approval(ApprovalAction::Withdraw { approval: approval.clone(), requester })
}

#[test]
fn d3_who_has_the_role_decides_and_finds_it_under_decided() {
    let mut world = World::new();
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    assert_eq!(world.refuse(publish(&kafka)), ErrorCode::FailedPrecondition, "it is pending");
    assert_eq!(world.listed("global", ApprovalView::Pending), [1]);
    assert_eq!(world.listed("dev", ApprovalView::Submitted), [1]);
    assert!(world.listed("data", ApprovalView::Pending).is_empty());
    assert_eq!(world.refuse(decide(&approval, "data", true)), ErrorCode::PermissionDenied);
    assert!(world.catalog.data_source(&kafka).unwrap().approved.is_none());
    world.apply(decide(&approval, "global", true));
    assert!(world.catalog.data_source(&kafka).unwrap().approved.is_some());
    assert_eq!(world.state(&approval), ApprovalState::Approved);
    assert_eq!(world.listed("global", ApprovalView::Decided), [1]);
    assert!(world.listed("global", ApprovalView::Pending).is_empty());
    assert_eq!(world.refuse(decide(&approval, "other", false)), ErrorCode::FailedPrecondition);
    assert_eq!(world.refuse(publish(&kafka)), ErrorCode::FailedPrecondition, "it is approved");
}

#[test]
fn nobody_decides_what_he_asked_for() {
    let mut world = World::new();
    let (account, scope) = (person("dev"), Scope::Tenant("default".to_owned()));
    let (role, creator) = ("global-data-admin".to_owned(), "test".to_owned());
    world.apply(Action::Role(RoleAction::Assign { account, scope, role, creator }));
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    assert_eq!(world.refuse(decide(&approval, "dev", true)), ErrorCode::SelfApproval);
    assert!(world.listed("dev", ApprovalView::Pending).is_empty());
}

#[test]
fn d6_a_no_says_why_and_changes_nothing() {
    let mut world = World::new();
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    let silent = Action::Approval(ApprovalAction::Decide {
        approval: approval.clone(),
        account: person("global"),
        approve: false,
        text: " ".to_owned(),
    });
    assert_eq!(world.refuse(silent), ErrorCode::InvalidOption);
    world.apply(decide(&approval, "global", false));
    assert_eq!(world.state(&approval), ApprovalState::Rejected);
    let opinion = &world.catalog.approval(&approval).unwrap().opinions[0];
    assert_eq!((opinion.approve, opinion.text.as_str()), (false, "because"));
    assert!(world.catalog.data_source(&kafka).unwrap().approved.is_none());
    world.ask(&kafka);
}

#[test]
fn several_must_agree_where_the_project_says_so() {
    let mut world = World::new();
    let settings = ProjectSettings { required_approvals: 2, ..ProjectSettings::default() };
    world.apply(Action::Tenancy(TenancyAction::UpdateProject {
        project: "p".to_owned(),
        etag: None,
        description: None,
        settings: Some(settings),
    }));
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    world.apply(decide(&approval, "global", true));
    assert_eq!(world.state(&approval), ApprovalState::Pending);
    let again = world.refuse(decide(&approval, "global", true));
    assert_eq!(again, ErrorCode::FailedPrecondition);
    assert!(world.listed("global", ApprovalView::Pending).is_empty());
    world.apply(decide(&approval, "other", true));
    assert_eq!(world.state(&approval), ApprovalState::Approved);
}

#[test]
fn e7_who_asked_takes_it_back_and_nobody_else() {
    let mut world = World::new();
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    assert_eq!(world.refuse(withdraw(&approval, "global")), ErrorCode::PermissionDenied);
    world.apply(withdraw(&approval, "dev"));
    assert_eq!(world.state(&approval), ApprovalState::Withdrawn);
    assert_eq!(world.refuse(withdraw(&approval, "dev")), ErrorCode::FailedPrecondition);
    assert_eq!(world.refuse(decide(&approval, "global", true)), ErrorCode::FailedPrecondition);
}

#[test]
fn what_nobody_decides_expires() {
    let mut world = World::new();
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    world.now_ms += Bounds::APPROVAL_AGE_MS;
    assert_eq!(world.refuse(decide(&approval, "global", true)), ErrorCode::FailedPrecondition);
    world.apply(Action::Approval(ApprovalAction::Expire {}));
    assert_eq!(world.state(&approval), ApprovalState::Expired);
    assert_eq!(world.catalog.pending_approvals().count(), 0);
}

#[test]
fn parameters_that_change_need_another_approval_and_the_old_ones_are_used_until_then() {
    let mut world = World::new();
    let kafka = world.data_source("kafka", "kafka");
    let approval = world.ask(&kafka);
    world.apply(decide(&approval, "global", true));
    let update = |host: &str| {
        let parameters = BTreeMap::from([("host".to_owned(), host.to_owned())]);
        Action::DataSource(Box::new(DataSourceAction::Update {
            data_source: source("kafka"),
            etag: None,
            description: None,
            connection: Some(ConnectionChange { parameters, secrets: BTreeMap::new() }),
            shared_with: None,
            shared_with_all: None,
            active: false,
        }))
    };
    world.apply(update("i"));
    let second = world.ask(&kafka);
    world.apply(update("j"));
    assert_eq!(world.state(&second), ApprovalState::Withdrawn, "it was about another connection");
    let found = world.catalog.data_source(&kafka).unwrap();
    assert_eq!(found.approved.as_ref().unwrap().parameters["host"], "h");
    assert_eq!(found.connection.parameters["host"], "j");
}
