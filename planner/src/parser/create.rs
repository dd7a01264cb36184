//! `CREATE` and `DROP`: which kind of thing, then views and functions.
//!
//! Not here: tables (`table.rs`).

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::Result;

use super::ast::{CreateFunction, CreateView, Drop, ObjectKind, Replace, StatementKind};
use super::cursor::{self, expect_word, identifier, peek_word, string, word, words};
use super::script::{ScriptParser, semantic, table_name};
use super::{refused, table};

/// Parses `CREATE …` and `REPLACE TABLE …`.
pub(super) fn parse(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let start = script.next_span();
    let parser = &mut script.parser;
    let replace = if word(parser, "REPLACE") {
        Replace::Always
    } else {
        parser.advance_token();
        match words(parser, &["OR", "REPLACE"]) {
            true => Replace::IfThere,
            false => Replace::Never,
        }
    };
    let temporary = word(parser, "TEMPORARY");
    let system = temporary && word(parser, "SYSTEM");
    if !system && word(parser, "TABLE") {
        return table::parse(script, temporary, replace, start);
    }
    if replace != Replace::Always {
        if !system && word(parser, "VIEW") {
            return view(script, temporary, replace == Replace::IfThere);
        }
        if replace == Replace::Never && word(parser, "FUNCTION") {
            return script.syntax(function);
        }
    }
    Err(refused::create(script, replace, start))
}

/// `[IF NOT EXISTS] name [(columns)] [COMMENT …] AS query`.
fn view(script: &mut ScriptParser<'_>, temporary: bool, replace: bool) -> Result<StatementKind> {
    let (if_not_exists, name, columns, comment) = script.syntax(|parser| {
        let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
        let name = table_name(parser)?;
        let columns = if parser.peek_token_ref().token == Token::LParen {
            cursor::parenthesized(parser, |parser| {
                let column = identifier(parser)?;
                comment(parser)?;
                Ok(column)
            })?
        } else {
            Vec::new()
        };
        let comment = comment(parser)?;
        expect_word(parser, "AS")?;
        Ok((if_not_exists, name, columns, comment))
    })?;
    if replace && if_not_exists {
        let message = "OR REPLACE and IF NOT EXISTS exclude each other";
        return Err(semantic(message, name.span));
    }
    let query = script.query()?;
    let text = script.text_of(query.span).to_owned();
    Ok(StatementKind::CreateView(CreateView {
        name,
        temporary,
        replace,
        if_not_exists,
        columns,
        comment,
        query,
        text,
    }))
}

fn comment(parser: &mut Parser) -> Result<Option<String>, ParserError> {
    match word(parser, "COMMENT") {
        true => string(parser, "a comment in quotes").map(Some),
        false => Ok(None),
    }
}

/// `[IF NOT EXISTS] name AS 'class' [LANGUAGE …]`.
fn function(parser: &mut Parser) -> Result<StatementKind, ParserError> {
    let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
    let name = table_name(parser)?;
    expect_word(parser, "AS")?;
    let class = string(parser, "a class name in quotes")?;
    if word(parser, "LANGUAGE") {
        identifier(parser)?;
    }
    Ok(StatementKind::CreateFunction(CreateFunction { name, class, if_not_exists }))
}

/// `DROP [TEMPORARY] TABLE | VIEW | [SYSTEM] FUNCTION [IF EXISTS] name`.
pub(super) fn drop_object(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let start = script.next_span();
    let parser = &mut script.parser;
    parser.advance_token();
    let temporary = word(parser, "TEMPORARY");
    if temporary && peek_word(parser, 1, "FUNCTION") {
        word(parser, "SYSTEM");
    }
    let kinds = [
        ("TABLE", ObjectKind::Table),
        ("VIEW", ObjectKind::View),
        ("FUNCTION", ObjectKind::Function),
    ];
    let Some((_, kind)) = kinds.into_iter().find(|(name, _)| word(parser, name)) else {
        return Err(refused::drop_object(script, start));
    };
    script.syntax(|parser| {
        let if_exists = words(parser, &["IF", "EXISTS"]);
        let name = table_name(parser)?;
        Ok(StatementKind::Drop(Drop { kind, temporary, name, if_exists }))
    })
}
