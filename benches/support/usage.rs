//! What a measurement costs: CPU time, memory, and how busy the machine was beside it.

use std::fs;
use std::io;
use std::process::Child;
use std::time::Duration;

/// CPU time that the calling thread has used.
pub(crate) fn thread_cpu() -> Duration {
    cpu_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time that all threads of this process have used.
pub(crate) fn process_cpu() -> Duration {
    cpu_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

#[expect(unsafe_code, reason = "std has no CPU clock")]
fn cpu_clock(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for a write of its type during the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(result, 0, "the clock is there on Linux");
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// What a process used from start to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildUsage {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// The most memory that it ever had resident.
    pub(crate) peak_rss_bytes: u64,
    /// Whether it exited with 0.
    pub(crate) is_success: bool,
}

/// Waits for the end of a process.
///
/// # Errors
/// Those of `wait4`.
#[expect(unsafe_code, reason = "std does not tell what a child used")]
pub(crate) fn wait(child: &Child) -> io::Result<ChildUsage> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are valid for writes of their types during the call.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    if waited != pid {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `rusage` is made of integers, for which zeroed bytes are values too.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| {
        let micros = Duration::from_micros(time.tv_usec.unsigned_abs());
        Duration::from_secs(time.tv_sec.unsigned_abs()) + micros
    };
    Ok(ChildUsage {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_rss_bytes: usage.ru_maxrss.unsigned_abs() * 1_024,
        is_success: status == 0,
    })
}

/// CPU time that a running process has used, to a hundredth of a second.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; after it utime and stime are fields 12 and 13.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that this process ever had resident.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1_024
}

/// Load averages of the last 1, 5 and 15 minutes: above 1 a figure is not of a quiet machine.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
