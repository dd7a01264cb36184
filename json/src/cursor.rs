//! The tokens of a record.

use crate::scan;

/// What is wrong with a record, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes from the record's beginning.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// A result whose error is rare and kept small.
pub type Parse<T> = Result<T, Box<Fault>>;

/// Deepest nesting of arrays and objects, as in Jackson.
const MAX_DEPTH: u32 = 1000;

/// A place in a record.
#[derive(Debug)]
pub struct Cursor<'a> {
    /// The whole record.
    pub bytes: &'a [u8],
    /// The next byte.
    pub position: usize,
}

/// A string token.
#[derive(Debug, Clone, Copy)]
pub struct StringToken<'a> {
    /// Between the quotes.
    pub raw: &'a [u8],
    /// Whether there is a backslash in it.
    pub escaped: bool,
}

/// A number token.
#[derive(Debug, Clone, Copy)]
pub struct NumberToken<'a> {
    /// As it stands there.
    pub text: &'a [u8],
    /// Whether it has neither point nor exponent.
    pub integral: bool,
}

impl<'a> Cursor<'a> {
    /// The beginning of a record.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// A fault at the current place.
    #[cold]
    pub fn fault<T>(&self, message: impl Into<String>) -> Parse<T> {
        Err(Box::new(Fault { offset: self.position, message: message.into() }))
    }

    /// A fault that says what was expected instead of what is here.
    #[cold]
    pub fn unexpected<T>(&self, expected: &str) -> Parse<T> {
        match self.bytes.get(self.position) {
            None => self.fault(format!("the record ends where {expected} is expected")),
            Some(byte) => {
                let found = byte.escape_ascii();
                self.fault(format!("found '{found}' where {expected} is expected"))
            }
        }
    }

    /// The next byte.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// What is left of the record.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Goes over white space.
    #[inline]
    pub fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.position += 1;
        }
    }

    /// Goes over `byte`, with white space on both sides.
    #[inline]
    pub fn expect(&mut self, byte: u8, expected: &str) -> Parse<()> {
        self.skip_space();
        if self.peek() != Some(byte) {
            return self.unexpected(expected);
        }
        self.position += 1;
        self.skip_space();
        Ok(())
    }

    /// Behind an element: whether another one follows (`,`), or `close` ends the list. Stands behind
    /// that byte, and in the first case behind the white space that follows it.
    #[inline]
    pub fn another(&mut self, close: u8) -> Parse<bool> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.position += 1;
                Ok(false)
            }
            _ => self.unexpected(if close == b'}' { "',' or '}'" } else { "',' or ']'" }),
        }
    }

    /// Goes over a word such as `null`.
    pub fn word(&mut self, word: &'static [u8]) -> Parse<()> {
        if !self.rest().starts_with(word) {
            return self.unexpected("a JSON value");
        }
        self.position += word.len();
        self.end_of_scalar()
    }

    /// A string; the next byte is its quote.
    #[inline]
    pub fn string(&mut self) -> Parse<StringToken<'a>> {
        let start = self.position + 1;
        let (mut from, mut escaped) = (start, false);
        loop {
            match scan::quote_or_backslash(self.bytes, from) {
                Some(end) if self.bytes[end] == b'"' => {
                    self.position = end + 1;
                    return Ok(StringToken { raw: &self.bytes[start..end], escaped });
                }
                // The escaped byte may be a quote.
                Some(backslash) => (from, escaped) = (backslash + 2, true),
                None => {
                    self.position = self.bytes.len();
                    return self.unexpected("the end of a string");
                }
            }
        }
    }

    /// A number; the next byte is a digit or `-`.
    pub fn number(&mut self) -> Parse<NumberToken<'a>> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.position += 1;
                if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    return self.fault("a number begins with a zero");
                }
            }
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.unexpected("a digit"),
        }
        let mut integral = true;
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.some_digits()?;
            integral = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.position += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.position += 1;
            }
            self.some_digits()?;
            integral = false;
        }
        self.end_of_scalar()?;
        Ok(NumberToken { text: &self.bytes[start..self.position], integral })
    }

    fn some_digits(&mut self) -> Parse<()> {
        let start = self.position;
        self.digits();
        if self.position == start { self.unexpected("a digit") } else { Ok(()) }
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
    }

    /// Numbers and words must not run into something else.
    #[inline]
    pub fn end_of_scalar(&self) -> Parse<()> {
        match self.peek() {
            None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') => Ok(()),
            Some(_) => self.unexpected("the end of a value"),
        }
    }

    /// Goes over a value of any kind. What is inside of arrays and objects is not checked beyond
    /// strings and the number of brackets.
    #[inline]
    pub fn skip_value(&mut self) -> Parse<()> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => {
                self.position += 1;
                self.skip_open()
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.unexpected("a JSON value"),
        }
    }

    /// Goes to the end of the array or object that the cursor is inside of.
    pub fn skip_open(&mut self) -> Parse<()> {
        let mut depth = 1_u32;
        while let Some(found) = scan::structural(self.bytes, self.position) {
            self.position = found;
            match self.bytes[found] {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return self.fault(format!("values are nested deeper than {MAX_DEPTH}"));
                    }
                }
                _ => depth -= 1,
            }
            self.position += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        self.position = self.bytes.len();
        self.unexpected("'}' or ']'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(text: &str) -> Parse<usize> {
        let mut cursor = Cursor::new(text.as_bytes());
        cursor.skip_value().map(|()| cursor.position)
    }

    #[test]
    fn values_are_skipped_to_their_end() {
        for value in
            ["1", "-0.5e+3", "true", "null", r#""a\"}]""#, r#"{"a":[1,{"b":"}"}],"yY_":2}"#, "[]"]
        {
            assert_eq!(skipped(value), Ok(value.len()), "{value}");
            assert_eq!(skipped(&format!("{value},x")), Ok(value.len()), "{value}");
        }
    }

    #[test]
    fn malformed_values_are_refused() {
        for value in [
            "",
            "x",
            "NaN",
            "tru",
            "truex",
            "1.",
            ".5",
            "-",
            "01",
            "1e",
            "1x",
            "+1",
            "\"a",
            "\"a\\\"",
            "[1",
            "{\"a\":\"}",
            "'a'",
        ] {
            assert!(skipped(value).is_err(), "{value}");
        }
        let fault = skipped("[\"").unwrap_err();
        assert_eq!(
            (fault.offset, fault.message.as_str()),
            (2, "the record ends where the end of a string is expected")
        );
    }

    #[test]
    fn depth_is_bounded() {
        assert!(skipped(&"[".repeat(1_000_000)).unwrap_err().message.contains("nested deeper"));
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert_eq!(skipped(&deep), Ok(2000));
    }
}
