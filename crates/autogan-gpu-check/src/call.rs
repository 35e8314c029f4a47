//! A [`Call`] is a command of the check as data, and a [`Runner`] runs it; tests put another runner in its place.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::report::Obstacle;
use crate::say;

/// Lines of a failed command's output that the report keeps.
const TAIL: usize = 80;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub program: String,
    pub args: Vec<String>,
    /// Variables of the environment that are set for it.
    pub env: Vec<(String, String)>,
    pub echo: Echo,
}

/// What of a command's output is shown while it runs and kept in the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Shown: nothing; kept: all.
    Nothing,
    All,
    /// What it says on stderr: stdout is for programs.
    Stderr,
}

impl Call {
    pub fn new(program: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { program: program.to_owned(), args, env: Vec::new(), echo: Echo::Nothing }
    }

    pub fn with(mut self, env: &[(String, String)]) -> Self {
        self.env.extend_from_slice(env);
        self
    }

    /// Shown while it runs.
    pub fn aloud(self) -> Self {
        Self { echo: Echo::All, ..self }
    }

    /// As a person would type it.
    pub fn line(&self) -> String {
        [std::slice::from_ref(&self.program), &self.args].concat().join(" ")
    }
}

/// How a command ended, and what it said.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Nothing where it succeeded, otherwise how it failed.
    pub failure: Option<String>,
    pub stdout: String,
    /// The last lines of stdout and stderr.
    pub tail: String,
}

impl Output {
    /// The output of a command that succeeded.
    pub fn succeeded(self) -> Result<Self, Obstacle> {
        match self.failure {
            Some(reason) => Err(Obstacle::Failed { reason, tail: self.tail }),
            None => Ok(self),
        }
    }

    /// The last line of a command that failed, or how it failed.
    pub fn why(&self) -> Option<&str> {
        let last = self.tail.lines().next_back().filter(|line| !line.is_empty());
        self.failure.as_deref().map(|failure| last.unwrap_or(failure))
    }
}

/// Runs commands.
pub trait Runner {
    /// Runs a command in the repository's root to its end.
    fn run(&self, call: &Call) -> Output;
}

/// The system.
pub struct System<'a> {
    pub root: &'a Path,
}

impl Runner for System<'_> {
    fn run(&self, call: &Call) -> Output {
        if call.echo != Echo::Nothing {
            say(&format!("   $ {}", call.line()));
        }
        let mut command = Command::new(&call.program);
        command.args(&call.args).envs(call.env.iter().map(|(k, v)| (k, v)));
        command.current_dir(self.root).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                let failure = format!("{} does not start: {error}", call.program);
                return Output { failure: Some(failure), ..Output::default() };
            }
        };
        let kept = Mutex::new(VecDeque::new());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let stdout = std::thread::scope(|scope| {
            scope.spawn(|| err.map(|pipe| follow(pipe, call.echo != Echo::Nothing, Some(&kept))));
            let kept = (call.echo != Echo::Stderr).then_some(&kept);
            out.map(|pipe| follow(pipe, call.echo == Echo::All, kept)).unwrap_or_default()
        });
        let failure = match child.wait() {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("`{}` ended with {status}", call.line())),
            Err(error) => Some(format!("`{}` cannot be waited for: {error}", call.line())),
        };
        let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        Output { failure, stdout, tail: Vec::from(kept).join("\n") }
    }
}

/// Reads a pipe to its end: shows its lines, keeps the last ones in `tail`, gives all of them.
fn follow(pipe: impl Read, shown: bool, tail: Option<&Mutex<VecDeque<String>>>) -> String {
    let mut reader = BufReader::new(pipe);
    let (mut all, mut bytes) = (String::new(), Vec::new());
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        bytes.clear();
        let line = text.trim_end();
        if shown {
            say(&format!("   {line}"));
        }
        if let Some(tail) = tail {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line.to_owned());
        }
        all.push_str(&text);
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // an unwrap is how a test fails
pub mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Answers commands without running them, and keeps what was asked.
    pub struct Fake<'a> {
        answer: Box<dyn Fn(&str) -> Output + 'a>,
        pub asked: RefCell<Vec<Call>>,
    }

    impl<'a> Fake<'a> {
        pub fn new(answer: impl Fn(&str) -> Output + 'a) -> Self {
            Self { answer: Box::new(answer), asked: RefCell::default() }
        }
    }

    impl Runner for Fake<'_> {
        fn run(&self, call: &Call) -> Output {
            self.asked.borrow_mut().push(call.clone());
            (self.answer)(&call.line())
        }
    }

    pub fn fine(stdout: &str) -> Output {
        Output { failure: None, stdout: stdout.to_owned(), tail: stdout.to_owned() }
    }

    pub fn failed(tail: &str) -> Output {
        Output { failure: Some("ended with 1".into()), stdout: String::new(), tail: tail.into() }
    }

    #[cfg(unix)]
    #[test]
    fn output_status_and_environment_of_a_command() {
        let system = System { root: Path::new("/") };
        let shell = |script: &str| Call::new("sh", &["-c", script]);
        let call = shell("pwd; echo to stderr >&2; echo $WORD; exit 3");
        let finished = system.run(&call.with(&[("WORD".into(), "seen".into())]));
        assert!(finished.failure.unwrap().contains("exit status: 3"));
        assert_eq!(finished.stdout, "/\nseen\n");
        assert!(finished.tail.contains("to stderr") && finished.tail.contains("seen"));

        let finished = system.run(&shell("seq 1000"));
        assert!(finished.failure.is_none() && finished.stdout.starts_with("1\n2\n"));
        assert!(finished.tail.starts_with("921\n") && finished.tail.ends_with("1000"));

        let quiet = Call { echo: Echo::Stderr, ..shell("echo data; echo words >&2") };
        let finished = system.run(&quiet);
        assert_eq!((finished.stdout.as_str(), finished.tail.as_str()), ("data\n", "words"));

        let failure = system.run(&Call::new("no-such-command", &["x"])).failure.unwrap();
        assert!(failure.starts_with("no-such-command does not start"), "{failure}");
    }
}
