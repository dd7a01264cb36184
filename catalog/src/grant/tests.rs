//! Who may do what: by grants, through masks, until a moment; and how grants come and go.

use tidegate_types::ErrorCode;

use super::*;
use crate::approval::tests::{World, decide, person};
use crate::{
    Action, ApprovalState, Column, DEFAULT_DATABASE, ProjectSettings, RoleAction, Scope,
    TableAction, TableDefinition, TenancyAction,
};

/// The table `p.default.clicks` with the columns a, b, c; `q` is another project, in which `stranger` develops and
/// `chief` administers.
pub(crate) fn world() -> World {
    let mut world = World::new();
    world.apply(Action::CreateProject {
        project: "q".to_owned(),
        tenant: "default".to_owned(),
        description: String::new(),
        services: None,
    });
    world.account("chief", Scope::Project("q".to_owned()), "project-administrator");
    let (account, scope) = (person("stranger"), Scope::Project("q".to_owned()));
    let (role, creator) = ("developer".to_owned(), "test".to_owned());
    world.apply(Action::Role(RoleAction::Assign { account, scope, role, creator }));
    let (account, scope) = (person("stranger"), Scope::Project("p".to_owned()));
    world.apply(Action::Role(RoleAction::Revoke { account, scope, role: "developer".to_owned() }));
    let column =
        |name: &str| Column { name: name.to_owned(), ty: "STRING".to_owned(), ..Column::default() };
    world.apply(Action::Table(Box::new(TableAction::CreateTable {
        table: table(),
        kind: "mysql".to_owned(),
        description: String::new(),
        tags: BTreeSet::new(),
        owner: person("dev").to_string(),
        definition: Box::new(TableDefinition {
            columns: vec![column("a"), column("b"), column("c")],
            ..TableDefinition::default()
        }),
        design: None,
    })));
    world
}

pub(crate) fn table() -> TableName {
    TableName::new("p", DEFAULT_DATABASE, "clicks").unwrap()
}

pub(crate) fn rights(permissions: &[DataPermission]) -> Rights {
    Rights { permissions: permissions.iter().copied().collect(), columns: None, expires_ms: None }
}

pub(crate) fn columns(columns: &[(&str, Option<ColumnMask>)]) -> Rights {
    let columns = columns.iter().map(|(name, mask)| ((*name).to_owned(), *mask)).collect();
    Rights { columns: Some(columns), ..rights(&[DataPermission::Select]) }
}

pub(crate) fn request(grantee: &Grantee, rights: Rights, who: &str) -> Action {
    Action::Grant(GrantAction::Request {
        table: table(),
        grantee: grantee.clone(),
        rights,
        requester: person(who).to_string(),
        reason: "for a report".to_owned(),
    })
}

pub(crate) fn give(grantee: &Grantee, rights: Rights) -> Action {
    let (grantee, creator) = (grantee.clone(), person("data").to_string());
    Action::Grant(GrantAction::Give { table: table(), grantee, rights, creator })
}

pub(crate) fn project() -> Grantee {
    Grantee::Project("q".to_owned())
}

pub(crate) fn stranger() -> Grantee {
    Grantee::Account(person("stranger"))
}

fn access(world: &World, asker: Asker<'_>) -> Access {
    world.catalog.access(world.catalog.table(&table()).unwrap(), asker, world.now_ms)
}

fn of_job(world: &World, project: &str, account: Option<&str>) -> Vec<DataPermission> {
    let account = account.map(person);
    let asker = Asker::Job { project, account: account.as_ref() };
    access(world, asker).permissions.into_iter().collect()
}

fn of_person(world: &World, id: &str) -> Access {
    access(world, Asker::Person(&person(id)))
}

#[test]
fn e1_e9_a_job_uses_another_projects_table_once_its_project_has_a_grant() {
    let mut world = world();
    use DataPermission::{Insert, Select};
    assert_eq!(of_job(&world, "p", None).len(), 4, "its own project needs none");
    assert!(of_job(&world, "q", Some("stranger")).is_empty());
    let asked = world.apply(request(&project(), rights(&[Select, Insert]), "stranger"));
    let approval = asked.parse().unwrap();
    assert!(of_job(&world, "q", None).is_empty(), "nobody has decided");
    world.apply(decide(&approval, "data", true));
    assert_eq!(world.state(&approval), ApprovalState::Approved);
    assert_eq!(of_job(&world, "q", None), [Select, Insert]);
    // Its administrators may look at the data, other members only if its settings say so.
    assert!(of_person(&world, "chief").permissions.contains(&Select));
    assert!(of_person(&world, "stranger").permissions.is_empty());
    let settings = ProjectSettings { members_use_grants: true, ..ProjectSettings::default() };
    world.apply(Action::Tenancy(TenancyAction::UpdateProject {
        project: "q".to_owned(),
        etag: None,
        description: None,
        settings: Some(settings),
    }));
    assert!(of_person(&world, "stranger").permissions.contains(&Select));
    let grant = world.catalog.grants_on(&table()).next().unwrap();
    assert_eq!(
        (grant.approval.as_ref(), grant.creator.as_str()),
        (Some(&approval), "tenants/default/users/data")
    );
}

