//! FTP servers, with TLS or without.

use std::sync::Arc;
use std::time::Duration;

use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream};
use suppaftp::types::Response;
use suppaftp::{FtpError, Mode, Status};
use tidegate_connector_spec::data_source::Parameters;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Result, invalid};
use crate::probe::import::{Entry, Listing, Page};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::tls::{self, Verification};
use crate::probe::trace::Trace;
use crate::probe::{address, tcp};

/// Longest listing that is read, in bytes.
const MAX_LISTING: u64 = 1 << 20;
/// How long a server may take to open a data connection.
const DATA_CONNECTION: Duration = Duration::from_secs(10);

/// A connection on which somebody has logged in.
struct Session {
    stream: AsyncRustlsFtpStream,
    place: String,
}

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let mut session = open(trace, parameters).await?;
    names(trace, &mut session, None).await?;
    let _ = tokio::time::timeout(Duration::from_secs(1), session.stream.quit()).await;
    Ok(())
}

async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<Session> {
    let host = parameters.required("host").map_err(invalid)?;
    let port = parameters.port().map_err(invalid)?;
    let place = format!("{host}:{port}");
    let addresses = address::resolve(trace, host, port).await?;
    let control = tcp::connect(trace, &place, &addresses).await?;
    let peer = control.peer_addr().map_err(|error| tcp::refused(&place, &error))?;
    let mode = parameters.text("tls-mode").unwrap_or("disable").to_ascii_lowercase();
    let connector = || -> Result<AsyncRustlsConnector> {
        let authorities = parameters.text("ca-certificate");
        let settings = tls::settings(Verification::Full, authorities, None)?;
        Ok(AsyncRustlsConnector::from(TlsConnector::from(Arc::new(settings))))
    };
    let stream = if mode == "implicit" {
        // The library makes this connection itself, to the address that was checked.
        drop(control);
        let connector = connector()?;
        let work = async {
            let opened = AsyncRustlsFtpStream::connect_secure_implicit(peer, connector, host).await;
            Ok((opened.map_err(|error| failed(&place, "", &error))?, place.clone()))
        };
        trace.step(What::Tls, &place, work).await?
    } else {
        let work = async {
            let opened = AsyncRustlsFtpStream::connect_with_stream(control).await;
            let opened = opened.map_err(|error| failed(&place, "", &error))?;
            let greeting = opened.get_welcome_msg().unwrap_or_default().to_owned();
            Ok((opened, greeting))
        };
        let opened = trace.step(What::Ask, &place, work).await?;
        if mode == "explicit" {
            let connector = connector()?;
            let work = async {
                let secured = opened.into_secure(connector, host).await;
                Ok((secured.map_err(|error| no_tls(&place, &error))?, place.clone()))
            };
            trace.step(What::Tls, &place, work).await?
        } else {
            opened
        }
    };
    // Whatever address the server names for data, it is the server itself that is connected to.
    let mut stream = stream.passive_stream_builder(move |named| {
        Box::pin(async move {
            let target = std::net::SocketAddr::new(peer.ip(), named.port());
            TcpStream::connect(target).await.map_err(FtpError::ConnectionError)
        })
    });
    if parameters.boolean("passive") {
        let extended = peer.is_ipv6();
        stream.set_mode(if extended { Mode::ExtendedPassive } else { Mode::Passive });
    } else {
        stream = stream.active_mode(DATA_CONNECTION);
    }
    let mut session = Session { stream, place };
    log_in(trace, parameters, &mut session).await?;
    Ok(session)
}

/// Logs in, and enters the folder.
async fn log_in(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    session: &mut Session,
) -> Result<()> {
    let (place, stream) = (session.place.clone(), &mut session.stream);
    let user = parameters.text("username").unwrap_or("anonymous");
    let password = parameters.text("password").unwrap_or("anonymous@");
    let work = async {
        let logged_in = stream.login(user, password).await;
        logged_in.map_err(|error| failed(&place, user, &error))?;
        Ok(((), format!("{user} at {place}")))
    };
    trace.step(What::Authenticate, &place, work).await?;
    let folder = parameters.text("folder").unwrap_or("/");
    let work = async {
        stream.cwd(folder).await.map_err(|error| match error {
            FtpError::UnexpectedResponse(answer) if answer.status == Status::FileUnavailable => {
                Failure::new(
                    Reason::MissingDatabase,
                    format!("{place} has no folder '{folder}' for '{user}': {}", said(&answer)),
                    "mend 'folder', or let the user enter it",
                )
            }
            other => failed(&place, user, &other),
        })?;
        Ok(((), format!("folder {folder}")))
    };
    trace.step(What::OpenDatabase, &place, work).await
}

