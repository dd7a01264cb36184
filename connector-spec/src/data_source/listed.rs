//! Lists in the values of parameters: addresses, URLs, headers.

use core::net::Ipv6Addr;

use url::Url;

/// A host with a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Name or address; an IPv6 address is without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `host:port,host:port`; the error is the part that is wrong.
///
/// # Errors
/// The first part that is not a host with a port.
pub fn addresses(text: &str) -> Result<Vec<Address>, &str> {
    parts(text).map(|part| address(part).ok_or(part)).collect()
}

fn address(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fits = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        // Without brackets nobody knows which colon is before the port.
        None => !host.contains(':') && is_host(host),
    };
    fits.then(|| Address { host: bare.unwrap_or(host).to_owned(), port })
}

/// URLs separated by `,`.
///
/// # Errors
/// The first part that is not a URL.
pub fn urls(text: &str) -> Result<Vec<Url>, &str> {
    parts(text).map(|part| Url::parse(part).map_err(|_| part)).collect()
}

/// `Name:value` pairs separated by `,`.
///
/// # Errors
/// The first part that has no `:`.
pub fn headers(text: &str) -> Result<Vec<(&str, &str)>, &str> {
    let pair = |part: &'_ str| part.find(':');
    parts(text)
        .map(|part| match pair(part) {
            Some(at) => Ok((part[..at].trim(), part[at + 1..].trim())),
            None => Err(part),
        })
        .collect()
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Whether the text is a host name or an address.
pub(super) fn is_host(text: &str) -> bool {
    if text.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    (1..=253).contains(&name.len()) && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_names_and_numbers() {
        let found = addresses("a.example:9092, [::1]:1 ,10.0.0.1:65535,").unwrap();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a.example:9092", "[::1]:1", "10.0.0.1:65535"]);
        for wrong in ["a", "a:", "a:0", "a:65536", "::1:9092", "a b:1", "u:p@h:1", "[x]:1", "-a:1"]
        {
            assert_eq!(addresses(wrong), Err(wrong), "{wrong}");
        }
    }

    #[test]
    fn headers_are_pairs() {
        assert_eq!(headers("A: b:c , D:e").unwrap(), [("A", "b:c"), ("D", "e")]);
        assert_eq!(headers("A:b,C"), Err("C"));
    }
}
