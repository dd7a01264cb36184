//! Who is told of what, how often it is tried, and what is kept of it.

use tidegate_types::ErrorCode;

use super::*;
use crate::approval::tests::{World, decide, person};
use crate::bounds::Bounds;
use crate::child_name::Collection;
use crate::grant::GrantAction;
use crate::grant::tests::{give, project, request, rights, world};
use crate::scope::Scope;
use crate::{Action, ApprovalAction, Catalog, Command, DataPermission, PageRequest, ResourceName};

fn name(id: &str) -> ChildName {
    ChildName::new(Scope::Tenant("default".to_owned()), Collection::Hooks, id).unwrap()
}

fn create(id: &str, events: &[HookEvent], project: Option<&str>) -> Action {
    Action::Hook(Box::new(HookAction::Create {
        hook: name(id),
        description: "tells the chat".to_owned(),
        url: "http://chat.example/in".to_owned(),
        events: events.iter().copied().collect(),
        project: project.map(str::to_owned),
        secret: None,
        enabled: true,
        creator: person("dev").to_string(),
    }))
}

fn told(world: &World, id: &str) -> Vec<(HookEvent, serde_json::Value)> {
    let deliveries = world.catalog.deliveries_of(&name(id));
    deliveries.map(|one| (one.event, serde_json::from_str(&one.body).unwrap())).collect()
}

fn report(world: &mut World, number: u64, attempts: u32, taken: bool) {
    let detail = if taken { "204" } else { "503" }.to_owned();
    let reports = vec![Reported { number, attempts, taken, detail }];
    world.apply(Action::Hook(Box::new(HookAction::Report { reports })));
}

fn due(world: &World) -> Vec<u64> {
    world.catalog.due_deliveries(world.now_ms).map(|(delivery, _)| delivery.number).collect()
}

#[test]
fn hooks_are_told_of_what_they_want_to_hear() {
    let mut world = world();
    world.apply(create("all", &HookEvent::ALL, None));
    world.apply(create("asks", &[HookEvent::ApprovalCreated], Some("p")));
    world.apply(create("elsewhere", &HookEvent::ALL, Some("q")));
    let asked = world.apply(request(&project(), rights(&[DataPermission::Select]), "chief"));
    world.apply(decide(&asked.parse().unwrap(), "data", true));
    let given = world.catalog.grants_on(&crate::grant::tests::table()).next().unwrap().name.clone();
    world.apply(Action::Grant(GrantAction::Revoke { grant: given.clone() }));
    let all = told(&world, "all");
    let events: Vec<HookEvent> = all.iter().map(|(event, _)| *event).collect();
    use HookEvent as E;
    assert_eq!(events, [E::ApprovalCreated, E::GrantGiven, E::ApprovalDecided, E::GrantRevoked]);
    let (_, body) = &all[2];
    assert_eq!(body["event"], "approval.decided");
    assert_eq!(body["project"], "projects/p");
    assert_eq!(body["approval"]["name"], asked);
    assert_eq!(body["approval"]["state"], "approved");
    assert_eq!(body["approval"]["opinions"][0]["account"], person("data").to_string());
    let (_, body) = &all[3];
    assert_eq!(body["grant"]["name"], given.to_string());
    assert_eq!(body["grant"]["permissions"][0], "select");
    assert_eq!(told(&world, "asks").len(), 1);
    assert!(told(&world, "elsewhere").is_empty());
    assert_eq!(Catalog::decode(&world.catalog.encode()).unwrap(), world.catalog);
}

#[test]
fn withdrawn_and_expired_approvals_and_ended_grants_are_told_of() {
    let mut world = world();
    use HookEvent as E;
    let events = [E::ApprovalWithdrawn, E::ApprovalExpired, E::GrantRevoked];
    world.apply(create("ends", &events, None));
    let select = || rights(&[DataPermission::Select]);
    let approval = world.apply(request(&project(), select(), "chief")).parse().unwrap();
    let requester = person("chief").to_string();
    world.apply(Action::Approval(ApprovalAction::Withdraw { approval, requester }));
    world.apply(request(&project(), select(), "chief"));
    let ending = Some(world.now_ms + 10);
    world.apply(give(&project(), crate::Rights { expires_ms: ending, ..select() }));
    world.now_ms += Bounds::APPROVAL_AGE_MS + 1;
    world.apply(Action::Approval(ApprovalAction::Expire {}));
    world.apply(Action::Grant(GrantAction::Expire {}));
    let told: Vec<HookEvent> = told(&world, "ends").into_iter().map(|(event, _)| event).collect();
    assert_eq!(told, events);
}

