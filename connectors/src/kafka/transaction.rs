//! Transactions of one writer: a part of a unit and its marker become visible together or not at
//! all. Every call blocks.
//!
//! `init` is called once for a producer, at the start of a run, and what is to be written is decided
//! after it. So a later run that called it for the same id has shut this one out, and whatever this
//! one still tries fails. For the same reason nothing here calls it again after a failure: only a new
//! run may, because it looks at the markers first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tidegate_engine::staging::Records;
use tidegate_runtime::{Refused, failpoint, refused};
use tidegate_types::{Error, ErrorCode, Result};

use super::client::{Context, error_code};
use super::in_flight::{Side, UNCOUNTED};
use super::markers::MarkerKey;
use super::patience::Patience;
use super::sink::Shared;
use super::staged_record;

/// How long a transaction is tried to be taken back before the run fails.
const ABORT_PATIENCE: Duration = Duration::from_secs(15);
/// How long one call of the client may take before it is repeated.
const CALL: Duration = Duration::from_secs(10);
/// How long setting up may take: a transaction that a dead run left open is ended first.
const INIT_PATIENCE: Duration = Duration::from_secs(60);
/// How long one part is tried, over all transactions for it.
const PART_PATIENCE: Duration = Duration::from_secs(120);
/// Transactions that are begun for one part.
const TRIES: u32 = 5;

/// The producer of one writer's transactions.
#[derive(Clone)]
pub(super) struct Transactions {
    shared: Arc<Shared>,
    producer: ThreadedProducer<Context>,
    id: String,
}

/// What one transaction writes.
pub(super) struct Part {
    /// Contents of chunks.
    pub(super) chunks: Vec<Bytes>,
    /// Names of the topics that records refer to by number.
    pub(super) topics: Vec<String>,
    pub(super) marker_key: String,
    pub(super) marker_value: Vec<u8>,
}

/// How a transaction ended that did not commit.
enum Failure {
    /// It is certain that nothing of it is visible, and another may be begun.
    Aborted(Error),
    /// This producer can do no more, or it is not known what is visible.
    Over(Error),
}

impl Transactions {
    /// A producer for the transactions of a writer.
    pub(super) fn new(shared: Arc<Shared>, writer: &MarkerKey) -> Result<Self> {
        let settings = shared.exactly_once()?;
        let mut id = settings.transactional_id(&writer.lineage, writer.sink, writer.writer);
        if failpoint::defect("skip-attempt-check") {
            // Every process under its own name: none shuts another out.
            id.push_str(&format!("-{}", std::process::id()));
        }
        let timeout = settings.transaction_timeout.as_millis().to_string();
        let config = shared.brokers.producer_config(&[
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.messages", "200000"),
            ("queue.buffering.max.kbytes", "65536"),
            ("transactional.id", &id),
            ("transaction.timeout.ms", &timeout),
        ]);
        let producer = config.create_with_context(Context::default());
        let producer = producer.map_err(|error| shared.brokers.refused(&error))?;
        Ok(Self { shared, producer, id })
    }

    /// The client, for questions about topics.
    pub(super) fn client(&self) -> &ThreadedProducer<Context> {
        &self.producer
    }

    /// Shuts out older producers with this id, and ends what they left open.
    pub(super) fn init(&self) -> Result<()> {
        let patience = Patience::new(&self.shared.monotonic, INIT_PATIENCE);
        loop {
            let Err(error) = self.producer.init_transactions(CALL) else { return Ok(()) };
            if !is_retriable(&error) || patience.is_over() {
                return Err(self.failed("set up transactions", &error));
            }
            patience.pause();
        }
    }

    /// Writes a part in one transaction, or in another if that was aborted.
    ///
    /// # Errors
    /// Unless it is certain that the part is visible. A new run has to find out.
    pub(super) fn write(&self, part: &Part) -> Result<()> {
        let patience = Patience::new(&self.shared.monotonic, PART_PATIENCE);
        let mut tries = 1;
        loop {
            match self.try_write(part, &patience) {
                Ok(()) => return Ok(()),
                Err(Failure::Aborted(error))
                    if tries < TRIES && !patience.is_over() && error.code().is_retryable() =>
                {
                    tracing::warn!(%error, "a transaction was aborted; trying again");
                }
                Err(Failure::Aborted(error) | Failure::Over(error)) => return Err(error),
            }
            tries += 1;
            patience.pause();
        }
    }

