//! `CREATE`, `DROP` and `ALTER` of catalogs and databases, behind that word and `CATALOG` or `DATABASE`.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::Span;

use super::ast::{CatalogChange, NamespaceStatement, TableOption};
use super::cursor::{self, identifier, parenthesized, string, unexpected, word, words};
use super::script::table_name;
use super::table::options;

type Parsed<T> = Result<T, ParserError>;

/// `[IF NOT EXISTS] name [COMMENT …] [WITH (…)]`.
pub(super) fn create_catalog(parser: &mut Parser) -> Parsed<NamespaceStatement> {
    let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
    let name = identifier(parser)?;
    let (comment, options) = described(parser)?;
    Ok(NamespaceStatement::CreateCatalog { name, if_not_exists, comment, options })
}

/// `[IF EXISTS] name`.
pub(super) fn drop_catalog(parser: &mut Parser) -> Parsed<NamespaceStatement> {
    let if_exists = words(parser, &["IF", "EXISTS"]);
    Ok(NamespaceStatement::DropCatalog { if_exists, name: identifier(parser)? })
}

/// `name SET (…) | RESET (…) | COMMENT '…'`.
pub(super) fn alter_catalog(parser: &mut Parser) -> Parsed<NamespaceStatement> {
    let name = identifier(parser)?;
    let change = if word(parser, "SET") {
        CatalogChange::Set(changed_options(parser)?)
    } else if word(parser, "RESET") {
        CatalogChange::Reset(option_names(parser)?)
    } else if word(parser, "COMMENT") {
        CatalogChange::Comment(string(parser, "a comment in quotes")?)
    } else {
        return Err(unexpected(parser, "SET, RESET or COMMENT"));
    };
    Ok(NamespaceStatement::AlterCatalog { name, change })
}

/// `[IF NOT EXISTS] [catalog.]name [COMMENT …] [WITH (…)]`.
pub(super) fn create_database(parser: &mut Parser) -> Parsed<NamespaceStatement> {
    let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
    let name = table_name(parser)?;
    let (comment, options) = described(parser)?;
    Ok(NamespaceStatement::CreateDatabase { name, if_not_exists, comment, options })
}

/// `[IF EXISTS] [catalog.]name [RESTRICT | CASCADE]`.
pub(super) fn drop_database(parser: &mut Parser) -> Parsed<NamespaceStatement> {
    let if_exists = words(parser, &["IF", "EXISTS"]);
    let name = table_name(parser)?;
    let cascade = word(parser, "CASCADE");
    if !cascade {
        word(parser, "RESTRICT");
    }
    Ok(NamespaceStatement::DropDatabase { name, if_exists, cascade })
}

/// `[catalog.]name SET (…)`.
pub(super) fn alter_database(parser: &mut Parser) -> Parsed<NamespaceStatement> {
    let name = table_name(parser)?;
    cursor::expect_word(parser, "SET")?;
    Ok(NamespaceStatement::AlterDatabase { name, options: changed_options(parser)? })
}

fn described(parser: &mut Parser) -> Parsed<(Option<String>, Vec<TableOption>)> {
    let comment = match word(parser, "COMMENT") {
        true => Some(string(parser, "a comment in quotes")?),
        false => None,
    };
    let options = if word(parser, "WITH") { options(parser)? } else { Vec::new() };
    Ok((comment, options))
}

/// `('key' = 'value', …)`, also with nothing in it.
pub(super) fn changed_options(parser: &mut Parser) -> Parsed<Vec<TableOption>> {
    if parser.peek_nth_token_ref(1).token == Token::RParen {
        parser.expect_token(&Token::LParen)?;
        parser.advance_token();
        return Ok(Vec::new());
    }
    options(parser)
}

/// `('key', …)`.
pub(super) fn option_names(parser: &mut Parser) -> Parsed<Vec<(String, Span)>> {
    parenthesized(parser, |parser| {
        let span = cursor::span(parser.peek_token_ref().span);
        Ok((string(parser, "an option's name in quotes")?, span))
    })
}
