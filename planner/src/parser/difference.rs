//! `(a - b) DAY TO SECOND`: the difference of two moments as an interval. `sqlparser` does not know the form, so it
//! is carried through it as a call of [`DIFFERENCE`], `$DIFFERENCE(a - b, 'DAY')`.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// Name of the call that stands for a difference as an interval.
pub(crate) const DIFFERENCE: &str = "$DIFFERENCE";

/// The units that may stand behind a difference.
const UNITS: &[&str] = &["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"];

/// Keywords that an expression may follow; other words before a bracket are names of functions.
const BEFORE_EXPRESSIONS: &[&str] = &[
    "SELECT",
    "DISTINCT",
    "ALL",
    "WHERE",
    "HAVING",
    "AND",
    "OR",
    "NOT",
    "ON",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "BETWEEN",
    "SYMMETRIC",
    "BY",
    "RETURN",
    "VALUES",
    "IN",
    "FROM",
];

/// A bracket that is open.
struct Open {
    at: usize,
    /// A minus stands in it, with something before it.
    minus: bool,
    call: bool,
}

/// Makes calls of the differences among tokens.
pub(super) fn carry(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut open: Vec<Open> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token.token {
            Token::LParen => open.push(Open {
                at: result.len(),
                minus: false,
                call: result.last().is_some_and(|before| is_function(&before.token)),
            }),
            Token::Minus if result.len() > open.last().map_or(0, |bracket| bracket.at + 1) => {
                if let Some(bracket) = open.last_mut() {
                    bracket.minus = true;
                }
            }
            Token::SemiColon => open.clear(),
            Token::RParen => {
                let bracket = open.pop().filter(|bracket| bracket.minus && !bracket.call);
                let unit = tokens.peek().and_then(|next| unit(&next.token));
                if let (Some(bracket), Some(unit)) = (bracket, unit) {
                    let place = result.get(bracket.at).map_or(token.span, |bracket| bracket.span);
                    result.insert(bracket.at, name(DIFFERENCE, place));
                    result.push(TokenWithSpan { token: Token::Comma, span: token.span });
                    let text = Token::SingleQuotedString(unit.to_owned());
                    result.push(TokenWithSpan { token: text, span: token.span });
                    skip_qualifier(&mut tokens);
                }
            }
            _ => {}
        }
        result.push(token);
    }
    result
}

/// Moves past `DAY [(p)] [TO SECOND [(p)]]`: precisions mean nothing to intervals of Flink.
fn skip_qualifier(tokens: &mut std::iter::Peekable<std::vec::IntoIter<TokenWithSpan>>) {
    tokens.next();
    skip_precision(tokens);
    if tokens.next_if(|next| is_word(&next.token, "TO")).is_some() {
        tokens.next_if(|next| unit(&next.token).is_some());
        skip_precision(tokens);
    }
}

fn skip_precision(tokens: &mut std::iter::Peekable<std::vec::IntoIter<TokenWithSpan>>) {
    if tokens.next_if(|next| next.token == Token::LParen).is_some() {
        while tokens
            .next_if(|next| matches!(next.token, Token::Number(..) | Token::Comma))
            .is_some()
        {}
        tokens.next_if(|next| next.token == Token::RParen);
    }
}

fn unit(token: &Token) -> Option<&'static str> {
    UNITS.iter().copied().find(|unit| is_word(token, unit))
}

fn is_function(token: &Token) -> bool {
    match token {
        Token::Word(_) => !BEFORE_EXPRESSIONS.iter().any(|word| is_word(token, word)),
        _ => false,
    }
}

fn is_word(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

fn name(text: &str, span: Span) -> TokenWithSpan {
    let word = Word { value: text.to_owned(), quote_style: None, keyword: Keyword::NoKeyword };
    TokenWithSpan { token: Token::Word(word), span }
}
