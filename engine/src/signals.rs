//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends the process.

use std::io;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Error;

/// Exit codes of the second signal: 128 and the signal's number.
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;

/// Calls `on_first` at the first signal, on a thread of its own; the second ends the process.
///
/// # Errors
/// [`Error::System`] if the system takes no handler.
pub(crate) fn watch(on_first: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let failed = |source| Error::System { action: "watch for signals", source };
    let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
    // Registered before this returns, so that no signal after it is missed.
    let (interrupt, terminate) = {
        let _entered = runtime.enter();
        open().map_err(failed)?
    };
    let work = move || {
        runtime.block_on(async move {
            let (mut interrupt, mut terminate) = (interrupt, terminate);
            next(&mut interrupt, &mut terminate).await;
            on_first();
            let code = next(&mut interrupt, &mut terminate).await;
            end(code);
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(work).map_err(failed)?;
    Ok(())
}

fn open() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => INTERRUPTED,
        _ = terminate.recv() => TERMINATED,
    }
}

#[expect(clippy::exit, reason = "who asks twice does not want to wait for an orderly end")]
fn end(code: i32) {
    std::process::exit(code);
}
