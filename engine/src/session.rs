//! Which project, and the way to its Kafka.
//!
//! Without `runtime.kafka` that is the embedded broker: opened here if the folder's lock is free,
//! else the one of the process that holds it, and taken over when that process ends.

mod heir;

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerError, Port};
use catalog::project::Project;
use catalog::project::runtime::{BrokerSettings, EngineSettings, Fsync};
use connectors::Cluster;
use runtime::Names;
use state::Location;

use crate::Error;
use heir::Heir;

/// What makes a folder a project.
const ROOT_FILES: [&str; 2] = ["stream_project.yml", "stream_project.yaml"];

/// Folders that a project without a root file has.
const BARE_FOLDERS: [&str; 2] = ["models", "sources"];

/// Beginnings of the variables that set up object stores.
const STORE_VARIABLES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// How long between two tries to open the broker of a folder that has an owner. A try itself takes
/// as long, because the broker waits for who only asks.
const OWNER_PAUSE: Duration = Duration::from_millis(50);

/// How often an owner is asked that has the lock and no address yet: it is starting or ending,
/// which takes it well under these ten seconds.
const OWNER_TRIES: u32 = 100;

/// How often who stays looks whether an owner that does not stay has gone: for two seconds, which
/// most commands do not need. After that its broker is used until it ends.
const BRIEF_OWNER_TRIES: u32 = 20;

/// How long a session is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// For one command.
    Brief,
    /// Until somebody stops it: others may rely on its broker.
    Lasting,
}

/// An open way to a project's topics. Dropping it closes an embedded broker that it opened.
#[derive(Debug)]
pub struct Session {
    cluster: Cluster,
    access: Access,
}

/// Whose cluster it is.
#[derive(Debug)]
enum Access {
    /// A Kafka of the user's.
    Kafka,
    /// The embedded broker runs here.
    Owner(Broker),
    /// The embedded broker runs in another process.
    Guest(Heir),
}

impl Session {
    /// Opens the way to the topics of `project`, which lies in `folder`.
    ///
    /// # Errors
    /// [`Error::Broker`].
    pub fn open(folder: &Path, project: &Project, stay: Stay) -> Result<Self, Error> {
        match &project.runtime.kafka {
            Some(kafka) => {
                Ok(Self { cluster: Cluster::kafka(kafka, folder), access: Access::Kafka })
            }
            None => Self::embedded(folder, &project.runtime.broker, stay),
        }
    }

