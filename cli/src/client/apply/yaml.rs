//! YAML as a tree whose every value knows its place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use tidegate_types::{Error, ErrorCode, Result};

use super::variables::Variables;

/// How deep lists and maps may be in each other.
const DEPTH: usize = 64;
/// Values of a file at most, those that anchors repeat included.
const VALUES: usize = 200_000;

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    file: Arc<str>,
    line: usize,
    column: usize,
}

impl Place {
    fn new(file: &Arc<str>, span: Span) -> Self {
        Self { file: Arc::clone(file), line: span.start.line(), column: span.start.col() + 1 }
    }

    /// An error of what is written here.
    pub(super) fn error(&self, message: impl fmt::Display) -> Error {
        Error::new(ErrorCode::InvalidOption, format!("{self}: {message}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A value as it is written: which type it has, its field says.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    /// With variables replaced; `expanded` if there were any.
    Text {
        text: String,
        expanded: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Node {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// The documents of a file; empty ones are left out.
///
/// # Errors
/// `INVALID_OPTION` with the place of what is no YAML, of a variable without value, of a key that is there twice.
pub(super) fn documents(file: &str, text: &str, variables: &Variables) -> Result<Vec<Node>> {
    let file: Arc<str> = Arc::from(file);
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        file: Arc::clone(&file),
        variables,
        anchors: BTreeMap::new(),
        values: 0,
    };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Nothing => {}
            event => {
                let node = reader.node(event, span, 0)?;
                if !matches!(node.value, Value::Null) {
                    documents.push(node);
                }
            }
        }
    }
    Ok(documents)
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    file: Arc<str>,
    variables: &'a Variables,
    /// What can be repeated, by the number of its anchor, with how many values it has.
    anchors: BTreeMap<usize, (Node, usize)>,
    values: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>> {
        let file = Arc::clone(&self.file);
        self.events.next().transpose().map_err(|error| {
            let at = Span::new(*error.marker(), *error.marker());
            Place::new(&file, at).error(format!("this is no YAML: {}", error.info()))
        })
    }

    fn inner(&mut self, of: &Place) -> Result<(Event<'a>, Span)> {
        self.next()?.ok_or_else(|| of.error("it does not end"))
    }

    fn count(&mut self, more: usize, place: &Place) -> Result<()> {
        self.values += more;
        match self.values > VALUES {
            true => Err(place.error(format!("there are more than {VALUES} values"))),
            false => Ok(()),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node> {
        let place = Place::new(&self.file, span);
        if depth > DEPTH {
            return Err(place.error(format!("it is more than {DEPTH} levels deep")));
        }
        let before = self.values;
        self.count(1, &place)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (self.scalar(&text, style, &place)?, anchor),
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.inner(&place)? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                (Value::List(items), anchor)
            }
            Event::MappingStart(anchor, _) => (self.map(&place, depth)?, anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let (node, values) =
                    known.ok_or_else(|| place.error("it repeats what is not there yet"))?;
                self.count(values, &place)?;
                return Ok(Node { value: node.value, place });
            }
            _ => return Err(place.error("a value is missing")),
        };
        let node = Node { value, place };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.values - before));
        }
        Ok(node)
    }

    fn map(&mut self, place: &Place, depth: usize) -> Result<Value> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let key = match self.inner(place)? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (Event::Scalar(text, ..), span) => {
                    Key { text: text.into_owned(), place: Place::new(&self.file, span) }
                }
                (_, span) => {
                    return Err(Place::new(&self.file, span).error("a key is a single word"));
                }
            };
            if let Some((before, _)) = entries.iter().find(|(known, _)| known.text == key.text) {
                let message = format!("'{}' is there already, at {}", key.text, before.place);
                return Err(key.place.error(message));
            }
            let (event, span) = self.inner(place)?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((key, value));
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, place: &Place) -> Result<Value> {
        if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Ok(Value::Null);
        }
        let expanded = text.contains("${");
        let text = self.variables.replaced(text, |_| place.to_string())?;
        Ok(Value::Text { text, expanded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Node>> {
        let defined = vec![("A".to_owned(), "x: y # z".to_owned())];
        documents("f.yaml", text, &Variables::new(defined, |_| None))
    }

    #[test]
    fn values_know_their_places_and_variables_are_no_syntax() {
        let read = read("a: ${A}\n---\n---\nb:\n  - 'c'\n").unwrap();
        assert_eq!(read.len(), 2);
        let Value::Map(entries) = &read[0].value else { panic!() };
        let Value::Text { text, expanded: true } = &entries[0].1.value else { panic!() };
        assert_eq!(
            (text.as_str(), entries[0].1.place.to_string()),
            ("x: y # z", "f.yaml:1:4".into())
        );
        let Value::Map(entries) = &read[1].value else { panic!() };
        let Value::List(items) = &entries[0].1.value else { panic!() };
        assert_eq!(items[0].place.to_string(), "f.yaml:5:5");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            ("a: 1\na: 2\n", "f.yaml:2:1: 'a' is there already, at f.yaml:1:1"),
            ("a: ${B}\n", "f.yaml:1:4: the variable 'B' has no value"),
            ("a: [1\n", "this is no YAML"),
            ("? [a]\n: 1\n", "a key is a single word"),
            (&"[".repeat(100), ""),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn anchors_repeat_and_do_not_explode() {
        let text = "a: &a {x: 1}\nb: *a\n";
        let Value::Map(entries) = &read(text).unwrap()[0].value else { panic!() };
        assert_eq!(entries[1].1.kind(), "a map");
        let mut text = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n".to_owned();
        for level in 1..10 {
            let many = vec![format!("*a{}", level - 1); 9].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{many}]\n"));
        }
        assert!(read(&text).unwrap_err().to_string().contains("more than"), "it explodes");
    }
}
