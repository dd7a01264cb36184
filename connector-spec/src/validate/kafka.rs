//! What must hold between several options of a Kafka table, by record or by key.

use tidegate_types::Result;

use super::{Values, invalid};
use crate::kafka_offsets::specific_offsets;
use crate::spec::Role;
use crate::value;

/// Settings of the client that Tidegate decides itself, with the reason.
const OWNED_PROPERTIES: &[(&str, &str)] = &[
    ("enable.auto.commit", "offsets are committed when a checkpoint completes"),
    ("auto.commit.interval.ms", "offsets are committed when a checkpoint completes"),
    ("enable.auto.offset.store", "offsets are kept in checkpoints"),
    ("key.serializer", "use 'key.format'"),
    ("key.deserializer", "use 'key.format'"),
    ("value.serializer", "use 'value.format'"),
    ("value.deserializer", "use 'value.format'"),
    ("transactional.id", "use 'sink.transactional-id-prefix'"),
    ("partition.assignment.strategy", "partitions are spread over the subtasks of the source"),
    ("group.instance.id", "partitions are spread over the subtasks of the source"),
    ("enable.partition.eof", "use 'scan.bounded.mode'"),
];

/// Checks a table's options as a whole.
pub(super) fn check(options: &Values, role: Role) -> Result<()> {
    check_properties(options)?;
    check_formats(options)?;
    match role {
        Role::Source => check_source(options),
        Role::Sink if options.contains_key("topic-pattern") => {
            Err(invalid("a table with 'topic-pattern' cannot be written to: set 'topic'"))
        }
        Role::Sink => {
            check_not_empty(options, "topic")?;
            check_exactly_once(options)
        }
    }
}

/// Checks the options of an `upsert-kafka` table as a whole. Which columns the key has is known with the table.
pub(super) fn check_upsert(options: &Values, role: Role) -> Result<()> {
    check_properties(options)?;
    check_not_empty(options, "topic")?;
    let prefix = options.get("key.fields-prefix").is_some_and(|prefix| !prefix.is_empty());
    if prefix && !excepts_key(options) {
        return Err(invalid("'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'"));
    }
    match role {
        Role::Source => check_position(options, "scan.bounded", "unbounded"),
        Role::Sink => {
            check_buffer(options)?;
            check_exactly_once(options)
        }
    }
}

fn check_buffer(options: &Values) -> Result<()> {
    const ROWS: &str = "sink.buffer-flush.max-rows";
    const INTERVAL: &str = "sink.buffer-flush.interval";
    let rows = options.get(ROWS).map(|text| value::integer(ROWS, text)).transpose()?;
    let interval = options.get(INTERVAL).map(|text| value::duration(INTERVAL, text)).transpose()?;
    let (rows, interval) = (rows.unwrap_or(0) > 0, interval.is_some_and(|time| !time.is_zero()));
    if rows == interval {
        return Ok(());
    }
    Err(invalid(format!("set '{ROWS}' and '{INTERVAL}' both greater than zero, or neither")))
}

fn excepts_key(options: &Values) -> bool {
    options.get("value.fields-include").is_some_and(|v| v.eq_ignore_ascii_case("EXCEPT_KEY"))
}

/// Longest prefix of transactional ids: what follows it is bounded too.
const MAX_PREFIX: usize = 128;
/// Longest name that brokers take for a topic.
const MAX_TOPIC: usize = 249;

fn check_exactly_once(options: &Values) -> Result<()> {
    let guarantee = options.get("sink.delivery-guarantee");
    if !guarantee.is_some_and(|guarantee| guarantee.eq_ignore_ascii_case("exactly-once")) {
        return Ok(());
    }
    let prefix = options.get("sink.transactional-id-prefix").map_or("", |prefix| prefix.trim());
    if prefix.is_empty() {
        return Err(invalid(
            "'sink.delivery-guarantee' = 'exactly-once' needs the option 'sink.transactional-id-prefix'",
        )
        .help("choose a name that no other job uses with these brokers, for example that of the job"));
    }
    if prefix.len() > MAX_PREFIX {
        return Err(invalid(format!(
            "option 'sink.transactional-id-prefix' has {} bytes, more than {MAX_PREFIX}",
            prefix.len()
        )));
    }
    if let Some(topic) = options.get("sink.marker-topic") {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if topic.is_empty() || topic.len() > MAX_TOPIC || !topic.chars().all(legal) {
            return Err(invalid(format!(
                "option 'sink.marker-topic': '{topic}' is not a name that a topic can have"
            )));
        }
        if options.get("topic").is_some_and(|topics| topics.split(';').any(|t| t.trim() == topic)) {
            return Err(invalid(format!(
                "option 'sink.marker-topic': '{topic}' is the topic that the rows are written to"
            )));
        }
    }
    let timeout = options.get("properties.transaction.timeout.ms");
    match timeout.map(|text| (text, text.trim().parse::<u32>())) {
        None | Some((_, Ok(1_000..))) => Ok(()),
        Some((text, _)) => Err(invalid(format!(
            "option 'properties.transaction.timeout.ms': '{text}' is not a number of milliseconds, 1000 or more"
        ))),
    }
}

