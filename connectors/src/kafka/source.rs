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

    /// Whether reading ends.
    pub(super) fn is_bounded(&self) -> bool {
        self.bounded.is_some()
    }

    /// Where partitions end of which only the position is known, because an unbounded run read them. What the given
    /// numbers leave out is missing. Blocks, within a bound.
    pub(super) fn ends(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>> {
        match &self.bounded {
            Some(position) => self.inquiry()?.resolve(position, partitions),
            None => Ok(BTreeMap::new()),
        }
    }

    /// Questions to the brokers. To a reader of committed records the end of a partition is the last stable offset:
    /// behind it are only records of transactions that are open, or came later.
    fn inquiry(&self) -> Result<Inquiry<'_>> {
        Ok(Inquiry {
            brokers: &self.brokers,
            consumer: self.brokers.consumer(&[("isolation.level", "read_committed")])?,
            reset: self.reset.as_deref(),
            patience: Patience::new(&self.monotonic, ANSWER_TIMEOUT),
        })
    }

    /// New partitions with the positions where they start and stop. Blocks, within a bound.
    fn enumerate(
        &self,
        known: &BTreeSet<TopicPartition>,
        discovered: bool,
    ) -> Result<Vec<SplitState>> {
        let inquiry = self.inquiry()?;
        let mut partitions = inquiry.partitions(&self.topics, known)?;
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
        self.shared.is_bounded()
    }

    async fn enumerate(&self, known: &[Split], discovered: bool) -> Result<Vec<Split>> {
        let known = known.iter().map(SplitState::decode).collect::<Result<Vec<_>>>()?;
        // Which partitions a bounded run reads was settled when it began. After an unbounded one it is settled now.
        let settled = !known.is_empty() && known.iter().all(|state| state.stop.is_some());
        if self.is_bounded() && settled {
            return Ok(Vec::new());
        }
        let known: BTreeSet<TopicPartition> =
            known.into_iter().map(|state| (state.topic, state.partition)).collect();
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
