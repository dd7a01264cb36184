//! `ALTER`: which kind of thing, then tables and views.

use sqlparser::ast::{Expr, Ident};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::{Result, Span};

use super::ast::{
    AlterTable, AlterView, ColumnPosition, SchemaChange, StatementKind, TableChange, TableName,
    ViewChange,
};
use super::create::kept;
use super::cursor::{
    self, expect_word, identifier, parenthesized, peek_word, unexpected, word, words,
};
use super::insert::partition_value;
use super::namespace::{changed_options, option_names};
use super::refused::unsupported;
use super::script::{ScriptParser, table_name};
use super::table::{distribution, element, empty, options};
use super::{function, namespace};

/// Parses `ALTER …`.
pub(super) fn parse(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let start = script.next_span();
    let parser = &mut script.parser;
    parser.advance_token();
    if word(parser, "VIEW") {
        return view(script);
    }
    if word(parser, "CATALOG") {
        return script.syntax(namespace::alter_catalog).map(StatementKind::Namespace);
    }
    if word(parser, "DATABASE") {
        return script.syntax(namespace::alter_database).map(StatementKind::Namespace);
    }
    let temporary = peek_word(parser, 0, "TEMPORARY");
    if temporary && (peek_word(parser, 1, "FUNCTION") || peek_word(parser, 1, "SYSTEM")) {
        parser.advance_token();
    }
    let kept = kept(parser, temporary);
    if word(parser, "FUNCTION") {
        let altered = script.syntax(|parser| function::alter(parser, kept))?;
        return Ok(StatementKind::AlterFunction(Box::new(altered)));
    }
    if !word(parser, "TABLE") {
        let what = cursor::describe(&parser.peek_token_ref().token).to_uppercase();
        let help = "tables, views, functions, databases and catalogs can be altered";
        return Err(unsupported(&format!("ALTER {what}"), start, help));
    }
    let (if_exists, name) =
        script.syntax(|parser| Ok((words(parser, &["IF", "EXISTS"]), table_name(parser)?)))?;
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
        return Ok(TableChange::Set(changed_options(parser)?));
    }
    if word(parser, "RESET") {
        return Ok(TableChange::Reset(option_names(parser)?));
    }
    if word(parser, "ADD") {
        if is_distribution(parser) {
            parser.advance_token();
            return Ok(TableChange::AddDistribution(distribution(parser)?));
        }
        let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
        if if_not_exists || is_partition(parser) {
            let partitions = partitions(parser)?;
            return Ok(TableChange::AddPartitions { if_not_exists, partitions });
        }
        return Ok(TableChange::Add(schema(parser, table, start)?));
    }
    if word(parser, "MODIFY") {
        if is_distribution(parser) {
            parser.advance_token();
            return Ok(TableChange::ModifyDistribution(distribution(parser)?));
        }
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
    if peek_word(parser, 0, "DISTRIBUTION") && ends(parser) {
        parser.advance_token();
        return Ok(TableChange::DropDistribution(until(parser)));
    }
    let if_exists = words(parser, &["IF", "EXISTS"]);
    if if_exists || is_partition(parser) {
        let partitions = partitions(parser)?;
        return Ok(TableChange::DropPartitions { if_exists, partitions });
    }
    if parser.peek_token_ref().token == Token::LParen {
        return Ok(TableChange::DropColumns(parenthesized(parser, identifier)?));
    }
    Ok(TableChange::DropColumns(vec![identifier(parser)?]))
}

/// Whether buckets are meant, and no column of that name.
fn is_distribution(parser: &Parser) -> bool {
    peek_word(parser, 0, "DISTRIBUTION")
        && (peek_word(parser, 1, "BY") || peek_word(parser, 1, "INTO"))
}

fn is_partition(parser: &Parser) -> bool {
    peek_word(parser, 0, "PARTITION") && parser.peek_nth_token_ref(1).token == Token::LParen
}

/// `PARTITION (key = value, …) [WITH (…)] …`.
fn partitions(parser: &mut Parser) -> Result<Vec<Vec<(Ident, Expr)>>, ParserError> {
    let mut partitions = Vec::new();
    loop {
        expect_word(parser, "PARTITION")?;
        partitions.push(parenthesized(parser, partition_value)?);
        if word(parser, "WITH") {
            // Nothing reads options of partitions, in Flink's own catalog neither.
            options(parser)?;
        }
        let _ = parser.consume_token(&Token::Comma);
        if !is_partition(parser) {
            return Ok(partitions);
        }
    }
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
