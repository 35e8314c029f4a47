//! `cargo xtask check` checks what must hold before the tests are worth running.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::handover::{cargo, succeed};
use crate::{say, tidy};

/// For clippy: no warning passes.
pub(crate) const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// Everything but tests.
pub fn run(root: &Path) -> Result<ExitCode> {
    let steps: [(&str, &dyn Fn() -> Result<()>); 5] = [
        ("format", &|| succeed(in_root(root, &["fmt", "--all", "--check"]))),
        ("tidy", &|| tidy::check(root)),
        ("lints", &|| {
            succeed(in_root(
                root,
                &[&["clippy", "--workspace", "--all-targets"], &DENY[..]].concat(),
            ))
        }),
        ("documentation", &|| succeed(documentation(root))),
        ("dependency policy", &|| dependency_policy(root)),
    ];
    every(&steps)
}

/// Runs every step, also after one has failed, and fails if any did.
pub(crate) fn every(steps: &[(&str, &dyn Fn() -> Result<()>)]) -> Result<ExitCode> {
    let mut failed = Vec::new();
    for &(name, step) in steps {
        say(&format!("== {name}"));
        let start = Instant::now();
        let result = step();
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => say(&format!("   {name}: fine ({seconds:.1} s)")),
            Err(error) => {
                say(&format!("   {name}: FAILED ({seconds:.1} s)\n   {error:#}"));
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        say("check: all fine");
        Ok(ExitCode::SUCCESS)
    } else {
        bail!("check failed: {}", failed.join(", "))
    }
}

pub(crate) fn in_root(root: &Path, args: &[&str]) -> Command {
    let mut command = cargo();
    command.current_dir(root).args(args);
    command
}

fn documentation(root: &Path) -> Command {
    let mut command = in_root(root, &["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// Bans, licenses and sources of every dependency, by `deny.toml`.
fn dependency_policy(root: &Path) -> Result<()> {
    let installed = in_root(root, &["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        bail!(
            "cargo-deny is not installed: `cargo install --locked cargo-deny`, then run this again"
        );
    }
    succeed(in_root(root, &["deny", "check", "bans", "licenses", "sources"]))
}
