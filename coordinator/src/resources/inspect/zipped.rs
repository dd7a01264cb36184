//! Zip archives: jars, wheels, and others.

use std::io::{Read, Seek, copy, sink};

use tidegate_types::Result;
use zip::CompressionMethod;
use zip::read::{Config, ZipReadOptions};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use super::limits::Unpacked;
use super::{Format, refused, unread};

/// Reads every entry of an archive, without keeping anything.
pub(super) fn look<R: Read + Seek + Clone>(
    content: R,
    format: Format,
    unpacked: &mut Unpacked,
) -> Result<()> {
    let mut archive = ZipIterable::try_new(content.clone(), Config::default()).map_err(failed)?;
    unpacked.entries(archive.len() as u64)?;
    let mut files = archive.files_with_reader(content, ZipReadOptions::new()).map_err(failed)?;
    let mut known = format == Format::Zip;
    while let Some(file) = files.next() {
        let file = file.map_err(failed)?;
        let name = match std::str::from_utf8(file.name_raw()) {
            Ok(name) => name.to_owned(),
            // In an older encoding; what leads out of a folder is ASCII in all of them.
            Err(_) => String::from_utf8_lossy(file.name_raw()).into_owned(),
        };
        unpacked.check_name(&name)?;
        if file.is_symlink() {
            return Err(refused(format!("the entry '{name}' is a symbolic link"))
                .help("pack the files that links lead to"));
        }
        if file.encrypted() {
            return Err(refused(format!("the entry '{name}' is encrypted")));
        }
        let method = file.compression();
        if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(refused(format!("the entry '{name}' is compressed by {method}"))
                .help("use deflate, or store it"));
        }
        known |= match format {
            Format::Jar => name.starts_with("META-INF/") || name.ends_with(".class"),
            Format::Wheel => name.contains(".dist-info/"),
            _ => true,
        };
        let mut inside = unpacked.counting(file);
        let read = copy(&mut inside, &mut sink());
        if let Some(over) = inside.over() {
            return Err(over);
        }
        read.map_err(|error| unread(error).context(name))?;
    }
    match format {
        _ if known => Ok(()),
        Format::Jar => Err(refused("it has neither META-INF nor classes: this is not a jar")),
        _ => Err(refused("it has no .dist-info: this is not a wheel")),
    }
}

fn failed(error: ZipError) -> tidegate_types::Error {
    match error {
        ZipError::Io(error) => unread(error),
        error => refused(format!("this is not a zip archive that can be read: {error}")),
    }
}
