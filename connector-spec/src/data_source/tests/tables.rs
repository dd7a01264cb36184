//! Options of tables in data sources.

use super::*;
use crate::{Role, validate};

fn table(name: &str) -> PhysicalTable {
    PhysicalTable { database: None, name: name.to_owned() }
}

fn options(kind: &str, parameters: &Values, name: &str, own: &[(&str, &str)]) -> Values {
    connector_options(spec(kind), parameters, &table(name), &values(own)).unwrap()
}

fn refused(kind: &str, name: &str, own: &[(&str, &str)]) -> String {
    let error = connector_options(spec(kind), &least(kind), &table(name), &values(own));
    let error = error.unwrap_err().to_string();
    assert!(!error.contains("canary"), "{error}");
    error
}

#[test]
fn the_least_of_each_type_with_a_connector_is_accepted_by_it() {
    for spec in data_sources() {
        let Some(first) = spec.connectors.first() else {
            let error = refused(spec.name, "t", &[]);
            assert!(error.contains(spec.name) && error.contains("no connector"), "{error}");
            assert!(table_options(spec, "kafka").is_empty());
            continue;
        };
        let own: &[(&str, &str)] = match *first {
            "kafka" => &[("format", "json"), ("scan.startup.mode", "earliest-offset")],
            "filesystem" => &[("format", "json")],
            _ => &[],
        };
        let made = options(spec.name, &least(spec.name), "orders", own);
        validate(&made, Role::Source).unwrap();
        if crate::connector(first).unwrap().sink {
            validate(&made, Role::Sink).unwrap();
        }
    }
}

#[test]
fn a_topic_with_login_and_certificates() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let mut parameters = least("kafka");
    parameters.extend(values(&[
        ("security-protocol", "sasl_ssl"),
        ("sasl-mechanism", "scram-sha-512"),
        ("sasl-username", "al\"ice"),
        ("sasl-password", "back\\slash\""),
        ("ca-certificate", pem),
        ("verify-hostname", "false"),
    ]));
    let made = options(
        "kafka",
        &parameters,
        "clicks",
        &[
            ("format", "json"),
            ("scan.startup.mode", "latest-offset"),
            ("properties.group.id", "g"),
            ("topic.partitions", "3"),
        ],
    );
    let login = "org.apache.kafka.common.security.scram.ScramLoginModule required \
                 username=\"al\\\"ice\" password=\"back\\\\slash\\\"\";";
    let expected = values(&[
        ("connector", "kafka"),
        ("format", "json"),
        ("properties.bootstrap.servers", "kafka1.example:9092,kafka2.example:9092"),
        ("properties.group.id", "g"),
        ("properties.sasl.jaas.config", login),
        ("properties.sasl.mechanism", "SCRAM-SHA-512"),
        ("properties.security.protocol", "SASL_SSL"),
        ("properties.ssl.endpoint.identification.algorithm", ""),
        ("properties.ssl.truststore.certificates", pem),
        ("scan.startup.mode", "latest-offset"),
        ("topic", "clicks"),
    ]);
    assert_eq!(made, expected);
    validate(&made, Role::Source).unwrap();
}

