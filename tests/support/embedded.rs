//! An embedded broker in a temporary folder, on any free port.

use broker::{Broker, BrokerConfig, Port};
use tempfile::TempDir;

/// A broker and its folder; both end with it.
pub(crate) struct Embedded {
    pub(crate) broker: Option<Broker>,
    pub(crate) folder: TempDir,
}

impl Embedded {
    /// A new, empty broker.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let broker = Some(open(&folder));
        Self { broker, folder }
    }

    /// `host:port`.
    pub(crate) fn brokers(&self) -> String {
        self.broker.as_ref().expect("the broker is open").address().to_string()
    }
}

/// Opens the broker in `folder` on any free port.
pub(crate) fn open(folder: &TempDir) -> Broker {
    let config = BrokerConfig { port: Port::Any, ..BrokerConfig::new(folder.path()) };
    Broker::open(&config).expect("the embedded broker opens")
}
