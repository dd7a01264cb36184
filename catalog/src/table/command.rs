//! What can be done with databases and tables.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Environment, Publication, TableDefinition, TableName, Topic};
use crate::child_name::ChildName;

/// A table as it is made, before anybody approves anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Where it is in design: the outside system and what it is called there.
    pub data_source: ChildName,
    /// What it is called there.
    pub physical_name: String,
}

/// What came of creating or checking something in an outside system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The table.
    pub table: TableName,
    /// Where.
    pub environment: Environment,
    /// What was created or checked.
    pub publication: Box<Publication>,
    /// Why it could not be; none: it is there.
    pub failure: Option<String>,
}

/// A change of databases or tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TableAction {
    /// Creates a database. `ALREADY_EXISTS`; `NOT_FOUND` for its project.
    CreateDatabase {
        /// Its name.
        database: ChildName,
        /// What it is.
        description: String,
        /// Words by which it is found.
        tags: BTreeSet<String>,
        /// Who creates it.
        owner: String,
    },
    /// Changes what is given. `CONFLICT` if an etag is given and it has another.
    UpdateDatabase {
        /// Its name.
        database: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is.
        description: Option<String>,
        /// Words by which it is found.
        tags: Option<BTreeSet<String>>,
    },
    /// Deletes a database without tables. `FAILED_PRECONDITION` for others.
    DeleteDatabase {
        /// Its name.
        database: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Asks to have a database in test or production. `FAILED_PRECONDITION` before it is in test, for production, or if
    /// it cannot be in that data source.
    PublishDatabase {
        /// Its name.
        database: ChildName,
        /// Where.
        environment: Environment,
        /// The outside system.
        data_source: ChildName,
        /// What it is called there.
        physical_name: String,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Creates a table. Errors as for a database, `QUOTA_EXCEEDED`.
    CreateTable {
        /// Its name.
        table: TableName,
        /// Type of the data sources that it can be in.
        kind: String,
        /// What it is.
        description: String,
        /// Words by which it is found.
        tags: BTreeSet<String>,
        /// Who creates it.
        owner: String,
        /// Its columns and the rest.
        definition: Box<TableDefinition>,
        /// Where it is in design.
        design: Option<Design>,
    },
    /// Changes what is given. Errors as for a database.
    UpdateTable {
        /// Its name.
        table: TableName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is.
        description: Option<String>,
        /// Words by which it is found.
        tags: Option<BTreeSet<String>>,
        /// Its columns and the rest.
        definition: Option<Box<TableDefinition>>,
        /// Where it is in design: nowhere, or there.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "crate::shared::given"
        )]
        design: Option<Option<Design>>,
    },
    /// Deletes a table that is in neither test nor production. `FAILED_PRECONDITION` for others.
    DeleteTable {
        /// Its name.
        table: TableName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Asks to have a table in test as it is designed, or in production as it is in test. `CONFLICT` if an etag is
    /// given and the table has another; otherwise errors as for a database.
    PublishTable {
        /// Its name.
        table: TableName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Where.
        environment: Environment,
        /// The outside system; none: where its database is.
        data_source: Option<ChildName>,
        /// What it is called there.
        physical_name: String,
        /// How a topic is created.
        topic: Topic,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Takes a table out of test or production. `FAILED_PRECONDITION` if it is not there, or (for test) in production.
    UnpublishTable {
        /// Its name.
        table: TableName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Where.
        environment: Environment,
    },
    /// Says what came of creating or checking a table outside. `FENCED` if something else is wanted by now.
    SetReady(Ready),
}
