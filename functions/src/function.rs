//! What a function is: its names, semantic version, type rule and kernel.
//!
//! The functions themselves are in `kernels`, the table of all of them in `registry`.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray as _, BinaryViewArray, Datum, Scalar};
use tidegate_plan::Literal;
use tidegate_types::{Error, ErrorCode, Result, SqlType};

use crate::datetime::zone::Zone;
use crate::vector;

/// Whether equal arguments always give equal results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatility {
    /// Depends on the arguments only: may be computed once, when the plan is made.
    Immutable,
    /// Depends on the moment of evaluation, as `PROCTIME()` does.
    Volatile,
}

/// What is known of an argument when a call is bound.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its type.
    pub ty: SqlType,
    /// Its value, if it is a constant: units and scales decide result types.
    pub literal: Option<Literal>,
}

impl Argument {
    /// An argument whose value is not known.
    pub fn of(ty: SqlType) -> Self {
        Self { ty, literal: None }
    }
}

/// The outcome of binding a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// What each argument must be cast to before the kernel sees it.
    pub arguments: Vec<SqlType>,
    /// Type of the result.
    pub result: SqlType,
}

/// A type rule.
pub type Bind = fn(&[Argument]) -> Result<Signature>;

/// Computes a column from argument columns. The result has [`KernelContext::rows`] rows and the
/// Arrow type of [`KernelContext::result`].
pub type Kernel = fn(&[Value], &KernelContext<'_>) -> Result<ArrayRef>;

/// A built-in function or operator.
pub struct Function {
    /// Name in upper case, or the operator's symbol.
    pub name: &'static str,
    /// Other names of the same function.
    pub aliases: &'static [&'static str],
    /// Semantic version, from 1.
    pub version: u16,
    /// Whether it may be computed ahead.
    pub volatility: Volatility,
    /// Type rule. Call it through [`Function::signature`], which names the call in errors.
    pub bind: Bind,
    /// Implementation.
    pub kernel: Kernel,
    /// One line of help.
    pub summary: &'static str,
    /// Whether some values make it fail, so that it must not run on rows that do not reach it.
    pub fallible: bool,
    /// Whether its type rule sees that a column carries time; to other functions such a column is a value.
    pub sees_time_attributes: bool,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({} v{})", self.name, self.version)
    }
}

impl Function {
    /// An immutable, infallible function of version 1.
    pub(crate) const fn new(
        name: &'static str,
        summary: &'static str,
        bind: Bind,
        kernel: Kernel,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            version: 1,
            volatility: Volatility::Immutable,
            bind,
            kernel,
            summary,
            fallible: false,
            sees_time_attributes: false,
        }
    }

    /// The same function, with more names.
    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same function, marked as depending on the moment of evaluation.
    pub(crate) const fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }

    /// The same function, marked as asking which columns carry time.
    pub(crate) const fn seeing_time_attributes(mut self) -> Self {
        self.sees_time_attributes = true;
        self
    }

    /// The same function, marked as failing on some values.
    pub(crate) const fn fallible(mut self) -> Self {
        self.fallible = true;
        self
    }

    /// Binds a call: checks the arguments and derives the types.
    ///
    /// # Errors
    /// `SQL_SEMANTIC` naming the call with its argument types and what is expected.
    pub fn signature(&self, arguments: &[Argument]) -> Result<Signature> {
        (self.bind)(arguments).map_err(|error| {
            let types: Vec<String> = arguments.iter().map(|a| a.ty.kind.to_string()).collect();
            error.context(format!("bind {}({})", self.name, types.join(", ")))
        })
    }
}

/// An argument of a kernel.
#[derive(Debug, Clone)]
pub enum Value {
    /// A column with a value per row.
    Array(ArrayRef),
    /// One value for all rows, as an array of one element.
    Constant(ArrayRef),
}

impl Value {
    /// The array, of one element for a constant.
    pub fn array(&self) -> &ArrayRef {
        match self {
            Self::Array(array) | Self::Constant(array) => array,
        }
    }

    /// Whether it is one value for all rows.
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// Whether it is NULL for all rows.
    pub fn is_null_constant(&self) -> bool {
        self.is_constant() && self.array().logical_null_count() > 0
    }

    /// The value as a column of `rows` rows.
    ///
    /// # Errors
    /// `INTERNAL` if Arrow cannot repeat the value.
    pub fn to_array(&self, rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Array(array) => Ok(Arc::clone(array)),
            Self::Constant(array) if rows == 1 => Ok(Arc::clone(array)),
            Self::Constant(array) => vector::repeat(array, rows),
        }
    }

    /// A text's or binary value's bytes.
    pub(crate) fn to_binary(&self) -> Result<BinaryViewArray> {
        match self.array().as_string_view_opt() {
            Some(texts) => Ok(texts.clone().to_binary_view()),
            None => Ok(vector::binaries(self.array())?.clone()),
        }
    }

    /// The value as Arrow's kernels take it.
    pub(crate) fn datum(&self) -> Box<dyn Datum> {
        match self {
            Self::Array(array) => Box::new(Arc::clone(array)),
            Self::Constant(array) => Box::new(Scalar::new(Arc::clone(array))),
        }
    }

    /// Distance between the values of two rows in the array: 0 for a constant.
    pub(crate) fn step(&self) -> usize {
        usize::from(!self.is_constant())
    }
}

/// What a kernel knows besides its arguments.
#[derive(Debug)]
pub struct KernelContext<'a> {
    /// Name of the function, for messages.
    pub name: &'static str,
    /// Rows of the result.
    pub rows: usize,
    /// Type of the result.
    pub result: &'a SqlType,
    /// Types of the arguments.
    pub arguments: &'a [SqlType],
    /// The session's time zone.
    pub zone: &'a Zone,
    /// The moment of evaluation, in milliseconds since the epoch.
    pub processing_time_ms: i64,
    /// The watermark of the rows, in milliseconds since the epoch; none before the first.
    pub watermark_ms: Option<i64>,
    /// What earlier batches prepared from constant arguments.
    pub prepared: &'a Prepared,
}

impl KernelContext<'_> {
    /// An error of evaluation that names the function.
    pub(crate) fn error(&self, message: impl fmt::Display) -> Error {
        Error::new(ErrorCode::Evaluation, format!("{}: {message}", self.name))
    }
}

/// What a call prepares once from its constant arguments: compiled patterns, sets, unit codes.
#[derive(Default)]
pub struct Prepared(OnceLock<Box<dyn Any + Send + Sync>>);

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Prepared(some)" } else { "Prepared(none)" })
    }
}

impl Prepared {
    /// What `make` made on the first call. A call site always prepares the same type, from
    /// arguments that are constants of the plan.
    ///
    /// # Errors
    /// Those of `make`; nothing is kept then.
    pub fn get_or_try<T: Any + Send + Sync>(&self, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        if self.0.get().is_none() {
            let made: Box<dyn Any + Send + Sync> = Box::new(make()?);
            // A value that another thread stored meanwhile is as good as this one.
            let _ = self.0.set(made);
        }
        self.0
            .get()
            .and_then(|value| value.downcast_ref::<T>())
            .ok_or_else(|| Error::internal("a call site prepared values of two types"))
    }
}
