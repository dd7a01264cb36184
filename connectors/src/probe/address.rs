//! Which addresses may be connected to. A name is resolved once, all its addresses are checked, and connections go to
//! those very addresses, so that a name cannot mean something else the second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::report::{Failure, Reason, What};
use super::trace::Trace;

/// Most addresses of one name that are tried.
const MOST: usize = 8;

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Public,
    /// A private network, or this machine.
    Private,
    /// Nothing that a data source can be, with the reason.
    Never(&'static str),
}

/// The addresses of a host, all of which may be connected to.
pub(super) async fn resolve(
    trace: &mut Trace<'_>,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Failure> {
    let (place, private) = (format!("{host}:{port}"), trace.limits.private_addresses);
    let work = async {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => lookup(bare, port).await?,
        };
        let found: Vec<SocketAddr> = found.into_iter().take(MOST).collect();
        for address in &found {
            check(host, address.ip(), private)?;
        }
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        let detail = format!("{host} is {}", shown.join(", "));
        Ok((found, detail))
    };
    trace.step(What::Resolve, &place, work).await
}

async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let unknown = |why: String| {
        Failure::new(
            Reason::Dns,
            format!("the host name '{host}' has no address{why}"),
            "mend the host name, or make it known to the name server that the workers use",
        )
    };
    let found = tokio::net::lookup_host((host, port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| unknown(format!(": {error}")))?.collect();
    if found.is_empty() { Err(unknown(String::new())) } else { Ok(found) }
}

/// Whether an address of a host may be connected to.
pub(super) fn check(host: &str, address: IpAddr, private: bool) -> Result<(), Failure> {
    let (why, help) = match range(address) {
        Range::Public => return Ok(()),
        Range::Private if private => return Ok(()),
        Range::Private => (
            "of a private network or of this machine",
            "use an address that may be reached from here, or let the operator of the cluster allow private addresses",
        ),
        Range::Never(why) => (why, "no data source can be there: mend the host"),
    };
    let message = format!("'{host}' is {address}, which is {why} and may not be connected to");
    Err(Failure::new(Reason::BlockedAddress, message, help))
}

fn range(address: IpAddr) -> Range {
    match address {
        IpAddr::V4(address) => range_v4(address),
        IpAddr::V6(address) => match inner_v4(address) {
            Some(inner) => range_v4(inner),
            None => range_v6(address),
        },
    }
}

fn range_v4(address: Ipv4Addr) -> Range {
    let [a, b, c, _] = address.octets();
    // Where clouds give out credentials, beside the link-local address that most use.
    const METADATA: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    if METADATA.contains(&address) {
        Range::Never("the metadata service of a cloud")
    } else if address.is_link_local() {
        Range::Never("link-local, or the metadata service of a cloud")
    } else if a == 0 || a >= 224 {
        Range::Never("no address of a host")
    } else if address.is_loopback()
        || address.is_private()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
    {
        Range::Private
    } else {
        Range::Public
    }
}

fn range_v6(address: Ipv6Addr) -> Range {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let first = address.segments()[0];
    if address == METADATA {
        Range::Never("the metadata service of a cloud")
    } else if first & 0xffc0 == 0xfe80 {
        Range::Never("link-local")
    } else if address.is_unspecified() || address.is_multicast() {
        Range::Never("no address of a host")
    } else if address.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 {
        Range::Private
    } else {
        Range::Public
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, behind NAT64, 6to4.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let last = || {
        let [a, b] = segments[6].to_be_bytes();
        let [c, d] = segments[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => Some(last()),
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => Some(last()),
        [0x64, 0xff9b, _, _, _, _, _, _] => Some(last()),
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Range {
        range(text.parse().unwrap())
    }

    #[test]
    fn metadata_and_link_local_are_never_reached_however_they_are_written() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(matches!(of(text), Range::Never(_)), "{text}: {:?}", of(text));
            let failure = check("host", text.parse().unwrap(), true).unwrap_err();
            assert_eq!(failure.reason, Reason::BlockedAddress);
        }
    }

    #[test]
    fn private_addresses_are_a_matter_of_policy() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd12::1",
            "fec0::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(of(text), Range::Private, "{text}");
            assert!(check("h", text.parse().unwrap(), true).is_ok());
            assert!(check("h", text.parse().unwrap(), false).is_err());
        }
        for text in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert_eq!(of(text), Range::Public, "{text}");
        }
    }
}
