//! Which table of which database: the options, read.

use std::time::Duration;

use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, Result};

use super::name;
use crate::format::answers::Dialect;

/// The family of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// PostgreSQL, and what speaks its protocol.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl Product {
    /// How it writes values.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::Postgres => Dialect::Postgres,
            Self::MySql => Dialect::MySql,
        }
    }
}

/// A table and how to get to it.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) product: Product,
    /// At least one; tried in order.
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) database: String,
    /// `currentSchema` of the URL.
    pub(super) schema: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// `table-name`, for messages.
    pub(super) table: String,
    /// The same in a statement.
    pub(super) from: String,
    /// Longest wait for a connection or an answer.
    pub(super) wait: Duration,
}

impl Address {
    /// From a table's options.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a URL that cannot be read, `UNSUPPORTED` for one that asks for TLS.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let url = options.required("url")?.trim();
        let (product, rest) = product(url).ok_or_else(|| wrong("is not of a known database"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let table = options.required("table-name")?.trim().to_owned();
        let mut address = Self {
            product,
            from: name::table(&table, product)?,
            table,
            hosts: Vec::new(),
            database: decoded(database),
            schema: None,
            user: None,
            password: None,
            wait: options
                .duration("connection.max-retry-timeout")?
                .unwrap_or(Duration::from_secs(60)),
        };
        let hosts = match authority.rsplit_once('@') {
            Some((login, hosts)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                address.user = Some(decoded(user));
                address.password = Some(decoded(password)).filter(|word| !word.is_empty());
                hosts
            }
            None => authority,
        };
        let port = if product == Product::Postgres { 5432 } else { 3306 };
        address.hosts = hosts.split(',').map(|text| host(text, port)).collect::<Result<_>>()?;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            address.set(key, &decoded(value))?;
        }
        let own = |key: &str| options.explicit(key).map(str::to_owned);
        address.user = own("username").or(address.user);
        address.password = own("password").or(address.password);
        if address.database.is_empty() && product == Product::MySql && !address.from.contains("`.`")
        {
            return Err(wrong("names no database"));
        }
        Ok(address)
    }

    /// A parameter of the URL.
    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(value.to_owned()),
            "currentSchema" => self.schema = Some(value.to_owned()),
            "ssl" | "useSSL" | "requireSSL" | "useSsl" if value.eq_ignore_ascii_case("true") => {
                return Err(no_tls(key, value));
            }
            "sslmode" | "sslMode" => {
                let optional = ["disable", "disabled", "allow", "prefer", "preferred"];
                if !optional.iter().any(|mode| mode.eq_ignore_ascii_case(value)) {
                    return Err(no_tls(key, value));
                }
            }
            _ => tracing::info!(parameter = key, "a parameter of the JDBC URL has no meaning here"),
        }
        Ok(())
    }

    /// For messages: `table users in postgresql://db:5432/shop`.
    pub(super) fn describe(&self) -> String {
        let scheme = match self.product {
            Product::Postgres => "postgresql",
            Product::MySql => "mysql",
        };
        let hosts: Vec<String> =
            self.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        format!("table {} in {scheme}://{}/{}", self.table, hosts.join(","), self.database)
    }
}

fn product(url: &str) -> Option<(Product, &str)> {
    let rest = url.strip_prefix("jdbc:")?;
    let postgres = rest.strip_prefix("postgresql://").map(|rest| (Product::Postgres, rest));
    let mysql = || rest.strip_prefix("mysql://").or_else(|| rest.strip_prefix("mariadb://"));
    postgres.or_else(|| mysql().map(|rest| (Product::MySql, rest)))
}

fn host(text: &str, default: u16) -> Result<(String, u16)> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => {
            (name, port.parse().map_err(|_| wrong("has a port that is no number"))?)
        }
        _ => (text, default),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    Ok((if name.is_empty() { "localhost" } else { name }.to_owned(), port))
}

/// Text with `%41` in place of `A`.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The URL itself is not shown: a password may be in it.
fn wrong(what: &str) -> Error {
    Error::new(ErrorCode::InvalidOption, format!("option 'url' {what}"))
        .help("write it like jdbc:postgresql://db.example:5432/shop")
}

fn no_tls(key: &str, value: &str) -> Error {
    Error::unsupported(format!("option 'url': {key}={value} asks for TLS, which 'jdbc' cannot do"))
        .help(
            "leave it out where the network is trusted, or go through a local proxy that does TLS",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address> {
        let pairs = [("connector", "jdbc"), ("url", url), ("table-name", "t")];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Address::new(&Options::new(pairs.into_iter().collect()).unwrap())
    }

    #[test]
    fn urls_as_java_drivers_take_them() {
        let two =
            address("jdbc:postgresql://a:1,[::1]/shop?currentSchema=s%20x&user=u&sslmode=prefer")
                .unwrap();
        assert_eq!(two.hosts, [("a".to_owned(), 1), ("::1".to_owned(), 5432)]);
        assert_eq!((two.database.as_str(), two.schema.as_deref()), ("shop", Some("s x")));
        assert_eq!(two.describe(), "table t in postgresql://a:1,::1:5432/shop");
        let login = address("jdbc:mariadb://me:p%40ss@db/x").unwrap();
        assert_eq!((login.user.as_deref(), login.password.as_deref()), (Some("me"), Some("p@ss")));
        assert_eq!((login.product, login.hosts[0].1), (Product::MySql, 3306));
    }

    #[test]
    fn what_cannot_be_done_is_refused_without_showing_the_url() {
        for url in [
            "jdbc:oracle://me:secret@db/x",
            "jdbc:mysql://me:secret@db:x/y",
            "jdbc:mysql://me:secret@db",
            "jdbc:mysql://me:secret@db/x?sslMode=VERIFY_CA",
            "jdbc:postgresql://me:secret@db/x?ssl=true",
        ] {
            let error = address(url).err().unwrap().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
