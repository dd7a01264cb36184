//! Columns of a file, by what it says of itself (Parquet, ORC, Avro) or by its first records (JSON, CSV).

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use tidegate_storage::{Location, store_error};
use tidegate_types::{Error, ErrorCode};

use super::{Description, arrow_types, sample};
use crate::filesystem::file_schema;
use crate::format::avro::container::{Head, MAX_HEAD_BYTES};
use crate::probe::limits::Limits;
use crate::probe::report::{Failure, Reason};

/// Most files that are passed over in search of one with content.
const MOST_FILES: usize = 1000;

/// The columns of a file, or of the first one in a folder.
pub(crate) async fn describe(location: &Location, limits: &Limits) -> Result<Description, Failure> {
    let shown = location.display(&location.path);
    let file = first_file(location).await?.ok_or_else(|| {
        Failure::new(
            Reason::MissingTable,
            format!("{shown} is neither a file nor a folder with a file that has content"),
            "mend the path; names that begin with '.' or '_' do not count",
        )
    })?;
    let place = location.display(&file.location);
    let head = get(location, &file.location, 0..file.size.min(16)).await?;
    let (format, found) = if head.starts_with(b"PAR1") {
        let schema = file_schema::parquet(location, &file.location, file.size).await;
        ("parquet", arrow_types::describe(schema.map_err(failed)?.as_ref()))
    } else if head.starts_with(b"ORC") {
        let schema = file_schema::orc(location, &file.location, file.size).await;
        ("orc", arrow_types::describe(schema.map_err(failed)?.as_ref()))
    } else if head.starts_with(b"Obj\x01") {
        ("avro", avro(location, &file).await?)
    } else {
        return text(location, &file, limits, &place).await;
    };
    let mut found = found;
    found.options.insert("format".to_owned(), format.to_owned());
    Ok(found)
}

async fn avro(location: &Location, file: &ObjectMeta) -> Result<Description, Failure> {
    let place = location.display(&file.location);
    let end = file.size.min(MAX_HEAD_BYTES as u64);
    let bytes = get(location, &file.location, 0..end).await?;
    let head = Head::read(&bytes, end == file.size)
        .and_then(|head| head.ok_or_else(|| "its head is too long".to_owned()))
        .map_err(|why| Failure::protocol(&place, &why, "use a file that is whole"))?;
    let mut found = Description::default();
    for (name, native, ty) in head.columns() {
        found.add(&name, &native, ty, None, false);
    }
    Ok(found)
}

async fn text(
    location: &Location,
    file: &ObjectMeta,
    limits: &Limits,
    place: &str,
) -> Result<Description, Failure> {
    let end = file.size.min(limits.sampled_bytes as u64);
    let bytes = get(location, &file.location, 0..end).await?;
    let compressed: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ"];
    if compressed.iter().any(|magic| bytes.starts_with(magic)) {
        return Err(Failure::unsupported(
            format!("{place} is compressed, and not looked into for columns"),
            "declare the columns by hand, or import from a file that is not compressed",
        ));
    }
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    if end < file.size {
        // It is cut somewhere.
        lines.pop();
    }
    let lines = lines.into_iter().filter(|line| !line.trim_ascii().is_empty());
    let records: Vec<Vec<u8>> = lines.take(limits.sampled_records).map(<[u8]>::to_vec).collect();
    sample::describe(&records, place)
        .map_err(|why| Failure::unsupported(why, "declare the columns by hand"))
}

async fn get(
    location: &Location,
    path: &Path,
    range: std::ops::Range<u64>,
) -> Result<bytes::Bytes, Failure> {
    let got = location.store.get_range(path, range).await;
    got.map_err(|error| failed(store_error(error, &location.display(path))))
}

/// The file at the path, or the first one below it that has content.
async fn first_file(location: &Location) -> Result<Option<ObjectMeta>, Failure> {
    match location.store.head(&location.path).await {
        Ok(file) if file.size > 0 => return Ok(Some(file)),
        Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
        // Local folders are no files, and say so in their own way.
        Err(_) if location.local => {}
        Err(error) => return Err(failed(store_error(error, &location.display(&location.path)))),
    }
    let mut files = location.store.list(Some(&location.path));
    for _ in 0..MOST_FILES {
        let next = files.try_next().await;
        let next =
            next.map_err(|error| failed(store_error(error, &location.display(&location.path))))?;
        let Some(file) = next else { return Ok(None) };
        let below = file.location.prefix_match(&location.path);
        let hidden =
            below.is_some_and(|mut parts| parts.any(|part| part.as_ref().starts_with(['.', '_'])));
        if file.size > 0 && !hidden {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The failure of a store or of a reader of files.
pub(crate) fn failed(error: Error) -> Failure {
    let (reason, help) = match error.code() {
        ErrorCode::NotFound => (Reason::MissingTable, "mend the path"),
        ErrorCode::PermissionDenied => (Reason::Permission, "let the key or the user read it"),
        ErrorCode::Unavailable => (Reason::Protocol, "look at the storage"),
        _ => (Reason::Protocol, "use a file that is whole"),
    };
    Failure::new(reason, error.summary(), help)
}
