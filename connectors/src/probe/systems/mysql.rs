//! MySQL and MariaDB.

use std::io;
use std::net::SocketAddr;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IoError, OptsBuilder, Row, SslOpts};
use tidegate_connector_spec::data_source::{Parameters, PhysicalTable};

use super::{Result, invalid};
use crate::causes::causes;
use crate::probe::address;
use crate::probe::import::{Description, Entry, Listing, MAX_COLUMNS, Page, sql_types};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::tcp;
use crate::probe::tls::{self, Verification};
use crate::probe::trace::Trace;

/// A connection.
struct Session {
    connection: Conn,
    place: String,
    user: String,
}

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let session = open(trace, parameters).await?;
    let _ = session.connection.disconnect().await;
    Ok(())
}

/// Logs in, and opens the database of the data source, if it has one.
async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<Session> {
    let host = parameters.required("host").map_err(invalid)?;
    let user = parameters.required("username").map_err(invalid)?;
    let port = parameters.port().map_err(invalid)?;
    let place = format!("{host}:{port}");
    let addresses = address::resolve(trace, host, port).await?;
    let mode = parameters.text("tls-mode").unwrap_or("disable");
    let tls = match Verification::of_mode(mode) {
        Some(verification) => Some(tls_options(parameters, host, verification)?),
        None => None,
    };
    let with_tls: &[What] =
        if tls.is_some() { &[What::Connect, What::Tls] } else { &[What::Connect] };
    let work = async {
        let mut last = None;
        for address in &addresses {
            let options = options(parameters, *address, tls.clone());
            match Conn::new(options).await {
                Ok(connection) => {
                    let (major, minor, _) = connection.server_version();
                    let detail = format!("{user} at {place}, version {major}.{minor}");
                    return Ok((connection, detail));
                }
                Err(error) => last = Some(failed(&place, host, user, "", &error)),
            }
            if last.as_ref().is_some_and(|failure| failure.reason != Reason::Refused) {
                break;
            }
        }
        Err(last.unwrap_or_else(|| Failure::protocol(&place, "it has no address", "mend 'host'")))
    };
    let opened = trace.step(What::Authenticate, &place, work).await;
    let mut connection = match opened {
        Ok(connection) => {
            trace.last_was(What::Authenticate, with_tls);
            connection
        }
        Err(failure) => {
            match failure.reason {
                Reason::Refused | Reason::Timeout | Reason::Protocol => {
                    trace.last_was(What::Connect, &[])
                }
                Reason::Tls => trace.last_was(What::Tls, &[What::Connect]),
                _ => trace.last_was(What::Authenticate, with_tls),
            }
            return Err(failure);
        }
    };
    if let Some(database) = parameters.text("database") {
        let work = async {
            let opened = connection.query_drop(format!("USE {}", quoted(database))).await;
            opened.map_err(|error| failed(&place, host, user, database, &error))?;
            Ok(((), format!("database {database}")))
        };
        trace.step(What::OpenDatabase, &place, work).await?;
    }
    Ok(Session { connection, place, user: user.to_owned() })
}

fn options(parameters: &Parameters<'_>, address: SocketAddr, tls: Option<SslOpts>) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(parameters.text("username"))
        .pass(parameters.text("password"))
        .ssl_opts(tls)
        .prefer_socket(false)
        .stmt_cache_size(0)
        .init(vec!["SET NAMES utf8mb4"])
}

fn tls_options(
    parameters: &Parameters<'_>,
    host: &str,
    verification: Verification,
) -> Result<SslOpts> {
    // The client makes its settings with the provider of the process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Finds what is wrong with the PEM text, and says it in our words.
    let authorities = parameters.text("ca-certificate");
    tls::settings(verification, authorities, None)?;
    let authorities = match authorities {
        Some(pem) => vec![pem.as_bytes().to_vec().into()],
        None => {
            let native = rustls_native_certs::load_native_certs().certs;
            native.into_iter().map(|one| one.to_vec().into()).collect()
        }
    };
    Ok(SslOpts::default()
        .with_root_certs(authorities)
        .with_disable_built_in_roots(true)
        .with_danger_accept_invalid_certs(verification == Verification::None)
        .with_danger_skip_domain_validation(verification == Verification::Authority)
        .with_danger_tls_hostname_override(Some(host.to_owned())))
}

