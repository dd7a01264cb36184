//! Tests of frames, and frames that earlier releases wrote.

use std::collections::{BTreeMap, BTreeSet};

use openraft::BasicNode;
use tidegate_catalog::Action;

use super::*;

fn entries() -> Vec<Entry> {
    let proposed = |leader_term| {
        let command = Command::new(7, Action::DeleteTenant { tenant: "a".to_owned(), etag: None });
        Proposed { leader_term, command }
    };
    let nodes = BTreeMap::from([(1, BasicNode::new("127.0.0.1:1")), (2, BasicNode::new("x"))]);
    let membership = Membership::new(vec![BTreeSet::from([1])], nodes);
    [
        EntryPayload::Blank,
        EntryPayload::Normal(Proposal::new(vec![proposed(None)])),
        EntryPayload::Normal(Proposal::new(vec![proposed(Some(9)), proposed(None)])),
        EntryPayload::Membership(membership),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, payload)| {
        let leader = openraft::CommittedLeaderId::new(3, 2);
        Entry { log_id: LogId::new(leader, n as u64), payload }
    })
    .collect()
}

#[test]
fn entries_round_trip() {
    for entry in entries() {
        let frame = seal_entry(&entry);
        assert_eq!(unseal_entry(&frame).unwrap(), entry);
        assert_eq!(unseal_log_id(&frame).unwrap(), entry.log_id);
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for entry in entries() {
        let frame = seal_entry(&entry);
        for at in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(unseal_entry(&damaged).is_err(), "bit {at}");
        }
        assert!(unseal_entry(&frame[..frame.len() - 1]).is_err());
    }
    assert!(unseal_entry(&[]).is_err());
}

/// Frames of version 1, each with its length before it.
fn stored() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames-v1.bin")
}

/// Every kind of entry, then the facts of a log.
fn frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<_> = entries().iter().map(seal_entry).collect();
    frames.push(seal_json(&vote()));
    frames.push(seal_json(&entries()[1].log_id));
    frames.push(seal_json(&7_u64));
    frames
}

fn vote() -> crate::raft::types::Vote {
    crate::raft::types::Vote::new_committed(3, 2)
}

#[test]
#[ignore = "writes the file of the current version, once, before it is released"]
fn write_file() {
    assert_eq!(FRAME_VERSION, 1, "a new version has a file of its own");
    let mut bytes = Vec::new();
    for frame in frames() {
        bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&frame);
    }
    std::fs::write(stored(), bytes).unwrap();
}

#[test]
fn frames_of_version_1_are_read() {
    let bytes = std::fs::read(stored()).unwrap();
    let mut rest = bytes.as_slice();
    let mut found = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (frame, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        found.push(frame);
        rest = after;
    }
    assert_eq!(found.len(), 7);
    for (frame, entry) in found.iter().zip(entries()) {
        assert_eq!(unseal_entry(frame).unwrap(), entry);
    }
    assert_eq!(unseal_json::<crate::raft::types::Vote>(found[4]).unwrap(), vote());
    assert_eq!(unseal_json::<LogId>(found[5]).unwrap(), entries()[1].log_id);
    assert_eq!(unseal_json::<u64>(found[6]).unwrap(), 7);
}

#[test]
fn frames_of_later_versions_are_refused() {
    let mut frame = frames().remove(0);
    frame[0] = FRAME_VERSION + 1;
    let error = unseal_entry(&frame).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incompatible);
}
