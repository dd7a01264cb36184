//! Tests of option checks, by connector.

use super::*;

fn options(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn kafka(more: &[(&str, &str)]) -> Values {
    let mut all = options(&[
        ("connector", "kafka"),
        ("topic", "clicks"),
        ("properties.bootstrap.servers", "localhost:9092"),
        ("scan.startup.mode", "earliest-offset"),
        ("format", "json"),
    ]);
    for (key, value) in more {
        if value.is_empty() {
            all.remove(*key);
        } else {
            all.insert((*key).to_owned(), (*value).to_owned());
        }
    }
    all
}

/// The error's text contains all of `parts`.
fn refused(options: &Values, role: Role, parts: &[&str]) {
    let error = validate(options, role).unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "'{part}' is not in: {error}");
    }
}

#[test]
fn connectors_are_named_and_suggested() {
    refused(&options(&[]), Role::Source, &["'connector' is missing", "kafka"]);
    refused(
        &options(&[("connector", "kafak")]),
        Role::Source,
        &["no connector 'kafak'", "did you mean 'kafka'"],
    );
    refused(&options(&[("connector", "print")]), Role::Source, &["'print' cannot be read"]);
    refused(&options(&[("connector", "datagen")]), Role::Sink, &["'datagen' cannot be written"]);
}

#[test]
fn unknown_options_are_suggested() {
    validate(&kafka(&[]), Role::Source).unwrap();
    refused(
        &kafka(&[("scan.startup.mod", "x")]),
        Role::Source,
        &["'scan.startup.mod'", "'scan.startup.mode'"],
    );
    refused(
        &kafka(&[("json.ignore-parse-error", "true")]),
        Role::Source,
        &["did you mean 'json.ignore-parse-errors'"],
    );
    refused(
        &kafka(&[("csv.null-literal", "x")]),
        Role::Source,
        &["no option 'csv.null-literal'", "prefix json"],
    );
}

#[test]
fn format_options_take_the_prefix_of_their_format_key() {
    validate(&kafka(&[("json.ignore-parse-errors", "true")]), Role::Source).unwrap();
    let value =
        [("format", ""), ("value.format", "json"), ("value.json.ignore-parse-errors", "true")];
    validate(&kafka(&value), Role::Source).unwrap();
    refused(&kafka(&[("value.json.ignore-parse-errors", "true")]), Role::Source, &["value.json"]);
    let key = [("key.format", "csv"), ("key.fields", "a"), ("key.csv.null-literal", "n/a")];
    validate(&kafka(&key), Role::Sink).unwrap();
}

#[test]
fn values_are_checked() {
    refused(
        &kafka(&[("scan.startup.mode", "earliest")]),
        Role::Source,
        &["'earliest' is not one of"],
    );
    refused(
        &kafka(&[("json.ignore-parse-errors", "yes")]),
        Role::Source,
        &["'yes' is not 'true' or 'false'"],
    );
    refused(&kafka(&[("scan.parallelism", "0")]), Role::Source, &["0 is not between 1 and"]);
    refused(
        &kafka(&[("scan.topic-partition-discovery.interval", "soon")]),
        Role::Source,
        &["'soon'", "'10 s'"],
    );
    refused(&kafka(&[("format", "thrift")]), Role::Source, &["no format 'thrift'", "json, csv"]);
}

#[test]
fn what_is_not_supported_yet_says_so() {
    refused(&kafka(&[("scan.watermark.alignment.group", "g")]), Role::Source, &["alignment"]);
}

#[test]
fn exactly_once_needs_a_prefix_and_a_topic_of_its_own() {
    let with = |more: &[(&str, &str)]| {
        let mut all = vec![
            ("sink.delivery-guarantee", "exactly-once"),
            ("sink.transactional-id-prefix", "clicks"),
        ];
        all.extend(more);
        kafka(&all)
    };
    assert!(validate(&with(&[]), Role::Sink).is_ok());
    refused(
        &kafka(&[("sink.delivery-guarantee", "exactly-once")]),
        Role::Sink,
        &["'sink.transactional-id-prefix'"],
    );
    let long = "x".repeat(200);
    for (key, value) in [
        ("sink.transactional-id-prefix", long.as_str()),
        ("sink.transactional-id-prefix", " "),
        ("sink.marker-topic", "a b"),
        ("sink.marker-topic", "t"),
        ("properties.transaction.timeout.ms", "1 min"),
        ("properties.transaction.timeout.ms", "10"),
    ] {
        refused(&with(&[("topic", "t"), (key, value)]), Role::Sink, &[key]);
    }
}

