//! Connections to addresses that were checked.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::report::{Failure, Reason, What};
use super::trace::Trace;

/// Connects to the first of these addresses that lets it.
pub(super) async fn connect(
    trace: &mut Trace<'_>,
    place: &str,
    addresses: &[SocketAddr],
) -> Result<TcpStream, Failure> {
    let share = trace.left() / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let work = async {
        let mut last = None;
        for address in addresses {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok((stream, format!("{address}"))),
                Ok(Err(error)) => last = Some(refused(place, &error)),
                // With one address the whole of the time is over, and the step says so.
                Err(_) => {
                    last = Some(Failure::new(
                        Reason::Timeout,
                        format!("{place} was not reached within {} s", share.as_secs_f64()),
                        "mend host and port, or open the way in the firewalls between the workers and it",
                    ))
                }
            }
        }
        Err(last.unwrap_or_else(|| {
            Failure::new(Reason::Dns, format!("{place} has no address"), "mend the host name")
        }))
    };
    trace.step(What::Connect, place, work).await
}

/// Why there is no connection.
pub(super) fn refused(place: &str, error: &io::Error) -> Failure {
    let (reason, what, help) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            Reason::Refused,
            "refuses the connection: nothing listens there",
            "start the server, or mend host and port",
        ),
        io::ErrorKind::TimedOut => (
            Reason::Timeout,
            "does not answer",
            "mend host and port, or open the way in the firewalls between the workers and it",
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => (
            Reason::Refused,
            "cannot be reached from here",
            "mend the host, or the network between the workers and it",
        ),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => (
            Reason::Protocol,
            "closes the connection",
            "see that it is the right kind of server, whether it wants TLS, and what its log says",
        ),
        _ => (Reason::Refused, "cannot be connected to", "mend host and port"),
    };
    Failure::new(reason, format!("{place} {what} ({error})"), help)
}
