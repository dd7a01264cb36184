//! Kafka: brokers, topics, and the schema registry beside them.
//!
//! The bootstrap servers are resolved, checked and connected to here. The client resolves names again itself, since
//! certificates are for names; which brokers the cluster tells it to go to is checked before anything is asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tidegate_connector_spec::Options;
use tidegate_connector_spec::data_source::{
    Parameters, PhysicalTable, addresses, connector_options, urls,
};
use tidegate_runtime::blocking::beside;

use super::{Result, invalid, segment};
use crate::format::avro::columns_of;
use crate::kafka::client::{Brokers, Context};
use crate::probe::http::{Credentials, Site};
use crate::probe::import::{Description, Entry, Listing, Page, sample};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::tls::{self, Verification};
use crate::probe::trace::Trace;
use crate::probe::{address, tcp};

/// How long the client may be silent for a moment.
const MOMENT: Duration = Duration::from_millis(200);
/// Topics of the brokers themselves.
const INTERNAL: &str = "__";

/// Brokers that let us in.
pub(in crate::probe) struct Cluster {
    pub(in crate::probe) brokers: Brokers,
    pub(in crate::probe) place: String,
    pub(in crate::probe) consumer: Arc<BaseConsumer<Context>>,
    /// Names and how many partitions each has.
    topics: BTreeMap<String, usize>,
}

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    Cluster::open(trace, parameters).await?;
    if parameters.text("schema-registry-url").is_some() {
        registry(trace, parameters, "subjects?subjectPrefix=tidegate-test").await?;
    }
    Ok(())
}

impl Cluster {
    /// Goes to the brokers, logs in, and asks which topics there are.
    pub(in crate::probe) async fn open(
        trace: &mut Trace<'_>,
        parameters: &Parameters<'_>,
    ) -> Result<Self> {
        let servers = parameters.required("bootstrap-servers").map_err(invalid)?;
        reach(trace, parameters, servers).await?;
        let brokers = brokers(parameters)?;
        let consumer = brokers.consumer(&[
            ("socket.connection.setup.timeout.ms", "5000"),
            ("socket.timeout.ms", "10000"),
            ("reconnect.backoff.max.ms", "1000"),
            ("enable.partition.eof", "true"),
        ]);
        let consumer = Arc::new(consumer.map_err(|error| refused_settings(&error))?);
        let login = parameters.text("sasl-username");
        let what = if login.is_some() { What::Authenticate } else { What::Ask };
        let (asked, left) = (Arc::clone(&consumer), trace.left());
        let place = servers.to_owned();
        let private = trace.limits.private_addresses;
        let work = async {
            let asked = Arc::clone(&asked);
            let answer = beside("metadata of Kafka", move || metadata(&asked, left));
            let answer = answer.await.map_err(|error| Failure::unsupported(error.message(), ""))?;
            let (topics, others) = answer.map_err(|error| {
                let said = consumer.client().context().last_failure().unwrap_or_default();
                failed(parameters, &place, &error, &said)
            })?;
            check_brokers(&others, private).await?;
            let detail = format!("{} brokers, {} topics", others.len(), topics.len());
            Ok((topics, detail))
        };
        let topics = trace.step(what, servers, work).await;
        let topics = topics.map_err(|failure| match failure.reason {
            // The client does not say so in time where it tries again and again.
            Reason::Timeout => {
                let said = consumer.client().context().last_failure();
                said.and_then(|said| known(parameters, servers, &said)).unwrap_or(failure)
            }
            _ => failure,
        })?;
        Ok(Self { brokers, place: servers.to_owned(), consumer, topics })
    }

    /// How many partitions a topic has.
    pub(in crate::probe) fn partitions(&self, topic: &str) -> Option<usize> {
        self.topics.get(topic).copied()
    }
}

