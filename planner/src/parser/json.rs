//! JSON functions, whose clauses have a syntax of their own: they become constant arguments, in the
//! order that the functions take them.

use sqlparser::ast::{Expr, Ident, Value};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::cursor::{error_at, expect_word, peek_word, word, words};
use super::dialect::internal_call;
use super::types;
use tidegate_types::TypeKind;

/// Name of the call that stands for `JSON(x)` inside `JSON_OBJECT` and `JSON_ARRAY`.
pub(crate) const RAW: &str = "$JSON";

/// Functions whose result stands for itself in JSON_OBJECT and JSON_ARRAY.
const MAKE_JSON: &[&str] = &["JSON_OBJECT", "JSON_ARRAY", "JSON"];

/// A JSON function with its clauses, if the next word is the name of one.
pub(super) fn parse(parser: &mut Parser, name: &str) -> Option<Result<Expr, ParserError>> {
    let clauses: fn(&mut Parser) -> Result<Vec<Expr>, ParserError> =
        match name.to_ascii_uppercase().as_str() {
            "JSON_EXISTS" => exists,
            "JSON_VALUE" => value,
            "JSON_QUERY" => query,
            "JSON_OBJECT" => object,
            "JSON_ARRAY" => array,
            "JSON_OBJECTAGG" => object_aggregate,
            "JSON_ARRAYAGG" => array_aggregate,
            _ => return None,
        };
    Some(call(parser, clauses))
}

fn call(
    parser: &mut Parser,
    clauses: fn(&mut Parser) -> Result<Vec<Expr>, ParserError>,
) -> Result<Expr, ParserError> {
    let token = parser.next_token();
    let Token::Word(name) = token.token else {
        return Err(error_at(&token, "expected a function"));
    };
    parser.expect_token(&Token::LParen)?;
    let mut args = clauses(parser)?;
    parser.expect_token(&Token::RParen)?;
    let ordered = name.value.eq_ignore_ascii_case("JSON_ARRAYAGG");
    if ordered && words(parser, &["WITHIN", "GROUP"]) {
        parser.expect_token(&Token::LParen)?;
        args.extend(order_by(parser)?);
        parser.expect_token(&Token::RParen)?;
    }
    let name =
        Ident { value: name.value.to_ascii_uppercase(), quote_style: None, span: token.span };
    let mut call = internal_call(name, args);
    if let Expr::Function(function) = &mut call
        && peek_word(parser, 0, "FILTER")
    {
        parser.advance_token();
        parser.expect_token(&Token::LParen)?;
        expect_word(parser, "WHERE")?;
        function.filter = Some(Box::new(parser.parse_expr()?));
        parser.expect_token(&Token::RParen)?;
    }
    Ok(call)
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).with_empty_span())
}

fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

/// `json, path`
fn input(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let json = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    Ok(vec![json, parser.parse_expr()?])
}

fn exists(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let mut args = input(parser)?;
    let known = ["TRUE", "FALSE", "UNKNOWN", "ERROR"];
    if let Some(behaviour) = known.into_iter().find(|name| words(parser, &[name, "ON", "ERROR"])) {
        args.push(text(behaviour));
    }
    Ok(args)
}

/// `RETURNING type`, by the type's name; texts are cut to their length behind the call.
fn returning(parser: &mut Parser) -> Result<Expr, ParserError> {
    if !word(parser, "RETURNING") {
        return Ok(text("STRING"));
    }
    let token = parser.peek_token_ref().clone();
    let ty = types::parse_type(parser)?;
    let name = match &ty.kind {
        TypeKind::VarChar { .. } | TypeKind::Char { .. } => "STRING",
        TypeKind::Boolean => "BOOLEAN",
        TypeKind::Int => "INT",
        TypeKind::Double => "DOUBLE",
        TypeKind::Array(element) if element.kind.is_text() => "ARRAY<STRING>",
        other => {
            let message = format!(
                "JSON functions do not return {other}; use STRING, BOOLEAN, INT, DOUBLE or, of \
                 JSON_QUERY, ARRAY<STRING>, and CAST"
            );
            return Err(error_at(&token, &message));
        }
    };
    Ok(text(name))
}

/// What stands for a value: the behaviour and the value of its DEFAULT.
struct Instead {
    behaviour: Expr,
    default: Expr,
}

impl Instead {
    fn null() -> Self {
        Self { behaviour: text("NULL"), default: null() }
    }
}

