//! Flink's SQL as a dialect of `sqlparser`: quoting, operators, and the expression forms that only
//! Flink has (`TABLE t` as an argument, casts to Flink's types, `MAP[…]`).
//!
//! Statements are parsed by `script.rs`; types by `types.rs`.

use sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, TimezoneInfo, TrimWhereField, TypedString, Value,
};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::cursor;
use super::infix;
use super::json;
use super::types;

/// Name of the custom type that carries a Flink type, as JSON, through `sqlparser`'s tree.
pub(crate) const FLINK_TYPE: &str = "FLINK_TYPE";
/// Name of the call that stands for `TABLE t [PARTITION BY …]` as an argument.
pub(crate) const TABLE_ARGUMENT: &str = "$TABLE";
/// Name of the call that stands for `MAP[k, v, …]`.
pub(crate) const MAP_CONSTRUCTOR: &str = "$MAP";
/// Name of the call that stands for the watermarks of a source.
pub(crate) const SOURCE_WATERMARK: &str = "SOURCE_WATERMARK";
/// Name of the call that stands for `x [NOT] BETWEEN SYMMETRIC a AND b`.
pub(crate) const BETWEEN_SYMMETRIC: &str = "$BETWEEN_SYMMETRIC";
/// Names of the calls that stand for `FINAL f(…)` and `RUNNING f(…)`.
pub(crate) const FINAL: &str = "$FINAL";
/// As [`FINAL`].
pub(crate) const RUNNING: &str = "$RUNNING";
/// Functions whose first argument is a unit of time, which reads like a column's name.
pub(crate) const UNIT_FUNCTIONS: &[&str] = &["TIMESTAMPADD", "TIMESTAMPDIFF"];

/// Flink's dialect.
#[derive(Debug)]
pub(crate) struct FlinkDialect;

impl Dialect for FlinkDialect {
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        // Of JSON_OBJECTAGG(key : value), not of a path into a value.
        (parser.peek_token_ref().token == Token::Colon).then(|| Ok(self.prec_unknown()))
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation_with_newline(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    /// Takes `BETWEEN SYMMETRIC` and `IS JSON`, which `sqlparser` does not know.
    fn parse_infix(
        &self,
        parser: &mut Parser,
        left: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        infix::parse(self, parser, left)
    }

    /// Takes the forms that `sqlparser` does not know, and those that it would try again in another
    /// reading after an error (which takes exponential time where they are nested).
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else {
            return None;
        };
        if word.quote_style.is_some() {
            return None;
        }
        let called = parser.peek_nth_token_ref(1).token == Token::LParen;
        if let Some(name) = modifier(parser) {
            return Some(parse_modified(parser, name));
        }
        match word.keyword {
            Keyword::CASE => {
                parser.advance_token();
                Some(parser.parse_case_expr())
            }
            Keyword::CAST if called => Some(parse_cast(parser, CastKind::Cast)),
            Keyword::TRY_CAST if called => Some(parse_cast(parser, CastKind::TryCast)),
            Keyword::EXTRACT if called => {
                parser.advance_token();
                Some(parser.parse_extract_expr())
            }
            Keyword::NOT => {
                parser.advance_token();
                Some(parser.parse_not())
            }
            Keyword::ARRAY if parser.peek_nth_token_ref(1).token == Token::LBracket => {
                parser.advance_token();
                parser.advance_token();
                Some(parser.parse_array_expr(true))
            }
            Keyword::CEIL | Keyword::FLOOR if called => {
                let ceil = word.keyword == Keyword::CEIL;
                parser.advance_token();
                Some(parser.parse_ceil_floor_expr(ceil))
            }
            Keyword::SUBSTRING | Keyword::SUBSTR if called => Some(parser.parse_substring()),
            Keyword::OVERLAY if called => {
                parser.advance_token();
                Some(parser.parse_overlay_expr())
            }
            Keyword::TRIM if called => Some(parse_trim(parser)),
            Keyword::EXISTS if called => {
                parser.advance_token();
                Some(parser.parse_exists_expr(false))
            }
            Keyword::POSITION if called => Some(parse_position(parser)),
            Keyword::CURRENT_TIMESTAMP
            | Keyword::CURRENT_TIME
            | Keyword::CURRENT_DATE
            | Keyword::LOCALTIME
            | Keyword::LOCALTIMESTAMP => {
                let name = word.clone();
                let span = parser.next_token().span;
                Some(parser.parse_time_functions(ObjectName::from(name.into_ident(span))))
            }
            Keyword::CONVERT | Keyword::TRY_CONVERT | Keyword::SAFE_CAST if called => {
                let message = format!("{} is not supported; use CAST or TRY_CAST", word.value);
                Some(Err(cursor::error_at(parser.peek_token_ref(), &message)))
            }
            Keyword::TABLE if !called => Some(parse_table_argument(parser)),
            Keyword::MAP if parser.peek_nth_token_ref(1).token == Token::LBracket => {
                Some(parse_map(parser))
            }
            Keyword::INTERVAL => Some(parse_interval(parser)),
            Keyword::TIMESTAMP if cursor::peek_word(parser, 1, "WITH") => {
                Some(parse_instant(parser))
            }
            Keyword::JSON if called => Some(parse_call(parser)),
            _ if called => {
                let name = word.value.clone();
                json::parse(parser, &name)
            }
            _ => None,
        }
    }
}

