//! URLs: their parts, and the encoding of texts inside them.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::ArrayRef;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, may_be_null, text};
use crate::vector::{self, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("PARSE_URL", "A part of a URL: HOST, PATH, QUERY, REF, …", bind_parse, parse_url),
    Function::new("URL_ENCODE", "The text as it stands in a form's data", bind_code, url_encode),
    Function::new("URL_DECODE", "The text that form data stand for", bind_code, url_decode),
];

fn bind_parse(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    let arguments = (0..args.len()).map(|i| text(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(may_be_null(arguments, TypeKind::STRING))
}

fn bind_code(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(may_be_null(vec![text(args, 0)?], TypeKind::STRING))
}

/// A URL cut at its separators, without decoding.
struct Url<'a> {
    protocol: &'a str,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (protocol, rest) = text.split_once(':')?;
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if protocol.is_empty() || !protocol.bytes().all(name) {
            return None;
        }
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, rest),
        };
        Some(Self { protocol, authority, path, query, fragment })
    }

    /// What stands before the host, and the host without its port.
    fn user_and_host(&self) -> (Option<&'a str>, &'a str) {
        let authority = self.authority.unwrap_or("");
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let host = match address.rsplit_once(':') {
            // The colons of an IPv6 address are inside brackets.
            Some((host, port)) if !port.contains(']') => host,
            _ => address,
        };
        (user, host)
    }

    /// Writes a part; false if the URL does not have it.
    fn write_part(&self, part: &str, out: &mut String) -> bool {
        let value = match part {
            "HOST" => Some(self.user_and_host().1),
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.fragment,
            "PROTOCOL" => Some(self.protocol),
            "AUTHORITY" => self.authority,
            "USERINFO" => self.user_and_host().0,
            "FILE" => {
                out.push_str(self.path);
                if let Some(query) = self.query {
                    out.push('?');
                    out.push_str(query);
                }
                return true;
            }
            _ => None,
        };
        value.map(|value| out.push_str(value)).is_some()
    }

    /// The value of a key of the query.
    fn query_value(&self, key: &str) -> Option<&'a str> {
        self.query?.split('&').find_map(|pair| match pair.split_once('=') {
            Some((name, value)) if name == key => Some(value),
            _ => None,
        })
    }
}

fn parse_url(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [url, part, rest @ ..] = values else {
        return Err(Error::internal("PARSE_URL takes two or three arguments"));
    };
    let (urls, parts) = (TextLane::new(url)?, TextLane::new(part)?);
    let keys = rest.first().map(TextLane::new).transpose()?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let Some(url) = Url::parse(urls.get(row)) else {
            return Ok(false);
        };
        let part = parts.get(row);
        let Some(keys) = keys else {
            return Ok(url.write_part(part, out));
        };
        let value = if part == "QUERY" { url.query_value(keys.get(row)) } else { None };
        Ok(value.map(|value| out.push_str(value)).is_some())
    })?;
    Ok(Arc::new(result))
}

fn coded(
    values: &[Value],
    context: &KernelContext<'_>,
    write: impl Fn(&str, &mut String) -> bool,
) -> Result<ArrayRef> {
    let [value] = values else {
        return Err(Error::internal(format!("{} takes one argument", context.name)));
    };
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let result =
        vector::map_text(context.rows, nulls.as_ref(), |row, out| Ok(write(texts.get(row), out)))?;
    Ok(Arc::new(result))
}

fn url_encode(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    coded(values, context, |text, out| {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                    out.push(char::from(byte));
                }
                b' ' => out.push('+'),
                other => {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "%{other:02X}");
                }
            }
        }
        true
    })
}

fn url_decode(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    coded(values, context, |text, out| match decoded(text) {
        Some(bytes) => {
            out.push_str(&String::from_utf8_lossy(&bytes));
            true
        }
        None => false,
    })
}

/// The bytes of form data; none if a percent sign has no two digits.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16).map(|value| value as u8);
                let high = digit()?;
                (high << 4) | digit()?
            }
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, over, show, text};

    #[test]
    fn parts_of_a_url() {
        let url = "http://user:pw@h.org:80/p/q?a=1&b=2#frag";
        let part = |part| show(&call("PARSE_URL", vec![text(url), text(part)]));
        assert_eq!(part("HOST").as_deref(), Some("h.org"));
        assert_eq!(part("PATH").as_deref(), Some("/p/q"));
        assert_eq!(part("QUERY").as_deref(), Some("a=1&b=2"));
        assert_eq!(part("REF").as_deref(), Some("frag"));
        assert_eq!(part("PROTOCOL").as_deref(), Some("http"));
        assert_eq!(part("AUTHORITY").as_deref(), Some("user:pw@h.org:80"));
        assert_eq!(part("USERINFO").as_deref(), Some("user:pw"));
        assert_eq!(part("FILE").as_deref(), Some("/p/q?a=1&b=2"));
        assert_eq!(part("NONE"), None);
        let value = call("PARSE_URL", vec![text(url), text("QUERY"), text("b")]);
        assert_eq!(show(&value).as_deref(), Some("2"));
        let got = over(&[Some("no url"), None], |s| call("PARSE_URL", vec![s, text("HOST")]));
        assert_eq!(got, [None, None]);
    }

    #[test]
    fn form_data_both_ways() {
        let encoded = show(&call("URL_ENCODE", vec![text("a b&ä")]));
        assert_eq!(encoded.as_deref(), Some("a+b%26%C3%A4"));
        let decode = |source| show(&call("URL_DECODE", vec![text(source)]));
        assert_eq!(decode("a+b%26%C3%A4").as_deref(), Some("a b&ä"));
        assert_eq!(decode("%2"), None);
    }
}
