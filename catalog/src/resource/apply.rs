//! Uploading, changing, deleting.

use std::sync::Arc;

use tidegate_types::Result;

use super::{
    Garbage, Resource, ResourceAction, ResourceContent, ResourceKind, ResourceVersion, Upload,
    UploadSpec, check,
};
use crate::bounds::{self, Bounds};
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};
use crate::tenancy::{ServiceKind, within_quota};

impl Catalog {
    pub(crate) fn apply_resource(
        &mut self,
        stamp: Stamp,
        action: ResourceAction,
    ) -> Result<ResourceName> {
        use ResourceAction as A;
        match action {
            A::BeginUpload { upload, spec } => self.begin_upload(stamp, upload, spec),
            A::FinishUpload { upload, format } => self.finish_upload(stamp, upload, format),
            A::AbandonUpload { upload } => {
                check::project_of(&upload, Collection::Uploads)?;
                if !self.resources.uploads.contains_key(&upload) {
                    return Err(not_found(&upload));
                }
                self.end_upload(stamp, &upload);
                Ok(upload.into())
            }
            A::ExpireUploads {} => {
                let over = self.index.expiring_uploads.iter();
                let over = over.take_while(|(expires_ms, _)| *expires_ms <= stamp.now_ms);
                let over: Vec<ChildName> = over.map(|(_, name)| name.clone()).collect();
                for upload in over {
                    self.end_upload(stamp, &upload);
                }
                Ok(everything())
            }
            A::Update { resource, etag, description, folder } => {
                self.update_resource(stamp, resource, etag, description, folder)
            }
            A::Delete { resource, version, etag } => {
                self.delete_resource(stamp, resource, version, etag)
            }
            A::Forget { places } => {
                for place in places {
                    self.resources.garbage.remove(&place);
                }
                Ok(everything())
            }
        }
    }

    fn begin_upload(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        spec: UploadSpec,
    ) -> Result<ResourceName> {
        check::spec(&spec)?;
        let project = check::project_of(&name, Collection::Uploads)?.to_owned();
        if check::project_of(&spec.resource, Collection::Resources)? != project {
            let message =
                format!("{name} cannot become {}: it is of another project", spec.resource);
            return Err(bounds::invalid(message));
        }
        let tenant = self.open_project(&project)?.tenant.clone();
        let quota = self.project_with(&project, ServiceKind::DataManagement)?.quota;
        if self.resources.uploads.contains_key(&name) {
            return Err(already_exists(&name));
        }
        self.check_version(&spec.resource, spec.kind)?;
        let open = self.uploads_of(&project).count();
        bounds::room("uploads of the project that are not complete", open, Bounds::UPLOADS)?;
        let wanted = self.resource_bytes(&project).saturating_add(spec.bytes);
        let most = match quota.resource_bytes {
            0 => Bounds::PROJECT_RESOURCE_BYTES,
            own => own,
        };
        within_quota("bytes of resources", &project, wanted, most)?;
        let upload = Upload {
            name: name.clone(),
            spec,
            // No command has the revision of another.
            place: format!("{tenant}/{}", stamp.revision),
            created_ms: stamp.now_ms,
            expires_ms: stamp.now_ms.saturating_add(Bounds::UPLOAD_AGE_MS),
        };
        self.index.expiring_uploads.insert((upload.expires_ms, name.clone()));
        self.resources.uploads.insert(name.clone(), Arc::new(upload));
        Ok(name.into())
    }

    /// Refuses a version that a resource cannot have more.
    fn check_version(&self, name: &ChildName, kind: ResourceKind) -> Result<()> {
        let Some(there) = self.resource(name) else {
            let have = self.resources.resources.len();
            return bounds::room("resources", have, Bounds::RESOURCES);
        };
        if there.kind != kind {
            return Err(precondition(format!("{name} is {}, not {kind}", there.kind))
                .help("upload it under another name"));
        }
        let have = there.versions.len();
        bounds::room(&format!("versions of {name}"), have, Bounds::RESOURCE_VERSIONS)
    }

    fn finish_upload(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        format: String,
    ) -> Result<ResourceName> {
        bounds::text("the format", &format, Bounds::LABEL_BYTES)?;
        let project = check::project_of(&name, Collection::Uploads)?;
        let tenant = self.open_project(project)?.tenant.clone();
        let upload = self.resources.uploads.get(&name).cloned().ok_or_else(|| not_found(&name))?;
        let UploadSpec { resource, kind, folder, description, file_name, sha256, bytes, uploader } =
            upload.spec.clone();
        self.check_version(&resource, kind)?;
        self.remove_upload(&name);
        let key = content_key(&tenant, &sha256);
        match self.resources.contents.get_mut(&key) {
            Some(content) => {
                // The tenant has these bytes already.
                Arc::make_mut(content).references += 1;
                self.discard(stamp, upload.place.clone());
            }
            None => {
                let content = ResourceContent { bytes, place: upload.place.clone(), references: 1 };
                self.resources.contents.insert(key, Arc::new(content));
            }
        }
        if self.resource(&resource).is_none() {
            let created = Resource {
                name: resource.clone(),
                kind,
                folder,
                description,
                versions: Vec::new(),
                last_version: 0,
                owner: uploader.clone(),
                sequence: stamp.revision,
                created_ms: stamp.now_ms,
                updated_ms: stamp.now_ms,
                revision: stamp.revision,
            };
            self.index_resource(&created);
            self.resources.resources.insert(resource.clone(), Arc::new(created));
        }
        let changed = self.resource_mut(stamp, &resource)?;
        changed.last_version += 1;
        changed.versions.push(ResourceVersion {
            number: changed.last_version,
            file_name,
            format,
            sha256,
            bytes,
            uploader,
            created_ms: stamp.now_ms,
        });
        Ok(resource.into())
    }

