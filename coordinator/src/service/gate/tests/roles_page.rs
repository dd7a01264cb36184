//! `docs/roles.md`, made of the policy and the descriptors; `UPDATE_EXPECT=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use tidegate_proto::access::{Access, Method, Scope, table};
use tidegate_security::Policy;

#[test]
fn b4_b5_the_page_of_roles_says_what_the_policy_says() {
    let policy = Policy::shipped().unwrap();
    let methods = table(tidegate_proto::DESCRIPTORS).unwrap();
    let mut out = String::from(
        "# Roles\n\nWhat each role is, where it can be given, and which methods of the API it may call. This page is made of \
         `security/policy.toml` and of what the methods declare; a role that is given for a tenant counts in all of its projects, one \
         of the system everywhere. What depends on data (who asked, whose table it is, grants) is decided besides.\n\n\
         | role | 中文 | what it is for | given for |\n|---|---|---|---|\n",
    );
    for (name, role) in policy.roles() {
        let levels: Vec<&str> = role.assignable.iter().map(|level| level.as_str()).collect();
        let levels = match levels.is_empty() {
            true => "everybody in that situation".to_owned(),
            false => levels.join(", "),
        };
        let (en, zh) = (&role.title.en, &role.title.zh);
        writeln!(out, "| `{name}` ({en}) | {zh} | {} | {levels} |", role.summary.en).unwrap();
    }
    let mut services: BTreeMap<&str, Vec<(&str, &Method)>> = BTreeMap::new();
    for (path, method) in &methods {
        let Some((service, name)) = path.trim_start_matches('/').split_once('/') else { continue };
        let Some(service) = service.strip_prefix("tidegate.v1.") else { continue };
        services.entry(service).or_default().push((name, method));
    }
    for (service, methods) in services {
        write!(
            out,
            "\n## {service}\n\n| method | permission | where | roles |\n|---|---|---|---|\n"
        )
        .unwrap();
        for (name, method) in methods {
            let Access::Permission(permission) = &method.access else { continue };
            let place = match &method.scope {
                Scope::Any => "anywhere".to_owned(),
                Scope::System => "the system".to_owned(),
                Scope::Field(way) => {
                    let names: Vec<&str> = way.iter().map(|field| field.name()).collect();
                    format!("`{}`", names.join("."))
                }
            };
            let roles = policy.roles().filter(|(role, _)| policy.allows(role, permission));
            let roles: Vec<&str> = roles.map(|(role, _)| role).collect();
            writeln!(out, "| {name} | `{permission}` | {place} | {} |", roles.join(", ")).unwrap();
        }
    }
    expect_test::expect_file!["../../../../../docs/roles.md"].assert_eq(&out);
}
