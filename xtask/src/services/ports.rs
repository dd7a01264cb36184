//! Free TCP ports on 127.0.0.1 between 20000 and 32000: below the range from which the system takes
//! ports for outgoing connections, so that a port stays ours while its server restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Picks one free port per name, starting at a random place so that two runs seldom meet.
/// `taken` are ports of servers that are stopped but keep their place.
pub(crate) fn pick(names: &[&str], taken: &BTreeSet<u16>) -> Result<BTreeMap<String, u16>> {
    let start = RandomState::new().hash_one(std::process::id());
    let mut candidates = (0..COUNT).map(|step| {
        let place = (start.wrapping_add(u64::from(step))) % u64::from(COUNT);
        FIRST + u16::try_from(place).expect("a remainder of a u16 fits one")
    });
    let mut ports = BTreeMap::new();
    for name in names {
        let Some(port) = candidates.find(|port| !taken.contains(port) && free(*port)) else {
            bail!("no free port between {FIRST} and {}", FIRST + COUNT);
        };
        ports.insert((*name).to_owned(), port);
    }
    Ok(ports)
}

/// Whether a server could listen on the port now.
pub(crate) fn free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_distinct_in_range_and_not_taken() {
        let first = pick(&["a", "b"], &BTreeSet::new()).unwrap();
        assert_ne!(first["a"], first["b"]);
        let taken: BTreeSet<u16> = (FIRST..FIRST + COUNT).filter(|port| port % 100 != 0).collect();
        let second = pick(&["c"], &taken).unwrap();
        assert_eq!(second["c"] % 100, 0);
        assert!((FIRST..FIRST + COUNT).contains(&second["c"]));
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!free(listener.local_addr().unwrap().port()));
    }

    #[test]
    fn when_all_are_taken_it_says_so() {
        let taken: BTreeSet<u16> = (FIRST..FIRST + COUNT).collect();
        assert!(pick(&["a"], &taken).unwrap_err().to_string().contains("no free port"));
    }
}
