//! A project whose models a test replaces.

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
        let lines: Vec<String> = clicks
            .iter()
            .map(|(key, number, second, country)| {
                let (minute, second) = (second / 60, second % 60);
                format!("{{\"k\":\"{key}\",\"n\":{number},\"at\":\"2026-01-01T00:{minute:02}:{second:02}Z\",\"country\":\"{country}\"}}")
            })
            .collect();
        let text = lines.join("\n");
        let output =
            self.folder.engine_with(&["topic", "produce", "clicks", "-k", "k"], text.as_bytes());
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

    /// Lets all windows fire.
    #[track_caller]
    pub(crate) fn close(&self) {
        self.run(&["--close-windows"]);
    }

    /// Starts the engine and waits until `copies` has so many rows.
    pub(crate) fn start_until(&self, flags: &[&str], copies: usize) -> Running {
        let mut running =
            self.folder.start(&[&["run", "--commit-interval", "20ms"], flags].concat());
        running.wait_for("embedded broker");
        for _ in 0..400 {
            // Until the first commit the topic may not be there.
            let output = self.folder.engine(&["topic", "consume", "copies", "--until-end"]);
            if output.out.lines().count() >= copies {
                return running;
            }
        }
        panic!("there are never {copies} rows");
    }
}

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
