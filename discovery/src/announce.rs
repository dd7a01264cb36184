//! A coordinator announces itself, and the leader that it leads. The keys are on a lease: those of a process that is
//! gone go after it.

use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, LeaseKeepAliveStream, LeaseKeeper, PutOptions, Txn, TxnOp,
};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::watch;

use crate::connection::{CALL, PAUSE, connect, failed, within};
use crate::entry::{self, Entry};
use crate::options::EtcdOptions;

/// Seconds for which keys stay when nobody is heard of.
const LEASE_SECONDS: i64 = 10;
/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(2);
/// How often the key of the leader is tried to be written where others write it, too.
const TRIES: usize = 5;

/// Announces a coordinator until `stop`, then takes its keys back. `leads` says from a state which term it leads, if
/// it does. etcd being away is reported and changes nothing else.
pub async fn announce<T: Send + Sync>(
    options: EtcdOptions,
    me: Entry,
    mut state: watch::Receiver<T>,
    leads: impl Fn(&T) -> Option<u64> + Send,
    stop: impl Future<Output = ()>,
) {
    tokio::pin!(stop);
    let mut reported = false;
    loop {
        let mut lease = None;
        let announced = session(&options, &me, &mut state, &leads, &mut lease, &mut reported);
        tokio::select! {
            Err(error) = announced => {
                if !reported {
                    tracing::warn!(%error, "this coordinator is not announced in etcd; trying on");
                    reported = true;
                }
            }
            () = &mut stop => {
                if let Some((mut client, id)) = lease {
                    // The lease runs out by itself where this fails.
                    let _ = within(&options, "revoke", client.lease_revoke(id)).await;
                }
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = &mut stop => return,
        }
    }
}

/// Keeps the keys there until something fails.
async fn session<T>(
    options: &EtcdOptions,
    me: &Entry,
    state: &mut watch::Receiver<T>,
    leads: &impl Fn(&T) -> Option<u64>,
    lease: &mut Option<(Client, i64)>,
    reported: &mut bool,
) -> Result<std::convert::Infallible> {
    let mut client = connect(options).await?;
    let id = within(options, "grant a lease", client.lease_grant(LEASE_SECONDS, None)).await?.id();
    *lease = Some((client.clone(), id));
    let key = entry::coordinator(options.prefix(), me.id);
    let on_lease = PutOptions::new().with_lease(id);
    within(options, "announce", client.put(key, me.encode(), Some(on_lease))).await?;
    let keeping = within(options, "keep the lease", client.lease_keep_alive(id)).await?;
    let (mut keeper, mut answers) = keeping;
    let mut told = None;
    tracing::info!(etcd = %options, id = me.id, "announced in etcd");
    *reported = false;
    loop {
        let term = leads(&state.borrow_and_update());
        if term != told {
            if let Some(term) = term {
                lead(options, &mut client, id, &Entry { term: Some(term), ..me.clone() }).await?;
            }
            told = term;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() {
                // The coordinator ends; whoever waits for `stop` takes the keys back.
                std::future::pending::<()>().await;
            },
            () = tokio::time::sleep(RENEW) => renew(options, &mut keeper, &mut answers).await?,
        }
    }
}

async fn renew(
    options: &EtcdOptions,
    keeper: &mut LeaseKeeper,
    answers: &mut LeaseKeepAliveStream,
) -> Result<()> {
    let lost = |why: &str| {
        Error::new(ErrorCode::Unavailable, format!("keep the lease at {options}: {why}"))
    };
    keeper.keep_alive().await.map_err(|error| failed(options, "keep the lease", &error))?;
    match tokio::time::timeout(CALL, answers.message()).await {
        Err(_) => Err(lost("no answer")),
        Ok(Err(error)) => Err(failed(options, "keep the lease", &error)),
        Ok(Ok(None)) => Err(lost("the connection ended")),
        Ok(Ok(Some(answer))) if answer.ttl() <= 0 => Err(lost("it has run out")),
        Ok(Ok(Some(_))) => Ok(()),
    }
}

/// Writes the key of the leader, unless a later term is there: a leader that was cut off may come back late.
async fn lead(options: &EtcdOptions, client: &mut Client, lease: i64, me: &Entry) -> Result<()> {
    let key = entry::leader(options.prefix());
    for _ in 0..TRIES {
        let found = within(options, "read the leader", client.get(key.clone(), None)).await?;
        let known = found.kvs().first();
        let term =
            known.and_then(|known| Entry::decode(known.value())).and_then(|entry| entry.term);
        if term > me.term {
            tracing::info!(?term, mine = ?me.term, "etcd knows a later leader");
            return Ok(());
        }
        // 0: it does not exist.
        let revision = known.map_or(0, etcd_client::KeyValue::mod_revision);
        let unchanged = Compare::mod_revision(key.clone(), CompareOp::Equal, revision);
        let on_lease = PutOptions::new().with_lease(lease);
        let put = TxnOp::put(key.clone(), me.encode(), Some(on_lease));
        let txn = Txn::new().when([unchanged]).and_then([put]);
        if within(options, "announce the leader", client.txn(txn)).await?.succeeded() {
            return Ok(());
        }
    }
    let message = format!("announce the leader at {options}: others write it, too");
    Err(Error::new(ErrorCode::Conflict, message))
}
