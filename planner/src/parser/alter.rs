//! `ALTER TABLE` and `ALTER VIEW`.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::{Result, Span};

use super::ast::{
    AlterTable, AlterView, ColumnPosition, SchemaChange, StatementKind, TableChange, TableName,
    ViewChange,
};
use super::cursor::{
    self, expect_word, identifier, parenthesized, peek_word, string, unexpected, word, words,
};
use super::refused::unsupported;
use super::script::{ScriptParser, table_name};
use super::table::{element, empty, options};

/// Parses `ALTER …`.
pub(super) fn parse(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let start = script.next_span();
    let parser = &mut script.parser;
    parser.advance_token();
    if word(parser, "VIEW") {
        return view(script);
    }
    if !word(parser, "TABLE") {
        let what = cursor::describe(&parser.peek_token_ref().token).to_uppercase();
        let help = "tables and views can be altered";
        return Err(unsupported(&format!("ALTER {what}"), start, help));
    }
    let (if_exists, name) =
        script.syntax(|parser| Ok((words(parser, &["IF", "EXISTS"]), table_name(parser)?)))?;
    for part in ["PARTITION", "DISTRIBUTION"] {
        if peek_word(&script.parser, 1, part) {
            let verb = cursor::describe(&script.parser.peek_token_ref().token).to_uppercase();
            let help = "partitions are found in the data, and no connector has buckets";
            let what = format!("ALTER TABLE … {verb} {part}");
            return Err(unsupported(&what, script.next_span(), help));
        }
    }
    let change = script.syntax(|parser| change(parser, &name))?;
    Ok(StatementKind::AlterTable(Box::new(AlterTable { name, if_exists, change })))
}

fn view(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let name = script.syntax(table_name)?;
    let change = if words(&mut script.parser, &["RENAME", "TO"]) {
        ViewChange::RenameTo(script.syntax(table_name)?)
    } else {
        script.syntax(|parser| expect_word(parser, "AS"))?;
        let query = script.query()?;
        let text = script.text_of(query.span).to_owned();
        ViewChange::Query(query, text)
    };
    Ok(StatementKind::AlterView(AlterView { name, change }))
}

fn change(parser: &mut Parser, table: &TableName) -> Result<TableChange, ParserError> {
    let start = cursor::span(parser.peek_token_ref().span);
    if words(parser, &["RENAME", "TO"]) {
        return Ok(TableChange::RenameTo(table_name(parser)?));
    }
    if word(parser, "RENAME") {
        let from = identifier(parser)?;
        expect_word(parser, "TO")?;
        return Ok(TableChange::RenameColumn { from, to: identifier(parser)? });
    }
    if word(parser, "SET") {
        if parser.peek_nth_token_ref(1).token == Token::RParen {
            parser.expect_token(&Token::LParen)?;
            parser.advance_token();
            return Ok(TableChange::Set(Vec::new()));
        }
        return Ok(TableChange::Set(options(parser)?));
    }
    if word(parser, "RESET") {
        let keys = parenthesized(parser, |parser| {
            let span = cursor::span(parser.peek_token_ref().span);
            Ok((string(parser, "an option's name in quotes")?, span))
        })?;
        return Ok(TableChange::Reset(keys));
    }
    if word(parser, "ADD") {
        return Ok(TableChange::Add(schema(parser, table, start)?));
    }
    if word(parser, "MODIFY") {
        return Ok(TableChange::Modify(schema(parser, table, start)?));
    }
    if word(parser, "DROP") {
        return drop_part(parser, start);
    }
    Err(unexpected(parser, "RENAME, SET, RESET, ADD, MODIFY or DROP"))
}

fn drop_part(parser: &mut Parser, start: Span) -> Result<TableChange, ParserError> {
    let ends = |parser: &Parser| {
        matches!(parser.peek_nth_token_ref(1).token, Token::SemiColon | Token::EOF)
    };
    let until =
        |parser: &Parser| cursor::join(start, cursor::span(parser.get_current_token().span));
    if words(parser, &["PRIMARY", "KEY"]) {
        return Ok(TableChange::DropPrimaryKey(until(parser)));
    }
    if peek_word(parser, 0, "WATERMARK") && ends(parser) {
        parser.advance_token();
        return Ok(TableChange::DropWatermark(until(parser)));
    }
    if peek_word(parser, 0, "CONSTRAINT") && !ends(parser) {
        parser.advance_token();
        return Ok(TableChange::DropConstraint(identifier(parser)?));
    }
    if parser.peek_token_ref().token == Token::LParen {
        return Ok(TableChange::DropColumns(parenthesized(parser, identifier)?));
    }
    Ok(TableChange::DropColumns(vec![identifier(parser)?]))
}

/// One part of a schema, or several in brackets; columns may say where they go.
fn schema(
    parser: &mut Parser,
    table: &TableName,
    start: Span,
) -> Result<SchemaChange, ParserError> {
    let mut parts = empty(table.clone());
    let mut positions = Vec::new();
    let mut part = |parser: &mut Parser| {
        element(parser, &mut parts)?;
        if parts.columns.len() > positions.len() {
            positions.push(position(parser)?);
        }
        Ok(())
    };
    if parser.peek_token_ref().token == Token::LParen {
        parenthesized(parser, part)?;
    } else {
        part(parser)?;
    }
    let span = cursor::join(start, cursor::span(parser.get_current_token().span));
    Ok(SchemaChange { parts, positions, span })
}

fn position(parser: &mut Parser) -> Result<Option<ColumnPosition>, ParserError> {
    if word(parser, "FIRST") {
        return Ok(Some(ColumnPosition::First));
    }
    match word(parser, "AFTER") {
        true => Ok(Some(ColumnPosition::After(identifier(parser)?))),
        false => Ok(None),
    }
}
