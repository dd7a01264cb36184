//! Flink's type syntax: `ROW<a INT, b STRING NOT NULL>`, `TIMESTAMP(3) WITH LOCAL TIME ZONE`, `INT ARRAY`, ….
//!
//! Grammar and defaults: Flink's "Data Types"; in SQL, VARCHAR and VARBINARY without a length are
//! STRING and BYTES.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::sql_type::{MAX_DECIMAL_PRECISION, MAX_LENGTH};
use tidegate_types::{Field, SqlType, TypeKind};

use super::cursor::{error_at, expect_word, identifier, peek_word, unexpected, word, words};

/// How deep types may be nested.
const MAX_DEPTH: usize = 64;

/// Parses a type with its nullability; nullable if nothing is said.
pub(crate) fn parse_type(parser: &mut Parser) -> Result<SqlType, ParserError> {
    nested_type(parser, 0)
}

fn nested_type(parser: &mut Parser, depth: usize) -> Result<SqlType, ParserError> {
    if depth > MAX_DEPTH {
        return Err(error_at(parser.peek_token_ref(), "the type is nested too deeply"));
    }
    let kind = kind(parser, depth)?;
    let says_null = peek_word(parser, 0, "NULL");
    let mut ty = nullability(parser, kind);
    if !says_null && (peek_word(parser, 0, "ARRAY") || peek_word(parser, 0, "MULTISET")) {
        // In this form elements are NOT NULL unless said.
        ty.nullable = false;
    }
    loop {
        if word(parser, "ARRAY") {
            ty = nullability(parser, TypeKind::Array(Box::new(ty)));
        } else if word(parser, "MULTISET") {
            ty = nullability(parser, TypeKind::Multiset(Box::new(ty)));
        } else {
            return Ok(ty);
        }
    }
}

fn nullability(parser: &mut Parser, kind: TypeKind) -> SqlType {
    if words(parser, &["NOT", "NULL"]) {
        return kind.not_null();
    }
    // `RETURNING INT NULL ON EMPTY`: there the word belongs to what follows.
    if !peek_word(parser, 1, "ON") {
        word(parser, "NULL");
    }
    kind.nullable()
}

fn kind(parser: &mut Parser, depth: usize) -> Result<TypeKind, ParserError> {
    let token = parser.peek_token_ref().clone();
    let Token::Word(name) = &token.token else {
        return Err(unexpected(parser, "a type"));
    };
    if name.quote_style.is_some() {
        return Err(unexpected(parser, "a type"));
    }
    parser.advance_token();
    Ok(match name.value.to_ascii_uppercase().as_str() {
        "BOOLEAN" => TypeKind::Boolean,
        "TINYINT" => TypeKind::TinyInt,
        "SMALLINT" => TypeKind::SmallInt,
        "INT" | "INTEGER" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "FLOAT" | "REAL" => TypeKind::Float,
        "DOUBLE" => {
            word(parser, "PRECISION");
            TypeKind::Double
        }
        "DECIMAL" | "DEC" | "NUMERIC" => decimal(parser)?,
        "STRING" => TypeKind::STRING,
        "BYTES" => TypeKind::BYTES,
        "CHAR" | "CHARACTER" => character(parser)?,
        "VARCHAR" => TypeKind::VarChar { length: length(parser)?.unwrap_or(MAX_LENGTH) },
        "BINARY" => binary(parser)?,
        "VARBINARY" => TypeKind::VarBinary { length: length(parser)?.unwrap_or(MAX_LENGTH) },
        "DATE" => TypeKind::Date,
        "TIME" => {
            let precision = precision(parser, 0)?;
            words(parser, &["WITHOUT", "TIME", "ZONE"]);
            TypeKind::Time { precision }
        }
        "TIMESTAMP" => timestamp(parser)?,
        "TIMESTAMP_LTZ" => TypeKind::timestamp_ltz(precision(parser, 6)?),
        "INTERVAL" => interval(parser)?,
        "NULL" => TypeKind::Null,
        "ARRAY" => TypeKind::Array(Box::new(angle_one(parser, depth)?)),
        "MULTISET" => TypeKind::Multiset(Box::new(angle_one(parser, depth)?)),
        "MAP" => map(parser, depth)?,
        "ROW" => row(parser, depth)?,
        "STRUCTURED" => structured(parser, depth)?,
        "VARIANT" => TypeKind::Variant,
        "BITMAP" => TypeKind::Bitmap,
        other => {
            return Err(error_at(&token, &format!("'{other}' is not a type that is supported")));
        }
    })
}

