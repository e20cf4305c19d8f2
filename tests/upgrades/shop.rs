//! A project whose models a test replaces.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::Deadline;
use crate::command::{Folder, Output};
use crate::running::Running;

pub(crate) const COPIES: &str =
    "SELECT k, n, at, country FROM {{ source(\"clicks\") }} WHERE n > 0";

pub(crate) const MINUTES: &str = "SELECT k, TUMBLE_START(at, INTERVAL '1' MINUTE) AS minute, COUNT(*) AS clicks, SUM(n) AS total FROM {{ ref(\"copies\") }} GROUP BY k, TUMBLE(at, INTERVAL '1' MINUTE)";

const SOURCES: &str = "sources:
  - name: clicks
    topic: clicks
    columns: [{name: k}, {name: n, type: BIGINT}, {name: at}, {name: country}]
  - name: items
    topic: items
    event_time: {column: since}
    columns: [{name: country}, {name: spare}, {name: name}, {name: since}]
";

/// What a running engine does is looked at so often.
const LOOK: Duration = Duration::from_millis(1);

/// A click: key, number, second since midnight, country.
pub(crate) type Click = (&'static str, i64, i64, &'static str);

/// The models of the first version.
pub(crate) fn first() -> Vec<(&'static str, String)> {
    vec![("copies", COPIES.to_owned()), ("minutes", MINUTES.to_owned())]
}

/// The first version, with a part of one model's query replaced.
#[track_caller]
pub(crate) fn edited(model: &str, from: &str, to: &str) -> Vec<(&'static str, String)> {
    let mut models = first();
    let query = models.iter_mut().find(|(name, _)| *name == model).expect("a model");
    assert!(query.1.contains(from), "{}", query.1);
    query.1 = query.1.replace(from, to);
    models
}

/// A project in a folder.
pub(crate) struct Shop {
    pub(crate) folder: Folder,
}

impl Shop {
    /// A project with a topic of two partitions.
    pub(crate) fn new(models: &[(&str, String)]) -> Self {
        let shop = Self { folder: Folder::new() };
        shop.folder.write("sources/s.yml", SOURCES);
        shop.become_of(models);
        shop.folder.succeed(&["topic", "create", "clicks", "--partitions", "2"]);
        shop
    }

    /// The edit: the project has these models from here on.
    pub(crate) fn become_of(&self, models: &[(&str, String)]) {
        let mut text = "models:\n".to_owned();
        for (name, sql) in models {
            let model = format!(
                "  - name: {name}\n    topic: {{name: {name}, partitions: 1}}\n    key: k\n    sql: |\n      {sql}\n"
            );
            text.push_str(&model);
        }
        self.folder.write("models/m.yml", text);
    }

    /// Writes clicks.
    #[track_caller]
    pub(crate) fn click(&self, clicks: &[Click]) {
        self.produce(clicks, &[]);
    }

    /// Writes clicks as if that had been when they happened.
    #[track_caller]
    pub(crate) fn click_long_ago(&self, clicks: &[Click]) {
        self.produce(clicks, &["--timestamp", "at"]);
    }

    #[track_caller]
    fn produce(&self, clicks: &[Click], flags: &[&str]) {
        let lines: Vec<String> = clicks
            .iter()
            .map(|(key, number, second, country)| {
                let (minute, second) = (second / 60, second % 60);
                format!("{{\"k\":\"{key}\",\"n\":{number},\"at\":\"2026-01-01T00:{minute:02}:{second:02}Z\",\"country\":\"{country}\"}}")
            })
            .collect();
        let text = lines.join("\n");
        let arguments = [&["topic", "produce", "clicks", "-k", "k"], flags].concat();
        let output = self.folder.engine_with(&arguments, text.as_bytes());
        assert_eq!(output.code, 0, "{}", output.err);
    }

    /// `run --once` with flags; what it said. It must succeed.
    #[track_caller]
    pub(crate) fn run(&self, flags: &[&str]) -> Output {
        let output = self.try_run(flags);
        assert_eq!(output.code, 0, "{}\n{}", output.out, output.err);
        output
    }

    /// `run --once` with flags.
    pub(crate) fn try_run(&self, flags: &[&str]) -> Output {
        self.folder.engine(&[&["run", "--once"], flags].concat())
    }

    /// `run --once` without flags is refused; why.
    #[track_caller]
    pub(crate) fn refused(&self) -> String {
        let output = self.try_run(&[]);
        assert_eq!(output.code, 1, "{}\n{}", output.out, output.err);
        assert!(output.err.contains("--accept-plan"), "{}", output.err);
        output.err
    }

