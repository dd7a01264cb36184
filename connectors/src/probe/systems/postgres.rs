//! PostgreSQL, and Greenplum, which speaks the same protocol.

use std::io;

use tidegate_connector_spec::data_source::{Parameters, PhysicalTable};
use tidegate_runtime::task::{Task, spawn};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Error, NoTls};

use super::{Result, invalid};
use crate::causes::causes;
use crate::probe::import::{Description, Entry, Listing, MAX_COLUMNS, Page, sql_types};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::tls::{self, Verification};
use crate::probe::trace::Trace;
use crate::probe::{address, tcp};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection, with the task that moves its bytes.
struct Session {
    client: Client,
    place: String,
    _task: Task<()>,
}

/// The message that asks for TLS: its length and its code.
const WANTS_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    open(trace, parameters, None).await.map(drop)
}

async fn open(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    database: Option<&str>,
) -> Result<Session> {
    let (host, port) = (required(parameters, "host")?, parameters.port().map_err(invalid)?);
    let place = format!("{host}:{port}");
    let addresses = address::resolve(trace, host, port).await?;
    let stream = tcp::connect(trace, &place, &addresses).await?;
    let mode = parameters.text("tls-mode").unwrap_or("disable");
    let stream: Box<dyn Stream> = match Verification::of_mode(mode) {
        None => Box::new(stream),
        Some(verification) => {
            let settings = tls::settings(verification, parameters.text("ca-certificate"), None)?;
            Box::new(begin_tls(trace, &place, host, &settings, stream).await?)
        }
    };
    let user = required(parameters, "username")?;
    let database = database.or_else(|| parameters.text("database")).unwrap_or(user);
    let mut config = Config::new();
    config.user(user).dbname(database).application_name("tidegate").ssl_mode(SslMode::Disable);
    if let Some(password) = parameters.text("password") {
        config.password(password);
    }
    let work = async {
        let (client, connection) = config
            .connect_raw(stream, NoTls)
            .await
            .map_err(|error| failed(&place, user, database, &error))?;
        // What it ends with is told to whoever asks next.
        let task = spawn("probe connection", async move { drop(connection.await) });
        let session = Session { client, place: place.clone(), _task: task };
        Ok((session, format!("{user} at {place}")))
    };
    let opened = trace.step(What::Authenticate, &place, work).await;
    match opened {
        Ok(session) => {
            trace.passed(What::OpenDatabase, &format!("database {database}"));
            Ok(session)
        }
        Err(failure) => {
            if failure.reason == Reason::MissingDatabase {
                trace.last_was(What::OpenDatabase, &[What::Authenticate]);
            }
            Err(failure)
        }
    }
}

/// Asks for TLS, and begins it.
async fn begin_tls(
    trace: &mut Trace<'_>,
    place: &str,
    host: &str,
    settings: &rustls::ClientConfig,
    mut stream: tokio::net::TcpStream,
) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let work = async {
        let mut answer = [0];
        let asked: io::Result<()> = async {
            stream.write_all(&WANTS_TLS).await?;
            stream.read_exact(&mut answer).await.map(drop)
        }
        .await;
        asked.map_err(|error| tcp::refused(place, &error))?;
        match answer {
            [b'S'] => Ok((stream, place.to_owned())),
            [b'N'] => Err(Failure::new(
                Reason::Tls,
                format!("{place} has no TLS"),
                "switch TLS on in the server, or set 'tls-mode' to disable where the network is trusted",
            )),
            _ => Err(Failure::protocol(place, "it is no PostgreSQL", "mend host and port")),
        }
    };
    let stream = trace.step(What::Tls, place, work).await?;
    tls::begin(trace, place, host, settings, stream).await
}

