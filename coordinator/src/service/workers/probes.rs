//! Visits of outside systems, on a worker: coordinators connect to none.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::answer::Result as Found;
use tidegate_proto::internal::v1::probe::What;
use tidegate_proto::internal::v1::worker_command::Command;
use tidegate_proto::tasks::malformed;
use tidegate_types::{Error, ErrorCode, Result};

use super::WorkerPool;

/// How much longer than its deadline a visit is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// An outside system.
pub(crate) struct Visited {
    /// Type of the data source.
    pub(crate) kind: String,
    /// Its parameters, secret ones included.
    pub(crate) parameters: BTreeMap<String, String>,
    /// How long the visit may take.
    pub(crate) deadline: Duration,
}

impl Visited {
    /// Tests the way to it; also answers the worker that did.
    ///
    /// # Errors
    /// `UNAVAILABLE` if there is no worker, or it does not answer.
    pub(crate) async fn test(self, pool: &WorkerPool) -> Result<(String, wire::Tested)> {
        match self.visit(pool, What::Test(wire::probe::Test {})).await? {
            (worker, Found::Tested(tested)) => Ok((worker, tested)),
            _ => Err(malformed("a test was answered with something else")),
        }
    }

    /// Makes a topic unless it is there.
    ///
    /// # Errors
    /// Why it is not there, or [`Visited::test`]'s.
    pub(crate) async fn topic(
        self,
        pool: &WorkerPool,
        topic: wire::probe::Topic,
    ) -> Result<wire::TopicChecked> {
        match self.visit(pool, What::Topic(topic)).await? {
            (_, Found::Topic(checked)) => Ok(checked),
            _ => Err(malformed("a topic was answered with something else")),
        }
    }

    /// Names what is there; also answers the worker that looked.
    ///
    /// # Errors
    /// Why it could not be looked at, or [`Visited::test`]'s.
    pub(crate) async fn list(
        self,
        pool: &WorkerPool,
        list: wire::probe::List,
    ) -> Result<wire::Listed> {
        match self.visit(pool, What::List(list)).await? {
            (_, Found::Listed(listed)) => Ok(listed),
            _ => Err(malformed("a list was answered with something else")),
        }
    }

    /// Finds out the columns of a table; also answers the worker that looked.
    ///
    /// # Errors
    /// Why it could not be looked at, or [`Visited::test`]'s.
    pub(crate) async fn describe(
        self,
        pool: &WorkerPool,
        table: wire::probe::Describe,
    ) -> Result<(String, wire::Described)> {
        match self.visit(pool, What::Describe(table)).await? {
            (worker, Found::Described(described)) => Ok((worker, described)),
            _ => Err(malformed("a description was answered with something else")),
        }
    }

    /// Tells an address of something.
    ///
    /// # Errors
    /// `UNAVAILABLE` if there is no worker, or it does not answer: whether the address was told is not known.
    pub(crate) async fn post(
        self,
        pool: &WorkerPool,
        post: wire::probe::Post,
    ) -> Result<wire::Posted> {
        match self.visit(pool, What::Post(post)).await? {
            (_, Found::Posted(posted)) => Ok(posted),
            _ => Err(malformed("a post was answered with something else")),
        }
    }

    async fn visit(self, pool: &WorkerPool, what: What) -> Result<(String, Found)> {
        let mut workers = pool.slots().into_keys();
        let there = workers.find_map(|worker| {
            let (_, session) = pool.session(&worker)?;
            Some((worker, session))
        });
        let (worker, session) = there.ok_or_else(|| {
            let message = "no worker is there: outside systems are reached from workers";
            Error::new(ErrorCode::Unavailable, message).help("start one: `tidegate worker`")
        })?;
        let Self { kind, parameters, deadline } = self;
        let probe = |request| {
            Command::Probe(wire::Probe {
                request,
                r#type: kind,
                parameters: parameters.into_iter().collect(),
                deadline_ms: u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX),
                what: Some(what),
            })
        };
        let answer = pool.ask(&worker, session, probe);
        match tokio::time::timeout(deadline + PATIENCE, answer).await {
            Ok(found) => Ok((worker, found?)),
            Err(_) => {
                let message = format!("workers/{worker} has not answered in time");
                Err(Error::new(ErrorCode::Unavailable, message))
            }
        }
    }
}

/// Has a worker run a plan that collects rows; also answers the worker.
///
/// # Errors
/// Why the table could not be read, or [`Visited::test`]'s.
pub(crate) async fn preview(
    pool: &WorkerPool,
    preview: wire::probe::Preview,
    deadline: Duration,
) -> Result<(String, wire::Previewed)> {
    let (kind, parameters) = (String::new(), BTreeMap::new());
    let visited = Visited { kind, parameters, deadline };
    match visited.visit(pool, What::Preview(preview)).await? {
        (worker, Found::Previewed(previewed)) => Ok((worker, previewed)),
        _ => Err(malformed("a preview was answered with something else")),
    }
}
