//! New projects: the files of a template, written into a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// A file of a template: path in the project, text.
type TemplateFile = (&'static str, &'static str);

macro_rules! example {
    ($path:literal) => {
        ($path, include_str!(concat!("../../examples/ecommerce/", $path)))
    };
}

/// The files that every project gets.
const COMMON: [TemplateFile; 2] = [
    (
        ".gitignore",
        "# What the engine keeps: topics of the embedded broker, state, locks.\n.engine/\n\n# Secrets.\n.env\n",
    ),
    (
        ".env.example",
        "# Copy to .env, which is read before the project and never shared.\n# A value is used as ${NAME} in YAML.\n\n# SLACK_WEBHOOK=https://hooks.slack.example/services/...\n# KAFKA_BOOTSTRAP_SERVERS=localhost:9092\n",
    ),
];

const ECOMMERCE: [TemplateFile; 9] = [
    example!("sources/events.yml"),
    example!("models/events_clean.yml"),
    example!("models/events_enriched.yml"),
    example!("models/user_sessions.yml"),
    example!("models/product_popularity.yml"),
    example!("tests/events_tests.yml"),
    example!("exposures/services.yml"),
    example!("data/clickstream.jsonl"),
    example!("data/products.jsonl"),
];

const EMPTY: [TemplateFile; 4] = [
    (
        "stream_project.yml",
        "project:\n  name: {{name}}\n  version: \"1.0.0\"\n\n# Without this block the engine runs an embedded broker in .engine/.\n# runtime:\n#   kafka:\n#     bootstrap_servers: ${KAFKA_BOOTSTRAP_SERVERS:-localhost:9092}\n",
    ),
    (
        "sources/events.yml",
        "sources:\n  - name: events\n    topic: events.v1\n    description: What happened\n    columns:\n      - name: user_id\n      - name: event_type\n      - name: amount\n        type: DOUBLE\n      - name: event_time\n",
    ),
    (
        "models/user_activity.yml",
        "models:\n  - name: user_activity\n    description: Events and amount of each user, by minute\n    topic:\n      name: user-activity.v1\n      partitions: 1\n    key: user_id\n    sql: |\n      SELECT\n        user_id,\n        TUMBLE_START(event_time, INTERVAL '1' MINUTE) AS window_start,\n        COUNT(*) AS events,\n        SUM(amount) AS amount\n      FROM {{ source(\"events\") }}\n      GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE)\n",
    ),
    (
        "data/events.jsonl",
        "{\"user_id\":\"u1\",\"event_type\":\"view\",\"amount\":0.0,\"event_time\":\"2026-01-01T00:00:01Z\"}\n{\"user_id\":\"u2\",\"event_type\":\"view\",\"amount\":0.0,\"event_time\":\"2026-01-01T00:00:09Z\"}\n{\"user_id\":\"u1\",\"event_type\":\"purchase\",\"amount\":12.5,\"event_time\":\"2026-01-01T00:00:31Z\"}\n{\"user_id\":\"u2\",\"event_type\":\"purchase\",\"amount\":3.2,\"event_time\":\"2026-01-01T00:01:02Z\"}\n{\"user_id\":\"u1\",\"event_type\":\"view\",\"amount\":0.0,\"event_time\":\"2026-01-01T00:02:40Z\"}\n",
    ),
];

/// What a new project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// The e-commerce example.
    Ecommerce,
    /// One source and one model.
    Empty,
}

/// Sample data of a template and how to load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) topic: &'static str,
    pub(crate) file: &'static str,
    pub(crate) key: &'static str,
    pub(crate) timestamp: Option<&'static str>,
}

impl Template {
    fn files(self) -> impl Iterator<Item = &'static TemplateFile> {
        let own: &[TemplateFile] = match self {
            Self::Ecommerce => &ECOMMERCE,
            Self::Empty => &EMPTY,
        };
        own.iter().chain(&COMMON)
    }

    /// The sample data, in the order in which it is to be loaded: versions before what joins them.
    pub(crate) fn samples(self) -> &'static [Sample] {
        match self {
            Self::Ecommerce => &[
                Sample {
                    topic: "ecom.products.v1",
                    file: "data/products.jsonl",
                    key: "product_id",
                    timestamp: Some("updated_at"),
                },
                Sample {
                    topic: "ecom.clickstream.v1",
                    file: "data/clickstream.jsonl",
                    key: "session_id",
                    timestamp: None,
                },
            ],
            Self::Empty => &[Sample {
                topic: "events.v1",
                file: "data/events.jsonl",
                key: "user_id",
                timestamp: None,
            }],
        }
    }

    /// Writes the project into `folder`, which is made if need be. What was written.
    ///
    /// # Errors
    /// [`Error::Usage`] if a file is there already and `is_forced` is not set, before anything is
    /// written; [`Error::File`].
    pub(crate) fn write(
        self,
        folder: &Path,
        is_forced: bool,
        is_dry: bool,
    ) -> Result<Vec<PathBuf>, Error> {
        let name = project_name(folder);
        let paths: Vec<(PathBuf, String)> = self
            .files()
            .map(|(path, text)| (folder.join(path), text.replace("{{name}}", &name)))
            .collect();
        if !is_forced && let Some((path, _)) = paths.iter().find(|(path, _)| path.exists()) {
            let message = format!("`{}` is there already, nothing was written", path.display());
            return Err(Error::usage(
                message,
                "choose another folder, or overwrite with `--force`",
            ));
        }
        if !is_dry {
            for (path, text) in &paths {
                write_file(path, text)?;
            }
        }
        Ok(paths.into_iter().map(|(path, _)| path).collect())
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File { action: "write", path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// The folder's name as a project may be called.
fn project_name(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_keep| folder.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name: String = name
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c) { c } else { '-' })
        .collect();
    if name.is_empty() || name.starts_with('.') { "project".to_owned() } else { name }
}

#[cfg(test)]
mod tests;
