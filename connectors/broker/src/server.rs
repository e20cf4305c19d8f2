//! Connections: accepted up to a limit, each served in order, one request at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

use crate::api::fetch::Frame;
use crate::api::{self, fetch};
use crate::clock;
use crate::files::Durability;
use crate::node::{Call, Node};
use crate::wire::{self, Close, Incoming};

/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 2_000;

/// How much room is made at once for a request that claims to be large.
const READ_STEP_BYTES: usize = 1024 * 1024;

/// Room for the usual request.
const READ_LEAST_BYTES: usize = 16 * 1024;

/// How often deadlines of members and transactions are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Pause after a failed accept (no file descriptors left), so that it is not tried in a circle.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` changes.
pub(crate) async fn accept(
    node: Arc<Node>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                clock::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (node, mut stop) = (Arc::clone(&node), stop.clone());
        tokio::spawn(async move {
            let served = tokio::select! {
                served = serve(&node, stream, client) => served,
                _ = stop.changed() => Ok(()),
            };
            if let Err(error) = served {
                debug!(%client, %error, "connection closed");
            }
            drop(permit);
        });
    }
}

/// Lets time pass until `stop` changes.
pub(crate) async fn tick(node: Arc<Node>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = clock::sleep(TICK) => {}
            _ = stop.changed() => return,
        }
        let node = Arc::clone(&node);
        // Ending a transaction may wait for the disk.
        if tokio::task::spawn_blocking(move || node.tick()).await.is_err() {
            warn!("looking at deadlines failed");
        }
    }
}

async fn serve(node: &Node, stream: TcpStream, client: SocketAddr) -> Result<(), Close> {
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    let mut connection = Connection { stream, input: BytesMut::new() };
    let (mut out, mut frame) = (Vec::new(), Frame::default());
    while let Some(request) = connection.next_request().await? {
        let incoming = Incoming::read(request)?;
        let call = Call {
            node,
            version: incoming.version,
            client_id: incoming.client_id.clone(),
            client,
            local,
        };
        if incoming.key == ApiKey::Fetch {
            fetch::serve(&call, &incoming, &mut frame, connection.next_arrives()).await?;
            connection.stream.write_all(frame.bytes()).await?;
            continue;
        }
        let has_answer = if node.durability == Durability::Power && waits_for_disk(incoming.key) {
            tokio::task::block_in_place(|| api::answer_at_once(&call, &incoming, &mut out))?
        } else {
            api::answer(&call, &incoming, &mut out).await?
        };
        if has_answer {
            connection.stream.write_all(&out).await?;
        }
    }
    Ok(())
}

/// Whether a request of this type ends with data handed to the disk.
fn waits_for_disk(key: ApiKey) -> bool {
    matches!(key, ApiKey::Produce | ApiKey::EndTxn | ApiKey::OffsetCommit | ApiKey::InitProducerId)
}

struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    /// The next request without its length; `None` when the client has closed.
    async fn next_request(&mut self) -> Result<Option<Bytes>, Close> {
        loop {
            let length = wire::frame_length(&self.input)?;
            let missing = match length {
                Some(length) if self.input.len() >= length + 4 => {
                    let mut frame = self.input.split_to(length + 4);
                    return Ok(Some(frame.split_off(4).freeze()));
                }
                Some(length) => length + 4 - self.input.len(),
                None => 4,
            };
            // What a client claims is believed step by step, as its bytes arrive.
            self.input.reserve(missing.clamp(READ_LEAST_BYTES, READ_STEP_BYTES));
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Resolves when the client has sent more, or has gone.
    async fn next_arrives(&self) {
        if self.input.is_empty() {
            // An error is news as well: reading or writing will meet it again.
            drop(self.stream.peek(&mut [0]).await);
        }
    }
}

/// Answers one request that came from nowhere, for the fuzzer.
pub(crate) async fn answer_alone(node: &Node, bytes: &[u8]) {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let Ok(incoming) = Incoming::read(Bytes::copy_from_slice(bytes)) else { return };
    let (version, client_id) = (incoming.version, incoming.client_id.clone());
    let call = Call { node, version, client_id, client: nowhere, local: nowhere };
    let mut frame = Frame::default();
    let served = async {
        if incoming.key == ApiKey::Fetch {
            fetch::serve(&call, &incoming, &mut frame, std::future::ready(())).await
        } else {
            api::answer(&call, &incoming, &mut Vec::new()).await.map(|_| ())
        }
    };
    // A join waits for other members; a client's connection would end with it.
    if let Some(Err(error)) = clock::until(clock::monotonic(), served).await {
        debug!(%error, "request refused");
    }
}
