//! A TCP proxy before a broker, which can lose single requests or replies of Kafka's protocol, or
//! let what the engine writes through slowly.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Kafka's number of the request that ends a transaction.
pub(crate) const END_TRANSACTION: u16 = 26;

/// Kafka's number of the request that writes records.
const PRODUCE: u16 = 0;

/// The engine's `client.id`.
const ENGINE: &[u8] = b"engine";

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Requests of this kind never arrive.
    Requests(u16),
    /// Requests of this kind arrive; their replies do not.
    Replies(u16),
}

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    address: SocketAddr,
    rules: Arc<Mutex<Rules>>,
}

#[derive(Default)]
struct Rules {
    target: Option<SocketAddr>,
    loss: Option<Loss>,
    /// How often something was lost.
    lost: u32,
    /// How many bytes of records a second the engine may write.
    engines_rate: Option<u32>,
    /// For how long the engine's records have been held back, in all.
    held: Duration,
}

impl Proxy {
    /// Listens; connections are refused until it has a target.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let rules = Arc::new(Mutex::new(Rules::default()));
        let shared = Arc::clone(&rules);
        // Ends with the test process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let target = lock(&shared).target;
                // A broker that is down refuses: so does the proxy.
                let Some(Ok(server)) = target.map(TcpStream::connect) else { continue };
                serve(client, server, &shared);
            }
        });
        Self { address, rules }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections go from now on.
    pub(crate) fn set_target(&self, target: SocketAddr) {
        lock(&self.rules).target = Some(target);
    }

    /// What is lost from now on.
    pub(crate) fn lose(&self, loss: Option<Loss>) {
        lock(&self.rules).loss = loss;
    }

    /// How many bytes of records a second the engine may write from now on.
    pub(crate) fn slow_down(&self, bytes_per_second: Option<u32>) {
        lock(&self.rules).engines_rate = bytes_per_second;
    }

    /// For how long the engine's records have been held back, in all.
    pub(crate) fn held(&self) -> Duration {
        lock(&self.rules).held
    }

    /// How often something was lost.
    pub(crate) fn lost(&self) -> u32 {
        lock(&self.rules).lost
    }
}

fn lock(rules: &Mutex<Rules>) -> std::sync::MutexGuard<'_, Rules> {
    rules.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(client: TcpStream, server: TcpStream, rules: &Arc<Mutex<Rules>>) {
    let unanswered = Arc::new(Mutex::new(BTreeSet::new()));
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    let (back_from, back_to) = (clone(&server), clone(&client));
    let (requests, replies) = (Arc::clone(rules), Arc::clone(rules));
    let silenced = Arc::clone(&unanswered);
    std::thread::spawn(move || {
        pass(client, server, |frame| {
            hold_back(frame, &requests);
            is_request_passed(frame, &requests, &unanswered)
        });
    });
    std::thread::spawn(move || {
        pass(back_from, back_to, |frame| is_reply_passed(frame, &replies, &silenced));
    });
}

/// Passes frames until one side closes.
fn pass(mut from: TcpStream, mut to: TcpStream, is_passed: impl Fn(&[u8]) -> bool) {
    let mut frame = Vec::new();
    while read_frame(&mut from, &mut frame).is_ok() {
        if is_passed(&frame[4..]) && to.write_all(&frame).is_err() {
            break;
        }
    }
    // The other direction ends, too; a socket that is closed already is as good.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// Reads one frame, its length too.
fn read_frame(from: &mut TcpStream, frame: &mut Vec<u8>) -> std::io::Result<()> {
    frame.resize(4, 0);
    from.read_exact(frame)?;
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    frame.resize(4 + usize::try_from(length).expect("a small frame"), 0);
    from.read_exact(&mut frame[4..])
}

/// Takes the time that the engine's records shall take, as long as they shall.
fn hold_back(frame: &[u8], rules: &Mutex<Rules>) {
    const STEP: Duration = Duration::from_millis(10);
    if !is_of_engine(frame, PRODUCE) {
        return;
    }
    let bytes = u32::try_from(frame.len()).expect("a small frame");
    let mut held = Duration::ZERO;
    loop {
        let Some(rate) = lock(rules).engines_rate else { return };
        if held >= Duration::from_secs(bytes.into()) / rate {
            return;
        }
        std::thread::park_timeout(STEP);
        held += STEP;
        lock(rules).held += STEP;
    }
}

/// Whether it is a request of this kind, and the client says that it is the engine.
fn is_of_engine(frame: &[u8], kind: u16) -> bool {
    let number = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    number(0) == kind && frame.get(10..10 + usize::from(number(8))) == Some(ENGINE)
}

fn is_request_passed(
    frame: &[u8],
    rules: &Mutex<Rules>,
    unanswered: &Mutex<BTreeSet<[u8; 4]>>,
) -> bool {
    let kind = u16::from_be_bytes([frame[0], frame[1]]);
    let mut rules = lock(rules);
    match rules.loss {
        Some(Loss::Requests(lost)) if lost == kind => {
            rules.lost += 1;
            false
        }
        Some(Loss::Replies(lost)) if lost == kind => {
            let correlation = [frame[4], frame[5], frame[6], frame[7]];
            unanswered.lock().unwrap_or_else(PoisonError::into_inner).insert(correlation);
            true
        }
        _ => true,
    }
}

fn is_reply_passed(
    frame: &[u8],
    rules: &Mutex<Rules>,
    unanswered: &Mutex<BTreeSet<[u8; 4]>>,
) -> bool {
    let correlation = [frame[0], frame[1], frame[2], frame[3]];
    let is_lost = unanswered.lock().unwrap_or_else(PoisonError::into_inner).remove(&correlation);
    lock(rules).lost += u32::from(is_lost);
    !is_lost
}
