//! Projects: their order, services, quotas, and what archiving leaves.

use std::collections::BTreeMap;

use tidegate_types::{ErrorCode, Result};

use super::*;
use crate::{Action, Catalog, Command, JobName, PageRequest, Priority, RestoreOrigin, VersionSpec};

fn apply(catalog: &mut Catalog, action: Action) -> Result<()> {
    catalog.apply(Command::new(1_000, action)).map(drop)
}

fn more(catalog: &mut Catalog, action: TenancyAction) -> Result<()> {
    apply(catalog, Action::Tenancy(action))
}

fn create(catalog: &mut Catalog, id: &str) {
    let action = Action::CreateProject {
        project: id.to_owned(),
        tenant: DEFAULT_TENANT.to_owned(),
        description: String::new(),
        services: Some(Vec::new()),
    };
    apply(catalog, action).unwrap();
}

fn open(catalog: &mut Catalog, id: &str, quota: Quota) -> Result<()> {
    let (project, service) = (id.to_owned(), ServiceKind::StreamCompute);
    more(catalog, TenancyAction::CreateService { project, service, quota })
}

fn job(catalog: &mut Catalog, project: &str, id: &str) -> Result<JobName> {
    let job = JobName::new(project, id).unwrap();
    let create = Action::CreateJob {
        job: job.clone(),
        description: String::new(),
        labels: BTreeMap::new(),
        priority: Priority::Normal,
    };
    apply(catalog, create)?;
    let spec = VersionSpec {
        sql: "INSERT INTO b SELECT x FROM a".to_owned(),
        plan: "{}".to_owned(),
        settings: BTreeMap::new(),
        parallelism: 2,
        tables: Vec::new(),
        flows: Vec::new(),
    };
    apply(catalog, Action::CreateVersion { job: job.clone(), spec })?;
    Ok(job)
}

fn start(catalog: &mut Catalog, job: &JobName) -> Result<()> {
    let (job, origin) = (job.clone(), RestoreOrigin::Fresh);
    apply(
        catalog,
        Action::StartRun {
            job,
            version: None,
            parallelism: None,
            origin,
            environment: None,
            account: None,
        },
    )
}

fn archive(catalog: &mut Catalog, id: &str, etag: u64) -> Result<()> {
    more(catalog, TenancyAction::ArchiveProject { project: id.to_owned(), etag })
}

fn listed(catalog: &Catalog, size: usize) -> Vec<String> {
    let mut request = Some(PageRequest::first(size));
    let mut ids = Vec::new();
    while let Some(asked) = request {
        let page = catalog.list_projects(DEFAULT_TENANT, &asked, |_| true).unwrap();
        ids.extend(page.items.iter().map(|project| project.id.clone()));
        request = asked.after(&page);
    }
    ids
}

#[test]
fn b1_a_new_project_stands_first() {
    let mut catalog = Catalog::new();
    for id in ["m", "a", "z"] {
        create(&mut catalog, id);
    }
    let again = Catalog::decode(&catalog.encode()).unwrap();
    for size in 1..5 {
        assert_eq!(listed(&catalog, size), ["z", "a", "m", "default"]);
        assert_eq!(listed(&again, size), ["z", "a", "m", "default"]);
    }
    apply(&mut catalog, Action::DeleteProject { project: "a".to_owned(), etag: None }).unwrap();
    assert_eq!(listed(&catalog, 10), ["z", "m", "default"]);
}

