//! Workers and clients find the coordinators.

use std::collections::BTreeMap;

use etcd_client::{Client, EventType, GetOptions, WatchOptions};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::watch;

use crate::connection::{PAUSE, connect, failed, within};
use crate::entry;
use crate::options::EtcdOptions;

/// Keys below the prefix that are looked at.
const MOST: i64 = 256;

/// Keys and values below the prefix.
type Found = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where the coordinators are now, the leader first.
///
/// # Errors
/// `UNAVAILABLE` if etcd does not answer, or no coordinator is announced there.
pub async fn look_up(options: &EtcdOptions) -> Result<Vec<String>> {
    let mut client = connect(options).await?;
    let (found, _) = read(options, &mut client).await?;
    let addresses = addresses(options, &found);
    if addresses.is_empty() {
        let message = format!("no coordinator is announced at {options}");
        return Err(Error::new(ErrorCode::Unavailable, message).help(
            "coordinators announce themselves with the section [discovery] and the same prefix",
        ));
    }
    Ok(addresses)
}

/// Keeps `known` up to date for as long as it is polled: where the coordinators are, the leader first. While etcd is
/// away, or nobody is announced there, what was known stays.
pub async fn follow(options: EtcdOptions, known: watch::Sender<Vec<String>>) {
    let mut reported = false;
    loop {
        let Err(error) = Box::pin(session(&options, &known, &mut reported)).await;
        if !reported {
            tracing::warn!(%error, "etcd does not say where coordinators are; trying on");
            reported = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn session(
    options: &EtcdOptions,
    known: &watch::Sender<Vec<String>>,
    reported: &mut bool,
) -> Result<std::convert::Infallible> {
    let mut client = connect(options).await?;
    let (mut found, revision) = read(options, &mut client).await?;
    let from = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
    let watching = client.watch(entry::all(options.prefix()), Some(from));
    let mut stream = within(options, "watch", watching).await?;
    *reported = false;
    loop {
        tell(options, &found, known);
        let message = stream.message().await.map_err(|error| failed(options, "watch", &error))?;
        let Some(message) = message.filter(|message| !message.canceled()) else {
            let message = format!("watch {options}: etcd ended it");
            return Err(Error::new(ErrorCode::Unavailable, message));
        };
        for event in message.events() {
            let Some(pair) = event.kv() else { continue };
            match event.event_type() {
                EventType::Delete => drop(found.remove(pair.key())),
                EventType::Put => {
                    found.insert(pair.key().to_vec(), pair.value().to_vec());
                }
            }
        }
        if found.len() > MOST as usize {
            let message = format!("{options} has more than {MOST} keys: it is no cluster's prefix");
            return Err(Error::new(ErrorCode::ResourceExhausted, message));
        }
    }
}

fn tell(options: &EtcdOptions, found: &Found, known: &watch::Sender<Vec<String>>) {
    let addresses = addresses(options, found);
    known.send_if_modified(|before| {
        let changed = !addresses.is_empty() && *before != addresses;
        if changed {
            tracing::info!(coordinators = addresses.join(", "), "etcd says where coordinators are");
            *before = addresses;
        }
        changed
    });
}

fn addresses(options: &EtcdOptions, found: &Found) -> Vec<String> {
    let pairs = found.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    entry::addresses(options.prefix(), pairs)
}

/// What is there, and as of which revision.
async fn read(options: &EtcdOptions, client: &mut Client) -> Result<(Found, i64)> {
    let all = GetOptions::new().with_prefix().with_limit(MOST);
    let answer =
        within(options, "read", client.get(entry::all(options.prefix()), Some(all))).await?;
    let found = answer.kvs().iter().map(|pair| (pair.key().to_vec(), pair.value().to_vec()));
    let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
    Ok((found.collect(), revision))
}