/// The client's view of the data source.
fn brokers(parameters: &Parameters<'_>) -> Result<Brokers> {
    let table = PhysicalTable { database: None, name: "t".to_owned() };
    let options =
        connector_options(parameters.spec(), parameters.values(), &table, &BTreeMap::new());
    let brokers = options.and_then(Options::new).and_then(|options| Brokers::new(&options));
    brokers.map_err(invalid)
}

fn refused_settings(error: &tidegate_types::Error) -> Failure {
    Failure::new(
        Reason::Tls,
        format!("the Kafka client does not take the parameters: {}", error.message()),
        "mend the certificate or the key that it names",
    )
}

/// Resolves the servers, and connects to the first that lets it, with TLS if it is said so.
async fn reach(trace: &mut Trace<'_>, parameters: &Parameters<'_>, servers: &str) -> Result<()> {
    let all = addresses(servers).map_err(|part| {
        Failure::protocol(part, "it is not host:port", "mend 'bootstrap-servers'")
    })?;
    let secured = parameters.text("security-protocol").unwrap_or_default();
    let secured = secured.to_ascii_uppercase().ends_with("SSL");
    let mut last = None;
    for server in all {
        let place = server.to_string();
        let found = match address::resolve(trace, &server.host, server.port).await {
            Ok(found) => found,
            // Of a server that may not be connected to the client must not hear.
            Err(failure) if failure.reason == Reason::BlockedAddress => return Err(failure),
            Err(failure) => {
                last = Some(failure);
                continue;
            }
        };
        match tcp::connect(trace, &place, &found).await {
            Ok(stream) if secured => {
                let full = parameters.boolean("verify-hostname");
                let verification = if full { Verification::Full } else { Verification::Authority };
                let authorities = parameters.text("ca-certificate");
                let settings = tls::settings(verification, authorities, None)?;
                return tls::begin(trace, &place, &server.host, &settings, stream).await.map(drop);
            }
            Ok(_) => return Ok(()),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::protocol(servers, "it is empty", "mend it")))
}

type Brokered = (BTreeMap<String, usize>, Vec<(String, u16)>);

/// Topics and brokers. Blocks.
fn metadata(
    consumer: &BaseConsumer<Context>,
    left: Duration,
) -> std::result::Result<Brokered, KafkaError> {
    // In slices, because refused credentials are known before the time is over.
    let slice = Duration::from_millis(700);
    let mut waited = Duration::ZERO;
    loop {
        match consumer.fetch_metadata(None, slice.min(left)) {
            Ok(found) => {
                let topics = found.topics().iter();
                let topics = topics.map(|one| (one.name().to_owned(), one.partitions().len()));
                let brokers = found.brokers().iter().map(|broker| {
                    (broker.host().to_owned(), u16::try_from(broker.port()).unwrap_or(0))
                });
                return Ok((topics.collect(), brokers.collect()));
            }
            Err(error) => {
                waited += slice;
                let known = consumer.client().context().last_failure();
                if waited >= left || known.is_some_and(|said| is_final(&said)) {
                    return Err(error);
                }
                // What went wrong is told to the context when the client is asked.
                let _ = consumer.poll(MOMENT);
            }
        }
    }
}

/// Whether waiting does not mend what the client says.
fn is_final(said: &str) -> bool {
    ["uthentication", "SASL", "security.protocol", "SSL handshake", "are down", "isconnected"]
        .iter()
        .any(|sign| said.contains(sign))
}

/// Whether the brokers that the cluster names may be connected to.
async fn check_brokers(brokers: &[(String, u16)], private: bool) -> Result<()> {
    for (host, port) in brokers {
        let found = match tokio::net::lookup_host((host.as_str(), *port)).await {
            Ok(found) => found,
            Err(error) => {
                return Err(Failure::new(
                    Reason::Dns,
                    format!(
                        "the brokers say that one of them is '{host}', which has no address: {error}"
                    ),
                    "mend 'advertised.listeners' of the broker, or make the name known to the workers",
                ));
            }
        };
        for address in found {
            address::check(host, address.ip(), private)?;
        }
    }
    Ok(())
}

