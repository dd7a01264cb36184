//! Uploads become versions, contents are kept once, what nothing needs becomes garbage.

use tidegate_types::{ErrorCode, Result};

use super::*;
use crate::bounds::Bounds;
use crate::child_name::Collection;
use crate::scope::Scope;
use crate::tenancy::{Quota, ServiceKind, TenancyAction};
use crate::{Action, Catalog, Command, PageRequest, ResourceFilter};

const HOUR_MS: i64 = 3_600_000;

fn apply(catalog: &mut Catalog, now_ms: i64, action: Action) -> Result<()> {
    catalog.apply(Command::new(now_ms, action)).map(drop)
}

fn act(catalog: &mut Catalog, action: ResourceAction) -> Result<()> {
    apply(catalog, 1_000, Action::Resource(Box::new(action)))
}

fn named(project: &str, collection: Collection, id: &str) -> ChildName {
    ChildName::new(Scope::Project(project.to_owned()), collection, id).unwrap()
}

fn resource(project: &str, id: &str) -> ChildName {
    named(project, Collection::Resources, id)
}

fn upload(project: &str, id: &str) -> ChildName {
    named(project, Collection::Uploads, id)
}

fn spec(resource: &ChildName, content: char, bytes: u64) -> UploadSpec {
    UploadSpec {
        resource: resource.clone(),
        kind: ResourceKind::Package,
        folder: "udf/java".to_owned(),
        description: "Parses clicks".to_owned(),
        file_name: "clicks.jar".to_owned(),
        sha256: content.to_string().repeat(64),
        bytes,
        uploader: "tenants/default/users/ann".to_owned(),
    }
}

fn begin(catalog: &mut Catalog, id: &str, spec: UploadSpec) -> Result<()> {
    let Scope::Project(project) = spec.resource.owner().clone() else { panic!() };
    act(catalog, ResourceAction::BeginUpload { upload: upload(&project, id), spec })
}

/// Uploads something whole.
fn put(catalog: &mut Catalog, project: &str, id: &str, content: char, bytes: u64) -> Result<()> {
    begin(catalog, "u", spec(&resource(project, id), content, bytes))?;
    let finish =
        ResourceAction::FinishUpload { upload: upload(project, "u"), format: "jar".to_owned() };
    act(catalog, finish)
}

fn delete(catalog: &mut Catalog, id: &str, version: Option<u64>) -> Result<()> {
    let resource = resource("default", id);
    act(catalog, ResourceAction::Delete { resource, version, etag: None })
}

fn project(catalog: &mut Catalog, id: &str, tenant: &str) {
    let create = Action::CreateProject {
        project: id.to_owned(),
        tenant: tenant.to_owned(),
        description: String::new(),
        services: Some(vec![ServiceKind::DataManagement]),
    };
    apply(catalog, 0, create).unwrap();
}

#[test]
fn j8_versions_of_a_resource_follow_each_other() {
    let mut catalog = Catalog::new();
    put(&mut catalog, "default", "clicks", 'a', 10).unwrap();
    put(&mut catalog, "default", "clicks", 'b', 20).unwrap();
    let found = catalog.resource(&resource("default", "clicks")).unwrap();
    let numbers: Vec<u64> = found.versions.iter().map(|version| version.number).collect();
    assert_eq!((numbers, found.bytes()), (vec![1, 2], 30));
    assert_eq!(found.version(0).unwrap().sha256, "b".repeat(64));
    assert_eq!(catalog.used("default").resource_bytes, 30);
    delete(&mut catalog, "clicks", Some(2)).unwrap();
    assert_eq!(delete(&mut catalog, "clicks", Some(2)).unwrap_err().code(), ErrorCode::NotFound);
    // The number is not given again.
    put(&mut catalog, "default", "clicks", 'c', 5).unwrap();
    let found = catalog.resource(&resource("default", "clicks")).unwrap();
    assert_eq!(found.version(0).unwrap().number, 3);
    delete(&mut catalog, "clicks", None).unwrap();
    assert!(catalog.resource(&resource("default", "clicks")).is_none());
    assert_eq!(catalog.used("default").resource_bytes, 0);
    let left =
        catalog.list_resources("default", &ResourceFilter::default(), &PageRequest::first(9));
    assert!(left.unwrap().items.is_empty());
}

