//! `MATCH_RECOGNIZE` among the tokens: what `sqlparser` does not read of it is read here and carried through
//! its tree as the name of the pattern's only variable: reluctant quantifiers, `WITHIN`. Behind a bracket
//! (a subquery, a table function) the clause moves into a query of its own, as `sqlparser` takes it behind
//! names only.
//!
//! What Flink refuses of patterns is refused here: alternatives, groups, anchors, PERMUTE, exclusions, SUBSET.

use serde::{Deserialize, Serialize};
use sqlparser::ast::{Expr, Interval};
use sqlparser::tokenizer::{Span as TokenSpan, Token, TokenWithSpan, Word};
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::cursor::{self, into_error};
use super::dialect::FlinkDialect;
use super::tokens;

/// The name under which the table stands that a moved clause is about.
const MOVED: &str = "$match";
/// How deep brackets may be nested in a pattern.
const MAX_DEPTH: usize = 64;

/// A pattern as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowPattern {
    pub(crate) variables: Vec<Quantified>,
    pub(crate) within: Option<Within>,
}

/// A variable with its quantifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantified {
    pub(crate) name: String,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
    pub(crate) reluctant: bool,
    pub(crate) span: Span,
}

/// `WITHIN INTERVAL 'text' first [TO last]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Within {
    pub(crate) text: String,
    pub(crate) first: String,
    pub(crate) last: Option<String>,
    pub(crate) span: Span,
}

/// Rewrites every `MATCH_RECOGNIZE (…)` among the tokens.
///
/// # Errors
/// `SQL_SYNTAX` for a pattern that does not parse, `UNSUPPORTED` for one that Flink does not support.
pub(super) fn carry(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|token| is_word(token, "MATCH_RECOGNIZE")) {
        return Ok(tokens);
    }
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Brackets that are open, and of each clause how many were when it began, and whether it was moved.
    let mut depth = 0_usize;
    let mut clauses: Vec<(usize, bool)> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let opens = tokens.get(at).is_some_and(|next| next.token == Token::LParen);
        let in_clause = clauses.last().is_some_and(|(open, _)| depth == open + 1);
        if is_word(token, "MATCH_RECOGNIZE") && opens {
            clauses.push((depth, move_behind_bracket(&mut result, token.span)));
        } else if in_clause && is_word(token, "PATTERN") && opens {
            let (pattern, behind) = pattern(&tokens, at)?;
            result.push(token.clone());
            let span = token.span;
            let json = serde_json::to_string(&pattern)
                .map_err(|error| Error::internal(format!("a row pattern: {error}")))?;
            let name = Word {
                value: json,
                quote_style: Some('`'),
                keyword: sqlparser::keywords::Keyword::NoKeyword,
            };
            let carried = [Token::LParen, Token::Word(name), Token::RParen];
            result.extend(carried.map(|token| TokenWithSpan { token, span }));
            at = behind;
            continue;
        } else if in_clause && is_word(token, "TO") && skips_to_variable(&result, tokens.get(at)) {
            // `SKIP TO v` is `SKIP TO LAST v`.
            result.push(token.clone());
            let last = Token::make_keyword("LAST");
            result.push(TokenWithSpan { token: last, span: token.span });
            continue;
        }
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::SemiColon => {
                depth = 0;
                clauses.clear();
            }
            _ => {}
        }
        result.push(token.clone());
        if token.token == Token::RParen && clauses.last().is_some_and(|(open, _)| *open == depth) {
            let moved = clauses.pop().is_some_and(|(_, moved)| moved);
            if moved {
                result.push(TokenWithSpan { token: Token::RParen, span: token.span });
            }
        }
    }
    Ok(result)
}

/// `X MATCH_RECOGNIZE (…)`, where X ends with a bracket: `(WITH t AS (SELECT * FROM X) SELECT * FROM t
/// MATCH_RECOGNIZE (…))`. The last bracket is put by the caller.
fn move_behind_bracket(result: &mut Vec<TokenWithSpan>, span: TokenSpan) -> bool {
    if result.last().is_none_or(|last| last.token != Token::RParen) {
        return false;
    }
    let mut depth = 0_i32;
    let open = result.iter().rposition(|token| {
        depth += i32::from(token.token == Token::RParen) - i32::from(token.token == Token::LParen);
        depth == 0
    });
    let Some(mut first) = open else { return false };
    let function = |token: &TokenWithSpan| {
        is_word(token, "TABLE") || is_word(token, "UNNEST") || is_word(token, "LATERAL")
    };
    while first.checked_sub(1).is_some_and(|before| function(&result[before])) {
        first -= 1;
    }
    let rest = result.split_off(first);
    let word = |text: &str| Token::make_keyword(text);
    let name = || Token::make_word(MOVED, Some('`'));
    let mut push = |token: Token| result.push(TokenWithSpan { token, span });
    [Token::LParen, word("WITH"), name(), word("AS"), Token::LParen]
        .into_iter()
        .for_each(&mut push);
    [word("SELECT"), Token::Mul, word("FROM")].into_iter().for_each(&mut push);
    result.extend(rest);
    let mut push = |token: Token| result.push(TokenWithSpan { token, span });
    push(Token::RParen);
    [word("SELECT"), Token::Mul, word("FROM"), name()].into_iter().for_each(&mut push);
    true
}

