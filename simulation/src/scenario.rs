//! What kind of world a seed gets.

use std::time::Duration;

use crate::faults::{self, Cast, Fault, Mix};
use crate::outside::feed::Feed;
use crate::random::Random;

/// A kind of world.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) coordinators: u64,
    /// Workers, or processes that run the job by themselves if there are no coordinators; without any there is no job.
    pub(crate) workers: u32,
    pub(crate) parallelism: u32,
    pub(crate) feed: Feed,
    pub(crate) mix: Mix,
    /// When faults end.
    pub(crate) calm_at: Duration,
    /// How long everything may take to work again.
    pub(crate) patience: Duration,
    /// How long is waited, once everything works, for what may still be on its way.
    pub(crate) rest: Duration,
}

impl Scenario {
    /// The kind of a seed, or of a name.
    pub(crate) fn of(seed: u64, name: Option<&str>) -> Self {
        let mut random = Random::of(seed, "scenario");
        let by_seed =
            *random.pick(&["catalog", "catalog", "cluster", "cluster", "embedded", "embedded"]);
        match name.unwrap_or(by_seed) {
            "catalog" => Self {
                name: "catalog",
                coordinators: 3,
                workers: 0,
                parallelism: 1,
                feed: Feed { partitions: 0, rows: 0, every: Duration::from_millis(1) },
                mix: Mix::COORDINATORS,
                calm_at: Duration::from_secs(8),
                patience: Duration::from_secs(20),
                rest: Duration::from_millis(400),
            },
            "embedded" => Self {
                name: "embedded",
                coordinators: 0,
                workers: 2,
                parallelism: 1 + random.below(3) as u32,
                feed: Feed { partitions: 3, rows: 40, every: Duration::from_millis(240) },
                mix: Mix::WORKERS,
                calm_at: Duration::from_secs(14),
                patience: Duration::from_secs(60),
                rest: Duration::from_millis(6_000),
            },
            _ => Self {
                name: "cluster",
                coordinators: 3,
                workers: 2,
                parallelism: 1 + random.below(3) as u32,
                feed: Feed { partitions: 3, rows: 32, every: Duration::from_millis(250) },
                mix: Mix::ALL,
                calm_at: Duration::from_secs(10),
                patience: Duration::from_secs(60),
                rest: Duration::from_millis(1_200),
            },
        }
    }

    /// Draws what goes wrong.
    pub(crate) fn draw(&self, random: &mut Random, cast: &Cast) -> Vec<(Duration, Fault)> {
        let during = (Duration::from_millis(1_500), self.calm_at - Duration::from_millis(500));
        faults::draw(random, &self.mix, cast, during)
    }
}
