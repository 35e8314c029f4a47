//! This module hands a command over to `autogan-cuda`, the build of this program with the feature `cuda`.
//!
//! `autogan-cuda` lies beside `autogan`. This module looks first for the libraries that it needs. If one were missing,
//! the system's loader would end it with a message of its own before it could explain anything.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow};

/// The driver's library.
const DRIVER: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

/// Set for the program that takes over, so that one which would hand over again says what it is.
const HANDED_OVER: &str = "AUTOGAN_HANDED_OVER";

/// Has `autogan-cuda` carry out the command that this process was started with; returns only when it cannot, with the
/// reason and what to do about it. Nothing may have been printed or written before.
pub fn hand_over(gpu: usize) -> anyhow::Error {
    let attempt = || -> anyhow::Result<std::convert::Infallible> {
        let own = std::env::current_exe().context("cannot tell where this program lies")?;
        if std::env::var_os(HANDED_OVER).is_some() {
            return Err(anyhow!(
                "{} was built without the feature cuda; docs/cuda.md says how the program that belongs there is built",
                own.display()
            ));
        }
        driver(DRIVER)?;
        let program = beside(&own)?;
        libraries(&program)?;
        let mut command = Command::new(&program);
        command.args(std::env::args_os().skip(1)).env(HANDED_OVER, "1");
        become_it(command).with_context(|| format!("{} does not start", program.display()))
    };
    match attempt() {
        Err(error) => error.context(format!("--device cuda:{gpu}")),
        Ok(never) => match never {},
    }
}

/// An error where the driver's library cannot be loaded.
fn driver(name: &str) -> anyhow::Result<()> {
    // SAFETY: loading the driver's library runs its initialisers, which every program that computes on a GPU runs.
    match unsafe { libloading::Library::new(name) } {
        Ok(_) => Ok(()),
        Err(error) => Err(anyhow!(
            "no NVIDIA driver: {name}, which it installs, cannot be loaded ({}). Install the driver, in a container \
             pass the GPU through (`--gpus all`), or leave --device out to compute on the CPU",
            reason(&error)
        )),
    }
}

/// What the system's loader says, which libloading keeps as the cause.
fn reason(error: &libloading::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

/// `autogan-cuda` beside this program.
fn beside(own: &Path) -> anyhow::Result<PathBuf> {
    let name = format!("autogan-cuda{}", std::env::consts::EXE_SUFFIX);
    let program = own.with_file_name(name);
    if !program.is_file() {
        return Err(anyhow!(
            "this program computes on the CPU, and there is no {}, which computes on NVIDIA GPUs; \
             `cargo xtask build --cuda` builds it (docs/cuda.md)",
            program.display()
        ));
    }
    Ok(program)
}

/// An error that names every library of the program which the system's loader does not find.
fn libraries(program: &Path) -> anyhow::Result<()> {
    let list = loaded(program)?;
    let missing = missing(&list);
    if missing.is_empty() {
        return Ok(());
    }
    Err(anyhow!(
        "{} needs libraries that the system does not find: {}. They belong to CUDA's toolkit and cuDNN; install them, \
         or name their folder in LD_LIBRARY_PATH",
        program.display(),
        missing.join(", ")
    ))
}

/// What the loader of a Unix system says it would load for the program, a line each; it does not run it.
#[cfg(target_os = "linux")]
fn loaded(program: &Path) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.arg("--version").env("LD_TRACE_LOADED_OBJECTS", "1").env(HANDED_OVER, "1");
    let output =
        command.output().with_context(|| format!("{} does not start", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Other systems tell by starting the program.
#[cfg(not(target_os = "linux"))]
fn loaded(_: &Path) -> anyhow::Result<String> {
    Ok(String::new())
}

/// The libraries that such a list says are not there.
fn missing(list: &str) -> Vec<&str> {
    let names = list.lines().filter_map(|line| line.trim().strip_suffix("=> not found"));
    names.map(str::trim).collect()
}

/// Becomes the program, so that signals and exit status are its own.
#[cfg(unix)]
fn become_it(mut command: Command) -> anyhow::Result<std::convert::Infallible> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

/// Runs the program and ends as it does.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> anyhow::Result<std::convert::Infallible> {
    std::process::exit(command.status()?.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
\tlinux-vdso.so.1 (0x00007ffd0c5f2000)
\tlibcuda.so.1 => /usr/lib/x86_64-linux-gnu/libcuda.so.1 (0x00007f1b2c000000)
\tlibcublas.so.13 => not found
\tlibcudnn.so.9 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1b2be00000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f1b2c5d0000)
";

    #[test]
    fn libraries_that_are_missing_are_named() {
        assert_eq!(missing(LIST), ["libcublas.so.13", "libcudnn.so.9"]);
        assert_eq!(missing(""), [""; 0]);
    }

    #[test]
    fn a_driver_that_is_not_there_is_named_with_what_to_do() {
        let error = driver("libno-such-driver.so.1").unwrap_err().to_string();
        assert!(error.contains("libno-such-driver.so.1, which it installs"), "{error}");
        assert!(error.contains("--gpus all") && error.contains("CPU"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_of_the_system_is_loaded() {
        driver("libc.so.6").unwrap();
    }

    #[test]
    fn the_program_lies_beside_this_one_or_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("autogan");
        let error = beside(&own).unwrap_err().to_string();
        assert!(error.contains("autogan-cuda") && error.contains("docs/cuda.md"), "{error}");
        let program = dir.path().join(format!("autogan-cuda{}", std::env::consts::EXE_SUFFIX));
        std::fs::write(&program, "").unwrap();
        assert_eq!(beside(&own).unwrap(), program);
    }

    /// This test program needs libraries that are all here.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_loader_is_asked_without_running_the_program() {
        let own = std::env::current_exe().unwrap();
        let list = loaded(&own).unwrap();
        assert!(list.contains("libc.so"), "{list}");
        libraries(&own).unwrap();
    }
}
