//! Topics that brokers say they do not have. One that has just started does not know its topics for a while, so that is
//! believed only when it has been said for some time.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::client::Context;
use super::patience::Patience;
use crate::env::MonotonicClock;

/// How long brokers may say that a topic does not exist which was there before.
const LIMIT: Duration = Duration::from_secs(30);
/// Time between questions for the topic.
const BETWEEN: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// What is said to be missing, and since when.
pub(super) struct Missing {
    error: KafkaError,
    patience: Patience,
    asked: Patience,
}

/// What asking again has shown.
pub(super) enum Found {
    /// Nothing new.
    NotYet,
    /// Everything is there.
    All,
    /// It is time to believe the error.
    GivenUp(KafkaError),
}

impl Missing {
    /// From the first error that says so.
    pub(super) fn new(clock: &MonotonicClock, error: KafkaError) -> Self {
        let (patience, asked) = (Patience::new(clock, LIMIT), Patience::new(clock, BETWEEN));
        Self { error, patience, asked }
    }

    /// Asks for the partitions, now and then. Blocks, within a bound.
    pub(super) fn look<'a>(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partitions: impl Iterator<Item = (&'a str, i32)>,
    ) -> Found {
        if !self.asked.is_over() {
            return Found::NotYet;
        }
        self.asked.restart();
        let partitions: BTreeSet<(&str, i32)> = partitions.collect();
        let topics: BTreeSet<&str> = partitions.iter().map(|(topic, _)| *topic).collect();
        let mut there = 0;
        for topic in topics {
            let Ok(metadata) = consumer.fetch_metadata(Some(topic), ANSWER) else { break };
            let answers = metadata.topics().iter().filter(|answer| answer.name() == topic);
            let found = answers.flat_map(|answer| answer.partitions());
            there += found.filter(|found| partitions.contains(&(topic, found.id()))).count();
        }
        if there == partitions.len() {
            Found::All
        } else if self.patience.is_over() {
            Found::GivenUp(self.error.clone())
        } else {
            Found::NotYet
        }
    }
}
