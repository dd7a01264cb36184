//! Runs of jobs that use tables of the catalog: where they are, and whether they may.

use tidegate_types::ErrorCode;

use super::tests::*;
use super::*;
use crate::approval::tests::{World, decide, person, source};
use crate::{
    Action, BoundTable, ChildName, DesiredState, Environment, GrantLoss, JobName, Priority,
    ProjectSettings, RestoreOrigin, TableAction, TableUse, TenancyAction, VersionSpec,
};

fn job(world: &mut World, used: TableUse) -> JobName {
    let job = JobName::new("q", "report").unwrap();
    world.apply(Action::CreateJob {
        job: job.clone(),
        description: String::new(),
        labels: BTreeMap::new(),
        priority: Priority::Normal,
    });
    let spec = VersionSpec {
        sql: "INSERT INTO b SELECT a FROM p.`default`.clicks".to_owned(),
        plan: "{}".to_owned(),
        settings: BTreeMap::new(),
        parallelism: 1,
        tables: vec![used],
        flows: Vec::new(),
    };
    world.apply(Action::CreateVersion { job: job.clone(), spec });
    job
}

fn used(columns: &[(&str, Option<ColumnMask>)]) -> TableUse {
    TableUse {
        table: table(),
        digest: String::new(),
        reads: true,
        writes: false,
        columns: columns.iter().map(|(name, mask)| ((*name).to_owned(), *mask)).collect(),
    }
}

fn start(job: &JobName, environment: Option<Environment>, who: Option<&str>) -> Action {
    Action::StartRun {
        job: job.clone(),
        version: None,
        parallelism: None,
        origin: RestoreOrigin::Fresh,
        environment,
        account: who.map(person),
    }
}

/// The table is in test.
fn publish(world: &mut World) {
    let mysql = world.data_source("mysql", "mysql");
    let approval = world.ask(&mysql);
    world.apply(decide(&approval, "global", true));
    let asked = world.apply(Action::Table(Box::new(TableAction::PublishTable {
        table: table(),
        etag: None,
        environment: Environment::Test,
        data_source: Some(source("mysql")),
        physical_name: "clicks_1".to_owned(),
        topic: crate::Topic::default(),
        requester: person("dev").to_string(),
        reason: String::new(),
    })));
    world.apply(decide(&asked.parse().unwrap(), "data", true));
}

#[test]
fn e1_a_run_starts_with_a_grant_where_its_tables_are_and_knows_where_that_is() {
    let mut world = world();
    let job = job(&mut world, used(&[("a", None)]));
    let test = Some(Environment::Test);
    assert_eq!(world.refuse(start(&job, None, None)), ErrorCode::FailedPrecondition);
    assert_eq!(world.refuse(start(&job, test, None)), ErrorCode::GrantMissing);
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    assert_eq!(
        world.refuse(start(&job, test, None)),
        ErrorCode::FailedPrecondition,
        "it is not there"
    );
    publish(&mut world);
    let production = Some(Environment::Production);
    assert_eq!(world.refuse(start(&job, production, None)), ErrorCode::FailedPrecondition);
    world.apply(start(&job, test, Some("stranger")));
    let unpublish =
        TableAction::UnpublishTable { table: table(), etag: None, environment: Environment::Test };
    let used = world.refuse(Action::Table(Box::new(unpublish)));
    assert_eq!(used, ErrorCode::FailedPrecondition, "a running job uses it");
    let run = world.catalog.last_run(&job).unwrap();
    let tables = run.tables.as_ref().unwrap();
    let expected = BoundTable {
        table: table(),
        kind: "mysql".to_owned(),
        data_source: source("mysql"),
        physical_database: None,
        physical_name: "clicks_1".to_owned(),
        options: BTreeMap::new(),
    };
    assert_eq!(tables.tables, [expected]);
    assert_eq!((tables.environment, tables.grants.len()), (Environment::Test, 1));
}

