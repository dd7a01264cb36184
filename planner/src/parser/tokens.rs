//! From text to tokens: comments go, hints are set aside, and bounds are kept that protect the
//! recursive parsers behind.

use std::collections::BTreeMap;

use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{
    Location, Span as TokenSpan, Token, TokenWithSpan, Tokenizer, Whitespace,
};
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::cursor;
use super::dialect::FlinkDialect;
use super::difference;
use super::row_pattern;
use super::table_query::select_tables;

/// How deep expressions and queries may be nested.
const RECURSION_LIMIT: usize = 120;
/// Most binary operators in one statement: left-deep chains of them are trees as deep.
const MAX_OPERATORS: usize = 2_000;
/// Most brackets that may open directly behind a `FROM`, `JOIN` or each other.
const MAX_OPEN_BRACKETS: usize = 24;

/// Hints by the end of the token before them: a table's name, or SELECT.
pub(crate) type Hints = BTreeMap<(u32, u32), Vec<Hint>>;

/// One hint of a `/*+ … */`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// Upper-case name, one of [`HINTS`].
    pub(crate) name: &'static str,
    /// `'key' = 'value'`; the value of a mere name is empty.
    pub(crate) options: Vec<(String, String)>,
    pub(crate) span: Span,
}

/// The hints that Flink knows. Those that only choose among algorithms of bounded joins are read and
/// have no effect.
const HINTS: &[&str] = &[
    "OPTIONS",
    "STATE_TTL",
    "LOOKUP",
    "BROADCAST",
    "SHUFFLE_HASH",
    "SHUFFLE_MERGE",
    "NEST_LOOP",
    "MULTI_JOIN",
];

/// The options of the OPTIONS hints among hints.
pub(crate) fn table_options(hints: &[Hint]) -> Vec<(String, String)> {
    let options = hints.iter().filter(|hint| hint.name == "OPTIONS");
    options.flat_map(|hint| hint.options.iter().cloned()).collect()
}

/// The tokens of a script without white space.
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenWithSpan>,
    pub(crate) hints: Hints,
}

/// A parser over prepared tokens.
pub(crate) fn parser(dialect: &dyn Dialect, tokens: Vec<TokenWithSpan>) -> Parser<'_> {
    Parser::new(dialect).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(tokens)
}

/// Tokenizes a script.
///
/// # Errors
/// `SQL_SYNTAX` where a string, name or comment does not end, or a bound is passed.
pub(crate) fn tokenize(text: &str) -> Result<Tokens> {
    let mut raw = Vec::new();
    Tokenizer::new(&FlinkDialect, text).tokenize_with_location_into_buf(&mut raw).map_err(
        |error| {
            let place = TokenSpan { start: error.location, end: error.location };
            Error::new(ErrorCode::SqlSyntax, error.message).at(cursor::span(place))
        },
    )?;
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(raw.len());
    let mut hints = Hints::new();
    for token in raw {
        match token.token {
            Token::Whitespace(Whitespace::MultiLineComment(comment)) => {
                if let (Some(hint), Some(before)) = (comment.strip_prefix('+'), tokens.last()) {
                    let end = before.span.end;
                    let read = read_hints(hint, cursor::span(token.span))?;
                    hints.entry((end.line as u32, end.column as u32)).or_default().extend(read);
                }
            }
            Token::Whitespace(_) => {}
            Token::DoubleQuotedString(_) => {
                return Err(Error::new(
                    ErrorCode::SqlSyntax,
                    "double quotes are not used in Flink SQL",
                )
                .at(cursor::span(token.span))
                .help("write 'text' for strings and `name` for identifiers"));
            }
            // No shift operators in Flink: two closing brackets of nested types.
            Token::ShiftRight => tokens.extend(split_brackets(token.span)),
            // A function's name that begins with what is a parameter elsewhere.
            Token::Placeholder(text) if text.eq_ignore_ascii_case("$SUM0") => {
                let name = Token::make_word(&text, Some('`'));
                tokens.push(TokenWithSpan { token: name, span: token.span });
            }
            _ => tokens.push(token),
        }
    }
    check_bounds(&tokens)?;
    let tokens = difference::carry(row_pattern::carry(tokens)?);
    let tokens = bracket_values(select_tables(tokens));
    Ok(Tokens { tokens, hints })
}

