//! The syntax of paths.

use super::filter;
use super::{Function, Path, Step};

/// Longest path that is read.
const LONGEST: usize = 64 << 10;

/// A place in a path's text.
pub(super) struct Text<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    pub(super) fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        let found = self.peek().map_or_else(|| "its end".to_owned(), |c| format!("'{c}'"));
        let column = self.text[..self.at].chars().count() + 1;
        let text = self.text;
        Err(format!("the path '{text}' has {found} at character {column}, expected {expected}"))
    }

    /// A text in single or double quotes, whose quote was taken.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut out = String::new();
        loop {
            match self.next() {
                None => return self.wrong("the end of a text in quotes"),
                Some('\\') => match self.next() {
                    Some(c) => out.push(c),
                    None => return self.wrong("a character behind the backslash"),
                },
                Some(c) if c == quote => return Ok(out),
                Some(c) => out.push(c),
            }
        }
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let sign = usize::from(self.rest().starts_with('-'));
        let digits = self.rest()[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest()[..sign + digits].parse().ok()?;
        self.at += sign + digits;
        Some(number)
    }
}

pub(super) fn path(source: &str) -> Result<Path, String> {
    if source.len() > LONGEST {
        return Err(format!("a path is longer than {LONGEST} bytes"));
    }
    let source = source.trim();
    let rooted;
    let mut text = Text::new(source);
    if !text.take("$") {
        // Jayway takes `a.b` as `$.a.b`.
        rooted = format!("$.{source}");
        text = Text::new(&rooted);
        text.take("$");
    }
    let steps = steps(&mut text, &|c| c.is_none())?;
    Ok(Path { steps })
}

/// Steps up to where `ends` says that the path does.
pub(super) fn steps(
    text: &mut Text<'_>,
    ends: &dyn Fn(Option<char>) -> bool,
) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    loop {
        let next = text.peek();
        if ends(next) {
            return Ok(steps);
        }
        if text.take("..") {
            steps.push(Step::Descend);
            match text.peek() {
                Some('[') => bracket(text, &mut steps)?,
                Some(_) if !ends(text.peek()) => name(text, ends, &mut steps)?,
                _ => return text.wrong("what to look for behind '..'"),
            }
        } else if text.take(".") {
            match text.peek() {
                Some('[') => bracket(text, &mut steps)?,
                _ => name(text, ends, &mut steps)?,
            }
        } else if next == Some('[') {
            bracket(text, &mut steps)?;
        } else {
            return text.wrong("'.' or '['");
        }
    }
}

fn name(
    text: &mut Text<'_>,
    ends: &dyn Fn(Option<char>) -> bool,
    steps: &mut Vec<Step>,
) -> Result<(), String> {
    if text.take("*") {
        steps.push(Step::Wildcard);
        return Ok(());
    }
    let mut name = String::new();
    while let Some(c) = text.peek() {
        if matches!(c, '.' | '[' | '(') || ends(Some(c)) {
            break;
        }
        if c == ' ' {
            return text.wrong("no blank in a name; write ['a name']");
        }
        name.push(c);
        text.next();
    }
    if name.is_empty() {
        return text.wrong("a name");
    }
    if text.take("(") {
        text.skip_space();
        if !text.take(")") {
            return text.wrong("')'");
        }
        steps.push(Step::Function(function(&name)?));
        return Ok(());
    }
    steps.push(Step::Names(vec![name]));
    Ok(())
}

fn function(name: &str) -> Result<Function, String> {
    Ok(match name {
        "length" | "size" => Function::Length,
        "keys" => Function::Keys,
        "min" => Function::Min,
        "max" => Function::Max,
        "sum" => Function::Sum,
        "avg" => Function::Average,
        "first" => Function::First,
        "last" => Function::Last,
        other => return Err(format!("a path has no function '{other}()'")),
    })
}

fn bracket(text: &mut Text<'_>, steps: &mut Vec<Step>) -> Result<(), String> {
    text.next();
    text.skip_space();
    let step = match text.peek() {
        Some('*') => {
            text.next();
            Step::Wildcard
        }
        Some('\'' | '"') => names(text)?,
        Some('?') => {
            text.next();
            text.skip_space();
            if !text.take("(") {
                return text.wrong("'(' behind '?'");
            }
            let filter = filter::parse(text)?;
            text.skip_space();
            if !text.take(")") {
                return text.wrong("')'");
            }
            Step::Filter(filter)
        }
        _ => numbers(text)?,
    };
    text.skip_space();
    if !text.take("]") {
        return text.wrong("']'");
    }
    steps.push(step);
    Ok(())
}

fn names(text: &mut Text<'_>) -> Result<Step, String> {
    let mut names = Vec::new();
    loop {
        text.skip_space();
        match text.next() {
            Some(quote @ ('\'' | '"')) => names.push(text.quoted(quote)?),
            _ => return text.wrong("a name in quotes"),
        }
        text.skip_space();
        if !text.take(",") {
            return Ok(Step::Names(names));
        }
    }
}

fn numbers(text: &mut Text<'_>) -> Result<Step, String> {
    let first = text.integer();
    text.skip_space();
    if text.take(":") {
        text.skip_space();
        return Ok(Step::Slice(first, text.integer()));
    }
    let Some(first) = first else {
        return text.wrong("a number, a name in quotes, '*' or '?'");
    };
    let mut indices = vec![first];
    while text.take(",") {
        text.skip_space();
        match text.integer() {
            Some(index) => indices.push(index),
            None => return text.wrong("a number"),
        }
        text.skip_space();
    }
    Ok(Step::Indices(indices))
}
