//! Who the clients are and what they may do.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;
use subtle::{Choice, ConditionallySelectable};
use tidegate_types::{Error, ErrorCode, Result};

use crate::policy::Policy;
use crate::token::TokenHash;

/// Longest name of a principal.
const MAX_NAME: usize = 128;
/// Most tokens, and most permissions of one.
const MAX_TOKENS: usize = 10_000;
const MAX_GRANTS: usize = 64;

/// Usual sets of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees everything, changes nothing.
    Viewer,
    /// Works with jobs and savepoints, too.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// Its name in the policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Its permissions.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the policy has no such role for tokens.
    pub fn grants(self) -> Result<&'static Grants> {
        Policy::shipped()?.of_token(self.name())
    }
}

/// Permissions, such as `jobs.start`, `jobs.*`, `*.get` or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(Vec<String>);

impl Grants {
    /// From their texts.
    ///
    /// # Errors
    /// `INVALID_OPTION` for one that is none.
    pub fn new(texts: impl IntoIterator<Item = String>) -> Result<Self> {
        let texts: Vec<String> = texts.into_iter().collect();
        if texts.len() > MAX_GRANTS {
            let message = format!("{} permissions are more than {MAX_GRANTS}", texts.len());
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let word = |word: &str| {
            word == "*"
                || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        };
        let valid = |text: &&String| {
            *text == "*" || text.split_once('.').is_some_and(|(a, b)| word(a) && word(b))
        };
        if let Some(bad) = texts.iter().find(|text| !valid(text)) {
            return Err(Error::new(ErrorCode::InvalidOption, format!("'{bad}' is no permission"))
                .help("write it as jobs.start, jobs.*, *.get or *"));
        }
        Ok(Self(texts))
    }

    /// Whether a permission is among them.
    pub fn allow(&self, permission: &str) -> bool {
        self.0.iter().any(|grant| match (grant.split_once('.'), permission.split_once('.')) {
            (None, _) => grant == "*",
            (Some((things, verb)), Some((its_things, its_verb))) => {
                (things == "*" || things == its_things) && (verb == "*" || verb == its_verb)
            }
            (Some(_), None) => false,
        })
    }

    /// Their texts.
    pub fn texts(&self) -> &[String] {
        &self.0
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub grants: Grants,
}

impl Principal {
    /// With a name that fits into a header.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it does not.
    pub fn new(name: String, grants: Grants) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:/+".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(fits) {
            let message = format!("'{name}' is no name of a principal");
            return Err(Error::new(ErrorCode::InvalidOption, message)
                .help("1 to 128 letters, digits and any of - _ . @ : / +"));
        }
        Ok(Self { name, grants })
    }

    /// Everybody, where nobody is asked who they are.
    pub fn anybody() -> Self {
        Self { name: "anonymous".to_owned(), grants: Grants(vec!["*".to_owned()]) }
    }
}

/// A token in a configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenEntry {
    /// Whose it is.
    pub principal: String,
    /// A usual set of permissions.
    pub role: Option<Role>,
    /// More permissions.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The SHA-256 of the token, hexadecimal.
    pub sha256: TokenHash,
}

/// The tokens that are known.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<(TokenHash, Principal)>);

impl Tokens {
    /// From a configuration.
    ///
    /// # Errors
    /// `INVALID_OPTION` if a name or permission is none, or a token may do nothing.
    pub fn new(entries: Vec<TokenEntry>) -> Result<Self> {
        if entries.len() > MAX_TOKENS {
            let message = format!("{} tokens are more than {MAX_TOKENS}", entries.len());
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let token = |entry: TokenEntry| {
            let of_role = entry.role.map(Role::grants).transpose()?;
            let of_role = of_role.map(Grants::texts).unwrap_or_default().iter().cloned();
            let grants = Grants::new(of_role.chain(entry.permissions))
                .map_err(|error| error.context(format!("token of '{}'", entry.principal)))?;
            if grants.texts().is_empty() {
                let message = format!("the token of '{}' may do nothing", entry.principal);
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help("give it a role (viewer, operator, admin) or permissions"));
            }
            Ok((entry.sha256, Principal::new(entry.principal, grants)?))
        };
        Ok(Self(entries.into_iter().map(token).collect::<Result<_>>()?))
    }

    /// Whose a token is. Every known one is compared, whichever it is.
    pub fn find(&self, token: &str) -> Option<&Principal> {
        let hash = TokenHash::of(token);
        // 0: none; an index is one less.
        let mut found = 0_u64;
        for (place, (known, _)) in (1..).zip(&self.0) {
            let same: Choice = known.matches(&hash);
            found.conditional_assign(&place, same);
        }
        let index = usize::try_from(found).ok()?.checked_sub(1)?;
        self.0.get(index).map(|(_, principal)| principal)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The tokens that are known now; clones share them.
#[derive(Debug, Clone, Default)]
pub struct KnownTokens(Arc<RwLock<Arc<Tokens>>>);

impl KnownTokens {
    /// These, until others take their place.
    pub fn new(tokens: Tokens) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(tokens))))
    }

    /// The tokens.
    pub fn now(&self) -> Arc<Tokens> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts others in their place; calls that are under way go on.
    pub fn replace(&self, tokens: Tokens) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        token: Vec<TokenEntry>,
    }

    fn parse(text: &str) -> Result<Tokens, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        Tokens::new(file.token).map_err(|error| error.to_string())
    }

    fn entry(principal: &str, token: &str, rest: &str) -> String {
        let hash = TokenHash::of(token);
        format!("[[token]]\nprincipal = '{principal}'\nsha256 = '{hash}'\n{rest}\n")
    }

    #[test]
    fn roles_allow_what_they_say() {
        let may = |role: Role, permission: &str| role.grants().unwrap().allow(permission);
        let table = [
            ("jobs.get", [true, true, true]),
            ("operations.list", [true, true, true]),
            ("jobs.start", [false, true, true]),
            ("savepoints.delete", [false, true, true]),
            ("cluster.update", [false, false, true]),
        ];
        for (permission, [viewer, operator, admin]) in table {
            assert_eq!(may(Role::Viewer, permission), viewer, "{permission}");
            assert_eq!(may(Role::Operator, permission), operator, "{permission}");
            assert_eq!(may(Role::Admin, permission), admin, "{permission}");
        }
        let exact = Grants::new(["jobs.stop".to_owned()]).unwrap();
        assert!(exact.allow("jobs.stop") && !exact.allow("jobs.start") && !exact.allow("jobs"));
    }

    #[test]
    fn a_token_is_its_principals() {
        let text = entry("ci", "one", "role = 'operator'")
            + &entry("look", "two", "role = 'viewer'\npermissions = ['jobs.stop']");
        let tokens = parse(&text).unwrap();
        assert_eq!(tokens.find("one").unwrap().name, "ci");
        let look = tokens.find("two").unwrap();
        assert!(look.grants.allow("jobs.stop") && !look.grants.allow("jobs.start"));
        assert!(tokens.find("three").is_none() && Tokens::default().find("one").is_none());
    }

    #[test]
    fn mistakes_are_named() {
        for (rest, said) in [
            ("", "may do nothing"),
            ("permissions = ['everything']", "'everything' is no permission"),
            ("role = 'root'", "root"),
            ("rol = 'admin'", "rol"),
        ] {
            let error = parse(&entry("ci", "x", rest)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let error = parse(&entry("a b", "x", "role = 'admin'")).unwrap_err();
        assert!(error.contains("'a b'"), "{error}");
        let error = parse("[[token]]\nprincipal = 'a'\nsha256 = '12'").err().unwrap();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
