//! How entries and small facts are written: a version, a checksum, then what it is.
//!
//! A frame is: version (u8), xxh3-64 of the rest (u64), body. The body of an entry is: term and node of the leader that
//! made it, its index (u64 each), its kind (u8), and what the kind has: for commands, for each the term (u64, 0 for none),
//! its length (u32) and its bytes; for a membership JSON. Numbers are little-endian.

use openraft::EntryPayload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_catalog::Command;
use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::types::{Entry, LogId, Membership, Proposal, Proposed};

/// Version of the frames that are written.
pub(crate) const FRAME_VERSION: u8 = 1;

const BLANK: u8 = 0;
const COMMANDS: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// A body in a frame.
pub(crate) fn seal(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body.len() + 9);
    frame.push(FRAME_VERSION);
    frame.extend_from_slice(&xxh3_64(body).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The body of a frame. `CORRUPT` if it is damaged, `INCOMPATIBLE` if a later release wrote it.
pub(crate) fn unseal(frame: &[u8]) -> Result<&[u8]> {
    let mut rest = frame;
    let version = take::<1>(&mut rest)?[0];
    let checksum = u64::from_le_bytes(take::<8>(&mut rest)?);
    if xxh3_64(rest) != checksum {
        return Err(corrupt("its checksum does not match"));
    }
    if version != FRAME_VERSION {
        return Err(Error::new(
            ErrorCode::Incompatible,
            format!("it has version {version}, this release reads {FRAME_VERSION}"),
        )
        .help("run the release that wrote it, or a later one"));
    }
    Ok(rest)
}

/// A small fact in a frame, as JSON.
pub(crate) fn seal_json<T: Serialize>(value: &T) -> Vec<u8> {
    seal(&json(value))
}

/// A small fact from its frame.
pub(crate) fn unseal_json<T: DeserializeOwned>(frame: &[u8]) -> Result<T> {
    from_json(unseal(frame)?)
}

/// JSON of a value whose keys are texts and numbers, which cannot fail.
pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("the keys of maps are texts or numbers")
}

/// A value from JSON; `CORRUPT`.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(&format!("it cannot be read: {error}")))
}

/// An entry in a frame.
pub(crate) fn seal_entry(entry: &Entry) -> Vec<u8> {
    let LogId { leader_id, index } = &entry.log_id;
    let mut body = Vec::with_capacity(256);
    for number in [leader_id.term, leader_id.node_id, *index] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    match &entry.payload {
        EntryPayload::Blank => body.push(BLANK),
        EntryPayload::Normal(proposal) => {
            body.push(COMMANDS);
            for Proposed { leader_term, command } in &proposal.commands {
                let command = command.encode();
                // Terms begin with 1, so that 0 says that there is none.
                body.extend_from_slice(&leader_term.unwrap_or(0).to_le_bytes());
                body.extend_from_slice(&(command.len() as u32).to_le_bytes());
                body.extend_from_slice(&command);
            }
        }
        EntryPayload::Membership(membership) => {
            body.push(MEMBERSHIP);
            body.extend_from_slice(&json(membership));
        }
    }
    seal(&body)
}

/// An entry from its frame. `CORRUPT`, or `INCOMPATIBLE` if a later release wrote it.
pub(crate) fn unseal_entry(frame: &[u8]) -> Result<Entry> {
    let mut rest = unseal(frame)?;
    let log_id = take_log_id(&mut rest)?;
    let payload = match take::<1>(&mut rest)?[0] {
        BLANK => EntryPayload::Blank,
        COMMANDS => {
            let mut commands = Vec::new();
            while !rest.is_empty() {
                let term = u64::from_le_bytes(take::<8>(&mut rest)?);
                let length = u32::from_le_bytes(take::<4>(&mut rest)?) as usize;
                let (command, left) =
                    rest.split_at_checked(length).ok_or_else(|| corrupt("it is too short"))?;
                rest = left;
                let leader_term = Some(term).filter(|term| *term > 0);
                commands.push(Proposed { leader_term, command: Command::decode(command)? });
            }
            EntryPayload::Normal(Proposal::new(commands))
        }
        MEMBERSHIP => EntryPayload::Membership(from_json::<Membership>(rest)?),
        kind => {
            return Err(Error::new(
                ErrorCode::Incompatible,
                format!("it is of kind {kind}, which this release does not know"),
            ));
        }
    };
    Ok(Entry { log_id, payload })
}

/// Only the id of an entry, checked like the whole.
pub(crate) fn unseal_log_id(frame: &[u8]) -> Result<LogId> {
    take_log_id(&mut unseal(frame)?)
}

fn take_log_id(rest: &mut &[u8]) -> Result<LogId> {
    let mut number = || take::<8>(rest).map(u64::from_le_bytes);
    let (term, node, index) = (number()?, number()?, number()?);
    Ok(LogId::new(openraft::CommittedLeaderId::new(term, node), index))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or_else(|| corrupt("it is too short"))?;
    *rest = left;
    Ok(*taken)
}

fn corrupt(why: &str) -> Error {
    Error::new(ErrorCode::Corrupt, why)
}

#[cfg(test)]
mod tests;
