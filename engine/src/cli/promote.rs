//! `engine promote`: the standby of this folder takes over now. Needs no broker.

use std::process::ExitCode;
use std::time::Duration;

use runtime::{LocalError, PromoteRequest, Promotion};
use stream::{Clock, SystemClock};

use super::arguments::PromoteArguments;
use super::{Context, Scope};
use crate::{Error, session};

/// How often the standby is asked whether it has taken over.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn run(context: &Context, arguments: &PromoteArguments) -> Result<ExitCode, Error> {
    let instance = arguments.instance.clone();
    let engine = context.open(Scope { instance, ..Scope::default() })?;
    let folder = session::state_folder(engine.folder(), &engine.names()?);
    let failed = |error: LocalError| Error::Run(error.into());
    let clock = SystemClock::new();
    let Some(request) = PromoteRequest::place(&folder).map_err(failed)? else {
        let message = format!("no standby waits in `{}`", folder.display());
        let help = "start one there with `engine run --standby`; one on another machine is promoted there, and a start with `--take-over` pushes a running engine aside as well";
        return Err(Error::usage(message, help));
    };
    loop {
        match request.look().map_err(failed)? {
            Promotion::Done => break,
            Promotion::Abandoned => {
                let help = "its messages say why; a running engine was not touched, or says so";
                return Err(Error::usage("the standby ended and did not take over", help));
            }
            Promotion::Waiting if clock.monotonic() > arguments.timeout => {
                request.withdraw().map_err(failed)?;
                let message =
                    format!("the standby has not taken over within {:?}", arguments.timeout);
                return Err(Error::usage(message, "its messages say what it waits for"));
            }
            Promotion::Waiting => std::thread::park_timeout(LOOK),
        }
    }
    let taken = clock.monotonic();
    context.screen.say(&format!("the standby has taken over, after {:.2} s", taken.as_secs_f64()));
    Ok(ExitCode::SUCCESS)
}