fn failed(parameters: &Parameters<'_>, place: &str, error: &KafkaError, said: &str) -> Failure {
    known(parameters, place, said).unwrap_or_else(|| {
        let both = if said.is_empty() { error.to_string() } else { format!("{error}; {said}") };
        Failure::protocol(place, &both, "see that it is Kafka, and what the brokers' logs say")
    })
}

/// What the client's log says, if it is known what that means.
fn known(parameters: &Parameters<'_>, place: &str, said: &str) -> Option<Failure> {
    let has = |sign: &str| said.contains(sign);
    let protocol = parameters.text("security-protocol").unwrap_or_default();
    if has("mechanism") && (has("not supported") || has("nsupported")) {
        return Some(Failure::new(
            Reason::Authentication,
            format!("{place} does not let clients log in this way: {said}"),
            "mend 'sasl-mechanism'",
        ));
    }
    if has("SASL authentication error") || has("uthentication failed") || has("Invalid credentials")
    {
        let user = parameters.text("sasl-username").unwrap_or("nobody");
        return Some(Failure::refused_login(place, user, said));
    }
    if has("SSL") && (has("handshake") || has("certificate")) {
        return Some(Failure::new(
            Reason::Tls,
            format!("TLS with {place} fails: {said}"),
            "mend 'ca-certificate', 'client-certificate' or 'security-protocol'",
        ));
    }
    let closes = has("security.protocol") || has("SASL") || has("isconnected") || has("are down");
    closes.then(|| {
        Failure::new(
            Reason::Authentication,
            format!(
                "{place} closes the connection without an answer, as brokers do that want a login or TLS: {said}"
            ),
            format!("mend 'security-protocol', which is {protocol}; see the brokers' logs"),
        )
    })
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    page: &Page,
) -> Result<Listing> {
    let cluster = Cluster::open(trace, parameters).await?;
    let names = cluster.topics.keys().filter(|name| !name.starts_with(INTERNAL));
    let listing = page.of(false, names.map(Entry::named).collect());
    trace.passed(What::List, &format!("{} topics", cluster.topics.len()));
    Ok(listing)
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let topic = table.name.clone();
    let cluster = Cluster::open(trace, parameters).await?;
    let Some(partitions) = cluster.partitions(&topic) else {
        return Err(Failure::new(
            Reason::MissingTable,
            format!("{} has no topic '{topic}'", cluster.place),
            "mend the name, or let the user see the topic",
        ));
    };
    if parameters.text("schema-registry-url").is_some()
        && let Some(found) = registered(trace, parameters, &topic).await?
    {
        return Ok(found);
    }
    let (consumer, left) = (Arc::clone(&cluster.consumer), trace.left());
    let (records, bytes) = (trace.limits.sampled_records, trace.limits.sampled_bytes);
    let work = async {
        let name = topic.clone();
        let taken = beside("sample of a topic", move || {
            newest(&consumer, &name, partitions, records, bytes, left)
        });
        let taken = taken.await.map_err(|error| Failure::unsupported(error.message(), ""))?;
        let taken = taken.map_err(|error| {
            let text = format!("topic '{topic}': {error}");
            if error.to_string().contains("uthoriz") {
                let help = "let the user read the topic";
                return Failure::new(Reason::Permission, text, help);
            }
            Failure::protocol(&cluster.place, &text, "see what the brokers' logs say")
        })?;
        let found = sample::describe(&taken, &format!("topic '{topic}'"))
            .map_err(|why| Failure::unsupported(why, "declare the columns by hand"))?;
        Ok((found, format!("{} records", taken.len())))
    };
    trace.step(What::Ask, &cluster.place.clone(), work).await
}

