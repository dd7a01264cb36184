//! Changing quality rules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{QualityRule, QualityRuleContent, RuleCheck, Severity};
use crate::approval::{Publish, Subject};
use crate::bounds::{self, Bounds};
use crate::child_name::{ChildName, Collection};
use crate::entry::{Entry, check_description, check_title, of_collection, violations};
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found};
use crate::table::TableName;

/// A change of quality rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum QualityAction {
    /// Creates one as a draft. `ALREADY_EXISTS`; `NOT_FOUND` for its project or table; `INVALID_OPTION` for what the
    /// table's columns cannot have.
    Create {
        /// Its name.
        rule: ChildName,
        /// The table.
        table: TableName,
        /// What it says.
        content: Box<QualityRuleContent>,
        /// Who creates it.
        owner: String,
    },
    /// Changes its draft. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        rule: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What people call it.
        title: Option<String>,
        /// Why.
        description: Option<String>,
        /// How bad it is when it does not hold.
        severity: Option<Severity>,
        /// Whether it counts.
        enabled: Option<bool>,
        /// What rows must be like.
        check: Option<RuleCheck>,
    },
    /// Deletes it.
    Delete {
        /// Its name.
        rule: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Asks for the approval of its draft. `FAILED_PRECONDITION` if it is published as it is, or that is asked already;
    /// `INVALID_OPTION` if the table's columns cannot have it any more.
    Publish {
        /// Its name.
        rule: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Lets it count no more.
    Unpublish {
        /// Its name.
        rule: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
}

impl Catalog {
    pub(crate) fn apply_quality(
        &mut self,
        stamp: Stamp,
        action: QualityAction,
    ) -> Result<ResourceName> {
        match action {
            QualityAction::Create { rule, table, content, owner } => {
                self.create_rule(stamp, rule, table, *content, owner)
            }
            QualityAction::Update { .. } => self.update_rule(stamp, action),
            QualityAction::Delete { rule: name, etag } => {
                self.editable_rule(&name, etag)?;
                self.remove_rule(stamp, &name);
                Ok(name.into())
            }
            QualityAction::Publish { rule: name, etag, requester, reason } => {
                let found = self.editable_rule(&name, etag)?;
                found.entry.check_asked(etag)?;
                let content = Box::new(found.entry.draft.clone());
                self.check_rule(&name, &found.table.clone(), &content)?;
                let subject = Subject::Publish(Publish::QualityRule { name, content });
                self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
            }
            QualityAction::Unpublish { rule: name, etag } => {
                self.editable_rule(&name, etag)?;
                self.rule_mut(&name)?.entry.unpublish(stamp)?;
                Ok(name.into())
            }
        }
    }

    fn create_rule(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        table: TableName,
        content: QualityRuleContent,
        owner: String,
    ) -> Result<ResourceName> {
        of_collection(&name, Collection::QualityRules)?;
        bounds::text("the owner", &owner, Bounds::LABEL_BYTES)?;
        self.open_tenant_of(name.owner())?;
        if self.quality.rules.contains_key(&name) {
            return Err(already_exists(&name));
        }
        bounds::room("quality rules", self.quality.rules.len(), Bounds::QUALITY_RULES)?;
        let own = *name.owner() == Scope::Project(table.project().to_owned());
        if !own || self.table(&table).is_none() {
            let why = format!("name a table of {}", name.owner());
            return Err(not_found(&table).field("quality_rule.table", why));
        }
        let have = self.rules_on(&table).count();
        bounds::room(&format!("quality rules of {table}"), have, Bounds::TABLE_RULES)?;
        self.check_rule(&name, &table, &content)?;
        let entry = Entry::new(stamp, name.clone(), content, owner);
        self.index.rules_on.insert((table.clone(), name.clone()));
        self.quality.rules.insert(name.clone(), Arc::new(QualityRule { entry, table }));
        Ok(name.into())
    }

    fn update_rule(&mut self, stamp: Stamp, action: QualityAction) -> Result<ResourceName> {
        let QualityAction::Update {
            rule: name,
            etag,
            title,
            description,
            severity,
            enabled,
            check,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        let found = self.editable_rule(&name, etag)?;
        let mut content = found.entry.draft.clone();
        content.title = title.unwrap_or(content.title);
        content.description = description.unwrap_or(content.description);
        content.severity = severity.unwrap_or(content.severity);
        content.enabled = enabled.unwrap_or(content.enabled);
        content.check = check.unwrap_or(content.check);
        self.check_rule(&name, &found.table.clone(), &content)?;
        self.rule_mut(&name)?.entry.touch(stamp).draft = content;
        Ok(name.into())
    }

    fn check_rule(
        &self,
        name: &ChildName,
        table: &TableName,
        content: &QualityRuleContent,
    ) -> Result<()> {
        check_title("quality_rule.title", &content.title)?;
        check_description("quality_rule.description", &content.description)?;
        let found = content.check.violations(&self.table_ref(table)?.definition);
        let found = found.into_iter().map(|(field, why)| (format!("quality_rule.{field}"), why));
        violations(&name.to_string(), found.collect())
    }

    /// Lets a rule count as it was when that was asked for.
    pub(crate) fn publish_rule(
        &mut self,
        stamp: Stamp,
        name: &ChildName,
        content: QualityRuleContent,
        approval: &ChildName,
    ) -> Result<()> {
        let table = self.rule_ref(name)?.table.clone();
        self.check_rule(name, &table, &content)?;
        self.rule_mut(name)?.entry.publish(stamp, content, approval);
        Ok(())
    }

    /// Deletes the rules of a table that is deleted.
    pub(crate) fn remove_rules_on(&mut self, stamp: Stamp, table: &TableName) {
        let names: Vec<ChildName> =
            self.rules_on(table).map(|rule| rule.entry.name.clone()).collect();
        for name in names {
            self.remove_rule(stamp, &name);
        }
    }

    fn remove_rule(&mut self, stamp: Stamp, name: &ChildName) {
        self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
        if let Some(gone) = self.quality.rules.remove(name) {
            self.index.rules_on.remove(&(gone.table.clone(), name.clone()));
        }
    }

    fn editable_rule(&self, name: &ChildName, etag: Option<u64>) -> Result<&QualityRule> {
        self.open_tenant_of(name.owner())?;
        let found = self.rule_ref(name)?;
        check_etag(name, found.entry.revision, etag)?;
        Ok(found)
    }

    fn rule_ref(&self, name: &ChildName) -> Result<&QualityRule> {
        self.quality_rule(name).ok_or_else(|| not_found(name))
    }

    fn rule_mut(&mut self, name: &ChildName) -> Result<&mut QualityRule> {
        let found = self.quality.rules.get_mut(name).ok_or_else(|| not_found(name))?;
        Ok(Arc::make_mut(found))
    }
}
