//! Values by their path: `JSON_EXISTS`, `JSON_VALUE`, `JSON_QUERY`.
//!
//! A path without a mode is strict. Lax paths suppress what is wrong: a text that is no JSON and a
//! path that leads nowhere have no value (`ON EMPTY`); strictly they are errors (`ON ERROR`).

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, ListBuilder, StringViewBuilder};
use tidegate_json::path::{Found, Path};
use tidegate_json::tree::{Kind, Nodes, Tree};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, TypeKind};

use super::columns::{Column, Documents};
use super::options::{ExistsOnError, Instead, Named as _, Returning, Wrapper};
use crate::function::{Argument, KernelContext, Signature, Value};
use crate::rules::{count, fail, may_be_null, text};
use crate::vector::{TextLane, constant_text, retype, strict_nulls, valid};

pub(super) fn bind_exists(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    let mut arguments = vec![json(args)?, path(args)?];
    if args.len() == 3 {
        ExistsOnError::of_argument(args, 2)?;
        arguments.push(text(args, 2)?);
    }
    Ok(may_be_null(arguments, TypeKind::Boolean))
}

/// A text, or a VARIANT, which is kept as one.
fn json(args: &[Argument]) -> Result<tidegate_types::SqlType> {
    match &args[0].ty.kind {
        TypeKind::Variant => Ok(args[0].ty.clone()),
        _ => text(args, 0),
    }
}

fn path(args: &[Argument]) -> Result<tidegate_types::SqlType> {
    text(args, 1)
}

/// JSON, path, RETURNING, ON EMPTY, ON ERROR, and the values of DEFAULT for both.
pub(super) fn bind_value(args: &[Argument]) -> Result<Signature> {
    if args.len() == 2 {
        return Err(fail("the clauses are missing"));
    }
    count(args, 7..=7)?;
    let kind = match Returning::of_argument(args, 2)? {
        Returning::Text => TypeKind::STRING,
        Returning::Boolean => TypeKind::Boolean,
        Returning::Integer => TypeKind::Int,
        Returning::Double => TypeKind::Double,
        Returning::Texts => return Err(fail("JSON_VALUE returns scalars")),
    };
    let mut arguments = vec![json(args)?, path(args)?, text(args, 2)?];
    for index in [3, 4] {
        if matches!(Instead::of_argument(args, index)?, Instead::EmptyArray | Instead::EmptyObject)
        {
            return Err(fail("JSON_VALUE has neither EMPTY ARRAY nor EMPTY OBJECT"));
        }
        arguments.push(text(args, index)?);
    }
    arguments
        .extend(args[5..].iter().map(|arg| kind.clone().nullable().with_nullable(arg.ty.nullable)));
    Ok(may_be_null(arguments, kind))
}

/// JSON, path, RETURNING, WRAPPER, ON EMPTY, ON ERROR.
pub(super) fn bind_query(args: &[Argument]) -> Result<Signature> {
    count(args, 6..=6)?;
    let kind = match Returning::of_argument(args, 2)? {
        Returning::Text => TypeKind::STRING,
        Returning::Texts => TypeKind::Array(Box::new(TypeKind::STRING.nullable())),
        _ => {
            return Err(fail("JSON_QUERY returns STRING or ARRAY<STRING>"));
        }
    };
    Wrapper::of_argument(args, 3)?;
    for index in [4, 5] {
        match Instead::of_argument(args, index)? {
            Instead::Default => return Err(fail("JSON_QUERY has no DEFAULT")),
            Instead::EmptyObject if matches!(kind, TypeKind::Array(_)) => {
                return Err(fail("an empty object is no ARRAY<STRING>"));
            }
            _ => {}
        }
    }
    let clauses = (1..6).map(|index| text(args, index));
    let arguments = std::iter::once(json(args)).chain(clauses).collect::<Result<Vec<_>>>()?;
    Ok(may_be_null(arguments, kind))
}

/// `[strict | lax] path`
struct ModedPath {
    lax: bool,
    path: std::result::Result<Path, String>,
}

