//! The proxy between a plain client and a store that answers what it was asked.

use std::io::{Read, Write};
use std::net::TcpStream as Client;

use super::*;

/// A store that answers with the request's own head in upper-case letters of its method, path and host, and body.
fn store() -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![0; 4_096];
            let mut length = 0;
            while !bytes[..length].windows(4).any(|end| end == b"\r\n\r\n") {
                length += stream.read(&mut bytes[length..]).unwrap();
            }
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let first = text.lines().next().unwrap();
            let host = text.lines().find(|line| line.to_lowercase().starts_with("host:")).unwrap();
            let body = format!("{first}|{host}");
            let body = if first.starts_with("HEAD") { String::new() } else { body };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len().max(7)
            )
            .unwrap();
        }
    });
    port
}

fn ask(proxy: &Proxy, head: &str) -> std::io::Result<String> {
    let mut stream = Client::connect(proxy.address).unwrap();
    write!(stream, "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            // The proxy resets connections also behind a whole answer.
            Err(_) if !bytes.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn proxy(rates: &str) -> Proxy {
    let proxy = Proxy::start(store(), 1, rates.parse().unwrap()).unwrap();
    proxy.trouble(true);
    proxy
}

#[test]
fn faults_come_only_while_they_are_on() {
    let proxy = proxy("reset=100");
    proxy.trouble(false);
    assert!(ask(&proxy, "GET /b/k").unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(proxy.counts(), Counts::default());
}

#[test]
fn without_faults_requests_and_answers_pass_unchanged() {
    let proxy = proxy("");
    let answer = ask(&proxy, "GET /bucket/a%2Fb?list-type=2&prefix=x%20y").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("GET /bucket/a%2Fb?list-type=2&prefix=x%20y HTTP/1.1|"), "{answer}");
    assert!(answer.to_lowercase().contains(&format!("|host: {}", proxy.address)), "{answer}");
    let answer = ask(&proxy, "HEAD /bucket/key").unwrap();
    assert!(answer.to_lowercase().contains("content-length: 7"), "{answer}");
    assert_eq!(proxy.counts(), Counts { requests: 2, ..Counts::default() });
}

#[test]
fn refusals_are_answers_and_resets_are_none() {
    let refusing = proxy("slow-down=100");
    assert!(ask(&refusing, "GET /b/k").unwrap().contains("<Code>SlowDown</Code>"));
    assert!(ask(&proxy("unavailable=100"), "GET /b/k").unwrap().starts_with("HTTP/1.1 503"));
    let resetting = proxy("reset=100");
    assert!(
        ask(&resetting, "GET /b/k").is_err() || ask(&resetting, "GET /b/k").unwrap().is_empty()
    );
    assert!(resetting.counts().reset > 0);
}

#[test]
fn objects_are_corrupted_and_lists_are_not() {
    let proxy = proxy("corrupt=100");
    let list = ask(&proxy, "GET /bucket?list-type=2").unwrap();
    assert!(list.contains("GET /bucket?list-type=2 HTTP/1.1|"), "{list}");
    let object = ask(&proxy, "GET /bucket/key").unwrap();
    let body = object.split_once("\r\n\r\n").unwrap().1.to_lowercase();
    assert_ne!(body, format!("get /bucket/key http/1.1|host: {}", proxy.address));
    assert_eq!(proxy.counts().corrupt, 1);
}