    fn try_write(&self, part: &Part, patience: &Patience) -> Result<(), Failure> {
        self.producer.client().context().take_delivery_failure();
        self.producer
            .begin_transaction()
            .map_err(|error| Failure::Over(self.failed("begin a transaction", &error)))?;
        if let Err(error) = self.produce(part, patience) {
            return Err(self.abort(error, patience));
        }
        // What cannot be delivered makes the commit fail, with the reason.
        let _ = self.producer.flush(PART_PATIENCE);
        failpoint::hit("inside-transaction");
        loop {
            let Err(error) = self.producer.commit_transaction(CALL) else { return Ok(()) };
            let failed = self.failed("commit a transaction", &error);
            if requires_abort(&error) {
                return Err(self.abort(failed, patience));
            }
            // The call may be repeated: it goes on with the same commit.
            if !is_retriable(&error) || patience.is_over() {
                return Err(Failure::Over(failed));
            }
            patience.pause();
        }
    }

    fn produce(&self, part: &Part, patience: &Patience) -> Result<()> {
        for record in part.chunks.iter().flat_map(|chunk| Records::new(chunk)) {
            let record = staged_record::decode(record?)?;
            self.send(record.to_record(&part.topics, UNCOUNTED)?, patience)?;
        }
        let settings = self.shared.exactly_once()?;
        let marker = BaseRecord::with_opaque_to(&settings.marker_topic, UNCOUNTED)
            .key(part.marker_key.as_bytes())
            .payload(part.marker_value.as_slice());
        self.send(marker, patience)
    }

    fn send(
        &self,
        mut record: BaseRecord<'_, [u8], [u8], Side>,
        patience: &Patience,
    ) -> Result<()> {
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back))
                    if !patience.is_over() =>
                {
                    record = back;
                    Patience::moment();
                }
                Err((error, _)) => return Err(self.failed("write in a transaction", &error)),
            }
        }
    }

    /// Takes back everything of the transaction. `why` is what led to it.
    fn abort(&self, why: Error, patience: &Patience) -> Failure {
        let undelivered = self.producer.client().context().take_delivery_failure();
        let why = match undelivered
            .filter(|(code, _)| !matches!(code, Code::PurgeQueue | Code::PurgeInflight))
        {
            Some((code, text)) if error_code(code) != ErrorCode::Unavailable => {
                let context = self.producer.client().context();
                let doing = format!("write {}", self.shared.describe());
                self.shared.brokers.failed_with(&doing, Some(code), &text, context)
            }
            _ => why,
        };
        // A new run ends the transaction as well, and does not depend on a client that has lost its way.
        let limit = Patience::new(&self.shared.monotonic, ABORT_PATIENCE);
        loop {
            let Err(error) = self.producer.abort_transaction(CALL) else {
                return Failure::Aborted(why);
            };
            if !is_retriable(&error) || patience.is_over() || limit.is_over() {
                let failed = self.failed("abort a transaction", &error);
                return Failure::Over(why.context(failed.to_string()));
            }
            patience.pause();
        }
    }

    fn failed(&self, doing: &str, error: &KafkaError) -> Error {
        let doing = format!("{doing} of {} (transactional id {})", self.shared.describe(), self.id);
        let code = match error {
            KafkaError::Transaction(error) => Some(error.code()),
            other => other.rdkafka_error_code(),
        };
        match code {
            Some(
                Code::Fenced
                | Code::ProducerFenced
                | Code::InvalidProducerEpoch
                | Code::TransactionCoordinatorFenced,
            ) => {
                // A restart finds out: an older run is stopped by its own record, a transaction that
                // was open for too long is settled.
                let message = format!(
                    "{doing}: another run has taken over, or the transaction was open for longer than transaction.timeout.ms: {error}"
                );
                refused(Refused::Transaction, &message);
                Error::new(ErrorCode::Unavailable, message)
            }
            Some(Code::InvalidTransactionTimeout) => Error::new(
                ErrorCode::InvalidOption,
                format!(
                    "{doing}: 'properties.transaction.timeout.ms' is more than the brokers' transaction.max.timeout.ms"
                ),
            ),
            code => {
                let context = self.producer.client().context();
                self.shared.brokers.failed_with(&doing, code, &error.to_string(), context)
            }
        }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable())
}

fn requires_abort(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort())
}
