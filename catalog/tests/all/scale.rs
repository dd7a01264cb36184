//! How long things take with ten thousand jobs, and with many tables. Prints, asserts no times: run with `--nocapture` to
//! see them.

use std::collections::BTreeMap;

use tidegate_catalog::{
    Action, Catalog, CatalogSearch, Command, DocumentKind, JobName, MAX_LOOKS, Page, PageRequest,
    Priority, Refreshed, ResourceName, RestoreOrigin, RunState, SearchFilter, TableAction,
    TableFilter,
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
        apply(Action::StartRun {
            job: job.clone(),
            version,
            parallelism,
            origin,
            environment: None,
            account: None,
        });
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

/// Five thousand tables where the tests are built for debugging, a hundred thousand where they are optimised.
fn size() -> (usize, usize) {
    if cfg!(debug_assertions) { (50, 5_000) } else { (1_000, 100_000) }
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

/// Calls of each kind.
const CALLS: usize = 1_000;

/// Calls of kinds that look at much, which take long where the tests are built for debugging.
const FEW_CALLS: usize = if cfg!(debug_assertions) { 100 } else { CALLS };

/// Calls something many times and prints how long half of the calls and all but one in a hundred took at most.
#[allow(clippy::disallowed_methods, reason = "measures")]
fn measured<T>(what: &str, calls: usize, mut call: impl FnMut(usize) -> T) {
    let times = (0..calls).map(|n| {
        let start = std::time::Instant::now();
        let _answer = std::hint::black_box(call(n));
        start.elapsed().as_nanos() as u64
    });
    let mut times: Vec<u64> = times.collect();
    times.sort_unstable();
    let at = |percent: usize| times[(calls - 1) * percent / 100] as f64 / 1e3;
    println!("{what}: p50 {:.1} us, p99 {:.1} us, most {:.1} us", at(50), at(99), at(100));
}

/// Memory that the process has, in MiB; 0 where it cannot be told.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() / 256
}

/// The request that leads to the page after so many.
fn page_after<T>(pages: usize, list: impl Fn(&PageRequest) -> Page<T>) -> PageRequest {
    let mut request = PageRequest::first(PAGE);
    for _ in 0..pages {
        request = request.after(&list(&request)).unwrap();
    }
    request
}

const PAGE: usize = 50;

#[test]
fn lists_of_many_tables() {
    // All are in one project, so that its list is long.
    let (_, tables) = size();
    let mut catalog = tables::filled(1, tables);
    let project = tables::project(0);
    let filtered = TableFilter { kind: "mysql".to_owned(), ..TableFilter::default() };
    let tagged = TableFilter { search: "team7".to_owned(), ..TableFilter::default() };
    let none = TableFilter { search: "nowhere".to_owned(), ..TableFilter::default() };
    let list = |filter: &TableFilter, request: &PageRequest| {
        catalog.list_tables(&project, None, filter, request).unwrap()
    };
    let all = TableFilter::default();
    let pages = [("first", 0), ("middle", tables / PAGE / 2), ("last", tables / PAGE - 1)];
    for (which, number) in pages {
        let request = page_after(number, |request| list(&all, request));
        let page = list(&all, &request);
        assert_eq!(page.items.len(), PAGE);
        assert_eq!(page.next.is_none(), which == "last");
        measured(&format!("{which} page of all tables"), CALLS, |_| list(&all, &request));
    }
    let first = PageRequest::first(PAGE);
    assert!(list(&filtered, &first).items.iter().all(|table| table.kind == "mysql"));
    measured("first page of one type in five", CALLS, |_| list(&filtered, &first));
    assert_eq!(list(&tagged, &first).items.len(), PAGE);
    measured("first page of one tag in fifty, by text", FEW_CALLS, |_| list(&tagged, &first));
    assert!(list(&none, &first).items.is_empty());
    timed("a list of none, by text", || list(&none, &first));
    let mut names = Vec::new();
    let mut request = Some(PageRequest::first(1_000));
    while let Some(asked) = request {
        let page = list(&all, &asked);
        names.extend(page.items.iter().map(|table| table.name.clone()));
        request = asked.after(&page);
    }
    assert!(names.len() == tables && names.is_sorted());
    let etag = None;
    for table in names.drain(..10) {
        let action = Action::Table(Box::new(TableAction::DeleteTable { table, etag }));
        catalog.apply(Command::new(9_000_000, action)).unwrap();
    }
    assert_eq!(catalog.table_count(), tables - 10);
}

#[test]
fn search_in_many_tables() {
    let (projects, tables) = size();
    let mut catalog = tables::filled(projects, tables);
    let before = resident();
    let mut search = CatalogSearch::default();
    timed("build the search index", || search.refresh(&catalog));
    println!("the search index takes {} MiB", resident().saturating_sub(before));
    assert_eq!(search.len(), tables + projects + 1);

    let everything = SearchFilter::default();
    let find = |query: &str, filter: &SearchFilter, request: &PageRequest| {
        search.search(query, filter, |_| true, request).unwrap()
    };
    let first = PageRequest::first(PAGE);
    let cases = [
        ("common word in names", "events", PAGE + 1),
        ("common word in descriptions", "daily", PAGE + 1),
        ("common word in columns", "source", PAGE + 1),
        ("rare word", "rare", PAGE + 1),
        ("one table", "000123", 1),
        ("beginning of a word", "ship", PAGE + 1),
        ("beginning of many words", "0", MAX_LOOKS),
        ("one letter", "e", PAGE + 1),
        ("two words", "daily refu", MAX_LOOKS),
        ("words of a name", "orderEvents", MAX_LOOKS),
        ("common and rare word", "events rare", tables / 1_000),
        ("Chinese", "订单", PAGE + 1),
        ("Chinese, several characters", "订单明细", MAX_LOOKS),
        ("Chinese, one character", "订", PAGE + 1),
        ("nothing", "zebra", 0),
    ];
    for (what, query, most) in cases {
        let found = find(query, &everything, &first);
        assert!(found.looked_at <= most, "{what}: {}", found.looked_at);
        assert_eq!(found.page.items.is_empty(), what == "nothing", "{what}");
        println!("{what}: {} hits, looked at {}", found.page.items.len(), found.looked_at);
        measured(what, CALLS, |_| find(query, &everything, &first));
    }
    let middle = page_after(tables / PAGE / 2, |request| find("daily", &everything, request).page);
    assert!(find("daily", &everything, &middle).looked_at <= PAGE + 1);
    measured("middle page of a common word", CALLS, |_| find("daily", &everything, &middle));
    let last = page_after(tables / PAGE - 1, |request| find("daily", &everything, request).page);
    assert_eq!(find("daily", &everything, &last).page.next, None);
    measured("last page of a common word", CALLS, |_| find("daily", &everything, &last));

    let of_one = SearchFilter { project: tables::project(projects / 2), ..everything.clone() };
    let found = find("daily", &of_one, &first);
    assert!(found.looked_at <= PAGE + 1 && found.page.items.len() == PAGE);
    measured("a common word in one project", CALLS, |_| find("daily", &of_one, &first));
    let kinds = vec![DocumentKind::Project];
    let of_kind = SearchFilter { kinds, ..everything.clone() };
    measured("a common word of one kind", CALLS, |_| find("number", &of_kind, &first));
    let hidden = |n: usize| {
        let member_of = tables::project(n % projects);
        let visible = |name: &ResourceName| match name {
            ResourceName::Table(table) => table.project() == member_of,
            _ => false,
        };
        search.search("daily", &everything, visible, &first).unwrap()
    };
    assert!((0..10).all(|n| hidden(n).looked_at <= MAX_LOOKS));
    measured("a common word, all but one project hidden", FEW_CALLS, hidden);

    measured("a change and its way into the index", CALLS, |n| {
        catalog.apply(tables::create(tables + n, projects)).unwrap();
        assert_eq!(search.refresh(&catalog), Refreshed::Changes(1));
    });
    assert_eq!(search.len(), tables + CALLS + projects + 1);
}
