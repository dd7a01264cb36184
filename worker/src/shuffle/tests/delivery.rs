//! What is sent arrives, in order, once, whatever the readers do.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidegate_engine::element::BarrierKind;
use tidegate_types::Epoch;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Rows { count: usize, width: usize, kinds: bool },
    Watermark(i64),
    Idle,
    Barrier(u64, BarrierKind),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(BarrierKind::Checkpoint),
        Just(BarrierKind::Savepoint),
        Just(BarrierKind::StopWithSavepoint)
    ];
    prop_oneof![
        4 => (0..50usize, 1..20usize, any::<bool>())
            .prop_map(|(count, width, kinds)| Step::Rows { count, width, kinds }),
        3 => (1000..6000usize, 1..200usize, any::<bool>())
            .prop_map(|(count, width, kinds)| Step::Rows { count, width, kinds }),
        2 => any::<i64>().prop_map(Step::Watermark),
        1 => Just(Step::Idle),
        1 => (any::<u32>(), kind).prop_map(|(epoch, kind)| Step::Barrier(u64::from(epoch), kind)),
    ]
}

/// Steps of each channel, with the pauses of its reader in milliseconds.
fn plan() -> impl Strategy<Value = Vec<(Vec<Step>, Vec<u8>)>> {
    let steps = prop::collection::vec(step(), 0..25);
    let pauses = prop::collection::vec(prop_oneof![6 => Just(0u8), 1 => 1..30u8], 1..8);
    prop::collection::vec((steps, pauses), 1..5)
}

fn elements(steps: &[Step]) -> Vec<Element> {
    let mut first = 0;
    let mut elements: Vec<Element> = steps
        .iter()
        .map(|step| match step {
            Step::Rows { count, width, kinds } => {
                let changes = rows(first, *count, *width);
                first += *count as i64;
                Element::Batch(if *kinds { with_kinds(changes) } else { changes })
            }
            Step::Watermark(watermark) => Element::Watermark(*watermark),
            Step::Idle => Element::Idle,
            Step::Barrier(epoch, kind) => {
                Element::Barrier(Barrier { epoch: Epoch(*epoch), kind: *kind })
            }
        })
        .collect();
    elements.push(Element::End);
    elements
}

async fn exchange(plan: Vec<(Vec<Step>, Vec<u8>)>) -> Vec<(Vec<Item>, Vec<Item>)> {
    let options = ShuffleOptions { channel_bytes: 128 << 10, ..ShuffleOptions::default() };
    let mut pair = Pair::open(options, plan.len() as u32, schema()).await;
    let mut channels = Vec::new();
    for (index, (steps, pauses)) in plan.into_iter().enumerate() {
        let mut sender = pair.sending.sender(index as u32);
        let mut receiver = pair.reading.receiver(index as u32);
        let elements = elements(&steps);
        let mut sent = Vec::new();
        elements.iter().for_each(|element| push(&mut sent, element));
        let sending = tidegate_runtime::spawn("sender", async move {
            for element in elements {
                send(&mut sender, element).await.unwrap();
            }
        });
        let reading = tidegate_runtime::spawn("reader", async move {
            let mut items = Vec::new();
            let mut pauses = pauses.into_iter().cycle();
            loop {
                let pause = Duration::from_millis(pauses.next().unwrap_or(0).into());
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                let element = next(&mut receiver).await.unwrap();
                push(&mut items, &element);
                if matches!(element, Element::End) {
                    return items;
                }
            }
        });
        channels.push((sent, sending, reading));
    }
    let mut results = Vec::new();
    for (sent, sending, reading) in channels {
        sending.await.unwrap();
        results.push((sent, reading.await.unwrap()));
    }
    pair.sending.0.run.received().await.unwrap();
    assert_eq!(pair.reading.0.run.metrics().buffered.get(), 0);
    assert_eq!(pair.sending.0.run.metrics().buffered.get(), 0);
    results
}

#[test]
fn every_channel_brings_what_was_sent() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&plan(), |plan| {
        for (sent, received) in runtime.block_on(exchange(plan)) {
            prop_assert_eq!(sent, received);
        }
        Ok(())
    });
    result.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_batch_and_one_larger_than_any_credit_pass() {
    let options = ShuffleOptions { channel_bytes: 64 << 10, ..ShuffleOptions::default() };
    let mut pair = Pair::open(options, 1, schema()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    assert!(pair.sending.0.outputs.is_empty() && pair.reading.0.inputs.is_empty());
    let sending = tidegate_runtime::spawn("sender", async move {
        send(&mut sender, Element::Batch(with_kinds(rows(0, 0, 1)))).await.unwrap();
        send(&mut sender, Element::Watermark(1)).await.unwrap();
        // One row of 10 MB, then 30 MB in one batch.
        send(&mut sender, Element::Batch(rows(0, 1, 10 << 20))).await.unwrap();
        send(&mut sender, Element::Batch(rows(1, 300_000, 100))).await.unwrap();
        send(&mut sender, Element::End).await.unwrap();
    });
    let Element::Batch(empty) = next(&mut receiver).await.unwrap() else { panic!("no batch") };
    assert_eq!((empty.len(), empty.kinds.map(|kinds| kinds.is_empty())), (0, Some(true)));
    assert!(matches!(next(&mut receiver).await.unwrap(), Element::Watermark(1)));
    let Element::Batch(large) = next(&mut receiver).await.unwrap() else { panic!("no batch") };
    assert_eq!(large.rows.column(1).as_string_view().value(0).len(), 10 << 20);
    let items = read_all(&mut receiver).await;
    let expected: Vec<(i64, i8)> = (1..300_001).map(|number| (number, 0)).collect();
    assert_eq!(items[0], Item::Rows(expected));
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_several_runs_share_a_connection() {
    let mut pair = Pair::open(ShuffleOptions::default(), 1, schema()).await;
    let other = RunKey { job: JobId::from_name("other"), ..key(7) };
    let mut reading = pair.to.read_from(&pair.from, other.clone(), 1, schema()).unwrap();
    let mut sending = pair.from.send_to(&pair.to, other, 1, schema()).unwrap();
    let mut senders = [pair.sending.sender(0), sending.sender(0)];
    let mut receivers = [pair.reading.receiver(0), reading.receiver(0)];
    for (index, sender) in senders.iter_mut().enumerate() {
        send(sender, Element::Batch(rows(index as i64, 1, 1))).await.unwrap();
        send(sender, Element::End).await.unwrap();
    }
    for (index, receiver) in receivers.iter_mut().enumerate() {
        assert_eq!(read_all(receiver).await[0], Item::Rows(vec![(index as i64, 0)]));
    }
    assert_eq!(pair.sending.0.run.metrics().batches_sent.get(), 1);
    assert_eq!(reading.0.run.metrics().batches_received.get(), 1);
}
