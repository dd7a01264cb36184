//! `SHOW`, `DESCRIBE` and `USE`.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::Result;

use super::ast::{Describe, NamePattern, ObjectKind, Show, StatementKind, TableName, Use};
use super::cursor::{
    expect_word, identifier, parenthesized, peek_word, string, unexpected, word, words,
};
use super::insert::partition_value;
use super::refused;
use super::script::{ScriptParser, table_name};

type Parsed<T> = std::result::Result<T, ParserError>;

/// Parses `SHOW …`.
pub(super) fn parse(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    if let Some(error) = refused::show(script) {
        return Err(error);
    }
    script.syntax(|parser| {
        parser.advance_token();
        Ok(StatementKind::Show(show(parser)?))
    })
}

fn show(parser: &mut Parser) -> Parsed<Show> {
    const PLAIN: [(&[&str], Show); 5] = [
        (&["CURRENT", "CATALOG"], Show::CurrentCatalog),
        (&["CURRENT", "DATABASE"], Show::CurrentDatabase),
        (&["MODULES"], Show::Modules { full: false }),
        (&["FULL", "MODULES"], Show::Modules { full: true }),
        (&["JARS"], Show::Nothing("jars", None)),
    ];
    if let Some((_, show)) = PLAIN.into_iter().find(|(name, _)| words(parser, name)) {
        return Ok(show);
    }
    if words(parser, &["CREATE", "TABLE"]) {
        return Ok(Show::Create(ObjectKind::Table, table_name(parser)?));
    }
    if words(parser, &["CREATE", "VIEW"]) {
        return Ok(Show::Create(ObjectKind::View, table_name(parser)?));
    }
    if words(parser, &["CREATE", "FUNCTION"]) {
        return Ok(Show::Create(ObjectKind::Function, table_name(parser)?));
    }
    if words(parser, &["CREATE", "CATALOG"]) {
        return Ok(Show::CreateCatalog(identifier(parser)?));
    }
    if word(parser, "PARTITIONS") {
        let table = table_name(parser)?;
        let values = match word(parser, "PARTITION") {
            true => parenthesized(parser, partition_value)?,
            false => Vec::new(),
        };
        return Ok(Show::Partitions(table, values));
    }
    if word(parser, "COLUMNS") {
        return match place(parser)? {
            Some(table) => Ok(Show::Columns(table, like(parser)?)),
            None => Err(unexpected(parser, "FROM and a table")),
        };
    }
    listed(parser)
}

/// Names of things in a catalog or a database.
fn listed(parser: &mut Parser) -> Parsed<Show> {
    if word(parser, "CATALOGS") {
        return Ok(Show::Catalogs(like(parser)?));
    }
    if word(parser, "DATABASES") {
        return Ok(Show::Databases(place(parser)?, like(parser)?));
    }
    if word(parser, "TABLES") {
        return Ok(Show::Tables(place(parser)?, like(parser)?));
    }
    if word(parser, "VIEWS") {
        return Ok(Show::Views(place(parser)?, like(parser)?));
    }
    if word(parser, "FUNCTIONS") {
        return Ok(Show::Functions { user: false, database: place(parser)?, like: like(parser)? });
    }
    if words(parser, &["USER", "FUNCTIONS"]) {
        return Ok(Show::Functions { user: true, database: place(parser)?, like: like(parser)? });
    }
    for (names, column) in
        [(&["MODELS"][..], "model name"), (&["MATERIALIZED", "TABLES"], "materialized table")]
    {
        if words(parser, names) {
            let database = place(parser)?;
            like(parser)?;
            return Ok(Show::Nothing(column, database));
        }
    }
    Err(unexpected(
        parser,
        "TABLES, VIEWS, COLUMNS, CREATE TABLE, CREATE VIEW, CREATE FUNCTION, CREATE CATALOG, FUNCTIONS, PARTITIONS, CATALOGS, DATABASES, CURRENT CATALOG, CURRENT DATABASE, MODULES or JARS",
    ))
}

/// `FROM name` or `IN name`.
fn place(parser: &mut Parser) -> Parsed<Option<TableName>> {
    match word(parser, "FROM") || word(parser, "IN") {
        true => table_name(parser).map(Some),
        false => Ok(None),
    }
}

/// `[NOT] LIKE 'pattern'`, also with ILIKE.
fn like(parser: &mut Parser) -> Parsed<Option<NamePattern>> {
    let negated = word(parser, "NOT");
    let any_case = word(parser, "ILIKE");
    if !any_case && !word(parser, "LIKE") {
        return match negated {
            true => Err(unexpected(parser, "LIKE or ILIKE")),
            false => Ok(None),
        };
    }
    let pattern = string(parser, "a pattern in quotes")?;
    Ok(Some(NamePattern { negated, any_case, pattern }))
}

/// Parses `DESCRIBE [CATALOG | DATABASE | FUNCTION] [EXTENDED] name`, also with `DESC`.
pub(super) fn describe(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    if let Some(error) = refused::describe(script) {
        return Err(error);
    }
    script.syntax(|parser| {
        parser.advance_token();
        Ok(StatementKind::Describe(described(parser)?))
    })
}

fn described(parser: &mut Parser) -> Parsed<Describe> {
    // A table may have such a name; then nothing follows.
    let named = matches!(parser.peek_nth_token_ref(1).token, Token::Word(_));
    if named && word(parser, "CATALOG") {
        let extended = extended(parser);
        return Ok(Describe::Catalog { name: identifier(parser)?, extended });
    }
    if named && word(parser, "DATABASE") {
        let extended = extended(parser);
        return Ok(Describe::Database { name: table_name(parser)?, extended });
    }
    if named && word(parser, "FUNCTION") {
        let extended = extended(parser);
        return Ok(Describe::Function { name: table_name(parser)?, extended });
    }
    // Tables are always described as a whole.
    extended(parser);
    Ok(Describe::Table(table_name(parser)?))
}

/// `EXTENDED`, unless it is the name that is asked for.
fn extended(parser: &mut Parser) -> bool {
    matches!(parser.peek_nth_token_ref(1).token, Token::Word(_)) && word(parser, "EXTENDED")
}

/// `USE [catalog.]database`, `USE CATALOG name`, `USE MODULES name, …`.
pub(super) fn use_statement(parser: &mut Parser) -> Parsed<StatementKind> {
    expect_word(parser, "USE")?;
    let is_name = |parser: &Parser| matches!(parser.peek_nth_token_ref(1).token, Token::Word(_));
    if peek_word(parser, 0, "CATALOG") && is_name(parser) {
        parser.advance_token();
        return Ok(StatementKind::Use(Use::Catalog(identifier(parser)?)));
    }
    if peek_word(parser, 0, "MODULES") && is_name(parser) {
        parser.advance_token();
        let modules = parser.parse_comma_separated(identifier)?;
        return Ok(StatementKind::Use(Use::Modules(modules)));
    }
    Ok(StatementKind::Use(Use::Database(table_name(parser)?)))
}
