//! Tables that the catalog defines and no script: the border over which they are asked for, and what the planner says
//! about plans that use them.
//!
//! A governed table is called `project.database.table`. Its definition is the same in every environment; plans keep its
//! reference, and [`bind_environment`] gives it the options of one.
//!
//! | module | holds |
//! |---|---|
//! | `names` | what a name in a script stands for |
//! | `access` | masks and columns that are refused, in the table that is read |
//! | `check` | what an optimized query must not need |
//! | `hints` | which options a statement may give |
//! | `environment` | options of an environment put into a plan |
//! | `compose` | the text of a definition, from its parts |
//! | `definition` | what a definition says |
//! | `digest` | whether two definitions describe the same rows |
//! | `usage` | which tables and columns a plan uses |
//! | `recheck` | whether a plan fits the grants that there are now |
//! | `preview` | the plan that shows some rows of a table |
//!
//! Not here: who may do what, where definitions are kept.

mod access;
mod check;
mod compose;
mod definition;
mod digest;
mod environment;
mod hints;
mod names;
mod placeholder;
mod preview;
mod recheck;
mod usage;

use std::collections::BTreeMap;
use std::fmt;

pub use tidegate_plan::operator::Mask;
use tidegate_types::{Error, Result};

pub(crate) use self::access::{Governed, Purpose};
pub(crate) use self::check::{check, refusal};
pub use self::compose::{ColumnText, definition_text};
pub use self::definition::{DefinedColumn, DefinedKind, Definition, describe_definition};
pub use self::digest::schema_digest;
pub use self::environment::bind_environment;
pub(crate) use self::names::{Found, GovernedCatalogs, Governing, refused};
pub use self::placeholder::is_placeholder;
pub(crate) use self::placeholder::with_samples;
pub use self::preview::{MAX_PREVIEW_ROWS, Preview, PreviewRequest, PreviewStart, preview};
pub use self::recheck::check_access;
pub use self::usage::{GovernedUse, InlineUse, TableRole, UsedColumn, UsedTables, used_tables};

/// The database of a project whose tables are found without a database's name.
pub const FIRST_DATABASE: &str = "default";

/// The governed tables as one caller sees them: what is not visible does not exist here.
///
/// Answers come from a snapshot: calls are synchronous, and the same question has the same answer while a script is
/// planned. An error keeps its code and gets the place in the script.
pub trait GovernedTables: fmt::Debug + Send + Sync {
    /// Projects that the caller sees, sorted. Each is a catalog.
    ///
    /// # Errors
    /// Whatever keeps the provider from answering.
    fn projects(&self) -> Result<Vec<String>>;

    /// Databases of a project that the caller sees, sorted; `None` if the project is not visible.
    ///
    /// # Errors
    /// Whatever keeps the provider from answering.
    fn databases(&self, project: &str) -> Result<Option<Vec<String>>>;

    /// Names of the tables of a database that the caller sees, sorted; none if it is not there. They are shown, and
    /// suggested for names that do not exist.
    ///
    /// # Errors
    /// Whatever keeps the provider from answering.
    fn tables(&self, project: &str, database: &str) -> Result<Vec<String>>;

    /// One table; `None` if it is not there or the caller must not know of it. Asked once per script and name, and
    /// only for tables that are named.
    ///
    /// # Errors
    /// Whatever keeps the provider from answering; what the caller may not do stands in the answer.
    fn table(&self, project: &str, database: &str, table: &str) -> Result<Option<GovernedTable>>;
}

/// The definition of a table and what the caller may do with it.
#[derive(Debug, Clone)]
pub struct GovernedTable {
    /// Stable resource name: `projects/p/databases/d/tables/t`.
    pub reference: String,
    /// A CREATE TABLE statement, as [`definition_text`] makes it; the name in it does not count. Options that differ by
    /// environment have a placeholder, see [`is_placeholder`]; those that the connector cannot do without may be left out.
    pub definition: String,
    /// Why its rows may not be read, if they may not.
    pub read: Option<Error>,
    /// Why no rows may be written, if they may not.
    pub write: Option<Error>,
    /// Columns that are not read as they are; all others are.
    pub columns: BTreeMap<String, ColumnAccess>,
}

/// How a column of a table that may be read is refused or hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnAccess {
    /// Its values are replaced where they leave the source.
    Masked(Mask),
    /// A statement that needs it is refused.
    Denied,
}
