//! Questions to a server in its own protocol, over plain TCP: an open port alone says little.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Longest wait for any one step.
const LIMIT: Duration = Duration::from_secs(5);

/// Largest answer that is read.
const LARGEST: usize = 1 << 20;

const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, LIMIT)
        .with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(LIMIT)).context("set a time limit")?;
    stream.set_write_timeout(Some(LIMIT)).context("set a time limit")?;
    Ok(stream)
}

/// Status code and body of an unsigned `GET`.
pub(crate) fn http_get(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = connect(port)?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).context("send the request")?;
    let mut bytes = Vec::new();
    stream.take(LARGEST as u64).read_to_end(&mut bytes).context("read the answer")?;
    parse_http(&String::from_utf8_lossy(&bytes))
}

/// Says something, and returns the first line of the answer.
pub(crate) fn line(port: u16, say: &str) -> Result<String> {
    let mut stream = connect(port)?;
    stream.write_all(say.as_bytes()).context("send the question")?;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < 1000 && stream.read(&mut byte).context("read the answer")? == 1 {
        if byte == *b"\n" {
            break;
        }
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

/// Calls a method without arguments of a Thrift service in the binary protocol; any answer to it will do.
pub(crate) fn thrift_call(port: u16, method: &str) -> Result<()> {
    const CALL: u32 = 0x8001_0001;
    const REPLY: u32 = 0x8001_0002;
    let mut question = CALL.to_be_bytes().to_vec();
    question.extend(u32::try_from(method.len()).context("a method's name is short")?.to_be_bytes());
    question.extend(method.as_bytes());
    // The call's number, and the end of its arguments.
    question.extend([0, 0, 0, 1, 0]);
    let mut stream = connect(port)?;
    stream.write_all(&question).context("send the question")?;
    let mut kind = [0_u8; 4];
    stream.read_exact(&mut kind).context("read the answer")?;
    ensure!(u32::from_be_bytes(kind) == REPLY, "{method} is not answered with a result");
    Ok(())
}

fn parse_http(answer: &str) -> Result<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status.and_then(|code| code.parse().ok()).context("the answer is not HTTP")?;
    Ok((status, body.to_owned()))
}

/// Asks a Kafka listener for its API versions, which it answers before any log-in.
pub(crate) fn kafka_api_versions(port: u16) -> Result<()> {
    let answer = kafka_request(port, API_VERSIONS, 0, &[])?;
    let mut fields = Fields(&answer);
    let error = fields.i16()?;
    ensure!(error == 0, "the broker answers the question for API versions with error {error}");
    let count = fields.i32()?;
    ensure!(count > 0, "the broker says that it knows no API");
    Ok(())
}

/// Asks for the cluster's metadata without topics; returns how many brokers are registered and ready.
pub(crate) fn kafka_brokers(port: u16) -> Result<i32> {
    let no_topics = 0_i32.to_be_bytes();
    let answer = kafka_request(port, METADATA, 1, &no_topics)?;
    Fields(&answer).i32()
}

/// Asks how many records the partitions of a topic have received, all together.
pub(crate) fn kafka_records(port: u16, topic: &str, partitions: u32) -> Result<u64> {
    const NO_REPLICA: i32 = -1;
    const LATEST: i64 = -1;
    let mut question = Vec::new();
    question.extend(NO_REPLICA.to_be_bytes());
    question.extend(1_i32.to_be_bytes());
    question.extend(i16::try_from(topic.len()).context("a topic's name is short")?.to_be_bytes());
    question.extend(topic.as_bytes());
    question.extend(partitions.to_be_bytes());
    for partition in 0..partitions {
        question.extend(partition.to_be_bytes());
        question.extend(LATEST.to_be_bytes());
    }
    let answer = kafka_request(port, LIST_OFFSETS, 1, &question)?;
    let mut fields = Fields(&answer);
    ensure!(fields.i32()? == 1, "the broker answers for another number of topics");
    fields.skip_text()?;
    let mut records = 0;
    for _ in 0..fields.i32()? {
        let (partition, error) = (fields.i32()?, fields.i16()?);
        ensure!(error == 0, "the broker has error {error} for {topic}, partition {partition}");
        let _timestamp = fields.i64()?;
        records += u64::try_from(fields.i64()?).context("an offset is never negative")?;
    }
    Ok(records)
}

/// One request with header version 1; returns the answer after its correlation id.
fn kafka_request(port: u16, api: i16, version: i16, body: &[u8]) -> Result<Vec<u8>> {
    const CORRELATION: i32 = 0x71DE;
    const CLIENT: &[u8] = b"xtask";
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(CORRELATION.to_be_bytes());
    request.extend(i16::try_from(CLIENT.len()).expect("a short name").to_be_bytes());
    request.extend(CLIENT);
    request.extend(body);
    let mut stream = connect(port)?;
    let length = u32::try_from(request.len()).expect("a short request");
    stream.write_all(&length.to_be_bytes()).context("send the request")?;
    stream.write_all(&request).context("send the request")?;
    let mut length = [0_u8; 4];
    stream.read_exact(&mut length).context("read the answer")?;
    let length = u32::from_be_bytes(length) as usize;
    ensure!((4..=LARGEST).contains(&length), "an answer of {length} bytes is not Kafka's");
    let mut answer = vec![0_u8; length];
    stream.read_exact(&mut answer).context("read the answer")?;
    let mut fields = Fields(&answer);
    if fields.i32()? != CORRELATION {
        bail!("the answer belongs to another request");
    }
    Ok(fields.0.to_vec())
}

/// Reads big-endian fields off the front of an answer.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>().context("the answer is cut short")?;
        self.0 = rest;
        Ok(*field)
    }

    fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    fn skip_text(&mut self) -> Result<()> {
        let length = usize::try_from(self.i16()?).context("a text is missing")?;
        self.0 = self.0.get(length..).context("the answer is cut short")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn http_answers_and_other_ones() {
        let answer = "HTTP/1.1 403 Forbidden\r\nServer: x\r\n\r\n<Error/>";
        assert_eq!(parse_http(answer).unwrap(), (403, "<Error/>".to_owned()));
        assert!(parse_http("220 ftp ready\r\n\r\n").is_err());
        assert!(parse_http("").is_err());
    }

    /// A listener that answers one request with these bytes.
    fn answering(answer: Vec<u8>) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0_u8; 4];
            stream.read_exact(&mut length).unwrap();
            let mut request = vec![0_u8; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&answer).unwrap();
        });
        port
    }

    fn framed(fields: &[u8]) -> Vec<u8> {
        let body = [&0x71DE_i32.to_be_bytes(), fields].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), body.as_slice()].concat()
    }

    #[test]
    fn a_broker_that_knows_apis_passes() {
        let fields = [&0_i16.to_be_bytes()[..], &1_i32.to_be_bytes(), &[0; 6]].concat();
        kafka_api_versions(answering(framed(&fields))).unwrap();
    }

    #[test]
    fn errors_short_answers_and_other_protocols_fail() {
        let refused = framed(&35_i16.to_be_bytes());
        let error = kafka_api_versions(answering(refused)).unwrap_err().to_string();
        assert!(error.contains("error 35"), "{error}");
        assert!(kafka_api_versions(answering(framed(&[0]))).is_err());
        assert!(
            kafka_api_versions(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).is_err()
        );
    }

    #[test]
    fn the_records_of_all_partitions_are_counted() {
        let partition = |number: i32, error: i16, offset: i64| {
            [
                &number.to_be_bytes()[..],
                &error.to_be_bytes(),
                &(-1_i64).to_be_bytes(),
                &offset.to_be_bytes(),
            ]
            .concat()
        };
        let topic = [&1_i32.to_be_bytes()[..], &1_i16.to_be_bytes(), b"t"].concat();
        let count = 2_i32.to_be_bytes();
        let fields = [&topic[..], &count, &partition(0, 0, 40), &partition(1, 0, 2)].concat();
        assert_eq!(kafka_records(answering(framed(&fields)), "t", 2).unwrap(), 42);
        let fields = [&topic[..], &count, &partition(0, 0, 40), &partition(1, 3, -1)].concat();
        let error = kafka_records(answering(framed(&fields)), "t", 2).unwrap_err().to_string();
        assert!(error.contains("error 3 for t, partition 1"), "{error}");
    }

    #[test]
    fn brokers_are_counted() {
        assert_eq!(kafka_brokers(answering(framed(&1_i32.to_be_bytes()))).unwrap(), 1);
    }
}
