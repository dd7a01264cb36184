//! Data sources: outside systems that are registered once, with what is needed to reach them, and
//! that tables then live in.
//!
//! [`data_sources`] describes each type: its parameters, from which the command line and the browser
//! build forms, what its tables are called and what can be granted on them. [`check`] finds all that is
//! wrong with parameters, [`split_secrets`] takes the secret ones out, and [`connector_options`] makes
//! the `WITH` options of a table. Not here: anything that connects.

mod check;
mod kinds;
mod listed;
mod options;
mod parameters;
mod spec;
mod table;

pub use check::{MAX_VALUE_BYTES, ParameterViolation, check};
pub use listed::{Address, addresses, headers, urls};
pub use options::{PhysicalTable, connector_options};
pub use parameters::{Parameters, split_secrets};
pub use spec::{Category, Condition, DataSourceSpec, Form, ParameterSpec, Permission, TableNoun};
pub use table::{creation_options, table_options};

/// All types of data sources, by category.
pub fn data_sources() -> &'static [&'static DataSourceSpec] {
    kinds::ALL
}

/// The type with a name.
pub fn data_source(name: &str) -> Option<&'static DataSourceSpec> {
    kinds::ALL.iter().find(|spec| spec.name == name).copied()
}

#[cfg(test)]
mod tests;