/// Whether `TO` stands behind `AFTER MATCH SKIP` and in front of a variable.
fn skips_to_variable(before: &[TokenWithSpan], next: Option<&TokenWithSpan>) -> bool {
    let reserved = ["NEXT", "FIRST", "LAST"];
    before.last().is_some_and(|last| is_word(last, "SKIP"))
        && next.is_some_and(|next| {
            matches!(next.token, Token::Word(_)) && !reserved.iter().any(|word| is_word(next, word))
        })
}

/// The pattern whose bracket opens at `at`, with its WITHIN; and the place behind them.
fn pattern(tokens: &[TokenWithSpan], at: usize) -> Result<(RowPattern, usize)> {
    let mut reader = Reader { tokens, at: at + 1, depth: 0 };
    let variables = reader.sequence()?;
    reader.at += 1;
    let within = match reader.word("WITHIN") {
        true => Some(reader.within()?),
        false => None,
    };
    if reader.word("SUBSET") {
        return Err(reader.refuse(reader.at - 1, "SUBSET").help("name the variables one by one"));
    }
    Ok((RowPattern { variables, within }, reader.at))
}

struct Reader<'t> {
    tokens: &'t [TokenWithSpan],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::EOF, |token| &token.token)
    }

    fn span(&self, at: usize) -> Span {
        let token = self.tokens.get(at).or(self.tokens.last());
        token.map_or(Span { line: 1, column: 1, end_line: 1, end_column: 1 }, |token| {
            cursor::span(token.span)
        })
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|token| is_word(token, word));
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        self.at += usize::from(found);
        found
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = cursor::describe(self.peek());
        Error::new(ErrorCode::SqlSyntax, format!("expected {expected}, found {found}"))
            .at(self.span(self.at))
    }

    fn refuse(&self, at: usize, what: &str) -> Error {
        Error::unsupported(format!("{what} is not supported in MATCH_RECOGNIZE")).at(self.span(at))
    }

    /// Variables up to the closing bracket.
    fn sequence(&mut self) -> Result<Vec<Quantified>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(ErrorCode::SqlSyntax, "the pattern is nested too deeply")
                .at(self.span(self.at)));
        }
        let mut variables = Vec::new();
        loop {
            match self.peek() {
                Token::RParen if !variables.is_empty() => break,
                Token::Pipe | Token::StringConcat => {
                    return Err(self
                        .refuse(self.at, "an alternative (|) in a pattern")
                        .help("write a variable whose condition holds for either kind of rows: DEFINE A AS … OR …"));
                }
                _ => variables.extend(self.factor()?),
            }
        }
        self.depth -= 1;
        Ok(variables)
    }

    /// A variable or a bracket, with its quantifier.
    fn factor(&mut self) -> Result<Vec<Quantified>> {
        let start = self.at;
        let token = self.peek().clone();
        let mut variables = match token {
            Token::LParen => {
                self.at += 1;
                let inner = self.sequence()?;
                self.at += 1;
                inner
            }
            Token::Caret => {
                return Err(self
                    .refuse(start, "the anchor ^")
                    .help("a pattern may begin with any row: leave it out"));
            }
            Token::Placeholder(text) if text.starts_with('$') => {
                return Err(self
                    .refuse(start, "the anchor $")
                    .help("a stream has no last row: leave it out"));
            }
            Token::LBrace => {
                return Err(self
                    .refuse(start, "an exclusion ({- … -})")
                    .help("rows of a match are not put out: measures choose what is"));
            }
            Token::Word(word) => {
                self.at += 1;
                if is_word(&self.tokens[start], "PERMUTE") && *self.peek() == Token::LParen {
                    return Err(self
                        .refuse(start, "PERMUTE")
                        .help("write one pattern per order, and UNION ALL"));
                }
                vec![Quantified {
                    name: word.value,
                    min: 1,
                    max: Some(1),
                    reluctant: false,
                    span: self.span(start),
                }]
            }
            _ => return Err(self.unexpected("a variable of the pattern")),
        };
        let Some((min, max)) = self.quantifier()? else { return Ok(variables) };
        let reluctant = self.take(&Token::Placeholder("?".to_owned()));
        let place = cursor::join(self.span(start), self.span(self.at - 1));
        match variables.as_mut_slice() {
            [one] if (one.min, one.max) == (1, Some(1)) => {
                *one = Quantified { min, max, reluctant, span: place, ..one.clone() };
                Ok(variables)
            }
            _ => Err(Error::unsupported(
                "a group of variables with a quantifier is not supported in MATCH_RECOGNIZE",
            )
            .at(place)
            .help("quantifiers stand behind single variables")),
        }
    }

    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>> {
        let token = self.peek().clone();
        let found = match token {
            Token::Mul => (0, None),
            Token::Plus => (1, None),
            Token::Placeholder(text) if text == "?" => (0, Some(1)),
            // `{-` begins an exclusion.
            Token::LBrace
                if self.tokens.get(self.at + 1).map(|t| &t.token) != Some(&Token::Minus) =>
            {
                self.at += 1;
                return self.bounds().map(Some);
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(found))
    }

    /// `{n}`, `{n,}`, `{n,m}`, `{,m}`, behind the opening bracket.
    fn bounds(&mut self) -> Result<(u32, Option<u32>)> {
        let min = match self.peek() {
            Token::Comma => None,
            _ => Some(self.number()?),
        };
        let bounds = match self.take(&Token::Comma) {
            false => (min.unwrap_or(0), min),
            true => match (min, self.peek()) {
                (Some(min), Token::RBrace) => (min, None),
                _ => (min.unwrap_or(0), Some(self.number()?)),
            },
        };
        match self.take(&Token::RBrace) {
            true => Ok(bounds),
            false => Err(self.unexpected("}")),
        }
    }

    fn number(&mut self) -> Result<u32> {
        let Token::Number(text, _) = self.peek() else {
            return Err(self.unexpected("a number of rows"));
        };
        let Ok(number) = text.parse() else {
            let message = format!("{text} is not a number of rows: the largest is {}", u32::MAX);
            return Err(Error::new(ErrorCode::SqlSyntax, message).at(self.span(self.at)));
        };
        self.at += 1;
        Ok(number)
    }

    /// The interval behind WITHIN.
    fn within(&mut self) -> Result<Within> {
        let start = self.at;
        let place = self.span(start);
        if !self.tokens.get(start).is_some_and(|token| is_word(token, "INTERVAL")) {
            return Err(self.unexpected("INTERVAL"));
        }
        let ends = |token: &TokenWithSpan| {
            matches!(token.token, Token::SemiColon)
                || ["DEFINE", "SUBSET"].iter().any(|word| is_word(token, word))
        };
        let rest = &self.tokens[start..];
        let count = rest.iter().position(ends).unwrap_or(rest.len().min(16));
        let mut parser = tokens::parser(&FlinkDialect, rest[..count].to_vec());
        let interval = parser.parse_expr().map_err(|error| into_error(error, place))?;
        let Expr::Interval(Interval { value, leading_field: Some(first), last_field, .. }) =
            interval
        else {
            return Err(Error::new(
                ErrorCode::SqlSyntax,
                "WITHIN takes one interval that is not negative",
            )
            .at(place)
            .help("write WITHIN INTERVAL '10' MINUTE"));
        };
        if parser.peek_token_ref().token != Token::EOF {
            let found = parser.peek_token_ref();
            let message = format!("expected DEFINE, found {}", cursor::describe(&found.token));
            return Err(Error::new(ErrorCode::SqlSyntax, message).at(cursor::span(found.span)));
        }
        self.at += count;
        let text = match value.as_ref() {
            Expr::Value(value) => value.value.clone().into_string(),
            _ => None,
        };
        let Some(text) = text else {
            return Err(Error::new(
                ErrorCode::SqlSyntax,
                "the number of an interval stands in quotes",
            )
            .at(place)
            .help("write WITHIN INTERVAL '10' MINUTE"));
        };
        let last = last_field.map(|field| field.to_string().to_uppercase());
        let span = cursor::join(place, self.span(self.at - 1));
        Ok(Within { text, first: first.to_string().to_uppercase(), last, span })
    }
}

fn is_word(token: &TokenWithSpan, expected: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}
