//! Which etcd, and what is ours in it.

use std::fmt;

use tidegate_types::{Error, ErrorCode, Result};

/// The scheme of an address of the client that names an etcd.
const SCHEME: &str = "etcd://";
/// Below it is everything, unless something else is said.
const PREFIX: &str = "/tidegate";
/// Most servers of an etcd, and most bytes of a prefix.
const MAX_ENDPOINTS: usize = 16;
const MAX_PREFIX: usize = 256;

/// TLS to etcd, PEM texts.
#[derive(Clone)]
pub struct EtcdTls {
    /// The authority of etcd's servers.
    pub authority: String,
    /// A certificate with its key, if etcd wants one.
    pub identity: Option<(String, String)>,
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdTls")
            .field("identity", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}

/// An etcd and a place in it.
#[derive(Clone)]
pub struct EtcdOptions {
    endpoints: Vec<String>,
    prefix: String,
    user: Option<(String, String)>,
    tls: Option<EtcdTls>,
}

impl fmt::Debug for EtcdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

impl fmt::Display for EtcdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.endpoints.join(","), self.prefix)
    }
}

impl EtcdOptions {
    /// Servers as `host:port`; the prefix begins with `/` and is `/tidegate` if none is given.
    ///
    /// # Errors
    /// `INVALID_OPTION` if one of them is none.
    pub fn new(endpoints: Vec<String>, prefix: Option<&str>) -> Result<Self> {
        let invalid = |message: String, help: &str| {
            Err(Error::new(ErrorCode::InvalidOption, message).help(help.to_owned()))
        };
        if endpoints.is_empty() || endpoints.len() > MAX_ENDPOINTS {
            let message = format!("etcd has {} addresses", endpoints.len());
            return invalid(message, "give one to 16, as host:port");
        }
        let is_address = |text: &str| {
            text.rsplit_once(':').is_some_and(|(host, port)| {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
                !host.is_empty() && host.bytes().all(fits) && port.parse::<u16>().is_ok()
            })
        };
        if let Some(bad) = endpoints.iter().find(|text| !is_address(text)) {
            return invalid(format!("'{bad}' is no address of an etcd"), "write it as host:port");
        }
        let prefix = prefix.unwrap_or(PREFIX).trim_end_matches('/');
        let printable = prefix.bytes().all(|byte| byte.is_ascii_graphic());
        if !prefix.starts_with('/') || prefix.len() > MAX_PREFIX || !printable {
            let message = format!("'{prefix}' is no prefix of keys");
            return invalid(message, "begin it with '/', such as /tidegate/production");
        }
        Ok(Self { endpoints, prefix: prefix.to_owned(), user: None, tls: None })
    }

    /// From an address such as `etcd://host:port,host:port/prefix`; `None` if it is another kind of address.
    ///
    /// # Errors
    /// As [`EtcdOptions::new`].
    pub fn from_address(text: &str) -> Option<Result<Self>> {
        let rest = text.strip_prefix(SCHEME)?;
        let (hosts, prefix) = match rest.find('/') {
            Some(slash) if rest.len() > slash + 1 => (&rest[..slash], Some(&rest[slash..])),
            Some(slash) => (&rest[..slash], None),
            None => (rest, None),
        };
        Some(Self::new(hosts.split(',').map(|host| host.trim().to_owned()).collect(), prefix))
    }

    /// With a user of etcd and its password.
    pub fn with_user(self, name: String, password: String) -> Self {
        Self { user: Some((name, password)), ..self }
    }

    /// With an encrypted connection.
    pub fn with_tls(self, tls: EtcdTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn user(&self) -> Option<&(String, String)> {
        self.user.as_ref()
    }

    pub(crate) fn tls(&self) -> Option<&EtcdTls> {
        self.tls.as_ref()
    }

    /// The servers as URLs.
    pub(crate) fn urls(&self) -> Vec<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.endpoints.iter().map(|endpoint| format!("{scheme}://{endpoint}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_mistakes_named() {
        let read =
            |text: &str| EtcdOptions::from_address(text).map(|found| found.unwrap().to_string());
        let both = "etcd://a:2379,[::1]:2380/tidegate/x";
        assert_eq!(read(both).as_deref(), Some(both));
        assert_eq!(read("etcd://a:2379").as_deref(), Some("etcd://a:2379/tidegate"));
        assert_eq!(read("etcd://a:2379/").as_deref(), Some("etcd://a:2379/tidegate"));
        assert_eq!(read("etcd://a:2379/p/").as_deref(), Some("etcd://a:2379/p"));
        assert_eq!(read("a:7411"), None);
        for (text, named) in [
            ("etcd://", "''"),
            ("etcd://a", "'a'"),
            ("etcd://a:b", "'a:b'"),
            ("etcd://u:p@a:1", "'u:p@a:1'"),
            ("etcd://a:1,/p", "''"),
        ] {
            let error = EtcdOptions::from_address(text).unwrap().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        let error = EtcdOptions::new(vec!["a:1".into()], Some("p")).unwrap_err().to_string();
        assert!(error.contains("'p'"), "{error}");
    }
}
