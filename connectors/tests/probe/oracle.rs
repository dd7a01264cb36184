//! Oracle's listener, by a stand-in that answers as listeners do: there is no server to be had.

use tidegate_connectors::probe::{Reason, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::source::Source;

/// A listener that answers each connect message with these; the port, and what it was asked.
async fn listener(
    answers: &'static [(u8, &'static str)],
) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = String::new();
        for (kind, text) in answers {
            let mut head = [0; 2];
            stream.read_exact(&mut head).await.unwrap();
            let mut rest = vec![0; usize::from(u16::from_be_bytes(head)) - 2];
            stream.read_exact(&mut rest).await.unwrap();
            asked = String::from_utf8_lossy(&rest).into_owned();
            let length = u16::try_from(8 + text.len()).unwrap().to_be_bytes();
            stream.write_all(&[length[0], length[1], 0, 0, *kind, 0, 0, 0]).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        asked
    });
    (port, task)
}

fn oracle(port: &str) -> Source {
    Source::new(
        "oracle",
        &[
            ("host", "127.0.0.1"),
            ("port", port),
            ("service-name", "SHOP"),
            ("username", "me"),
            ("password", "canary-4711"),
        ],
    )
}

#[tokio::test]
async fn c1_oracle_asks_the_listener_for_the_service() {
    let (port, asked) = listener(&[(11, ""), (2, "accepted")]).await;
    let report = oracle(&port).passes(&[What::Resolve, What::Connect, What::OpenDatabase]).await;
    assert!(report.steps[2].detail.contains("login is not tested"), "{report:#?}");
    assert!(asked.await.unwrap().contains("(CONNECT_DATA=(SERVICE_NAME=SHOP)"));
}

#[tokio::test]
async fn c2_oracle_names_services_that_the_listener_does_not_know() {
    let refusal = "(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))";
    let answers = Box::leak(Box::new([(4, refusal)]));
    let (port, _) = listener(answers).await;
    oracle(&port)
        .fails(What::OpenDatabase, Reason::MissingDatabase, &["ORA-12514", "SERVICE_NAME=SHOP"])
        .await;
    let (port, _) = listener(&[(9, "what")]).await;
    oracle(&port).fails(What::OpenDatabase, Reason::Protocol, &["type 9"]).await;
}
