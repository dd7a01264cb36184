//! The query `TABLE t`, which is `SELECT * FROM t`: rewritten among the tokens, since `sqlparser` reads
//! beyond its end.
//!
//! Not here: `TABLE t` as the argument of a window function (`dialect.rs`).

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Words before `TABLE` behind which it says what kind of thing a name stands for.
const KINDS: &[&str] = &[
    "CREATE",
    "TEMPORARY",
    "REPLACE",
    "DROP",
    "ALTER",
    "TRUNCATE",
    "ANALYZE",
    "INTO",
    "OVERWRITE",
    "MATERIALIZED",
];
/// Words that a query follows, inside brackets too.
const OPERATORS: &[&str] = &["UNION", "INTERSECT", "EXCEPT", "ALL", "DISTINCT", "AS"];
/// Further words that a bracket with a query follows.
const BEFORE_BRACKET: &[&str] = &["FROM", "JOIN", "LATERAL", "IN", "EXISTS", "ANY", "SOME"];

/// Puts `SELECT * FROM` in place of each `TABLE` that begins a query.
pub(super) fn select_tables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut depth = 0_usize;
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::SemiColon => depth = 0,
            _ => {}
        }
        let named = matches!(rest.peek().map(|next| &next.token), Some(Token::Word(_)));
        if is_word(&token, &["TABLE"]) && begins_query(&result, depth) && named {
            let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
            result.extend(words.map(|word| TokenWithSpan { token: word, span: token.span }));
        } else {
            result.push(token);
        }
    }
    result
}

/// Whether a `TABLE` behind these tokens begins a query.
fn begins_query(before: &[TokenWithSpan], depth: usize) -> bool {
    let Some((last, earlier)) = before.split_last() else {
        return true;
    };
    if depth == 0 || is_word(last, OPERATORS) {
        return !is_word(last, KINDS);
    }
    // A bracket within brackets, or one behind a word that no function has as its name.
    last.token == Token::LParen
        && earlier.last().is_none_or(|token| {
            matches!(token.token, Token::LParen | Token::SemiColon)
                || is_word(token, OPERATORS)
                || is_word(token, BEFORE_BRACKET)
        })
}

fn is_word(token: &TokenWithSpan, words: &[&str]) -> bool {
    match &token.token {
        Token::Word(word) => {
            word.quote_style.is_none()
                && words.iter().any(|known| word.value.eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}
