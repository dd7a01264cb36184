//! Meta-models: which attributes business data have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::attribute::{Violation, referenced};
use super::{Attribute, AttributeType, MetaModelAction};
use crate::account::AccountName;
use crate::approval::{Publish, Subject};
use crate::bounds::{self, Bounds};
use crate::child_name::{ChildName, Collection};
use crate::entry::{
    Content, Entry, check_description, check_title, children, of_collection, violations,
};
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};

/// A meta-model of a tenant: `tenants/{tenant}/metaModels/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaModel {
    /// The model as it is edited and as it is published.
    pub entry: Entry<MetaModelContent>,
    /// Who manages its data; nobody: whoever may edit business data. Counts at once, without an approval.
    pub managers: BTreeSet<AccountName>,
}

/// What a meta-model says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaModelContent {
    /// What people call it.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Where it is arranged.
    pub category: ChildName,
    /// What its data have, in order.
    pub attributes: Vec<Attribute>,
}

impl Content for MetaModelContent {
    fn texts(&self) -> Vec<&str> {
        vec![&self.title, &self.description]
    }
}

impl MetaModelContent {
    /// Models that its attributes name.
    fn models(&self) -> impl Iterator<Item = &ChildName> {
        self.attributes.iter().filter_map(|attribute| match &attribute.ty {
            AttributeType::Reference(model) => model.as_ref(),
            _ => None,
        })
    }

    /// What of these values does not fit, by attribute.
    pub(super) fn check_values(&self, values: &BTreeMap<String, String>) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut wrong = |id: &str, why: String| {
            found.push((format!("business_data.values.{id}"), why));
        };
        for (id, value) in values {
            match self.attributes.iter().find(|attribute| attribute.id == *id) {
                Some(attribute) => {
                    if let Err(why) = attribute.ty.check(value) {
                        wrong(id, why);
                    }
                }
                None => {
                    let shown: String = id.chars().take(60).collect();
                    wrong(&shown, "the model has no such attribute".to_owned());
                }
            }
        }
        let bytes: usize = values.iter().map(|(id, value)| id.len() + value.len()).sum();
        if bytes > Bounds::VALUES_BYTES {
            let why =
                format!("they have {bytes} bytes together, more than {}", Bounds::VALUES_BYTES);
            found.push(("business_data.values".to_owned(), why));
            return found;
        }
        let mut wrong = |id: &str, why: String| {
            found.push((format!("business_data.values.{id}"), why));
        };
        for attribute in self.attributes.iter().filter(|attribute| attribute.required) {
            if values.get(&attribute.id).is_none_or(|value| value.trim().is_empty()) {
                wrong(&attribute.id, "there must be a value".to_owned());
            }
        }
        found
    }

    /// What these values name, and the model that it must be of.
    pub(super) fn references<'a>(
        &'a self,
        values: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = (&'a str, ChildName, Option<&'a ChildName>)> {
        self.attributes.iter().filter_map(|attribute| match &attribute.ty {
            AttributeType::Reference(model) => {
                let value = referenced(values.get(&attribute.id)?)?;
                Some((attribute.id.as_str(), value, model.as_ref()))
            }
            _ => None,
        })
    }
}

impl Catalog {
    /// A meta-model.
    pub fn meta_model(&self, name: &ChildName) -> Option<&MetaModel> {
        self.metadata.models.get(name).map(Arc::as_ref)
    }

    pub(super) fn apply_meta_model(
        &mut self,
        stamp: Stamp,
        action: MetaModelAction,
    ) -> Result<ResourceName> {
        match action {
            MetaModelAction::Create { meta_model, content, managers, owner } => {
                self.create_meta_model(stamp, meta_model, *content, managers, owner)
            }
            MetaModelAction::Update { .. } => self.update_meta_model(stamp, action),
            MetaModelAction::Delete { meta_model: name, etag } => {
                check_etag(&name, self.meta_model_ref(&name)?.entry.revision, etag)?;
                self.check_without_data(&name, "delete")?;
                self.check_unnamed(&name)?;
                self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
                self.metadata.models.remove(&name);
                Ok(name.into())
            }
            MetaModelAction::Publish { meta_model, etag, requester, reason } => {
                let entry = &self.meta_model_ref(&meta_model)?.entry;
                entry.check_asked(etag)?;
                let content = Box::new(entry.draft.clone());
                self.check_model(&meta_model, &content)?;
                let subject = Subject::Publish(Publish::MetaModel { name: meta_model, content });
                self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
            }
            MetaModelAction::Unpublish { meta_model: name, etag } => {
                check_etag(&name, self.meta_model_ref(&name)?.entry.revision, etag)?;
                self.check_without_data(&name, "unpublish")?;
                self.meta_model_mut(&name)?.entry.unpublish(stamp)?;
                Ok(name.into())
            }
        }
    }

    fn create_meta_model(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        content: MetaModelContent,
        managers: BTreeSet<AccountName>,
        owner: String,
    ) -> Result<ResourceName> {
        of_collection(&name, Collection::MetaModels)?;
        bounds::text("the owner", &owner, Bounds::LABEL_BYTES)?;
        self.open_tenant_of(name.owner())?;
        if self.metadata.models.contains_key(&name) {
            return Err(already_exists(&name));
        }
        let have = children(&self.metadata.models, name.owner(), Collection::MetaModels);
        bounds::room("meta-models of the tenant", have.count(), Bounds::META_MODELS)?;
        self.check_model(&name, &content)?;
        self.check_managers(&name, &managers)?;
        let entry = Entry::new(stamp, name.clone(), content, owner);
        self.metadata.models.insert(name.clone(), Arc::new(MetaModel { entry, managers }));
        Ok(name.into())
    }

