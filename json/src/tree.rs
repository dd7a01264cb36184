//! A JSON text as a flat list of nodes.
//!
//! Nodes stand in the order of the text: an array or object, then what is inside of it; `next` leads
//! past a value. Nothing is copied from the text, and the list's memory is used again for the next
//! one, so that reading a text allocates nothing once the list has its size.

use std::borrow::Cow;

use crate::cursor::{Cursor, Parse};
use crate::number;
use crate::string::{unescape, write_string};

/// Deepest nesting of arrays and objects, as in Jackson.
const MAX_DEPTH: usize = 1000;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number without point and exponent.
    Integer,
    /// Another number.
    Decimal,
    /// A string.
    String {
        /// Whether there is a backslash in it.
        escaped: bool,
    },
    /// An array of so many values.
    Array(u32),
    /// An object of so many members: keys and values in turns.
    Object(u32),
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// Bytes of the text: of a number, of a string between its quotes.
    start: u32,
    end: u32,
    /// The node behind this value.
    next: u32,
}

/// A node's place in its tree.
pub type NodeId = u32;

/// The nodes of a text; empty before the first one.
#[derive(Debug, Default)]
pub struct Nodes {
    nodes: Vec<Node>,
    /// Open arrays and objects while a text is read.
    open: Vec<u32>,
}

/// A text with its nodes.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    text: &'a str,
    nodes: &'a [Node],
}

impl Nodes {
    /// Reads a text: one value; what follows it is not looked at, as with Jackson.
    ///
    /// # Errors
    /// What is malformed, and where.
    pub fn read<'a>(&'a mut self, text: &'a str) -> Parse<Tree<'a>> {
        self.nodes.clear();
        self.open.clear();
        let mut cursor = Cursor::new(text.as_bytes());
        if u32::try_from(text.len()).is_err() {
            return cursor.fault("the text is longer than 4 GiB");
        }
        cursor.skip_space();
        loop {
            let opened = self.value(&mut cursor)?;
            if !opened && !self.close(&mut cursor)? {
                break;
            }
            if self.open.is_empty() {
                break;
            }
        }
        Ok(Tree { text, nodes: &self.nodes })
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { kind, start: start as u32, end: end as u32, next });
    }

    /// Reads a scalar, or the beginning of an array or object that is not empty (true).
    fn value(&mut self, cursor: &mut Cursor<'_>) -> Parse<bool> {
        let start = cursor.position;
        match cursor.peek() {
            Some(b'"') => self.string(cursor)?,
            Some(byte @ (b'{' | b'[')) => {
                cursor.position += 1;
                cursor.skip_space();
                let close = if byte == b'{' { b'}' } else { b']' };
                let kind = if byte == b'{' { Kind::Object(0) } else { Kind::Array(0) };
                self.push(kind, start, start);
                if cursor.peek() == Some(close) {
                    cursor.position += 1;
                    return Ok(false);
                }
                if self.open.len() == MAX_DEPTH {
                    return cursor.fault(format!("values are nested deeper than {MAX_DEPTH}"));
                }
                self.open.push(self.nodes.len() as u32 - 1);
                if byte == b'{' {
                    self.key(cursor)?;
                }
                return Ok(true);
            }
            Some(b'-' | b'0'..=b'9') => {
                let token = cursor.number()?;
                let kind = if token.integral { Kind::Integer } else { Kind::Decimal };
                self.push(kind, start, cursor.position);
            }
            Some(b't') => {
                cursor.word(b"true")?;
                self.push(Kind::Boolean(true), start, start);
            }
            Some(b'f') => {
                cursor.word(b"false")?;
                self.push(Kind::Boolean(false), start, start);
            }
            Some(b'n') => {
                cursor.word(b"null")?;
                self.push(Kind::Null, start, start);
            }
            _ => return cursor.unexpected("a JSON value"),
        }
        Ok(false)
    }

    fn string(&mut self, cursor: &mut Cursor<'_>) -> Parse<()> {
        let start = cursor.position + 1;
        let token = cursor.string()?;
        if let Some(control) = token.raw.iter().position(|byte| *byte < b' ') {
            cursor.position = start + control;
            return cursor.fault("a control character in a string is not escaped");
        }
        if token.escaped
            && let Some(offset) = malformed_escape(token.raw)
        {
            cursor.position = start + offset;
            return cursor.fault("an escape in a string is malformed");
        }
        self.push(Kind::String { escaped: token.escaped }, start, cursor.position - 1);
        Ok(())
    }

    fn key(&mut self, cursor: &mut Cursor<'_>) -> Parse<()> {
        if cursor.peek() != Some(b'"') {
            return cursor.unexpected("a key in double quotes");
        }
        self.string(cursor)?;
        cursor.expect(b':', "':'")
    }

    /// Behind a value: closes what ends here. Whether a value follows.
    fn close(&mut self, cursor: &mut Cursor<'_>) -> Parse<bool> {
        while let Some(open) = self.open.last().copied() {
            let behind = self.nodes.len() as u32;
            let node = &mut self.nodes[open as usize];
            let (count, close) = match &mut node.kind {
                Kind::Object(count) => (count, b'}'),
                Kind::Array(count) => (count, b']'),
                _ => return cursor.unexpected("an array or object"),
            };
            *count += 1;
            let is_object = close == b'}';
            if cursor.another(close)? {
                if is_object {
                    self.key(cursor)?;
                }
                return Ok(true);
            }
            node.next = behind;
            self.open.pop();
        }
        Ok(false)
    }
}