/// `behaviour ON EMPTY`, `behaviour ON ERROR`, each at most once.
fn instead(parser: &mut Parser) -> Result<[Instead; 2], ParserError> {
    let (mut on_empty, mut on_error) = (None, None);
    loop {
        let token = parser.peek_token_ref().clone();
        let parsed = if word(parser, "NULL") {
            Instead::null()
        } else if word(parser, "ERROR") {
            Instead { behaviour: text("ERROR"), default: null() }
        } else if words(parser, &["EMPTY", "ARRAY"]) {
            Instead { behaviour: text("EMPTY ARRAY"), default: null() }
        } else if words(parser, &["EMPTY", "OBJECT"]) {
            Instead { behaviour: text("EMPTY OBJECT"), default: null() }
        } else if word(parser, "DEFAULT") {
            Instead { behaviour: text("DEFAULT"), default: parser.parse_expr()? }
        } else {
            break;
        };
        expect_word(parser, "ON")?;
        let place = if word(parser, "EMPTY") {
            &mut on_empty
        } else {
            expect_word(parser, "ERROR")?;
            &mut on_error
        };
        if place.replace(parsed).is_some() {
            return Err(error_at(&token, "the clause stands there twice"));
        }
    }
    Ok([on_empty.unwrap_or_else(Instead::null), on_error.unwrap_or_else(Instead::null)])
}

fn value(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let mut args = input(parser)?;
    args.push(returning(parser)?);
    let [empty, error] = instead(parser)?;
    args.extend([empty.behaviour, error.behaviour, empty.default, error.default]);
    Ok(args)
}

fn query(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let mut args = input(parser)?;
    args.push(returning(parser)?);
    let mut wrapper = "WITHOUT";
    if words(parser, &["WITHOUT", "ARRAY", "WRAPPER"]) || words(parser, &["WITHOUT", "WRAPPER"]) {
        // The default.
    } else if word(parser, "WITH") {
        let conditional = word(parser, "CONDITIONAL");
        if !conditional {
            word(parser, "UNCONDITIONAL");
        }
        word(parser, "ARRAY");
        expect_word(parser, "WRAPPER")?;
        wrapper = if conditional { "CONDITIONAL" } else { "UNCONDITIONAL" };
    }
    args.push(text(wrapper));
    let [empty, error] = instead(parser)?;
    args.extend([empty.behaviour, error.behaviour]);
    Ok(args)
}

/// `NULL ON NULL`, `ABSENT ON NULL`
fn on_null(parser: &mut Parser, default: &str) -> Expr {
    let known = ["NULL", "ABSENT"];
    let found = known.into_iter().find(|name| words(parser, &[name, "ON", "NULL"]));
    text(found.unwrap_or(default))
}

/// Whether a value is JSON already; `JSON(x)` becomes a call that is known here only.
fn raw(value: &mut Expr) -> bool {
    let Expr::Function(function) = value else { return false };
    let name = function.name.to_string().to_ascii_uppercase();
    if name == "JSON" {
        function.name = sqlparser::ast::ObjectName::from(Ident::new(RAW));
    }
    MAKE_JSON.contains(&name.as_str())
}

fn flag(value: &mut Expr) -> char {
    if raw(value) { 'r' } else { 'v' }
}

fn starts_on_null(parser: &Parser) -> bool {
    ["NULL", "ABSENT"].iter().any(|name| peek_word(parser, 0, name))
        && peek_word(parser, 1, "ON")
        && peek_word(parser, 2, "NULL")
}

/// `[KEY] key VALUE value` or `key : value`
fn member(parser: &mut Parser) -> Result<(Expr, Expr), ParserError> {
    if peek_word(parser, 0, "KEY") && parser.peek_nth_token_ref(1).token != Token::LParen {
        parser.advance_token();
    }
    let key = parser.parse_expr()?;
    if !parser.consume_token(&Token::Colon) {
        expect_word(parser, "VALUE")?;
    }
    Ok((key, parser.parse_expr()?))
}

fn object(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let (mut flags, mut members) = (String::new(), Vec::new());
    while parser.peek_token_ref().token != Token::RParen && !starts_on_null(parser) {
        let (key, mut value) = member(parser)?;
        flags.push(flag(&mut value));
        members.extend([key, value]);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let on_null = on_null(parser, "NULL");
    Ok([text(&flags), on_null].into_iter().chain(members).collect())
}

fn array(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let (mut flags, mut values) = (String::new(), Vec::new());
    while parser.peek_token_ref().token != Token::RParen && !starts_on_null(parser) {
        let mut value = parser.parse_expr()?;
        flags.push(flag(&mut value));
        values.push(value);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let on_null = on_null(parser, "ABSENT");
    Ok([text(&flags), on_null].into_iter().chain(values).collect())
}

/// Flag, ON NULL, key, value.
fn object_aggregate(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let (key, mut value) = member(parser)?;
    let flags = flag(&mut value).to_string();
    Ok(vec![text(&flags), on_null(parser, "NULL"), key, value])
}

/// Flag, ON NULL, value, then what stands in ORDER BY.
fn array_aggregate(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let mut value = parser.parse_expr()?;
    let flags = flag(&mut value).to_string();
    let order = order_by(parser)?;
    let on_null = on_null(parser, "ABSENT");
    Ok([text(&flags), on_null, value].into_iter().chain(order).collect())
}

/// The expressions of an `ORDER BY`, if there is one.
fn order_by(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    if !words(parser, &["ORDER", "BY"]) {
        return Ok(Vec::new());
    }
    let keys = parser.parse_comma_separated(Parser::parse_order_by_expr)?;
    Ok(keys.into_iter().map(|key| key.expr).collect())
}
