//! Folders of the machines that run jobs, within those that the operator allows.

use std::path::{Path, PathBuf};

use tidegate_connector_spec::data_source::{Parameters, PhysicalTable};
use tidegate_runtime::blocking::beside;
use tidegate_storage::locate;

use super::{Result, invalid};
use crate::probe::import::{self, Description, Entry, Listing, Page};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::trace::Trace;

/// Most names of a folder that are read.
const MOST_NAMES: usize = 10_000;

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let folder = open(trace, parameters).await?;
    names(trace, &folder).await.map(drop)
}

/// The folder without links, if it is within an allowed one.
async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<PathBuf> {
    let folder = parameters.required("folder").map_err(invalid)?;
    let allowed = trace.limits.folders.clone();
    let place = folder.to_owned();
    let work = async {
        let folder = PathBuf::from(folder);
        let real = beside("open a folder", move || within(&folder, &allowed)).await;
        let real = real.map_err(|error| Failure::unsupported(error.message(), ""))??;
        let detail = real.display().to_string();
        Ok((real, detail))
    };
    trace.step(What::OpenDatabase, &place, work).await
}

/// A path without links, if it is within one of the allowed folders. Blocks.
fn within(path: &Path, allowed: &[PathBuf]) -> Result<PathBuf> {
    let shown = path.display();
    let mut allowed = allowed.iter().filter_map(|folder| folder.canonicalize().ok());
    // Before anything is said of what is there.
    let forbidden = || {
        Failure::new(
            Reason::Permission,
            format!("'{shown}' is not within the folders that data sources may be in"),
            "use another folder, or let the operator of the cluster allow this one",
        )
    };
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) => {
            let lies_within = allowed.any(|folder| path.starts_with(&folder));
            if !lies_within {
                return Err(forbidden());
            }
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            return Err(if missing {
                let help = "create it on all machines that run jobs, or mend the path";
                let message = format!("there is no '{shown}' on this machine");
                Failure::new(Reason::MissingDatabase, message, help)
            } else {
                let help = "let the user that runs workers read it";
                Failure::new(Reason::Permission, format!("'{shown}': {error}"), help)
            });
        }
    };
    if allowed.any(|folder| real.starts_with(folder)) { Ok(real) } else { Err(forbidden()) }
}

async fn names(trace: &mut Trace<'_>, folder: &Path) -> Result<Vec<Entry>> {
    let (place, folder) = (folder.display().to_string(), folder.to_owned());
    let work = async {
        let read = beside("read a folder", move || {
            let entries = std::fs::read_dir(&folder)?.take(MOST_NAMES);
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect::<std::io::Result<Vec<String>>>()
        });
        let read = read.await.map_err(|error| Failure::unsupported(error.message(), ""))?;
        let names = read.map_err(|error| {
            let help = "let the user that runs workers read it; it must be a folder";
            Failure::new(Reason::Permission, format!("'{place}': {error}"), help)
        })?;
        let own = names.into_iter().filter(|name| !name.starts_with(['.', '_']));
        let entries: Vec<Entry> = own.map(Entry::named).collect();
        let detail = format!("{} names", entries.len());
        Ok((entries, detail))
    };
    trace.step(What::List, &place, work).await
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    page: &Page,
) -> Result<Listing> {
    let folder = open(trace, parameters).await?;
    Ok(page.of(false, names(trace, &folder).await?))
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let folder = open(trace, parameters).await?;
    let (allowed, limits) = (trace.limits.folders.clone(), trace.limits);
    let path = folder.join(table.name.trim_start_matches('/'));
    let place = path.display().to_string();
    let work = async {
        let real = beside("open a file", move || within(&path, &allowed)).await;
        let real = real.map_err(|error| Failure::unsupported(error.message(), ""))?;
        let real = real.map_err(|failure| match failure.reason {
            Reason::MissingDatabase => Failure { reason: Reason::MissingTable, ..failure },
            _ => failure,
        })?;
        let location = locate(&real.to_string_lossy(), &Default::default());
        let location = location.map_err(import::files::failed)?;
        let found = import::files::describe(&location, limits).await?;
        let detail = format!("{} columns", found.columns.len());
        Ok((found, detail))
    };
    trace.step(What::Ask, &place, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_do_not_lead_out_of_the_allowed_folders() {
        let (allowed, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(allowed.path().join("in")).unwrap();
        std::os::unix::fs::symlink(other.path(), allowed.path().join("out")).unwrap();
        let folders = [allowed.path().to_owned()];
        assert!(within(&allowed.path().join("in"), &folders).is_ok());
        let reason =
            |path: PathBuf, folders: &[PathBuf]| within(&path, folders).unwrap_err().reason;
        assert_eq!(reason(allowed.path().join("out"), &folders), Reason::Permission);
        assert_eq!(reason(allowed.path().join("none"), &folders), Reason::MissingDatabase);
        // Nothing is told of what is elsewhere.
        assert_eq!(reason(other.path().join("none"), &folders), Reason::Permission);
        assert_eq!(reason(allowed.path().join("in"), &[]), Reason::Permission);
    }
}
