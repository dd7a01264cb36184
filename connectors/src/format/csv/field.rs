//! The fields of a record: quotes, escapes, delimiters.

use super::Dialect;

/// What is wrong with a record as such.
pub(super) type Malformed = &'static str;

/// Goes over the fields of a record.
pub(super) struct FieldReader<'a> {
    record: &'a [u8],
    /// Start of the next field; behind the record's end: there is none.
    position: usize,
}

impl<'a> FieldReader<'a> {
    /// The fields of a record, which has at least one. A line end behind it is not part of it.
    pub(super) fn new(record: &'a [u8]) -> Self {
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        Self { record: record.strip_suffix(b"\r").unwrap_or(record), position: 0 }
    }

    /// The next field, without quotes and escapes; `None` behind the last one. Uses `scratch` where the
    /// field does not stand in the record as it is.
    ///
    /// # Errors
    /// What is wrong: a quote that is not closed, or followed by something else than a delimiter.
    #[inline]
    pub(super) fn next<'s>(
        &mut self,
        dialect: &Dialect,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Option<&'s [u8]>, Malformed>
    where
        'a: 's,
    {
        let Some(rest) = self.record.get(self.position..) else {
            return Ok(None);
        };
        if dialect.quote.is_some() && rest.first().copied() == dialect.quote {
            return self.quoted(dialect, scratch).map(Some);
        }
        if let Some(escape) = dialect.escape {
            return Ok(Some(self.escaped(escape, dialect.delimiter, scratch)));
        }
        let length = memchr::memchr(dialect.delimiter, rest).unwrap_or(rest.len());
        self.position += length + 1;
        Ok(Some(&rest[..length]))
    }

    /// A field without quotes in which `escape` takes the meaning from the next byte.
    fn escaped<'s>(&mut self, escape: u8, delimiter: u8, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        let rest = &self.record[self.position..];
        scratch.clear();
        let (mut from, mut plain) = (0, true);
        loop {
            match memchr::memchr2(escape, delimiter, &rest[from..]).map(|found| from + found) {
                Some(found) if rest[found] == escape => {
                    scratch.extend_from_slice(&rest[from..found]);
                    scratch.extend(rest.get(found + 1));
                    plain = false;
                    from = (found + 2).min(rest.len());
                }
                end => {
                    let end = end.unwrap_or(rest.len());
                    self.position += end + 1;
                    if plain {
                        return &rest[..end];
                    }
                    scratch.extend_from_slice(&rest[from..end]);
                    return scratch;
                }
            }
        }
    }

    /// A field in quotes; doubled quotes stand for one.
    fn quoted<'s>(
        &mut self,
        dialect: &Dialect,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], Malformed>
    where
        'a: 's,
    {
        let quote = dialect.quote.unwrap_or(b'"');
        let escape = dialect.escape.unwrap_or(quote);
        let inside = &self.record[self.position + 1..];
        scratch.clear();
        let (mut from, mut plain) = (0, true);
        let end = loop {
            let found = memchr::memchr2(quote, escape, &inside[from..])
                .ok_or("a quote is not closed")?
                + from;
            let next = inside.get(found + 1).copied();
            let is_escape = inside[found] != quote;
            if is_escape || next == Some(quote) {
                scratch.extend_from_slice(&inside[from..found]);
                scratch.push(next.ok_or("a quote is not closed")?);
                plain = false;
                from = found + 2;
            } else {
                break found;
            }
        };
        // Spaces may stand between the closing quote and the delimiter.
        let after = &inside[end + 1..];
        let spaces = after.iter().take_while(|byte| **byte == b' ').count();
        match after.get(spaces) {
            Some(byte) if *byte != dialect.delimiter => return Err("text follows a closing quote"),
            _ => self.position += 1 + end + 1 + spaces + 1,
        }
        if plain {
            return Ok(&inside[..end]);
        }
        scratch.extend_from_slice(&inside[from..end]);
        Ok(scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> Dialect {
        Dialect {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            element_delimiter: b";".to_vec(),
            null_literal: None,
        }
    }

    fn fields(dialect: &Dialect, record: &str) -> Result<Vec<String>, Malformed> {
        let mut reader = FieldReader::new(record.as_bytes());
        let (mut scratch, mut fields) = (Vec::new(), Vec::new());
        while let Some(field) = reader.next(dialect, &mut scratch)? {
            fields.push(String::from_utf8(field.to_vec()).unwrap());
        }
        Ok(fields)
    }

    #[test]
    fn fields_are_taken_apart() {
        let split = |record| fields(&dialect(), record);
        assert_eq!(split("1,x"), Ok(vec!["1".into(), "x".into()]));
        assert_eq!(split(""), Ok(vec!["".into()]));
        assert_eq!(split(",,"), Ok(vec!["".into(); 3]));
        assert_eq!(
            split("\"a,b\",\"\",\"c\"\"d\"\r\n"),
            Ok(vec!["a,b".into(), "".into(), "c\"d".into()])
        );
        assert_eq!(split("a\"b, x "), Ok(vec!["a\"b".into(), " x ".into()]));
        assert_eq!(split("\"a\" ,b"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(split("\"\"\"\""), Ok(vec!["\"".into()]));
        assert_eq!(split("\"x\ny\",z"), Ok(vec!["x\ny".into(), "z".into()]));
    }

    #[test]
    fn malformed_quotes_are_refused() {
        for record in ["\"", "\"a", "a,\"b\"\"", "\"a\"b", "\"a\"\"", "\"a\" b"] {
            assert!(fields(&dialect(), record).is_err(), "{record}");
        }
    }

    #[test]
    fn escapes_take_the_meaning() {
        let dialect = Dialect { escape: Some(b'\\'), ..dialect() };
        assert_eq!(fields(&dialect, "x\\,y,\\\"q"), Ok(vec!["x,y".into(), "\"q".into()]));
        assert_eq!(fields(&dialect, "\"a\\\"b\",c"), Ok(vec!["a\"b".into(), "c".into()]));
        assert_eq!(fields(&dialect, "\"a\"\"b\""), Ok(vec!["a\"b".into()]));
        assert_eq!(fields(&dialect, "a\\"), Ok(vec!["a".into()]));
        assert!(fields(&dialect, "\"a\\").is_err());
    }

    #[test]
    fn quotes_may_be_off() {
        let dialect = Dialect { quote: None, ..dialect() };
        assert_eq!(fields(&dialect, "\"x\",\""), Ok(vec!["\"x\"".into(), "\"".into()]));
    }
}