    /// The embedded broker of `folder`.
    fn embedded(folder: &Path, settings: &BrokerSettings, stay: Stay) -> Result<Self, Error> {
        let config = broker_config(folder, settings, stay)?;
        match open_broker(&config) {
            Ok(broker) => {
                let cluster = Cluster::embedded(broker.address());
                Ok(Self { cluster, access: Access::Owner(broker) })
            }
            Err(BrokerError::InUse { owner: Some(owner), .. }) => {
                let access = Access::Guest(Heir::watch(config, owner)?);
                Ok(Self { cluster: Cluster::embedded(owner.address), access })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Whether an embedded broker runs in this process.
    pub fn is_owner(&self) -> bool {
        match &self.access {
            Access::Kafka => false,
            Access::Owner(_) => true,
            Access::Guest(heir) => heir.has_taken_over(),
        }
    }

    /// What topics asked for and the embedded broker does not do, as sentences for people.
    pub fn notes(&self) -> Vec<String> {
        match &self.access {
            Access::Owner(broker) => broker.notes(),
            Access::Kafka | Access::Guest(_) => Vec::new(),
        }
    }

    /// Ends the embedded broker in order, if it runs here.
    pub fn close(self) {
        match self.access {
            Access::Kafka => {}
            Access::Owner(broker) => broker.close(),
            Access::Guest(heir) => heir.close(),
        }
    }
}

/// Opens a broker, waiting for an owner that is starting or ending, and who stays also for one
/// that does not.
///
/// # Errors
/// [`BrokerError::InUse`] if the owner is still there; the broker's others.
pub(crate) fn open_broker(config: &BrokerConfig) -> Result<Broker, BrokerError> {
    for tries in 1.. {
        let error = match Broker::open(config) {
            Ok(broker) => return Ok(broker),
            Err(error) => error,
        };
        let tries_max = match &error {
            BrokerError::InUse { owner: None, .. } => OWNER_TRIES,
            BrokerError::InUse { owner: Some(owner), .. } if config.stays && !owner.stays => {
                BRIEF_OWNER_TRIES
            }
            _ => return Err(error),
        };
        if tries >= tries_max {
            return Err(error);
        }
        std::thread::park_timeout(OWNER_PAUSE);
    }
    unreachable!("the range has no end")
}

/// How the project wants its embedded broker.
pub(crate) fn broker_config(
    folder: &Path,
    settings: &BrokerSettings,
    stay: Stay,
) -> Result<BrokerConfig, Error> {
    let mut config = BrokerConfig::new(engine_folder(folder));
    config.stays = stay == Stay::Lasting;
    config.fsync = match settings.fsync {
        Fsync::Never => broker::Fsync::Never,
        Fsync::Commit => broker::Fsync::Commit,
    };
    if let Some(listen) = &settings.listen {
        let address = socket_address(listen)?;
        config.host = address.ip();
        config.port = if address.port() == 0 { Port::Any } else { Port::Exactly(address.port()) };
    }
    Ok(config)
}

fn socket_address(text: &str) -> Result<SocketAddr, Error> {
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| {
        addresses.find(|address| matches!(address.ip(), IpAddr::V4(_)) || text.starts_with('['))
    });
    found.ok_or_else(|| {
        let help = format!("write `HOST:PORT`, such as `{}:19092`", Ipv4Addr::LOCALHOST);
        Error::usage(format!("`runtime.broker.listen: {text}` is no address"), help)
    })
}

/// The folder for everything that the engine keeps beside the project's files.
pub(crate) fn engine_folder(folder: &Path) -> PathBuf {
    folder.join(".engine")
}

/// Whether a name that was typed may become part of a path and of topics' names.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c))
}

/// Where the snapshots of one running instance are kept: in its state folder, or where
/// `runtime.engine.state_dir` says. Keys and endpoints of object stores come from the variables that
/// their own tools read, such as AWS_ACCESS_KEY_ID.
pub(crate) fn snapshots(
    folder: &Path,
    (settings, variables): (&EngineSettings, &HashMap<String, String>),
    names: &Names,
) -> Location {
    let Some(place) = &settings.state_dir else {
        return Location::Folder(state_folder(folder, names));
    };
    let place = if place.contains("://") {
        let options = variables
            .iter()
            .filter(|(name, _)| STORE_VARIABLES.iter().any(|prefix| name.starts_with(prefix)));
        let options = options.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        Location::Url { url: place.clone(), options: options.collect() }
    } else {
        Location::Folder(folder.join(place))
    };
    let place = place.join(&names.project).join(&names.environment);
    match &names.instance {
        Some(instance) => place.join(instance),
        None => place,
    }
}

/// The folder for lock and state of one running instance.
pub(crate) fn state_folder(folder: &Path, names: &Names) -> PathBuf {
    let state = engine_folder(folder).join("state").join(&names.environment);
    match &names.instance {
        Some(instance) => state.join(instance),
        None => state,
    }
}

/// The project's folder: the one given, else the nearest parent of `current` with a root file,
/// else `current` itself.
pub(crate) fn find_project(given: Option<&Path>, current: &Path) -> Result<PathBuf, Error> {
    if let Some(folder) = given {
        if !folder.is_dir() {
            let message = format!("there is no folder `{}`", folder.display());
            return Err(Error::usage(message, "give the project's folder with `--project DIR`"));
        }
        return Ok(folder.to_owned());
    }
    let found = current.ancestors().find(|folder| has_root_file(folder));
    Ok(found.unwrap_or(current).to_owned())
}

/// Whether the folder has a stream_project.yml.
pub(crate) fn has_root_file(folder: &Path) -> bool {
    ROOT_FILES.iter().any(|name| folder.join(name).is_file())
}

/// Whether the folder looks like a project without a root file.
pub(crate) fn is_bare_project(folder: &Path) -> bool {
    !has_root_file(folder) && BARE_FOLDERS.iter().any(|name| folder.join(name).is_dir())
}

/// The name that a project without a root file had at its first run, so that a renamed folder
/// keeps its state.
pub(crate) fn kept_name(folder: &Path) -> Option<String> {
    if has_root_file(folder) {
        return None;
    }
    let name = fs::read_to_string(engine_folder(folder).join("project")).ok()?;
    let name = name.trim();
    let is_sound = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c));
    is_sound.then(|| name.to_owned())
}

/// Keeps the name of a project without a root file.
pub(crate) fn keep_name(folder: &Path, name: &str) -> Result<(), Error> {
    if has_root_file(folder) || kept_name(folder).is_some() {
        return Ok(());
    }
    let engine = engine_folder(folder);
    let path = engine.join("project");
    let failed = |source| Error::File { action: "write", path: path.clone(), source };
    fs::create_dir_all(&engine).map_err(failed)?;
    fs::write(&path, format!("{name}\n")).map_err(failed)
}

#[cfg(test)]
mod tests;
