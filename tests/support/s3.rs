//! The S3 server of `tests/s3`, as a process.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::command::{Folder, Output, finished};

/// A server that serves a folder. It must be built: ENGINE_S3_SERVER names it.
pub(crate) struct S3 {
    server: Child,
    endpoint: String,
    buckets: Folder,
}

impl S3 {
    /// Starts it; none where it is not built, which is said and, with ENGINE_REQUIRE_S3=1, an error.
    pub(crate) fn start() -> Option<Self> {
        Self::start_slow(0)
    }

    /// Starts one that answers each request only after so long.
    #[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
    pub(crate) fn start_slow(delay_ms: u32) -> Option<Self> {
        let variable = |name: &str| -> Option<OsString> { std::env::var_os(name) };
        let Some(binary) = variable("ENGINE_S3_SERVER") else {
            let is_required = variable("ENGINE_REQUIRE_S3").is_some_and(|value| value == "1");
            assert!(!is_required, "ENGINE_REQUIRE_S3=1, but ENGINE_S3_SERVER names no server");
            eprintln!("skipped: no S3 server; build tests/s3 and name it in ENGINE_S3_SERVER");
            return None;
        };
        let buckets = Folder::new();
        std::fs::create_dir(buckets.path().join("bucket")).expect("a folder");
        let mut server = Command::new(binary)
            .arg(buckets.path())
            .args(["tester", "hush", &delay_ms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server runs");
        let mut line = String::new();
        let out = server.stdout.take().expect("piped above");
        BufReader::new(out).read_line(&mut line).expect("the server says where it listens");
        let endpoint = line.trim().trim_start_matches("listening on ").to_owned();
        Some(Self { server, endpoint, buckets })
    }

    /// The folder of the bucket `bucket`.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.buckets.path().join("bucket")
    }

    /// A command with the variables that AWS's own tools read.
    pub(crate) fn command(&self, folder: &Folder, arguments: &[&str], secret: &str) -> Command {
        let mut command = folder.command(arguments);
        command
            .env("AWS_ENDPOINT", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "tester")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn engine(&self, folder: &Folder, arguments: &[&str], secret: &str) -> Output {
        finished(&self.command(folder, arguments, secret).output().expect("the binary runs"))
    }

    /// Sends the server a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.server.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Runs a command to a good end; its standard output.
    #[track_caller]
    pub(crate) fn succeed(&self, folder: &Folder, arguments: &[&str]) -> String {
        let output = self.engine(folder, arguments, "hush");
        assert_eq!(output.code, 0, "engine {arguments:?}\n{}\n{}", output.out, output.err);
        output.out
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Already ended is as good.
        let _killed = self.server.kill();
        let _ended = self.server.wait();
    }
}
