//! Which crate may depend on which, checked on what the manifests name.

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;
use super::table::{Crate, EVERYONE, Outside};

const PREFIX: &str = "tidegate-";
const TABLE: &str = "xtask/src/tidy/table.rs";

/// One member of the workspace and its direct dependencies.
pub(crate) struct Member {
    name: String,
    dependencies: Vec<Dependency>,
}

/// A dependency by its package name.
struct Dependency {
    name: String,
    /// Only for tests, benchmarks and examples.
    dev: bool,
}

/// Takes the facts out of cargo's metadata.
pub(crate) fn facts(metadata: &Metadata) -> Vec<Member> {
    let member = |package: &cargo_metadata::Package| Member {
        name: package.name.to_string(),
        dependencies: package
            .dependencies
            .iter()
            .map(|dependency| Dependency {
                name: dependency.name.clone(),
                dev: dependency.kind == DependencyKind::Development,
            })
            .collect(),
    };
    metadata.workspace_packages().into_iter().map(member).collect()
}

/// Compares the facts with the tables.
pub(crate) fn check(members: &[Member], crates: &[Crate], outside: &[Outside]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some(short) = member.name.strip_prefix(PREFIX) else {
            findings.push(Finding::new(&member.name, format!("its name must begin with {PREFIX}")));
            continue;
        };
        let Some(row) = crates.iter().find(|row| row.name == short) else {
            findings.push(Finding::new(&member.name, format!("has no row in {TABLE}")));
            continue;
        };
        for dependency in &member.dependencies {
            findings.extend(breach(row, dependency, outside));
        }
    }
    let gone = crates.iter().filter(|row| {
        !members.iter().any(|member| member.name.strip_prefix(PREFIX) == Some(row.name))
    });
    findings.extend(
        gone.map(|row| {
            Finding::new(TABLE, format!("has a row for {}, which is no member", row.name))
        }),
    );
    findings
}

fn breach(row: &Crate, dependency: &Dependency, outside: &[Outside]) -> Option<Finding> {
    let place = format!("{PREFIX}{}", row.name);
    let kind = if dependency.dev { "its tests" } else { "it" };
    if let Some(target) = dependency.name.strip_prefix(PREFIX) {
        let allowed = lists(row.may_use, target)
            || dependency.dev && lists(row.tests_may_use, target)
            || target == row.name;
        let text = format!("{kind} must not depend on {} ({TABLE})", dependency.name);
        return (!allowed).then(|| Finding::new(place, text));
    }
    let rule = outside
        .iter()
        .filter(|rule| matches(rule.name, &dependency.name))
        .max_by_key(|rule| rule.name.len())?;
    let allowed = lists(rule.users, row.name) || dependency.dev && lists(rule.tests, row.name);
    let text = format!("{kind} must not depend on {}: {} ({TABLE})", dependency.name, rule.why);
    (!allowed).then(|| Finding::new(place, text))
}

fn lists(users: &[&str], name: &str) -> bool {
    users.contains(&EVERYONE) || users.contains(&name)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES: &[Crate] = &[
        Crate { name: "types", may_use: &[], tests_may_use: &[] },
        Crate { name: "engine", may_use: &["types"], tests_may_use: &["planner"] },
        Crate { name: "planner", may_use: &["types"], tests_may_use: &[] },
    ];

    const OUTSIDE: &[Outside] = &[
        Outside { name: "datafusion", users: &["planner"], tests: &[], why: "slow" },
        Outside { name: "datafusion-*", users: &["engine"], tests: &[], why: "kernels" },
        Outside { name: "datafusion-proto*", users: &[], tests: &[], why: "unstable" },
        Outside { name: "anyhow", users: &[], tests: &[EVERYONE], why: "matchable" },
    ];

    fn member(name: &str, dependencies: &[&str]) -> Member {
        let dependency = |text: &&str| match text.strip_prefix("dev:") {
            Some(name) => Dependency { name: name.to_owned(), dev: true },
            None => Dependency { name: (*text).to_owned(), dev: false },
        };
        Member {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    /// Findings where the engine has these dependencies and the rest is in order.
    fn engine_with(dependencies: &[&str]) -> Vec<String> {
        let members = [
            member("tidegate-types", &[]),
            member("tidegate-planner", &["tidegate-types", "datafusion"]),
            member("tidegate-engine", dependencies),
        ];
        check(&members, CRATES, OUTSIDE).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        let dependencies = ["tidegate-types", "dev:tidegate-planner", "datafusion-expr", "serde"];
        assert_eq!(engine_with(&dependencies), Vec::<String>::new());
        assert_eq!(engine_with(&["dev:anyhow", "dev:tidegate-engine"]), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_fails() {
        let found = engine_with(&["tidegate-planner"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("tidegate-engine: it must not depend on tidegate-planner"));
    }

    #[test]
    fn a_wider_list_for_tests_is_a_list_too() {
        assert_eq!(engine_with(&["dev:tidegate-worker"]).len(), 1);
    }

    #[test]
    fn crates_from_outside_have_users_and_the_longest_pattern_decides() {
        assert!(engine_with(&["datafusion"])[0].contains("slow"));
        assert!(engine_with(&["datafusion-proto-common"])[0].contains("unstable"));
        assert!(engine_with(&["anyhow"])[0].contains("matchable"));
        assert_eq!(engine_with(&["dev:datafusion"]).len(), 1);
    }

    #[test]
    fn unknown_members_foreign_names_and_stale_rows_fail() {
        let members = [
            member("tidegate-types", &[]),
            member("tidegate-engine", &[]),
            member("tidegate-utils", &[]),
            member("helpers", &[]),
        ];
        let found: Vec<String> =
            check(&members, CRATES, OUTSIDE).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("tidegate-utils: has no row"));
        assert!(found[1].starts_with("helpers: its name must begin"));
        assert!(found[2].contains("has a row for planner"));
    }
}
