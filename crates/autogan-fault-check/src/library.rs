//! This module builds the library that injects faults (`library/faults.c`), and reads what it logged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::plan::{Counts, Fault};

const SOURCE: &str = include_str!("../library/faults.c");

/// The built library.
#[derive(Debug)]
pub struct Library(PathBuf);

impl Library {
    /// Builds it in `dir`, with the C compiler that `CC` names, or `cc`.
    ///
    /// # Errors
    /// When there is no compiler, or it fails.
    pub fn build(dir: &Path) -> Result<Self> {
        let (source, library) = (dir.join("faults.c"), dir.join("faults.so"));
        fs::write(&source, SOURCE).with_context(|| format!("cannot write {}", source.display()))?;
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(&compiler);
        command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        let status = command.arg(&library).arg(&source).arg("-ldl").status();
        let status = status.with_context(|| {
            format!("{} does not start; install a C compiler", compiler.display())
        })?;
        ensure!(status.success(), "{} ended with {status}", compiler.display());
        Ok(Self(library))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Lets a command run with the library: calls on the files in `root` are counted, and meet `fault`.
    pub fn attach(&self, command: &mut Command, root: &Path, log: &Path, fault: Option<Fault>) {
        command.env("LD_PRELOAD", &self.0);
        command.env("AUTOGAN_FAULT_ROOT", root).env("AUTOGAN_FAULT_LOG", log);
        if let Some(fault) = fault {
            command.env("AUTOGAN_FAULT", fault.spec());
        }
    }
}

/// What the library logged about one process.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The call that met the fault, with its path; `None` where the run made fewer calls.
    pub struck: Option<String>,
    /// The targets of the renames that were done, in order.
    pub renamed: Vec<PathBuf>,
    /// How many calls of each kind there were; empty where the process was killed.
    pub counts: Counts,
}

impl Log {
    /// Reads a log; there is none where a process made no call.
    pub fn read(path: &Path) -> Self {
        Self::of(&fs::read_to_string(path).unwrap_or_default())
    }

    fn of(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("struck", call)) => log.struck = Some(call.to_owned()),
                Some(("renamed", path)) => log.renamed.push(path.into()),
                Some(("counts", pairs)) => log.counts = counts(pairs),
                _ => {}
            }
        }
        log
    }
}

/// The counts in a file where there is one, or these, which are then written to it. A run that takes longer commits rows
/// more often, so that a sweep which goes on would have another plan otherwise.
///
/// # Errors
/// When the file cannot be written.
pub fn kept(now: Counts, file: &Path) -> Result<Counts> {
    if let Ok(text) = fs::read_to_string(file) {
        return Ok(counts(text.trim_end()));
    }
    let pairs: Vec<String> = now.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
    fs::write(file, pairs.join(" ") + "\n")
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(now)
}

fn counts(pairs: &str) -> Counts {
    let pair = |pair: &str| {
        let (kind, count) = pair.split_once('=')?;
        Some((kind.to_owned(), count.parse().ok()?))
    };
    pairs.split(' ').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Way;

    #[test]
    fn a_log_is_read() {
        let log = Log::of("renamed /a/b c\nstruck write /a/x y\ncounts open=3 write=12\n");
        assert_eq!(log.struck.as_deref(), Some("write /a/x y"));
        assert_eq!(log.renamed, [PathBuf::from("/a/b c")]);
        assert_eq!(log.counts.get("write"), Some(&12));
        assert_eq!(Log::of(""), Log::default());
    }

    #[test]
    fn the_first_counts_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("counts.txt");
        let (first, later) = (counts("open=3 write=12"), counts("open=3 write=13"));
        assert_eq!(kept(first.clone(), &file).unwrap(), first);
        assert_eq!(kept(later, &file).unwrap(), first);
    }

    /// Writes ten bytes to `x` and then twelve, and renames it to `y`. Exits with the number of the first error.
    const TWO_WRITES: &str = r#"
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            int fd = open("x", O_WRONLY | O_CREAT, 0644);
            if (fd < 0 || write(fd, "0123456789", 10) < 0 || write(fd, "0123456789ab", 12) < 0) return errno;
            return rename("x", "y") ? errno : 0;
        }
    "#;

    /// Runs that program with a fault. Returns its exit code, the sizes of `x` and `y`, and the log.
    fn two_writes(fault: Option<(&str, &str, u64)>) -> (Option<i32>, [Option<u64>; 2], Log) {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::build(dir.path()).unwrap();
        let (source, program) = (dir.path().join("two.c"), dir.path().join("two"));
        fs::write(&source, TWO_WRITES).unwrap();
        let built = Command::new("cc").arg("-o").arg(&program).arg(&source).status().unwrap();
        assert!(built.success());
        let (root, log) = (dir.path().join("root"), dir.path().join("log"));
        fs::create_dir(&root).unwrap();
        let fault = fault.map(|(kind, name, n)| {
            let mut all = Way::all().into_iter();
            Fault { way: all.find(|way| way.kind == kind && way.name == name).unwrap(), n }
        });
        let mut command = Command::new(program);
        command.current_dir(&root);
        library.attach(&mut command, &root, &log, fault);
        let code = command.status().unwrap().code();
        let size = |name| fs::metadata(root.join(name)).ok().map(|found| found.len());
        (code, [size("x"), size("y")], Log::read(&log))
    }

    #[test]
    fn the_call_that_is_named_meets_the_fault_and_no_other() {
        let (code, sizes, log) = two_writes(None);
        assert_eq!((code, sizes, log.struck), (Some(0), [None, Some(22)], None));
        let count = |kind: &str| log.counts[kind];
        assert_eq!((count("open"), count("write"), count("data"), count("rename")), (1, 2, 2, 1));
        assert_eq!((count("change"), count("any")), (4, 4));
        assert_eq!(log.renamed, [PathBuf::from("y")]);

        let (code, sizes, log) = two_writes(Some(("write", "ENOSPC", 2)));
        assert_eq!((code, sizes), (Some(28), [Some(10), None]));
        let struck = log.struck.unwrap();
        assert!(struck.starts_with("write /") && struck.ends_with("root/x"), "{struck}");
        for (fault, code, sizes) in [
            (("data", "short", 2), Some(0), [None, Some(16)]),
            (("data", "torn", 2), None, [Some(16), None]),
            (("data", "full", 1), Some(28), [Some(0), None]),
            (("change", "SIGKILL", 3), None, [Some(10), None]),
            (("rename", "EIO", 1), Some(5), [Some(22), None]),
            (("open", "EMFILE", 1), Some(24), [None, None]),
        ] {
            let (found, left, log) = two_writes(Some(fault));
            assert_eq!((found, left, log.struck.is_some()), (code, sizes, true), "{fault:?}");
        }
        let (code, sizes, log) = two_writes(Some(("write", "EIO", 3)));
        assert_eq!((code, sizes, log.struck), (Some(0), [None, Some(22)], None));
    }
}
