//! A data source of a test, and what its tests expect.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_connector_spec::data_source::{PhysicalTable, data_source};
use tidegate_connectors::probe::{
    Description, Entry, Failure, Limits, Listing, Outcome, Page, Probe, Reason, TestReport, What,
};
use tidegate_runtime::clock::{Clock, SystemClock};

/// A data source with its parameters, and what looking at it may take.
#[derive(Clone)]
pub(super) struct Source {
    kind: &'static str,
    pub(super) values: BTreeMap<String, String>,
    pub(super) limits: Limits,
}

/// A variable that the test services set.
pub(super) fn service(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run through `cargo xtask test`"))
}

/// Host and port of `…host:port…`.
pub(super) fn host_port(text: &str) -> (String, String) {
    let rest = text.split_once("//").map_or(text, |(_, rest)| rest);
    let (host, rest) = rest.split_once(':').unwrap();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (host.to_owned(), port)
}

/// A name that no other test and no other run uses.
pub(super) fn own_name(what: &str) -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    format!("{what}_{}_{now}_{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

/// A port at which nothing listens.
pub(super) fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

impl Source {
    pub(super) fn new(kind: &'static str, pairs: &[(&str, &str)]) -> Self {
        let values = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let limits = Limits {
            deadline: Duration::from_secs(20),
            private_addresses: true,
            ..Limits::default()
        };
        Self { kind, values: values.collect(), limits }
    }

    /// With another value; an empty one takes the parameter away.
    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        self.values.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn within(mut self, folder: PathBuf) -> Self {
        self.limits.folders.push(folder);
        self
    }

    pub(super) fn probe(&self) -> Probe<'_> {
        let clock: Arc<dyn Clock> = SystemClock::shared();
        let clock: tidegate_connectors::env::MonotonicClock = Arc::new(move || clock.elapsed());
        Probe::new(data_source(self.kind).unwrap(), &self.values, &self.limits, &clock).unwrap()
    }

    pub(super) async fn test(&self) -> TestReport {
        let report = self.probe().test().await;
        self.has_no_secrets(&format!("{report:?}"));
        report
    }

    /// The test passes, with these steps.
    pub(super) async fn passes(&self, steps: &[What]) -> TestReport {
        let report = self.test().await;
        assert_eq!(report.failure, None, "{report:#?}");
        let done: Vec<What> = report.steps.iter().map(|step| step.what).collect();
        assert_eq!(done, steps, "{report:#?}");
        assert!(report.steps.iter().all(|step| step.outcome == Outcome::Passed), "{report:#?}");
        report
    }

    /// The test fails at a step for a reason, with a message that has these parts, and says what to do.
    pub(super) async fn fails(&self, what: What, reason: Reason, parts: &[&str]) -> Failure {
        let report = self.test().await;
        let failure = report.failure.clone().unwrap_or_else(|| panic!("it passed: {report:#?}"));
        assert_eq!(failure.reason, reason, "{report:#?}");
        let (last, before) = report.steps.split_last().unwrap();
        assert_eq!((last.what, last.outcome), (what, Outcome::Failed), "{report:#?}");
        assert!(failure.help.len() > 5, "{report:#?}");
        let _ = before;
        for part in parts {
            assert!(failure.message.contains(part), "'{part}' is not in {}", failure.message);
        }
        assert!(report.elapsed < self.limits.deadline + Duration::from_secs(3), "{report:#?}");
        failure
    }

    pub(super) async fn list(&self, database: Option<&str>, prefix: &str) -> Listing {
        let page = Page { prefix: Some(prefix.to_owned()), ..Page::default() };
        self.probe().list(database, &page).await.unwrap()
    }

    /// The names of a listing.
    pub(super) async fn names(&self, database: Option<&str>, prefix: &str) -> Vec<String> {
        let listing = self.list(database, prefix).await;
        listing.entries.into_iter().map(|entry: Entry| entry.name).collect()
    }

    pub(super) async fn describe(&self, database: Option<&str>, name: &str) -> Description {
        let table = PhysicalTable { database: database.map(str::to_owned), name: name.to_owned() };
        self.probe().describe(&table).await.unwrap()
    }

    /// Why a table cannot be described.
    pub(super) async fn cannot_describe(&self, database: Option<&str>, name: &str) -> String {
        let table = PhysicalTable { database: database.map(str::to_owned), name: name.to_owned() };
        let error = self.probe().describe(&table).await.unwrap_err().to_string();
        self.has_no_secrets(&error);
        error
    }

    /// No secret of the data source is in a text.
    fn has_no_secrets(&self, text: &str) {
        for parameter in data_source(self.kind).unwrap().parameters.iter().filter(|p| p.secret) {
            if let Some(secret) = self.values.get(parameter.name).filter(|text| text.len() > 3) {
                assert!(!text.contains(secret.as_str()), "{} is in {text}", parameter.name);
            }
        }
    }
}

/// `name TYPE` of each column; those of a primary key have a `*`.
pub(super) fn columns(found: &Description) -> Vec<String> {
    let shown = found.columns.iter().map(|column| {
        let key = if column.primary_key { "*" } else { "" };
        format!("{}{key} {}", column.name, column.ty)
    });
    shown.collect()
}
