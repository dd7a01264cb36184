//! How much of everything a catalog holds, and the checks of texts and maps that come from outside.

use std::collections::BTreeMap;

use tidegate_types::{Error, ErrorCode, Result};

use crate::name::MAX_ID_LENGTH;

/// Upper bounds. They are part of what commands mean: all coordinators must have the same, so they are constants.
#[derive(Debug, Clone, Copy)]
pub struct Bounds;

impl Bounds {
    /// Tenants.
    pub const TENANTS: usize = 1_000;
    /// Projects, of all tenants.
    pub const PROJECTS: usize = 10_000;
    /// Accounts, of all tenants, deleted ones included.
    pub const ACCOUNTS: usize = 100_000;
    /// Keys of a program's account.
    pub const ACCOUNT_KEYS: usize = 10;
    /// Roles of an account.
    pub const ACCOUNT_ROLES: usize = 1_000;
    /// Sessions of an account; the oldest ends when there would be more.
    pub const ACCOUNT_SESSIONS: usize = 50;
    /// Calls that one command tells the audit of.
    pub const AUDIT_CALLS: usize = 1_000;
    /// Approvals that a publication may need.
    pub const REQUIRED_APPROVALS: u32 = 5;
    /// Data sources, of all projects.
    pub const DATA_SOURCES: usize = 20_000;
    /// Databases, of all projects.
    pub const DATABASES: usize = 50_000;
    /// Tables, of all projects.
    pub const TABLES: usize = 200_000;
    /// Tables of the catalog that a version uses.
    pub const VERSION_TABLES: usize = 1_000;
    /// Columns of tables of the catalog that a version computes from others.
    pub const VERSION_COLUMN_FLOWS: usize = 20_000;
    /// Pairs of tables that are told of a lineage.
    pub const LINEAGE_EDGES: usize = 1_000;
    /// Grants, on all tables.
    pub const GRANTS: usize = 500_000;
    /// Categories of a tenant.
    pub const CATEGORIES: usize = 1_000;
    /// Categories from the top to the lowest.
    pub const CATEGORY_DEPTH: usize = 8;
    /// Meta-models of a tenant.
    pub const META_MODELS: usize = 1_000;
    /// Attributes of a meta-model.
    pub const ATTRIBUTES: usize = 200;
    /// Choices of an attribute.
    pub const CHOICES: usize = 500;
    /// Bytes of all attributes of a meta-model.
    pub const MODEL_BYTES: usize = 256 << 10;
    /// Accounts that manage the data of a meta-model.
    pub const MANAGERS: usize = 200;
    /// Business data, of all tenants.
    pub const BUSINESS_DATA: usize = 200_000;
    /// Bytes of a value of business data.
    pub const VALUE_BYTES: usize = 4 << 10;
    /// Bytes of all values of business data.
    pub const VALUES_BYTES: usize = 64 << 10;
    /// Relations, of all tenants.
    pub const RELATIONS: usize = 500_000;
    /// Relations that lead from or to one thing.
    pub const OBJECT_RELATIONS: usize = 1_000;
    /// Tags of a tenant.
    pub const TAGS: usize = 1_000;
    /// Tags of one thing.
    pub const OBJECT_TAGS: usize = 64;
    /// Tags of all things together.
    pub const TAGGINGS: usize = 500_000;
    /// Quality rules, of all projects.
    pub const QUALITY_RULES: usize = 200_000;
    /// Quality rules of a table.
    pub const TABLE_RULES: usize = 200;
    /// Columns that a quality rule names.
    pub const RULE_COLUMNS: usize = 64;
    /// Values that a quality rule names.
    pub const RULE_VALUES: usize = 1_000;
    /// Bytes of a regular expression.
    pub const PATTERN_BYTES: usize = 1 << 10;
    /// The longest time that a quality rule looks at, in milliseconds.
    pub const RULE_AGE_MS: i64 = 3_660 * 24 * 3_600_000;
    /// Bytes of what people call something.
    pub const TITLE_BYTES: usize = 255;
    /// Mistakes that one answer names.
    pub const VIOLATIONS: usize = 50;
    /// Resources, of all projects.
    pub const RESOURCES: usize = 100_000;
    /// Versions of a resource.
    pub const RESOURCE_VERSIONS: usize = 100;
    /// Bytes of a version of a resource.
    pub const RESOURCE_BYTES: u64 = 1 << 30;
    /// Bytes of the resources of a project whose service has no quota for them.
    pub const PROJECT_RESOURCE_BYTES: u64 = 10 << 30;
    /// Uploads of a project that are not complete.
    pub const UPLOADS: usize = 50;
    /// How long an upload may take, in milliseconds.
    pub const UPLOAD_AGE_MS: i64 = 24 * 3_600_000;
    /// How long bytes of resources are kept that nothing refers to any more, in milliseconds: downloads of them end.
    pub const GARBAGE_AGE_MS: i64 = 3_600_000;
    /// Hooks of a tenant.
    pub const HOOKS: usize = 50;
    /// Deliveries for a hook that are kept; the oldest go first.
    pub const DELIVERIES: usize = 1_000;
    /// How often a delivery is tried: with the pauses between, for some two hours.
    pub const DELIVERY_ATTEMPTS: u32 = 8;
    /// Columns of a table.
    pub const COLUMNS: usize = 2_000;
    /// Approvals that nobody has decided, of all tenants.
    pub const PENDING_APPROVALS: usize = 20_000;
    /// Approvals of a tenant that are kept; the oldest that are over go first.
    pub const APPROVALS: usize = 50_000;
    /// How long an approval waits for a decision, in milliseconds.
    pub const APPROVAL_AGE_MS: i64 = 30 * 24 * 3_600_000;
    /// Bytes of a reason or an opinion.
    pub const REASON_BYTES: usize = 2 << 10;
    /// Jobs, of all projects.
    pub const JOBS: usize = 100_000;
    /// Versions of a job.
    pub const VERSIONS: usize = 1_000;
    /// Runs of a job that are over and kept; older ones are dropped when a run starts.
    pub const FINISHED_RUNS: usize = 100;
    /// Savepoints of a job.
    pub const SAVEPOINTS: usize = 1_000;
    /// Checkpoints that a record may name.
    pub const CHECKPOINTS: usize = 1_000;
    /// Workers, lost ones included.
    pub const WORKERS: usize = 10_000;
    /// Operations that are not done.
    pub const PENDING_OPERATIONS: usize = 10_000;
    /// Operations that are done and kept.
    pub const DONE_OPERATIONS: usize = 1_000;
    /// How long operations that are done are kept, in milliseconds.
    pub const DONE_OPERATION_AGE_MS: i64 = 24 * 3_600_000;
    /// Request ids that are remembered.
    pub const REQUESTS: usize = 10_000;
    /// How long request ids are remembered, in milliseconds.
    pub const REQUEST_AGE_MS: i64 = 3_600_000;
    /// Bytes of the SQL text of a version.
    pub const SQL_BYTES: usize = 1 << 20;
    /// Bytes of the encoded plan of a version.
    pub const PLAN_BYTES: usize = 4 << 20;
    /// Bytes of a description.
    pub const DESCRIPTION_BYTES: usize = 4 << 10;
    /// Settings of a version.
    pub const SETTINGS: usize = 256;
    /// Bytes of keys and values of all settings of a version.
    pub const SETTINGS_BYTES: usize = 64 << 10;
    /// Labels of a job or worker.
    pub const LABELS: usize = 64;
    /// Bytes of the value of a label.
    pub const LABEL_BYTES: usize = 255;
    /// Bytes of an error message that is kept; longer ones are cut.
    pub const MESSAGE_BYTES: usize = 8 << 10;
    /// Bytes of a path, URL or address.
    pub const LOCATION_BYTES: usize = 2 << 10;
    /// Largest parallelism of a run; Flink's bound, too.
    pub const PARALLELISM: u32 = 1 << 15;
    /// Slots of a worker.
    pub const SLOTS: u32 = 1 << 12;
}

