//! Reading quality rules.

use std::sync::Arc;

use tidegate_types::Result;

use super::{QualityRule, QualityRuleContent, Severity};
use crate::child_name::{ChildName, Collection};
use crate::entry::{EntryFilter, list_some};
use crate::page::{Page, PageRequest};
use crate::scope::Scope;
use crate::state::Catalog;
use crate::table::TableName;

/// Which rules are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QualityRuleFilter {
    /// What is asked for of all entries.
    pub entry: EntryFilter,
    /// About this table.
    pub table: Option<TableName>,
    /// That are this bad.
    pub severity: Option<Severity>,
    /// Only those that count.
    pub enabled: bool,
}

impl Catalog {
    /// A rule.
    pub fn quality_rule(&self, name: &ChildName) -> Option<&QualityRule> {
        self.quality.rules.get(name).map(Arc::as_ref)
    }

    /// Rules about a table, by name; there are at most [`crate::Bounds::TABLE_RULES`].
    pub fn rules_on(&self, table: &TableName) -> impl Iterator<Item = &QualityRule> {
        let rest = self.index.rules_on.range((table.clone(), ChildName::least())..);
        let table = table.clone();
        let rest = rest.take_while(move |(other, _)| *other == table);
        rest.filter_map(|(_, name)| self.quality_rule(name))
    }

    /// Why the columns of its table cannot have what is seen of a rule any more; empty if they can.
    pub fn rule_misfit(&self, rule: &QualityRule, content: &QualityRuleContent) -> String {
        let Some(table) = self.table(&rule.table) else {
            return format!("{} does not exist", rule.table);
        };
        let found = content.check.violations(&table.definition);
        let found: Vec<String> = found.into_iter().map(|(_, why)| why).collect();
        found.join("; ")
    }

    /// Rules of a project by id; `NOT_FOUND` if there is no such project.
    pub fn list_quality_rules(
        &self,
        project: &Scope,
        filter: &QualityRuleFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<QualityRule>>> {
        let takes = |rule: &QualityRule| {
            let Some(seen) = rule.entry.seen(filter.entry.published) else { return false };
            rule.entry.takes(&filter.entry)
                && filter.severity.is_none_or(|severity| seen.severity == severity)
                && (!filter.enabled || seen.enabled)
        };
        let (map, collection) = (&self.quality.rules, Collection::QualityRules);
        let Some(table) = &filter.table else {
            return self.list_children(map, project, collection, request, takes);
        };
        self.has_scope(project)?;
        let names = self.rules_on(table).map(|rule| &rule.entry.name);
        list_some(map, names, project, collection, request, takes)
    }
}
