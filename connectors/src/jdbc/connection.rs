//! Connections: made, asked, and what went wrong in words.

use std::time::Duration;

use arrow::array::RecordBatch;
use futures::{StreamExt, pin_mut};
use mysql_async::prelude::Queryable;
use mysql_async::{OptsBuilder, Value};
use tidegate_runtime::task::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::mpsc::Sender;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::address::{Address, Product};
use crate::format::answers::Answers;

/// How a session of PostgreSQL writes and reads values.
const POSTGRES_SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'; \
     SET standard_conforming_strings = on; SET client_encoding = 'UTF8'";
/// The same of MySQL.
const MYSQL_SESSION: [&str; 2] = ["SET NAMES utf8mb4", "SET time_zone = '+00:00'"];

/// A connection. One that was given up in the middle of an answer must not be used again.
pub(super) enum Connection {
    /// With the task that moves its bytes.
    Postgres(tokio_postgres::Client, Task<()>),
    MySql(Box<mysql_async::Conn>),
}

/// Where rows go while an answer is read.
pub(super) struct Handover<'a> {
    /// Batches of rows go here; without it all rows stay together.
    pub(super) sender: Option<&'a Sender<Result<RecordBatch>>>,
    /// Rows in a batch.
    pub(super) batch_rows: usize,
    /// Rows at the beginning that are left out.
    pub(super) skip: u64,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `UNAUTHENTICATED`, `NOT_FOUND`, … with table and host.
    pub(super) async fn open(address: &Address) -> Result<Self> {
        let opened = tokio::time::timeout(address.wait, async {
            match address.product {
                Product::Postgres => postgres(address).await,
                Product::MySql => mysql(address).await,
            }
        });
        opened.await.unwrap_or_else(|_| Err(timed_out(address, "connect to")))
    }

    /// Whether the connection is known to have ended.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Postgres(client, task) => client.is_closed() || task.is_finished(),
            Self::MySql(_) => false,
        }
    }

    /// Asks, and puts the rows of the answer into `rows`; full batches are handed over. `false`: nobody takes them.
    ///
    /// # Errors
    /// As [`Connection::open`]; `BAD_RECORD` for values that do not fit the declared columns.
    pub(super) async fn ask(
        &mut self,
        address: &Address,
        sql: &str,
        rows: &mut Answers,
        handover: Handover<'_>,
    ) -> Result<bool> {
        match self {
            Self::Postgres(client, _) => ask_postgres(client, address, sql, rows, handover).await,
            Self::MySql(connection) => ask_mysql(connection, address, sql, rows, handover).await,
        }
    }
}

impl Handover<'_> {
    /// All rows stay together.
    pub(super) const ALL: Self = Self { sender: None, batch_rows: usize::MAX, skip: 0 };

    /// Whether the next row is one to leave out.
    fn skips(&mut self) -> bool {
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        skips
    }

    /// After a row: hands a full batch over. `false`: nobody takes it.
    async fn advance(&self, rows: &mut Answers) -> Result<bool> {
        match self.sender {
            Some(sender) if rows.len() >= self.batch_rows => {
                Ok(sender.send(Ok(rows.finish()?)).await.is_ok())
            }
            _ => Ok(true),
        }
    }
}

async fn postgres(address: &Address) -> Result<Connection> {
    let mut config = Config::new();
    for (host, port) in &address.hosts {
        config.host(host).port(*port);
    }
    config.application_name("tidegate").connect_timeout(address.wait);
    config.keepalives_idle(Duration::from_secs(30));
    if !address.database.is_empty() {
        config.dbname(&address.database);
    }
    config.user(address.user.as_deref().unwrap_or("postgres"));
    if let Some(password) = &address.password {
        config.password(password);
    }
    let (client, connection) =
        config.connect(NoTls).await.map_err(|error| postgres_failed(address, &error))?;
    // What it ends with is told to whoever asks next.
    let task = spawn("jdbc connection", async move { drop(connection.await) });
    let mut session = POSTGRES_SESSION.to_owned();
    if let Some(schema) = &address.schema {
        let schemas: Vec<String> = schema
            .split(',')
            .map(|name| format!("\"{}\"", name.trim().trim_matches('"').replace('"', "\"\"")))
            .collect();
        session.push_str(&format!("; SET search_path = {}", schemas.join(", ")));
    }
    let set = client.batch_execute(&session).await;
    set.map_err(|error| postgres_failed(address, &error))?;
    Ok(Connection::Postgres(client, task))
}

