//! From `properties.*`, written for Kafka's Java client, to librdkafka's settings.

use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, Result};

/// Java names of settings that librdkafka calls otherwise.
const RENAMED: &[(&str, &str)] = &[
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("max.request.size", "message.max.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("sasl.kerberos.kinit.cmd", "sasl.kerberos.kinit.cmd"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
];

/// Settings of the Java client that mean nothing here, so that scripts need not be changed.
const IGNORED: &[&str] = &[
    "max.poll.records",
    "max.poll.interval.ms",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "default.api.timeout.ms",
    "request.timeout.ms",
    "max.block.ms",
    "buffer.memory",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.sample.window.ms",
    "client.dns.lookup",
    "interceptor.classes",
    "partitioner.class",
    "exclude.internal.topics",
    "ssl.truststore.type",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "auto.offset.reset",
];

/// Settings that need files in a format of the Java world.
const JAVA_FILES: &[(&str, &str)] = &[
    ("ssl.truststore.location", "set 'properties.ssl.ca.location' to a PEM file"),
    ("ssl.truststore.password", "set 'properties.ssl.ca.location' to a PEM file"),
];

/// The settings of a table for librdkafka, `bootstrap.servers` included.
///
/// # Errors
/// `INVALID_OPTION` for a login configuration that cannot be read; `UNSUPPORTED` for Java key stores.
pub(super) fn client_settings(options: &Options) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    for (key, value) in options.with_prefix("properties.") {
        if IGNORED.contains(&key) {
            continue;
        }
        if let Some((_, mend)) = JAVA_FILES.iter().find(|(name, _)| *name == key) {
            let message = format!("option 'properties.{key}': Java key stores cannot be read");
            return Err(Error::unsupported(message).help(*mend));
        }
        if key == "ssl.keystore.location" && value.ends_with(".jks") {
            return Err(Error::unsupported("option 'properties.ssl.keystore.location': JKS key stores cannot be read")
                .help("use a PKCS#12 file, or 'properties.ssl.certificate.location' and '….ssl.key.location'"));
        }
        match key {
            "sasl.jaas.config" => settings.extend(login(value)?),
            "ssl.endpoint.identification.algorithm" if value.trim().is_empty() => {
                settings.push((key.to_owned(), "none".to_owned()));
            }
            _ => {
                let renamed = RENAMED.iter().find(|(java, _)| *java == key);
                let key = renamed.map_or(key, |(_, name)| *name);
                settings.push((key.to_owned(), value.trim().to_owned()));
            }
        }
    }
    Ok(settings)
}

/// User name and password of a Java login configuration:
/// `…PlainLoginModule required username="u" password="p";`.
fn login(text: &str) -> Result<Vec<(String, String)>> {
    let wrong = || {
        let message =
            "option 'properties.sasl.jaas.config' has no username=\"…\" and password=\"…\"";
        Error::new(ErrorCode::InvalidOption, message)
            .help("other logins than user name and password need 'properties.sasl.*' settings of librdkafka")
    };
    let user = quoted(text, "username").ok_or_else(wrong)?;
    let password = quoted(text, "password").ok_or_else(wrong)?;
    Ok(vec![("sasl.username".to_owned(), user), ("sasl.password".to_owned(), password)])
}

/// The value of `name="…"` or `name='…'`; a backslash takes the meaning from the next character.
fn quoted(text: &str, name: &str) -> Option<String> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(name)?;
        from = at + name.len();
        let starts_word = at == 0 || text[..at].ends_with([' ', '\t', '\n', '\r']);
        let Some(rest) = text[from..].trim_start().strip_prefix('=').filter(|_| starts_word) else {
            continue;
        };
        let mut chars = rest.trim_start().chars();
        let quote = chars.next().filter(|c| matches!(c, '"' | '\''))?;
        let mut value = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => value.extend(chars.next()),
                c if c == quote => return Some(value),
                c => value.push(c),
            }
        }
        return None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        let all = pairs.iter().chain(&[("connector", "kafka")]);
        client_settings(&Options::new(all.map(|(k, v)| ((*k).into(), (*v).into())).collect())?)
    }

    #[test]
    fn java_logins_become_user_and_password() {
        let text = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                    username=\"al\\\"ice\"  password='s3;cr et';";
        let found = settings(&[("properties.sasl.jaas.config", text)]).unwrap();
        assert_eq!(found[0], ("sasl.username".into(), "al\"ice".into()));
        assert_eq!(found[1], ("sasl.password".into(), "s3;cr et".into()));
        let error = settings(&[("properties.sasl.jaas.config", "x required secret=\"hunter2\"")])
            .unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn java_names_are_translated_or_left_out() {
        let found = settings(&[
            ("properties.bootstrap.servers", "a:1,b:2"),
            ("properties.fetch.max.wait.ms", "100"),
            ("properties.max.poll.records", "5"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.contains(&("fetch.wait.max.ms".into(), "100".into())));
        assert!(settings(&[("properties.ssl.truststore.location", "/x.jks")]).is_err());
    }
}
