//! How much memory there is: the least of the machine's and what its control groups allow.

use std::fs;
use std::path::Path;

use catalog::project::runtime::MemoryLimit;

/// What the engine may hold if nobody says: the rest is for the system and its page cache.
const DEFAULT_PERCENT: u64 = 70;

/// Where control groups are found, and the file that limits memory: version 2, then version 1.
const UNIFIED: (&str, &str) = ("/sys/fs/cgroup", "memory.max");
const LEGACY: (&str, &str) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes");

/// Bytes that the engine may hold; none where the system does not tell how many there are.
pub(crate) fn limit(setting: Option<MemoryLimit>) -> Option<u64> {
    let percent = match setting {
        Some(MemoryLimit::Bytes(bytes)) => return Some(bytes),
        Some(MemoryLimit::Percent(percent)) => u64::from(percent),
        None => DEFAULT_PERCENT,
    };
    total().map(|total| total / 100 * percent)
}

fn total() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let limits = limit_files(&groups).filter_map(|file| bytes(&fs::read_to_string(file).ok()?));
    limits.chain(machine.as_deref().and_then(machine_bytes)).min()
}

/// The files that may limit this process: those of its groups and of all groups around them.
fn limit_files(groups: &str) -> impl Iterator<Item = std::path::PathBuf> + '_ {
    groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next(), parts.next(), parts.next());
        let place = match controllers {
            Some("") => Some(UNIFIED),
            Some(names) if names.split(',').any(|name| name == "memory") => Some(LEGACY),
            Some(_) | None => None,
        };
        let path = path.unwrap_or_default().trim_start_matches('/');
        place.into_iter().flat_map(move |(root, file)| {
            Path::new(path).ancestors().map(move |group| Path::new(root).join(group).join(file))
        })
    })
}

fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn machine_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    bytes(line.trim().strip_suffix("kB")?).map(|kibibytes| kibibytes * 1_024)
}

#[cfg(test)]
mod tests;
