//! The one place where the broker asks the system for time, and the one that waits.
//!
//! A network server's timeouts are real time by nature (a client went away, a transaction was
//! abandoned); none of them decides what a record says. So the crate keeps its clock to itself
//! instead of importing `stream::Clock`, which its place in the layout forbids.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall clock in milliseconds since 1970-01-01 UTC, for timestamps that records carry.
#[expect(clippy::disallowed_methods, reason = "the broker's only reading of the wall clock")]
pub(crate) fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Monotonic time, for deadlines.
#[expect(clippy::disallowed_methods, reason = "the broker's only reading of the monotonic clock")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Waits for `wait`, on the runtime.
#[expect(clippy::disallowed_methods, reason = "the broker's only timer")]
pub(crate) async fn sleep(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// Runs `work` until `deadline`; `None` if it did not end by then.
pub(crate) async fn until<F: Future>(deadline: Instant, work: F) -> Option<F::Output> {
    let left = deadline.saturating_duration_since(monotonic());
    tokio::select! {
        output = work => Some(output),
        () = sleep(left) => None,
    }
}

/// Holds the calling thread for `wait`; only for threads outside the runtime.
pub(crate) fn pause(wait: Duration) {
    let deadline = monotonic() + wait;
    loop {
        let left = deadline.saturating_duration_since(monotonic());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}
