//! Oracle's listener: asks it for the service, in the first message of its protocol (TNS). Logging in would take the
//! whole protocol, for which there is no library that is kept.

use std::io;

use tidegate_connector_spec::data_source::Parameters;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Result, invalid};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::trace::Trace;
use crate::probe::{address, tcp};

const CONNECT: u8 = 1;
const ACCEPT: u8 = 2;
const REFUSE: u8 = 4;
const REDIRECT: u8 = 5;
const RESEND: u8 = 11;

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 8192;
/// Bytes in front of what a message says.
const HEADER: usize = 8;
/// Bytes in front of the connect data of a connect message.
const BEFORE_DATA: usize = 58;

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let host = parameters.required("host").map_err(invalid)?;
    let port = parameters.port().map_err(invalid)?;
    let (place, service) = (format!("{host}:{port}"), service(parameters));
    let addresses = address::resolve(trace, host, port).await?;
    let mut stream = tcp::connect(trace, &place, &addresses).await?;
    let message = connect_message(host, port, &service);
    let work = async {
        // A listener that is busy asks to be told again.
        for _ in 0..3 {
            let answer = ask(&mut stream, &message).await;
            let (kind, body) = answer.map_err(|error| tcp::refused(&place, &error))?;
            match kind {
                ACCEPT | REDIRECT => {
                    let detail =
                        format!("the listener at {place} has {service}; the login is not tested");
                    return Ok(((), detail));
                }
                REFUSE => return Err(refusal(&place, &service, &body)),
                RESEND => {}
                other => {
                    let said = format!("a message of type {other}");
                    return Err(Failure::protocol(
                        &place,
                        &said,
                        "see that it is Oracle's listener",
                    ));
                }
            }
        }
        Err(Failure::protocol(
            &place,
            "it asks again and again",
            "see what the listener's log says",
        ))
    };
    trace.step(What::OpenDatabase, &place, work).await
}

/// How the service is named in connect data.
fn service(parameters: &Parameters<'_>) -> String {
    match (parameters.text("service-name"), parameters.text("sid")) {
        (Some(name), _) => format!("SERVICE_NAME={name}"),
        (None, sid) => format!("SID={}", sid.unwrap_or_default()),
    }
}

fn connect_message(host: &str, port: u16, service: &str) -> Vec<u8> {
    let plain: String = service.chars().filter(|c| !matches!(c, '(' | ')')).collect();
    let data = format!(
        "(DESCRIPTION=(CONNECT_DATA=({plain})(CID=(PROGRAM=tidegate)(HOST=tidegate)(USER=tidegate)))\
         (ADDRESS=(PROTOCOL=TCP)(HOST={host})(PORT={port})))"
    );
    let length = BEFORE_DATA + data.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    message.extend([0, 0, CONNECT, 0, 0, 0]);
    // Version 314, compatible down to 300; no options; sizes of units.
    for number in [314_u16, 300, 0, 8192, 32_767, 0x8620, 0, 1] {
        message.extend(number.to_be_bytes());
    }
    message.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(u16::try_from(BEFORE_DATA).unwrap_or_default().to_be_bytes());
    message.extend(512_u32.to_be_bytes());
    message.extend([0x41, 0x41]);
    message.resize(BEFORE_DATA, 0);
    message.extend(data.as_bytes());
    message
}

/// Sends a message; the type of the answer, and what it says.
async fn ask(stream: &mut tokio::net::TcpStream, message: &[u8]) -> io::Result<(u8, Vec<u8>)> {
    stream.write_all(message).await?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let length = usize::from(u16::from_be_bytes([header[0], header[1]]));
    let rest = length.saturating_sub(HEADER).min(MAX_ANSWER);
    let mut body = vec![0; rest];
    stream.read_exact(&mut body).await?;
    Ok((header[4], body))
}

/// What the listener refuses with: its errors are numbers in the text.
fn refusal(place: &str, service: &str, body: &[u8]) -> Failure {
    let text: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).collect();
    let number = text
        .split("(ERR=")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .filter(|number| *number != "0")
        .or_else(|| text.split("(CODE=").nth(1).and_then(|rest| rest.split(')').next()));
    let number = number.unwrap_or("?");
    let (reason, why, help) = match number {
        "12514" => (
            Reason::MissingDatabase,
            "does not know the service",
            "mend 'service-name', or let the database register with the listener",
        ),
        "12505" => {
            (Reason::MissingDatabase, "does not know the SID", "mend 'sid', or use 'service-name'")
        }
        "12516" | "12518" | "12519" | "12520" | "12528" | "12526" => (
            Reason::Protocol,
            "has no instance that takes connections now",
            "start the database, or raise its number of processes",
        ),
        "1189" | "12547" | "12560" => (
            Reason::Permission,
            "does not let this client in",
            "see 'tcp.validnode_checking' of the listener",
        ),
        _ => (Reason::Protocol, "refuses the connection", "see what the listener's log says"),
    };
    let message = format!("the listener at {place} {why} ({service}, ORA-{number})");
    Failure::new(reason, message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_its_lengths_where_they_belong() {
        let message = connect_message("db", 1521, "SERVICE_NAME=SH(OP)");
        let number = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
        assert_eq!(number(0), message.len());
        assert_eq!(message[4], CONNECT);
        assert_eq!(number(24) + number(26), message.len());
        assert_eq!(number(26), BEFORE_DATA);
        let data = String::from_utf8_lossy(&message[BEFORE_DATA..]);
        assert!(data.starts_with("(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=SHOP)"), "{data}");
    }

    #[test]
    fn listeners_say_what_they_lack() {
        let said = b"\x22\x00\x00W(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))";
        let failure = refusal("db:1521", "SERVICE_NAME=X", said);
        assert_eq!(failure.reason, Reason::MissingDatabase);
        assert!(failure.message.contains("ORA-12514") && failure.message.contains("db:1521"));
        let failure = refusal("db:1521", "SID=X", b"(ERR=12505)");
        assert_eq!(failure.reason, Reason::MissingDatabase);
        assert_eq!(refusal("db:1521", "SID=X", b"what").reason, Reason::Protocol);
    }
}
