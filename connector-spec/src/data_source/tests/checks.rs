//! Faults of parameters: all are found, each names its parameter, none shows a secret.

use super::*;

fn with(name: &str, more: &[(&str, &str)]) -> Values {
    let mut all = least(name);
    all.extend(values(more));
    all
}

/// The fields with faults; no text has a canary.
fn faults(name: &str, values: &Values) -> Vec<(String, String)> {
    let found = check(spec(name), values);
    for violation in &found {
        let all = format!("{violation:?}");
        assert!(!all.contains("canary"), "{all}");
        assert!(!violation.message.is_empty() && !violation.help.is_empty(), "{all}");
    }
    found.into_iter().map(|violation| (violation.field, violation.message)).collect()
}

#[test]
fn the_least_of_each_type_is_enough() {
    for spec in data_sources() {
        assert_eq!(faults(spec.name, &least(spec.name)), [], "{}", spec.name);
        let missing = faults(spec.name, &Values::new());
        let needed = spec
            .parameters
            .iter()
            .filter(|p| p.required && p.default.is_none() && p.when.is_none());
        let xor = usize::from(spec.name == "oracle");
        assert_eq!(missing.len(), needed.count() + xor, "{}: {missing:?}", spec.name);
        assert!(missing.iter().all(|(_, message)| message.contains("missing")), "{missing:?}");
    }
}

#[test]
fn c2_all_faults_are_found_at_once() {
    let found = faults(
        "kafka",
        &values(&[
            ("bootstrap-server", "a:1"),
            ("security-protocol", "SASL-SSL"),
            ("sasl-password", "canary"),
            ("schema-registry-url", "registry:8081"),
            ("client-key", "canary"),
        ]),
    );
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "bootstrap-server",
        "bootstrap-servers",
        "security-protocol",
        "sasl-password",
        "client-key",
        "schema-registry-url",
        "client-certificate",
    ];
    assert_eq!(fields, expected, "{found:?}");
    let help = &check(spec("kafka"), &values(&[("bootstrap-server", "a:1")]))[0].help;
    assert_eq!(help, "did you mean 'bootstrap-servers'?");
}

#[test]
fn parameters_without_meaning_are_named_with_what_would_give_them_one() {
    let found = faults("kafka", &with("kafka", &[("sasl-username", "u")]));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("'security-protocol' is SASL_PLAINTEXT or SASL_SSL"), "{found:?}");
    let login = [("security-protocol", "sasl_ssl"), ("sasl-username", "u")];
    let found = faults("kafka", &with("kafka", &login));
    assert_eq!(found, [("sasl-password".to_owned(), "'sasl-password' is missing".to_owned())]);
    let found = faults("redis", &with("redis", &[("cluster", "true"), ("database", "1")]));
    assert_eq!(found[0].0, "database");
}

#[test]
fn values_that_cannot_be_are_refused() {
    for (name, field, value) in [
        ("mysql", "port", "0"),
        ("mysql", "port", "many"),
        ("mysql", "host", "jdbc:mysql://db"),
        ("mysql", "host", "db.example:3306"),
        ("mysql", "host", "db/../x"),
        ("mysql", "host", "me@db"),
        ("mysql", "host", "a,b"),
        ("mysql", "username", "a\r\nb"),
        ("mysql", "tls-mode", "verify"),
        ("kafka", "bootstrap-servers", "kafka.example"),
        ("kafka", "bootstrap-servers", ",,"),
        ("s3", "endpoint", "s3.example"),
        ("s3", "endpoint", "ftp://s3.example"),
        ("s3", "bucket", "lake/raw"),
        ("s3", "bucket", "s3://lake"),
        ("elasticsearch", "hosts", "https://me:x@es:9200"),
        ("elasticsearch", "hosts", "https://a,es:9200"),
        ("hbase", "rest-url", "http://h:1/?x=y"),
        ("http", "headers", "X-A"),
        ("http", "headers", "Authorization:Bearer x"),
        ("http", "headers", "Host:internal"),
        ("http", "headers", "A b:c"),
        ("files", "folder", "data"),
        ("files", "folder", "/data/../etc"),
        ("redis", "database", "-1"),
        ("ftp", "passive", "yes"),
    ] {
        let found = faults(name, &with(name, &[(field, value)]));
        let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, [field], "{name}: {field}={value}: {found:?}");
    }
}

#[test]
fn pem_texts_are_looked_at_and_keys_not_shown() {
    let tls = ("security-protocol", "SSL");
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\ncanary\n-----END ENCRYPTED PRIVATE KEY-----";
    let good = [
        tls,
        ("ca-certificate", certificate),
        ("client-certificate", certificate),
        ("client-key", key),
    ];
    assert_eq!(faults("kafka", &with("kafka", &good)), []);
    let swapped = [tls, ("client-certificate", key), ("client-key", certificate)];
    let found = check(spec("kafka"), &with("kafka", &swapped));
    let fields: Vec<&str> = found.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["client-certificate", "client-key"]);
    let path = [tls, ("ca-certificate", "/etc/ssl/ca.pem")];
    assert_eq!(faults("kafka", &with("kafka", &path)).len(), 1);
}

#[test]
fn one_of_two_names_of_an_oracle_service() {
    let both = with("oracle", &[("sid", "ORCL")]);
    assert_eq!(faults("oracle", &both)[0].0, "sid");
    let mut sid = both;
    sid.remove("service-name");
    assert_eq!(faults("oracle", &sid), []);
}

#[test]
fn long_values_are_refused_and_cut_in_messages() {
    let long = "x".repeat(MAX_VALUE_BYTES + 1);
    let found = faults("mysql", &with("mysql", &[("username", &long)]));
    assert!(found[0].1.len() < 200, "{}", found[0].1.len());
    let found = faults("mysql", &with("mysql", &[("host", &"h ".repeat(1000))]));
    assert!(found[0].1.len() < 300, "{}", found[0].1.len());
}