#[test]
fn j8_a_tenant_keeps_the_same_bytes_once() {
    let mut catalog = Catalog::new();
    let other = Action::CreateTenant { tenant: "b".to_owned(), description: String::new() };
    apply(&mut catalog, 0, other).unwrap();
    project(&mut catalog, "mine", "default");
    project(&mut catalog, "theirs", "b");
    for (project, id) in
        [("default", "one"), ("default", "two"), ("mine", "one"), ("theirs", "one")]
    {
        put(&mut catalog, project, id, 'a', 10).unwrap();
    }
    // One of each tenant; the places of the others are garbage.
    assert_eq!((catalog.content_count(), catalog.resource_garbage_len()), (2, 2));
    delete(&mut catalog, "one", None).unwrap();
    delete(&mut catalog, "two", None).unwrap();
    assert_eq!((catalog.content_count(), catalog.resource_garbage_len()), (2, 2));
    let found = catalog.resource(&resource("mine", "one")).unwrap();
    let content = catalog.content(found, found.version(0).unwrap()).unwrap();
    assert_eq!(content.references, 1);
    let place = content.place.clone();
    assert!(place.starts_with("default/"), "{place}");
    let last =
        ResourceAction::Delete { resource: resource("mine", "one"), version: None, etag: None };
    act(&mut catalog, last).unwrap();
    assert_eq!((catalog.content_count(), catalog.resource_garbage_len()), (1, 3));
    // Uploaded again it gets a place of its own, whatever becomes of the old one.
    put(&mut catalog, "default", "one", 'a', 10).unwrap();
    let found = catalog.resource(&resource("default", "one")).unwrap();
    let again = &catalog.content(found, found.version(0).unwrap()).unwrap().place;
    assert_ne!(*again, place);
    assert!(catalog.resource_garbage(1_000, 9).is_empty(), "downloads may still read it");
    let garbage = catalog.resource_garbage(1_000 + HOUR_MS, 9);
    assert_eq!(garbage.len(), 3);
    assert!(garbage.contains(&place) && !garbage.contains(again));
    act(&mut catalog, ResourceAction::Forget { places: garbage }).unwrap();
    assert_eq!(catalog.resource_garbage_len(), 0);
    assert_eq!(Catalog::decode(&catalog.encode()).unwrap(), catalog);
}

#[test]
fn j8_uploads_that_are_given_up_or_take_too_long_are_garbage() {
    let mut catalog = Catalog::new();
    let name = resource("default", "clicks");
    begin(&mut catalog, "u1", spec(&name, 'a', 10)).unwrap();
    let again = begin(&mut catalog, "u1", spec(&name, 'a', 10)).unwrap_err();
    assert_eq!(again.code(), ErrorCode::AlreadyExists);
    begin(&mut catalog, "u2", spec(&name, 'b', 10)).unwrap();
    act(&mut catalog, ResourceAction::AbandonUpload { upload: upload("default", "u1") }).unwrap();
    assert_eq!((catalog.uploads_of("default").count(), catalog.resource_garbage_len()), (1, 1));
    assert!(!catalog.has_expired_uploads(1_000 + Bounds::UPLOAD_AGE_MS - 1));
    assert!(catalog.has_expired_uploads(1_000 + Bounds::UPLOAD_AGE_MS));
    let expire = Action::Resource(Box::new(ResourceAction::ExpireUploads {}));
    apply(&mut catalog, 1_000 + Bounds::UPLOAD_AGE_MS, expire).unwrap();
    assert_eq!((catalog.uploads_of("default").count(), catalog.resource_garbage_len()), (0, 2));
    let finish =
        ResourceAction::FinishUpload { upload: upload("default", "u2"), format: "jar".to_owned() };
    assert_eq!(act(&mut catalog, finish).unwrap_err().code(), ErrorCode::NotFound);
}

#[test]
fn j8_quotas_count_what_was_announced() {
    let mut catalog = Catalog::new();
    let mut open = |quota: Quota| {
        let (project, service) = ("default".to_owned(), ServiceKind::DataManagement);
        let update = TenancyAction::UpdateService { project, service, etag: None, quota };
        apply(&mut catalog, 0, Action::Tenancy(update)).unwrap();
    };
    open(Quota { resource_bytes: 100, ..Quota::default() });
    put(&mut catalog, "default", "a", 'a', 60).unwrap();
    begin(&mut catalog, "u1", spec(&resource("default", "b"), 'b', 40)).unwrap();
    let over = begin(&mut catalog, "u2", spec(&resource("default", "c"), 'c', 1)).unwrap_err();
    assert_eq!(over.code(), ErrorCode::QuotaExceeded);
    assert!(over.to_string().contains("would have 101 bytes of resources"), "{over}");
    act(&mut catalog, ResourceAction::AbandonUpload { upload: upload("default", "u1") }).unwrap();
    begin(&mut catalog, "u2", spec(&resource("default", "c"), 'c', 40)).unwrap();
    // Without a quota of its own a project has that of all.
    let mut catalog = Catalog::new();
    for n in 0..10 {
        let spec = spec(&resource("default", "c"), 'c', Bounds::RESOURCE_BYTES);
        begin(&mut catalog, &format!("u{n}"), spec).unwrap();
    }
    let over = begin(&mut catalog, "u10", spec(&resource("default", "c"), 'c', 1)).unwrap_err();
    assert_eq!(over.code(), ErrorCode::QuotaExceeded);
}

