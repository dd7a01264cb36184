//! The clauses of JSON functions, as constant texts.

use tidegate_types::Result;

use crate::function::{Argument, KernelContext, Value};
use crate::rules::{fail, literal_text};
use crate::vector::constant_text;

/// What an option is called in its constant.
pub(super) trait Named: Copy + Sized + 'static {
    const ALL: &'static [(&'static str, Self)];

    /// The option that a constant argument names.
    fn of_argument(args: &[Argument], index: usize) -> Result<Self> {
        let name = literal_text(args, index)?;
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, option)| *option).ok_or_else(|| fail(format!("'{name}' is not known here")))
    }

    /// The option that a kernel's argument names.
    fn of_value(values: &[Value], index: usize, context: &KernelContext<'_>) -> Result<Self> {
        let name = values.get(index).and_then(constant_text).unwrap_or_default();
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, option)| *option).ok_or_else(|| context.error(format!("option '{name}'")))
    }
}

/// `TRUE | FALSE | UNKNOWN | ERROR ON ERROR` of `JSON_EXISTS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExistsOnError {
    Known(bool),
    Unknown,
    Error,
}

impl Named for ExistsOnError {
    const ALL: &'static [(&'static str, Self)] = &[
        ("TRUE", Self::Known(true)),
        ("FALSE", Self::Known(false)),
        ("UNKNOWN", Self::Unknown),
        ("ERROR", Self::Error),
    ];
}

/// What stands for a value that is not there: `… ON EMPTY`, `… ON ERROR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    Null,
    Error,
    Default,
    EmptyArray,
    EmptyObject,
}

impl Named for Instead {
    const ALL: &'static [(&'static str, Self)] = &[
        ("NULL", Self::Null),
        ("ERROR", Self::Error),
        ("DEFAULT", Self::Default),
        ("EMPTY ARRAY", Self::EmptyArray),
        ("EMPTY OBJECT", Self::EmptyObject),
    ];
}

/// `WITH … WRAPPER` of `JSON_QUERY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapper {
    Without,
    Conditional,
    Unconditional,
}

impl Named for Wrapper {
    const ALL: &'static [(&'static str, Self)] = &[
        ("WITHOUT", Self::Without),
        ("CONDITIONAL", Self::Conditional),
        ("UNCONDITIONAL", Self::Unconditional),
    ];
}

/// `RETURNING` a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returning {
    Text,
    Boolean,
    Integer,
    Double,
    Texts,
}

impl Named for Returning {
    const ALL: &'static [(&'static str, Self)] = &[
        ("STRING", Self::Text),
        ("BOOLEAN", Self::Boolean),
        ("INT", Self::Integer),
        ("DOUBLE", Self::Double),
        ("ARRAY<STRING>", Self::Texts),
    ];
}

/// `NULL | ABSENT ON NULL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnNull {
    Null,
    Absent,
}

impl Named for OnNull {
    const ALL: &'static [(&'static str, Self)] = &[("NULL", Self::Null), ("ABSENT", Self::Absent)];
}