/// `FINAL` or `RUNNING` in front of a call.
fn modifier(parser: &Parser) -> Option<&'static str> {
    let call = matches!(parser.peek_nth_token_ref(1).token, Token::Word(_))
        && parser.peek_nth_token_ref(2).token == Token::LParen;
    let known = [("FINAL", FINAL), ("RUNNING", RUNNING)];
    known
        .into_iter()
        .find(|(word, _)| call && cursor::peek_word(parser, 0, word))
        .map(|(_, name)| name)
}

/// `FINAL f(…)`.
fn parse_modified(parser: &mut Parser, name: &str) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    let call = parser.parse_prefix()?;
    Ok(internal_call(Ident { value: name.to_owned(), quote_style: None, span }, vec![call]))
}

/// `INTERVAL [+|-] 'text' unit`; the sign before the text is not read by `sqlparser`.
fn parse_interval(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    let negative = parser.consume_token(&Token::Minus);
    if !negative {
        let _ = parser.consume_token(&Token::Plus);
    }
    let interval = parser.parse_interval()?;
    Ok(if negative {
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr: Box::new(interval) }
    } else {
        interval
    })
}

/// `TIMESTAMP WITH LOCAL TIME ZONE '…'`, which `sqlparser` has another type for.
fn parse_instant(parser: &mut Parser) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    for keyword in [Keyword::WITH, Keyword::LOCAL, Keyword::TIME, Keyword::ZONE] {
        parser.expect_keyword_is(keyword)?;
    }
    let text = cursor::string(parser, "a timestamp in quotes")?;
    Ok(Expr::TypedString(TypedString {
        data_type: DataType::Timestamp(None, TimezoneInfo::Tz),
        value: Value::SingleQuotedString(text).with_span(span),
        uses_odbc_syntax: false,
    }))
}

/// `TRIM([[BOTH | LEADING | TRAILING] [characters] FROM] text)`.
fn parse_trim(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let sides = [
        ("BOTH", TrimWhereField::Both),
        ("LEADING", TrimWhereField::Leading),
        ("TRAILING", TrimWhereField::Trailing),
    ];
    let trim_where =
        sides.into_iter().find(|(name, _)| cursor::word(parser, name)).map(|(_, side)| side);
    let (trim_what, expr) = if trim_where.is_some() && parser.parse_keyword(Keyword::FROM) {
        (None, parser.parse_expr()?)
    } else {
        let first = parser.parse_expr()?;
        match parser.parse_keyword(Keyword::FROM) {
            true => (Some(Box::new(first)), parser.parse_expr()?),
            false => (None, first),
        }
    };
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Trim { trim_where, trim_what, expr: Box::new(expr), trim_characters: None })
}

/// `POSITION(x IN y [FROM n])`.
fn parse_position(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    // Below the precedence of IN, which belongs to POSITION here.
    let expr = parser.parse_subexpr(FlinkDialect.prec_value(Precedence::Between))?;
    parser.expect_keyword_is(Keyword::IN)?;
    let r#in = parser.parse_expr()?;
    if parser.parse_keyword(Keyword::FROM) {
        let from = parser.parse_expr()?;
        parser.expect_token(&Token::RParen)?;
        return Ok(internal_call(Ident::new("LOCATE"), vec![expr, r#in, from]));
    }
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Position { expr: Box::new(expr), r#in: Box::new(r#in) })
}

/// `CAST(expr AS type)` with any type of Flink's.
fn parse_cast(parser: &mut Parser, kind: CastKind) -> Result<Expr, ParserError> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_keyword_is(Keyword::AS)?;
    let ty = types::parse_type(parser)?;
    parser.expect_token(&Token::RParen)?;
    let json = serde_json::to_string(&ty)
        .map_err(|error| ParserError::ParserError(format!("type {ty}: {error}")))?;
    let data_type = DataType::Custom(ObjectName::from(Ident::new(FLINK_TYPE)), vec![json]);
    Ok(Expr::Cast { kind, expr, data_type, array: false, format: None })
}

/// `name(expr, …)` of a name that `sqlparser` takes for a type.
fn parse_call(parser: &mut Parser) -> Result<Expr, ParserError> {
    let token = parser.next_token();
    let Token::Word(word) = token.token else {
        return Err(cursor::error_at(&token, "expected a function"));
    };
    parser.expect_token(&Token::LParen)?;
    let args = parser.parse_comma_separated0(Parser::parse_expr, Token::RParen)?;
    parser.expect_token(&Token::RParen)?;
    let name =
        Ident { value: word.value.to_ascii_uppercase(), quote_style: None, span: token.span };
    Ok(internal_call(name, args))
}

/// `TABLE name [PARTITION BY column | PARTITION BY (column, …)]` as an argument of a table function.
fn parse_table_argument(parser: &mut Parser) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    let mut args = vec![Expr::CompoundIdentifier(cursor::name_parts(parser)?)];
    if parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
        if parser.consume_token(&Token::LParen) {
            args.extend(parser.parse_comma_separated(Parser::parse_expr)?);
            parser.expect_token(&Token::RParen)?;
        } else {
            args.push(parser.parse_expr()?);
        }
    }
    Ok(internal_call(Ident { value: TABLE_ARGUMENT.to_owned(), quote_style: None, span }, args))
}

/// `MAP[key, value, …]`.
fn parse_map(parser: &mut Parser) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    parser.expect_token(&Token::LBracket)?;
    let args = parser.parse_comma_separated0(Parser::parse_expr, Token::RBracket)?;
    parser.expect_token(&Token::RBracket)?;
    Ok(internal_call(Ident { value: MAP_CONSTRUCTOR.to_owned(), quote_style: None, span }, args))
}

pub(super) fn internal_call(name: Ident, args: Vec<Expr>) -> Expr {
    let args =
        args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
