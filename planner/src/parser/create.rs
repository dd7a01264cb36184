//! `CREATE` and `DROP`: which kind of thing, then views.
//!
//! Not here: tables (`table.rs`), functions (`function.rs`), catalogs and databases (`namespace.rs`).

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::Result;

use super::ast::{CreateView, Drop, Kept, ObjectKind, Replace, StatementKind};
use super::cursor::{self, expect_word, identifier, peek_word, string, word, words};
use super::script::{ScriptParser, semantic, table_name};
use super::{function, namespace, refused, table};

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
    let kept = kept(parser, temporary);
    let system = kept == Kept::System;
    if !system && word(parser, "TABLE") {
        return table::parse(script, temporary, replace, start);
    }
    if replace != Replace::Always {
        let replaces = replace == Replace::IfThere;
        if !system && word(parser, "VIEW") {
            return view(script, temporary, replaces);
        }
        if word(parser, "FUNCTION") {
            let create = function::create(script, kept, replaces, start)?;
            return Ok(StatementKind::CreateFunction(Box::new(create)));
        }
    }
    if replace == Replace::Never && !temporary {
        if word(parser, "CATALOG") {
            return script.syntax(namespace::create_catalog).map(StatementKind::Namespace);
        }
        if word(parser, "DATABASE") {
            return script.syntax(namespace::create_database).map(StatementKind::Namespace);
        }
    }
    Err(refused::create(script, replace, start))
}

/// Where a function is kept, behind `TEMPORARY` or in its place.
pub(super) fn kept(parser: &mut Parser, temporary: bool) -> Kept {
    match temporary {
        true if word(parser, "SYSTEM") => Kept::System,
        true => Kept::Temporary,
        false => Kept::Catalog,
    }
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

/// `DROP [TEMPORARY] TABLE | VIEW | [SYSTEM] FUNCTION [IF EXISTS] name`, `DROP CATALOG | DATABASE …`.
pub(super) fn drop_object(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let start = script.next_span();
    let parser = &mut script.parser;
    parser.advance_token();
    let temporary = word(parser, "TEMPORARY");
    let system = temporary && peek_word(parser, 1, "FUNCTION") && word(parser, "SYSTEM");
    if !temporary && word(parser, "CATALOG") {
        return script.syntax(namespace::drop_catalog).map(StatementKind::Namespace);
    }
    if !temporary && word(parser, "DATABASE") {
        return script.syntax(namespace::drop_database).map(StatementKind::Namespace);
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
        Ok(StatementKind::Drop(Drop { kind, temporary, system, name, if_exists }))
    })
}
