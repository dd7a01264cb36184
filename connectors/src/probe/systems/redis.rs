//! Redis, a server or one of a cluster.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisError};
use tidegate_connector_spec::data_source::Parameters;
use tidegate_runtime::task::{Task, spawn};

use super::{Result, invalid};
use crate::probe::import::{Entry, Listing, Page};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::tls::{self, Verification};
use crate::probe::trace::Trace;
use crate::probe::{address, tcp};

/// Most steps of a scan over the keys.
const MOST_SCANS: usize = 100;

/// A connection, with the task that moves its bytes.
struct Session {
    connection: MultiplexedConnection,
    place: String,
    _task: Task<()>,
}

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    open(trace, parameters).await.map(drop)
}

async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<Session> {
    let host = parameters.required("host").map_err(invalid)?;
    let port = parameters.port().map_err(invalid)?;
    let place = format!("{host}:{port}");
    let addresses = address::resolve(trace, host, port).await?;
    let stream = tcp::connect(trace, &place, &addresses).await?;
    let info =
        RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
    let mode = parameters.text("tls-mode").unwrap_or("disable");
    let wrong = |error: RedisError| failed(&place, parameters, &error);
    let (connection, task) = match Verification::of_mode(mode) {
        None => {
            let (connection, driver) =
                MultiplexedConnection::new_with_config(&info, stream, config())
                    .await
                    .map_err(wrong)?;
            (connection, spawn("probe connection", driver))
        }
        Some(verification) => {
            let settings = tls::settings(verification, parameters.text("ca-certificate"), None)?;
            let stream = tls::begin(trace, &place, host, &settings, stream).await?;
            let (connection, driver) =
                MultiplexedConnection::new_with_config(&info, stream, config())
                    .await
                    .map_err(wrong)?;
            (connection, spawn("probe connection", driver))
        }
    };
    let mut session = Session { connection, place, _task: task };
    log_in(trace, parameters, &mut session).await?;
    select(trace, parameters, &mut session).await?;
    Ok(session)
}

/// Time is bounded by the steps.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None)
}

/// Says who asks, and sees that questions are answered.
async fn log_in(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    session: &mut Session,
) -> Result<()> {
    let (place, connection) = (session.place.clone(), &mut session.connection);
    let password = parameters.text("password");
    let what = if password.is_some() { What::Authenticate } else { What::Ask };
    let work = async {
        let wrong = |error: RedisError| failed(&place, parameters, &error);
        if let Some(password) = password {
            let mut auth = redis::cmd("AUTH");
            parameters.text("username").map(|user| auth.arg(user));
            auth.arg(password);
            auth.query_async::<String>(connection).await.map_err(wrong)?;
        }
        let answer = redis::cmd("PING").query_async::<String>(connection).await.map_err(wrong)?;
        if answer != "PONG" {
            return Err(Failure::protocol(&place, "it is no Redis", "mend host and port"));
        }
        Ok(((), place.clone()))
    };
    trace.step(what, &place, work).await
}

/// Selects the database, or sees that the cluster is whole.
async fn select(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    session: &mut Session,
) -> Result<()> {
    let (place, connection) = (session.place.clone(), &mut session.connection);
    let work = async {
        let wrong = |error: RedisError| failed(&place, parameters, &error);
        if parameters.boolean("cluster") {
            let mut info = redis::cmd("CLUSTER");
            let answer = info.arg("INFO").query_async::<String>(connection).await;
            let answer = answer.map_err(wrong)?;
            let field = |name: &str| {
                let line = answer.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or("?").trim().to_owned()
            };
            let state = field("cluster_state:");
            if state != "ok" {
                let said = format!("its cluster is in the state '{state}'");
                return Err(Failure::protocol(&place, &said, "let every slot have a server"));
            }
            return Ok(((), format!("cluster of {} servers", field("cluster_known_nodes:"))));
        }
        let database = parameters.text("database").unwrap_or("0");
        let mut select = redis::cmd("SELECT");
        select.arg(database).query_async::<String>(connection).await.map_err(|error| {
            if error.to_string().contains("out of range") {
                let help = "mend 'database', or raise 'databases' of the server";
                let message = format!("{place} has no database number {database}");
                return Failure::new(Reason::MissingDatabase, message, help);
            }
            wrong(error)
        })?;
        // A server of a cluster has only part of the keys.
        let answer = redis::cmd("INFO").arg("cluster").query_async::<String>(connection).await;
        if answer.is_ok_and(|answer| answer.contains("cluster_enabled:1")) {
            let said = "it is one of a cluster";
            return Err(Failure::protocol(&place, said, "set 'cluster' to true"));
        }
        Ok(((), format!("database {database}")))
    };
    trace.step(What::OpenDatabase, &place, work).await
}

fn failed(place: &str, parameters: &Parameters<'_>, error: &RedisError) -> Failure {
    let user = parameters.text("username").unwrap_or("default");
    let (code, said) = (error.code().unwrap_or_default().to_owned(), error.to_string());
    let has = |sign: &str| code == sign || said.contains(sign);
    if has("WRONGPASS") || has("NOAUTH") || has("invalid password") || has("without any password") {
        return Failure::refused_login(place, user, &said);
    }
    if has("NOPERM") {
        let message = format!("'{user}' may not do that at {place}: {said}");
        return Failure::new(Reason::Permission, message, "mend the user's rules (ACL SETUSER)");
    }
    if said.contains("cluster support disabled") {
        let said = "it is not in a cluster";
        return Failure::protocol(place, said, "set 'cluster' to false");
    }
    if error.kind() == ErrorKind::Io {
        let help = "see that it is Redis, and whether it wants TLS ('tls-mode')";
        return Failure::protocol(place, &said, help);
    }
    Failure::protocol(place, &said, "see what the server's log says")
}

/// Beginnings of keys, up to the first `:`.
pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    page: &Page,
) -> Result<Listing> {
    let mut session = open(trace, parameters).await?;
    let place = session.place.clone();
    let work = async {
        let (mut cursor, mut names) = (0_u64, std::collections::BTreeSet::new());
        for _ in 0..MOST_SCANS {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(1000);
            let answer = scan.query_async::<(u64, Vec<Vec<u8>>)>(&mut session.connection).await;
            let (next, keys) = answer.map_err(|error| failed(&place, parameters, &error))?;
            names.extend(keys.iter().map(|key| {
                let key = String::from_utf8_lossy(key);
                key.split_once(':').map_or(key.to_string(), |(first, _)| format!("{first}:"))
            }));
            cursor = next;
            if cursor == 0 || names.len() > crate::probe::import::MAX_PAGE * 10 {
                break;
            }
        }
        let detail = format!("{} beginnings of keys", names.len());
        Ok((page.of(false, names.into_iter().map(Entry::named).collect()), detail))
    };
    trace.step(What::List, &place, work).await
}
