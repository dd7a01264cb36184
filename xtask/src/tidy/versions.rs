//! Crates whose types cross borders exist in one version only, or the same type is two.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Finding;

/// Checked in `Cargo.lock`.
pub(crate) const ONE_VERSION: &[&str] = &[
    "arrow",
    "arrow-array",
    "arrow-schema",
    "axum",
    "datafusion",
    "hyper",
    "object_store",
    "parquet",
    "prost",
    "rustls",
    "sqlparser",
    "tokio",
    "tonic",
];

/// Versions that one crate from outside has to itself: `(watched, its only user)`. No type of them crosses a border.
const INSIDE: &[(&str, &str)] = &[("prost", "orc-rust")];

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Names, with the version where there are several.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// Whether a package is used, and only by one that may have it to itself.
    fn is_inside(&self, package: &Package) -> bool {
        let entry = format!("{} {}", package.name, package.version);
        let mut users = self.package.iter().filter(|user| user.dependencies.contains(&entry));
        let may = |user: &Package| INSIDE.contains(&(package.name.as_str(), user.name.as_str()));
        users.next().is_some_and(may) && users.all(may)
    }
}

/// Finds names that the lock file has in several versions.
pub(crate) fn check(lock: &str, names: &[&str]) -> Result<Vec<Finding>> {
    let lock: Lock = toml::from_str(lock).context("read Cargo.lock")?;
    let several = |name: &&str| {
        let packages = lock.package.iter().filter(|package| package.name == *name);
        let packages = packages.filter(|package| !lock.is_inside(package));
        let versions: BTreeSet<&str> = packages.map(|package| package.version.as_str()).collect();
        let list = versions.iter().copied().collect::<Vec<_>>().join(", ");
        (versions.len() > 1)
            .then(|| Finding::new("Cargo.lock", format!("has several versions of {name}: {list}")))
    };
    Ok(names.iter().filter_map(several).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str)]) -> String {
        let entry = |(name, version): &(&str, &str)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
        };
        packages.iter().map(entry).collect()
    }

    #[test]
    fn two_versions_of_a_watched_crate_fail() {
        let lock =
            lock(&[("arrow", "58.0.0"), ("arrow", "59.2.0"), ("syn", "1.0.0"), ("syn", "2.0.0")]);
        let found = check(&lock, ONE_VERSION).unwrap();
        assert_eq!(found.len(), 1);
        let text = found[0].to_string();
        assert_eq!(text, "Cargo.lock: has several versions of arrow: 58.0.0, 59.2.0");
    }

    #[test]
    fn a_version_that_one_crate_has_to_itself_passes() {
        let all = lock(&[("prost", "0.13.5"), ("prost", "0.14.6"), ("orc-rust", "0.9.0")]);
        let inside = format!("{all}dependencies = [\"prost 0.13.5\"]\n");
        let two = |user: &str| {
            format!("{inside}[[package]]\nname = \"{user}\"\nversion = \"1.0.0\"\ndependencies = [")
        };
        let own = format!("{}\"prost 0.14.6\"]\n", two("tonic"));
        assert_eq!(check(&own, ONE_VERSION).unwrap(), []);
        let shared = format!("{}\"prost 0.13.5\"]\n", two("tonic"));
        assert_eq!(check(&shared, ONE_VERSION).unwrap().len(), 1);
    }

    #[test]
    fn one_version_or_none_passes() {
        assert_eq!(check(&lock(&[("arrow", "59.2.0")]), ONE_VERSION).unwrap(), []);
        assert!(check("not a lock file", ONE_VERSION).is_err());
    }
}
