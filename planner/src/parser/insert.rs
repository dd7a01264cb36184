//! `INSERT INTO | OVERWRITE t [PARTITION (…)] [(columns)] query [ON CONFLICT DO …]`.

use sqlparser::ast::{Expr, Ident};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::Result;

use super::ast::{Insert, OnConflict};
use super::cursor::{self, identifier, peek_word, unexpected, word};
use super::script::{ScriptParser, table_name};
use super::tokens::table_options;

/// Parses an INSERT; the next token is `INSERT`.
pub(super) fn parse(script: &mut ScriptParser<'_>) -> Result<Insert> {
    let start = script.next_span();
    let (overwrite, table) = script.syntax(|parser| {
        parser.advance_token();
        let overwrite = word(parser, "OVERWRITE");
        if !overwrite && !word(parser, "INTO") {
            return Err(unexpected(parser, "INTO or OVERWRITE"));
        }
        word(parser, "TABLE");
        Ok((overwrite, table_name(parser)?))
    })?;
    let place = (table.span.end_line, table.span.end_column + 1);
    let options = script.hints.get(&place).map(|hints| table_options(hints)).unwrap_or_default();
    let (partition, columns) = script.syntax(|parser| {
        let partition = match word(parser, "PARTITION") {
            true => cursor::parenthesized(parser, partition_value)?,
            false => Vec::new(),
        };
        Ok((partition, column_list(parser)?))
    })?;
    let query = script.query()?;
    let conflict = script.next_span();
    let on_conflict = script.syntax(on_conflict)?;
    let on_conflict = on_conflict.map(|action| (action, script.span_since(conflict)));
    let span = script.span_since(start);
    Ok(Insert { table, overwrite, options, partition, columns, query, on_conflict, span })
}

fn on_conflict(parser: &mut Parser) -> Result<Option<OnConflict>, ParserError> {
    if !word(parser, "ON") {
        return Ok(None);
    }
    for expected in ["CONFLICT", "DO"] {
        if !word(parser, expected) {
            return Err(unexpected(parser, expected));
        }
    }
    let actions = [
        ("DEDUPLICATE", OnConflict::Deduplicate),
        ("ERROR", OnConflict::Error),
        ("NOTHING", OnConflict::Nothing),
    ];
    match actions.into_iter().find(|(name, _)| word(parser, name)) {
        Some((_, action)) => Ok(Some(action)),
        None => Err(unexpected(parser, "DEDUPLICATE, ERROR or NOTHING")),
    }
}

/// `key = value`.
pub(super) fn partition_value(parser: &mut Parser) -> Result<(Ident, Expr), ParserError> {
    let column = identifier(parser)?;
    parser.expect_token(&Token::Eq)?;
    Ok((column, parser.parse_expr()?))
}

/// `(a, b)`, unless the bracket opens a query.
fn column_list(parser: &mut Parser) -> Result<Vec<Ident>, ParserError> {
    let mut n = 0;
    while parser.peek_nth_token_ref(n).token == Token::LParen {
        n += 1;
    }
    let query =
        ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|first| peek_word(parser, n, first));
    if n == 0 || query {
        return Ok(Vec::new());
    }
    cursor::parenthesized(parser, identifier)
}
