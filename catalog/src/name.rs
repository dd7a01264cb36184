//! Names of resources: how they are written, parsed and checked.
//!
//! Not here: whether the thing that a name means exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use crate::child_name::ChildName;
use crate::table::TableName;

/// The most characters that one id within a name may have.
pub const MAX_ID_LENGTH: usize = 63;

/// Checks one id: lower-case letters, digits and `-`, 1 to 63 characters, a letter or digit at both ends.
///
/// `INVALID_OPTION` names the kind of the thing (such as `job`) and the id.
pub fn check_id(kind: &str, id: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = !id.is_empty()
        && id.len() <= MAX_ID_LENGTH
        && id.chars().all(fits)
        && !id.starts_with('-')
        && !id.ends_with('-');
    if fine {
        return Ok(());
    }
    let shown: String = id.chars().take(MAX_ID_LENGTH + 1).collect();
    Err(Error::new(
        ErrorCode::InvalidOption,
        format!(
            "'{shown}' is no id of a {kind}: use 1 to {MAX_ID_LENGTH} lower-case letters, digits and '-', with a letter \
             or digit at both ends"
        ),
    ))
}

/// Name of a job: `projects/{project}/jobs/{job}`. Ordered by project, then job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobName {
    project: String,
    job: String,
}

impl JobName {
    /// A name of these ids; `INVALID_OPTION` if one of them is none.
    pub fn new(project: impl Into<String>, job: impl Into<String>) -> Result<Self> {
        let (project, job) = (project.into(), job.into());
        check_id("project", &project)?;
        check_id("job", &job)?;
        Ok(Self { project, job })
    }

    /// The least name that a job of the project can have, for ranges.
    pub(crate) fn before(project: &str) -> Self {
        Self { project: project.to_owned(), job: String::new() }
    }

    /// Id of the project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Id of the job within its project.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// Name of a version of this job.
    pub fn version(&self, number: u64) -> VersionName {
        VersionName { job: self.clone(), number }
    }

    /// Name of a run of this job.
    pub fn run(&self, number: u64) -> RunName {
        RunName { job: self.clone(), number }
    }

    /// Name of a savepoint of this job; `INVALID_OPTION` if the id is none.
    pub fn savepoint(&self, id: impl Into<String>) -> Result<SavepointName> {
        let id = id.into();
        check_id("savepoint", &id)?;
        Ok(SavepointName { job: self.clone(), id })
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/jobs/{}", self.project, self.job)
    }
}

/// Name of a version: `projects/{project}/jobs/{job}/versions/{number}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct VersionName {
    /// The job.
    pub job: JobName,
    /// Number of the version, from 1.
    pub number: u64,
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/versions/{}", self.job, self.number)
    }
}

/// Name of a run: `projects/{project}/jobs/{job}/runs/{number}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RunName {
    /// The job.
    pub job: JobName,
    /// Number of the run, from 1.
    pub number: u64,
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/runs/{}", self.job, self.number)
    }
}

/// Name of a savepoint: `projects/{project}/jobs/{job}/savepoints/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SavepointName {
    job: JobName,
    id: String,
}

impl SavepointName {
    /// The job.
    pub fn job(&self) -> &JobName {
        &self.job
    }

    /// Id within the job.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for SavepointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/savepoints/{}", self.job, self.id)
    }
}

/// The name of any resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ResourceName {
    /// `tenants/{id}`
    Tenant(String),
    /// `projects/{id}`
    Project(String),
    /// `projects/{p}/jobs/{j}`
    Job(JobName),
    /// `projects/{p}/jobs/{j}/versions/{n}`
    Version(VersionName),
    /// `projects/{p}/jobs/{j}/runs/{n}`
    Run(RunName),
    /// `projects/{p}/jobs/{j}/savepoints/{id}`
    Savepoint(SavepointName),
    /// `projects/{p}/jobs/{j}/checkpoints/{n}`: the job and the checkpoint's number.
    Checkpoint(JobName, u64),
    /// `workers/{id}`
    Worker(String),
    /// `operations/{id}`
    Operation(String),
    /// `sessions/{id}`
    Session(String),
    /// Something below a tenant or project.
    Child(ChildName),
    /// `projects/{p}/databases/{d}/tables/{t}`
    Table(TableName),
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(id) => write!(f, "tenants/{id}"),
            Self::Project(id) => write!(f, "projects/{id}"),
            Self::Job(name) => name.fmt(f),
            Self::Version(name) => name.fmt(f),
            Self::Run(name) => name.fmt(f),
            Self::Savepoint(name) => name.fmt(f),
            Self::Checkpoint(job, number) => write!(f, "{job}/checkpoints/{number}"),
            Self::Worker(id) => write!(f, "workers/{id}"),
            Self::Operation(id) => write!(f, "operations/{id}"),
            Self::Session(id) => write!(f, "sessions/{id}"),
            Self::Child(name) => name.fmt(f),
            Self::Table(name) => name.fmt(f),
        }
    }
}

