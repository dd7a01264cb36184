//! Operators between and behind expressions that `sqlparser` does not know.

use sqlparser::ast::{Expr, Ident, UnaryOperator};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use super::cursor::{peek_word, word};
use super::dialect::{BETWEEN_SYMMETRIC, FlinkDialect, internal_call};

/// The expression behind `left`, if it is one of these operators.
pub(super) fn parse(
    dialect: &FlinkDialect,
    parser: &mut Parser,
    left: &Expr,
) -> Option<Result<Expr, ParserError>> {
    let not = usize::from(peek_word(parser, 0, "NOT"));
    if peek_word(parser, not, "BETWEEN") {
        let symmetric = peek_word(parser, not + 1, "SYMMETRIC");
        if !symmetric && !peek_word(parser, not + 1, "ASYMMETRIC") {
            return None;
        }
        (0..not + 2).for_each(|_| parser.advance_token());
        return Some(between(dialect, parser, left, not > 0, symmetric));
    }
    let negated = peek_word(parser, 1, "NOT");
    let at = 1 + usize::from(negated);
    if peek_word(parser, 0, "IS") && peek_word(parser, at, "JSON") {
        (0..=at).for_each(|_| parser.advance_token());
        return Some(Ok(is_json(parser, left, negated)));
    }
    None
}

fn between(
    dialect: &FlinkDialect,
    parser: &mut Parser,
    value: &Expr,
    negated: bool,
    symmetric: bool,
) -> Result<Expr, ParserError> {
    let span = parser.get_current_token().span;
    let low = parser.parse_subexpr(dialect.prec_value(Precedence::Between))?;
    parser.expect_keyword_is(Keyword::AND)?;
    let high = parser.parse_subexpr(dialect.prec_value(Precedence::Between))?;
    if !symmetric {
        let (expr, low, high) = (Box::new(value.clone()), Box::new(low), Box::new(high));
        return Ok(Expr::Between { expr, negated, low, high });
    }
    let name = Ident { value: BETWEEN_SYMMETRIC.to_owned(), quote_style: None, span };
    Ok(negate(internal_call(name, vec![value.clone(), low, high]), negated))
}

/// `IS [NOT] JSON [VALUE | OBJECT | ARRAY | SCALAR]`.
fn is_json(parser: &mut Parser, value: &Expr, negated: bool) -> Expr {
    let span = parser.get_current_token().span;
    let kinds = ["OBJECT", "ARRAY", "SCALAR"];
    let kind = kinds.into_iter().find(|kind| word(parser, kind));
    if kind.is_none() {
        word(parser, "VALUE");
    }
    let name = format!("IS JSON {}", kind.unwrap_or("VALUE"));
    let name = Ident { value: name, quote_style: None, span };
    negate(internal_call(name, vec![value.clone()]), negated)
}

fn negate(expr: Expr, negated: bool) -> Expr {
    match negated {
        true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) },
        false => expr,
    }
}