/// The newest records of a topic, as many of each partition. Blocks, within the bounds.
fn newest(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: usize,
    most: usize,
    most_bytes: usize,
    left: Duration,
) -> std::result::Result<Vec<Vec<u8>>, KafkaError> {
    let slice = MOMENT.min(left);
    let share = i64::try_from(most.div_ceil(partitions.max(1))).unwrap_or(1).max(1);
    let mut assigned = TopicPartitionList::new();
    let mut expected = 0;
    for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
        let (low, high) =
            consumer.fetch_watermarks(topic, partition, left.min(Duration::from_secs(5)))?;
        let from = (high - share).max(low);
        if from < high {
            expected += usize::try_from(high - from).unwrap_or(0);
            assigned.add_partition_offset(topic, partition, Offset::Offset(from))?;
        }
    }
    let mut records = Vec::new();
    if expected == 0 {
        return Ok(records);
    }
    consumer.assign(&assigned)?;
    let (mut bytes, mut silent) = (0, Duration::ZERO);
    // Aborted and compacted records never come, so that silence ends it, too.
    let patience = left.min(Duration::from_secs(5)) / 2;
    while records.len() < expected.min(most) && bytes < most_bytes && silent < patience {
        match consumer.poll(slice) {
            Some(Ok(message)) => {
                silent = Duration::ZERO;
                if let Some(value) = message.payload() {
                    let value = value.get(..most_bytes - bytes.min(most_bytes)).unwrap_or(value);
                    bytes += value.len();
                    records.push(value.to_vec());
                } else {
                    expected -= 1;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Err(error)) => return Err(error),
            None => silent += slice,
        }
    }
    consumer.unassign()?;
    Ok(records)
}

/// The registry of the data source, asked for a path: the answer of the first of its addresses that gives one.
async fn registry(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    path: &str,
) -> Result<crate::probe::http::Answer> {
    let text = parameters.required("schema-registry-url").map_err(invalid)?;
    let urls = urls(text).map_err(|part| Failure::protocol(part, "it is no URL", "mend it"))?;
    let mut last = None;
    for url in urls {
        let (user, password) = (
            parameters.text("schema-registry-username"),
            parameters.text("schema-registry-password"),
        );
        let credentials = Credentials::basic(user, password);
        match Site::open(trace, url, None, credentials).await {
            Ok(site) => {
                let work = async {
                    let answer = site
                        .ask_for(path, "application/vnd.schemaregistry.v1+json, application/json")
                        .await?;
                    let fits = (200..300).contains(&answer.status) || answer.status == 404;
                    if !fits {
                        return Err(site.refusal(&answer, "read schemas"));
                    }
                    if answer.json().is_null() {
                        let help = "mend 'schema-registry-url'";
                        return Err(Failure::protocol(
                            &site.place,
                            "it is no schema registry",
                            help,
                        ));
                    }
                    let detail = format!("{} answers {}", site.place, answer.status);
                    Ok((answer, detail))
                };
                return trace.step(What::SchemaRegistry, &site.place, work).await;
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::protocol(text, "it is empty", "mend it")))
}

/// The columns of the topic's newest schema; `None`: the registry has no Avro schema of it.
async fn registered(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    topic: &str,
) -> Result<Option<Description>> {
    let path = format!("subjects/{}/versions/latest", segment(&format!("{topic}-value")));
    let answer = registry(trace, parameters, &path).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let answer = answer.json();
    if !matches!(answer["schemaType"].as_str(), None | Some("AVRO")) {
        return Ok(None);
    }
    let Some(schema) = answer["schema"].as_str() else { return Ok(None) };
    let columns = columns_of(schema).map_err(|why| {
        let subject = format!("subject '{topic}-value'");
        Failure::protocol(&subject, &why, "register a schema that is valid")
    })?;
    let mut found = Description::default();
    for (name, native, ty) in columns {
        found.add(&name, &native, ty, None, false);
    }
    found.options.insert("format".to_owned(), "avro-confluent".to_owned());
    Ok(Some(found))
}
