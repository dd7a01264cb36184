//! Finding resources.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::apply::content_key;
use super::{Resource, ResourceContent, ResourceKind, ResourceVersion, Upload};
use crate::bounds::{Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::{Catalog, not_found};

/// Which resources are looked for; what is empty or none is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Of this kind.
    pub kind: Option<ResourceKind>,
    /// In this folder or below.
    pub folder: String,
    /// Those whose id, description or newest file name has this in it, in lower case.
    pub search: String,
}

impl ResourceFilter {
    fn takes(&self, resource: &Resource) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.search);
        let inside = || {
            let below = resource.folder.strip_prefix(&self.folder);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        self.kind.is_none_or(|kind| resource.kind == kind)
            && (self.folder.is_empty() || inside())
            && (self.search.is_empty()
                || has(resource.name.id())
                || has(&resource.description)
                || resource.version(0).is_some_and(|version| has(&version.file_name)))
    }
}

impl Catalog {
    /// A resource.
    pub fn resource(&self, name: &ChildName) -> Option<&Resource> {
        self.resources.resources.get(name).map(Arc::as_ref)
    }

    /// An upload that is not complete.
    pub fn upload(&self, name: &ChildName) -> Option<&Upload> {
        self.resources.uploads.get(name).map(Arc::as_ref)
    }

    /// Uploads of a project that are not complete.
    pub fn uploads_of(&self, project: &str) -> impl Iterator<Item = &Upload> {
        let owner = Scope::Project(project.to_owned());
        let from = ChildName::before(owner.clone(), Collection::Uploads);
        let rest = self.resources.uploads.range(from..);
        let rest = rest.take_while(move |(name, _)| *name.owner() == owner);
        rest.map(|(_, upload)| upload.as_ref())
    }

    /// Where the bytes of a version of a resource of a project are.
    pub fn content(
        &self,
        resource: &Resource,
        version: &ResourceVersion,
    ) -> Option<&ResourceContent> {
        let Scope::Project(project) = resource.name.owner() else { return None };
        let tenant = &self.project(project)?.tenant;
        self.resources.contents.get(&content_key(tenant, &version.sha256)).map(Arc::as_ref)
    }

    /// Bytes of a project's resources, with those that were announced and are not complete. The same bytes under two
    /// names count twice.
    pub fn resource_bytes(&self, project: &str) -> u64 {
        let resources = self.resources_of(project).map(Resource::bytes);
        let uploads = self.uploads_of(project).map(|upload| upload.spec.bytes);
        resources.chain(uploads).sum()
    }

    fn resources_of(&self, project: &str) -> impl Iterator<Item = &Resource> {
        let owner = Scope::Project(project.to_owned());
        let from = ChildName::before(owner.clone(), Collection::Resources);
        let rest = self.resources.resources.range(from..);
        let rest = rest.take_while(move |(name, _)| *name.owner() == owner);
        rest.map(|(_, resource)| resource.as_ref())
    }

    /// Something that a project has, if it has any.
    pub(crate) fn resource_in(&self, project: &str) -> Option<&ChildName> {
        let resource = self.resources_of(project).map(|resource| &resource.name).next();
        resource.or_else(|| self.uploads_of(project).map(|upload| &upload.name).next())
    }

    /// Whether there is an upload that has taken too long.
    pub fn has_expired_uploads(&self, now_ms: i64) -> bool {
        self.index.expiring_uploads.first().is_some_and(|(expires_ms, _)| *expires_ms <= now_ms)
    }

    /// Some of the places whose bytes can be deleted now.
    pub fn resource_garbage(&self, now_ms: i64, most: usize) -> Vec<String> {
        let old = |since_ms: i64| now_ms.saturating_sub(since_ms) >= Bounds::GARBAGE_AGE_MS;
        let garbage = self.resources.garbage.iter();
        let garbage = garbage.filter(|(_, garbage)| old(garbage.since_ms));
        garbage.take(most).map(|(place, _)| place.clone()).collect()
    }

    /// How many places hold garbage.
    pub fn resource_garbage_len(&self) -> usize {
        self.resources.garbage.len()
    }

    /// How many contents are kept, of all tenants.
    pub fn content_count(&self) -> usize {
        self.resources.contents.len()
    }

    /// Resources of a project, newest first; `NOT_FOUND` if there is no such project.
    pub fn list_resources(
        &self,
        project: &str,
        filter: &ResourceFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<Resource>>> {
        let name = ResourceName::Project(project.to_owned());
        if !self.projects.contains_key(project) {
            return Err(not_found(&name));
        }
        let owner = name.to_string();
        page(&format!("{name}/resources"), request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let key = |sequence: u64| (owner.clone(), sequence, ChildName::least());
            let range = (Bound::Included(key(0)), Bound::Excluded(key(below.unwrap_or(u64::MAX))));
            let rest = self.index.resources_of.range(range).rev();
            let rest = rest.filter_map(|(.., name)| self.resources.resources.get(name));
            let rest = rest.filter(move |resource| filter.takes(resource));
            Ok(rest.map(|resource| (resource.sequence.to_string(), resource.clone())))
        })
    }
}
