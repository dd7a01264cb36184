//! Hooks are told what they wait for, by workers: coordinators connect to nothing. A delivery is known to be made when
//! the catalog says so; whoever ends before that makes it again, with the same number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate_catalog::{Action, Catalog, ChildName, Delivery, Hook, HookAction, Reported, Sealed};
use tidegate_proto::internal::v1 as wire;
use tidegate_runtime::{Task, spawn};
use tidegate_security::signature::hmac_sha256;
use tidegate_types::Result;

use super::Governor;
use crate::raft::Consistency;
use crate::secrets::Secrets;
use crate::service::workers::WorkerPool;
use crate::service::workers::probes::Visited;

/// Hooks that are told something at the same time.
const AT_ONCE: usize = 8;
/// How long one may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// How long to wait where no worker tells anybody.
const RETRY: Duration = Duration::from_secs(2);
/// Type of data sources that posts have.
const KIND: &str = "webhook";

/// What the secret of a hook is called where it is encrypted.
pub(crate) fn hook_secret() -> &'static str {
    "secret"
}

/// What is under way.
#[derive(Default)]
pub(super) struct Telling {
    /// None: no worker has told it.
    working: BTreeMap<ChildName, Task<Option<Reported>>>,
    rests_until: Duration,
}

/// Something that is to be told.
struct Due {
    delivery: Delivery,
    url: String,
    secret: Option<Sealed>,
}

impl Telling {
    /// Begins what is due and keeps what came of it.
    pub(super) async fn look(&mut self, governor: &Governor, term: u64) -> Result<()> {
        let over = self.working.iter().filter(|(_, task)| task.is_finished());
        let over: Vec<ChildName> = over.map(|(hook, _)| hook.clone()).collect();
        let mut reports = Vec::new();
        for hook in over {
            let Some(task) = self.working.remove(&hook) else { continue };
            match task.await? {
                Some(report) => reports.push(report),
                None => self.rests_until = governor.clock.elapsed() + RETRY,
            }
        }
        if !reports.is_empty() {
            let report = HookAction::Report { reports };
            governor.propose(term, Action::Hook(Box::new(report))).await?;
        }
        if governor.clock.elapsed() < self.rests_until {
            return Ok(());
        }
        let now_ms = governor.clock.now_ms();
        let busy: BTreeSet<ChildName> = self.working.keys().cloned().collect();
        let due = governor.metadata.read(Consistency::Stale, |c| due(c, now_ms, &busy)).await?;
        for due in due.into_iter().take(AT_ONCE.saturating_sub(self.working.len())) {
            let (pool, secrets) = (governor.pool.clone(), governor.secrets.clone());
            let hook = due.delivery.hook.clone();
            let name = format!("delivery to {hook}");
            self.working.insert(hook, spawn(name, tell(pool, secrets, due, now_ms)));
        }
        Ok(())
    }
}

/// The oldest delivery that is due of each hook that is not being told something.
fn due(catalog: &Catalog, now_ms: i64, busy: &BTreeSet<ChildName>) -> Vec<Due> {
    let mut seen = busy.clone();
    let first = |(delivery, _): &(&Delivery, &Hook)| seen.insert(delivery.hook.clone());
    let due = catalog.due_deliveries(now_ms).filter(first).take(AT_ONCE);
    due.map(|(delivery, hook)| Due {
        delivery: delivery.clone(),
        url: hook.url.clone(),
        secret: hook.secret.clone(),
    })
    .collect()
}

async fn tell(pool: WorkerPool, secrets: Secrets, due: Due, now_ms: i64) -> Option<Reported> {
    let Due { delivery, url, secret } = due;
    let (number, attempts) = (delivery.number, delivery.attempts);
    let report = |taken, detail| Some(Reported { number, attempts, taken, detail });
    let headers = match headers(&secrets, &delivery, secret.as_ref(), now_ms) {
        Ok(headers) => headers,
        Err(error) => return report(false, format!("it cannot be signed: {error}")),
    };
    let post = wire::probe::Post {
        url,
        headers: headers.into_iter().collect(),
        body: delivery.body.into_bytes(),
    };
    let visited =
        Visited { kind: KIND.to_owned(), parameters: BTreeMap::new(), deadline: DEADLINE };
    match visited.post(&pool, post).await {
        Ok(wire::Posted { status: 0, detail }) => report(false, detail),
        Ok(wire::Posted { status, detail }) => {
            let taken = (200..300).contains(&status);
            report(taken, format!("{status} {detail}").trim_end().to_owned())
        }
        Err(error) => {
            tracing::debug!(%error, number, "no worker tells a hook; trying again");
            None
        }
    }
}

fn headers(
    secrets: &Secrets,
    delivery: &Delivery,
    secret: Option<&Sealed>,
    now_ms: i64,
) -> Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::from([
        ("content-type".to_owned(), "application/json".to_owned()),
        ("tidegate-event".to_owned(), delivery.event.to_string()),
        ("tidegate-delivery".to_owned(), delivery.number.to_string()),
    ]);
    if let Some(secret) = secret {
        let secret = secrets.open(&delivery.hook, hook_secret(), secret)?;
        // With the moment, so that nobody can send it again much later.
        let signature = hmac_sha256(&secret, &format!("{now_ms}.{}", delivery.body));
        headers.insert("tidegate-signature".to_owned(), format!("t={now_ms},v1={signature}"));
    }
    Ok(headers)
}
