//! This module writes messages to stderr and results to stdout for every command. It never panics when nobody reads.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// `print!` and `println!` write results of the simple commands; the standard macros panic when nobody reads.
macro_rules! print {
    ($($text:tt)*) => { $crate::terminal::put(&format!($($text)*)) };
}
macro_rules! println {
    ($($text:tt)*) => { $crate::terminal::put(&(format!($($text)*) + "\n")) };
}
/// `eprintln!` writes to stderr in the same way.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::terminal::say(&format!($($text)*)) };
}

/// How much is said on stderr, and in which form.
#[derive(Debug, Clone, clap::Args)]
pub struct Terminal {
    /// Print warnings, errors and results only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say more: -v each step of the controller and what the libraries note, -vv also each scored architecture
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// How stderr is written: as text, or as one JSON object per line
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line, for programs: events of a search, warnings, errors.
    Json,
}

impl Terminal {
    /// Shows the libraries' warnings on stderr, more with `-v`, or what `AUTOGAN_LOG` asks for (as `debug`, or
    /// `autogan_weights=info`). Colours follow `NO_COLOR`.
    pub fn listen(&self) {
        let level = ["warn", "info", "debug"][usize::from(self.verbose).min(2)];
        let filter =
            EnvFilter::try_from_env("AUTOGAN_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let subscriber = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal() && !plain)
            .with_env_filter(filter);
        match self.log_format {
            LogFormat::Text => subscriber.without_time().with_target(false).init(),
            LogFormat::Json => subscriber.without_time().json().flatten_event(true).init(),
        }
    }

    /// Whether stderr is for programs.
    pub fn is_json(&self) -> bool {
        self.log_format == LogFormat::Json
    }

    /// Says that something went wrong and was mended or passed over.
    pub fn warn(&self, text: &str) {
        self.message("warn", "warning", text);
    }

    /// Says why a command failed.
    pub fn error(&self, text: &str) {
        self.message("error", "error", text);
    }

    /// Says what the reader should know next.
    pub fn note(&self, text: &str) {
        if self.is_json() {
            self.message("info", "", text);
        } else {
            say(text);
        }
    }

    fn message(&self, level: &str, prefix: &str, text: &str) {
        if self.is_json() {
            say(&serde_json::json!({ "level": level, "message": text }).to_string());
        } else {
            say(&format!("{prefix}: {text}"));
        }
    }
}

/// A bar of `length` steps, or one that is never seen.
pub fn bar(length: usize, template: &str, hidden: bool) -> ProgressBar {
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(length as u64) };
    bar.with_style(style(template))
}

/// How a bar looks. Templates are constants of this program; the plain style serves if one were wrong.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Writes a line to stderr. A stderr that nobody reads is no reason to stop working.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a result to stdout. A reader that has seen enough (`| head`) is no error. It fails when stdout cannot be
/// written for another reason, such as a full disk.
pub fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}

/// Writes text for `print!` and `println!`: a reader that has seen enough ends the command, and so does a full disk.
pub fn put(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            say(&format!("error: cannot write to stdout: {error}"));
            std::process::exit(1);
        }
    }
}

/// Writes a result to stdout, or to a file that is replaced as a whole. It fails when it cannot be written.
pub fn deliver(bytes: &[u8], file: Option<&std::path::Path>) -> anyhow::Result<()> {
    match file {
        None => print(bytes),
        Some(path) => Ok(autogan_files::atomic::write(path, bytes)?),
    }
}
