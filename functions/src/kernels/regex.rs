//! Regular expressions: REGEXP and its relatives.
//!
//! As in Flink, an expression that is no expression matches nothing or gives NULL; one that only
//! this engine does not know fails. Constant expressions are compiled once.

mod pattern;
mod syntax;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, ListBuilder, StringViewBuilder};
use arrow::datatypes::Int32Type;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, may_be_null, strict, text, texts_to};
use crate::vector::{self, Lane, TextLane, constant_text, retype, strict_nulls};
pub(super) use pattern::Pattern;
use syntax::PatternError;
pub(super) use syntax::compile;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("REGEXP", "Whether a part of the text matches", bind_test, test).fallible(),
    Function::new("REGEXP_EXTRACT", "A group of the first match", bind_extract, extract).fallible(),
    Function::new("REGEXP_EXTRACT_ALL", "A group of every match", bind_extract_all, extract_all)
        .fallible(),
    Function::new("REGEXP_REPLACE", "The text with every match replaced", bind_replace, replace)
        .fallible(),
    Function::new("REGEXP_COUNT", "The number of matches", bind_number, matches).fallible(),
    Function::new("REGEXP_INSTR", "Where the first match begins", bind_number, position).fallible(),
    Function::new("REGEXP_SUBSTR", "The first match", bind_substring, first_match).fallible(),
];

fn bind_test(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    texts_to(args, TypeKind::Boolean)
}

fn with_group(args: &[Argument]) -> Result<Vec<SqlType>> {
    count(args, 2..=3)?;
    let mut arguments = vec![text(args, 0)?, text(args, 1)?];
    if args.len() == 3 {
        arguments.push(int(args, 2)?);
    }
    Ok(arguments)
}

fn bind_extract(args: &[Argument]) -> Result<Signature> {
    Ok(may_be_null(with_group(args)?, TypeKind::STRING))
}

fn bind_extract_all(args: &[Argument]) -> Result<Signature> {
    let result = TypeKind::Array(Box::new(TypeKind::STRING.nullable()));
    Ok(may_be_null(with_group(args)?, result))
}

