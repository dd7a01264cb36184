//! Accounts, roles and sessions as commands change them.

use tidegate_types::{ErrorCode, Result};

use super::session::REPEAT_MS;
use super::*;
use crate::{Action, Bounds, Catalog, Command, RoleAction, SYSTEM_ADMINISTRATOR, Scope};

fn name(id: &str) -> AccountName {
    AccountName::user("default", id).unwrap()
}

fn at(catalog: &mut Catalog, now_ms: i64, action: AccountAction) -> Result<()> {
    catalog.apply(Command::new(now_ms, Action::Account(action))).map(drop)
}

fn create(catalog: &mut Catalog, id: &str) {
    let action = AccountAction::Create {
        account: name(id),
        display_name: id.to_owned(),
        email: String::new(),
        password: Some("$argon2id$x".to_owned()),
    };
    at(catalog, 0, action).unwrap();
}

fn tokens(n: u32, now_ms: i64) -> Tokens {
    Tokens {
        access: format!("access{n}"),
        access_expires_ms: now_ms + 900_000,
        refresh: format!("refresh{n}"),
    }
}

fn begin(catalog: &mut Catalog, id: &str, n: u32, now_ms: i64) -> Result<()> {
    let checked = catalog.account(&name(id)).map_or(0, |account| account.revision);
    let action = AccountAction::BeginSession {
        session: format!("s{n}"),
        account: name(id),
        checked,
        key: None,
        tokens: tokens(n, now_ms),
        expires_ms: now_ms + 10_000_000,
        client: "test".to_owned(),
        address: String::new(),
    };
    at(catalog, now_ms, action)
}

fn refresh(catalog: &mut Catalog, session: u32, shown: u32, new: u32, now_ms: i64) -> Result<()> {
    let action = AccountAction::RefreshSession {
        session: format!("s{session}"),
        shown: format!("refresh{shown}"),
        tokens: tokens(new, now_ms),
    };
    at(catalog, now_ms, action)
}

fn role(catalog: &mut Catalog, id: &str, given: bool) -> Result<()> {
    let (account, scope, role) = (name(id), Scope::System, SYSTEM_ADMINISTRATOR.to_owned());
    let action = match given {
        true => RoleAction::Assign { account, scope, role, creator: "test".to_owned() },
        false => RoleAction::Revoke { account, scope, role },
    };
    catalog.apply(Command::new(0, Action::Role(action))).map(drop)
}

fn again(catalog: &Catalog) -> Catalog {
    Catalog::decode(&catalog.encode()).unwrap()
}

#[test]
fn sessions_are_found_by_their_tokens_and_only_by_those_that_count() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "ann");
    begin(&mut catalog, "ann", 1, 0).unwrap();
    refresh(&mut catalog, 1, 1, 2, 60_000).unwrap();
    for catalog in [&catalog, &again(&catalog)] {
        assert_eq!(catalog.session_of_hash("access2").unwrap().id, "s1");
        assert_eq!(catalog.session_of_hash("refresh2").unwrap().id, "s1");
        // Known, so that somebody who shows it again is recognised.
        assert_eq!(catalog.session_of_hash("refresh1").unwrap().id, "s1");
        assert!(catalog.session_of_hash("access1").is_none());
    }
    assert_eq!(again(&catalog), catalog);
}

#[test]
fn a_refresh_token_counts_once_and_for_a_moment_longer_if_its_answer_was_lost() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "ann");
    begin(&mut catalog, "ann", 1, 0).unwrap();
    refresh(&mut catalog, 1, 1, 2, 60_000).unwrap();
    refresh(&mut catalog, 1, 1, 3, 60_000 + REPEAT_MS).unwrap();
    let error = refresh(&mut catalog, 1, 1, 4, 60_001 + 2 * REPEAT_MS).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unauthenticated);
    assert!(refresh(&mut catalog, 1, 2, 4, 60_000).is_err());
    refresh(&mut catalog, 1, 3, 5, 300_000).unwrap();
    assert!(refresh(&mut catalog, 1, 5, 6, 10_000_001).is_err(), "it is over");
}

#[test]
fn a_new_password_ends_all_sessions_but_the_one_it_was_given_in() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "ann");
    create(&mut catalog, "bob");
    for n in 1..4 {
        begin(&mut catalog, "ann", n, 0).unwrap();
    }
    begin(&mut catalog, "bob", 9, 0).unwrap();
    let set = |instead_of: &str| AccountAction::SetPassword {
        account: name("ann"),
        hash: "new".to_owned(),
        one_time: false,
        instead_of: Some(instead_of.to_owned()),
        keep_session: Some("s2".to_owned()),
    };
    assert_eq!(at(&mut catalog, 0, set("other")).unwrap_err().code(), ErrorCode::Conflict);
    at(&mut catalog, 0, set("$argon2id$x")).unwrap();
    let left: Vec<_> = catalog.sessions_of(&name("ann")).iter().map(|s| s.id.clone()).collect();
    assert_eq!(left, ["s2"]);
    assert!(catalog.session("s9").is_some() && catalog.session_of_hash("access1").is_none());
}

