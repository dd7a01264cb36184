//! Resources as messages.

use tidegate_catalog::{Resource, ResourceKind, ResourceVersion, Upload};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::resource::Kind;

use crate::service::api::convert::time;

/// What a message asks for; none if it does not say.
pub(super) fn kind(kind: Kind) -> Option<ResourceKind> {
    match kind {
        Kind::Unspecified => None,
        Kind::Package => Some(ResourceKind::Package),
        Kind::TestData => Some(ResourceKind::TestData),
    }
}

fn kind_message(kind: ResourceKind) -> Kind {
    match kind {
        ResourceKind::Package => Kind::Package,
        ResourceKind::TestData => Kind::TestData,
    }
}

pub(super) fn resource(resource: &Resource) -> api::Resource {
    api::Resource {
        name: resource.name.to_string(),
        kind: kind_message(resource.kind).into(),
        folder: resource.folder.clone(),
        description: resource.description.clone(),
        versions: resource.versions.iter().map(version).collect(),
        owner: resource.owner.clone(),
        create_time: time(resource.created_ms),
        update_time: time(resource.updated_ms),
        etag: resource.revision.to_string(),
    }
}

pub(super) fn version(version: &ResourceVersion) -> api::resource::Version {
    api::resource::Version {
        number: version.number,
        file_name: version.file_name.clone(),
        format: version.format.clone(),
        sha256: version.sha256.clone(),
        size_bytes: version.bytes,
        uploader: version.uploader.clone(),
        create_time: time(version.created_ms),
    }
}

pub(super) fn upload(upload: &Upload, received_bytes: u64) -> api::Upload {
    let spec = &upload.spec;
    api::Upload {
        name: upload.name.to_string(),
        resource: spec.resource.to_string(),
        kind: kind_message(spec.kind).into(),
        file_name: spec.file_name.clone(),
        sha256: spec.sha256.clone(),
        size_bytes: spec.bytes,
        received_bytes,
        uploader: spec.uploader.clone(),
        create_time: time(upload.created_ms),
        expire_time: time(upload.expires_ms),
    }
}
