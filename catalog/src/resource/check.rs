//! What texts of resources must look like.

use tidegate_types::{Error, ErrorCode, Result};

use super::UploadSpec;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::scope::Scope;

/// Id of the project that a resource or upload is of.
pub(super) fn project_of(name: &ChildName, collection: Collection) -> Result<&str> {
    match name.owner() {
        Scope::Project(id) if name.collection() == collection => Ok(id),
        _ => Err(invalid(format!("'{name}' is not the name of a {}", collection.singular()))),
    }
}

/// Refuses what cannot be uploaded.
pub(super) fn spec(spec: &UploadSpec) -> Result<()> {
    let name = &spec.file_name;
    bounds::text("the name of the file", name, Bounds::LABEL_BYTES)?;
    let odd = |c: char| c.is_control() || "/\\".contains(c);
    if name.is_empty() || name.chars().any(odd) || [".", ".."].contains(&name.as_str()) {
        return Err(invalid(format!("'{}' is no name of a file", name.escape_default()))
            .help("give the name without folders"));
    }
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if spec.sha256.len() != 64 || !spec.sha256.bytes().all(hexadecimal) {
        return Err(invalid("sha256 is not 64 hexadecimal digits in lower case"));
    }
    if spec.bytes == 0 {
        return Err(invalid(format!("{name} is empty")));
    }
    if spec.bytes > Bounds::RESOURCE_BYTES {
        let message = format!(
            "{name} has {} bytes, a resource has at most {}",
            spec.bytes,
            Bounds::RESOURCE_BYTES
        );
        return Err(Error::new(ErrorCode::ResourceExhausted, message)
            .help("split it, or leave out what is not needed"));
    }
    bounds::text("the uploader", &spec.uploader, Bounds::LABEL_BYTES)?;
    description(&spec.description)?;
    folder(&spec.folder)
}

pub(super) fn description(text: &str) -> Result<()> {
    bounds::text("the description", text, Bounds::DESCRIPTION_BYTES)
}

/// Refuses a folder that is no list of names.
pub(super) fn folder(folder: &str) -> Result<()> {
    bounds::text("the folder", folder, Bounds::LABEL_BYTES)?;
    let odd = |part: &str| {
        part.trim().is_empty()
            || [".", ".."].contains(&part)
            || part.chars().any(|c| c.is_control() || c == '\\')
    };
    if !folder.is_empty() && folder.split('/').any(odd) {
        return Err(invalid(format!("'{}' is no folder", folder.escape_default()))
            .help("write it as `a/b`, without a / at either end; none is the top"));
    }
    Ok(())
}