fn bind_replace(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    let arguments = (0..3).map(|i| text(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(strict(args, arguments, TypeKind::STRING))
}

fn bind_number(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(may_be_null(vec![text(args, 0)?, text(args, 1)?], TypeKind::Int))
}

fn bind_substring(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(may_be_null(vec![text(args, 0)?, text(args, 1)?], TypeKind::STRING))
}

/// The expressions of the rows: one for all, or the last one that was compiled.
struct Expressions<'a> {
    constant: Option<Option<&'a Pattern>>,
    lane: TextLane<'a>,
    last: Option<(&'a str, Option<Pattern>)>,
    context: &'a KernelContext<'a>,
}

impl<'a> Expressions<'a> {
    fn new(value: &'a Value, context: &'a KernelContext<'a>) -> Result<Self> {
        let constant = match constant_text(value) {
            None => None,
            Some(expression) => {
                let compiled = context.prepared.get_or_try(|| accept(expression, context))?;
                Some(compiled.as_ref())
            }
        };
        Ok(Self { constant, lane: TextLane::new(value)?, last: None, context })
    }

    /// The expression of a row; none if it is no expression.
    fn get(&mut self, row: usize) -> Result<Option<&Pattern>> {
        if let Some(constant) = self.constant {
            return Ok(constant);
        }
        let expression = self.lane.get(row);
        if self.last.as_ref().is_none_or(|(known, _)| *known != expression) {
            self.last = Some((expression, accept(expression, self.context)?));
        }
        Ok(self.last.as_ref().and_then(|(_, regex)| regex.as_ref()))
    }
}

fn accept(expression: &str, context: &KernelContext<'_>) -> Result<Option<Pattern>> {
    match Pattern::new(expression) {
        Ok(regex) => Ok(Some(regex)),
        Err(PatternError::Invalid(_)) => Ok(None),
        Err(error @ PatternError::Unsupported(_)) => Err(Error::new(
            ErrorCode::Unsupported,
            format!("{}: in the expression '{expression}', {error}", context.name),
        )),
    }
}

fn two<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<(&'a Value, &'a Value)> {
    match values {
        [text, expression, ..] => Ok((text, expression)),
        _ => Err(Error::internal(format!("{} takes a text and an expression", context.name))),
    }
}

fn test(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (text, expression) = two(values, context)?;
    let texts = TextLane::new(text)?;
    let mut expressions = Expressions::new(expression, context)?;
    let nulls = strict_nulls(&[text, expression], context.rows);
    let mut failure = None;
    let result = vector::map_boolean(context.rows, nulls, |row| match expressions.get(row) {
        // An empty expression matches nothing, as in Flink.
        Ok(Some(pattern)) if pattern.is_empty() => false,
        Ok(Some(pattern)) => pattern.is_match(texts.get(row)).unwrap_or_else(|reason| {
            failure.get_or_insert(context.error(reason));
            false
        }),
        Ok(None) => false,
        Err(error) => {
            failure.get_or_insert(error);
            false
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(Arc::new(result)),
    }
}

/// The group asked for, 0 without an argument; none for one that no expression has.
fn groups(values: &[Value]) -> Result<impl Fn(usize) -> Option<usize>> {
    let lane = values.get(2).map(Lane::<i32>::new::<Int32Type>).transpose()?;
    Ok(move |row| match lane {
        None => Some(0),
        Some(lane) => usize::try_from(lane.get(row)).ok(),
    })
}

fn extract(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (text, expression) = two(values, context)?;
    let texts = TextLane::new(text)?;
    let mut expressions = Expressions::new(expression, context)?;
    let group = groups(values)?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let (Some(regex), Some(group)) = (expressions.get(row)?, group(row)) else {
            return Ok(false);
        };
        let found = regex.group(texts.get(row), group).map_err(|reason| context.error(reason))?;
        Ok(found.map(|found| out.push_str(found)).is_some())
    })?;
    Ok(Arc::new(result))
}

fn extract_all(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (text, expression) = two(values, context)?;
    let texts = TextLane::new(text)?;
    let mut expressions = Expressions::new(expression, context)?;
    let lane = values.get(2).map(Lane::<i32>::new::<Int32Type>).transpose()?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let mut builder = ListBuilder::new(StringViewBuilder::new());
    for row in 0..context.rows {
        let regex = if vector::valid(nulls.as_ref(), row) { expressions.get(row)? } else { None };
        // Without a group the first is meant.
        let group = lane.map_or(Some(1), |lane| usize::try_from(lane.get(row)).ok());
        let (Some(regex), Some(group)) = (regex, group) else {
            builder.append_null();
            continue;
        };
        if group >= regex.groups() {
            builder.append_null();
            continue;
        }
        regex
            .each_group(texts.get(row), group, |found| builder.values().append_option(found))
            .map_err(|reason| context.error(reason))?;
        builder.append(true);
    }
    retype(&(Arc::new(builder.finish()) as ArrayRef), &data_type(context.result))
}

/// The replacement stands for itself. NULL for an expression that is none.
fn replace(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [text, expression, replacement] = values else {
        return Err(Error::internal("REGEXP_REPLACE takes three arguments"));
    };
    let (texts, replacements) = (TextLane::new(text)?, TextLane::new(replacement)?);
    let mut expressions = Expressions::new(expression, context)?;
    let nulls = strict_nulls(&[text, expression, replacement], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let Some(regex) = expressions.get(row)? else {
            return Ok(false);
        };
        let (text, replacement) = (texts.get(row), replacements.get(row));
        let mut end = 0;
        let each = |(start, stop)| {
            out.push_str(&text[end..start]);
            out.push_str(replacement);
            end = stop;
        };
        regex.matches(text, each).map_err(|reason| context.error(reason))?;
        out.push_str(&text[end..]);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn numbers(
    values: &[Value],
    context: &KernelContext<'_>,
    of: impl Fn(&Pattern, &str) -> pattern::Search<usize>,
) -> Result<ArrayRef> {
    let (text, expression) = two(values, context)?;
    let texts = TextLane::new(text)?;
    let mut expressions = Expressions::new(expression, context)?;
    let nulls = strict_nulls(&[text, expression], context.rows);
    let result: Int32Array = vector::map_rows::<Int32Type>(context.rows, nulls, |row| {
        let number = expressions.get(row)?.map(|regex| of(regex, texts.get(row))).transpose();
        let number = number.map_err(|reason| context.error(reason))?;
        Ok(number.map(|number| i32::try_from(number).unwrap_or(i32::MAX)))
    })?;
    debug_assert_eq!(result.len(), context.rows);
    Ok(Arc::new(result))
}

fn matches(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    numbers(values, context, |regex, text| {
        let mut count = 0;
        regex.matches(text, |_| count += 1).map(|()| count)
    })
}

fn position(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    numbers(values, context, |regex, text| {
        let found = regex.find_at(text, 0)?;
        Ok(found.map_or(0, |(start, _)| text[..start].chars().count() + 1))
    })
}

fn first_match(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (text, expression) = two(values, context)?;
    extract(&[text.clone(), expression.clone()], context)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, failure, int, over, show, text};
    use tidegate_plan::Expr;

    fn value(name: &str, args: Vec<Expr>) -> Option<String> {
        show(&call(name, args))
    }

    #[test]
    fn groups_of_the_first_match() {
        let of = |group| {
            let args = vec![text("foothebar"), text("foo(.*?)(bar)"), int(group)];
            value("REGEXP_EXTRACT", args)
        };
        assert_eq!(of(2).as_deref(), Some("bar"));
        assert_eq!(of(0).as_deref(), Some("foothebar"));
        assert_eq!(of(3), None);
        assert_eq!(of(-1), None);
        assert_eq!(value("REGEXP_EXTRACT", vec![text("abc"), text("(")]), None);
    }

    #[test]
    fn replacements_stand_for_themselves() {
        let replace =
            |pattern, by| value("REGEXP_REPLACE", vec![text("abcb"), text(pattern), text(by)]);
        assert_eq!(replace("(b)", "[$1]").as_deref(), Some("a[$1]c[$1]"));
        assert_eq!(replace("b|c", "").as_deref(), Some("a"));
        assert_eq!(replace("(", "x"), None);
    }

    #[test]
    fn tests_and_counts() {
        let got =
            over(&[Some("abc"), Some("ABC"), None], |s| call("REGEXP", vec![s, text("^a.c$")]));
        assert_eq!(got, [Some("TRUE"), Some("FALSE"), None].map(|v| v.map(str::to_owned)));
        let got = over(&[Some("a"), Some("("), Some("")], |s| call("REGEXP", vec![text("a"), s]));
        assert_eq!(got, [Some("TRUE"), Some("FALSE"), Some("FALSE")].map(|v| v.map(str::to_owned)));
        let args = || vec![text("a1b2"), text("[0-9]")];
        assert_eq!(value("REGEXP_COUNT", args()).as_deref(), Some("2"));
        assert_eq!(value("REGEXP_INSTR", args()).as_deref(), Some("2"));
        assert_eq!(value("REGEXP_SUBSTR", args()).as_deref(), Some("1"));
        let all = call("REGEXP_EXTRACT_ALL", vec![text("a1b2"), text("[0-9]"), int(0)]);
        assert_eq!(show(&all).as_deref(), Some("[1, 2]"));
    }

    #[test]
    fn look_around_and_back_references() {
        let found =
            |expression| value("REGEXP_SUBSTR", vec![text("foobar abab"), text(expression)]);
        assert_eq!(found("(?<=foo)bar").as_deref(), Some("bar"));
        assert_eq!(found("foo(?!x)").as_deref(), Some("foo"));
        assert_eq!(found(r"(ab)\1").as_deref(), Some("abab"));
        assert_eq!(found("a++b").as_deref(), Some("ab"));
        let replaced = vec![text("abab"), text(r"(ab)\1"), text("x")];
        assert_eq!(value("REGEXP_REPLACE", replaced).as_deref(), Some("x"));
        let many = text(&"a".repeat(40));
        let error = failure(&call("REGEXP", vec![many, text(r"^(a|a)*\1b$")]));
        assert!(error.to_string().contains("given up"), "{error}");
    }
}
