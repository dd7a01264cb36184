//! `sim://path`: the store that a simulation has put in place for its thread.

use std::cell::RefCell;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use tidegate_types::Result;

use crate::{Location, invalid};

thread_local! {
    static STORE: RefCell<Option<Arc<dyn ObjectStore>>> = const { RefCell::new(None) };
}

/// From now on `sim://` means this store on this thread.
pub fn mount(store: Arc<dyn ObjectStore>) {
    STORE.set(Some(store));
}

pub(crate) fn locate(rest: &str, url: &str) -> Result<Location> {
    let store = STORE.with_borrow(Clone::clone);
    let store = store.ok_or_else(|| invalid(url, "no simulation runs on this thread"))?;
    let path = Path::parse(rest).map_err(|error| invalid(url, error))?;
    Ok(Location { store, path, root: "sim://".to_owned(), local: false })
}
