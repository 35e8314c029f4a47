//! Helpers that run the binary and read its results.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use autogan_testing::tiny;

/// The exit code and the output of a command that has ended.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for CommandOutput {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl CommandOutput {
    /// The text on stdout. Panics unless the command succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The text on stderr. Panics unless the command failed with `code` and left stdout empty.
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "results go to stdout, errors do not");
        self.stderr
    }
}

/// A command that starts the binary in `dir`.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autogan"));
    command.current_dir(dir).env("HF_HUB_OFFLINE", "1");
    command.env_remove("RUST_LOG").env_remove("AUTOGAN_CALLED_AS").env_remove("AUTOGAN_STATS_DIR");
    command
}

/// Runs the binary in `dir`.
pub fn autogan<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> CommandOutput {
    command(dir).args(args).output().unwrap().into()
}

/// Runs the binary in the directory of the tests; `line` holds the arguments, with spaces between them.
pub fn words(line: &str) -> CommandOutput {
    autogan(Path::new(env!("CARGO_MANIFEST_DIR")), &line.split_whitespace().collect::<Vec<_>>())
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The arguments that make `autogan train` take a second, then `more`.
pub fn tiny_training<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let settings = tiny::training_settings(&[]).into_iter().flat_map(|setting| ["--set", setting]);
    settings.chain(more.iter().copied()).collect()
}

/// `autogan search` of a second or two in `dir`, with more arguments.
pub fn tiny_search(dir: &Path, more: &[&str]) -> Command {
    let mut command = command(dir);
    let settings = tiny::search_settings(&[]).into_iter().flat_map(|setting| ["--set", setting]);
    command.arg("search").args(settings).args(more);
    command
}

/// Runs a tiny search to its end in `dir/NAME`. Returns that path and the text on stdout.
pub fn tiny_run(dir: &Path, name: &str, more: &[&str]) -> (PathBuf, String) {
    let ran: CommandOutput =
        tiny_search(dir, &[&["--run-dir", name], more].concat()).output().unwrap().into();
    (dir.join(name), ran.ok())
}

/// The files of a directory, sorted by name.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The newest checkpoint of a run.
pub fn last_checkpoint(run: &Path) -> PathBuf {
    files(&run.join("checkpoints")).pop().unwrap()
}

/// Starts the binary in `dir`, sends `signal` once a line on stderr starts with `when`, and waits for its end.
pub fn interrupt(dir: &Path, args: &[&str], when: &str, signal: &str) -> CommandOutput {
    let mut command = command(dir);
    command.args(args);
    interrupt_command(command, when, signal)
}

/// Like [`interrupt`], for a command that has its arguments already.
pub fn interrupt_command(mut command: Command, when: &str, signal: &str) -> CommandOutput {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    while !seen.lines().any(|line| line.starts_with(when)) {
        assert_ne!(stderr.read_line(&mut seen).unwrap(), 0, "it ended without {when:?}: {seen}");
    }
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    stderr.read_to_string(&mut seen).unwrap();
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    CommandOutput { code: child.wait().unwrap().code(), stdout, stderr: seen }
}
