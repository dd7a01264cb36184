//! Keeps secrets out of messages: what outside systems and their clients say may repeat what they were told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest text of an outside system that gets into a message, in characters.
const LONGEST: usize = 500;
/// What stands in place of a secret.
const MARK: &str = "[secret]";

/// The secrets of a data source, and the other ways to write them.
#[derive(Debug, Clone, Default)]
pub(super) struct Redaction {
    /// Longest first, so that a secret that has another within it goes as a whole.
    secrets: Vec<String>,
}

impl Redaction {
    /// For these secrets.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            all.extend([secret.to_owned(), escaped(secret), percent_encoded(secret)]);
            all.push(STANDARD.encode(secret));
            // Each line of a key is one, too.
            let lines = secret.lines().map(str::trim);
            all.extend(lines.filter(|line| line.len() >= 16).map(str::to_owned));
        }
        all.retain(|secret| !secret.is_empty());
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self { secrets: all }
    }

    /// One more secret: what is made of several, such as `user:password` in base64.
    pub(super) fn add(&mut self, secret: String) {
        if !secret.is_empty() && !self.secrets.contains(&secret) {
            let at = self.secrets.partition_point(|other| other.len() >= secret.len());
            self.secrets.insert(at, secret);
        }
    }

    /// The text without secrets and control characters, cut to a length that a message can have.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = without(&text, secret);
            }
        }
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut short: String = plain.take(LONGEST).collect();
        if text.chars().nth(LONGEST).is_some() {
            short.push('…');
        }
        short.trim().to_owned()
    }
}

/// The text with a mark in place of a secret. What is so short that it is part of many words is one only by itself.
fn without(text: &str, secret: &str) -> String {
    const SHORT: usize = 4;
    if secret.len() >= SHORT {
        return text.replace(secret, MARK);
    }
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(secret) {
        let (before, behind) = (&rest[..at], &rest[at + secret.len()..]);
        let in_word = before.ends_with(char::is_alphanumeric)
            || (before.is_empty() && clean.ends_with(char::is_alphanumeric))
            || behind.starts_with(char::is_alphanumeric);
        clean.push_str(before);
        clean.push_str(if in_word { secret } else { MARK });
        rest = behind;
    }
    clean + rest
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_in_every_spelling() {
        let secret = "canary/\"42\" ü";
        let mut redaction = Redaction::new([secret, "can", ""].into_iter());
        redaction.add("bWU6Y2FuYXJ5".to_owned());
        for text in [
            format!("password {secret} refused"),
            format!("in JSON \"{}\"", escaped(secret)),
            format!("https://me:{}@host", percent_encoded(secret)),
            format!("Authorization: {}", STANDARD.encode(secret)),
            "Basic bWU6Y2FuYXJ5".to_owned(),
            "a can of".to_owned(),
        ] {
            let clean = redaction.clean(&text);
            assert!(clean.contains(MARK), "{clean}");
            for sign in ["canary", "42", "can ", "bWU6"] {
                assert!(!clean.contains(sign), "{clean}");
            }
        }
    }

    #[test]
    fn short_secrets_are_not_looked_for_within_words() {
        let redaction = Redaction::new(["a1"].into_iter());
        let clean = redaction.clean("'a1' is refused; a1; data1 a1a1 Aa1");
        assert_eq!(clean, "'[secret]' is refused; [secret]; data1 a1a1 Aa1");
    }

    #[test]
    fn lines_of_keys_are_secret_by_themselves() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIcanaryMIIcanaryMII\n-----END PRIVATE KEY-----\n";
        let clean = Redaction::new([key].into_iter()).clean("cannot parse MIIcanaryMIIcanaryMII");
        assert_eq!(clean, format!("cannot parse {MARK}"));
    }

    #[test]
    fn texts_are_cut_and_have_no_control_characters() {
        let clean = Redaction::default().clean(&format!("a\r\n\u{1b}[31m{}", "x".repeat(1000)));
        assert!(clean.starts_with("a") && clean.ends_with('…'));
        assert!(!clean.chars().any(char::is_control));
        assert_eq!(clean.chars().count(), LONGEST + 1);
    }
}
