//! LIKE and SIMILAR TO.
//!
//! A LIKE pattern becomes the cheapest test that decides it: equality, start, end, part, or in
//! general a walk over the characters with one place to return to. SIMILAR TO becomes a regular
//! expression. Constant patterns are prepared once.

use std::sync::Arc;

use arrow::array::ArrayRef;
use memchr::memmem::Finder;
use regex::Regex;
use tidegate_plan::Scalar;
use tidegate_types::{Error, Result, TypeKind};

use super::regex::compile;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, fail, texts_to};
use crate::vector::{self, TextLane, constant_text, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("LIKE", "Whether a text has the form of a pattern with % and _", bind_like, like),
    Function::new("SIMILAR TO", "Whether a text matches an SQL expression", bind_similar, similar)
        .fallible(),
];

/// Whether a text has the form of a pattern with `%` and `_`; `escape` takes the meaning from the
/// character behind it.
///
/// # Errors
/// `SQL_SEMANTIC` if the escape stands before nothing that it could escape.
pub fn is_like(text: &str, pattern: &str, escape: Option<char>) -> Result<bool> {
    let matcher = Matcher::new(pattern, escape).map_err(fail)?;
    Ok(matcher.matches(text))
}

fn bind_like(args: &[Argument]) -> Result<Signature> {
    let signature = bind(args)?;
    if let (Some(pattern), Some(escape)) = (constant(args, 1), constant(args, 2)) {
        let escape = escape_character(escape).map_err(fail)?;
        parse(pattern, Some(escape)).map_err(fail)?;
    }
    Ok(signature)
}

fn bind_similar(args: &[Argument]) -> Result<Signature> {
    let signature = bind(args)?;
    if let Some(pattern) = constant(args, 1) {
        let escape = constant(args, 2).map(escape_character).transpose().map_err(fail)?;
        compile_similar(pattern, escape).map_err(fail)?;
    }
    Ok(signature)
}

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    texts_to(args, TypeKind::Boolean)
}

fn constant(args: &[Argument], index: usize) -> Option<&str> {
    match &args.get(index)?.literal.as_ref()?.value {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

fn escape_character(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(format!("'{text}' is not one character, as ESCAPE needs")),
    }
}

/// A part of a LIKE pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Character(char),
    AnyCharacter,
    AnyText,
}

fn parse(pattern: &str, escape: Option<char>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        parts.push(match c {
            _ if Some(c) == escape => match characters.next() {
                Some(next) if next == '%' || next == '_' || next == c => Part::Character(next),
                _ => {
                    return Err(format!("'{pattern}' has an escape before nothing to escape"));
                }
            },
            '%' => Part::AnyText,
            '_' => Part::AnyCharacter,
            other => Part::Character(other),
        });
    }
    parts.dedup_by(|a, b| *a == Part::AnyText && *b == Part::AnyText);
    Ok(parts)
}

/// A prepared LIKE pattern.
enum Matcher {
    Equal(String),
    Start(String),
    End(String),
    Contains(Box<Finder<'static>>),
    General(Vec<Part>),
}

impl Matcher {
    fn new(pattern: &str, escape: Option<char>) -> Result<Self, String> {
        let parts = parse(pattern, escape)?;
        let any_start = parts.first() == Some(&Part::AnyText);
        let any_end = parts.len() > 1 && parts.last() == Some(&Part::AnyText);
        let inner = &parts[usize::from(any_start)..parts.len() - usize::from(any_end)];
        let text: Option<String> = inner
            .iter()
            .map(|part| match part {
                Part::Character(c) => Some(*c),
                _ => None,
            })
            .collect();
        Ok(match (text, any_start, any_end) {
            (Some(text), false, false) => Self::Equal(text),
            (Some(text), false, true) => Self::Start(text),
            (Some(text), true, false) => Self::End(text),
            (Some(text), true, true) => {
                Self::Contains(Box::new(Finder::new(text.as_bytes()).into_owned()))
            }
            (None, ..) => Self::General(parts),
        })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equal(wanted) => text == wanted,
            Self::Start(start) => text.starts_with(start.as_str()),
            Self::End(end) => text.ends_with(end.as_str()),
            Self::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Self::General(parts) => matches_parts(parts, text),
        }
    }
}