/// Where an escape is malformed.
fn malformed_escape(raw: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &raw[at..]) {
        let escape = at + found;
        at = escape + 2;
        match raw.get(escape + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
            Some(b'u') => {
                let digits = raw.get(escape + 2..escape + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Some(escape);
                }
                at = escape + 6;
            }
            _ => return Some(escape),
        }
    }
    None
}

impl<'a> Tree<'a> {
    /// The whole value.
    pub const ROOT: NodeId = 0;

    /// What a node is.
    pub fn kind(&self, node: NodeId) -> Kind {
        self.nodes[node as usize].kind
    }

    /// Whether a node is neither array nor object.
    pub fn is_scalar(&self, node: NodeId) -> bool {
        !matches!(self.kind(node), Kind::Array(_) | Kind::Object(_))
    }

    /// The text of a number or, with its escapes, of a string.
    pub fn raw(&self, node: NodeId) -> &'a str {
        let node = &self.nodes[node as usize];
        &self.text[node.start as usize..node.end as usize]
    }

    /// What a string means.
    pub fn string(&self, node: NodeId) -> Cow<'a, str> {
        let raw = self.raw(node);
        match self.kind(node) {
            Kind::String { escaped: true } => {
                let mut bytes = Vec::with_capacity(raw.len());
                // Escapes were checked when the text was read.
                let _ = unescape(raw.as_bytes(), &mut bytes);
                Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => Cow::Borrowed(raw),
        }
    }

    /// The values of an array.
    pub fn elements(&self, array: NodeId) -> impl Iterator<Item = NodeId> + use<'a> {
        let count = match self.kind(array) {
            Kind::Array(count) => count,
            _ => 0,
        };
        let nodes = self.nodes;
        let mut node = array + 1;
        (0..count).map(move |_| {
            let this = node;
            node = nodes[node as usize].next;
            this
        })
    }

    /// Keys and values of an object in the order of the text; a key may stand there twice.
    pub fn members(&self, object: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + use<'a> {
        let count = match self.kind(object) {
            Kind::Object(count) => count,
            _ => 0,
        };
        let nodes = self.nodes;
        let mut node = object + 1;
        (0..count).map(move |_| {
            let (key, value) = (node, node + 1);
            node = nodes[value as usize].next;
            (key, value)
        })
    }

    fn is_key(&self, key: NodeId, name: &str) -> bool {
        match self.kind(key) {
            Kind::String { escaped: true } => self.string(key) == name,
            _ => self.raw(key) == name,
        }
    }

    /// The value of a key: the last one, if it stands there twice.
    pub fn member(&self, object: NodeId, name: &str) -> Option<NodeId> {
        let found = self.members(object).filter(|(key, _)| self.is_key(*key, name));
        found.last().map(|(_, value)| value)
    }

    /// Members as a map of Java has them: each key once, where it stood first, with its last value.
    pub fn distinct_members(&self, object: NodeId) -> Vec<(Cow<'a, str>, NodeId)> {
        let mut members: Vec<(Cow<'a, str>, NodeId)> = Vec::new();
        let mut places: std::collections::HashMap<Cow<'a, str>, usize> = Default::default();
        for (key, value) in self.members(object) {
            let key = self.string(key);
            match places.get(&key) {
                Some(place) => members[*place].1 = value,
                None => {
                    places.insert(key.clone(), members.len());
                    members.push((key, value));
                }
            }
        }
        members
    }

    /// Appends a value as JSON text without white space: keys in their order by UTF-16 units,
    /// numbers as decimals.
    pub fn write(&self, node: NodeId, out: &mut String) {
        match self.kind(node) {
            Kind::Null => out.push_str("null"),
            Kind::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
            Kind::Integer | Kind::Decimal => number::write(self.raw(node), out),
            Kind::String { .. } => write_text(&self.string(node), out),
            Kind::Array(_) => {
                out.push('[');
                for (index, element) in self.elements(node).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    self.write(element, out);
                }
                out.push(']');
            }
            Kind::Object(_) => {
                let mut members = self.distinct_members(node);
                members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    self.write(*value, out);
                }
                out.push('}');
            }
        }
    }

    /// Appends a scalar as text: a string without quotes.
    pub fn write_scalar(&self, node: NodeId, out: &mut String) {
        match self.kind(node) {
            Kind::String { .. } => out.push_str(&self.string(node)),
            _ => self.write(node, out),
        }
    }
}