/// Why the server does not let somebody in, or does not answer a question.
fn failed(place: &str, host: &str, user: &str, database: &str, error: &Error) -> Failure {
    let no_tls = || {
        Failure::new(
            Reason::Tls,
            format!("{place} has no TLS"),
            "switch TLS on in the server, or set 'tls-mode' to disable where the network is trusted",
        )
    };
    let answer = match error {
        Error::Server(answer) => answer,
        Error::Driver(DriverError::NoClientSslFlagFromServer) => return no_tls(),
        Error::Io(IoError::Tls(error)) => return tls::failed(place, host, error),
        other => {
            let tls = causes(other).any(|cause| cause.is::<rustls::Error>());
            let io = causes(other).find_map(|cause| cause.downcast_ref::<io::Error>());
            return match io {
                _ if tls => tls::failed(place, host, other),
                Some(io) => tcp::refused(place, io),
                None => Failure::protocol(
                    place,
                    &other.to_string(),
                    "see that it is MySQL or MariaDB, and what its log says",
                ),
            };
        }
    };
    let said = answer.message.as_str();
    match answer.code {
        1045 | 1698 | 1130 | 1862 | 1820 | 1251 => Failure::refused_login(place, user, said),
        1049 => Failure::new(
            Reason::MissingDatabase,
            format!("{place} has no database '{database}': {said}"),
            "mend 'database', or create it",
        ),
        1044 | 1142 | 1143 | 1227 => Failure::new(
            Reason::Permission,
            format!("'{user}' may not use '{database}' at {place}: {said}"),
            "grant the user the right to read it",
        ),
        3159 => Failure::new(
            Reason::Tls,
            format!("{place} wants TLS: {said}"),
            "set 'tls-mode' to require, or better to verify-full",
        ),
        code => {
            let said = format!("{said} ({code})");
            Failure::protocol(place, &said, "see what the server's log says")
        }
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

const DATABASES: &str = "\
SELECT SCHEMA_NAME, NULL FROM information_schema.SCHEMATA
WHERE BINARY SCHEMA_NAME > ? AND BINARY LEFT(SCHEMA_NAME, CHAR_LENGTH(?)) = ?
  AND SCHEMA_NAME NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')
ORDER BY BINARY SCHEMA_NAME LIMIT ?";

const TABLES: &str = "\
SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES
WHERE TABLE_SCHEMA = ? AND BINARY TABLE_NAME > ? AND BINARY LEFT(TABLE_NAME, CHAR_LENGTH(?)) = ?
ORDER BY BINARY TABLE_NAME LIMIT ?";

const COLUMNS: &str = "\
SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_COMMENT, COLUMN_KEY FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION LIMIT ?";

const TABLE_COMMENT: &str = "\
SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";

fn text(row: &Row, column: usize) -> Option<String> {
    let text: Option<Option<String>> = row.get_opt(column).and_then(std::result::Result::ok);
    text.flatten().filter(|text| !text.is_empty())
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    database: Option<&str>,
    page: &Page,
) -> Result<Listing> {
    let Session { mut connection, place, user } = open(trace, parameters).await?;
    let host = parameters.text("host").unwrap_or_default();
    let limit = page.limit() + 1;
    let work = async {
        let (after, prefix) = (page.after(), page.prefix());
        let rows: std::result::Result<Vec<Row>, Error> = match database {
            Some(database) => {
                connection.exec(TABLES, (database, after, prefix, prefix, limit)).await
            }
            None => connection.exec(DATABASES, (after, prefix, prefix, limit)).await,
        };
        let shown = database.unwrap_or_default();
        let rows = rows.map_err(|error| failed(&place, host, &user, shown, &error))?;
        let entry = |row: &Row| Some(Entry { name: text(row, 0)?, comment: text(row, 1) });
        let entries: Vec<Entry> = rows.iter().filter_map(entry).collect();
        let detail = format!("{} names", entries.len());
        Ok((page.cut(database.is_none(), entries), detail))
    };
    let listing = trace.step(What::List, &place, work).await;
    let _ = connection.disconnect().await;
    listing
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let Session { mut connection, place, user } = open(trace, parameters).await?;
    let host = parameters.text("host").unwrap_or_default();
    let database = table.database.as_deref().or_else(|| parameters.text("database"));
    let Some(database) = database else {
        return Err(Failure::new(
            Reason::MissingDatabase,
            format!("nothing says in which database of {place} the table '{}' lies", table.name),
            "name the database of the table, or set 'database' of the data source",
        ));
    };
    let work = async {
        let wrong = |error| failed(&place, host, &user, database, &error);
        let named = (database, table.name.as_str());
        let rows = connection.exec(COLUMNS, (named.0, named.1, MAX_COLUMNS)).await;
        let rows: Vec<Row> = rows.map_err(wrong)?;
        if rows.is_empty() {
            return Err(Failure::new(
                Reason::MissingTable,
                format!("database '{database}' at {place} has no table '{}'", table.name),
                "mend the name, or let the user read the table",
            ));
        }
        let comment = connection.exec_first(TABLE_COMMENT, named).await;
        let comment: Option<Row> = comment.map_err(wrong)?;
        let comment = comment.as_ref().and_then(|row| text(row, 0));
        let mut found = Description { comment, ..Description::default() };
        for row in &rows {
            let column = |at: usize| text(row, at).unwrap_or_default();
            let (native, nullable) = (column(1), column(2) == "YES");
            let ty = sql_types::with_null(sql_types::mysql(&native), nullable);
            found.add(&column(0), &native, ty, text(row, 3), column(4) == "PRI");
        }
        Ok((found, format!("{} columns", rows.len())))
    };
    let found = trace.step(What::Ask, &place, work).await;
    let _ = connection.disconnect().await;
    found
}
