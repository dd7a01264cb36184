//! Which patterns are accepted: those that Flink accepts.

use tidegate_plan::operator::{MAX_PATTERN_VARIABLES, PatternVariable};
use tidegate_types::{Error, Result, Span};

use crate::bind::{literal, semantic};
use crate::parser::row_pattern::{Quantified, RowPattern, Within};
use tidegate_plan::{Expr, Scalar};
use tidegate_types::TypeKind;

/// The variables of a pattern, without their conditions.
///
/// # Errors
/// `UNSUPPORTED` or `SQL_SEMANTIC` for what Flink refuses.
pub(super) fn variables(pattern: &RowPattern, span: Span) -> Result<Vec<PatternVariable>> {
    let all = &pattern.variables;
    if all.len() > MAX_PATTERN_VARIABLES {
        let message = format!("a pattern has at most {MAX_PATTERN_VARIABLES} variables");
        return Err(semantic(message, span));
    }
    let mut variables: Vec<PatternVariable> = Vec::with_capacity(all.len());
    for one in all {
        if variables.iter().any(|known| known.name == one.name) {
            let message = format!("the variable '{}' stands twice in the pattern", one.name);
            return Err(semantic(message, one.span)
                .help("give the second one another name and the same condition"));
        }
        let variable = variable(one)?;
        let after_greedy = variables.last().is_some_and(|before| before.greedy);
        if after_greedy && variable.min == 0 {
            let before = variables.last().map_or("", |before| before.name.as_str());
            return Err(refused(
                format!("'{}' is optional and stands behind '{before}', which is greedy", one.name),
                one.span,
            )
            .help("make the one before reluctant: *?, +?, {n,m}?"));
        }
        variables.push(variable);
    }
    if variables.iter().all(|variable| variable.min == 0) {
        return Err(refused(
            "every variable of the pattern is optional, so that it matches no rows at all",
            span,
        )
        .help("use + instead of * for one of them"));
    }
    if let (Some(last), Some(written)) = (variables.last(), all.last())
        && last.greedy
    {
        return Err(refused(
            format!("the last variable of the pattern, '{}', is greedy", last.name),
            written.span,
        )
        .help("end the pattern with a variable without quantifier, or make this one reluctant: *?, +?, {n,m}?"));
    }
    Ok(variables)
}

fn variable(one: &Quantified) -> Result<PatternVariable> {
    let (min, max) = (one.min, one.max);
    if max == Some(0) {
        return Err(
            refused(format!("'{}' may have no rows", one.name), one.span).help("leave it out")
        );
    }
    if max.is_some_and(|max| max < min) {
        let message =
            format!("'{}' has at least {min} rows and at most {}", one.name, max.unwrap_or(0));
        return Err(semantic(message, one.span));
    }
    // An optional variable takes a row and leaves it to the next ones too, as in Flink.
    let optional = (min, max) == (0, Some(1));
    if optional && one.reluctant {
        return Err(refused(format!("'{}' is optional and reluctant", one.name), one.span)
            .help("write ? instead of ??, which finds the same matches"));
    }
    let greedy = !one.reluctant && !optional && Some(min) != max;
    Ok(PatternVariable { name: one.name.clone(), min, max, greedy, condition: None })
}

/// What WITHIN says, in ms.
pub(super) fn within(within: &Within) -> Result<u64> {
    let last = within.last.as_deref();
    let bound = literal::interval_of(&within.text, &within.first, last, within.span)?;
    let months = bound.ty().kind == TypeKind::IntervalYearMonth;
    match bound {
        Expr::Literal(literal) if !months => match literal.value {
            Scalar::Integer(ms @ 1..) => Ok(ms.unsigned_abs()),
            _ => Err(semantic("WITHIN takes an interval above zero", within.span)
                .help("leave WITHIN out for matches of any duration")),
        },
        _ => Err(semantic("months and years have no fixed length", within.span)
            .help("use DAY, HOUR, MINUTE or SECOND")),
    }
}

fn refused(what: impl std::fmt::Display, span: Span) -> Error {
    Error::unsupported(format!("MATCH_RECOGNIZE: {what}")).at(span)
}
