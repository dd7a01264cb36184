//! Members take their lints and all dependencies from the workspace, so that versions and rules are
//! in one place.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Finding;

const SECTIONS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks one member's manifest.
pub(crate) fn check(path: &str, text: &str) -> Result<Vec<Finding>> {
    let manifest: Table = text.parse().with_context(|| format!("read {path}"))?;
    let mut findings = Vec::new();
    if !inherits(manifest.get("lints")) {
        findings.push(Finding::new(path, "must have `[lints] workspace = true`"));
    }
    check_sections(path, &manifest, &mut findings);
    for platform in tables(manifest.get("target")) {
        check_sections(path, platform, &mut findings);
    }
    Ok(findings)
}

fn check_sections(path: &str, table: &Table, findings: &mut Vec<Finding>) {
    for section in SECTIONS {
        let dependencies = table.get(*section).and_then(Value::as_table).into_iter().flatten();
        for (name, dependency) in dependencies {
            if !inherits(Some(dependency)) {
                let text = format!("{section}: {name} must come from the workspace");
                findings.push(Finding::new(path, text));
            }
        }
    }
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value.and_then(Value::as_table).into_iter().flat_map(Table::values).filter_map(Value::as_table)
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|table| table.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        check("a/Cargo.toml", text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn inherited_lints_and_dependencies_pass() {
        let text = "
            [lints]
            workspace = true
            [dependencies]
            serde.workspace = true
            tokio = { workspace = true, features = ['rt'] }
            [target.'cfg(unix)'.dependencies]
            libc.workspace = true
        ";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn missing_lints_fail() {
        assert_eq!(found("[dependencies]").len(), 1);
        assert_eq!(found("[lints.rust]\nunsafe_code = 'allow'").len(), 1);
    }

    #[test]
    fn own_versions_and_paths_fail_in_every_section() {
        let text = "
            [lints]
            workspace = true
            [dependencies]
            serde = '1'
            [dev-dependencies]
            tidegate-plan = { path = '../plan' }
            [build-dependencies]
            cc = { version = '1', features = ['parallel'] }
            [target.'cfg(unix)'.dependencies]
            libc = '0.2'
        ";
        let found = found(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("dependencies: serde must come from the workspace"));
    }
}
