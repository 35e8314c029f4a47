//! Running the binary, and looking at what came of it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use autogan_testing::tiny;

/// A run of the binary that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// What it printed to stdout; it must have succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// What it printed to stderr; it must have failed with `code` and left stdout empty.
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "results go to stdout, errors do not");
        self.stderr
    }
}

/// The binary, in `dir`.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autogan"));
    command.current_dir(dir).env("HF_HUB_OFFLINE", "1").env_remove("RUST_LOG");
    command
}

/// Runs it in `dir`.
pub fn autogan<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Ran {
    command(dir).args(args).output().unwrap().into()
}

/// Runs it with a line of words in the directory of the tests.
pub fn words(line: &str) -> Ran {
    autogan(Path::new(env!("CARGO_MANIFEST_DIR")), &line.split_whitespace().collect::<Vec<_>>())
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The arguments that make `autogan train` take a second.
pub fn tiny_training() -> impl Iterator<Item = &'static str> {
    tiny::training_settings(&[]).into_iter().flat_map(|setting| ["--set", setting])
}

/// `autogan search` of a second or two in `dir`, with more arguments.
pub fn tiny_search(dir: &Path, more: &[&str]) -> Command {
    let mut command = command(dir);
    let settings = tiny::search_settings(&[]).into_iter().flat_map(|setting| ["--set", setting]);
    command.arg("search").args(settings).args(more);
    command
}

/// Runs it to its end in `dir/NAME`, which is given back with what it printed.
pub fn tiny_run(dir: &Path, name: &str, more: &[&str]) -> (PathBuf, String) {
    let ran: Ran =
        tiny_search(dir, &[&["--run-dir", name], more].concat()).output().unwrap().into();
    (dir.join(name), ran.ok())
}

/// The files of a directory by name.
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
pub fn interrupt(dir: &Path, args: &[&str], when: &str, signal: &str) -> Ran {
    let mut command = command(dir);
    command.args(args);
    interrupt_command(command, when, signal)
}

/// As [`interrupt`], of a command that is complete.
pub fn interrupt_command(mut command: Command, when: &str, signal: &str) -> Ran {
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
    Ran { code: child.wait().unwrap().code(), stdout, stderr: seen }
}
