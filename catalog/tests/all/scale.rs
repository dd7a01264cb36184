//! How long things take with ten thousand jobs, and with many tables. Prints, asserts no times: run with `--nocapture` to
//! see them.

use std::collections::BTreeMap;

use tidegate_catalog::{
    Action, Catalog, Command, JobName, PageRequest, Priority, RestoreOrigin, RunState,
};

use crate::commands::spec;
use crate::tables::{self, timed};

const JOBS: u64 = 10_000;

fn fill(catalog: &mut Catalog) -> u64 {
    let mut commands = 0;
    let mut apply = |action| {
        commands += 1;
        catalog.apply(Command::new(1_000, action)).unwrap();
    };
    for n in 0..JOBS {
        let job = JobName::new("default", format!("job-{n:05}")).unwrap();
        apply(Action::CreateJob {
            job: job.clone(),
            description: format!("job number {n}"),
            labels: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            priority: Priority::Normal,
        });
        let mut version = spec(n);
        version.plan = "x".repeat(4_000);
        apply(Action::CreateVersion { job: job.clone(), spec: version });
        let (version, parallelism, origin) = (None, None, RestoreOrigin::Fresh);
        apply(Action::StartRun { job: job.clone(), version, parallelism, origin });
        let (run, failure) = (job.run(1), None);
        apply(Action::SetRunState { run, state: RunState::Scheduling, failure });
    }
    commands
}

#[test]
fn ten_thousand_jobs() {
    let mut catalog = Catalog::new();
    let commands = timed("apply 40 000 commands", || fill(&mut catalog));
    assert_eq!(catalog.revision(), commands);
    let listed = timed("list all jobs, pages of 100", || {
        let mut request = Some(PageRequest::first(100));
        let mut listed = 0;
        while let Some(asked) = request {
            let page = catalog.list_jobs("default", &asked).unwrap();
            listed += page.items.len() as u64;
            request = asked.after(&page);
        }
        listed
    });
    assert_eq!(listed, JOBS);
    let first = PageRequest::first(100);
    let page = timed("list 100 jobs", || catalog.list_jobs("default", &first).unwrap());
    assert_eq!(page.items.len(), 100);
    let live = timed("all live runs", || catalog.live_runs().count());
    assert_eq!(live as u64, JOBS);
    let copy = timed("copy for a snapshot", || catalog.clone());
    let bytes = timed("encode", || copy.encode());
    println!("snapshot: {} bytes", bytes.len());
    let back = timed("decode", || Catalog::decode(&bytes).unwrap());
    assert_eq!(back, catalog);
}

/// Ten thousand tables where the tests are built for debugging, a hundred thousand where they are optimised.
fn size() -> (usize, usize) {
    if cfg!(debug_assertions) { (100, 10_000) } else { (1_000, 100_000) }
}

#[test]
fn a_copy_shares_all_tables() {
    let (projects, tables) = size();
    let mut catalog = tables::filled(projects, tables);
    let copies = timed("1 000 copies for snapshots", || {
        (0..1_000).map(|_| catalog.clone()).collect::<Vec<_>>()
    });
    let copy = copies[0].clone();
    timed("1 000 commands with a copy before each", || {
        for n in 0..1_000 {
            let kept = catalog.clone();
            catalog.apply(tables::create(tables + n, projects)).unwrap();
            assert_eq!(kept.table_count(), tables + n);
        }
    });
    assert_eq!((copy.table_count(), catalog.table_count()), (tables, tables + 1_000));
    assert!(copies.iter().all(|other| other.revision() == copy.revision()));
    timed("drop the copies", || drop(copies));
    let bytes = timed("encode", || catalog.encode());
    let back = timed("decode", || Catalog::decode(&bytes).unwrap());
    assert_eq!(back, catalog);
}
