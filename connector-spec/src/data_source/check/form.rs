//! What the text of a parameter must be beyond its kind: hosts, URLs, PEM, folders, buckets, headers.

use url::Url;

use super::{Wrong, has_lines};
use crate::data_source::listed::{addresses, headers, is_host};
use crate::data_source::spec::{Form, ParameterSpec};

/// Headers that a request gets by itself.
const OWN_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"];

pub(super) fn fault(parameter: &ParameterSpec, text: &str) -> Option<Wrong> {
    let control = |c: char| c.is_control() && !(has_lines(parameter.form) && c.is_whitespace());
    if text.chars().any(control) {
        return Some(Wrong::new("has line breaks or other control characters"));
    }
    match parameter.form {
        Form::Line => None,
        Form::Host => {
            let wrong = || {
                Wrong::new("is neither a host name nor an address")
                    .help("give the name alone, without scheme, port or path")
            };
            (!is_host(text)).then(wrong)
        }
        Form::Addresses => match addresses(text) {
            Err(part) => Some(
                Wrong::new(format!("has '{part}', which is not host:port"))
                    .help("write it like kafka1.example:9092,kafka2.example:9092"),
            ),
            Ok(all) if all.is_empty() => Some(Wrong::new("names no address")),
            Ok(_) => None,
        },
        Form::Url(schemes) => url(text, schemes),
        Form::Urls(schemes) => {
            let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let mut wrong = parts.clone().filter_map(|part| url(part, schemes));
            wrong.next().or_else(|| parts.next().is_none().then(|| Wrong::new("names no address")))
        }
        Form::Pem => pem(text, if parameter.secret { "PRIVATE KEY" } else { "CERTIFICATE" }),
        Form::Folder => {
            let absolute = text.starts_with('/');
            let dots = text.split('/').any(|part| part == "." || part == "..");
            let wrong = || Wrong::new("is not an absolute path without '.' and '..'");
            (!absolute || dots || text.contains(['*', '?'])).then(wrong)
        }
        Form::Bucket => {
            let letter = |b: u8| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_')
            };
            let fits = (3..=63).contains(&text.len()) && text.bytes().all(letter);
            (!fits).then(|| {
                Wrong::new("is not a name that a bucket can have")
                    .help("3 to 63 small letters, digits, '-', '.'; no path, no URL")
            })
        }
        Form::Headers => header_fault(text),
    }
}

/// A URL of one of the schemes, with a host and nothing that would be lost or shown.
fn url(text: &str, schemes: &[&str]) -> Option<Wrong> {
    let example = format!("write it like {}://host.example/", schemes.first().unwrap_or(&"https"));
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else {
        return Some(Wrong::new("is not a URL with a host").help(example));
    };
    if !schemes.contains(&url.scheme()) {
        return Some(Wrong::new(format!("does not begin with {}://", schemes.join(":// or "))));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(
            Wrong::new("has a user or password in it")
                .help("they would be shown: set the parameters for them"),
        );
    }
    let more = url.query().is_some() || url.fragment().is_some();
    more.then(|| Wrong::new("has '?' or '#' in it").help(example))
}

fn pem(text: &str, label: &str) -> Option<Wrong> {
    let begins = text.lines().any(|line| {
        let line = line.trim();
        line.starts_with("-----BEGIN ") && line.ends_with(&format!("{label}-----"))
    });
    let ends = text.lines().any(|line| line.trim().starts_with("-----END "));
    (!begins || !ends).then(|| {
        Wrong::new("is not PEM text of the right kind")
            .help(format!("paste it whole, from -----BEGIN {label}----- to -----END {label}-----"))
    })
}

fn header_fault(text: &str) -> Option<Wrong> {
    let pairs = match headers(text) {
        Ok(pairs) => pairs,
        Err(part) => return Some(Wrong::new(format!("has '{part}', which is not Name:value"))),
    };
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    pairs.into_iter().find_map(|(name, _)| {
        let lower = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(token) {
            Some(Wrong::new(format!("has '{name}', which is not the name of a header")))
        } else if lower == "authorization" {
            Some(
                Wrong::new("sets 'Authorization', which would be shown")
                    .help("use 'authentication' with its parameters, which are kept secret"),
            )
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            Some(Wrong::new(format!("sets '{name}', which each request sets itself")))
        } else {
            None
        }
    })
}
