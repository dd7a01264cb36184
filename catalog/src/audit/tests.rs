//! Records of calls: with the command that they make, once, in a chain.

use tidegate_types::ErrorCode;

use super::*;
use crate::{Action, AuditFilter, Catalog, Command, PageRequest, Scope};

fn origin(call: &str, resource: &str) -> Origin {
    Origin {
        call: call.to_owned(),
        principal: "tenants/default/users/ann".to_owned(),
        method: "tidegate.v1.TenantService/CreateTenant".to_owned(),
        resource: resource.to_owned(),
        request_id: String::new(),
        address: "10.0.0.7:4711".to_owned(),
    }
}

fn create(catalog: &mut Catalog, call: &str, tenant: &str) -> tidegate_types::Result<()> {
    let action = Action::CreateTenant { tenant: tenant.to_owned(), description: String::new() };
    let command = Command::new(1_000, action).of_call(origin(call, &format!("tenants/{tenant}")));
    catalog.apply(command).map(drop)
}

fn told(call: &str, outcome: Outcome) -> Call {
    let reason = if outcome == Outcome::Done { "" } else { "PERMISSION_DENIED" };
    let origin = origin(call, "tenants/a");
    Call { origin, outcome, reason: reason.to_owned(), left_out: 0 }
}

fn record(catalog: &mut Catalog, calls: Vec<Call>) {
    let action = Action::Audit(AuditAction::Record { calls });
    catalog.apply(Command::new(2_000, action)).unwrap();
}

fn all(catalog: &Catalog) -> Vec<AuditRecord> {
    catalog.audit_from(0).map(|record| AuditRecord::clone(record)).collect()
}

#[test]
fn a_command_leaves_its_record_also_when_it_is_refused() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "c1", "a").unwrap();
    let revision = catalog.revision();
    let error = create(&mut catalog, "c2", "a").unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    assert_eq!(catalog.revision(), revision);
    let outcomes: Vec<_> =
        all(&catalog).into_iter().map(|record| (record.outcome, record.reason)).collect();
    let expected = [(Outcome::Done, String::new()), (Outcome::Failed, "ALREADY_EXISTS".to_owned())];
    assert_eq!(outcomes, expected);
}

#[test]
fn a_call_is_told_once_for_each_outcome() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "c1", "a").unwrap();
    record(&mut catalog, vec![told("c1", Outcome::Done), told("c2", Outcome::Denied)]);
    record(&mut catalog, vec![told("c2", Outcome::Denied)]);
    assert_eq!(all(&catalog).len(), 2);
    record(&mut catalog, vec![told("c1", Outcome::Failed)]);
    assert_eq!(all(&catalog).len(), 3);
}

#[test]
fn each_record_has_the_hash_of_the_one_before() {
    let mut catalog = Catalog::new();
    record(&mut catalog, (0..5).map(|n| told(&format!("c{n}"), Outcome::Denied)).collect());
    let mut before = String::new();
    for record in all(&catalog) {
        assert_eq!(record.hash, record.hash_after(&before));
        let mut forged = record.clone();
        forged.origin.principal.push('x');
        assert_ne!(forged.hash_after(&before), record.hash);
        before = record.hash;
    }
    assert_eq!(catalog.last_audit(), (5, before.as_str()));
}

#[test]
fn what_is_sealed_leaves_and_the_chain_goes_on() {
    let mut catalog = Catalog::new();
    record(&mut catalog, (0..5).map(|n| told(&format!("c{n}"), Outcome::Denied)).collect());
    let records = all(&catalog);
    let segment = |first: u64, last: u64| Segment {
        first,
        last,
        first_ms: 0,
        last_ms: 0,
        location: "file:///x".to_owned(),
        hash: records[last as usize - 1].hash.clone(),
    };
    let mut seal = |segment: Segment| {
        catalog.apply(Command::new(0, Action::Audit(AuditAction::Seal { segment }))).map(drop)
    };
    assert!(seal(segment(2, 3)).is_err());
    let mut forged = segment(1, 3);
    forged.hash = "0".repeat(64);
    assert!(seal(forged).is_err());
    seal(segment(1, 3)).unwrap();
    assert_eq!(catalog.audit_len(), 2);
    assert_eq!(catalog.audit_segments().len(), 1);
    record(&mut catalog, vec![told("c9", Outcome::Denied)]);
    let last = all(&catalog).pop().unwrap();
    assert_eq!((last.number, last.hash.clone()), (6, last.hash_after(&records[4].hash)));
}

#[test]
fn lists_are_newest_first_and_filtered_by_scope() {
    let mut catalog = Catalog::new();
    for (call, resource) in
        [("c1", "tenants/a"), ("c2", "projects/default/jobs/j"), ("c3", "workers/w")]
    {
        let origin = origin(call, resource);
        let call = Call { origin, outcome: Outcome::Done, reason: String::new(), left_out: 0 };
        record(&mut catalog, vec![call]);
    }
    let list = |scope: &Scope, filter: &AuditFilter| -> Vec<u64> {
        let page = catalog.list_audit(scope, filter, &PageRequest::first(10)).unwrap();
        page.items.iter().map(|record| record.number).collect()
    };
    let any = AuditFilter::default();
    assert_eq!(list(&Scope::System, &any), [3, 2, 1]);
    assert_eq!(list(&Scope::Tenant("a".into()), &any), [1]);
    assert_eq!(list(&Scope::Tenant("default".into()), &any), [2]);
    assert_eq!(list(&Scope::Project("default".into()), &any), [2]);
    let filter = AuditFilter { resource_prefix: "workers/".into(), ..AuditFilter::default() };
    assert_eq!(list(&Scope::System, &filter), [3]);
    let filter = AuditFilter { principal: "nobody".into(), ..AuditFilter::default() };
    assert!(list(&Scope::System, &filter).is_empty());
}