/// Appends a text as a JSON string.
pub fn write_text(text: &str, out: &mut String) {
    let mut bytes = std::mem::take(out).into_bytes();
    write_string(text.as_bytes(), &mut bytes);
    // Escaping changes ASCII characters only.
    *out = String::from_utf8(bytes).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<String, String> {
        let mut nodes = Nodes::default();
        let tree =
            nodes.read(text).map_err(|fault| format!("{} {}", fault.offset, fault.message))?;
        let mut out = String::new();
        tree.write(Tree::ROOT, &mut out);
        Ok(out)
    }

    #[test]
    fn texts_are_read_and_written() {
        let text =
            r#" { "b" : [ 1 , 2.50 , {} , [] ] , "a" : "\u00e4\n" , "c" : null, "b": [true] } x"#;
        assert_eq!(written(text).unwrap(), "{\"a\":\"ä\\n\",\"b\":[true],\"c\":null}");
        assert_eq!(written("1e3").unwrap(), "1E+3");
        assert_eq!(written("[[[]],{\"x\":{}}]").unwrap(), "[[[]],{\"x\":{}}]");
    }

    #[test]
    fn what_is_malformed_is_located() {
        for text in [
            "",
            "{",
            "[1,",
            "{'a':1}",
            "{\"a\":01}",
            "[1 2]",
            "nul",
            "\"a\nb\"",
            "\"\\x\"",
            "{\"a\"}",
            "-",
            "[1,]",
            "{\"a\":1,}",
        ] {
            assert!(written(text).is_err(), "{text}");
        }
        assert!(written(&"[".repeat(2_000)).is_err());
        assert!(written(&format!("{}1{}", "[".repeat(900), "]".repeat(900))).is_ok());
    }

    #[test]
    fn members_are_found() {
        let mut nodes = Nodes::default();
        let tree = nodes.read(r#"{"a":{"x":[1,2]},"\u0062":3,"a":4}"#).unwrap();
        let value = |name| tree.member(Tree::ROOT, name).map(|node| tree.raw(node));
        assert_eq!(value("a"), Some("4"));
        assert_eq!(value("b"), Some("3"));
        assert_eq!(value("c"), None);
    }
}