/// Refuses what would be one too many.
pub(crate) fn room(what: &str, have: usize, most: usize) -> Result<()> {
    if have < most {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::ResourceExhausted,
        format!("there are {have} {what}, and no more than {most} are kept: delete some first"),
    ))
}

/// Refuses a text that is too long.
pub(crate) fn text(what: &str, value: &str, most: usize) -> Result<()> {
    if value.len() <= most {
        return Ok(());
    }
    Err(invalid(format!("{what} has {} bytes, more than {most}", value.len())))
}

/// Refuses a path, URL or address that is empty or too long.
pub(crate) fn location(what: &str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(invalid(format!("{what} is empty")));
    }
    text(what, value, Bounds::LOCATION_BYTES)
}

/// Refuses a parallelism that no run can have.
pub(crate) fn parallelism(value: u32) -> Result<()> {
    if (1..=Bounds::PARALLELISM).contains(&value) {
        return Ok(());
    }
    Err(invalid(format!("parallelism {value} is not between 1 and {}", Bounds::PARALLELISM)))
}

/// Refuses labels that are too many, or too long, or have an odd key.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> Result<()> {
    if labels.len() > Bounds::LABELS {
        return Err(invalid(format!("{} labels are more than {}", labels.len(), Bounds::LABELS)));
    }
    for (key, value) in labels {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || key.len() > MAX_ID_LENGTH || !key.chars().all(fits) {
            let shown: String = key.chars().take(MAX_ID_LENGTH + 1).collect();
            return Err(invalid(format!(
                "'{shown}' is no key of a label: use 1 to {MAX_ID_LENGTH} letters, digits, '-', '_', '.', '/'"
            )));
        }
        text(&format!("label {key}"), value, Bounds::LABEL_BYTES)?;
    }
    Ok(())
}

/// Refuses settings that are too many or too long together. What they mean is the planner's business.
pub(crate) fn settings(settings: &BTreeMap<String, String>) -> Result<()> {
    if settings.len() > Bounds::SETTINGS {
        let most = Bounds::SETTINGS;
        return Err(invalid(format!("{} settings are more than {most}", settings.len())));
    }
    let bytes: usize = settings.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > Bounds::SETTINGS_BYTES {
        let most = Bounds::SETTINGS_BYTES;
        return Err(invalid(format!("settings have {bytes} bytes together, more than {most}")));
    }
    Ok(())
}

/// A message, cut to what is kept of one.
pub(crate) fn cut(message: String) -> String {
    cut_to(message, Bounds::MESSAGE_BYTES)
}

/// A text, cut to this many bytes.
pub(crate) fn cut_to(mut message: String, most: usize) -> String {
    if message.len() > most {
        let mut end = most;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}

/// An argument that cannot be.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        let cut = cut("é".repeat(Bounds::MESSAGE_BYTES));
        assert_eq!(cut.chars().filter(|c| *c == 'é').count(), Bounds::MESSAGE_BYTES / 2);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn labels_have_plain_keys_and_short_values() {
        let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert!(labels(&one("zone.io/name_1", "")).is_ok());
        assert!(labels(&one("", "x")).is_err());
        assert!(labels(&one("a b", "x")).is_err());
        assert!(labels(&one("a", &"x".repeat(256))).is_err());
    }
}