#[test]
fn e5_a_person_and_a_project_are_two_requests() {
    let mut world = world();
    let select = || rights(&[DataPermission::Select]);
    let first: ChildName = world.apply(request(&project(), select(), "stranger")).parse().unwrap();
    let second: ChildName =
        world.apply(request(&stranger(), select(), "stranger")).parse().unwrap();
    assert_ne!(first, second);
    let again = world.refuse(request(&stranger(), select(), "stranger"));
    assert_eq!(again, ErrorCode::FailedPrecondition, "it is pending");
    world.apply(decide(&second, "data", true));
    assert_eq!(of_job(&world, "q", Some("stranger")), [DataPermission::Select]);
    assert!(of_job(&world, "q", Some("chief")).is_empty(), "it is the person's");
    assert!(of_person(&world, "stranger").permissions.contains(&DataPermission::Select));
}

#[test]
fn nobody_asks_for_others_or_for_what_is_not_there() {
    let mut world = world();
    let select = || rights(&[DataPermission::Select]);
    let code = |world: &mut World, grantee: &Grantee, rights: Rights, who: &str| {
        world.refuse(request(grantee, rights, who))
    };
    assert_eq!(code(&mut world, &stranger(), select(), "chief"), ErrorCode::PermissionDenied);
    assert_eq!(code(&mut world, &project(), select(), "dev"), ErrorCode::PermissionDenied);
    let own = Grantee::Project("p".to_owned());
    assert_eq!(code(&mut world, &own, select(), "dev"), ErrorCode::FailedPrecondition);
    assert_eq!(code(&mut world, &stranger(), rights(&[]), "stranger"), ErrorCode::InvalidOption);
    let odd = columns(&[("d", None)]);
    assert_eq!(code(&mut world, &stranger(), odd, "stranger"), ErrorCode::InvalidOption);
    let over = Rights { expires_ms: Some(1), ..select() };
    assert_eq!(code(&mut world, &stranger(), over, "stranger"), ErrorCode::InvalidOption);
}

#[test]
fn e3_e12_columns_are_granted_behind_masks_and_the_best_of_several_counts() {
    let mut world = world();
    let masked = columns(&[("a", None), ("b", Some(ColumnMask::Null))]);
    world.apply(give(&stranger(), masked));
    let seen = of_person(&world, "stranger");
    let expected = [
        ("b".to_owned(), ColumnAccess::Masked(ColumnMask::Null)),
        ("c".to_owned(), ColumnAccess::Denied),
    ];
    assert_eq!(seen.columns, expected.into());
    world.apply(give(
        &stranger(),
        columns(&[("b", Some(ColumnMask::Partial)), ("c", Some(ColumnMask::Hash))]),
    ));
    let seen = of_person(&world, "stranger");
    let expected = [
        ("b".to_owned(), ColumnAccess::Masked(ColumnMask::Partial)),
        ("c".to_owned(), ColumnAccess::Masked(ColumnMask::Hash)),
    ];
    assert_eq!(seen.columns, expected.into());
    // The right to write says nothing of columns.
    world.apply(give(&stranger(), rights(&[DataPermission::Insert])));
    assert_eq!(of_person(&world, "stranger").columns.len(), 2);
    world.apply(give(&stranger(), rights(&[DataPermission::Select])));
    assert!(of_person(&world, "stranger").columns.is_empty());
}

#[test]
fn e12_grants_end_by_themselves_or_are_taken_back() {
    let mut world = world();
    let until = Rights { expires_ms: Some(5_000), ..rights(&[DataPermission::Select]) };
    world.apply(give(&project(), until));
    let name = world.apply(give(&stranger(), rights(&[DataPermission::Select])));
    assert_eq!(of_job(&world, "q", None).len(), 1);
    world.now_ms = 5_000;
    assert!(of_job(&world, "q", None).is_empty(), "it counts no more, whoever has noticed");
    world.apply(Action::Grant(GrantAction::Expire {}));
    assert_eq!(world.catalog.grants_on(&table()).count(), 1);
    let revoke = || Action::Grant(GrantAction::Revoke { grant: name.parse().unwrap() });
    world.apply(revoke());
    assert!(of_person(&world, "stranger").permissions.is_empty());
    assert_eq!(world.refuse(revoke()), ErrorCode::NotFound);
}

#[test]
fn e11_what_is_public_is_for_the_whole_tenant_and_no_other() {
    let mut world = world();
    world.apply(Action::CreateTenant { tenant: "rival".to_owned(), description: String::new() });
    world.apply(Action::CreateProject {
        project: "theirs".to_owned(),
        tenant: "rival".to_owned(),
        description: String::new(),
        services: None,
    });
    let set =
        |rights: Option<Rights>| Action::Grant(GrantAction::SetPublic { table: table(), rights });
    world.apply(set(Some(columns(&[("a", None)]))));
    let seen = of_person(&world, "stranger");
    assert_eq!((seen.permissions.len(), seen.columns.len()), (1, 2));
    assert!(of_job(&world, "theirs", None).is_empty());
    let foreign = Grantee::Project("theirs".to_owned());
    assert_eq!(
        world.refuse(give(&foreign, rights(&[DataPermission::Select]))),
        ErrorCode::NotFound
    );
    world.apply(set(None));
    assert!(of_person(&world, "stranger").permissions.is_empty());
}

#[test]
fn grants_go_with_their_table_person_and_project() {
    let mut world = world();
    world.apply(give(&stranger(), rights(&[DataPermission::Select])));
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    let delete = crate::AccountAction::Delete { account: person("stranger"), etag: None };
    world.apply(Action::Account(delete));
    assert_eq!(world.catalog.grants_on(&table()).count(), 1);
    let delete = TableAction::DeleteTable { table: table(), etag: None };
    world.apply(Action::Table(Box::new(delete)));
    assert_eq!(world.catalog.grants_on(&table()).count(), 0);
}
