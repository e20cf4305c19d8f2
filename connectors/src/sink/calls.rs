//! Transactional calls on a thread of their own, under watch: librdkafka's may hang for ever
//! (confluentinc/librdkafka#5511) and do not keep their own time limits (#5456).
//!
//! **Invariant:** a handle is never freed while a call is inside: the thread that is in the call
//! keeps it alive, also after it was given up.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_kafka::{Consumer, KafkaError};

use super::writer::Writer;
use crate::{Cluster, ConnectorError};

/// How often a call that takes long is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long another connection may take to say that the cluster answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

type Call = Box<dyn FnOnce(&Writer) -> Result<(), KafkaError> + Send>;

/// The thread that is inside a call, seen from outside.
pub(super) struct Calls {
    requests: Option<SyncSender<Call>>,
    answers: Receiver<Result<(), KafkaError>>,
    thread: Option<JoinHandle<()>>,
    watch: Watch,
    is_hung: bool,
}

/// Tells a call that hangs from one that waits for a broker that is down.
pub(super) struct Watch {
    cluster: Cluster,
    connection: Option<Consumer>,
}

impl Calls {
    pub(super) fn start(writer: &Arc<Writer>, watch: Watch) -> Self {
        let (requests, calls) = sync_channel::<Call>(1);
        let (answer, answers) = sync_channel(1);
        let writer = Arc::clone(writer);
        let thread = std::thread::spawn(move || {
            for call in calls {
                if answer.send(call(&writer)).is_err() {
                    return;
                }
            }
        });
        Self { requests: Some(requests), answers, thread: Some(thread), watch, is_hung: false }
    }

    /// Makes a call and waits for its end, or until it hangs: has not ended after `limit`, while the
    /// cluster answers others. Then the handle is lost.
    ///
    /// # Errors
    /// The call's; [`ConnectorError::Hung`].
    pub(super) fn run(
        &mut self,
        (action, limit): (&'static str, Duration),
        call: impl FnOnce(&Writer) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<(), ConnectorError> {
        let hung = |limit| Err(ConnectorError::Hung { action, limit });
        let Some(requests) = self.requests.as_ref().filter(|_| !self.is_hung) else {
            return hung(limit);
        };
        if requests.send(Box::new(call)).is_err() {
            return hung(Duration::ZERO);
        }
        let mut silent = Duration::ZERO;
        loop {
            match self.answers.recv_timeout(LOOK) {
                Ok(result) => return Ok(result?),
                Err(RecvTimeoutError::Disconnected) => return hung(silent),
                Err(RecvTimeoutError::Timeout) => {
                    if self.watch.is_answered() {
                        silent += LOOK;
                    }
                    if silent >= limit {
                        tracing::warn!(action, ?silent, "a call hangs; its handle is given up");
                        self.is_hung = true;
                        return hung(silent);
                    }
                }
            }
        }
    }

    /// Ends the thread, and waits for it unless it is inside a call that hangs.
    pub(super) fn end(&mut self) {
        self.requests = None;
        let thread = self.thread.take().filter(|_| !self.is_hung);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the transactional calls panicked");
        }
    }
}

impl Watch {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), connection: None }
    }

    /// Whether the cluster answers on another connection.
    fn is_answered(&mut self) -> bool {
        if self.connection.is_none() {
            self.connection = Consumer::open(&self.cluster.query_settings()).ok();
        }
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.metadata(None, ANSWER_TIMEOUT).is_ok())
    }
}