impl ModedPath {
    fn new(text: &str) -> Self {
        let trimmed = text.trim_start();
        let word = trimmed.split(char::is_whitespace).next().unwrap_or_default();
        let rest = trimmed[word.len()..].trim_start();
        let (lax, path) = match word {
            _ if rest.is_empty() => (false, text),
            word if word.eq_ignore_ascii_case("lax") => (true, rest),
            word if word.eq_ignore_ascii_case("strict") => (false, rest),
            _ => (false, text),
        };
        Self { lax, path: Path::parse(path) }
    }
}

/// What a path leads to in a text.
enum Outcome<'a> {
    Found(Found<'a>, Tree<'a>),
    /// Nothing, of a lax path.
    Empty,
    Wrong(String),
}

/// Finds values row by row; paths are read once where they are constants.
struct Finder<'v, 'c> {
    texts: TextLane<'v>,
    paths: TextLane<'v>,
    constant: Option<&'c ModedPath>,
    last: Option<(&'v str, ModedPath)>,
    nodes: Nodes,
}

impl<'v, 'c> Finder<'v, 'c> {
    fn new(values: &'v [Value], context: &KernelContext<'c>) -> Result<Self> {
        let [json, path, ..] = values else {
            return Err(Error::internal(format!("{} takes a text and a path", context.name)));
        };
        let constant = match constant_text(path) {
            Some(text) => Some(context.prepared.get_or_try(|| Ok(ModedPath::new(text)))?),
            None => None,
        };
        let (texts, paths) = (TextLane::new(json)?, TextLane::new(path)?);
        Ok(Self { texts, paths, constant, last: None, nodes: Nodes::default() })
    }