#[test]
fn deliveries_are_tried_with_longer_and_longer_pauses_and_then_given_up() {
    let mut world = world();
    world.apply(create("a", &[HookEvent::GrantGiven], None));
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    assert_eq!(due(&world), [1]);
    let mut pauses = Vec::new();
    for attempt in 0..Bounds::DELIVERY_ATTEMPTS {
        report(&mut world, 1, attempt, false);
        // Said twice, by whoever did not hear that it was heard.
        report(&mut world, 1, attempt, false);
        let delivery = world.catalog.deliveries_of(&name("a")).next().unwrap();
        assert_eq!(delivery.attempts, attempt + 1);
        pauses.push((delivery.next_ms - world.now_ms) / 1_000);
        assert!(due(&world).is_empty());
        world.now_ms = delivery.next_ms;
    }
    assert_eq!(pauses, [5, 15, 45, 135, 405, 1_215, 3_600, 3_600]);
    let delivery = world.catalog.deliveries_of(&name("a")).next().unwrap().clone();
    assert_eq!((delivery.state, delivery.detail.as_str()), (DeliveryState::Failed, "503"));
    assert!(due(&world).is_empty());
    world.apply(give(&project(), rights(&[DataPermission::Insert])));
    report(&mut world, 2, 0, true);
    let of = |state| {
        let page = world.catalog.list_deliveries(&name("a"), state, &PageRequest::first(9));
        page.unwrap().items.iter().map(|one| one.number).collect::<Vec<_>>()
    };
    assert_eq!(of(None), [2, 1]);
    assert_eq!(of(Some(DeliveryState::Delivered)), [2]);
    assert_eq!(of(Some(DeliveryState::Pending)), Vec::<u64>::new());
}

#[test]
fn what_is_switched_off_is_not_told_and_what_is_deleted_leaves_nothing() {
    let mut world = world();
    world.apply(create("a", &[HookEvent::GrantGiven], None));
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    let change = |enabled, etag| {
        Action::Hook(Box::new(HookAction::Update {
            hook: name("a"),
            etag,
            description: None,
            url: None,
            events: None,
            project: None,
            secret: None,
            enabled: Some(enabled),
        }))
    };
    world.apply(change(false, None));
    assert!(due(&world).is_empty());
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    world.apply(change(true, None));
    assert_eq!(due(&world), [1], "what happened meanwhile is not told");
    assert_eq!(world.attempt(change(true, Some(1))).unwrap_err().code(), ErrorCode::Conflict);
    world.apply(Action::Hook(Box::new(HookAction::Delete { hook: name("a"), etag: None })));
    assert!(due(&world).is_empty());
    assert_eq!(world.catalog.hooks.deliveries.len(), 0);
}

#[test]
fn the_oldest_deliveries_are_forgotten_and_counted() {
    let mut world = world();
    world.apply(create("a", &[HookEvent::GrantGiven, HookEvent::GrantRevoked], None));
    // Without the snapshot that the world makes after each command.
    let mut apply = |action| world.catalog.apply(Command::new(2_000, action)).unwrap().name;
    for _ in 0..Bounds::DELIVERIES / 2 + 2 {
        let grant = apply(give(&project(), rights(&[DataPermission::Select])));
        let ResourceName::Child(grant) = grant else { panic!("{grant}") };
        apply(Action::Grant(GrantAction::Revoke { grant }));
        // One that is over goes before those that wait.
        let over = Reported { number: 5, attempts: 0, taken: true, detail: String::new() };
        apply(Action::Hook(Box::new(HookAction::Report { reports: vec![over] })));
    }
    let left: Vec<u64> = world.catalog.deliveries_of(&name("a")).map(|one| one.number).collect();
    assert_eq!(left.len(), Bounds::DELIVERIES);
    assert_eq!(left[..4], [4, 6, 7, 8]);
    assert_eq!(world.catalog.hook(&name("a")).unwrap().lost, 3);
}

#[test]
fn hooks_that_cannot_be_are_refused() {
    let mut world = world();
    let code = |world: &mut World, action| world.attempt(action).unwrap_err().code();
    let all = &HookEvent::ALL;
    assert_eq!(code(&mut world, create("a", &[], None)), ErrorCode::InvalidOption);
    assert_eq!(code(&mut world, create("a", all, Some("none"))), ErrorCode::NotFound);
    world.apply(create("a", all, None));
    assert_eq!(code(&mut world, create("a", all, None)), ErrorCode::AlreadyExists);
    for n in 1..Bounds::HOOKS {
        world.apply(create(&format!("h{n}"), all, None));
    }
    assert_eq!(code(&mut world, create("more", all, None)), ErrorCode::ResourceExhausted);
}
