//! Business metadata and quality rules: what has a draft and a version that everybody sees.

mod business_data;
mod categories;
mod meta_models;
mod quality;
mod relations;
mod tags;
#[cfg(test)]
mod tests;

use tidegate_catalog::{
    Action, Approval, ApprovalState, Catalog, ChildName, Collection, Content, Entry, EntryFilter,
    ResourceName, Scope, TableName,
};
use tidegate_proto::v1 as api;
use tidegate_security::Policy;
use tidegate_types::{Error, Result};

use super::convert::time;
use super::fields::{etag, invalid, missing};
use super::{Api, unknown};
use crate::service::call::{CurrentCall, signed_in};
use crate::service::gate::Place;

/// What the calls of every entry do in the same way.
impl Api {
    /// Asks for an approval and answers it.
    async fn ask_to_publish(&self, action: Action, request_id: &str) -> Result<api::Approval> {
        let asked = self.apply(action, request_id).await?;
        match asked.name {
            ResourceName::Child(name) => self.approval(&name).await,
            _ => Err(Error::internal("an approval has another kind of name")),
        }
    }

    /// Something as the caller sees it: with its draft, if the caller has this permission where it is, else what is
    /// published. `NOT_FOUND` for what the caller does not see.
    async fn seen<T>(
        &self,
        name: &ChildName,
        permission: &str,
        message: impl FnOnce(&Catalog, bool) -> Option<T>,
    ) -> Result<T> {
        self.read(|catalog| {
            let drafts = sees_drafts(catalog, permission, name.owner());
            message(catalog, drafts).ok_or_else(|| unknown(name))
        })
        .await
    }
}

/// Whether the caller has a permission in a tenant or project.
fn sees_drafts(catalog: &Catalog, permission: &str, scope: &Scope) -> bool {
    let Ok(place) = Place::of_name(catalog, &scope.to_string()) else { return false };
    CurrentCall::get().is_some_and(|call| {
        Policy::shipped().is_ok_and(|policy| call.caller.may(policy, permission, &place))
    })
}

/// Which entries are asked for. Who sees no drafts finds none.
fn entry_filter(published: bool, search: &str, owner: &str) -> Result<EntryFilter> {
    let owner = match owner {
        "me" => signed_in()?.account.to_string(),
        owner => owner.to_owned(),
    };
    Ok(EntryFilter { published, search: search.to_lowercase(), owner })
}

/// A name of a collection that a field has.
fn name_in(field: &str, text: &str, collection: Collection) -> Result<ChildName> {
    match text.parse() {
        Ok(ResourceName::Child(name)) if name.collection() == collection => Ok(name),
        _ if text.is_empty() => Err(missing(field).field(field, "it is missing")),
        _ => {
            let shown: String = text.chars().take(200).collect();
            let why = format!("'{shown}' is not the name of a {}", collection.singular());
            let example = format!("{}/ID", collection.text());
            Err(invalid(why.clone()).field(field, why).help(format!(
                "write the full name, such as tenants/TENANT/{example} or projects/PROJECT/{example}, where such things are"
            )))
        }
    }
}

/// A name that may be left empty.
fn optional(field: &str, text: &str, collection: Collection) -> Result<Option<ChildName>> {
    match text {
        "" => Ok(None),
        text => name_in(field, text, collection).map(Some),
    }
}

/// The name of what is created.
fn new_name(parent: &str, collection: Collection, id: String) -> Result<ChildName> {
    ChildName::new(parent.parse()?, collection, id)
}

/// The revision that somebody has seen who asks for an approval.
fn seen_etag(text: &str) -> Result<Option<u64>> {
    match etag(text)? {
        None => Err(missing("etag")
            .help("what is approved is what was seen: get it and give its etag back")),
        seen => Ok(seen),
    }
}

/// Where the publication of something stands.
struct Standing {
    state: i32,
    pending_approval: String,
    publish_time: Option<prost_types::Timestamp>,
    approval: String,
    create_time: Option<prost_types::Timestamp>,
    update_time: Option<prost_types::Timestamp>,
    etag: String,
}

/// Relations that lead from or to something, of those that everybody sees.
pub(super) fn relations_of(
    catalog: &Catalog,
    object: &ResourceName,
    most: usize,
) -> Vec<api::Relation> {
    let found = catalog.relations_of(object);
    found.filter_map(|relation| relations::message(catalog, relation, false)).take(most).collect()
}

/// Quality rules of a table that are published.
pub(super) fn rules_on(catalog: &Catalog, table: &TableName) -> Vec<api::QualityRule> {
    let found = catalog.rules_on(table);
    found.filter_map(|rule| quality::message(catalog, rule, false)).collect()
}

/// Model and description of business data, as everybody sees them, and their own words, which are none.
pub(super) fn found(catalog: &Catalog, name: &ChildName) -> (String, String, Vec<String>) {
    let data = catalog.business_data(name);
    let found = data.and_then(|data| {
        let seen = data.entry.seen(true)?;
        Some((data.model.to_string(), seen.description.clone(), Vec::new()))
    });
    found.unwrap_or_default()
}

/// What is asked for and not decided about something.
fn pending<'a>(catalog: &'a Catalog, name: &ChildName) -> Option<&'a Approval> {
    let about = ResourceName::Child(name.clone());
    let mut asked = catalog.approvals_about(&about);
    asked.find(|approval| approval.state == ApprovalState::Pending)
}

/// Where the publication of something stands; who sees no draft is not told that there is another.
fn standing<T: Content>(catalog: &Catalog, entry: &Entry<T>, drafts: bool) -> Standing {
    let state = match (&entry.published, entry.is_changed()) {
        (None, _) => api::PublishState::Draft,
        (Some(_), true) if drafts => api::PublishState::Changed,
        (Some(_), _) => api::PublishState::Published,
    };
    let pending = pending(catalog, &entry.name).filter(|_| drafts);
    let published = entry.published.as_ref();
    Standing {
        state: state.into(),
        pending_approval: pending.map(|approval| approval.name.to_string()).unwrap_or_default(),
        publish_time: published.and_then(|published| time(published.published_ms)),
        approval: published.map(|published| published.approval.to_string()).unwrap_or_default(),
        create_time: time(entry.created_ms),
        update_time: time(entry.updated_ms),
        etag: entry.revision.to_string(),
    }
}
