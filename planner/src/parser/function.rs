//! `CREATE FUNCTION` and `ALTER FUNCTION`: a class, as in Flink, or parameters and a body in SQL.

use sqlparser::ast::Ident;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::{Result, Span};

use super::ast::{
    Body, CreateFunction, FunctionDefinition, Kept, Parameter, Returns, SqlBody, TableName,
};
use super::cursor::{
    self, expect_word, identifier, parenthesized, string, unexpected, word, words,
};
use super::script::{ScriptParser, semantic, table_name};
use super::types::parse_type;

type Parsed<T> = std::result::Result<T, ParserError>;

/// What follows `CREATE … FUNCTION`, which began at `start`.
pub(super) fn create(
    script: &mut ScriptParser<'_>,
    kept: Kept,
    replace: bool,
    start: Span,
) -> Result<CreateFunction> {
    let if_not_exists = words(&mut script.parser, &["IF", "NOT", "EXISTS"]);
    let name = script.syntax(table_name)?;
    if replace && if_not_exists {
        let message = "OR REPLACE and IF NOT EXISTS exclude each other";
        return Err(semantic(message, name.span));
    }
    if script.parser.peek_token_ref().token != Token::LParen {
        let definition = FunctionDefinition::Class(script.syntax(class)?);
        return Ok(CreateFunction { name, kept, replace, if_not_exists, definition });
    }
    let sql = sql_body(script, &name, start)?;
    let definition = FunctionDefinition::Sql(Box::new(sql));
    Ok(CreateFunction { name, kept, replace, if_not_exists, definition })
}

/// `FUNCTION [IF EXISTS] name AS 'class' …` behind `ALTER`; the class is put in another's place.
pub(super) fn alter(parser: &mut Parser, kept: Kept) -> Parsed<CreateFunction> {
    // What is not there is passed over where IF EXISTS says so.
    let if_not_exists = words(parser, &["IF", "EXISTS"]);
    let name = table_name(parser)?;
    let definition = FunctionDefinition::Class(class(parser)?);
    Ok(CreateFunction { name, kept, replace: true, if_not_exists, definition })
}

/// `AS 'class' [LANGUAGE …] [USING JAR '…', …]`.
fn class(parser: &mut Parser) -> Parsed<String> {
    if !word(parser, "AS") {
        return Err(unexpected(parser, "AS and a class, or parameters in brackets"));
    }
    let class = string(parser, "a class name in quotes")?;
    if word(parser, "LANGUAGE") {
        identifier(parser)?;
    }
    if word(parser, "USING") {
        loop {
            identifier(parser)?;
            string(parser, "a path in quotes")?;
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    Ok(class)
}

/// `(parameters) RETURNS type | TABLE (columns) [COMMENT …] [LANGUAGE SQL] RETURN body`.
fn sql_body(script: &mut ScriptParser<'_>, name: &TableName, start: Span) -> Result<SqlBody> {
    let (parameters, returns, comment) = script.syntax(|parser| {
        let parameters = parameters(parser)?;
        expect_word(parser, "RETURNS")?;
        let returns = match word(parser, "TABLE") {
            true => Returns::Table(parenthesized(parser, |parser| {
                Ok((identifier(parser)?, parse_type(parser)?))
            })?),
            false => Returns::Value(parse_type(parser)?),
        };
        let comment = match word(parser, "COMMENT") {
            true => Some(string(parser, "a comment in quotes")?),
            false => None,
        };
        if word(parser, "LANGUAGE") {
            expect_word(parser, "SQL")?;
        }
        if !word(parser, "RETURN") {
            return Err(unexpected(parser, "RETURN and the body of the function"));
        }
        Ok((parameters, returns, comment))
    })?;
    check_parameters(&parameters, name)?;
    let from = script.next_span();
    let body = match &returns {
        Returns::Value(_) => Body::Value(Box::new(script.syntax(|parser| parser.parse_expr())?)),
        Returns::Table(_) => Body::Table(script.query()?),
    };
    let text = script.text_of(script.span_since(from)).to_owned();
    let span = script.span_since(start);
    Ok(SqlBody { parameters, returns, comment, body, text, span })
}

fn parameters(parser: &mut Parser) -> Parsed<Vec<Parameter>> {
    if parser.peek_nth_token_ref(1).token == Token::RParen {
        parser.expect_token(&Token::LParen)?;
        parser.advance_token();
        return Ok(Vec::new());
    }
    parenthesized(parser, |parser| {
        let (name, ty) = (identifier(parser)?, parse_type(parser)?);
        let default = match word(parser, "DEFAULT") {
            true => Some(Box::new(parser.parse_expr()?)),
            false => None,
        };
        Ok(Parameter { name, ty, default })
    })
}

/// No name twice, and defaults at the end.
fn check_parameters(parameters: &[Parameter], name: &TableName) -> Result<()> {
    let place = |ident: &Ident| cursor::span(ident.span);
    for (index, parameter) in parameters.iter().enumerate() {
        let Parameter { name: own, default, .. } = parameter;
        if parameters[..index].iter().any(|other| other.name.value == own.value) {
            let message = format!("the function {name} has two parameters named '{}'", own.value);
            return Err(semantic(message, place(own)));
        }
        if default.is_none() && parameters[..index].iter().any(|other| other.default.is_some()) {
            let message = format!("the parameter '{}' stands behind one with a default", own.value);
            return Err(semantic(message, place(own)).help("give it a DEFAULT too, or move it"));
        }
    }
    Ok(())
}