/// The names in the folder.
async fn names(
    trace: &mut Trace<'_>,
    session: &mut Session,
    prefix: Option<&str>,
) -> Result<Vec<Entry>> {
    let (place, stream) = (session.place.clone(), &mut session.stream);
    let command = match prefix.and_then(|prefix| prefix.rsplit_once('/')) {
        Some((folder, _)) => format!("NLST {folder}"),
        None => "NLST".to_owned(),
    };
    let work = async {
        let expected = [Status::AboutToSend, Status::AlreadyOpen];
        let opened = stream.custom_data_command(command, &expected).await;
        let data = match opened {
            Ok((_, data)) => data,
            // Many servers say so of a folder without files.
            Err(FtpError::UnexpectedResponse(answer))
                if answer.status == Status::FileUnavailable =>
            {
                return Ok((Vec::new(), "0 names".to_owned()));
            }
            Err(error) => return Err(no_data(&place, &error)),
        };
        let mut text = Vec::new();
        let read = data.take(MAX_LISTING).read_to_end(&mut text).await;
        read.map_err(|error| no_data(&place, &FtpError::ConnectionError(error)))?;
        let text = String::from_utf8_lossy(&text);
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        let names: Vec<Entry> =
            names.map(|name| Entry::named(name.trim_start_matches("./"))).collect();
        let detail = format!("{} names", names.len());
        Ok((names, detail))
    };
    trace.step(What::List, &place, work).await
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    page: &Page,
) -> Result<Listing> {
    let mut session = open(trace, parameters).await?;
    let found = names(trace, &mut session, page.prefix.as_deref()).await?;
    Ok(page.of(false, found))
}

fn said(answer: &Response) -> String {
    String::from_utf8_lossy(&answer.body).trim().to_owned()
}

fn failed(place: &str, user: &str, error: &FtpError) -> Failure {
    match error {
        FtpError::ConnectionError(error) => tcp::refused(place, error),
        FtpError::SecureError(said) => Failure::new(
            Reason::Tls,
            format!("TLS with {place} fails: {said}"),
            "mend 'tls-mode' and 'ca-certificate'",
        ),
        FtpError::UnexpectedResponse(answer) => match answer.status {
            Status::NotLoggedIn | Status::InvalidCredentials => {
                Failure::refused_login(place, user, &said(answer))
            }
            _ if said(answer).contains("TLS") || said(answer).contains("SSL") => Failure::new(
                Reason::Tls,
                format!("{place} wants TLS: {}", said(answer)),
                "set 'tls-mode' to explicit",
            ),
            status => {
                let text = format!("{} {}", status.code(), said(answer));
                Failure::protocol(place, &text, "see what the server's log says")
            }
        },
        other => Failure::protocol(place, &other.to_string(), "see that it is an FTP server"),
    }
}

fn no_tls(place: &str, error: &FtpError) -> Failure {
    match error {
        FtpError::UnexpectedResponse(answer) => Failure::new(
            Reason::Tls,
            format!("{place} has no TLS: {}", said(answer)),
            "switch TLS on in the server, or set 'tls-mode' to disable where the network is trusted",
        ),
        other => failed(place, "", other),
    }
}

fn no_data(place: &str, error: &FtpError) -> Failure {
    let failure = failed(place, "", error);
    match failure.reason {
        Reason::Refused | Reason::Timeout => Failure {
            message: format!("the data connection with {place} does not come about: {}", failure.message),
            help: "open the server's ports for passive connections in the firewalls, or change 'passive'".to_owned(),
            ..failure
        },
        _ => failure,
    }
}
