//! Business data: elements of meta-models, with values of their attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use super::{BusinessDataAction, MetaModelContent, indexed, reindex};
use crate::approval::{Publish, Subject};
use crate::bounds::{self, Bounds};
use crate::child_name::{ChildName, Collection};
use crate::entry::{Content, Entry, check_description, check_title, of_collection, violations};
use crate::name::ResourceName;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};

/// Business data of a tenant or of one of its projects: `tenants/{tenant}/businessData/{id}` or
/// `projects/{project}/businessData/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessData {
    /// The data as they are edited and as they are published.
    pub entry: Entry<BusinessDataContent>,
    /// The model.
    pub model: ChildName,
}

/// What business data say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessDataContent {
    /// What people call it.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Values of attributes, by their ids.
    pub values: BTreeMap<String, String>,
    /// Other business data that the values name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub references: BTreeSet<ChildName>,
}

impl Content for BusinessDataContent {
    fn texts(&self) -> Vec<&str> {
        let texts = [self.title.as_str(), &self.description].into_iter();
        texts.chain(self.values.values().map(String::as_str)).collect()
    }
}

impl BusinessData {
    /// Names of other business data that its values name, of the draft and of what is published.
    pub(super) fn references(&self) -> BTreeSet<String> {
        let names = self.entry.contents().flat_map(|content| &content.references);
        names.map(ToString::to_string).collect()
    }
}

impl Catalog {
    /// Business data.
    pub fn business_data(&self, name: &ChildName) -> Option<&BusinessData> {
        self.metadata.business_data.get(name).map(Arc::as_ref)
    }

