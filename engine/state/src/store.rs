//! An object store that blocks: files are created, read, listed and removed, never changed.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, parse_url_opts};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::StateError;

/// How many requests are under way at once.
const REQUESTS: usize = 8;

/// How often a file is tried to be created. The clients of remote stores wait and try by
/// themselves; this is for what they do not try again, such as S3's 409.
const CREATE_TRIES: usize = 3;

/// Where snapshots are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of the local disk.
    Folder(PathBuf),
    /// An object store.
    Url {
        /// E.g. `s3://bucket/path`.
        url: String,
        /// Settings of the store by `object_store`'s names, e.g. `aws_region`. May be secrets.
        options: Vec<(String, String)>,
    },
}

impl Location {
    /// A folder below.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(name)),
            Self::Url { url, options } => Self::Url {
                url: format!("{}/{name}", url.trim_end_matches('/')),
                options: options.clone(),
            },
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            // Without what may be a password.
            Self::Url { url, .. } => match Url::parse(url) {
                Ok(url) => {
                    let host = url.host_str().unwrap_or_default();
                    write!(f, "{}://{host}{}", url.scheme(), url.path())
                }
                Err(_not_an_url) => f.write_str("state_dir"),
            },
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its name below the store's root.
    pub(crate) path: String,
    /// Its length.
    pub(crate) bytes: u64,
}

/// A store and the folder in it that is ours.
#[derive(Debug)]
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
    root: Path,
    /// The same folder on the local disk: `object_store` does not force what it writes to the disk.
    disk: Option<PathBuf>,
    runtime: Runtime,
}

impl Store {
    /// Opens the place; a folder is made if it is not there.
    ///
    /// # Errors
    /// [`StateError::Place`].
    pub(crate) fn open(location: &Location) -> Result<Self, StateError> {
        let refused = |reason: String| StateError::Place { place: location.to_string(), reason };
        match location {
            Location::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
                let store = LocalFileSystem::new_with_prefix(folder)
                    .map_err(|error| refused(error.to_string()))?;
                let store = store.with_automatic_cleanup(true);
                Self::new(Arc::new(store), Path::default(), Some(folder.clone()))
            }
            Location::Url { url, options } => {
                let url = Url::parse(url).map_err(|error| refused(error.to_string()))?;
                let (store, root) = parse_url_opts(&url, options.clone())
                    .map_err(|error| refused(error.to_string()))?;
                Self::new(Arc::from(store), root, None)
            }
        }
    }

    /// A store that is open already.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        root: Path,
        disk: Option<PathBuf>,
    ) -> Result<Self, StateError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StateError::Place {
            place: store.to_string(),
            reason: format!("no runtime can be started: {error}"),
        })?;
        Ok(Self { objects: store, root, disk, runtime })
    }

    /// All files below `folder`.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<Stored>, StateError> {
        let within = self.at(folder);
        let files = self.objects.list(Some(&within)).try_collect::<Vec<_>>();
        let files = self.runtime.block_on(files).map_err(failed("list", folder))?;
        let ours = |file: &object_store::ObjectMeta| {
            let parts = file.location.prefix_match(&self.root)?;
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some(Stored { path: parts.join("/"), bytes: file.size })
        };
        Ok(files.iter().filter_map(ours).collect())
    }

    /// Reads files, each of which must be as long as is said here.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if one has another length, before it is read; [`StateError::Store`].
    pub(crate) fn read(&self, files: Vec<Stored>) -> Result<Vec<Bytes>, StateError> {
        let reads = files.into_iter().map(|file| self.read_one(file));
        let reads = futures::stream::iter(reads).buffered(REQUESTS).try_collect();
        self.runtime.block_on(reads)
    }

    async fn read_one(&self, file: Stored) -> Result<Bytes, StateError> {
        let got = self.objects.get(&self.at(&file.path)).await;
        let got = got.map_err(failed("read", &file.path))?;
        if got.meta.size != file.bytes {
            let reason = format!("it has {} bytes instead of {}", got.meta.size, file.bytes);
            return Err(StateError::Damaged { path: file.path, reason });
        }
        got.bytes().await.map_err(failed("read", &file.path))
    }

    /// Creates files that are not there yet; on a local disk their bytes are on the disk afterwards.
    ///
    /// # Errors
    /// [`StateError::Store`], [`StateError::Disk`]: some may be there.
    pub(crate) fn create(&self, files: Vec<(String, Bytes)>) -> Result<(), StateError> {
        let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
        let writes = files.into_iter().map(|(path, bytes)| self.create_one(path, bytes));
        let writes = futures::stream::iter(writes).buffered(REQUESTS).try_collect::<()>();
        self.runtime.block_on(writes)?;
        paths.iter().try_for_each(|path| self.force(path))
    }

    async fn create_one(&self, path: String, bytes: Bytes) -> Result<(), StateError> {
        let at = self.at(&path);
        let mut tries = 0;
        loop {
            tries += 1;
            let options = PutOptions::from(PutMode::Create);
            let put = self.objects.put_opts(&at, bytes.clone().into(), options).await;
            let Err(error) = put else { return Ok(()) };
            // Nobody else uses the name, so what is there is ours: an earlier try that seemed to
            // fail. S3 gives the same answer (409) where another try is still under way.
            if matches!(error, Error::AlreadyExists { .. })
                && let Ok(found) = self.objects.get(&at).await
                && found.meta.size == bytes.len() as u64
                && found.bytes().await.is_ok_and(|found| found == bytes)
            {
                return Ok(());
            }
            if tries == CREATE_TRIES {
                return Err(failed("write", &path)(error));
            }
        }
    }

    /// Removes files; one that is gone already is no error.
    ///
    /// # Errors
    /// [`StateError::Store`]: some may be left.
    pub(crate) fn remove(&self, paths: &[String]) -> Result<(), StateError> {
        let removals = paths.iter().map(|path| async move {
            match self.objects.delete(&self.at(path)).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed("remove", path)(error)),
            }
        });
        let removals = futures::stream::iter(removals).buffered(REQUESTS).try_collect::<()>();
        self.runtime.block_on(removals)
    }

    fn at(&self, path: &str) -> Path {
        let parts = path.split('/').filter(|part| !part.is_empty());
        self.root.parts().chain(parts.map(object_store::path::PathPart::from)).collect()
    }

    /// Forces the names of the files in `folder`, and its own, to the local disk.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub(crate) fn force_names(&self, folder: &str) -> Result<(), StateError> {
        let mut folder = folder;
        self.force(folder)?;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            folder = parent;
            self.force(folder)?;
        }
        self.force("")
    }

    fn force(&self, path: &str) -> Result<(), StateError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let path = disk.join(path);
        let forced = File::open(&path).and_then(|file| file.sync_all());
        forced.map_err(|source| StateError::Disk { action: "force to the disk", path, source })
    }
}

fn failed<'a>(action: &'static str, path: &'a str) -> impl FnOnce(Error) -> StateError + 'a {
    move |source| StateError::Store { action, path: path.to_owned(), source }
}