#[test]
fn b2_services_are_opened_changed_and_closed() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "p");
    let error = job(&mut catalog, "p", "j").unwrap_err();
    assert!(error.help_text().unwrap().contains("service create stream-compute"), "{error}");
    open(&mut catalog, "p", Quota { jobs: 1, slots: 3, ..Quota::default() }).unwrap();
    assert_eq!(
        open(&mut catalog, "p", Quota::default()).unwrap_err().code(),
        ErrorCode::AlreadyExists
    );
    let first = job(&mut catalog, "p", "j").unwrap();
    assert_eq!(job(&mut catalog, "p", "k").unwrap_err().code(), ErrorCode::QuotaExceeded);
    let update = |etag: Option<u64>, slots: u32| TenancyAction::UpdateService {
        project: "p".to_owned(),
        service: ServiceKind::StreamCompute,
        etag,
        quota: Quota { slots, ..Quota::default() },
    };
    let error = more(&mut catalog, update(Some(0), 1)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict);
    more(&mut catalog, update(None, 1)).unwrap();
    assert_eq!(start(&mut catalog, &first).unwrap_err().code(), ErrorCode::QuotaExceeded);
    more(&mut catalog, update(None, 2)).unwrap();
    start(&mut catalog, &first).unwrap();
    assert_eq!(catalog.used("p"), Quota { slots: 2, jobs: 1, ..Quota::default() });
    let close = || TenancyAction::DeleteService {
        project: "p".to_owned(),
        service: ServiceKind::StreamCompute,
        etag: None,
    };
    let error = more(&mut catalog, close()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::FailedPrecondition);
    let run = first.run(1);
    apply(&mut catalog, Action::RequestCancel { run: run.clone() }).unwrap();
    let state = crate::RunState::Cancelled;
    apply(&mut catalog, Action::SetRunState { run, state, failure: None }).unwrap();
    more(&mut catalog, close()).unwrap();
    assert!(catalog.job(&first).is_some(), "what it holds is kept");
}

#[test]
fn b3_an_archived_project_stops_its_jobs_keeps_everything_and_takes_nothing() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "p");
    open(&mut catalog, "p", Quota::default()).unwrap();
    let job = job(&mut catalog, "p", "j").unwrap();
    start(&mut catalog, &job).unwrap();
    let etag = catalog.project("p").unwrap().revision;
    assert_eq!(archive(&mut catalog, "p", etag + 9).unwrap_err().code(), ErrorCode::Conflict);
    archive(&mut catalog, "p", etag).unwrap();
    let run = catalog.last_run(&job).unwrap();
    assert_ne!(run.desired, crate::DesiredState::Running);
    assert!(catalog.project("p").unwrap().archived_ms.is_some());
    let etag = catalog.project("p").unwrap().revision;
    let code = |result: Result<()>| result.unwrap_err().code();
    assert_eq!(code(archive(&mut catalog, "p", etag)), ErrorCode::ProjectArchived);
    assert_eq!(code(start(&mut catalog, &job)), ErrorCode::ProjectArchived);
    let delete = Action::DeleteJob { job: job.clone(), etag: None, force: true };
    assert_eq!(code(apply(&mut catalog, delete)), ErrorCode::ProjectArchived);
    assert_eq!(code(open(&mut catalog, "p", Quota::default())), ErrorCode::ProjectArchived);
    assert!(catalog.version(&job.version(1)).is_some());
    let default = catalog.project(DEFAULT_PROJECT).unwrap().revision;
    assert_eq!(
        code(archive(&mut catalog, DEFAULT_PROJECT, default)),
        ErrorCode::FailedPrecondition
    );
}

#[test]
fn settings_are_bounded_and_changed_by_who_has_seen_them() {
    let mut catalog = Catalog::new();
    create(&mut catalog, "p");
    let update = |etag: Option<u64>, required_approvals: u32| TenancyAction::UpdateProject {
        project: "p".to_owned(),
        etag,
        description: None,
        settings: Some(ProjectSettings { required_approvals, ..ProjectSettings::default() }),
    };
    for bad in [0, 6] {
        let error = more(&mut catalog, update(None, bad)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidOption);
    }
    let etag = catalog.project("p").unwrap().revision;
    more(&mut catalog, update(Some(etag), 2)).unwrap();
    let error = more(&mut catalog, update(Some(etag), 3)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(catalog.project("p").unwrap().settings.required_approvals, 2);
}