#[test]
fn j8_what_cannot_be_is_refused_and_changes_nothing() {
    let mut catalog = Catalog::new();
    put(&mut catalog, "default", "clicks", 'a', 10).unwrap();
    let name = resource("default", "clicks");
    let good = spec(&name, 'b', 10);
    let before = catalog.encode();
    type Spoil = fn(&mut UploadSpec);
    let wrong: [(Spoil, ErrorCode); 8] = [
        (|spec| spec.file_name = "../x".to_owned(), ErrorCode::InvalidOption),
        (|spec| spec.file_name = String::new(), ErrorCode::InvalidOption),
        (|spec| spec.folder = "/a".to_owned(), ErrorCode::InvalidOption),
        (|spec| spec.folder = "a/../b".to_owned(), ErrorCode::InvalidOption),
        (|spec| spec.sha256 = "A".repeat(64), ErrorCode::InvalidOption),
        (|spec| spec.bytes = 0, ErrorCode::InvalidOption),
        (|spec| spec.bytes = Bounds::RESOURCE_BYTES + 1, ErrorCode::ResourceExhausted),
        (|spec| spec.kind = ResourceKind::TestData, ErrorCode::FailedPrecondition),
    ];
    for (spoil, code) in wrong {
        let mut spec = good.clone();
        spoil(&mut spec);
        let refused = begin(&mut catalog, "u", spec).unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    let foreign = ResourceAction::BeginUpload { upload: upload("other", "u"), spec: good };
    assert_eq!(act(&mut catalog, foreign).unwrap_err().code(), ErrorCode::InvalidOption);
    let stale = ResourceAction::Update {
        resource: name,
        etag: Some(1),
        description: Some("new".to_owned()),
        folder: None,
    };
    assert_eq!(act(&mut catalog, stale).unwrap_err().code(), ErrorCode::Conflict);
    assert_eq!(catalog.encode(), before);
    let delete = Action::DeleteProject { project: "default".to_owned(), etag: None };
    assert_eq!(apply(&mut catalog, 0, delete).unwrap_err().code(), ErrorCode::FailedPrecondition);
}

#[test]
fn j8_lists_are_newest_first_and_filtered() {
    let mut catalog = Catalog::new();
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        put(&mut catalog, "default", id, char::from(b'a' + n as u8), 10).unwrap();
    }
    let move_away = ResourceAction::Update {
        resource: resource("default", "b"),
        etag: None,
        description: Some("rows".to_owned()),
        folder: Some("data".to_owned()),
    };
    act(&mut catalog, move_away).unwrap();
    let list = |filter: ResourceFilter| -> Vec<String> {
        let (mut ids, mut next) = (Vec::new(), Some(PageRequest::first(2)));
        while let Some(request) = next {
            let page = catalog.list_resources("default", &filter, &request).unwrap();
            ids.extend(page.items.iter().map(|found| found.name.id().to_owned()));
            next = request.after(&page);
        }
        ids
    };
    assert_eq!(list(ResourceFilter::default()), ["c", "b", "a"]);
    let folder = |folder: &str| ResourceFilter { folder: folder.to_owned(), ..Default::default() };
    assert_eq!(list(folder("udf")), ["c", "a"]);
    assert_eq!(list(folder("ud")), Vec::<String>::new());
    let search = |text: &str| ResourceFilter { search: text.to_owned(), ..Default::default() };
    assert_eq!(list(search("rows")), ["b"]);
    assert_eq!(list(search("clicks.jar")), ["c", "b", "a"]);
    let kind = ResourceFilter { kind: Some(ResourceKind::TestData), ..Default::default() };
    assert!(list(kind).is_empty());
    let rebuilt = Catalog::decode(&catalog.encode()).unwrap();
    assert_eq!(rebuilt, catalog);
    assert!(
        catalog.list_resources("none", &ResourceFilter::default(), &PageRequest::first(1)).is_err()
    );
}
