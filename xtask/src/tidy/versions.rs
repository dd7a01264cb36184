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

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Finds names that the lock file has in several versions.
pub(crate) fn check(lock: &str, names: &[&str]) -> Result<Vec<Finding>> {
    let lock: Lock = toml::from_str(lock).context("read Cargo.lock")?;
    let several = |name: &&str| {
        let packages = lock.package.iter().filter(|package| package.name == *name);
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
    fn one_version_or_none_passes() {
        assert_eq!(check(&lock(&[("arrow", "59.2.0")]), ONE_VERSION).unwrap(), []);
        assert!(check("not a lock file", ONE_VERSION).is_err());
    }
}