#[test]
fn the_oldest_session_ends_when_there_are_too_many() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "ann");
    for n in 0..=Bounds::ACCOUNT_SESSIONS as u32 {
        begin(&mut catalog, "ann", n, i64::from(n)).unwrap();
    }
    assert_eq!(catalog.sessions_of(&name("ann")).len(), Bounds::ACCOUNT_SESSIONS);
    assert!(catalog.session("s0").is_none() && catalog.session("s1").is_some());
}

#[test]
fn who_is_disabled_locked_or_deleted_begins_no_session() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "ann");
    begin(&mut catalog, "ann", 1, 0).unwrap();
    let disabled = |disabled: bool| AccountAction::Update {
        account: name("ann"),
        etag: None,
        display_name: None,
        email: None,
        disabled: Some(disabled),
    };
    at(&mut catalog, 0, disabled(true)).unwrap();
    assert!(catalog.session("s1").is_none());
    assert!(begin(&mut catalog, "ann", 2, 0).is_err());
    at(&mut catalog, 0, disabled(false)).unwrap();
    at(&mut catalog, 0, AccountAction::Lock { account: name("ann"), until_ms: 5_000 }).unwrap();
    assert!(begin(&mut catalog, "ann", 3, 4_999).is_err());
    begin(&mut catalog, "ann", 4, 5_000).unwrap();
    at(&mut catalog, 0, AccountAction::Delete { account: name("ann"), etag: None }).unwrap();
    assert!(catalog.account(&name("ann")).is_none());
    assert!(begin(&mut catalog, "ann", 5, 9_000).is_err());
    let again = AccountAction::Create {
        account: name("ann"),
        display_name: String::new(),
        email: String::new(),
        password: Some("x".to_owned()),
    };
    assert_eq!(at(&mut catalog, 0, again).unwrap_err().code(), ErrorCode::AlreadyExists);
}

#[test]
fn the_last_system_administrator_stays() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "ann");
    create(&mut catalog, "bob");
    role(&mut catalog, "ann", true).unwrap();
    let delete = |id: &str| AccountAction::Delete { account: name(id), etag: None };
    assert_eq!(
        at(&mut catalog, 0, delete("ann")).unwrap_err().code(),
        ErrorCode::FailedPrecondition
    );
    assert!(role(&mut catalog, "ann", false).is_err());
    role(&mut catalog, "bob", true).unwrap();
    role(&mut catalog, "ann", false).unwrap();
    at(&mut catalog, 0, delete("ann")).unwrap();
    assert!(at(&mut catalog, 0, delete("bob")).is_err());
    let holders: Vec<_> =
        catalog.assignments_in(&Scope::System).map(|found| found.account.clone()).collect();
    assert_eq!(holders, [name("bob")]);
}

#[test]
fn roles_are_given_within_a_tenant() {
    let mut catalog = Catalog::new();
    let tenant = Action::CreateTenant { tenant: "acme".to_owned(), description: String::new() };
    catalog.apply(Command::new(0, tenant)).unwrap();
    create(&mut catalog, "ann");
    for (scope, code) in [
        (Scope::Tenant("acme".to_owned()), ErrorCode::InvalidOption),
        (Scope::Tenant("nobody".to_owned()), ErrorCode::NotFound),
        (Scope::Project("gone".to_owned()), ErrorCode::NotFound),
    ] {
        let (account, role) = (name("ann"), "developer".to_owned());
        let action = RoleAction::Assign { account, scope, role, creator: "test".to_owned() };
        let error = catalog.apply(Command::new(0, Action::Role(action))).unwrap_err();
        assert_eq!(error.code(), code);
    }
    let listed = |catalog: &Catalog| {
        catalog.roles_of(&name("ann")).map(|found| found.role.clone()).collect::<Vec<_>>()
    };
    let action = RoleAction::Assign {
        account: name("ann"),
        scope: Scope::Project("default".to_owned()),
        role: "developer".to_owned(),
        creator: "test".to_owned(),
    };
    for _ in 0..2 {
        catalog.apply(Command::new(0, Action::Role(action.clone()))).unwrap();
    }
    assert_eq!(listed(&catalog), ["developer"]);
    assert_eq!(listed(&again(&catalog)), ["developer"]);
}
