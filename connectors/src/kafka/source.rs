//! The source: options, partitions with resolved positions, readers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{ReaderContext, Source, SourceReader, Split};
use tidegate_plan::operator::Source as SourcePlan;
use tidegate_types::{Error, ErrorCode, Result};

use super::client::Brokers;
use super::offsets::{ANSWER_TIMEOUT, Inquiry, Position, TopicPartition, Topics};
use super::patience::Patience;
use super::reader::Reader;
use super::row_layout::RowLayout;
use super::split::SplitState;
use crate::env::{ConnectorEnv, MonotonicClock};

/// What readers and the source share.
pub(super) struct Shared {
    pub(super) brokers: Brokers,
    pub(super) topics: Topics,
    pub(super) layout: RowLayout,
    /// Whether positions are committed to a consumer group that the table names.
    pub(super) commits_offsets: bool,
    startup: Position,
    bounded: Option<Position>,
    /// `properties.auto.offset.reset`, in lower case.
    reset: Option<String>,
    pub(super) monotonic: MonotonicClock,
}

impl Shared {
    /// What the client does where an offset is gone.
    pub(super) fn fetch_reset(&self) -> &'static str {
        match self.reset.as_deref() {
            Some("earliest") => "earliest",
            Some("latest") => "latest",
            _ => "error",
        }
    }

    /// New partitions with the positions where they start and stop. Blocks, within a bound.
    fn enumerate(
        &self,
        known: &BTreeSet<TopicPartition>,
        discovered: bool,
    ) -> Result<Vec<SplitState>> {
        let consumer = self.brokers.consumer(&[("isolation.level", "read_committed")])?;
        let inquiry = Inquiry {
            brokers: &self.brokers,
            consumer,
            reset: self.reset.as_deref(),
            patience: Patience::new(&self.monotonic, ANSWER_TIMEOUT),
        };
        let mut partitions = inquiry.partitions(&self.topics)?;
        if partitions.is_empty() && known.is_empty() && self.bounded.is_some() {
            let message = format!("no {} at {}", self.topics.describe(), self.brokers.servers);
            return Err(
                Error::new(ErrorCode::NotFound, message).help("mend the option 'topic-pattern'")
            );
        }
        partitions.retain(|partition| !known.contains(partition));
        let starts = self.starts(&inquiry, &partitions, discovered)?;
        let stops = match &self.bounded {
            Some(position) => Some(inquiry.resolve(position, &partitions)?),
            None => None,
        };
        let state = |key: TopicPartition| {
            let next = starts.get(&key).copied().unwrap_or_default();
            // A partition that the given numbers leave out is not read.
            let stop = stops.as_ref().map(|stops| stops.get(&key).copied().unwrap_or(next));
            SplitState { topic: key.0, partition: key.1, next, stop }
        };
        Ok(partitions.into_iter().map(state).collect())
    }

    fn starts(
        &self,
        inquiry: &Inquiry<'_>,
        partitions: &[TopicPartition],
        discovered: bool,
    ) -> Result<BTreeMap<TopicPartition, i64>> {
        if discovered {
            // Records that came before the partition was noticed must not be lost.
            return inquiry.resolve(&Position::Earliest, partitions);
        }
        let mut starts = inquiry.resolve(&self.startup, partitions)?;
        let missing: Vec<_> =
            partitions.iter().filter(|key| !starts.contains_key(*key)).cloned().collect();
        if !missing.is_empty() {
            starts.extend(inquiry.resolve(&Position::Earliest, &missing)?);
        }
        Ok(starts)
    }
}

struct Kafka {
    shared: Arc<Shared>,
    discovery_interval: Option<Duration>,
}

/// The source of a Kafka table. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other, or formats that cannot hold the columns.
pub fn source(plan: &SourcePlan, options: &Options, env: &ConnectorEnv) -> Result<Arc<dyn Source>> {
    let startup = Position::new(options, "scan.startup")?.ok_or_else(|| {
        Error::new(ErrorCode::InvalidOption, "option 'scan.startup.mode' cannot be 'unbounded'")
    })?;
    let bounded = Position::new(options, "scan.bounded")?;
    let reset = options
        .explicit("properties.auto.offset.reset")
        .map(|text| text.trim().to_ascii_lowercase());
    if let Some(other) =
        reset.as_deref().filter(|text| !["earliest", "latest", "none"].contains(text))
    {
        let message = format!(
            "option 'properties.auto.offset.reset': '{other}' is not earliest, latest or none"
        );
        return Err(Error::new(ErrorCode::InvalidOption, message));
    }
    let interval = options.duration("scan.topic-partition-discovery.interval")?.unwrap_or_default();
    let shared = Shared {
        brokers: Brokers::new(options)?,
        topics: Topics::new(options)?,
        layout: RowLayout::new(plan, options)?,
        commits_offsets: options.explicit("properties.group.id").is_some(),
        startup,
        reset,
        bounded,
        monotonic: Arc::clone(&env.monotonic),
    };
    let discovers = !interval.is_zero() && shared.bounded.is_none();
    // Finds settings that the client refuses before the job starts.
    drop(shared.brokers.consumer(&[])?);
    Ok(Arc::new(Kafka {
        shared: Arc::new(shared),
        discovery_interval: discovers.then_some(interval),
    }))
}

#[async_trait]
impl Source for Kafka {
    fn is_bounded(&self) -> bool {
        self.shared.bounded.is_some()
    }

    async fn enumerate(&self, known: &[Split], discovered: bool) -> Result<Vec<Split>> {
        if self.is_bounded() && !known.is_empty() {
            return Ok(Vec::new());
        }
        let known: BTreeSet<TopicPartition> = known
            .iter()
            .map(|split| SplitState::decode(split).map(|state| (state.topic, state.partition)))
            .collect::<Result<_>>()?;
        let shared = Arc::clone(&self.shared);
        let found = tokio::task::spawn_blocking(move || shared.enumerate(&known, discovered)).await;
        let found =
            found.map_err(|_| Error::internal("looking up Kafka partitions ended early"))??;
        found.iter().map(|state| state.encode(false)).collect()
    }

    fn discovery_interval(&self) -> Option<Duration> {
        self.discovery_interval
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader::new(Arc::clone(&self.shared), context)?))
    }
}