/// `(n)`, if it is there.
fn length(parser: &mut Parser) -> Result<Option<u32>, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(None);
    }
    let token = parser.peek_token_ref().clone();
    let length = parser.parse_literal_uint()?;
    parser.expect_token(&Token::RParen)?;
    match u32::try_from(length) {
        Ok(length) if (1..=MAX_LENGTH).contains(&length) => Ok(Some(length)),
        _ => Err(error_at(&token, &format!("length {length} is not between 1 and {MAX_LENGTH}"))),
    }
}

fn character(parser: &mut Parser) -> Result<TypeKind, ParserError> {
    if word(parser, "VARYING") {
        return Ok(TypeKind::VarChar { length: length(parser)?.unwrap_or(MAX_LENGTH) });
    }
    Ok(TypeKind::Char { length: length(parser)?.unwrap_or(1) })
}

fn binary(parser: &mut Parser) -> Result<TypeKind, ParserError> {
    if word(parser, "VARYING") {
        return Ok(TypeKind::VarBinary { length: length(parser)?.unwrap_or(MAX_LENGTH) });
    }
    Ok(TypeKind::Binary { length: length(parser)?.unwrap_or(1) })
}

fn decimal(parser: &mut Parser) -> Result<TypeKind, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(TypeKind::Decimal { precision: 10, scale: 0 });
    }
    let token = parser.peek_token_ref().clone();
    let precision = parser.parse_literal_uint()?;
    let scale = if parser.consume_token(&Token::Comma) { parser.parse_literal_uint()? } else { 0 };
    parser.expect_token(&Token::RParen)?;
    if !(1..=u64::from(MAX_DECIMAL_PRECISION)).contains(&precision) || scale > precision {
        let message = format!(
            "DECIMAL({precision}, {scale}) needs a precision from 1 to {MAX_DECIMAL_PRECISION} and a scale up to it"
        );
        return Err(error_at(&token, &message));
    }
    Ok(TypeKind::Decimal { precision: precision as u8, scale: scale as u8 })
}

/// `(p)` from 0 to 9, or the default.
fn precision(parser: &mut Parser, default: u8) -> Result<u8, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(default);
    }
    let token = parser.peek_token_ref().clone();
    let precision = parser.parse_literal_uint()?;
    parser.expect_token(&Token::RParen)?;
    if precision > 9 {
        return Err(error_at(&token, &format!("precision {precision} is not between 0 and 9")));
    }
    Ok(precision as u8)
}

fn timestamp(parser: &mut Parser) -> Result<TypeKind, ParserError> {
    let precision = precision(parser, 6)?;
    if words(parser, &["WITH", "LOCAL", "TIME", "ZONE"]) {
        return Ok(TypeKind::timestamp_ltz(precision));
    }
    if super::cursor::peek_word(parser, 0, "WITH") && super::cursor::peek_word(parser, 1, "TIME") {
        let message =
            "TIMESTAMP WITH TIME ZONE is not supported, as in Flink SQL; use TIMESTAMP_LTZ";
        return Err(error_at(parser.peek_token_ref(), message));
    }
    words(parser, &["WITHOUT", "TIME", "ZONE"]);
    Ok(TypeKind::timestamp(precision))
}

/// `INTERVAL unit[(p)] [TO unit[(p)]]`; every resolution is kept as months or milliseconds.
fn interval(parser: &mut Parser) -> Result<TypeKind, ParserError> {
    let months = interval_unit(parser)?;
    if word(parser, "TO") && interval_unit(parser)? != months {
        let message = "an interval has either years and months or days to seconds";
        return Err(error_at(parser.peek_token_ref(), message));
    }
    Ok(if months { TypeKind::IntervalYearMonth } else { TypeKind::IntervalDayTime })
}

