//! Where records begin and end in the bytes of a file. Decoding them is the formats' business.

use super::Records;

/// How records follow each other in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Every line is a record; `\n` or `\r\n` ends it, the last line may lack its end.
    Lines,
    /// As lines, but a line end between quotes belongs to the record.
    QuotedLines {
        /// The quote character, ASCII.
        quote: u8,
        /// The character that takes the meaning from the next one, ASCII.
        escape: Option<u8>,
    },
}

impl Framing {
    /// Whether reading may start in the middle of a file, at the next line end.
    pub fn is_splittable(self) -> bool {
        self == Self::Lines
    }

    /// Cuts complete records off the front of `data`, at most `max_records` of them, and adds them
    /// to `records`. `at_end` says that nothing follows `data`, so that its rest is a record too.
    ///
    /// Returns how many bytes were consumed; records that start at or behind `limit` are left.
    pub fn cut(
        self,
        data: &[u8],
        at_end: bool,
        limit: usize,
        max_records: usize,
        records: &mut Records,
    ) -> usize {
        let base = records.begin_frames();
        let mut start = 0;
        let mut count = 0;
        while count < max_records && start < limit && start < data.len() {
            let rest = &data[start..];
            let (length, consumed) = match self.line_end(rest) {
                Some(end) => (end, end + 1),
                None if at_end => (rest.len(), rest.len()),
                None => break,
            };
            let body = &rest[..length];
            let length = body.strip_suffix(b"\r").unwrap_or(body).len();
            records.push_frame(base + start, base + start + length);
            start += consumed;
            count += 1;
        }
        records.end_frames(&data[..start]);
        start
    }

    /// Where the line end that ends the first record is.
    fn line_end(self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Lines => memchr::memchr(b'\n', data),
            Self::QuotedLines { quote, escape } => quoted_line_end(data, quote, escape),
        }
    }
}

fn quoted_line_end(data: &[u8], quote: u8, escape: Option<u8>) -> Option<usize> {
    let mut quoted = false;
    let mut from = 0;
    // Without an escape character the search is for the quote twice.
    let escape_byte = escape.unwrap_or(quote);
    while let Some(found) = memchr::memchr3(b'\n', quote, escape_byte, data.get(from..)?) {
        let at = from + found;
        let byte = data[at];
        from = at + 1;
        if byte == b'\n' && !quoted {
            return Some(at);
        }
        if escape == Some(byte) {
            from += 1;
        } else if byte == quote {
            // A doubled quote switches off and on again.
            quoted = !quoted;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(framing: Framing, data: &[u8], at_end: bool, max: usize) -> (Vec<String>, usize) {
        let mut records = Records::new();
        let consumed = framing.cut(data, at_end, usize::MAX, max, &mut records);
        let texts =
            records.iter().map(|r| String::from_utf8_lossy(r.unwrap()).into_owned()).collect();
        (texts, consumed)
    }

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        let data = b"a\r\n\nbc\nlast";
        assert_eq!(
            cut(Framing::Lines, data, true, 9),
            (vec!["a".into(), String::new(), "bc".into(), "last".into()], 11)
        );
        assert_eq!(cut(Framing::Lines, data, false, 9).1, 7);
        assert_eq!(cut(Framing::Lines, data, false, 1), (vec!["a".into()], 3));
    }

    #[test]
    fn records_behind_the_limit_are_left() {
        let mut records = Records::new();
        assert_eq!(Framing::Lines.cut(b"a\nb\nc\n", true, 2, 9, &mut records), 2);
        assert_eq!(records.len(), 1);
        // A record that starts before the limit is read whole.
        assert_eq!(Framing::Lines.cut(b"abc\nd\n", true, 2, 9, &mut records), 4);
        assert_eq!(records.get(1), Some(&b"abc"[..]));
    }

    #[test]
    fn quotes_hide_line_ends() {
        let framing = Framing::QuotedLines { quote: b'"', escape: None };
        let data = b"1,\"a\nb\"\n2,\"say \"\"x\n\"\"\"\n";
        assert_eq!(cut(framing, data, false, 9).0, ["1,\"a\nb\"", "2,\"say \"\"x\n\"\"\""]);
        let framing = Framing::QuotedLines { quote: b'"', escape: Some(b'\\') };
        assert_eq!(cut(framing, b"1,\\\"\n2\n", false, 9).0, ["1,\\\"", "2"]);
    }

    #[test]
    fn an_open_quote_waits_for_more() {
        let framing = Framing::QuotedLines { quote: b'"', escape: None };
        assert_eq!(cut(framing, b"1,\"a\nb", false, 9).1, 0);
        assert_eq!(cut(framing, b"1,\"a\nb", true, 9).0, ["1,\"a\nb"]);
    }
}
