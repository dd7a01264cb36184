//! A compiled expression: in linear time where it can be, else by backtracking with a limit.

use regex::Regex;

use super::syntax::{self, PatternError};

/// Steps back that one search may take.
const MOST_STEPS: usize = 1_000_000;

/// An expression of Java.
pub(in crate::kernels) enum Pattern {
    /// Any expression without look-around and back references.
    Linear(Regex),
    /// The others.
    Backtracking(Box<fancy_regex::Regex>),
}

/// Where a match begins and ends, in bytes.
pub(in crate::kernels) type Place = (usize, usize);

/// A search took too many steps; or what it found.
pub(in crate::kernels) type Search<T> = Result<T, String>;

fn too_long(error: &fancy_regex::Error) -> String {
    format!("the expression was given up after {MOST_STEPS} steps back: {error}")
}

impl Pattern {
    /// Compiles an expression of Java.
    pub(in crate::kernels) fn new(expression: &str) -> Result<Self, PatternError> {
        match syntax::compile_java(expression) {
            Err(PatternError::Unsupported(_)) => {
                let source = syntax::backtracking(expression)?;
                let compiled = fancy_regex::RegexBuilder::new(&source)
                    .backtrack_limit(MOST_STEPS)
                    .build()
                    .map_err(|error| PatternError::Invalid(error.to_string()))?;
                Ok(Self::Backtracking(Box::new(compiled)))
            }
            linear => linear.map(Self::Linear),
        }
    }

    /// Whether it is the empty expression.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Linear(regex) => regex.as_str().is_empty(),
            Self::Backtracking(_) => false,
        }
    }

    /// Groups, with the whole match.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Linear(regex) => regex.captures_len(),
            Self::Backtracking(regex) => regex.captures_len(),
        }
    }

    pub(super) fn is_match(&self, text: &str) -> Search<bool> {
        match self {
            Self::Linear(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => regex.is_match(text).map_err(|error| too_long(&error)),
        }
    }

    /// The first match that begins at or behind a byte.
    pub(in crate::kernels) fn find_at(&self, text: &str, from: usize) -> Search<Option<Place>> {
        match self {
            Self::Linear(regex) => Ok(regex.find_at(text, from).map(|m| (m.start(), m.end()))),
            Self::Backtracking(regex) => {
                let found = regex.find_from_pos(text, from).map_err(|error| too_long(&error))?;
                Ok(found.map(|m| (m.start(), m.end())))
            }
        }
    }

    /// A group of the first match; none if there is no match, or the group has no part in it.
    pub(super) fn group<'t>(&self, text: &'t str, group: usize) -> Search<Option<&'t str>> {
        if group == 0 {
            return Ok(self.find_at(text, 0)?.map(|(start, end)| &text[start..end]));
        }
        match self {
            Self::Linear(regex) => {
                let captures = regex.captures(text);
                Ok(captures.and_then(|captures| captures.get(group)).map(|m| m.as_str()))
            }
            Self::Backtracking(regex) => {
                let captures = regex.captures(text).map_err(|error| too_long(&error))?;
                Ok(captures.and_then(|captures| captures.get(group)).map(|m| m.as_str()))
            }
        }
    }

    /// Calls `each` with every match.
    pub(super) fn matches(&self, text: &str, mut each: impl FnMut(Place)) -> Search<()> {
        match self {
            Self::Linear(regex) => {
                regex.find_iter(text).for_each(|found| each((found.start(), found.end())));
            }
            Self::Backtracking(regex) => {
                for found in regex.find_iter(text) {
                    let found = found.map_err(|error| too_long(&error))?;
                    each((found.start(), found.end()));
                }
            }
        }
        Ok(())
    }

    /// Calls `each` with a group of every match.
    pub(super) fn each_group<'t>(
        &self,
        text: &'t str,
        group: usize,
        mut each: impl FnMut(Option<&'t str>),
    ) -> Search<()> {
        match self {
            Self::Linear(regex) => {
                for captures in regex.captures_iter(text) {
                    each(captures.get(group).map(|found| found.as_str()));
                }
            }
            Self::Backtracking(regex) => {
                for captures in regex.captures_iter(text) {
                    let captures = captures.map_err(|error| too_long(&error))?;
                    each(captures.get(group).map(|found| found.as_str()));
                }
            }
        }
        Ok(())
    }
}