    fn find(&mut self, row: usize) -> (Outcome<'_>, bool) {
        let moded = match self.constant {
            Some(constant) => constant,
            None => {
                let text = self.paths.get(row);
                if self.last.as_ref().is_none_or(|(known, _)| *known != text) {
                    self.last = Some((text, ModedPath::new(text)));
                }
                match &self.last {
                    Some((_, moded)) => moded,
                    None => return (Outcome::Empty, true),
                }
            }
        };
        let lax = moded.lax;
        let wrong = |reason: String| match lax {
            true => Outcome::Empty,
            false => Outcome::Wrong(reason),
        };
        let tree = match self.nodes.read(self.texts.get(row)) {
            Ok(tree) => tree,
            Err(fault) => {
                let reason = format!("at byte {} of the text, {}", fault.offset, fault.message);
                return (wrong(reason), lax);
            }
        };
        let outcome = match &moded.path {
            Err(reason) => wrong(reason.clone()),
            Ok(path) => match path.find(&tree) {
                Ok(found) => Outcome::Found(found, tree),
                // A path that may lead to several values leads to none.
                Err(_) if lax && !path.is_definite() => {
                    Outcome::Found(Found::List(Vec::new()), tree)
                }
                Err(reason) => wrong(reason),
            },
        };
        (outcome, lax)
    }
}

pub(super) fn exists(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let on_error = match values.len() {
        2 => ExistsOnError::Known(false),
        _ => ExistsOnError::of_value(values, 2, context)?,
    };
    let nulls = strict_nulls(&[&values[0], &values[1]], context.rows);
    let mut finder = Finder::new(values, context)?;
    let mut builder = BooleanBuilder::with_capacity(context.rows);
    for row in 0..context.rows {
        if !valid(nulls.as_ref(), row) {
            builder.append_null();
            continue;
        }
        let (outcome, lax) = finder.find(row);
        match outcome {
            Outcome::Found(found, tree) if !found.is_null(&tree) => builder.append_value(true),
            Outcome::Found(..) if !lax => match on_error {
                ExistsOnError::Known(value) => builder.append_value(value),
                ExistsOnError::Unknown => builder.append_null(),
                ExistsOnError::Error => return Err(context.error("the value at the path is null")),
            },
            Outcome::Found(..) | Outcome::Empty => builder.append_value(false),
            Outcome::Wrong(reason) => match on_error {
                ExistsOnError::Known(value) => builder.append_value(value),
                ExistsOnError::Unknown => builder.append_null(),
                ExistsOnError::Error => return Err(context.error(reason)),
            },
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// `null` is no value for a lax path, and an error for a strict one.
fn no_value(lax: bool) -> Option<String> {
    (!lax).then(|| "the value at the path is null".to_owned())
}

pub(super) fn value(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let mut column = Column::new(Returning::of_value(values, 2, context)?);
    let on_empty = Instead::of_value(values, 3, context)?;
    let on_error = Instead::of_value(values, 4, context)?;
    let [.., default_empty, default_error] = values else {
        return Err(Error::internal("JSON_VALUE takes seven arguments"));
    };
    let nulls = strict_nulls(&[&values[0], &values[1]], context.rows);
    let mut finder = Finder::new(values, context)?;
    for row in 0..context.rows {
        if !valid(nulls.as_ref(), row) {
            column.append_null();
            continue;
        }
        let wrong = match finder.find(row) {
            (Outcome::Wrong(reason), _) => Some(reason),
            (Outcome::Empty, _) => None,
            (Outcome::Found(found, tree), lax) => match found.is_scalar(&tree) {
                true if found.is_null(&tree) => no_value(lax),
                true => match column.append(&found, &tree) {
                    Ok(()) => continue,
                    Err(reason) => Some(reason),
                },
                false if lax => None,
                false => Some("the value at the path is not a scalar".to_owned()),
            },
        };
        let (instead, default) = match &wrong {
            None => (on_empty, default_empty),
            Some(_) => (on_error, default_error),
        };
        match instead {
            Instead::Error => {
                let reason = wrong.unwrap_or_else(|| "there is no value at the path".to_owned());
                return Err(context.error(reason));
            }
            Instead::Default => column.append_default(default, row)?,
            _ => column.append_null(),
        }
    }
    Ok(column.finish())
}

pub(super) fn query(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let mut documents = match Returning::of_value(values, 2, context)? {
        Returning::Texts => Documents::Texts(ListBuilder::new(StringViewBuilder::new())),
        _ => Documents::Text(StringViewBuilder::new()),
    };
    let wrapper = Wrapper::of_value(values, 3, context)?;
    let on_empty = Instead::of_value(values, 4, context)?;
    let on_error = Instead::of_value(values, 5, context)?;
    let nulls = strict_nulls(&[&values[0], &values[1]], context.rows);
    let mut finder = Finder::new(values, context)?;
    let mut buffer = String::new();
    for row in 0..context.rows {
        if !valid(nulls.as_ref(), row) {
            documents.append_null();
            continue;
        }
        let wrong = match finder.find(row) {
            (Outcome::Wrong(reason), _) => Some(reason),
            (Outcome::Empty, _) => None,
            (Outcome::Found(found, tree), lax) => {
                let is_array = match &found {
                    Found::List(_) => true,
                    Found::Node(node) => matches!(tree.kind(*node), Kind::Array(_)),
                    _ => false,
                };
                let wraps = match wrapper {
                    Wrapper::Without => false,
                    Wrapper::Conditional => !is_array,
                    Wrapper::Unconditional => true,
                };
                if found.is_null(&tree) {
                    no_value(lax)
                } else if wraps || !found.is_scalar(&tree) {
                    match documents.append(&found, &tree, wraps, &mut buffer) {
                        Ok(()) => continue,
                        Err(reason) => Some(reason),
                    }
                } else if lax {
                    None
                } else {
                    Some("the value at the path is neither an array nor an object".to_owned())
                }
            }
        };
        match if wrong.is_some() { on_error } else { on_empty } {
            Instead::Error => {
                let reason = wrong.unwrap_or_else(|| "there is no value at the path".to_owned());
                return Err(context.error(reason));
            }
            Instead::EmptyArray => documents.append_empty("[]"),
            Instead::EmptyObject => documents.append_empty("{}"),
            _ => documents.append_null(),
        }
    }
    retype(&documents.finish(), &data_type(context.result))
}