async fn ask_postgres(
    client: &tokio_postgres::Client,
    address: &Address,
    sql: &str,
    rows: &mut Answers,
    mut handover: Handover<'_>,
) -> Result<bool> {
    let failed = |error| postgres_failed(address, &error);
    let answer = client.simple_query_raw(sql).await.map_err(failed)?;
    pin_mut!(answer);
    while let Some(message) = answer.next().await {
        let SimpleQueryMessage::Row(row) = message.map_err(failed)? else { continue };
        if handover.skips() {
            continue;
        }
        let cell = |column| row.try_get(column).ok().flatten().map(str::as_bytes);
        rows.push(cell).map_err(|problem| misfit(address, &problem))?;
        if !handover.advance(rows).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn mysql(address: &Address) -> Result<Connection> {
    let mut failed = None;
    for (host, port) in &address.hosts {
        let options = OptsBuilder::default()
            .ip_or_hostname(host.as_str())
            .tcp_port(*port)
            .db_name(Some(address.database.as_str()).filter(|name| !name.is_empty()))
            .user(address.user.as_deref())
            .pass(address.password.as_deref())
            // The answer must not come from another server than the one that was asked for.
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .stmt_cache_size(0)
            .init(MYSQL_SESSION.to_vec());
        match mysql_async::Conn::new(options).await {
            Ok(connection) => return Ok(Connection::MySql(Box::new(connection))),
            Err(error) => failed = Some(mysql_failed(address, &error)),
        }
    }
    Err(failed.unwrap_or_else(|| Error::internal("a database without a host")))
}

async fn ask_mysql(
    connection: &mut mysql_async::Conn,
    address: &Address,
    sql: &str,
    rows: &mut Answers,
    mut handover: Handover<'_>,
) -> Result<bool> {
    let failed = |error| mysql_failed(address, &error);
    let mut answer = connection.query_iter(sql).await.map_err(failed)?;
    while let Some(row) = answer.next().await.map_err(failed)? {
        if handover.skips() {
            continue;
        }
        let cell = |column| match row.as_ref(column) {
            Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
            // All values of this protocol are texts.
            _ => None,
        };
        rows.push(cell).map_err(|problem| misfit(address, &problem))?;
        if !handover.advance(rows).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A value that does not fit.
fn misfit(address: &Address, problem: &str) -> Error {
    Error::new(ErrorCode::BadRecord, format!("read {}: {problem}", address.describe()))
        .help("declare the column with a type that holds what the database has")
}

/// No answer in time.
pub(super) fn timed_out(address: &Address, doing: &str) -> Error {
    let seconds = address.wait.as_secs();
    let message = format!("{doing} {}: no answer within {seconds} s", address.describe());
    Error::new(ErrorCode::Unavailable, message)
        .help("look at the database, or raise 'connection.max-retry-timeout'")
}

fn postgres_failed(address: &Address, error: &tokio_postgres::Error) -> Error {
    let Some(answer) = error.as_db_error() else {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            text = format!("{text}: {cause}");
        }
        // All that does not come from the server: connections that are refused, or break.
        return failed(address, ErrorCode::Unavailable, &text);
    };
    let code = match answer.code().code() {
        "28P01" | "28000" => ErrorCode::Unauthenticated,
        "42501" => ErrorCode::PermissionDenied,
        "42P01" | "42703" | "3D000" | "3F000" => ErrorCode::NotFound,
        code if ["08", "53", "57", "40", "55"].iter().any(|class| code.starts_with(class)) => {
            ErrorCode::Unavailable
        }
        _ => ErrorCode::FailedPrecondition,
    };
    failed(address, code, answer.message())
}

fn mysql_failed(address: &Address, error: &mysql_async::Error) -> Error {
    let mysql_async::Error::Server(answer) = error else {
        return failed(address, ErrorCode::Unavailable, &error.to_string());
    };
    let code = match answer.code {
        1045 | 1698 => ErrorCode::Unauthenticated,
        1044 | 1142 | 1143 => ErrorCode::PermissionDenied,
        1049 | 1146 | 1054 => ErrorCode::NotFound,
        1040 | 1053 | 1077..=1079 | 1203 | 1205 | 1213 | 1226 | 1317 | 1927 => {
            ErrorCode::Unavailable
        }
        _ => ErrorCode::FailedPrecondition,
    };
    failed(address, code, &answer.message)
}

fn failed(address: &Address, code: ErrorCode, text: &str) -> Error {
    let error = Error::new(code, format!("read {}: {text}", address.describe()));
    match code {
        ErrorCode::Unavailable => error.help("see that the database runs and can be reached"),
        ErrorCode::Unauthenticated => error.help("mend the options 'username' and 'password'"),
        ErrorCode::PermissionDenied => error.help("let the user SELECT from the table"),
        ErrorCode::NotFound => {
            error.help("mend 'url', 'table-name' or the columns of the CREATE TABLE")
        }
        _ => error.help("compare the declared columns with those of the database"),
    }
}