/// `VALUES 1, 2` is `VALUES (1), (2)`, which is all that `sqlparser` reads.
fn bracket_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Depth of brackets inside a VALUES without brackets.
    let mut open: Option<usize> = None;
    let bracket = |token: Token, span: TokenSpan| TokenWithSpan { token, span };
    for token in tokens {
        if let Some(depth) = &mut open {
            match &token.token {
                Token::LParen | Token::LBracket => *depth += 1,
                Token::RParen | Token::RBracket if *depth > 0 => *depth -= 1,
                Token::Comma if *depth == 0 => {
                    result.push(bracket(Token::RParen, token.span));
                    let span = token.span;
                    result.push(token);
                    result.push(bracket(Token::LParen, span));
                    continue;
                }
                other if *depth == 0 && ends_value(other) => {
                    result.push(bracket(Token::RParen, token.span));
                    open = None;
                }
                _ => {}
            }
        } else if result.last().is_some_and(is_values) && starts_value(&token.token) {
            result.push(bracket(Token::LParen, token.span));
            open = Some(0);
        }
        result.push(token);
    }
    if let (Some(_), Some(last)) = (open, result.last()) {
        let span = last.span;
        result.push(bracket(Token::RParen, span));
    }
    result
}

fn is_values(token: &TokenWithSpan) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("VALUES"))
}

fn starts_value(token: &Token) -> bool {
    match token {
        Token::Word(word) => !word.value.eq_ignore_ascii_case("ROW"),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Minus | Token::Plus => true,
        _ => false,
    }
}

fn ends_value(token: &Token) -> bool {
    match token {
        Token::RParen | Token::SemiColon => true,
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case("UNION"),
        _ => false,
    }
}

fn split_brackets(span: TokenSpan) -> [TokenWithSpan; 2] {
    let middle = Location { line: span.start.line, column: span.start.column + 1 };
    let bracket = |start, end| TokenWithSpan { token: Token::Gt, span: TokenSpan { start, end } };
    [bracket(span.start, middle), bracket(middle, span.end)]
}

/// The hints of a comment: `OPTIONS('k' = 'v'), BROADCAST(t)`.
fn read_hints(text: &str, place: Span) -> Result<Vec<Hint>> {
    let syntax = |message: String| Error::new(ErrorCode::SqlSyntax, message).at(place);
    let mut inner = Vec::new();
    Tokenizer::new(&FlinkDialect, text)
        .tokenize_with_location_into_buf(&mut inner)
        .map_err(|error| syntax(error.message))?;
    inner.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut parser = parser(&FlinkDialect, inner);
    let mut hints = Vec::new();
    while parser.peek_token_ref().token != Token::EOF {
        let word = parser.next_token().to_string();
        let Some(name) = HINTS.iter().find(|name| word.eq_ignore_ascii_case(name)) else {
            return Err(Error::unsupported(format!("there is no hint {word}")).at(place).help(
                "supported are OPTIONS('key' = 'value') behind a table's name, and STATE_TTL('table' = '1 d') and LOOKUP('table' = '…', …) behind SELECT",
            ));
        };
        let options = cursor::parenthesized(&mut parser, |parser| {
            let key = match parser.peek_token_ref().token {
                Token::Word(_) => parser.next_token().to_string(),
                _ => cursor::string(parser, "an option's name in quotes")?,
            };
            match parser.consume_token(&Token::Eq) {
                true => Ok((key, cursor::string(parser, "an option's value in quotes")?)),
                false => Ok((key, String::new())),
            }
        });
        let options =
            options.map_err(|error| syntax(format!("the hint {name} does not parse: {error}")))?;
        hints.push(Hint { name, options, span: place });
        let _ = parser.consume_token(&Token::Comma);
    }
    Ok(hints)
}

/// Refuses statements whose trees would be too deep to walk.
fn check_bounds(tokens: &[TokenWithSpan]) -> Result<()> {
    let (mut operators, mut open) = (0, 0);
    let mut before = &Token::SemiColon;
    for token in tokens {
        match &token.token {
            Token::SemiColon => operators = 0,
            Token::LParen => open += 1,
            Token::Minus | Token::Plus if matches!(before, Token::LParen | Token::Comma) => {}
            token if is_operator(token) => operators += 1,
            _ => {}
        }
        before = &token.token;
        if token.token != Token::LParen {
            open = 0;
        }
        let what = if operators > MAX_OPERATORS {
            format!("the statement has more than {MAX_OPERATORS} operators")
        } else if open > MAX_OPEN_BRACKETS {
            "the statement is nested too deeply".to_owned()
        } else {
            continue;
        };
        return Err(Error::new(ErrorCode::ResourceExhausted, what)
            .at(cursor::span(token.span))
            .help("split it with views, or use IN for long lists"));
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => {
            true
        }
        Token::LBracket | Token::Period => false,
        Token::Word(word) => {
            word.quote_style.is_none()
                && ["AND", "OR", "NOT", "UNION"]
                    .iter()
                    .any(|op| word.value.eq_ignore_ascii_case(op))
        }
        _ => false,
    }
}