/// Whether the unit is one of months.
fn interval_unit(parser: &mut Parser) -> Result<bool, ParserError> {
    let months = ["YEAR", "MONTH"].iter().any(|unit| word(parser, unit));
    if !months && !["DAY", "HOUR", "MINUTE", "SECOND"].iter().any(|unit| word(parser, unit)) {
        return Err(unexpected(parser, "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND"));
    }
    if parser.consume_token(&Token::LParen) {
        parser.parse_literal_uint()?;
        if parser.consume_token(&Token::Comma) {
            parser.parse_literal_uint()?;
        }
        parser.expect_token(&Token::RParen)?;
    }
    Ok(months)
}

fn angle_one(parser: &mut Parser, depth: usize) -> Result<SqlType, ParserError> {
    parser.expect_token(&Token::Lt)?;
    let element = nested_type(parser, depth + 1)?;
    parser.expect_token(&Token::Gt)?;
    Ok(element)
}

fn map(parser: &mut Parser, depth: usize) -> Result<TypeKind, ParserError> {
    parser.expect_token(&Token::Lt)?;
    let key = nested_type(parser, depth + 1)?;
    parser.expect_token(&Token::Comma)?;
    let value = nested_type(parser, depth + 1)?;
    parser.expect_token(&Token::Gt)?;
    Ok(TypeKind::Map(Box::new(key), Box::new(value)))
}

/// `ROW<name type ['comment'], …>`, also with round brackets.
fn row(parser: &mut Parser, depth: usize) -> Result<TypeKind, ParserError> {
    let close = if parser.consume_token(&Token::LParen) {
        Token::RParen
    } else if parser.consume_token(&Token::Neq) {
        return Ok(TypeKind::Row(Vec::new()));
    } else {
        parser.expect_token(&Token::Lt)?;
        Token::Gt
    };
    let fields = fields(parser, depth, "ROW")?;
    parser.expect_token(&close)?;
    Ok(TypeKind::Row(fields))
}

/// `STRUCTURED<'class', name type ['comment'], …>`.
fn structured(parser: &mut Parser, depth: usize) -> Result<TypeKind, ParserError> {
    parser.expect_token(&Token::Lt)?;
    let class = super::cursor::string(parser, "the name of a class in quotes")?;
    let fields = match parser.consume_token(&Token::Comma) {
        true => fields(parser, depth, "STRUCTURED")?,
        false => Vec::new(),
    };
    parser.expect_token(&Token::Gt)?;
    Ok(TypeKind::Structured { class, fields })
}

fn fields(parser: &mut Parser, depth: usize, kind: &str) -> Result<Vec<Field>, ParserError> {
    let mut fields: Vec<Field> = Vec::new();
    loop {
        let token = parser.peek_token_ref().clone();
        let name = identifier(parser)?.value;
        if fields.iter().any(|field| field.name == name) {
            return Err(error_at(
                &token,
                &format!("the {kind} type has two fields named '{name}'"),
            ));
        }
        let ty = nested_type(parser, depth + 1)?;
        if matches!(parser.peek_token_ref().token, Token::SingleQuotedString(_)) {
            parser.advance_token();
        }
        fields.push(Field::new(name, ty));
        if !parser.consume_token(&Token::Comma) {
            return Ok(fields);
        }
    }
}

/// Parses a type that stands alone, such as what `Display` of a type prints.
///
/// # Errors
/// `SQL_SYNTAX` with the place in `text`.
pub fn parse_type_text(text: &str) -> tidegate_types::Result<SqlType> {
    let tokens = super::tokens::tokenize(text)?;
    let mut parser = super::tokens::parser(&super::dialect::FlinkDialect, tokens.tokens);
    let start = tidegate_types::Span { line: 1, column: 1, end_line: 1, end_column: 1 };
    let ty = parse_type(&mut parser)
        .and_then(|ty| expect_end(&mut parser).map(|()| ty))
        .map_err(|error| super::cursor::into_error(error, start))?;
    Ok(ty)
}

fn expect_end(parser: &mut Parser) -> Result<(), ParserError> {
    if parser.peek_token_ref().token == Token::EOF {
        Ok(())
    } else {
        expect_word(parser, "the end of the type")
    }
}
