//! A control group that limits the memory of a command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A group of its own, which ends with the test: version 1 or 2, whichever the machine has.
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    /// The file that counts the processes killed.
    events: &'static str,
}

impl MemoryGroup {
    /// Makes a group of so many MiB. None where this process may not, which is said.
    #[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
    pub(crate) fn make(mebibytes: u64) -> Option<Self> {
        static GROUPS: AtomicU32 = AtomicU32::new(0);
        let legacy = Path::new("/sys/fs/cgroup/memory");
        let (root, limit, events) = if legacy.join("memory.limit_in_bytes").exists() {
            (legacy, "memory.limit_in_bytes", "memory.oom_control")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.max", "memory.events")
        };
        let number = GROUPS.fetch_add(1, Ordering::Relaxed);
        let folder = root.join(format!("engine-test-{}-{number}", std::process::id()));
        let made = std::fs::create_dir(&folder);
        let group = made.map(|()| Self { folder, events });
        let limited = group.and_then(|group| {
            std::fs::write(group.folder.join(limit), (mebibytes << 20).to_string())?;
            Ok(group)
        });
        match limited {
            Ok(group) => Some(group),
            Err(error) => {
                eprintln!("skipped: no control group of memory can be made here: {error}");
                None
            }
        }
    }

    /// The command, in the group from its first byte on.
    pub(crate) fn around(&self, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(self.folder.join("cgroup.procs"));
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        shell
    }

    /// How many processes of the group the system has killed for want of memory.
    pub(crate) fn kills(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.join(self.events)).expect("its events");
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.and_then(|kills| kills.parse().ok()).expect("how many were killed")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // A group that still has a process ends with the machine.
        let _removed = std::fs::remove_dir(&self.folder);
    }
}
