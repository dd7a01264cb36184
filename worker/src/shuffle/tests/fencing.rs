//! Which calls are let in.

use tidegate_types::{Error, ErrorCode};

use super::*;

async fn workers() -> (Worker, Worker) {
    let options = ShuffleOptions {
        deployment_timeout: Duration::from_millis(700),
        ..ShuffleOptions::default()
    };
    (Worker::start("w1", options.clone()).await, Worker::start("w2", options).await)
}

/// What a sender of the run fails with.
async fn refusal(mut sending: Sending) -> Error {
    send(&mut sending.sender(0), Element::Idle).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_token_is_refused() {
    let (from, to) = workers().await;
    let _reading = to.read_from(&from, key(1), 1, schema()).unwrap();
    let wrong = RunKey { token: Token::new("open"), ..key(1) };
    let error = refusal(from.send_to(&to, wrong, 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
    assert!(!error.message().contains("open") && !error.message().contains("sesame"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_run_is_refused_and_ended() {
    let (from, to) = workers().await;
    let mut old = to.read_from(&from, key(1), 1, schema()).unwrap();
    let mut sending = from.send_to(&to, key(1), 1, schema()).unwrap();
    let (mut sender, mut receiver) = (sending.sender(0), old.receiver(0));
    send(&mut sender, Element::Idle).await.unwrap();
    assert!(matches!(next(&mut receiver).await, Ok(Element::Idle)));

    let _new = to.read_from(&from, key(2), 1, schema()).unwrap();
    assert_eq!(next(&mut receiver).await.unwrap_err().code(), ErrorCode::Fenced);
    let error = loop {
        if let Err(error) = send(&mut sender, Element::Idle).await {
            break error;
        }
    };
    assert_eq!(error.code(), ErrorCode::Fenced);
    // A zombie dials with what it was deployed with.
    let zombie = Worker::start("w1", ShuffleOptions::default()).await;
    let error = refusal(zombie.send_to(&to, key(1), 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::Fenced);
    // And an older run cannot be opened again, nor the same one twice.
    for attempt in [1, 2] {
        let again = to.read_from(&from, key(attempt), 1, schema());
        assert_eq!(again.err().unwrap().code(), ErrorCode::Fenced);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_over_is_refused() {
    let (from, to) = workers().await;
    drop(to.read_from(&from, key(1), 1, schema()).unwrap());
    let error = refusal(from.send_to(&to, key(1), 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::Fenced);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_its_run_to_be_deployed() {
    let (from, to) = workers().await;
    let mut sending = from.send_to(&to, key(3), 1, schema()).unwrap();
    let mut sender = sending.sender(0);
    let sending_early = tidegate_runtime::spawn("early", async move {
        send(&mut sender, Element::Batch(rows(0, 5, 1))).await.unwrap();
        send(&mut sender, Element::End).await.unwrap();
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut reading = to.read_from(&from, key(3), 1, schema()).unwrap();
    assert_eq!(read_all(&mut reading.receiver(0)).await.len(), 2);
    sending_early.await.unwrap();

    let never = RunKey { job: JobId::from_name("never"), ..key(1) };
    let error = refusal(from.send_to(&to, never, 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.message().contains("was not deployed"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_call_for_an_edge_is_refused() {
    let (from, to) = workers().await;
    let mut reading = to.read_from(&from, key(1), 1, schema()).unwrap();
    let mut first = from.send_to(&to, key(1), 1, schema()).unwrap();
    let mut sender = first.sender(0);
    send(&mut sender, Element::Idle).await.unwrap();
    let twin = Worker::start("w1", ShuffleOptions::default()).await;
    let error = refusal(twin.send_to(&to, key(1), 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    // The first goes on.
    send(&mut sender, Element::End).await.unwrap();
    assert_eq!(read_all(&mut reading.receiver(0)).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_were_told_different_things_do_not_talk() {
    let (from, to) = workers().await;
    let _reading = to.read_from(&from, key(1), 2, schema()).unwrap();
    let error = refusal(from.send_to(&to, key(1), 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::Incompatible);

    let (from, to) = workers().await;
    let _reading = to.read_from(&from, key(1), 1, schema()).unwrap();
    let other = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let error = refusal(from.send_to(&to, key(1), 1, other).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::Incompatible);

    let (from, to) = workers().await;
    let _reading = to.read_from(&to, key(1), 1, schema()).unwrap();
    let error = refusal(from.send_to(&to, key(1), 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::NotFound);

    // The address has another owner now.
    let mut links = links(schema());
    let moved = WorkerAddress { name: WorkerName::new("w3"), ..to.address() };
    links.outgoing.push((moved, ids(1)));
    let other = RunKey { job: JobId::from_name("other"), ..key(1) };
    let error = refusal(Sending(from.shuffle.open_run(other, vec![links]).unwrap())).await;
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_bounded() {
    let options = ShuffleOptions { max_calls: 1, ..ShuffleOptions::default() };
    let from = Worker::start("w1", ShuffleOptions::default()).await;
    let to = Worker::start("w2", options).await;
    let mut sending = from.send_to(&to, key(1), 1, schema()).unwrap();
    let mut reading = to.read_from(&from, key(1), 1, schema()).unwrap();
    let mut sender = sending.sender(0);
    send(&mut sender, Element::Idle).await.unwrap();
    assert!(matches!(next(&mut reading.receiver(0)).await, Ok(Element::Idle)));
    let other = RunKey { job: JobId::from_name("other"), ..key(1) };
    let error = refusal(from.send_to(&to, other, 1, schema()).unwrap()).await;
    assert_eq!(error.code(), ErrorCode::ResourceExhausted);

    // Once the first is over there is room again.
    drop((sender, sending, reading));
    let third = RunKey { job: JobId::from_name("third"), ..key(1) };
    let mut reading = to.read_from(&from, third.clone(), 1, schema()).unwrap();
    let mut sending = from.send_to(&to, third, 1, schema()).unwrap();
    send(&mut sending.sender(0), Element::Idle).await.unwrap();
    assert!(matches!(next(&mut reading.receiver(0)).await, Ok(Element::Idle)));
}