/// Why the server does not let somebody in, or does not answer a question.
fn failed(place: &str, user: &str, database: &str, error: &Error) -> Failure {
    let Some(answer) = error.as_db_error() else {
        let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
        if let Some(io) = io {
            return tcp::refused(place, io);
        }
        let said = causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if said.contains("password missing") {
            return Failure::refused_login(place, user, "it wants a password");
        }
        let help = "see that it is PostgreSQL, and which ways to log in it allows (pg_hba.conf)";
        return Failure::protocol(place, &said, help);
    };
    let said = answer.message();
    match answer.code().code() {
        "28P01" | "28000" => Failure::refused_login(place, user, said),
        "3D000" => Failure::new(
            Reason::MissingDatabase,
            format!("{place} has no database '{database}': {said}"),
            "mend 'database', or create it",
        ),
        "42501" => Failure::new(
            Reason::Permission,
            format!("'{user}' may not use database '{database}' at {place}: {said}"),
            "grant the user the right to connect and to read",
        ),
        "42P01" | "3F000" => Failure::new(
            Reason::MissingTable,
            format!("database '{database}' at {place}: {said}"),
            "mend the name of the table; names with capitals stand in double quotes",
        ),
        code => {
            let said = format!("{said} ({code})");
            Failure::protocol(place, &said, "see what the server's log says")
        }
    }
}

fn required<'a>(parameters: &Parameters<'a>, name: &str) -> Result<&'a str> {
    parameters.required(name).map_err(invalid)
}

const DATABASES: &str = "\
SELECT datname::text, shobj_description(oid, 'pg_database') FROM pg_database
WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT')
  AND datname::text COLLATE \"C\" > $1 AND left(datname::text, length($2)) = $2
ORDER BY datname::text COLLATE \"C\" LIMIT $3";

const TABLES: &str = "\
SELECT name, comment FROM (
  SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, obj_description(c.oid, 'pg_class') AS comment
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND has_table_privilege(c.oid, 'SELECT')
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'gp_toolkit')
) t
WHERE name COLLATE \"C\" > $1 AND left(name, length($2)) = $2
ORDER BY name COLLATE \"C\" LIMIT $3";

const COLUMNS: &str = "\
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typtype::text, a.attnotnull,
  col_description(a.attrelid, a.attnum),
  EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
  obj_description(a.attrelid, 'pg_class'),
  CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum LIMIT $2";

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    database: Option<&str>,
    page: &Page,
) -> Result<Listing> {
    let session = open(trace, parameters, database).await?;
    let (user, place) = (required(parameters, "username")?, session.place.clone());
    let shown = database.unwrap_or_default();
    let sql = if database.is_some() { TABLES } else { DATABASES };
    let limit = i64::try_from(page.limit()).unwrap_or(0) + 1;
    let work = async {
        let (after, prefix) = (page.after(), page.prefix());
        let rows = session.client.query(sql, &[&after, &prefix, &limit]).await;
        let rows = rows.map_err(|error| failed(&place, user, shown, &error))?;
        let entries = rows.iter().map(|row| Entry { name: row.get(0), comment: row.get(1) });
        let entries: Vec<Entry> = entries.collect();
        let detail = format!("{} names", entries.len());
        Ok((page.cut(database.is_none(), entries), detail))
    };
    trace.step(What::List, &place, work).await
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let session = open(trace, parameters, table.database.as_deref()).await?;
    let (user, place) = (required(parameters, "username")?, session.place.clone());
    let database = table.database.as_deref().or_else(|| parameters.text("database"));
    let database = database.unwrap_or_default();
    let limit = i64::try_from(MAX_COLUMNS).unwrap_or(i64::MAX);
    let work = async {
        let rows = session.client.query(COLUMNS, &[&table.name, &limit]).await;
        let rows = rows.map_err(|error| failed(&place, user, database, &error))?;
        let mut found = Description::default();
        for row in &rows {
            let (name, native, class): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            let (not_null, comment, key): (bool, Option<String>, bool) =
                (row.get(3), row.get(4), row.get(5));
            let base: Option<String> = row.get(7);
            let kind = sql_types::postgres(base.as_deref().unwrap_or(&native), &class);
            found.add(&name, &native, sql_types::with_null(kind, !not_null), comment, key);
            found.comment = row.get(6);
        }
        Ok((found, format!("{} columns", rows.len())))
    };
    trace.step(What::Ask, &place, work).await
}
