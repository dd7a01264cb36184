//! How long things take with ten thousand jobs. Prints, asserts no times: run with `--nocapture` to see them.

use std::collections::BTreeMap;
use std::time::Instant;

use tidegate_catalog::{
    Action, Catalog, Command, JobName, PageRequest, Priority, RestoreOrigin, RunState,
};

use crate::commands::spec;

const JOBS: u64 = 10_000;

#[allow(clippy::disallowed_methods, reason = "measures")]
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

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