#[test]
fn every_secret_parameter_becomes_a_secret_option() {
    for (kind, own, more) in [
        (
            "kafka",
            &[("format", "avro-confluent"), ("scan.startup.mode", "earliest-offset")][..],
            &[
                ("security-protocol", "SASL_SSL"),
                ("sasl-username", "u"),
                ("sasl-password", "canary"),
                ("client-certificate", "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"),
                ("client-key", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"),
                ("client-key-password", "canary"),
                ("schema-registry-url", "http://registry:8081"),
                ("schema-registry-username", "u"),
                ("schema-registry-password", "canary"),
            ][..],
        ),
        ("mysql", &[], &[]),
        ("s3", &[("format", "json")], &[]),
    ] {
        let mut parameters = least(kind);
        parameters.extend(values(more));
        assert_eq!(check(spec(kind), &parameters), []);
        let made = options(kind, &parameters, "t", own);
        validate(&made, Role::Source).unwrap();
        let connector = crate::connector(&made["connector"]).unwrap();
        let canaries = made.iter().filter(|(_, value)| value.contains("canary"));
        let mut count = 0;
        for (key, _) in canaries {
            let own = crate::lookup::find(connector.options, key).map(|option| option.secret);
            let format = crate::format("avro-confluent").unwrap();
            let of_format = key.strip_prefix("avro-confluent.");
            let of_format = of_format.and_then(|key| crate::lookup::find(format.options, key));
            assert!(own == Some(true) || of_format.is_some_and(|option| option.secret), "{key}");
            count += 1;
        }
        let secrets = Parameters::new(spec(kind), &parameters).secrets().count();
        assert_eq!(count, secrets, "{kind}");
    }
}

#[test]
fn a_registry_is_that_of_the_data_source() {
    let mut parameters = least("kafka");
    parameters.extend(values(&[
        ("schema-registry-url", "http://registry:8081"),
        ("schema-registry-username", "u"),
        ("schema-registry-password", "p"),
    ]));
    let own = [
        ("value.format", "debezium-avro-confluent"),
        ("key.format", "avro-confluent"),
        ("key.fields", "id"),
        ("value.debezium-avro-confluent.schema", "{}"),
        ("scan.startup.mode", "earliest-offset"),
    ];
    let made = options("kafka", &parameters, "t", &own);
    validate(&made, Role::Source).unwrap();
    assert_eq!(made["value.debezium-avro-confluent.url"], "http://registry:8081");
    assert_eq!(made["key.avro-confluent.basic-auth.user-info"], "u:p");
    for key in ["avro-confluent.url", "value.avro-confluent.ssl.keystore.location"] {
        assert!(refused("kafka", "t", &[(key, "http://elsewhere")]).contains("registry"), "{key}");
    }
}

#[test]
fn what_the_data_source_decides_and_what_would_reach_past_it_is_refused() {
    for (kind, key) in [
        ("kafka", "topic"),
        ("kafka", "topic-pattern"),
        ("kafka", "properties.bootstrap.servers"),
        ("kafka", "properties.sasl.jaas.config"),
        ("kafka", "properties.ssl.ca.location"),
        ("kafka", "properties.plugin.library.paths"),
        ("kafka", "properties.sasl.kerberos.kinit.cmd"),
        ("kafka", "properties.ssl.engine.location"),
        ("kafka", "properties.sasl.oauthbearer.token.endpoint.url"),
        ("kafka", "protobuf.descriptor-set"),
        ("mysql", "url"),
        ("mysql", "password"),
        ("s3", "path"),
        ("s3", "s3.endpoint"),
        ("files", "s3.access-key"),
        ("files", "path"),
    ] {
        assert!(refused(kind, "t", &[(key, "x")]).contains(&format!("'{key}'")), "{kind}: {key}");
        let first = spec(kind).connectors[0];
        let listed = table_options(spec(kind), first);
        assert!(listed.iter().all(|option| option.key != key), "{kind}: {key}");
    }
    assert!(refused("kafka", "t", &[("value.protobuf.schema", "/etc/x.proto")]).contains("file"));
    assert!(refused("kafka", "t", &[("connector", "filesystem")]).contains("filesystem"));
    let listed = table_options(spec("kafka"), "upsert-kafka");
    assert!(listed.iter().any(|option| option.key == "properties.*"));
    assert!(listed.iter().any(|option| option.key == "properties.group.id"));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (kind, name) in [
        ("kafka", "a;b"),
        ("kafka", ""),
        ("kafka", ".."),
        ("kafka", "a b"),
        ("files", "../etc/passwd"),
        ("files", "a/../../etc"),
        ("files", "/"),
        ("files", "file:///etc"),
        ("s3", "a//b"),
        ("s3", "s3://other/x"),
        ("mysql", "a\nb"),
        ("mysql", " "),
    ] {
        let error = connector_options(spec(kind), &least(kind), &table(name), &values(&[]));
        assert!(error.is_err(), "{kind}: {name}");
    }
    let topic = PhysicalTable { database: Some("d".to_owned()), name: "t".to_owned() };
    assert!(connector_options(spec("kafka"), &least("kafka"), &topic, &values(&[])).is_err());
    // In MySQL a name is one name, whatever it has in it.
    let made = options("mysql", &least("mysql"), "mysql.`user", &[]);
    assert_eq!(made["table-name"], "`mysql.``user`");
}

#[test]
fn databases_of_tables_win_over_that_of_the_data_source() {
    let own = PhysicalTable { database: Some("a b/c?ssl=x".to_owned()), name: "s.t".to_owned() };
    let mut parameters = least("postgresql");
    parameters.insert("host".to_owned(), "::1".to_owned());
    let made = connector_options(spec("postgresql"), &parameters, &own, &values(&[])).unwrap();
    assert_eq!(made["url"], "jdbc:postgresql://[::1]:5432/a%20b%2Fc%3Fssl%3Dx");
    assert_eq!(made["table-name"], "s.t");
    let mut parameters = least("mysql");
    parameters.remove("database");
    let error = connector_options(spec("mysql"), &parameters, &table("t"), &values(&[]));
    assert!(error.unwrap_err().to_string().contains("database"));
}

#[test]
fn objects_are_in_the_bucket_of_the_data_source_and_never_in_an_unnamed_service() {
    let made = options("s3", &least("s3"), "/raw/orders/", &[("format", "parquet")]);
    assert_eq!(made["path"], "s3://lake/raw/orders");
    assert_eq!(made["s3.endpoint"], "https://s3.us-east-1.amazonaws.com");
    assert_eq!(made["s3.path.style.access"], "true");
    let made = options("files", &least("files"), "orders/*.json", &[("format", "json")]);
    assert_eq!(made["path"], "/data/shared/orders/*.json");
}

#[test]
fn faulty_parameters_make_no_options() {
    let error = connector_options(spec("kafka"), &values(&[]), &table("t"), &values(&[]));
    assert!(error.unwrap_err().to_string().contains("'bootstrap-servers' is missing"));
}
