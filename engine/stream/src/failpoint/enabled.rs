//! Failpoints of a build for tests.

use std::sync::{Mutex, PoisonError};

use super::{FailpointError, Injected, POINTS};

/// What happens at the armed place. One place a process: a test that wants two starts it twice.
static ARMED: Mutex<Option<Armed>> = Mutex::new(None);

struct Armed {
    point: &'static str,
    action: Action,
    /// How often the place is reached until it happens.
    times_left: u32,
}

#[derive(Clone, Copy)]
enum Action {
    Error,
    Panic,
    Abort,
}

/// Lets the place that `text` names fail once: `POINT=error|panic|abort[@TIMES]`, at the TIMES-th
/// time that it is reached.
///
/// # Errors
/// [`FailpointError`].
pub fn arm(text: &str) -> Result<(), FailpointError> {
    let malformed = || FailpointError::Malformed { text: text.to_owned() };
    let (name, what) = text.split_once('=').ok_or_else(malformed)?;
    let (action, times) = what.split_once('@').unwrap_or((what, "1"));
    let action = match action {
        "error" => Action::Error,
        "panic" => Action::Panic,
        "abort" => Action::Abort,
        _ => return Err(malformed()),
    };
    let times_left = times.parse().ok().filter(|times| *times > 0).ok_or_else(malformed)?;
    let unknown = || FailpointError::Unknown { name: name.to_owned() };
    let point = POINTS.into_iter().find(|point| *point == name).ok_or_else(unknown)?;
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    *armed = Some(Armed { point, action, times_left });
    Ok(())
}

/// A place where the engine fails if a test has armed it.
///
/// # Errors
/// [`Injected`] if that was asked for.
///
/// # Panics
/// If that was asked for, and for a place that is not in [`POINTS`].
pub fn reach(point: &'static str) -> Result<(), Injected> {
    assert!(POINTS.contains(&point), "the failpoint `{point}` is not in the list");
    let action = {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = armed.as_mut().filter(|at| at.point == point) else { return Ok(()) };
        at.times_left -= 1;
        if at.times_left > 0 {
            return Ok(());
        }
        armed.take().map(|at| at.action)
    };
    match action {
        None => Ok(()),
        Some(Action::Error) => Err(Injected { point }),
        Some(Action::Panic) => panic!("the failpoint `{point}` was reached"),
        Some(Action::Abort) => std::process::abort(),
    }
}
