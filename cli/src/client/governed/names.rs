//! What methods are called on the command line, and what names look like.

use prost_reflect::{DescriptorPool, MethodDescriptor};

/// Services whose methods have commands of their own elsewhere, or none.
const CURATED: [&str; 5] =
    ["JobService", "SavepointService", "ClusterService", "OperationService", "SessionService"];
/// Methods whose streams need a command of their own.
const STREAMED: [&str; 2] = ["UploadResource", "DownloadResource"];
/// Methods whose noun or verb is not what their name says.
const RENAMED: [(&str, &str, &str); 20] = [
    ("SearchCatalog", "catalog", "search"),
    ("ListCatalogTables", "catalog", "tables"),
    ("GetTableDetail", "table", "describe"),
    ("GetLineage", "table", "lineage"),
    ("ListPhysicalTables", "data-source", "tables"),
    ("DescribePhysicalTable", "data-source", "describe-table"),
    ("ResetPassword", "user", "reset-password"),
    ("CreateServiceAccountKey", "service-account", "create-key"),
    ("DeleteServiceAccountKey", "service-account", "delete-key"),
    ("ListRoleAssignments", "role", "assignments"),
    ("AssignRole", "role", "assign"),
    ("RevokeRole", "role", "revoke"),
    ("ListAuditRecords", "audit", "list"),
    ("ExportAuditRecords", "audit", "export"),
    ("ListDataSourceTypes", "data-source", "types"),
    ("ListMyAccess", "access", "mine"),
    ("ListTableGrants", "access", "list"),
    ("SetPublicAccess", "access", "set-public"),
    ("ListDeliveries", "hook", "deliveries"),
    ("ListTaggedObjects", "tag", "objects"),
];
/// Where things stand, by noun: `{}` is the id that is given.
const PATTERNS: [(&str, &str); 22] = [
    ("catalog", "tenants/{tenant}/catalog/{}"),
    ("tenant", "tenants/{}"),
    ("project", "projects/{}"),
    ("user", "tenants/{tenant}/users/{}"),
    ("service-account", "tenants/{tenant}/serviceAccounts/{}"),
    ("service", "projects/{project}/services/{}"),
    ("data-source", "projects/{project}/dataSources/{}"),
    ("database", "projects/{project}/databases/{}"),
    ("table", "projects/{project}/databases/{database}/tables/{}"),
    ("access", "projects/{project}/databases/{database}/tables/{}"),
    ("grant", "projects/{project}/grants/{}"),
    ("approval", "tenants/{tenant}/approvals/{}"),
    ("resource", "projects/{project}/resources/{}"),
    ("upload", "projects/{project}/uploads/{}"),
    ("hook", "tenants/{tenant}/hooks/{}"),
    ("role", "{}"),
    ("category", "tenants/{tenant}/categories/{}"),
    ("meta-model", "tenants/{tenant}/metaModels/{}"),
    ("business-data", "tenants/{tenant}/businessData/{}"),
    ("relation", "projects/{project}/relations/{}"),
    ("tag", "tenants/{tenant}/tags/{}"),
    ("quality-rule", "projects/{project}/qualityRules/{}"),
];

/// Noun and verb of a method: `CreateServiceAccount` is `service-account create`.
pub(super) fn of(method: &MethodDescriptor) -> (String, String) {
    if let Some((_, noun, verb)) = RENAMED.iter().find(|(name, ..)| *name == method.name()) {
        return ((*noun).to_owned(), (*verb).to_owned());
    }
    let words = kebab(method.name());
    let (verb, noun) = words.split_once('-').unwrap_or((words.as_str(), ""));
    (singular(noun), verb.to_owned())
}

/// Methods that have commands made from their description.
pub(super) fn methods(pool: &DescriptorPool) -> impl Iterator<Item = MethodDescriptor> + '_ {
    pool.services()
        .filter(|service| service.full_name().starts_with("tidegate.v1."))
        .filter(|service| !CURATED.contains(&service.name()))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(|method| !STREAMED.contains(&method.name()))
}

/// The full name of something: what has a `/` is one.
pub(super) fn full(noun: &str, given: &str, tenant: &str, project: &str, database: &str) -> String {
    let pattern = PATTERNS.iter().find(|(name, _)| *name == noun).map(|(_, pattern)| *pattern);
    match pattern {
        Some(pattern) if !given.contains('/') => pattern
            .replace("{tenant}", tenant)
            .replace("{project}", project)
            .replace("{database}", database)
            .replace("{}", given),
        _ => given.to_owned(),
    }
}

/// The name of what something of a noun is created or listed in; none where it is in nothing.
pub(super) fn parent(noun: &str, tenant: &str, project: &str, database: &str) -> Option<String> {
    let whole = full(noun, "x", tenant, project, database);
    let (parent, _) = whole.rsplit_once('/')?.0.rsplit_once('/')?;
    Some(parent.to_owned())
}

/// Whether names of a noun have a part.
pub(super) fn has(noun: &str, part: &str) -> bool {
    PATTERNS.iter().any(|(name, pattern)| *name == noun && pattern.contains(part))
}

/// `CreateTable` as `create-table`, `page_size` as `page-size`.
pub(super) fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        match c {
            '_' => text.push('-'),
            c if c.is_ascii_uppercase() => {
                if at > 0 {
                    text.push('-');
                }
                text.push(c.to_ascii_lowercase());
            }
            c => text.push(c),
        }
    }
    text
}

fn singular(noun: &str) -> String {
    match noun.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None if noun.ends_with("ss") => noun.to_owned(),
        None => noun.strip_suffix('s').unwrap_or(noun).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_one_command_and_every_noun_a_pattern() {
        let pool = DescriptorPool::decode(tidegate_proto::DESCRIPTORS).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for method in methods(&pool) {
            let (noun, verb) = of(&method);
            assert!(!noun.is_empty(), "{}", method.full_name());
            assert!(seen.insert((noun.clone(), verb)), "{}", method.full_name());
            let known = PATTERNS.iter().any(|(name, _)| *name == noun) || noun == "audit";
            assert!(known, "{noun} of {}", method.full_name());
        }
        assert!(seen.contains(&("data-source".to_owned(), "test".to_owned())));
    }

    #[test]
    fn short_names_become_full_ones() {
        let full = |noun: &str, given: &str| full(noun, given, "t", "p", "d");
        assert_eq!(full("table", "orders"), "projects/p/databases/d/tables/orders");
        assert_eq!(
            full("table", "projects/q/databases/e/tables/f"),
            "projects/q/databases/e/tables/f"
        );
        assert_eq!(full("user", "ann"), "tenants/t/users/ann");
        assert_eq!(parent("table", "t", "p", "d").unwrap(), "projects/p/databases/d");
        assert_eq!(parent("user", "t", "p", "d").unwrap(), "tenants/t");
        assert_eq!(parent("project", "t", "p", "d"), None);
    }
}
