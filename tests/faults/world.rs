//! A project with its topics on a broker, and an engine that runs it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use stream::{Clock, SystemClock};

use crate::client::Cluster;
use crate::command::Folder;
use crate::feed::Feed;
use crate::judge::{Verdict, judge};
use crate::reader::committed_values;

/// Partitions of the source.
pub(crate) const PARTITIONS: usize = 3;

/// How long anything may take: librdkafka's calls may hang, which is noticed after half a minute, and
/// the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_mins(3);

/// How often something that will happen is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// The project of `tests/fixtures/faults`, its topics named after `prefix`.
pub(crate) struct World {
    pub(crate) folder: Folder,
    pub(crate) cluster: Cluster,
    pub(crate) brokers: String,
    pub(crate) prefix: String,
}

impl World {
    /// The project on the broker at `brokers`; its source's topic exists.
    pub(crate) fn new(brokers: &str, prefix: &str) -> Self {
        let world = Self {
            folder: project(brokers, prefix),
            cluster: Cluster::at(brokers.to_owned()),
            brokers: brokers.to_owned(),
            prefix: prefix.to_owned(),
        };
        let partitions = i32::try_from(PARTITIONS).expect("a small number");
        world.cluster.topic(&world.topic("events"), partitions);
        world
    }

    /// Another folder with the same project: another machine, to the engine.
    pub(crate) fn twin(&self) -> Folder {
        project(&self.brokers, &self.prefix)
    }

    /// The full name of a topic.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Changes a file of the project.
    pub(crate) fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let text = std::fs::read_to_string(&path).expect("the project's file");
        assert!(text.contains(from), "{file} has no `{from}`");
        self.folder.write(file, text.replace(from, to));
    }

    /// A writer of rows.
    pub(crate) fn feed(&self) -> Feed {
        Feed::new(&self.brokers, &self.topic("events"), PARTITIONS)
    }

    /// Lets the engine finish what is there, and judges.
    #[track_caller]
    pub(crate) fn settle(&self, fed: &[u64]) -> Verdict {
        let arguments = ["run", "--once", "--close-windows"];
        let mut output = self.folder.engine(&arguments);
        // Whoever ran before on another machine may hold the lease for a moment.
        for _ in 0..100 {
            if output.code != 6 {
                break;
            }
            pause(LOOK);
            output = self.folder.engine(&arguments);
        }
        assert_eq!(output.code, 0, "{}", output.err);
        self.judge(fed)
    }

    /// Judges the committed outputs as they are.
    pub(crate) fn judge(&self, fed: &[u64]) -> Verdict {
        judge(&self.brokers, &self.topic("copies"), &self.topic("sums"), fed)
    }

    /// Whether a reader of committed records can see any row of `copies`.
    pub(crate) fn has_output(&self) -> bool {
        self.committed() > 0
    }

    /// Waits until a reader of committed records sees a row beyond the first `before`, and tells
    /// how long that took.
    #[track_caller]
    #[expect(clippy::print_stdout, reason = "figures for docs/RELIABILITY.md")]
    pub(crate) fn await_rows(&self, before: usize) {
        let clock = SystemClock::new();
        wait_until("further rows", || self.committed() > before);
        println!("{}: rows again after {:.1?}", self.prefix, clock.monotonic());
    }

    /// Rows of `copies` that a reader of committed records can see.
    pub(crate) fn committed(&self) -> usize {
        committed_values(&self.brokers, &[&self.topic("copies")])[0].len()
    }
}

fn project(brokers: &str, prefix: &str) -> Folder {
    let folder = Folder::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/faults");
    for file in ["stream_project.yml", "sources/events.yml", "models/copies.yml", "models/sums.yml"]
    {
        let text = std::fs::read_to_string(fixture.join(file)).expect("the fixture is there");
        folder.write(file, text.replace("PREFIX", prefix).replace("BROKERS", brokers));
    }
    folder
}

/// A running `engine run`, what it says on standard error in a file. Killed with the test.
pub(crate) struct Engine {
    child: Child,
    messages: PathBuf,
}

impl Engine {
    /// Starts it with `-v`.
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        Self::start_beside(folder, "messages.txt", arguments)
    }

    /// As [`Engine::start`], where another runs in the same folder.
    pub(crate) fn start_beside(folder: &Folder, messages: &str, arguments: &[&str]) -> Self {
        let messages = folder.path().join(messages);
        let child = folder
            .command(&[&["run", "-v"], arguments].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&messages).expect("a file for its messages"))
            .spawn()
            .expect("the binary runs");
        Self { child, messages }
    }

    /// What it has said.
    pub(crate) fn messages(&self) -> String {
        std::fs::read_to_string(&self.messages).expect("its messages can be read")
    }

    /// Waits until it has said `text`.
    #[track_caller]
    pub(crate) fn await_message(&mut self, text: &str) {
        let path = self.messages.clone();
        let read = || std::fs::read_to_string(&path).expect("its messages can be read");
        wait_within(
            PATIENCE,
            || format!("message with `{text}` in {}", read()),
            || {
                let messages = read();
                let ended = self.child.try_wait().expect("the child is ours");
                assert!(
                    ended.is_none() || messages.contains(text),
                    "it ended without `{text}`: {messages}"
                );
                messages.contains(text)
            },
        );
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = std::process::Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("kill runs").success());
    }

    /// SIGKILL; whatever it was doing.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        self.messages()
    }

    /// Waits for its end: exit code (-1 after a signal) and messages.
    pub(crate) fn end(mut self) -> (i32, String) {
        let (mut code, messages) = (None, self.messages.clone());
        let told = || {
            let messages = std::fs::read_to_string(&messages).unwrap_or_default();
            format!("end of the engine, which says: {messages}")
        };
        wait_within(PATIENCE, told, || {
            code = self.child.try_wait().expect("the child is ours");
            code.is_some()
        });
        (code.and_then(|status| status.code()).unwrap_or(-1), self.messages())
    }

    /// Resident memory now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kibibytes.map_or(0, |kibibytes: u64| kibibytes * 1_024)
    }
}

impl Drop for Engine {
    #[expect(clippy::print_stderr, reason = "why a test has failed")]
    fn drop(&mut self) {
        // Already ended is as good.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the engine has said:\n{}", self.messages());
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_within(PATIENCE, || what.to_owned(), is_so);
}

/// As [`wait_until`], with a patience of its own; what is missing is told only if it comes to that.
#[track_caller]
pub(crate) fn wait_within(
    patience: Duration,
    what: impl Fn() -> String,
    mut is_so: impl FnMut() -> bool,
) {
    let clock = SystemClock::new();
    while !is_so() {
        assert!(clock.monotonic() < patience, "within {patience:?} no {}", what());
        pause(LOOK);
    }
}

/// Lets real time pass: what is tested are processes.
pub(crate) fn pause(time: Duration) {
    let (sender, timer) = channel::<()>();
    assert_eq!(timer.recv_timeout(time), Err(RecvTimeoutError::Timeout), "nobody sends");
    drop(sender);
}

/// The brokers that a fault is tried on: both, or one where this machine has no Kafka.
pub(crate) fn on_each_broker(check: impl Fn(&str)) {
    let embedded = crate::embedded::Embedded::start();
    check(&embedded.brokers());
    if let Some(brokers) = crate::kafka::shared() {
        check(&brokers);
    }
}