    /// The lines of a topic, sorted.
    #[track_caller]
    pub(crate) fn lines(&self, topic: &str) -> Vec<String> {
        self.folder.lines(topic)
    }

    /// The topic of dead letters.
    #[track_caller]
    pub(crate) fn dead_letters(&self) -> String {
        let topics = self.folder.succeed(&["topic", "list"]);
        let dead = topics.lines().find(|line| line.contains("dead_letters")).expect("its topic");
        dead.split_whitespace().next().expect("its name").to_owned()
    }

    /// Lets all windows fire.
    #[track_caller]
    pub(crate) fn close(&self) {
        self.run(&["--close-windows"]);
    }

    /// Starts the engine and waits until `copies` has so many rows.
    pub(crate) fn start_until(&self, flags: &[&str], copies: usize) -> Running {
        let running = self.start(flags, None);
        self.await_lines("copies", copies);
        running
    }

    /// Starts the engine, with places where it shall fail or wait.
    pub(crate) fn start(&self, flags: &[&str], failpoints: Option<&str>) -> Running {
        let mut command =
            self.folder.command(&[&["run", "--commit-interval", "20ms"], flags].concat());
        if let Some(failpoints) = failpoints {
            command.env("ENGINE_FAILPOINT", failpoints);
        }
        let mut running = Running::start(command);
        running.wait_for("embedded broker");
        running
    }

    /// Waits until a topic has so many rows. Until the first commit it may not be there.
    #[track_caller]
    pub(crate) fn await_lines(&self, topic: &str, count: usize) {
        await_that(&format!("{count} rows of {topic}"), || {
            let output = self.folder.engine(&["topic", "consume", topic, "--until-end"]);
            output.out.lines().count() >= count
        });
    }

    /// Waits until no rebuild is under way.
    #[track_caller]
    pub(crate) fn await_rebuilt(&self) {
        await_that("the end of the rebuild", || {
            let output = self.folder.engine(&["plan", "--output", "json"]);
            output.out.contains(r#""unfinished":[]"#)
        });
    }
}

/// Waits for what a running engine does.
#[track_caller]
fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Deadline::new();
    while !is_so() {
        deadline.check(what);
        std::thread::park_timeout(LOOK);
    }
}

/// Rounds of a rebuild that begin when a test lets them: what is rebuilt is read by one reader, which
/// waits at the beginning of each. However little is left, there is another round.
pub(crate) struct Rounds {
    folder: TempDir,
}

impl Rounds {
    /// The first `count` rounds wait.
    pub(crate) fn held(count: usize) -> Self {
        let rounds = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
        for number in 1..=count {
            std::fs::write(rounds.file(number), "").expect("a file");
        }
        rounds
    }

    /// What the engine has to know of it.
    pub(crate) fn failpoints(&self) -> String {
        let path = self.folder.path().join("round");
        format!("rebuild.read.before=hold:{},{PUT_OFF}", path.display())
    }

    /// Waits until a round has begun; its reader has read nothing.
    #[track_caller]
    pub(crate) fn await_round(&self, number: usize) {
        await_that(&format!("round {number}"), || self.has_begun(number));
    }

    /// Whether a round has begun.
    pub(crate) fn has_begun(&self, number: usize) -> bool {
        self.folder.path().join(format!("round.{number}.here")).exists()
    }

    /// Lets a round read.
    pub(crate) fn let_go(&self, number: usize) {
        std::fs::remove_file(self.file(number)).expect("the file that holds it");
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("round.{number}"))
    }
}

/// The others go on also where so little is left that they would wait for it.
pub(crate) const PUT_OFF: &str = "rebuild.last.before=error@1+";

/// What models give of clicks from the start, all windows closed.
#[track_caller]
pub(crate) fn from_scratch(
    models: &[(&str, String)],
    clicks: &[Click],
    topic: &str,
) -> Vec<String> {
    let shop = Shop::new(models);
    shop.click(clicks);
    shop.close();
    shop.lines(topic)
}

/// Three minutes of clicks: those of the first two close windows.
pub(crate) const EARLY: [Click; 6] = [
    ("a", 1, 0, "de"),
    ("b", 2, 10, "fr"),
    ("a", 3, 20, "fr"),
    ("b", 4, 70, "fr"),
    ("a", 5, 80, "de"),
    ("b", 6, 85, "de"),
];

/// What comes after an edit: to the window that is open, and behind it.
pub(crate) const LATE: [Click; 4] =
    [("a", 7, 90, "fr"), ("b", 8, 100, "de"), ("a", 9, 130, "de"), ("b", 10, 200, "fr")];

/// All of it.
pub(crate) fn all() -> Vec<Click> {
    [&EARLY[..], &LATE[..]].concat()
}

/// Sorted.
pub(crate) fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}