#[test]
fn a_persons_grant_counts_for_whom_starts_the_job() {
    let mut world = world();
    publish(&mut world);
    let job = job(&mut world, used(&[("a", None)]));
    world.apply(give(&stranger(), rights(&[DataPermission::Select])));
    let test = Some(Environment::Test);
    assert_eq!(world.refuse(start(&job, test, Some("chief"))), ErrorCode::GrantMissing);
    world.apply(start(&job, test, Some("stranger")));
}

#[test]
fn n11_columns_are_needed_as_they_were_planned() {
    let mut world = world();
    publish(&mut world);
    let masked = used(&[("a", None), ("b", Some(ColumnMask::Hash))]);
    let job = job(&mut world, masked);
    let test = Some(Environment::Test);
    world.apply(give(&project(), columns(&[("a", None)])));
    assert_eq!(world.refuse(start(&job, test, None)), ErrorCode::GrantMissing, "b is denied");
    world.apply(give(&project(), columns(&[("b", Some(ColumnMask::Null))])));
    assert_eq!(world.refuse(start(&job, test, None)), ErrorCode::FailedPrecondition);
    world.apply(give(&project(), columns(&[("b", Some(ColumnMask::Hash))])));
    world.apply(start(&job, test, None));
}

#[test]
fn a_version_runs_with_the_definition_that_it_was_planned_with() {
    let mut world = world();
    publish(&mut world);
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    let other = TableUse { digest: "1:ab".to_owned(), ..used(&[]) };
    let job = job(&mut world, other);
    let error = world.refuse(start(&job, Some(Environment::Test), None));
    assert_eq!(error, ErrorCode::FailedPrecondition);
}

#[test]
fn a_job_whose_grant_is_taken_back_says_so_or_is_stopped_as_the_tables_project_wants() {
    let mut world = world();
    publish(&mut world);
    let job = job(&mut world, used(&[("a", None)]));
    let grant: ChildName =
        world.apply(give(&project(), rights(&[DataPermission::Select]))).parse().unwrap();
    let test = Some(Environment::Test);
    world.apply(start(&job, test, None));
    let run = world.catalog.last_run(&job).unwrap().name.clone();
    let lost =
        |world: &World| world.catalog.last_run(&job).unwrap().tables.as_ref().unwrap().lost.clone();
    let review = || Action::Grant(GrantAction::Review { run: run.clone() });
    assert!(world.catalog.runs_to_review(world.now_ms).is_empty());
    world.apply(Action::Grant(GrantAction::Revoke { grant }));
    assert_eq!(world.catalog.runs_to_review(world.now_ms), std::slice::from_ref(&run));
    world.apply(review());
    assert!(lost(&world).unwrap().contains("no grant for select"), "{:?}", lost(&world));
    assert!(world.catalog.runs_to_review(world.now_ms).is_empty(), "it is said once");
    assert_eq!(world.catalog.run(&run).unwrap().desired, DesiredState::Running);
    // What is granted again is missed no more; an end comes like a revocation.
    let expires_ms = Some(world.now_ms + 1_000);
    world.apply(give(&project(), Rights { expires_ms, ..rights(&[DataPermission::Select]) }));
    assert_eq!(world.catalog.runs_to_review(world.now_ms).len(), 1);
    world.apply(review());
    assert_eq!(lost(&world), None);
    let settings = ProjectSettings { grant_loss: GrantLoss::Stop, ..ProjectSettings::default() };
    world.apply(Action::Tenancy(TenancyAction::UpdateProject {
        project: "p".to_owned(),
        etag: None,
        description: None,
        settings: Some(settings),
    }));
    world.now_ms += 1_000;
    assert_eq!(world.catalog.runs_to_review(world.now_ms).len(), 1, "it has expired");
    world.apply(review());
    assert_ne!(world.catalog.run(&run).unwrap().desired, DesiredState::Running);
    assert!(world.catalog.runs_to_review(world.now_ms).is_empty());
}

#[test]
fn whoever_sees_a_column_as_it_is_may_go_on_seeing_it_masked() {
    let mut world = world();
    publish(&mut world);
    let job = job(&mut world, used(&[("a", Some(ColumnMask::Hash))]));
    world.apply(give(&project(), rights(&[DataPermission::Select])));
    world.apply(start(&job, Some(Environment::Test), None));
}
