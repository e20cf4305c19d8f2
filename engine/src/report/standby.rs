//! What a standby shows: for whom it stands by, how far behind it is, and what it will do.

use runtime::StandbyStatus;

use super::Append;
use super::live::short;

/// For people.
pub(crate) fn standby_words(standby: &StandbyStatus) -> String {
    let lease = standby.lease.as_secs();
    match &standby.owner {
        None if standby.lease.is_zero() => {
            "standby: the project has never run; waits for its first run, or `engine promote`"
                .to_owned()
        }
        None => format!(
            "standby: the last owner ended, {}; takes over when nothing was written for {lease} s, or with `engine promote`",
            distance(standby)
        ),
        Some(owner) => format!(
            "standby of `{owner}`, {}; takes over when that is silent for {lease} s, or with `engine promote`",
            distance(standby)
        ),
    }
}

/// For logs.
pub(crate) fn standby_plain(standby: &StandbyStatus) -> String {
    let mut text = "standby".to_owned();
    if let Some(owner) = &standby.owner {
        text.append(format_args!(" owner={owner}"));
    }
    text.append(format_args!(" epochs_behind={}", standby.epochs_behind));
    let behind_ms = standby.behind.unwrap_or_default().as_millis();
    let (silent_ms, lease_ms) = (standby.silent.as_millis(), standby.lease.as_millis());
    text.append(format_args!(" behind_ms={behind_ms} silent_ms={silent_ms} lease_ms={lease_ms}\n"));
    text
}

fn distance(standby: &StandbyStatus) -> String {
    match (standby.epochs_behind, standby.behind) {
        (0, _) | (_, None) => "nothing behind".to_owned(),
        (epochs, Some(behind)) => format!("{epochs} epochs and {} behind", short(behind)),
    }
}

#[cfg(test)]
mod tests;
