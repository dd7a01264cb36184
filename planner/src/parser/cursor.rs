//! Small steps over `sqlparser`'s token cursor, and how its errors and places become ours.

use sqlparser::ast::Ident;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span as TokenSpan, Token, TokenWithSpan};
use tidegate_types::{Error, ErrorCode, Span};

/// The place of a token; `sqlparser` counts from 1 and ends spans behind the last character.
pub(crate) fn span(span: TokenSpan) -> Span {
    let line = span.start.line.max(1) as u32;
    let column = span.start.column.max(1) as u32;
    let end_line = (span.end.line as u32).max(line);
    let end_column = (span.end.column as u32).saturating_sub(1).max(1);
    let end_column = if end_line == line { end_column.max(column) } else { end_column };
    Span { line, column, end_line, end_column }
}

/// A place as `sqlparser` keeps it.
pub(crate) fn token_span(span: Span) -> TokenSpan {
    TokenSpan {
        start: Location { line: u64::from(span.line), column: u64::from(span.column) },
        end: Location { line: u64::from(span.end_line), column: u64::from(span.end_column) + 1 },
    }
}

/// The place from the start of one span to the end of another.
pub(crate) fn join(first: Span, last: Span) -> Span {
    Span { end_line: last.end_line, end_column: last.end_column, ..first }
}

/// Takes an unquoted word, in any case, if it comes next.
pub(crate) fn word(parser: &mut Parser, expected: &str) -> bool {
    let found = peek_word(parser, 0, expected);
    if found {
        parser.advance_token();
    }
    found
}

/// Takes a sequence of words if all come next.
pub(crate) fn words(parser: &mut Parser, expected: &[&str]) -> bool {
    let found = expected.iter().enumerate().all(|(n, word)| peek_word(parser, n, word));
    if found {
        expected.iter().for_each(|_| parser.advance_token());
    }
    found
}

/// Whether the token `n` ahead is an unquoted word, in any case.
pub(crate) fn peek_word(parser: &Parser, n: usize, expected: &str) -> bool {
    matches!(
        &parser.peek_nth_token_ref(n).token,
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected)
    )
}

/// Takes a word that must come next.
pub(crate) fn expect_word(parser: &mut Parser, expected: &str) -> Result<(), ParserError> {
    if word(parser, expected) { Ok(()) } else { Err(unexpected(parser, expected)) }
}

/// An error at the next token.
pub(crate) fn unexpected(parser: &Parser, expected: &str) -> ParserError {
    let found = parser.peek_token_ref();
    error_at(found, &format!("Expected: {expected}, found: {}", describe(&found.token)))
}

/// An error with a place that [`into_error`] reads back.
pub(crate) fn error_at(token: &TokenWithSpan, message: &str) -> ParserError {
    ParserError::ParserError(format!("{message}{}", token.span.start))
}

/// How a token is shown in a message.
pub(crate) fn describe(token: &Token) -> String {
    match token {
        Token::EOF => "the end of the script".to_owned(),
        other => other.to_string(),
    }
}

/// An identifier, quoted or not.
pub(crate) fn identifier(parser: &mut Parser) -> Result<Ident, ParserError> {
    match &parser.peek_token_ref().token {
        Token::Word(_) => {
            let token = parser.next_token();
            match token.token {
                Token::Word(word) => Ok(word.into_ident(token.span)),
                _ => Err(unexpected(parser, "an identifier")),
            }
        }
        _ => Err(unexpected(parser, "an identifier")),
    }
}

/// `a`, `a.b` or `a.b.c`.
pub(crate) fn name_parts(parser: &mut Parser) -> Result<Vec<Ident>, ParserError> {
    let mut parts = vec![identifier(parser)?];
    while parser.consume_token(&Token::Period) {
        parts.push(identifier(parser)?);
    }
    Ok(parts)
}

/// A string in single quotes.
pub(crate) fn string(parser: &mut Parser, what: &str) -> Result<String, ParserError> {
    match &parser.peek_token_ref().token {
        Token::SingleQuotedString(text) | Token::UnicodeStringLiteral(text) => {
            let text = text.clone();
            parser.advance_token();
            Ok(text)
        }
        _ => Err(unexpected(parser, what)),
    }
}

/// `( item, … )`, not empty.
pub(crate) fn parenthesized<T>(
    parser: &mut Parser,
    mut item: impl FnMut(&mut Parser) -> Result<T, ParserError>,
) -> Result<Vec<T>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let mut items = vec![item(parser)?];
    while parser.consume_token(&Token::Comma) {
        items.push(item(parser)?);
    }
    parser.expect_token(&Token::RParen)?;
    Ok(items)
}

/// `sqlparser`'s error as ours: the place, which it keeps as text behind the message, becomes a span.
pub(crate) fn into_error(error: ParserError, fallback: Span) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            let message = "the statement is nested too deeply";
            return Error::new(ErrorCode::SqlSyntax, message).at(fallback);
        }
    };
    let (text, place) = split_place(&message);
    let place = place.unwrap_or(fallback);
    Error::new(ErrorCode::SqlSyntax, wording(text)).at(place)
}

/// Splits `… at Line: 3, Column: 14` off a message.
fn split_place(message: &str) -> (&str, Option<Span>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return (message, None);
    };
    match (line.trim().parse::<u32>(), column.trim().parse::<u32>()) {
        (Ok(line), Ok(column)) if line > 0 => {
            let column = column.max(1);
            (text, Some(Span { line, column, end_line: line, end_column: column }))
        }
        _ => (text, None),
    }
}

fn wording(text: &str) -> String {
    let text = text.trim().replace("found: EOF", "found: the end of the script");
    match text.strip_prefix("Expected: ").or_else(|| text.strip_prefix("Expected ")) {
        Some(rest) => format!("expected {}", rest.replacen(", found: ", ", found ", 1)),
        None => text,
    }
}
