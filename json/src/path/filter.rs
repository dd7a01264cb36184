//! Filters: `[?(@.price < 10 && @.name =~ /a.*/i)]`.

use std::borrow::Cow;

use regex::Regex;

use super::Step;
use super::parse::{self, Text};
use super::select::{Found, find};
use crate::tree::{Kind, NodeId, Tree};

/// Deepest nesting of brackets.
const MAX_DEPTH: usize = 64;

/// A condition on a value.
#[derive(Debug)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// `@.a`: whether something is there.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Contains,
    Size,
    Empty,
}

#[derive(Debug)]
pub(super) enum Operand {
    /// `@…` (true) or `$…`
    Path(bool, Vec<Step>),
    Text(String),
    Number(f64),
    Boolean(bool),
    Null,
    List(Vec<Operand>),
}

/// Reads a condition up to its closing bracket.
pub(super) fn parse(text: &mut Text<'_>) -> Result<Filter, String> {
    or(text, 0)
}

fn or(text: &mut Text<'_>, depth: usize) -> Result<Filter, String> {
    if depth > MAX_DEPTH {
        return text.wrong("fewer brackets inside each other");
    }
    let mut parts = vec![and(text, depth)?];
    loop {
        text.skip_space();
        if !text.take("||") {
            break;
        }
        parts.push(and(text, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
}

fn and(text: &mut Text<'_>, depth: usize) -> Result<Filter, String> {
    let mut parts = vec![term(text, depth)?];
    loop {
        text.skip_space();
        if !text.take("&&") {
            break;
        }
        parts.push(term(text, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
}

fn term(text: &mut Text<'_>, depth: usize) -> Result<Filter, String> {
    text.skip_space();
    if text.rest().starts_with('!') {
        text.next();
        return Ok(Filter::Not(Box::new(term(text, depth + 1)?)));
    }
    if text.take("(") {
        let inner = or(text, depth + 1)?;
        text.skip_space();
        return if text.take(")") { Ok(inner) } else { text.wrong("')'") };
    }
    let left = operand(text)?;
    text.skip_space();
    if text.take("=~") {
        text.skip_space();
        return Ok(Filter::Matches(left, expression(text)?));
    }
    let operators = [
        ("===", Comparison::Equal),
        ("!==", Comparison::NotEqual),
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<>", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("nin", Comparison::NotIn),
        ("in", Comparison::In),
        ("contains", Comparison::Contains),
        ("size", Comparison::Size),
        ("empty", Comparison::Empty),
    ];
    let found = operators.into_iter().find(|(name, _)| {
        text.rest().get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    });
    match (found, &left) {
        (Some((name, comparison)), _) => {
            (0..name.len()).for_each(|_| {
                text.next();
            });
            text.skip_space();
            Ok(Filter::Compare(left, comparison, operand(text)?))
        }
        (None, Operand::Path(..)) => Ok(Filter::Exists(left)),
        (None, _) => text.wrong("an operator"),
    }
}

/// `/expression/i`
fn expression(text: &mut Text<'_>) -> Result<Regex, String> {
    if !text.take("/") {
        return text.wrong("a regular expression between slashes");
    }
    let mut source = String::new();
    loop {
        match text.next() {
            None => return text.wrong("the end of the regular expression"),
            Some('\\') if text.take("/") => source.push('/'),
            Some('/') => break,
            Some(c) => source.push(c),
        }
    }
    let flags = if text.take("i") { "(?i)" } else { "" };
    Regex::new(&format!("{flags}^(?:{source})$"))
        .map_err(|error| format!("'{source}' is no regular expression: {error}"))
}

fn operand(text: &mut Text<'_>) -> Result<Operand, String> {
    text.skip_space();
    match text.peek() {
        Some(start @ ('@' | '$')) => {
            text.next();
            let ends = |c: Option<char>| match c {
                None => true,
                Some(c) => c.is_whitespace() || "=<>!&|),]~".contains(c),
            };
            Ok(Operand::Path(start == '@', parse::steps(text, &ends)?))
        }
        Some(quote @ ('\'' | '"')) => {
            text.next();
            Ok(Operand::Text(text.quoted(quote)?))
        }
        Some('[') => {
            text.next();
            let mut items = Vec::new();
            loop {
                text.skip_space();
                if text.take("]") {
                    return Ok(Operand::List(items));
                }
                if !items.is_empty() && !text.take(",") {
                    return text.wrong("',' or ']'");
                }
                items.push(operand(text)?);
            }
        }
        _ => literal(text),
    }
}

fn literal(text: &mut Text<'_>) -> Result<Operand, String> {
    for (word, value) in [
        ("true", Operand::Boolean(true)),
        ("false", Operand::Boolean(false)),
        ("null", Operand::Null),
    ] {
        if text.take(word) {
            return Ok(value);
        }
    }
    let is_part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let length: usize = text.rest().chars().take_while(|c| is_part(*c)).map(char::len_utf8).sum();
    match text.rest()[..length].parse() {
        Ok(number) if length > 0 => {
            (0..length).for_each(|_| {
                text.next();
            });
            Ok(Operand::Number(number))
        }
        _ => text.wrong("a path, a text in quotes, a number, true, false or null"),
    }
}

/// A value to compare.
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Boolean(bool),
    Null,
    Node(NodeId),
    List(Vec<Value<'a>>),
    /// A path that leads nowhere.
    Nothing,
}

impl Filter {
    pub(super) fn accepts(&self, tree: &Tree<'_>, node: NodeId, root: NodeId) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.accepts(tree, node, root)),
            Self::Or(parts) => parts.iter().any(|part| part.accepts(tree, node, root)),
            Self::Not(part) => !part.accepts(tree, node, root),
            Self::Exists(operand) => match operand.value(tree, node, root) {
                Value::Nothing => false,
                Value::List(items) => !items.is_empty(),
                _ => true,
            },
            Self::Matches(operand, expression) => match operand.value(tree, node, root) {
                Value::Text(text) => expression.is_match(&text),
                _ => false,
            },
            Self::Compare(left, comparison, right) => compare(
                &left.value(tree, node, root),
                *comparison,
                &right.value(tree, node, root),
                tree,
            ),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, tree: &Tree<'a>, node: NodeId, root: NodeId) -> Value<'a> {
        match self {
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Number(number) => Value::Number(*number),
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Null => Value::Null,
            Self::List(items) => {
                Value::List(items.iter().map(|item| item.value(tree, node, root)).collect())
            }
            Self::Path(current, steps) => {
                match find(steps, tree, if *current { node } else { root }, root) {
                    Ok(found) => value_of(&found, tree),
                    Err(_) => Value::Nothing,
                }
            }
        }
    }
}

fn value_of<'a>(found: &Found<'a>, tree: &Tree<'a>) -> Value<'a> {
    match found {
        Found::Node(node) => node_value(*node, tree),
        Found::Number(text) => text.parse().map_or(Value::Nothing, Value::Number),
        Found::Key(key) => Value::Text(key.clone()),
        Found::List(items) => Value::List(items.iter().map(|item| value_of(item, tree)).collect()),
        Found::Members(members) => {
            Value::List(members.iter().map(|(_, node)| node_value(*node, tree)).collect())
        }
    }
}

fn node_value<'a>(node: NodeId, tree: &Tree<'a>) -> Value<'a> {
    match tree.kind(node) {
        Kind::Null => Value::Null,
        Kind::Boolean(value) => Value::Boolean(value),
        Kind::Integer | Kind::Decimal => {
            tree.raw(node).parse().map_or(Value::Nothing, Value::Number)
        }
        Kind::String { .. } => Value::Text(tree.string(node)),
        Kind::Array(_) | Kind::Object(_) => Value::Node(node),
    }
}

fn equal(left: &Value<'_>, right: &Value<'_>, tree: &Tree<'_>) -> bool {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        // A number is what its text says.
        (Value::Number(a), Value::Text(b)) | (Value::Text(b), Value::Number(a)) => {
            b.parse() == Ok(*a)
        }
        (Value::Boolean(a), Value::Boolean(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Node(a), Value::Node(b)) => {
            let text = |node: NodeId| {
                let mut out = String::new();
                tree.write(node, &mut out);
                out
            };
            text(*a) == text(*b)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, tree))
        }
        (Value::Node(node), Value::List(items)) | (Value::List(items), Value::Node(node)) => {
            elements(*node, tree).is_some_and(|elements| {
                elements.len() == items.len()
                    && elements.iter().zip(items).all(|(a, b)| equal(a, b, tree))
            })
        }
        _ => false,
    }
}

fn elements<'a>(node: NodeId, tree: &Tree<'a>) -> Option<Vec<Value<'a>>> {
    match tree.kind(node) {
        Kind::Array(_) => Some(tree.elements(node).map(|node| node_value(node, tree)).collect()),
        _ => None,
    }
}

fn compare(left: &Value<'_>, comparison: Comparison, right: &Value<'_>, tree: &Tree<'_>) -> bool {
    let order = || match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
        _ => None,
    };
    let among = |list: &Value<'_>, wanted: &Value<'_>| match list {
        Value::List(items) => items.iter().any(|item| equal(item, wanted, tree)),
        Value::Node(node) => elements(*node, tree)
            .is_some_and(|items| items.iter().any(|item| equal(item, wanted, tree))),
        _ => false,
    };
    let size = || match left {
        Value::Text(text) => Some(text.encode_utf16().count()),
        Value::List(items) => Some(items.len()),
        Value::Node(node) => match tree.kind(*node) {
            Kind::Array(count) => Some(count as usize),
            _ => Some(tree.distinct_members(*node).len()),
        },
        _ => None,
    };
    match comparison {
        Comparison::Equal => equal(left, right, tree),
        Comparison::NotEqual => !equal(left, right, tree),
        Comparison::Less => order().is_some_and(|order| order.is_lt()),
        Comparison::LessOrEqual => order().is_some_and(|order| order.is_le()),
        Comparison::Greater => order().is_some_and(|order| order.is_gt()),
        Comparison::GreaterOrEqual => order().is_some_and(|order| order.is_ge()),
        Comparison::In => among(right, left),
        Comparison::NotIn => !among(right, left),
        Comparison::Contains => match (left, right) {
            (Value::Text(text), Value::Text(part)) => text.contains(part.as_ref()),
            _ => among(left, right),
        },
        Comparison::Size => {
            matches!(right, Value::Number(number) if size().is_some_and(|size| size as f64 == *number))
        }
        Comparison::Empty => {
            matches!(right, Value::Boolean(wanted) if size().is_some_and(|size| (size == 0) == *wanted))
        }
    }
}