fn check_properties(options: &Values) -> Result<()> {
    for (property, reason) in OWNED_PROPERTIES {
        if options.contains_key(&format!("properties.{property}")) {
            return Err(invalid(format!("option 'properties.{property}' cannot be set: {reason}")));
        }
    }
    check_not_empty(options, "properties.bootstrap.servers")
}

fn check_not_empty(options: &Values, key: &str) -> Result<()> {
    match options.get(key) {
        Some(text) if text.split([';', ',']).all(|part| part.trim().is_empty()) => {
            Err(invalid(format!("option '{key}' is empty")))
        }
        _ => Ok(()),
    }
}

fn check_formats(options: &Values) -> Result<()> {
    let has = |key: &str| options.contains_key(key);
    match (has("format"), has("value.format")) {
        (false, false) => {
            return Err(invalid("connector 'kafka' needs the option 'format' or 'value.format'"));
        }
        (true, true) => return Err(invalid("set 'format' or 'value.format', not both")),
        _ => {}
    }
    match (has("key.format"), has("key.fields")) {
        (true, false) => {
            return Err(invalid("'key.format' needs 'key.fields', the columns of the key"));
        }
        (false, true) => return Err(invalid("'key.fields' needs 'key.format'")),
        _ => {}
    }
    let except_key = excepts_key(options);
    if except_key && !has("key.format") {
        return Err(invalid(
            "'value.fields-include' = 'EXCEPT_KEY' needs 'key.format' and 'key.fields'",
        ));
    }
    let Some(prefix) = options.get("key.fields-prefix").filter(|prefix| !prefix.is_empty()) else {
        return Ok(());
    };
    if !except_key {
        return Err(invalid("'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'"));
    }
    let fields = options.get("key.fields").map(String::as_str).unwrap_or_default();
    match fields.split(';').map(str::trim).find(|field| !field.starts_with(prefix.as_str())) {
        Some(field) => Err(invalid(format!(
            "'key.fields' names '{field}', which does not begin with the prefix '{prefix}' of 'key.fields-prefix'"
        ))),
        None => Ok(()),
    }
}

fn check_source(options: &Values) -> Result<()> {
    let has = |key: &str| options.contains_key(key);
    match (has("topic"), has("topic-pattern")) {
        (false, false) => {
            return Err(invalid("connector 'kafka' needs the option 'topic' or 'topic-pattern'"));
        }
        (true, true) => return Err(invalid("set 'topic' or 'topic-pattern', not both")),
        _ => check_not_empty(options, "topic")?,
    }
    check_position(options, "scan.startup", "group-offsets")?;
    check_position(options, "scan.bounded", "unbounded")
}

/// The options that a start or end mode needs: `scan` is `scan.startup` or `scan.bounded`.
fn check_position(options: &Values, scan: &str, default: &str) -> Result<()> {
    let mode_key = format!("{scan}.mode");
    let mode = options.get(&mode_key).map_or(default, String::as_str).to_ascii_lowercase();
    let needs = |key: &str| {
        if options.contains_key(key) {
            return Ok(());
        }
        let why = if options.contains_key(&mode_key) { "" } else { ", which is the default," };
        Err(invalid(format!("'{mode_key}' = '{mode}'{why} needs the option '{key}'")))
    };
    match mode.as_str() {
        "group-offsets" => needs("properties.group.id"),
        "timestamp" => needs(&format!("{scan}.timestamp-millis")),
        "specific-offsets" => {
            let key = format!("{scan}.specific-offsets");
            needs(&key)?;
            specific_offsets(&key, options.get(&key).map_or("", String::as_str))?;
            let topics = options
                .get("topic")
                .map_or(0, |t| t.split(';').filter(|t| !t.trim().is_empty()).count());
            if topics == 1 {
                return Ok(());
            }
            Err(invalid(format!("'{key}' needs exactly one topic in the option 'topic'")))
        }
        _ => Ok(()),
    }
}