/// Matches from left to right. After a mismatch the last `%` takes one character more: earlier
/// ones never need to be tried again.
fn matches_parts(parts: &[Part], text: &str) -> bool {
    let (mut part, mut rest) = (0, text.chars());
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let mut ahead = rest.clone();
        let next = ahead.next();
        let matched = match (parts.get(part), next) {
            (Some(Part::AnyText), _) => {
                part += 1;
                retry = Some((part, rest.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(Part::Character(wanted)), Some(c)) => *wanted == c,
            // As in Java's expressions, it stands for no end of a line.
            (Some(Part::AnyCharacter), Some(c)) => c != '\n' && c != '\r',
            (Some(_), None) | (None, Some(_)) => false,
        };
        if matched {
            part += 1;
            rest = ahead;
            continue;
        }
        let Some((after, from)) = &mut retry else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        part = *after;
        rest = from.clone();
    }
}

/// Tests each row with the prepared pattern, or prepares the pattern of each row.
fn with_patterns<M: Send + Sync + 'static>(
    values: &[Value],
    context: &KernelContext<'_>,
    prepare: impl Fn(&str, Option<char>) -> Result<M, String>,
    matches: impl Fn(&M, &str) -> bool,
) -> Result<ArrayRef> {
    let [text, pattern, rest @ ..] = values else {
        return Err(Error::internal(format!("{} takes two or three arguments", context.name)));
    };
    let texts = TextLane::new(text)?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let build = |pattern: &str, escape: Option<&str>| {
        let escape = escape.map(escape_character).transpose();
        escape.and_then(|escape| prepare(pattern, escape)).map_err(|e| context.error(e))
    };
    let constants = rest.iter().all(|escape| constant_text(escape).is_some());
    if let (Some(pattern), true) = (constant_text(pattern), constants) {
        let escape = rest.first().and_then(constant_text);
        let matcher = context.prepared.get_or_try(|| build(pattern, escape))?;
        let result =
            vector::map_boolean(context.rows, nulls, |row| matches(matcher, texts.get(row)));
        return Ok(Arc::new(result));
    }
    let patterns = TextLane::new(pattern)?;
    let escapes = rest.first().map(TextLane::new).transpose()?;
    let mut failure = None;
    let result = vector::map_boolean(context.rows, nulls, |row| {
        let escape = escapes.map(|escapes| escapes.get(row));
        match build(patterns.get(row), escape) {
            Ok(matcher) => matches(&matcher, texts.get(row)),
            Err(error) => {
                failure.get_or_insert(error);
                false
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(Arc::new(result)),
    }
}

fn like(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    with_patterns(values, context, Matcher::new, Matcher::matches)
}

fn similar(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    with_patterns(values, context, compile_similar, |regex: &Regex, text| regex.is_match(text))
}

/// An SQL expression as a regular one: `%` and `_` are wildcards, `| * + ? {} () []` as usual,
/// everything else stands for itself.
fn compile_similar(pattern: &str, escape: Option<char>) -> Result<Regex, String> {
    let mut out = String::from(r"\A(?:");
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            _ if Some(c) == escape => match characters.next() {
                Some(next) => out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4]))),
                None => return Err(format!("'{pattern}' has an escape before nothing")),
            },
            '%' => out.push_str("(?s:.*)"),
            '_' => out.push('.'),
            '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' => out.push(c),
            '[' => push_class(&mut characters, pattern, &mut out)?,
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(r")\z");
    compile(&out).map_err(|error| format!("'{pattern}' is not an SQL expression: {error}"))
}

