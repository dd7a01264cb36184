//! What is done with a data source beside running jobs: testing its connection, listing what is in it,
//! and describing its tables for schema imports.
//!
//! [`Probe::test`] goes the way to the system step by step and says which step failed and why, so that a
//! person can mend it. [`Probe::list`] and [`Probe::describe`] go the same way. All of it is bounded by
//! [`Limits`]. Addresses are resolved once, checked, and then connected to ([`address`]); what outside
//! systems say passes [`redaction`] before it gets into a message. Topics are made and checked in
//! [`topics`]. Not here: reading and writing rows of jobs.

mod address;
pub mod delivery;
mod http;
mod import;
mod limits;
mod redaction;
mod report;
mod systems;
mod tcp;
mod tls;
#[cfg(feature = "kafka")]
pub mod topics;
mod trace;

use std::collections::BTreeMap;

use tidegate_connector_spec::data_source::{DataSourceSpec, Parameters, PhysicalTable, check};
use tidegate_types::{Error, ErrorCode, Result};

pub use import::{Column, Description, Entry, Listing, Page, Unmapped};
pub use limits::Limits;
pub use report::{Failure, Outcome, Reason, Step, TestReport, What};

use crate::env::MonotonicClock;
use redaction::Redaction;
use trace::Trace;

/// A data source that is looked at.
pub struct Probe<'a> {
    parameters: Parameters<'a>,
    limits: &'a Limits,
    clock: MonotonicClock,
}

impl<'a> Probe<'a> {
    /// Of a data source with these parameters, secret ones included.
    ///
    /// # Errors
    /// `INVALID_OPTION` if a parameter is wrong.
    pub fn new(
        spec: &'static DataSourceSpec,
        values: &'a BTreeMap<String, String>,
        limits: &'a Limits,
        clock: &MonotonicClock,
    ) -> Result<Self> {
        if let Some(violation) = check(spec, values).into_iter().next() {
            return Err(
                Error::new(ErrorCode::InvalidOption, violation.message).help(violation.help)
            );
        }
        Ok(Self { parameters: Parameters::new(spec, values), limits, clock: clock.clone() })
    }

    /// Goes the way to the system, and says how far it got.
    pub async fn test(&self) -> TestReport {
        let mut trace = self.trace();
        let failure = Box::pin(systems::test(&mut trace, &self.parameters)).await.err();
        trace.report(failure)
    }

    /// Databases, where the type has any and none is given; otherwise tables: of a database, by the
    /// beginning of their names, a page of them.
    ///
    /// # Errors
    /// What [`Failure::into_error`] makes of the step that failed.
    pub async fn list(&self, database: Option<&str>, page: &Page) -> Result<Listing> {
        let mut trace = self.trace();
        let found = Box::pin(systems::list(&mut trace, &self.parameters, database, page)).await;
        found.map_err(|failure| self.failed("list", &trace, failure))
    }

    /// The columns of a table, topic, index or file.
    ///
    /// # Errors
    /// As [`Probe::list`]; `NOT_FOUND` if there is no such table.
    pub async fn describe(&self, table: &PhysicalTable) -> Result<Description> {
        let mut trace = self.trace();
        let found = Box::pin(systems::describe(&mut trace, &self.parameters, table)).await;
        found.map_err(|failure| self.failed("describe", &trace, failure))
    }

    fn trace(&self) -> Trace<'a> {
        Trace::new(&self.clock, self.limits, Redaction::new(self.parameters.secrets()))
    }

    fn failed(&self, doing: &str, trace: &Trace<'_>, failure: Failure) -> Error {
        let failure = trace.redacted(failure);
        let kind = self.parameters.spec().name;
        failure.into_error().context(format!("{doing} tables of a data source of type '{kind}'"))
    }
}
