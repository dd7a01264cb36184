//! What a reader that does not read holds up, and what it does not.

use super::*;

const KIB: u64 = 1 << 10;

/// Sends batches until the channel takes no more for a while; returns how many it took.
async fn fill(sender: &mut Box<dyn Sender>, changes: &Changes) -> usize {
    let mut taken = 0;
    loop {
        let sending = sender.send(Element::Batch(changes.clone()));
        match tokio::time::timeout(Duration::from_millis(300), sending).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => return taken,
        }
        taken += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_reader_bounds_memory_and_holds_up_its_channel_only() {
    let limit = 256 * KIB;
    let options = ShuffleOptions { channel_bytes: limit, ..ShuffleOptions::default() };
    let mut pair = Pair::open(options, 2, schema()).await;
    let (mut stalled, mut stalled_reader) = (pair.sending.sender(0), pair.reading.receiver(0));
    let (mut flowing, mut reader) = (pair.sending.sender(1), pair.reading.receiver(1));
    let batch = rows(0, 1_000, 40);
    let bytes = 1_000 * (8 + 16 + 40) + 256;
    let taken = fill(&mut stalled, &batch).await as u64;
    assert!((taken - 1) * bytes < limit && taken * bytes >= limit, "{taken} batches were taken");

    let sending = tidegate_runtime::spawn("flowing", async move {
        for first in 0..500 {
            send(&mut flowing, Element::Batch(rows(first * 1_000, 1_000, 40))).await.unwrap();
        }
        send(&mut flowing, Element::End).await.unwrap();
    });
    let items = read_all(&mut reader).await;
    assert_eq!(items[0], Item::Rows((0..500_000).map(|number| (number, 0)).collect()));
    sending.await.unwrap();

    // Bodies are padded and have headers: a tenth is more than they need.
    let bound = 2 * (limit + bytes) * 11 / 10;
    let (sent, received) = (pair.sending.0.run.metrics(), pair.reading.0.run.metrics());
    assert!(sent.buffered.peak() <= bound, "{} > {bound}", sent.buffered.peak());
    assert!(received.buffered.peak() <= bound, "{} > {bound}", received.buffered.peak());
    assert!(received.buffered.get() > limit * 9 / 10, "the stalled channel is full");

    // Another call of the same connection is not held up either.
    let other = RunKey { job: JobId::from_name("other"), ..key(1) };
    let mut reading = pair.to.read_from(&pair.from, other.clone(), 1, schema()).unwrap();
    let mut sending = pair.from.send_to(&pair.to, other, 1, schema()).unwrap();
    send(&mut sending.sender(0), Element::Watermark(9)).await.unwrap();
    assert!(matches!(next(&mut reading.receiver(0)).await, Ok(Element::Watermark(9))));

    // The stalled reader comes back: everything is there, once, and the sender goes on.
    let sending = tidegate_runtime::spawn("stalled", async move {
        send(&mut stalled, Element::Batch(batch)).await.unwrap();
        send(&mut stalled, Element::End).await.unwrap();
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sending.is_finished());
    let items = read_all(&mut stalled_reader).await;
    let Item::Rows(rows) = &items[0] else { panic!("no rows") };
    assert_eq!(rows.len(), (taken as usize + 1) * 1_000);
    sending.await.unwrap();
    let blocked = Duration::from_nanos(pair.sending.0.run.metrics().blocked.get());
    assert!(blocked >= Duration::from_millis(150), "{blocked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_barrier_needs_no_credit_and_overtakes_nothing() {
    let options = ShuffleOptions { channel_bytes: 64 * KIB, ..ShuffleOptions::default() };
    let mut pair = Pair::open(options, 1, schema()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    let taken = fill(&mut sender, &rows(0, 1_000, 40)).await;
    // The channel has no credit, and the barrier leaves at once.
    let leaving = sender.send(barrier(5));
    tokio::time::timeout(Duration::from_secs(1), leaving).await.unwrap().unwrap();
    let mut seen = 0;
    loop {
        match next(&mut receiver).await.unwrap() {
            Element::Batch(changes) => seen += changes.len(),
            Element::Barrier(barrier) => {
                assert_eq!((barrier.epoch, seen), (Epoch(5), taken * 1_000));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A reader of 2 MB/s may have 4 MiB under way by bytes, which would be two seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_is_bounded_by_time() {
    let mut pair = Pair::open(ShuffleOptions::default(), 1, schema()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    let clock = SystemClock::shared();
    let sending = {
        let clock = clock.clone();
        tidegate_runtime::spawn("sender", async move {
            // Ends when the reader goes away.
            let mut times = Vec::new();
            for round in 0.. {
                let batch = Element::Batch(rows(0, 1_000, 76));
                if sender.send(batch).await.is_err() {
                    break;
                }
                if round % 8 == 7 {
                    times.push(clock.elapsed());
                    if sender.send(barrier(round)).await.is_err() {
                        break;
                    }
                }
            }
            times
        })
    };
    let (mut batches, mut arrivals) = (0, Vec::new());
    while batches < 60 {
        match next(&mut receiver).await.unwrap() {
            Element::Batch(changes) => {
                batches += changes.len() / 1_000;
                tokio::time::sleep(Duration::from_millis(50 * changes.len() as u64 / 1_000)).await;
            }
            _ => arrivals.push(clock.elapsed()),
        }
    }
    drop(receiver);
    let times = tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap();
    let waits: Vec<Duration> =
        times.iter().zip(&arrivals).map(|(sent, arrived)| *arrived - *sent).collect();
    assert!(waits.len() >= 5, "{waits:?}");
    // The first round runs with the first window; after it 200 ms, and the messages at both ends: up
    // to four batches each, because small ones are joined.
    let longest = waits[1..].iter().max().unwrap();
    assert!(*longest < Duration::from_millis(700), "barriers took {waits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_elements_of_a_stalled_reader_are_bounded_too() {
    let mut pair = Pair::open(ShuffleOptions::default(), 1, schema()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    let mut sent = 0;
    while let Ok(result) =
        tokio::time::timeout(Duration::from_millis(300), sender.send(Element::Watermark(sent)))
            .await
    {
        result.unwrap();
        sent += 1;
    }
    assert_eq!(sent, 256);
    for expected in 0..sent {
        let Element::Watermark(watermark) = next(&mut receiver).await.unwrap() else { panic!() };
        assert_eq!(watermark, expected);
    }
    send(&mut sender, Element::Watermark(sent)).await.unwrap();
}
