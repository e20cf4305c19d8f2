//! The real binary, and projects for it in folders of their own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A copy of `examples/ecommerce` in a folder of its own, and the binary to run on it.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// The example, verbatim; its topics are on the embedded broker.
    pub(crate) fn ecommerce() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
        for part in ["sources", "models", "tests", "exposures"] {
            copy_folder(&example.join(part), &folder.path().join(part));
        }
        Self { folder }
    }

    /// The example with its topics on a real Kafka; nothing else differs.
    pub(crate) fn ecommerce_on(bootstrap_servers: &str, name: &str) -> Self {
        let project = Self::ecommerce();
        let root = format!(
            "project:\n  name: {name}\nruntime:\n  kafka:\n    bootstrap_servers: {bootstrap_servers}\n"
        );
        project.write("stream_project.yml", &root);
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).expect("the project's folder can be written");
    }

    /// `engine ARGS --project DIR`, not started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
        command.args(args).arg("--project").arg(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs to the end, whatever it is.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    /// Runs to a good end; its stdout.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "engine {args:?}: {}\n{stdout}\n{stderr}", output.status);
        stdout
    }

    /// Runs to a good end with `input` on stdin.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("the binary ends");
        assert!(output.status.success(), "engine {args:?}: {}", text(&output.stderr));
        writer.join().expect("the writer does not panic").expect("the binary reads its input");
    }

    /// Starts and leaves it running.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let path: PathBuf = entry.expect("the folder can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
