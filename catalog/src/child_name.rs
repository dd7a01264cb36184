//! Names of things that stand directly below a tenant or project: `tenants/{t}/users/{u}`.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use crate::name::{MAX_ID_LENGTH, check_id};
use crate::scope::Scope;

/// What can stand below a tenant or project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// People.
    Users,
    /// Programs.
    ServiceAccounts,
    /// What a project has opened.
    Services,
    /// What somebody asks for.
    Approvals,
    /// Outside systems.
    DataSources,
    /// Sets of tables.
    Databases,
    /// Who may do what with tables.
    Grants,
    /// How meta-models are arranged.
    Categories,
    /// What business data have.
    MetaModels,
    /// What data mean; of tenants and of projects.
    BusinessData,
    /// What business data have to do with each other and with tables; of tenants and of projects.
    Relations,
    /// Words that mark what belongs together.
    Tags,
    /// What rows of tables must be like.
    QualityRules,
    /// Packages and test data.
    Resources,
    /// Resources that are on their way.
    Uploads,
    /// Addresses that are told of what happens.
    Hooks,
}

/// What ids of a collection look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    /// As [`check_id`] says.
    Plain,
    /// Also with `.` and `_`, as people's names have them.
    Account,
    /// As they stand in SQL without quotes.
    Sql,
    /// Numbers from 1.
    Number,
}

struct Spec {
    collection: Collection,
    /// As it is written in names.
    text: &'static str,
    /// What one of it is.
    singular: &'static str,
    of_tenant: bool,
    of_project: bool,
    ids: Ids,
}

const fn spec(
    collection: Collection,
    text: &'static str,
    singular: &'static str,
    of_tenant: bool,
    ids: Ids,
) -> Spec {
    Spec { collection, text, singular, of_tenant, of_project: !of_tenant, ids }
}

/// What tenants and projects have.
const fn of_both(collection: Collection, text: &'static str, singular: &'static str) -> Spec {
    Spec { collection, text, singular, of_tenant: true, of_project: true, ids: Ids::Plain }
}

const SPECS: [Spec; 16] = [
    spec(Collection::Users, "users", "user", true, Ids::Account),
    spec(Collection::ServiceAccounts, "serviceAccounts", "service account", true, Ids::Account),
    spec(Collection::Services, "services", "service", false, Ids::Plain),
    spec(Collection::Approvals, "approvals", "approval", true, Ids::Number),
    spec(Collection::DataSources, "dataSources", "data source", false, Ids::Plain),
    spec(Collection::Databases, "databases", "database", false, Ids::Sql),
    spec(Collection::Grants, "grants", "grant", false, Ids::Number),
    spec(Collection::Categories, "categories", "category", true, Ids::Plain),
    spec(Collection::MetaModels, "metaModels", "meta-model", true, Ids::Plain),
    of_both(Collection::BusinessData, "businessData", "piece of business data"),
    of_both(Collection::Relations, "relations", "relation"),
    spec(Collection::Tags, "tags", "tag", true, Ids::Plain),
    spec(Collection::QualityRules, "qualityRules", "quality rule", false, Ids::Plain),
    spec(Collection::Resources, "resources", "resource", false, Ids::Plain),
    spec(Collection::Uploads, "uploads", "upload", false, Ids::Plain),
    spec(Collection::Hooks, "hooks", "hook", true, Ids::Plain),
];

impl Collection {
    fn spec(self) -> &'static Spec {
        let found = SPECS.iter().find(|spec| spec.collection == self);
        found.expect("every collection is in the list: a test goes through them")
    }

    /// As it is written in names, such as `users`.
    pub fn text(self) -> &'static str {
        self.spec().text
    }

    /// What one of it is, such as `user`.
    pub fn singular(self) -> &'static str {
        self.spec().singular
    }
}

/// Name of something below a tenant or project. Ordered by owner, then collection, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChildName {
    owner: Scope,
    collection: Collection,
    id: String,
}

