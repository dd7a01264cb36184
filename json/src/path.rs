//! Paths into a JSON tree, in the syntax of Jayway's JsonPath: `$.a['b'][0]..c[?(@.d > 1)].length()`.
//!
//! A path is *definite* if it leads to one value at most: names and numbers of elements only. Others
//! find a list of values, which may be empty. Of Jayway's functions those that need only the tree are
//! there: `length`, `size`, `keys`, `min`, `max`, `sum`, `avg`, `first`, `last`.

mod filter;
mod parse;
mod select;

pub use select::Found;

use filter::Filter;

/// A path.
#[derive(Debug)]
pub struct Path {
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    /// `.name`, `['a', 'b']`
    Names(Vec<String>),
    /// `.*`, `[*]`
    Wildcard,
    /// `[0]`, `[0, 1]`; negative ones count from the end.
    Indices(Vec<i64>),
    /// `[1:3]`
    Slice(Option<i64>, Option<i64>),
    /// `[?(…)]`
    Filter(Filter),
    /// `..`: what follows, at every level.
    Descend,
    /// `.length()`
    Function(Function),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Length,
    Keys,
    Min,
    Max,
    Sum,
    Average,
    First,
    Last,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::path(text)
    }

    /// Whether it leads to one value at most.
    pub fn is_definite(&self) -> bool {
        self.steps.iter().all(Step::is_definite)
    }
}

impl Step {
    fn is_definite(&self) -> bool {
        match self {
            Self::Names(names) => names.len() == 1,
            Self::Indices(indices) => indices.len() == 1,
            Self::Function(_) => true,
            Self::Wildcard | Self::Slice(..) | Self::Filter(_) | Self::Descend => false,
        }
    }
}

#[cfg(test)]
mod tests;
