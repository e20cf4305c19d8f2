//! An object store in memory whose calls fail where a test wants it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does nothing and fails; so do all that follow.
    Down,
    /// It does nothing and fails, once.
    Once,
    /// A write is done, but its answer is lost and the client's own second try says 409.
    Conflict,
    /// A write is not done, and the answer is 409: another try is under way.
    Refused,
}

/// The store.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: InMemory,
    fault: Fault,
    at: AtomicUsize,
    calls: AtomicUsize,
}

impl Faulty {
    /// A store whose call number `at`, counted from 0, meets `fault`.
    pub(super) fn new(fault: Fault, at: usize) -> Self {
        let (at, calls) = (AtomicUsize::new(at), AtomicUsize::new(0));
        Self { inner: InMemory::new(), fault, at, calls }
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Does something while calls from number `at` on meet the fault, and none afterwards.
    pub(super) fn failing_from<T>(&self, at: usize, act: impl FnOnce() -> T) -> T {
        self.calls.store(0, Ordering::SeqCst);
        self.at.store(at, Ordering::SeqCst);
        let done = act();
        self.at.store(usize::MAX, Ordering::SeqCst);
        done
    }

    /// What this call meets.
    fn meet(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let at = self.at.load(Ordering::SeqCst);
        let is_met = match self.fault {
            Fault::Down => call >= at,
            Fault::Once | Fault::Conflict | Fault::Refused => call == at,
        };
        is_met.then_some(self.fault)
    }

    /// For calls that write nothing a conflict has no meaning.
    fn check(&self) -> Result<()> {
        match self.meet() {
            Some(Fault::Down | Fault::Once) => Err(down()),
            Some(Fault::Conflict | Fault::Refused) | None => Ok(()),
        }
    }
}

fn down() -> Error {
    Error::Generic { store: "faulty", source: "it is down".into() }
}

fn conflict(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "409 Conflict".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self.meet() {
            Some(Fault::Down | Fault::Once) => Err(down()),
            Some(Fault::Refused) => Err(conflict(location)),
            Some(Fault::Conflict) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(conflict(location))
            }
            None => self.inner.put_opts(location, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.check() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