impl ChildName {
    /// Of these parts; `INVALID_OPTION` if the id is none, or the owner has no such things.
    pub fn new(owner: Scope, collection: Collection, id: impl Into<String>) -> Result<Self> {
        let (id, spec) = (id.into(), collection.spec());
        let fits = match &owner {
            Scope::Tenant(_) => spec.of_tenant,
            Scope::Project(_) => spec.of_project,
            Scope::System => false,
        };
        if !fits {
            let message = format!("{owner} has no {}", spec.text);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        match spec.ids {
            Ids::Plain => check_id(spec.singular, &id)?,
            Ids::Account => check_account_id(spec.singular, &id)?,
            Ids::Sql => check_sql_id(spec.singular, &id)?,
            Ids::Number => check_number(spec.singular, &id)?,
        }
        Ok(Self { owner, collection, id })
    }

    /// From the parts of a text, if it has the form of one.
    pub(crate) fn of_parts(parts: &[&str]) -> Option<Result<Self>> {
        let [owner, owner_id, collection, id] = parts else { return None };
        let spec = SPECS.iter().find(|spec| spec.text == *collection)?;
        let owner = match *owner {
            "tenants" if spec.of_tenant => {
                check_id("tenant", owner_id).map(|()| Scope::Tenant((*owner_id).to_owned()))
            }
            "projects" if spec.of_project => {
                check_id("project", owner_id).map(|()| Scope::Project((*owner_id).to_owned()))
            }
            _ => return None,
        };
        Some(owner.and_then(|owner| Self::new(owner, spec.collection, *id)))
    }

    /// The least of all, for ranges.
    pub(crate) fn least() -> Self {
        Self::before(Scope::System, Collection::Users)
    }

    /// The least name that something of a collection can have, for ranges.
    pub(crate) fn before(owner: Scope, collection: Collection) -> Self {
        Self { owner, collection, id: String::new() }
    }

    /// The tenant or project.
    pub fn owner(&self) -> &Scope {
        &self.owner
    }

    /// What it is.
    pub fn collection(&self) -> Collection {
        self.collection
    }

    /// Id within the collection.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it stands in this collection of this owner.
    pub(crate) fn is_in(&self, owner: &Scope, collection: Collection) -> bool {
        self.owner == *owner && self.collection == collection
    }
}

impl fmt::Display for ChildName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.owner, self.collection.spec().text, self.id)
    }
}

/// Checks the id of an account: lower-case letters, digits, `-`, `.`, `_`, 1 to 63 characters, a letter or digit at both
/// ends.
fn check_account_id(kind: &str, id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = |c: char| plain(c) || "-._".contains(c);
    let ends = id.chars().next().is_some_and(plain) && id.chars().next_back().is_some_and(plain);
    if ends && id.len() <= MAX_ID_LENGTH && id.chars().all(fits) {
        return Ok(());
    }
    let shown: String = id.chars().take(MAX_ID_LENGTH + 1).collect();
    Err(Error::new(
        ErrorCode::InvalidOption,
        format!(
            "'{shown}' is no id of a {kind}: use 1 to {MAX_ID_LENGTH} lower-case letters, digits, '-', '.' and '_', with \
             a letter or digit at both ends"
        ),
    ))
}

/// Checks an id that stands in SQL without quotes: letters, digits and `_`, 1 to 128 characters, not first a digit.
pub(crate) fn check_sql_id(kind: &str, id: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first = id.chars().next().is_some_and(|c| !c.is_ascii_digit());
    if first && id.len() <= MAX_SQL_ID && id.chars().all(fits) {
        return Ok(());
    }
    let shown: String = id.chars().take(MAX_SQL_ID + 1).collect();
    Err(Error::new(
        ErrorCode::InvalidOption,
        format!(
            "'{shown}' is no id of a {kind}: use 1 to {MAX_SQL_ID} letters, digits and '_', not first a digit"
        ),
    ))
}

fn check_number(kind: &str, id: &str) -> Result<()> {
    let number = id.parse::<u64>().ok().filter(|number| *number > 0 && number.to_string() == id);
    number.map(drop).ok_or_else(|| {
        let shown: String = id.chars().take(MAX_ID_LENGTH).collect();
        Error::new(ErrorCode::InvalidOption, format!("'{shown}' is no number of a {kind}"))
    })
}

/// The most characters of an id that stands in SQL.
const MAX_SQL_ID: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ResourceName;

    #[test]
    fn names_of_every_collection_round_trip() {
        for spec in &SPECS {
            assert_eq!(spec.collection.spec().text, spec.text);
            let owner = if spec.of_tenant { "tenants/t" } else { "projects/p" };
            let id = match spec.ids {
                Ids::Plain | Ids::Account => "a-1",
                Ids::Sql => "a_1",
                Ids::Number => "17",
            };
            let text = format!("{owner}/{}/{id}", spec.text);
            let name: ResourceName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert!(
                matches!(name, ResourceName::Child(child) if child.collection() == spec.collection)
            );
            let wrong = if spec.of_tenant { "projects/p" } else { "tenants/t" };
            let other = format!("{wrong}/{}/{id}", spec.text).parse::<ResourceName>();
            assert_eq!(other.is_ok(), spec.of_tenant && spec.of_project);
        }
    }

    #[test]
    fn ids_of_accounts_are_as_people_write_them() {
        let user = |id: &str| ChildName::new(Scope::Tenant("t".into()), Collection::Users, id);
        assert!(user("ann.b_c-1").is_ok());
        for bad in ["", "Ann", "ann@b", ".ann", "ann-", "a/b", "é"] {
            assert!(user(bad).is_err(), "{bad}");
        }
    }
}
