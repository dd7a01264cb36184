//! Which role has which permission, from `policy.toml`.
//!
//! Not here: who has which role (the catalog), and which permission a method needs (the `.proto` files).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use tidegate_types::{Error, ErrorCode, Result};

use crate::access::Grants;

/// The role of whoever does not say who that is.
pub const ANONYMOUS: &str = "anonymous";
/// The role of every account, for what is its own.
pub const AUTHENTICATED: &str = "authenticated";
/// The role of every account of a tenant in all of that tenant.
pub const TENANT_MEMBER: &str = "tenant-member";

static SHIPPED: LazyLock<Result<Policy>> =
    LazyLock::new(|| Policy::parse(include_str!("../policy.toml")));

/// All roles.
#[derive(Debug, Clone)]
pub struct Policy(BTreeMap<String, RoleSpec>);

/// What a role is and may do.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    /// What people call it.
    pub title: Words,
    /// What it is for.
    pub summary: Words,
    /// Where it can be given to somebody; empty for roles that one has by circumstance.
    pub assignable: Vec<Level>,
    /// What it may do.
    pub grants: Grants,
}

/// Where a role can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// To an account, for everything.
    System,
    /// To an account, for a tenant and its projects.
    Tenant,
    /// To an account, for a project.
    Project,
    /// To a token of the configuration, for everything.
    Token,
}

impl Level {
    /// As it is written, such as `tenant`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Tenant => "tenant",
            Self::Project => "project",
            Self::Token => "token",
        }
    }
}

/// A text in the console's two languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    roles: BTreeMap<String, Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    title: Words,
    summary: Words,
    #[serde(default)]
    assignable: Vec<Level>,
    permissions: Vec<String>,
}

impl Policy {
    /// The policy of this release.
    ///
    /// # Errors
    /// `INTERNAL` if the file that was built in cannot be read; a test reads it.
    pub fn shipped() -> Result<&'static Self> {
        SHIPPED.as_ref().map_err(Clone::clone)
    }

    fn parse(text: &str) -> Result<Self> {
        let broken = |error: String| Error::internal(format!("policy.toml: {error}"));
        let file: File = toml::from_str(text).map_err(|error| broken(error.to_string()))?;
        let spec = |(name, section): (String, Section)| {
            let Section { title, summary, assignable, permissions } = section;
            let grants = Grants::new(permissions)
                .map_err(|error| broken(format!("role {name}: {error}")))?;
            Ok((name, RoleSpec { title, summary, assignable, grants }))
        };
        Ok(Self(file.roles.into_iter().map(spec).collect::<Result<_>>()?))
    }

    /// All roles by name.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &RoleSpec)> {
        self.0.iter().map(|(name, spec)| (name.as_str(), spec))
    }

    /// A role.
    pub fn role(&self, name: &str) -> Option<&RoleSpec> {
        self.0.get(name)
    }

    /// Whether a role has a permission; one that is not known has none.
    pub fn allows(&self, role: &str, permission: &str) -> bool {
        self.role(role).is_some_and(|spec| spec.grants.allow(permission))
    }

    /// What a token of the configuration with a role may do.
    ///
    /// # Errors
    /// `INVALID_OPTION` with the roles that there are.
    pub fn of_token(&self, role: &str) -> Result<&Grants> {
        let fits = |spec: &&RoleSpec| spec.assignable.contains(&Level::Token);
        self.role(role).filter(fits).map(|spec| &spec.grants).ok_or_else(|| {
            let names = self.roles().filter(|(_, spec)| fits(spec)).map(|(name, _)| name);
            let names: Vec<&str> = names.collect();
            let message = format!("'{role}' is no role of a token");
            Error::new(ErrorCode::InvalidOption, message)
                .help(format!("use one of {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_whole() {
        let policy = Policy::shipped().unwrap();
        for name in [ANONYMOUS, AUTHENTICATED, TENANT_MEMBER] {
            assert!(policy.role(name).unwrap().assignable.is_empty(), "{name}");
        }
        for (name, spec) in policy.roles() {
            assert!(!spec.grants.texts().is_empty(), "{name}");
            for words in [&spec.title, &spec.summary] {
                assert!(!words.en.is_empty() && !words.zh.is_empty(), "{name}");
            }
        }
        assert!(policy.allows("system-administrator", "cluster.update"));
        assert!(!policy.allows("developer", "grants.create"));
        assert!(!policy.allows("no-such-role", "jobs.get"));
    }

    #[test]
    fn only_some_roles_are_for_tokens() {
        let policy = Policy::shipped().unwrap();
        assert!(policy.of_token("viewer").unwrap().allow("jobs.get"));
        let error = policy.of_token("developer").unwrap_err();
        assert_eq!(error.help_text(), Some("use one of admin, operator, viewer"));
    }

    #[test]
    fn what_is_no_policy_is_named() {
        let role = "[roles.a]\ntitle = { en = 'a', zh = 'a' }\nsummary = { en = 'a', zh = 'a' }\n";
        let error = Policy::parse(&format!("{role}permissions = ['a b']")).unwrap_err();
        assert!(error.to_string().contains("role a: 'a b' is no permission"), "{error}");
        assert!(Policy::parse(role).unwrap_err().to_string().contains("permissions"));
    }
}
