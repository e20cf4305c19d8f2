//! Commands with input, commands that go on, and topics as lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use crate::command::{Folder, Output, finished};

impl Folder {
    /// Runs a command to its end and asserts that it succeeds; its standard output.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.engine(arguments);
        assert_eq!(output.code, 0, "engine {arguments:?}\n{}\n{}", output.out, output.err);
        output.out
    }

    /// Runs a command with `input` on standard input.
    pub(crate) fn engine_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("piped above");
        stdin.write_all(input).expect("the command reads its input");
        drop(stdin);
        finished(&child.wait_with_output().expect("the command ends"))
    }

    /// The lines of a topic, sorted.
    #[track_caller]
    pub(crate) fn lines(&self, topic: &str) -> Vec<String> {
        let text = self.succeed(&["topic", "consume", topic, "--until-end"]);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    /// Starts a command that goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }
}

/// A command that runs; killed with the test.
pub(crate) struct Running {
    child: Option<Child>,
}

impl Running {
    /// Starts a command that goes on.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: Some(command.spawn().expect("the binary runs")) }
    }

    /// Waits for a line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let out = self.child.as_mut().and_then(|child| child.stdout.as_mut()).expect("piped");
        line_of(out)
    }

    /// Waits for a line of standard error that holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let err = self.child.as_mut().and_then(|child| child.stderr.as_mut()).expect("piped");
        loop {
            let line = line_of(err);
            assert!(!line.is_empty(), "the command ended without `{text}`");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Closes our end of its standard output.
    pub(crate) fn close_out(&mut self) {
        drop(self.child.as_mut().and_then(|child| child.stdout.take()));
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Output {
        let child = self.child.take().expect("it runs");
        finished(&child.wait_with_output().expect("it ends"))
    }
}

/// One line, byte by byte, so that nothing after it is taken.
fn line_of(from: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = BufReader::with_capacity(1, from);
    // A broken pipe reads as the end.
    let _read = byte.read_until(b'\n', &mut line);
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already ended is as good.
            let _killed = child.kill();
            let _ended = child.wait();
        }
    }
}
