//! This module writes messages to stderr and results to stdout for every command. It never panics when nobody reads.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

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
/// `eprintln!` writes a note to stderr in the same way, as text or as JSON.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::terminal::note(&format!($($text)*)) };
}

/// Whether every line on stderr is an object of JSON.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether only warnings, errors and results are printed.
static QUIET: AtomicBool = AtomicBool::new(false);

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
        JSON.store(self.is_json(), Ordering::Relaxed);
        QUIET.store(self.quiet, Ordering::Relaxed);
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
        warn(text);
    }

    /// Says why a command failed, or a part of it.
    pub fn error(&self, text: &str) {
        error(text);
    }

    /// Says what the reader should know next.
    pub fn note(&self, text: &str) {
        note(text);
    }
}

/// Says that something went wrong and was mended or passed over, where no [`Terminal`] is at hand.
pub fn warn(text: &str) {
    message("warn", "warning: ", text);
}

/// Says why a command failed.
pub fn error(text: &str) {
    message("error", "error: ", text);
}

/// Says what the reader should know, where no [`Terminal`] is at hand.
pub fn note(text: &str) {
    message("info", "", text);
}

fn message(level: &str, prefix: &str, text: &str) {
    if json() {
        say(&serde_json::json!({ "level": level, "message": text }).to_string());
    } else {
        say(&format!("{prefix}{}", visible(text)));
    }
}

/// The text without characters that steer a terminal: names of files may hold any.
fn visible(text: &str) -> String {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.replace(steers, "?")
}

/// Whether every line on stderr is an object of JSON, so that nothing else, such as a bar, may be there.
pub fn json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Whether only warnings, errors and results are printed.
pub fn quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Explains a command line that cannot be, or prints the help or the version that was asked for, and ends the program.
/// Nothing is known of the format but the line itself.
pub fn refuse_line(error: &clap::Error) -> ! {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let line: Vec<String> = words.collect();
    let pair = |words: &[String]| words[0] == "--log-format" && words[1] == "json";
    let wanted = line.iter().any(|word| word == "--log-format=json") || line.windows(2).any(pair);
    if !(wanted && error.use_stderr()) {
        error.exit();
    }
    JSON.store(true, Ordering::Relaxed);
    self::error(error.to_string().trim_start_matches("error: ").trim_end());
    std::process::exit(error.exit_code());
}

/// A bar of `length` steps, or one that is never seen.
pub fn bar(length: usize, template: &str, hidden: bool) -> ProgressBar {
    let bar =
        if hidden || json() { ProgressBar::hidden() } else { ProgressBar::new(length as u64) };
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
        Err(fault) => {
            error(&format!("cannot write to stdout: {fault}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_steer_no_terminal() {
        assert_eq!(visible("a\u{1b}[31m.png:\n\tbroken\r\u{7}"), "a?[31m.png:\n\tbroken??");
    }
}
