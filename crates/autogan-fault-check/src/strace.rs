//! This module compares the calls that the library counts with those that the kernel sees: a call that a program makes
//! without libc would meet no fault.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::attempt::{Bench, Ended};
use crate::library::Log;

/// The system calls that change a file or a directory, as `strace -e trace=` takes them.
const CALLS: &str = "open,openat,openat2,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,\
                     rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,truncate,fallocate,\
                     copy_file_range,sendfile,link,linkat,symlink,symlinkat";

/// Runs the subject under strace and with the library, and compares how many calls change something.
///
/// # Errors
/// When strace is missing, or the numbers differ.
pub fn compare(bench: &Bench, out: &Path) -> Result<()> {
    let dir = out.join("strace");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    let (root, seen, log) = (dir.join("root"), dir.join("seen.txt"), dir.join("faults.log"));
    fs::create_dir(&root)?;
    bench.subject.prepare(&root)?;
    let subject = bench.subject.start(&bench.program, &root);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "--seccomp-bpf", "-e"]).arg(format!("trace={CALLS}"));
    command.arg("-o").arg(&seen).current_dir(&root).env("HF_HUB_OFFLINE", "1");
    let preload = |key: &str, value: &Path| format!("{key}={}", value.display());
    for setting in [
        preload("LD_PRELOAD", bench.library.path()),
        preload("AUTOGAN_FAULT_ROOT", &root),
        preload("AUTOGAN_FAULT_LOG", &log),
    ] {
        command.arg("-E").arg(setting);
    }
    command.arg(subject.get_program()).args(subject.get_args());
    let ended = Ended::run(command).context("strace is needed: install it")?;
    ensure!(ended.status.is_some_and(|status| status.success()), "under strace: {}", ended.stderr);
    let kernel = changes(&fs::read_to_string(&seen)?, &root.display().to_string());
    let by_kernel: u64 = kernel.values().sum();
    let by_library = Log::read(&log).counts.get("change").copied().unwrap_or(0);
    let listed: Vec<String> =
        kernel.iter().map(|(call, count)| format!("{call} {count}")).collect();
    crate::say(&format!("calls that change something, seen by the kernel: {}", listed.join(", ")));
    ensure!(
        by_kernel == by_library,
        "the kernel saw {by_kernel} calls that change something, the library {by_library}; see {}",
        seen.display()
    );
    crate::say(&format!("the library saw all of them: {by_library}"));
    Ok(())
}

/// How many calls of each name change something in the folder `root`.
fn changes(trace: &str, root: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in trace.lines() {
        // "123 openat(AT_FDCWD</root>, \"runs/run/x\", O_WRONLY|O_CREAT, 0666) = 7</root/runs/run/x>"
        let call = line.split_once(' ').map_or(line, |(_, call)| call.trim_start());
        let Some((name, rest)) = call.split_once('(') else { continue };
        // The folder in which the program runs is written before each path.
        let here = rest.starts_with("AT_FDCWD");
        let rest = rest.split_once(", ").filter(|_| here).map_or(rest, |(_, rest)| rest);
        let opens =
            name.starts_with("open") && !["O_CREAT", "O_TRUNC"].iter().any(|f| rest.contains(f));
        if !opens && rest.contains(root) | is_relative(rest) {
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

/// Whether the first argument is a relative path.
fn is_relative(arguments: &str) -> bool {
    let first = arguments.strip_prefix('"').and_then(|rest| rest.chars().next());
    first.is_some_and(|first| first != '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_the_folder_that_change_something_are_counted() {
        let trace = "\
7 openat(AT_FDCWD</w/root>, \"runs/x\", O_WRONLY|O_CREAT, 0666) = 3</w/root/runs/x>
7 openat(AT_FDCWD</w/root>, \"/w/log\", O_WRONLY|O_CREAT) = 3</w/log>
7 openat(AT_FDCWD</w/root>, \"runs/x\", O_RDONLY) = 3</w/root/runs/x>
8 write(3</w/root/runs/x>, \"a\", 1) = 1
8 write(2<pipe:[1]>, \"a\", 1) = 1
8 rename(\"runs/.x.tmp\", \"runs/x\") = 0
8 unlink(\"/tmp/other\") = 0
8 +++ exited with 0 +++
";
        let counts = changes(trace, "/w/root");
        let pairs: Vec<(&str, u64)> = counts.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(pairs, [("openat", 1), ("rename", 1), ("write", 1)]);
    }
}
