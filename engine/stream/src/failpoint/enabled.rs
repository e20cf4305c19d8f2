//! Failpoints of a build for tests.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{FailpointError, Injected, POINTS};

/// What happens at the armed places, those of one process.
static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

/// How often it is looked whether a test lets a thread go on.
const HOLD_LOOK: Duration = Duration::from_millis(5);

struct Armed {
    point: &'static str,
    action: Action,
    /// How often the place has been reached.
    reached: u32,
    /// When it happens, counted so.
    first: u32,
    /// Whether it happens at each time from then on.
    repeats: bool,
}

#[derive(Clone)]
enum Action {
    Error,
    Panic,
    Abort,
    Hold(PathBuf),
}

/// Lets the places that `text` names fail: `POINT=error|panic|abort[@TIMES]`, separated by commas.
/// Each fails once, at the TIMES-th time that it is reached, or with `@TIMES+` from then on.
/// `POINT=hold:PATH` holds who comes as the N-th while the file `PATH.N` exists, and says so with a
/// file `PATH.N.here`; where there is none, nobody is held.
///
/// # Errors
/// [`FailpointError`].
pub fn arm(text: &str) -> Result<(), FailpointError> {
    let all = text.split(',').map(armed).collect::<Result<Vec<_>, _>>()?;
    *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = all;
    Ok(())
}

fn armed(text: &str) -> Result<Armed, FailpointError> {
    let malformed = || FailpointError::Malformed { text: text.to_owned() };
    let (name, what) = text.split_once('=').ok_or_else(malformed)?;
    let unknown = || FailpointError::Unknown { name: name.to_owned() };
    let point = POINTS.into_iter().find(|point| *point == name).ok_or_else(unknown)?;
    if let Some(path) = what.strip_prefix("hold:") {
        let action = Action::Hold(PathBuf::from(path));
        return Ok(Armed { point, action, reached: 0, first: 1, repeats: true });
    }
    let (action, times) = what.split_once('@').unwrap_or((what, "1"));
    let action = match action {
        "error" => Action::Error,
        "panic" => Action::Panic,
        "abort" => Action::Abort,
        _ => return Err(malformed()),
    };
    let (times, repeats) = times.strip_suffix('+').map_or((times, false), |times| (times, true));
    let first = times.parse().ok().filter(|times| *times > 0).ok_or_else(malformed)?;
    Ok(Armed { point, action, reached: 0, first, repeats })
}

/// A place where the engine fails, or waits, if a test has armed it.
///
/// # Errors
/// [`Injected`] if that was asked for.
///
/// # Panics
/// If that was asked for, and for a place that is not in [`POINTS`].
pub fn reach(point: &'static str) -> Result<(), Injected> {
    assert!(POINTS.contains(&point), "the failpoint `{point}` is not in the list");
    let (action, reached) = {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = armed.iter_mut().find(|at| at.point == point) else { return Ok(()) };
        at.reached += 1;
        if at.reached < at.first || (at.reached > at.first && !at.repeats) {
            return Ok(());
        }
        (at.action.clone(), at.reached)
    };
    match action {
        Action::Error => Err(Injected { point }),
        Action::Panic => panic!("the failpoint `{point}` was reached"),
        Action::Abort => std::process::abort(),
        Action::Hold(path) => {
            hold(&path, reached);
            Ok(())
        }
    }
}

/// Waits as long as the test wants.
fn hold(path: &Path, reached: u32) {
    let path = path.display();
    let (held, here) = (format!("{path}.{reached}"), format!("{path}.{reached}.here"));
    if Path::new(&held).exists() {
        std::fs::write(here, "").expect("a test's folder can be written");
    }
    while Path::new(&held).exists() {
        std::thread::park_timeout(HOLD_LOOK);
    }
}
