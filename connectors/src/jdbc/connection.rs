//! Connections: made, and asked.

use std::time::Duration;

use arrow::array::RecordBatch;
use futures::{StreamExt, pin_mut};
use mysql_async::prelude::Queryable;
use mysql_async::{OptsBuilder, Value};
use tidegate_runtime::task::{Task, spawn};
use tidegate_types::{Error, Result};
use tokio::sync::mpsc::Sender;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::address::{Address, Product};
use super::failure::{self, Failure};
use crate::format::answers::Answers;

/// How a session of PostgreSQL writes and reads values.
const POSTGRES_SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'; \
     SET extra_float_digits = 3; SET standard_conforming_strings = on; SET client_encoding = 'UTF8'";
/// The same of MySQL.
const MYSQL_SESSION: [&str; 2] = ["SET NAMES utf8mb4", "SET time_zone = '+00:00'"];

/// After how long of silence it is seen whether the server is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Most bytes of an answer that stays together.
const ANSWER_BYTES: usize = 256 << 20;

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
    pub(super) async fn open(address: &Address) -> Result<Self, Failure> {
        let opened = tokio::time::timeout(address.wait, async {
            match address.product {
                Product::Postgres => postgres(address).await,
                Product::MySql => mysql(address).await,
            }
        });
        let opened = opened.await;
        opened.unwrap_or_else(|_| Err(failure::timed_out(address, "connect to").into()))
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
    ) -> Result<bool, Failure> {
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
    async fn advance(&self, address: &Address, rows: &mut Answers) -> Result<bool> {
        match self.sender {
            Some(sender) if rows.len() >= self.batch_rows => {
                Ok(sender.send(Ok(rows.finish()?)).await.is_ok())
            }
            None if rows.bytes() > ANSWER_BYTES => Err(failure::too_much(address, ANSWER_BYTES)),
            _ => Ok(true),
        }
    }
}

/// Each host gets its share of the time.
fn wait_for_host(address: &Address) -> Duration {
    address.wait / u32::try_from(address.hosts.len()).unwrap_or(1).max(1)
}

async fn postgres(address: &Address) -> Result<Connection, Failure> {
    let mut config = Config::new();
    for (host, port) in &address.hosts {
        config.host(host).port(*port);
    }
    config.application_name("tidegate").connect_timeout(wait_for_host(address));
    config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 3).keepalives_retries(3);
    if !address.database.is_empty() {
        config.dbname(&address.database);
    }
    config.user(address.user.as_deref().unwrap_or("postgres"));
    if let Some(password) = &address.password {
        config.password(password);
    }
    let (client, connection) =
        config.connect(NoTls).await.map_err(|error| failure::postgres(address, &error))?;
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
    set.map_err(|error| failure::postgres(address, &error))?;
    Ok(Connection::Postgres(client, task))
}

async fn ask_postgres(
    client: &tokio_postgres::Client,
    address: &Address,
    sql: &str,
    rows: &mut Answers,
    mut handover: Handover<'_>,
) -> Result<bool, Failure> {
    let failed = |error| failure::postgres(address, &error);
    let answer = client.simple_query_raw(sql).await.map_err(failed)?;
    pin_mut!(answer);
    while let Some(message) = answer.next().await {
        let SimpleQueryMessage::Row(row) = message.map_err(failed)? else { continue };
        if handover.skips() {
            continue;
        }
        let cell = |column| row.try_get(column).ok().flatten().map(str::as_bytes);
        rows.push(cell).map_err(|problem| failure::misfit(address, &problem))?;
        if !handover.advance(address, rows).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn mysql(address: &Address) -> Result<Connection, Failure> {
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
            .tcp_keepalive(Some(KEEPALIVE))
            .stmt_cache_size(0)
            .init(MYSQL_SESSION.to_vec());
        match tokio::time::timeout(wait_for_host(address), mysql_async::Conn::new(options)).await {
            Ok(Ok(connection)) => return Ok(Connection::MySql(Box::new(connection))),
            Ok(Err(error)) => failed = Some(failure::mysql(address, &error)),
            Err(_) => failed = Some(failure::timed_out(address, "connect to").into()),
        }
    }
    Err(failed.unwrap_or_else(|| Error::internal("a database without a host").into()))
}

async fn ask_mysql(
    connection: &mut mysql_async::Conn,
    address: &Address,
    sql: &str,
    rows: &mut Answers,
    mut handover: Handover<'_>,
) -> Result<bool, Failure> {
    let mut answer =
        connection.query_iter(sql).await.map_err(|error| failure::mysql(address, &error))?;
    // What fails from here on is not the statement's fault.
    let failed = |error| failure::mysql(address, &error).into_error();
    while let Some(row) = answer.next().await.map_err(failed)? {
        if handover.skips() {
            continue;
        }
        let cell = |column| match row.as_ref(column) {
            Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
            // All values of this protocol are texts.
            _ => None,
        };
        rows.push(cell).map_err(|problem| failure::misfit(address, &problem))?;
        if !handover.advance(address, rows).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