impl FromStr for ResourceName {
    type Err = Error;

    /// `INVALID_OPTION` if the text has none of the known forms, or an id in it is none.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(8, '/').collect();
        match parts.as_slice() {
            ["tenants", id] => checked("tenant", id).map(Self::Tenant),
            ["projects", id] => checked("project", id).map(Self::Project),
            ["workers", id] => checked("worker", id).map(Self::Worker),
            ["operations", id] => checked("operation", id).map(Self::Operation),
            ["sessions", id] => checked("session", id).map(Self::Session),
            ["projects", project, "databases", database, "tables", table] => {
                TableName::new(project, database, table).map(Self::Table)
            }
            ["projects", project, "jobs", job] => JobName::new(*project, *job).map(Self::Job),
            ["projects", project, "jobs", job, kind, last] => {
                let job = JobName::new(*project, *job)?;
                match *kind {
                    "versions" => Ok(Self::Version(job.version(number(text, last)?))),
                    "runs" => Ok(Self::Run(job.run(number(text, last)?))),
                    "savepoints" => job.savepoint(*last).map(Self::Savepoint),
                    "checkpoints" => Ok(Self::Checkpoint(job, number(text, last)?)),
                    _ => Err(unknown(text)),
                }
            }
            parts => match ChildName::of_parts(parts) {
                Some(name) => name.map(Self::Child),
                None => Err(unknown(text)),
            },
        }
    }
}

fn checked(kind: &str, id: &str) -> Result<String> {
    check_id(kind, id)?;
    Ok(id.to_owned())
}

/// A number as it is written: no sign, no leading zeros, from 1; so each thing has one name.
fn number(text: &str, digits: &str) -> Result<u64> {
    let value = digits.parse::<u64>().ok().filter(|value| *value > 0);
    value.filter(|value| value.to_string() == digits).ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("name '{}' does not end in a number from 1", shortened(text)),
        )
    })
}

fn unknown(text: &str) -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        format!("'{}' is no resource name", shortened(text)),
    )
    .help("names look like projects/default/jobs/clicks, projects/default/jobs/clicks/runs/3, workers/w1")
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Text forms of a typed name, through [`ResourceName`].
macro_rules! text_forms {
    ($type:ident, $variant:ident, $what:literal) => {
        impl FromStr for $type {
            type Err = Error;

            /// `INVALID_OPTION` if the text is no such name.
            fn from_str(text: &str) -> Result<Self> {
                match text.parse()? {
                    ResourceName::$variant(name) => Ok(name),
                    _ => Err(Error::new(
                        ErrorCode::InvalidOption,
                        format!("'{}' is not the name of a {}", shortened(text), $what),
                    )),
                }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$type> for ResourceName {
            fn from(name: $type) -> Self {
                Self::$variant(name)
            }
        }
    };
}

text_forms!(JobName, Job, "job");
text_forms!(VersionName, Version, "version");
text_forms!(RunName, Run, "run");
text_forms!(SavepointName, Savepoint, "savepoint");
text_forms!(TableName, Table, "table");
text_forms!(ChildName, Child, "thing of a tenant or project");

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for ResourceName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for text in [
            "tenants/default",
            "projects/p1",
            "projects/p1/jobs/clicks-7",
            "projects/p1/jobs/clicks-7/versions/3",
            "projects/p1/jobs/clicks-7/runs/18446744073709551615",
            "projects/p1/jobs/clicks-7/savepoints/before-move",
            "projects/p1/jobs/clicks-7/checkpoints/12",
            "workers/w-1",
            "operations/0a1b",
        ] {
            let name: ResourceName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<ResourceName>(&json).unwrap(), name);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "projects",
            "projects/",
            "projects/P",
            "projects/a_b",
            "projects/-a",
            "projects/a/jobs/b/runs/0",
            "projects/a/jobs/b/runs/01",
            "projects/a/jobs/b/runs/+1",
            "projects/a/jobs/b/runs/1/2",
            "projects/a/jobs/b/things/1",
            "projects/a/jobs/b/",
            "workers/é",
        ] {
            let error = text.parse::<ResourceName>().unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidOption, "{text}");
        }
        assert!(check_id("job", &"x".repeat(63)).is_ok());
        assert!(check_id("job", &"x".repeat(64)).is_err());
        let error = "workers/w".parse::<JobName>().unwrap_err();
        assert_eq!(error.message(), "'workers/w' is not the name of a job");
    }

    #[test]
    fn jobs_are_ordered_by_project_first() {
        let (a, b) = (JobName::new("a", "z").unwrap(), JobName::new("a-a", "a").unwrap());
        assert!(JobName::before("a") < a && a < b);
        assert!(JobName::before("a-a") > a);
    }
}
