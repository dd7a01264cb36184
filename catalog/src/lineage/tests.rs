//! Lineage over several jobs, projects and tenants.

use std::collections::BTreeMap;

use super::*;
use crate::approval::tests::World;
use crate::{Action, Priority, TableUse, TenancyAction, VersionSpec};

fn table(project: &str, id: &str) -> TableName {
    TableName::new(project, "default", id).unwrap()
}

/// A job that makes `to` of `from`; the tables themselves need not be there.
fn job(world: &mut World, project: &str, id: &str, from: &str, to: &str) {
    let job = JobName::new(project, id).unwrap();
    world.apply(Action::CreateJob {
        job: job.clone(),
        description: String::new(),
        labels: BTreeMap::new(),
        priority: Priority::Normal,
    });
    let used = |id: &str, reads: bool| TableUse {
        table: table("p", id),
        digest: String::new(),
        reads,
        writes: !reads,
        columns: BTreeMap::new(),
    };
    let column = ColumnFlow { from: "a".to_owned(), to: "b".to_owned(), direct: true };
    let spec = VersionSpec {
        sql: "INSERT INTO t SELECT a FROM s".to_owned(),
        plan: "{}".to_owned(),
        settings: BTreeMap::new(),
        parallelism: 1,
        tables: vec![used(from, true), used(to, false)],
        flows: vec![TableFlow {
            from: table("p", from),
            to: table("p", to),
            columns: BTreeSet::from([column]),
        }],
    };
    world.apply(Action::CreateVersion { job, spec });
}

fn edges(lineage: &Lineage) -> Vec<(&str, &str)> {
    lineage.edges.keys().map(|(from, to)| (from.table(), to.table())).collect()
}

#[test]
fn a_table_comes_from_others_and_goes_on_as_far_as_is_asked() {
    let mut world = World::new();
    for (id, from, to) in [("j1", "a", "b"), ("j2", "b", "c"), ("j3", "c", "d"), ("j4", "x", "y")] {
        job(&mut world, "p", id, from, to);
    }
    // Around in a circle it ends, too.
    job(&mut world, "p", "j5", "d", "b");
    let near = world.catalog.lineage("default", &table("p", "c"), 1);
    assert_eq!(edges(&near), [("b", "c"), ("c", "d")]);
    assert!(near.is_cut);
    let far = world.catalog.lineage("default", &table("p", "c"), 10);
    assert_eq!(edges(&far), [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]);
    assert!(!far.is_cut);
    let edge = &far.edges[&(table("p", "a"), table("p", "b"))];
    assert_eq!((edge.jobs.len(), edge.columns.len()), (1, 1));
    assert!(world.catalog.lineage("other", &table("p", "c"), 10).edges.is_empty());
    let users = world.catalog.users_of_table("default", &table("p", "b"));
    let of = |user: &TableUser<'_>| (user.version.name.job.job().to_owned(), user.reads);
    let users: Vec<_> = users.iter().map(of).collect();
    let expected = [("j1", false), ("j2", true), ("j5", false)];
    assert_eq!(users, expected.map(|(id, reads)| (id.to_owned(), reads)));
}

#[test]
fn jobs_of_archived_projects_make_nothing_any_more() {
    let mut world = World::new();
    world.apply(Action::CreateProject {
        project: "old".to_owned(),
        tenant: "default".to_owned(),
        description: String::new(),
        services: None,
    });
    job(&mut world, "old", "j", "a", "b");
    assert_eq!(world.catalog.lineage("default", &table("p", "b"), 3).edges.len(), 1);
    let etag = world.catalog.project("old").unwrap().revision;
    world.apply(Action::Tenancy(TenancyAction::ArchiveProject { project: "old".to_owned(), etag }));
    assert!(world.catalog.lineage("default", &table("p", "b"), 3).edges.is_empty());
}
