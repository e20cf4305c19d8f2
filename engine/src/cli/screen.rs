//! Standard output and standard error: results, notes, errors, colours, progress, logs.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::arguments::{ColorChoice, CommonArguments, LogFormat};
use crate::{DiagnosticStyle, Error};

/// Width of tables where the terminal does not say.
const WIDTH_DEFAULT: u16 = 100;

/// Where a command writes.
#[expect(clippy::struct_excessive_bools, reason = "facts about two streams that do not combine")]
pub(crate) struct Screen {
    pub(crate) is_terminal_out: bool,
    pub(crate) is_terminal_err: bool,
    is_coloured_out: bool,
    is_coloured_err: bool,
    is_quiet: bool,
    diagnostics: DiagnosticStyle,
    out: io::Stdout,
    /// What is drawn again and again; everything else on standard error goes around it.
    pub(crate) bars: MultiProgress,
}

/// Colours of our own words.
#[derive(Debug, Clone, Copy)]
enum Paint {
    Red,
    Green,
    Cyan,
    Bold,
}

impl Screen {
    /// A screen as the flags and the environment ask for. Logs go to standard error from here on.
    pub(crate) fn new(common: &CommonArguments, variables: &HashMap<String, String>) -> Self {
        let is_set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
        let is_forced = is_set("CLICOLOR_FORCE") && variables["CLICOLOR_FORCE"] != "0";
        let is_coloured = |is_terminal: bool| match common.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => !is_set("NO_COLOR") && (is_forced || is_terminal),
        };
        let (is_terminal_out, is_terminal_err) =
            (io::stdout().is_terminal(), io::stderr().is_terminal());
        let screen = Self {
            is_terminal_out,
            is_terminal_err,
            is_coloured_out: is_coloured(is_terminal_out),
            is_coloured_err: is_coloured(is_terminal_err),
            is_quiet: common.quiet,
            diagnostics: common.diagnostics,
            out: io::stdout(),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
        };
        start_logs(common, &screen);
        screen
    }

    /// A screen for what goes wrong before there is another.
    pub(crate) fn plain() -> Self {
        Self {
            is_terminal_out: false,
            is_terminal_err: false,
            is_coloured_out: false,
            is_coloured_err: false,
            is_quiet: false,
            diagnostics: DiagnosticStyle::Rustc,
            out: io::stdout(),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
        }
    }

    /// Whether carets may be coloured.
    pub(crate) fn is_coloured_err(&self) -> bool {
        self.is_coloured_err
    }

    /// Width of tables on standard output; none where nobody looks.
    pub(crate) fn width(&self) -> Option<u16> {
        self.is_terminal_out
            .then(|| terminal_width(&console::Term::stdout()).unwrap_or(WIDTH_DEFAULT))
    }

    /// Writes a result to standard output. A reader that has gone away is no error.
    pub(crate) fn result(&self, text: &str) -> Result<(), Error> {
        let mut out = self.out.lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(source) => {
                Err(Error::File { action: "write", path: "standard output".into(), source })
            }
            Ok(()) => Ok(()),
        }
    }

    /// Tells what is worth knowing; nothing with `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.is_quiet {
            self.tell(&format!("{text}\n"));
        }
    }

    /// As [`Screen::say`], marked as a note.
    pub(crate) fn note(&self, text: &str) {
        let mark = paint(self.is_coloured_err, Paint::Cyan, "note");
        self.say(&format!("{mark}: {text}"));
    }

    /// As [`Screen::say`], marked as a warning; also with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        let mark = paint(self.is_coloured_err, Paint::Bold, "warning");
        self.tell(&format!("{mark}: {text}\n"));
    }

    /// Tells on standard error, always.
    pub(crate) fn tell(&self, text: &str) {
        self.bars.suspend(|| {
            // Nothing can be told to somebody whose terminal is gone.
            let _told = io::stderr().lock().write_all(text.as_bytes());
        });
    }

    /// Tells an error and what to do next.
    pub(crate) fn error(&self, error: &Error) {
        let text = crate::report::harmless(&error.to_string());
        if self.diagnostics == DiagnosticStyle::Json {
            let value = serde_json::json!({
                "type": "error", "message": text, "next": error.next_step(),
            });
            self.tell(&format!("{value}\n"));
            return;
        }
        let mark = paint(self.is_coloured_err, Paint::Red, "error");
        self.tell(&format!("{mark}: {text}\n"));
        for cause in causes(error, &text) {
            self.tell(&format!("  because: {cause}\n"));
        }
        if let Some(next) = error.next_step() {
            let next = crate::report::harmless(&next);
            self.tell(&format!("{}: {next}\n", paint(self.is_coloured_err, Paint::Cyan, "next")));
        }
    }

    /// A check mark or a cross, for standard output.
    pub(crate) fn mark(&self, is_good: bool) -> String {
        let (paint_with, text) = if is_good { (Paint::Green, "✓") } else { (Paint::Red, "✗") };
        paint(self.is_coloured_out, paint_with, text)
    }

    /// A title, for standard output.
    pub(crate) fn title(&self, text: &str) -> String {
        paint(self.is_coloured_out, Paint::Bold, text)
    }
}

/// How many characters a line of the terminal has, if it says.
pub(crate) fn terminal_width(terminal: &console::Term) -> Option<u16> {
    // Some terminals say zero when they do not know.
    terminal.size_checked().map(|(_, columns)| columns).filter(|columns| *columns > 0)
}

/// What lies behind an error and is not part of its text yet.
fn causes(error: &Error, text: &str) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let told = crate::report::harmless(&cause.to_string());
        if !text.contains(&told) && !causes.contains(&told) {
            causes.push(told);
        }
        next = cause.source();
    }
    causes
}

fn paint(is_coloured: bool, paint: Paint, text: &str) -> String {
    if !is_coloured {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Red => "1;31",
        Paint::Green => "32",
        Paint::Cyan => "36",
        Paint::Bold => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

fn start_logs(common: &CommonArguments, screen: &Screen) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(screen.is_coloured_err)
        .with_writer(LogWriter { bars: screen.bars.clone() });
    // A second subscriber is refused; the first one stays.
    let _first = match common.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(
            builder.without_time().with_target(false).finish(),
        ),
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().finish()),
    };
}

/// Log lines go around what is drawn.
struct LogWriter {
    bars: MultiProgress,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self { bars: self.bars.clone() }
    }
}