    /// Why what is seen of business data does not fit its model any more; empty if it does.
    pub fn misfit(&self, data: &BusinessData, content: &BusinessDataContent) -> String {
        let model = self.meta_model(&data.model);
        let Some(model) = model.and_then(|model| model.entry.seen(true)) else {
            return format!("{} is not published", data.model);
        };
        let found = model.check_values(&content.values);
        let found = found.iter().map(|(field, why)| {
            format!("{}: {why}", field.trim_start_matches("business_data.values."))
        });
        found.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn apply_business_data(
        &mut self,
        stamp: Stamp,
        action: BusinessDataAction,
    ) -> Result<ResourceName> {
        use BusinessDataAction as A;
        match action {
            A::Create { .. } => self.create_business_data(stamp, action),
            A::Update { .. } => self.update_business_data(stamp, action),
            A::Delete { business_data: name, etag, editor } => {
                self.check_editor(&name, etag, &editor)?;
                let mut users = indexed(&self.index.metadata.referring, &name.to_string());
                if let Some(user) = users.find(|user| **user != name) {
                    return Err(precondition(format!("delete {name}: {user} names it"))
                        .help("let its values name other business data first"));
                }
                drop(users);
                let object = ResourceName::Child(name.clone());
                self.lose(stamp, &object);
                self.withdraw_all(stamp, &object);
                if let Some(gone) = self.metadata.business_data.remove(&name) {
                    let index = &mut self.index.metadata;
                    index.of_model.remove(&(gone.model.clone(), name.clone()));
                    reindex(&mut index.referring, &name, &gone.references(), &BTreeSet::new());
                }
                Ok(object)
            }
            A::Publish { business_data: name, etag, requester, reason } => {
                self.check_editor(&name, etag, &requester)?;
                let data = self.business_data_ref(&name)?;
                data.entry.check_asked(etag)?;
                let (model, content) = (data.model.clone(), data.entry.draft.clone());
                self.check_business_data(&name, &model, content.clone())?;
                let content = Box::new(content);
                let subject = Subject::Publish(Publish::BusinessData { name, content });
                self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
            }
            A::Unpublish { business_data: name, etag, editor } => {
                self.check_editor(&name, etag, &editor)?;
                self.change_business_data(&name, |data| data.entry.unpublish(stamp))?;
                Ok(name.into())
            }
        }
    }

    fn create_business_data(
        &mut self,
        stamp: Stamp,
        action: BusinessDataAction,
    ) -> Result<ResourceName> {
        let BusinessDataAction::Create {
            business_data: name,
            model,
            title,
            description,
            values,
            editor,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        of_collection(&name, Collection::BusinessData)?;
        bounds::text("the owner", &editor, Bounds::LABEL_BYTES)?;
        self.open_tenant_of(name.owner())?;
        if self.metadata.business_data.contains_key(&name) {
            return Err(already_exists(&name));
        }
        let have = self.metadata.business_data.len();
        bounds::room("business data", have, Bounds::BUSINESS_DATA)?;
        let known = model.collection() == Collection::MetaModels
            && self.is_usable_in(model.owner(), name.owner())
            && self.meta_model(&model).is_some();
        if !known {
            let why = "it is no meta-model of this tenant";
            return Err(not_found(&model).field("business_data.meta_model", why));
        }
        self.check_manager(&model, &editor)?;
        let references = BTreeSet::new();
        let content = BusinessDataContent { title, description, values, references };
        let content = self.check_business_data(&name, &model, content)?;
        let entry = Entry::new(stamp, name.clone(), content, editor);
        let data = BusinessData { entry, model: model.clone() };
        let index = &mut self.index.metadata;
        index.of_model.insert((model, name.clone()));
        reindex(&mut index.referring, &name, &BTreeSet::new(), &data.references());
        self.metadata.business_data.insert(name.clone(), Arc::new(data));
        Ok(name.into())
    }

    fn update_business_data(
        &mut self,
        stamp: Stamp,
        action: BusinessDataAction,
    ) -> Result<ResourceName> {
        let BusinessDataAction::Update {
            business_data: name,
            etag,
            title,
            description,
            values,
            editor,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        self.check_editor(&name, etag, &editor)?;
        let data = self.business_data_ref(&name)?;
        let mut content = data.entry.draft.clone();
        content.title = title.unwrap_or(content.title);
        content.description = description.unwrap_or(content.description);
        content.values = values.unwrap_or(content.values);
        let content = self.check_business_data(&name, &data.model.clone(), content)?;
        self.change_business_data(&name, |data| {
            data.entry.touch(stamp).draft = content;
            Ok(())
        })?;
        Ok(name.into())
    }

    /// Lets everybody see business data as they were when that was asked for.
    pub(crate) fn publish_business_data(
        &mut self,
        stamp: Stamp,
        name: &ChildName,
        content: BusinessDataContent,
        approval: &ChildName,
    ) -> Result<()> {
        let model = self.business_data_ref(name)?.model.clone();
        let content = self.check_business_data(name, &model, content)?;
        self.change_business_data(name, |data| {
            data.entry.publish(stamp, content, approval);
            Ok(())
        })?;
        // The answer of the decision names the approval.
        self.changes.note(stamp.revision, &ResourceName::Child(name.clone()));
        Ok(())
    }

    /// Content that fits its model, with what it names.
    fn check_business_data(
        &self,
        name: &ChildName,
        model: &ChildName,
        mut content: BusinessDataContent,
    ) -> Result<BusinessDataContent> {
        check_title("business_data.title", &content.title)?;
        check_description("business_data.description", &content.description)?;
        let of_model = self.meta_model_ref(model)?.entry.seen(true).ok_or_else(|| {
            precondition(format!("{model} is not published"))
                .help("ask for its approval: `tidegate meta-model publish`")
        })?;
        let mut found = of_model.check_values(&content.values);
        found.extend(self.check_references(name, of_model, &content.values));
        violations(&name.to_string(), found)?;
        let named = of_model.references(&content.values);
        content.references = named.map(|(_, name, _)| name).collect();
        Ok(content)
    }

    fn check_references(
        &self,
        name: &ChildName,
        model: &MetaModelContent,
        values: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        let wrong = |(id, other, wanted): (&str, ChildName, Option<&ChildName>)| {
            let there = self.business_data(&other);
            let there = there.filter(|_| self.is_usable_in(other.owner(), name.owner()));
            let why = match (there, wanted) {
                (None, _) => format!("{other} is no business data of this tenant or project"),
                (Some(there), Some(wanted)) if there.model != *wanted => {
                    format!("{other} is of {}, not of {wanted}", there.model)
                }
                _ if other == *name => "it names itself".to_owned(),
                _ => return None,
            };
            Some((format!("business_data.values.{id}"), why))
        };
        model.references(values).filter_map(wrong).collect()
    }

    /// Refuses accounts that do not manage the data of a model. Who is no account has all rights.
    fn check_manager(&self, model: &ChildName, editor: &str) -> Result<()> {
        let managers = &self.meta_model_ref(model)?.managers;
        let is_account = editor.parse::<crate::account::AccountName>().is_ok();
        let manages = managers.is_empty() || managers.iter().any(|one| one.to_string() == editor);
        if manages || !is_account {
            return Ok(());
        }
        let message = format!("{editor} does not manage the data of {model}");
        Err(Error::new(ErrorCode::PermissionDenied, message)
            .help("the data asset manager says who does: `tidegate meta-model update --managers`"))
    }

    /// Refuses who has not seen the last change, or does not manage such data.
    fn check_editor(&self, name: &ChildName, etag: Option<u64>, editor: &str) -> Result<()> {
        self.open_tenant_of(name.owner())?;
        let data = self.business_data_ref(name)?;
        self.check_manager(&data.model, editor)?;
        check_etag(name, data.entry.revision, etag)
    }

    /// Business data; `NOT_FOUND`.
    fn business_data_ref(&self, name: &ChildName) -> Result<&BusinessData> {
        self.business_data(name).ok_or_else(|| not_found(name))
    }

    fn change_business_data(
        &mut self,
        name: &ChildName,
        change: impl FnOnce(&mut BusinessData) -> Result<()>,
    ) -> Result<()> {
        let found = self.metadata.business_data.get_mut(name).ok_or_else(|| not_found(name))?;
        let data = Arc::make_mut(found);
        let before = data.references();
        change(data)?;
        let after = data.references();
        reindex(&mut self.index.metadata.referring, name, &before, &after);
        Ok(())
    }
}