    /// Forgets an upload; its bytes are garbage.
    fn end_upload(&mut self, stamp: Stamp, name: &ChildName) {
        if let Some(upload) = self.remove_upload(name) {
            self.discard(stamp, upload.place.clone());
        }
    }

    fn remove_upload(&mut self, name: &ChildName) -> Option<Arc<Upload>> {
        let upload = self.resources.uploads.remove(name)?;
        self.index.expiring_uploads.remove(&(upload.expires_ms, name.clone()));
        Some(upload)
    }

    fn update_resource(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        etag: Option<u64>,
        description: Option<String>,
        folder: Option<String>,
    ) -> Result<ResourceName> {
        description.as_deref().map_or(Ok(()), check::description)?;
        folder.as_deref().map_or(Ok(()), check::folder)?;
        self.open_project(check::project_of(&name, Collection::Resources)?)?;
        let now = self.resource(&name).ok_or_else(|| not_found(&name))?;
        check_etag(&name, now.revision, etag)?;
        let changed = self.resource_mut(stamp, &name)?;
        changed.description = description.unwrap_or_else(|| changed.description.clone());
        changed.folder = folder.unwrap_or_else(|| changed.folder.clone());
        Ok(name.into())
    }

    fn delete_resource(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        version: Option<u64>,
        etag: Option<u64>,
    ) -> Result<ResourceName> {
        let project = check::project_of(&name, Collection::Resources)?;
        let tenant = self.open_project(project)?.tenant.clone();
        let now = self.resource(&name).ok_or_else(|| not_found(&name))?;
        check_etag(&name, now.revision, etag)?;
        let gone = |number: u64| version.is_none_or(|version| version == number);
        let (gone, left): (Vec<_>, Vec<_>) =
            now.versions.iter().cloned().partition(|version| gone(version.number));
        if gone.is_empty() {
            let number = version.unwrap_or_default();
            return Err(not_found(&format!("version {number} of {name}")));
        }
        for version in gone {
            self.release_content(stamp, &content_key(&tenant, &version.sha256));
        }
        if left.is_empty() {
            if let Some(resource) = self.resources.resources.remove(&name) {
                self.unindex_resource(&resource);
            }
        } else {
            self.resource_mut(stamp, &name)?.versions = left;
        }
        Ok(name.into())
    }

    /// Takes one reference to a content away; without any it is garbage.
    fn release_content(&mut self, stamp: Stamp, key: &str) {
        let Some(content) = self.resources.contents.get_mut(key) else { return };
        let content = Arc::make_mut(content);
        content.references = content.references.saturating_sub(1);
        if content.references == 0 {
            let place = content.place.clone();
            self.resources.contents.remove(key);
            self.discard(stamp, place);
        }
    }

    fn discard(&mut self, stamp: Stamp, place: String) {
        self.resources.garbage.insert(place, Arc::new(Garbage { since_ms: stamp.now_ms }));
    }

    fn resource_mut(&mut self, stamp: Stamp, name: &ChildName) -> Result<&mut Resource> {
        let found = self.resources.resources.get_mut(name).ok_or_else(|| not_found(name))?;
        let found = Arc::make_mut(found);
        found.revision = stamp.revision;
        found.updated_ms = stamp.now_ms;
        Ok(found)
    }

    /// Adds a resource to what resources are found by.
    pub(crate) fn index_resource(&mut self, resource: &Resource) {
        self.index.resources_of.insert(index_key(resource));
    }

    fn unindex_resource(&mut self, resource: &Resource) {
        self.index.resources_of.remove(&index_key(resource));
    }
}

fn index_key(resource: &Resource) -> (String, u64, ChildName) {
    let project = resource.name.owner().to_string();
    (project, resource.sequence, resource.name.clone())
}

/// What stands for the content of a tenant.
pub(super) fn content_key(tenant: &str, sha256: &str) -> String {
    format!("{tenant}/{sha256}")
}

/// What a command is about that is about nothing in particular.
fn everything() -> ResourceName {
    ResourceName::Tenant(crate::tenancy::DEFAULT_TENANT.to_owned())
}
