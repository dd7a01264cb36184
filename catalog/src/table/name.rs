//! Names of tables.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use crate::child_name::{ChildName, Collection, check_sql_id};
use crate::name::check_id;
use crate::scope::Scope;

/// `projects/{project}/databases/{database}/tables/{table}`. Ordered by project, database, table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TableName {
    project: String,
    database: String,
    table: String,
}

impl TableName {
    /// Of these ids; `INVALID_OPTION` if one of them is none.
    pub fn new(project: &str, database: &str, table: &str) -> Result<Self> {
        check_id("project", project)?;
        check_sql_id("database", database)?;
        check_sql_id("table", table)?;
        let own = str::to_owned;
        Ok(Self { project: own(project), database: own(database), table: own(table) })
    }

    /// The least name that a table of a database can have, for ranges; of a project, if the database is empty.
    pub(crate) fn before(project: &str, database: &str) -> Self {
        let own = str::to_owned;
        Self { project: own(project), database: own(database), table: String::new() }
    }

    /// Id of the project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Id of the database within the project.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Id of the table within the database.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Name of the database.
    pub fn database_name(&self) -> Result<ChildName> {
        let owner = Scope::Project(self.project.clone());
        ChildName::new(owner, Collection::Databases, &self.database)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/databases/{}/tables/{}", self.project, self.database, self.table)
    }
}