    fn update_meta_model(&mut self, stamp: Stamp, action: MetaModelAction) -> Result<ResourceName> {
        let MetaModelAction::Update {
            meta_model: name,
            etag,
            title,
            description,
            category,
            attributes,
            managers,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        let entry = &self.meta_model_ref(&name)?.entry;
        check_etag(&name, entry.revision, etag)?;
        let mut content = entry.draft.clone();
        content.title = title.unwrap_or(content.title);
        content.description = description.unwrap_or(content.description);
        content.category = category.unwrap_or(content.category);
        content.attributes = attributes.unwrap_or(content.attributes);
        self.check_model(&name, &content)?;
        managers.as_ref().map_or(Ok(()), |some| self.check_managers(&name, some))?;
        let changed = self.meta_model_mut(&name)?;
        changed.managers = managers.unwrap_or_else(|| changed.managers.clone());
        changed.entry.touch(stamp).draft = content;
        Ok(name.into())
    }

    /// Lets everybody see a model as it was when that was asked for.
    pub(crate) fn publish_meta_model(
        &mut self,
        stamp: Stamp,
        name: &ChildName,
        content: MetaModelContent,
        approval: &ChildName,
    ) -> Result<()> {
        self.check_model(name, &content)?;
        self.meta_model_mut(name)?.entry.publish(stamp, content, approval);
        Ok(())
    }

    fn check_model(&self, name: &ChildName, content: &MetaModelContent) -> Result<()> {
        let MetaModelContent { title, description, category, attributes } = content;
        check_title("meta_model.title", title)?;
        check_description("meta_model.description", description)?;
        let mut found = Vec::new();
        let categories = |name: &ChildName, owner: &Scope| {
            name.is_in(owner, Collection::Categories) && self.category(name).is_some()
        };
        if !categories(category, name.owner()) {
            return Err(not_found(category)
                .field("meta_model.category", "it is no category of this tenant")
                .help("`tidegate category list` shows what there is"));
        }
        if attributes.len() > Bounds::ATTRIBUTES {
            let (have, most) = (attributes.len(), Bounds::ATTRIBUTES);
            let why = format!("{have} attributes are more than {most}");
            found.push(("meta_model.attributes".to_owned(), why));
        }
        let mut ids = BTreeSet::new();
        for (at, attribute) in attributes.iter().enumerate().take(Bounds::ATTRIBUTES) {
            let place = format!("meta_model.attributes[{at}]");
            attribute.check(&place, &mut found);
            if !ids.insert(attribute.id.as_str()) {
                found.push((format!("{place}.id"), format!("'{}' is there twice", attribute.id)));
            }
            let AttributeType::Reference(Some(model)) = &attribute.ty else { continue };
            let known = model == name
                || (model.is_in(name.owner(), Collection::MetaModels)
                    && self.meta_model(model).is_some());
            if !known {
                let why = format!("{model} is no meta-model of this tenant");
                found.push((format!("{place}.reference_model"), why));
            }
        }
        let bytes: usize = attributes.iter().map(Attribute::bytes).sum();
        if bytes > Bounds::MODEL_BYTES {
            let why = format!("they have {bytes} bytes, more than {}", Bounds::MODEL_BYTES);
            found.push(("meta_model.attributes".to_owned(), why));
        }
        violations(&name.to_string(), found)
    }

    fn check_managers(&self, name: &ChildName, managers: &BTreeSet<AccountName>) -> Result<()> {
        let mut found = Vec::new();
        if managers.len() > Bounds::MANAGERS {
            let (have, most) = (managers.len(), Bounds::MANAGERS);
            found.push(("meta_model.managers".to_owned(), format!("{have} are more than {most}")));
        }
        for manager in managers.iter().take(Bounds::MANAGERS) {
            let same = Scope::Tenant(manager.tenant().to_owned()) == *name.owner();
            if !same || self.account(manager).is_none_or(|account| account.deleted) {
                let why = format!("{manager} is no account of this tenant");
                found.push(("meta_model.managers".to_owned(), why));
            }
        }
        violations(&name.to_string(), found)
    }

    fn check_without_data(&self, name: &ChildName, verb: &str) -> Result<()> {
        let mut of_model = self.index.metadata.of_model.range((name.clone(), ChildName::least())..);
        match of_model.next().filter(|(model, _)| model == name) {
            Some((_, data)) => Err(precondition(format!("{verb} {name}: {data} is of it"))
                .help("delete its business data first")),
            None => Ok(()),
        }
    }

    fn check_unnamed(&self, name: &ChildName) -> Result<()> {
        let mut others = children(&self.metadata.models, name.owner(), Collection::MetaModels);
        let names = |other: &&MetaModel| {
            let mut models = other.entry.contents().flat_map(MetaModelContent::models);
            other.entry.name != *name && models.any(|model| model == name)
        };
        match others.find(names) {
            Some(other) => {
                let message = format!("delete {name}: {} refers to it", other.entry.name);
                Err(precondition(message).help("let its attributes refer to another model first"))
            }
            None => Ok(()),
        }
    }

    /// A model; `NOT_FOUND`.
    pub(super) fn meta_model_ref(&self, name: &ChildName) -> Result<&MetaModel> {
        self.meta_model(name).ok_or_else(|| not_found(name))
    }

    fn meta_model_mut(&mut self, name: &ChildName) -> Result<&mut MetaModel> {
        let found = self.metadata.models.get_mut(name).ok_or_else(|| not_found(name))?;
        Ok(Arc::make_mut(found))
    }
}
