//! `host.json` describes the machine and the program of a run. It is written once, when the run starts, and holds no paths.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::now_ms;

/// The machine and the program that a run was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// When the run was created, in milliseconds since 1970 (UTC).
    pub created_ms: u64,
    /// Name of the machine.
    pub hostname: String,
    /// The processor's model name.
    pub cpu: String,
    /// Physical cores, where the system tells.
    pub cores: Option<usize>,
    /// Hardware threads that this process may use.
    pub threads: usize,
    /// Main memory in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
    /// Operating system and its version.
    pub os: String,
    /// Processor architecture, as Rust names it.
    pub arch: String,
    /// Device that computes, in words: "cpu", "NVIDIA H100".
    pub device: String,
    /// Version of this program.
    pub version: String,
    /// Commit of the source tree that the program was built in, if it still lies there.
    pub commit: Option<String>,
    /// The compiler that built the program.
    pub rustc: String,
}

impl Host {
    /// Asks the system; what it does not tell is "unknown" or absent.
    pub fn detect(device: &str) -> Host {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Host {
            created_ms: now_ms(),
            hostname: name(),
            cpu: cpu_model(&cpuinfo).unwrap_or_else(unknown),
            cores: physical_cores(&cpuinfo),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_bytes(&meminfo),
            os: os_name(),
            arch: std::env::consts::ARCH.to_owned(),
            device: device.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: std::env::current_exe().ok().and_then(|exe| commit_above(&exe)),
            rustc: env!("AUTOGAN_RUSTC").to_owned(),
        }
    }
}

/// Name of this machine, or "unknown".
pub fn name() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|file| first_line(Path::new(file)))
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_else(unknown)
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn first_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Value of the first line `key : value`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    // x86 says "model name"; some ARM kernels say "Model" or "Hardware".
    ["model name", "Model", "Hardware"]
        .iter()
        .find_map(|key| field(cpuinfo, key))
        .map(str::to_owned)
}

/// Distinct pairs of socket and core.
fn physical_cores(cpuinfo: &str) -> Option<usize> {
    let mut cores = std::collections::BTreeSet::new();
    for block in cpuinfo.split("\n\n") {
        let socket = field(block, "physical id").unwrap_or("0");
        if let Some(core) = field(block, "core id") {
            cores.insert((socket, core));
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kib = field(meminfo, "MemTotal")?.strip_suffix("kB")?.trim();
    Some(kib.parse::<u64>().ok()? * 1024)
}

fn os_name() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned());
    let kernel = first_line(Path::new("/proc/sys/kernel/osrelease"));
    match (pretty, kernel) {
        (Some(pretty), Some(kernel)) => format!("{pretty}, {} {kernel}", std::env::consts::OS),
        (Some(pretty), None) => pretty,
        (None, Some(kernel)) => format!("{} {kernel}", std::env::consts::OS),
        (None, None) => std::env::consts::OS.to_owned(),
    }
}

/// Commit checked out in the source tree around `exe`, provided that it is this project's.
fn commit_above(exe: &Path) -> Option<String> {
    let root = exe.ancestors().find(|dir| dir.join("crates/autogan-run/Cargo.toml").is_file())?;
    let mut git = root.join(".git");
    if git.is_file() {
        // A worktree: the file says where the repository keeps its state.
        let text = fs::read_to_string(&git).ok()?;
        git = root.join(text.strip_prefix("gitdir:")?.trim());
    }
    let head = first_line(&git.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else {
        return Some(head);
    };
    let common = first_line(&git.join("commondir")).map_or(git.clone(), |dir| git.join(dir));
    first_line(&common.join(reference)).or_else(|| packed(&common, reference))
}

fn packed(git: &Path, reference: &str) -> Option<String> {
    let text = fs::read_to_string(git.join("packed-refs")).ok()?;
    text.lines().find_map(|line| {
        let (commit, name) = line.split_once(' ')?;
        (name == reference).then(|| commit.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nphysical id\t: 0\ncore id\t\t: 0\n\n\
        processor\t: 1\nmodel name\t: Some CPU @ 2.00GHz\nphysical id\t: 0\ncore id\t\t: 0\n\n\
        processor\t: 2\nmodel name\t: Some CPU @ 2.00GHz\nphysical id\t: 0\ncore id\t\t: 1\n\n\
        processor\t: 3\nmodel name\t: Some CPU @ 2.00GHz\nphysical id\t: 1\ncore id\t\t: 0\n";

    #[test]
    fn reads_the_kernels_files() {
        assert_eq!(cpu_model(CPUINFO).unwrap(), "Some CPU @ 2.00GHz");
        assert_eq!(physical_cores(CPUINFO), Some(3));
        assert_eq!(physical_cores(""), None);
        assert_eq!(memory_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16_384));
        assert_eq!(memory_bytes("nonsense"), None);
    }

    #[test]
    fn detects_something_and_round_trips() {
        let host = Host::detect("cpu");
        assert!(host.threads >= 1 && host.created_ms > 1_600_000_000_000);
        assert!(host.rustc.starts_with("rustc "));
        assert!(!host.os.is_empty() && !host.hostname.is_empty());
        let text = serde_json::to_string(&host).unwrap();
        assert_eq!(serde_json::from_str::<Host>(&text).unwrap(), host);
        let home = env!("CARGO_MANIFEST_DIR");
        assert!(!text.contains(home), "no absolute path: {text}");
    }

    #[test]
    fn finds_the_commit_of_its_own_tree_only() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("target/release/autogan");
        fs::create_dir_all(dir.path().join(".git/refs/heads")).unwrap();
        fs::write(dir.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(dir.path().join(".git/refs/heads/main"), "abc123\n").unwrap();
        assert_eq!(commit_above(&exe), None);
        fs::create_dir_all(dir.path().join("crates/autogan-run")).unwrap();
        fs::write(dir.path().join("crates/autogan-run/Cargo.toml"), "").unwrap();
        assert_eq!(commit_above(&exe).as_deref(), Some("abc123"));
        fs::remove_file(dir.path().join(".git/refs/heads/main")).unwrap();
        assert_eq!(commit_above(&exe), None);
        fs::write(dir.path().join(".git/packed-refs"), "# pack\ndef456 refs/heads/main\n").unwrap();
        assert_eq!(commit_above(&exe).as_deref(), Some("def456"));
        fs::write(dir.path().join(".git/HEAD"), "789abc\n").unwrap();
        assert_eq!(commit_above(&exe).as_deref(), Some("789abc"));
    }
}