#[test]
fn kafka_options_fit_together() {
    refused(&kafka(&[("topic", "")]), Role::Source, &["'topic' or 'topic-pattern'"]);
    refused(&kafka(&[("topic-pattern", "a.*")]), Role::Source, &["not both"]);
    refused(&kafka(&[("topic", "")]), Role::Sink, &["needs the option 'topic'"]);
    refused(
        &kafka(&[("scan.startup.mode", "")]),
        Role::Source,
        &["which is the default", "properties.group.id"],
    );
    refused(
        &kafka(&[("scan.startup.mode", "timestamp")]),
        Role::Source,
        &["scan.startup.timestamp-millis"],
    );
    refused(&kafka(&[("properties.enable.auto.commit", "true")]), Role::Source, &["checkpoint"]);
    refused(&kafka(&[("key.format", "json")]), Role::Source, &["'key.fields'"]);
    refused(&kafka(&[("format", "")]), Role::Sink, &["'format' or 'value.format'"]);
    let offsets =
        [("scan.startup.mode", "specific-offsets"), ("scan.startup.specific-offsets", "0:1")];
    refused(&kafka(&offsets), Role::Source, &["partition:0,offset:42"]);
    let prefixed = [
        ("key.format", "raw"),
        ("key.fields", "id"),
        ("key.fields-prefix", "k_"),
        ("value.fields-include", "EXCEPT_KEY"),
    ];
    refused(&kafka(&prefixed), Role::Sink, &["'id'", "'k_'"]);
}

#[test]
fn files_need_a_path_and_a_format() {
    let files = |more: &[(&str, &str)]| {
        let mut all =
            options(&[("connector", "filesystem"), ("path", "/data"), ("format", "json")]);
        all.extend(options(more));
        all
    };
    validate(&files(&[]), Role::Sink).unwrap();
    refused(&options(&[("connector", "filesystem"), ("path", "/d")]), Role::Source, &["'format'"]);
    refused(&files(&[("path", "/data/*.json")]), Role::Sink, &["wildcards"]);
    refused(
        &files(&[("auto-compaction", "true")]),
        Role::Sink,
        &["auto-compaction", "rolling-policy"],
    );
    refused(&files(&[("source.monitor-interval", "0 s")]), Role::Source, &["longer than zero"]);
    validate(&files(&[("auto-compaction", "false"), ("format", "parquet")]), Role::Sink).unwrap();
}

#[test]
fn secrets_stay_out_of_messages() {
    let secrets: Vec<_> = crate::connectors()
        .iter()
        .flat_map(|connector| connector.options)
        .filter(|option| option.secret)
        .collect();
    assert!(secrets.iter().any(|option| option.key == "s3.secret-key"));
    assert!(
        secrets.iter().all(|option| option.kind == OptionKind::Text && option.default.is_none())
    );
}

#[test]
fn generated_fields_are_patterns() {
    let generator = options(&[
        ("connector", "datagen"),
        ("fields.id.kind", "sequence"),
        ("fields.id.start", "1"),
    ]);
    validate(&generator, Role::Source).unwrap();
    refused(
        &options(&[("connector", "datagen"), ("fields.id.knd", "x")]),
        Role::Source,
        &["fields.id.knd"],
    );
}

fn upsert_kafka(more: &[(&str, &str)]) -> Values {
    let all = [
        ("connector", "upsert-kafka"),
        ("topic", "totals"),
        ("properties.bootstrap.servers", "localhost:9092"),
        ("key.format", "json"),
        ("value.format", "json"),
    ];
    let mut all = options(&all);
    all.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    all
}

#[test]
fn tables_by_key_have_no_fields_start_or_partitioner_to_choose() {
    for role in [Role::Source, Role::Sink] {
        validate(&upsert_kafka(&[]), role).unwrap();
        assert_eq!(crate::changes(&upsert_kafka(&[]), role), Changes::Upsert);
    }
    let both = [("sink.buffer-flush.max-rows", "10"), ("sink.buffer-flush.interval", "1 s")];
    validate(&upsert_kafka(&both), Role::Sink).unwrap();
    refused(&upsert_kafka(&both[..1]), Role::Sink, &["'sink.buffer-flush.interval'", "both"]);
    refused(&upsert_kafka(&[("key.fields", "id")]), Role::Sink, &["'key.fields'", "PRIMARY KEY"]);
    let latest = [("scan.startup.mode", "latest-offset")];
    refused(&upsert_kafka(&latest), Role::Source, &["'scan.startup.mode'", "oldest record"]);
    refused(&upsert_kafka(&[("sink.partitioner", "fixed")]), Role::Sink, &["'sink.partitioner'"]);
    let changing = upsert_kafka(&[("value.format", "debezium-json")]);
    refused(&changing, Role::Sink, &["no format 'debezium-json'", "use connector 'kafka'"]);
    let prefix = upsert_kafka(&[("key.fields-prefix", "k_")]);
    refused(&prefix, Role::Source, &["'key.fields-prefix'", "EXCEPT_KEY"]);
    let exactly = upsert_kafka(&[("sink.delivery-guarantee", "exactly-once")]);
    refused(&exactly, Role::Sink, &["'sink.transactional-id-prefix'"]);
}