/// A class up to its bracket, with SQL's names of sets such as `[:ALPHA:]`.
fn push_class(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    pattern: &str,
    out: &mut String,
) -> Result<(), String> {
    let unfinished = || format!("'{pattern}' has a bracket without an end");
    out.push('[');
    loop {
        match characters.next().ok_or_else(unfinished)? {
            ']' => break,
            '[' if characters.peek() == Some(&':') => {
                let mut name = String::new();
                loop {
                    match characters.next().ok_or_else(unfinished)? {
                        ']' => break,
                        c => name.push(c),
                    }
                }
                out.push_str(match name.as_str() {
                    ":ALPHA:" => "[:alpha:]",
                    ":UPPER:" => "[:upper:]",
                    ":LOWER:" => "[:lower:]",
                    ":DIGIT:" => "[:digit:]",
                    ":ALNUM:" => "[:alnum:]",
                    ":SPACE:" => " ",
                    ":WHITESPACE:" => "[:space:]",
                    _ => return Err(format!("'{pattern}' names the unknown set [{name}]")),
                });
            }
            c @ ('^' | '-') => out.push(c),
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, null, over, show, text, try_call};

    fn matches(value: &str, pattern: &str) -> bool {
        Matcher::new(pattern, None).unwrap().matches(value)
    }

    #[test]
    fn wildcards() {
        for (value, pattern) in [
            ("abc", "a%"),
            ("abc", "_b_"),
            ("", "%"),
            ("", ""),
            ("abc", "%b%"),
            ("[x]", "[x]"),
            ("abc", "a%%c"),
            ("日本語", "_本_"),
            ("aXbXc", "a%X_"),
            ("abab", "%ab"),
            ("aab", "%ab"),
            ("x\ny", "x%y"),
            ("a_c", "a_c"),
            ("mississippi", "m%iss%pi"),
        ] {
            assert!(matches(value, pattern), "{value} LIKE {pattern}");
        }
        for (value, pattern) in [
            ("abc", "A%"),
            ("abc", ""),
            ("abc", "ab"),
            ("abc", "a.c"),
            ("a_c", "a\\_c"),
            ("ab", "_"),
            ("abc", "%d%"),
            ("mississippi", "m%iss%pix"),
            ("", "_"),
            ("\n", "_"),
        ] {
            assert!(!matches(value, pattern), "{value} NOT LIKE {pattern}");
        }
    }

    #[test]
    fn escapes() {
        let like = |value, pattern, escape| {
            show(&call("LIKE", vec![text(value), text(pattern), text(escape)]))
        };
        assert_eq!(like("a%c", "a!%c", "!").as_deref(), Some("TRUE"));
        assert_eq!(like("abc", "a!%c", "!").as_deref(), Some("FALSE"));
        assert_eq!(like("a_c", "a\\_c", "\\").as_deref(), Some("TRUE"));
        assert!(try_call("LIKE", vec![text("abc"), text("abX"), text("X")]).is_err());
        assert!(try_call("LIKE", vec![text("abc"), text("ab"), text("XX")]).is_err());
    }

    #[test]
    fn patterns_may_be_columns_or_null() {
        let got = over(&[Some("a%"), Some("b%"), None], |s| call("LIKE", vec![text("abc"), s]));
        assert_eq!(got, [Some("TRUE"), Some("FALSE"), None].map(|v| v.map(str::to_owned)));
        assert_eq!(show(&call("LIKE", vec![text("a"), null(TypeKind::STRING)])), None);
    }

    #[test]
    fn sql_expressions() {
        let similar = |value, pattern| {
            show(&call("SIMILAR TO", vec![text(value), text(pattern)])).as_deref() == Some("TRUE")
        };
        assert!(similar("abc", "(a|b)%"));
        assert!(similar("abc", "a(b|x)c"));
        assert!(!similar("abc", "ab"));
        assert!(similar("abc", "[a-c]+"));
        assert!(similar("abc", "_{3}"));
        assert!(!similar("abc", "a.c"));
        assert!(similar("a1", "[[:ALPHA:]][[:DIGIT:]]"));
        assert!(try_call("SIMILAR TO", vec![text("a"), text("(")]).is_err());
    }
}
