//! The object store: one in memory, reached over a [`Service`] with its faults.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::service::{Failure, Service};
use crate::trace;

/// An object that was there already was written again with another content.
pub(crate) type Overwritten = Vec<String>;

/// The store.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedStore {
    inner: Arc<InMemory>,
    service: Service,
    /// Manifests that were replaced by others.
    overwritten: Arc<Mutex<Overwritten>>,
}

impl SimulatedStore {
    pub(crate) fn new(service: Service) -> Self {
        Self { inner: Arc::new(InMemory::new()), service, overwritten: Arc::default() }
    }

    /// Manifests and records that were replaced by others.
    pub(crate) fn overwritten(&self) -> Overwritten {
        self.overwritten.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_overwrite(&self, path: &Path, payload: &PutPayload) {
        let once = path.as_ref().ends_with("_metadata")
            || path.as_ref().ends_with("_prepared")
            || path.as_ref().contains("/_record/");
        if !once {
            return;
        }
        let Ok(before) = at_once(self.inner.get_opts(path, GetOptions::default())) else { return };
        let before = at_once(before.bytes()).unwrap_or_default();
        let now: Vec<u8> = payload.iter().flat_map(|part| part.to_vec()).collect();
        if before != now {
            let mut overwritten = self.overwritten.lock().unwrap_or_else(PoisonError::into_inner);
            overwritten.push(path.to_string());
        }
    }
}

impl fmt::Display for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated store")
    }
}

/// What a store in memory answers; it never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a store in memory does not wait")
}

fn failed(failure: Failure) -> Error {
    let text = match failure {
        Failure::Refused => "503 Slow Down",
        Failure::Unknown => "the connection was reset before an answer came",
    };
    Error::Generic { store: "simulated", source: text.into() }
}

#[async_trait]
impl ObjectStore for SimulatedStore {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let (this, at) = (self.clone(), path.clone());
        let put = move || {
            if options.mode == PutMode::Overwrite {
                this.note_overwrite(&at, &payload);
            }
            let put = at_once(this.inner.put_opts(&at, payload, options));
            let what = if put.is_ok() { "has" } else { "has already" };
            trace::line(format!("store {what} {at}"));
            put
        };
        self.service.call(put).await.map_err(failed)?
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented {
            operation: "multipart".to_owned(),
            implementer: "simulated".to_owned(),
        })
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let (inner, at) = (self.inner.clone(), path.clone());
        let get = move || at_once(inner.get_opts(&at, options));
        self.service.call(get).await.map_err(failed)?
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let delete = move |path: Result<Path>| {
            let this = this.clone();
            async move {
                let path = path?;
                let (inner, at) = (this.inner.clone(), path.clone());
                let delete = move || {
                    trace::line(format!("store deletes {at}"));
                    at_once(object_store::ObjectStoreExt::delete(inner.as_ref(), &at))
                };
                this.service.call(delete).await.map_err(failed)??;
                Ok(path)
            }
        };
        paths.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (service, inner, prefix) = (self.service.clone(), self.inner.clone(), prefix.cloned());
        let listed = async move {
            let list = move || at_once(inner.list(prefix.as_ref()).try_collect::<Vec<_>>());
            let objects = service.call(list).await.map_err(failed)??;
            Ok::<_, Error>(stream::iter(objects.into_iter().map(Ok)))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (inner, prefix) = (self.inner.clone(), prefix.cloned());
        let list = move || at_once(inner.list_with_delimiter(prefix.as_ref()));
        self.service.call(list).await.map_err(failed)?
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (inner, from, to) = (self.inner.clone(), from.clone(), to.clone());
        let copy = move || at_once(inner.copy_opts(&from, &to, options));
        self.service.call(copy).await.map_err(failed)?
    }
}
