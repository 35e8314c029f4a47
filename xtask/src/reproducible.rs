//! `cargo xtask reproducible` builds a program twice, in two folders, and compares the bytes.
//!
//! Each build is of a clone of the last commit, with a target folder of its own. Paths would be in panic messages, in debug
//! information and in the C code that build scripts compile; the compilers replace them by names that are the same on every
//! machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::check::in_root;
use crate::handover::succeed;
use crate::say;
use crate::tidy::entries;
use crate::vendored::sha256;

/// Between two flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\u{1f}";

/// What is built.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package whose program is built
    #[arg(long, default_value = "autogan-cli")]
    package: String,
    /// The name of the program
    #[arg(long, default_value = "autogan")]
    program: String,
    /// Features to build it with
    #[arg(long, value_name = "LIST")]
    features: Option<String>,
    /// A folder for both builds, which is kept; without it, a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Builds twice and compares; fails when the programs differ.
pub fn run(root: &Path, args: &Args) -> Result<ExitCode> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let place = args.keep.as_deref().unwrap_or(scratch.path());
    fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))?;
    let place = place.canonicalize()?;
    // Of different lengths, so that a path that is left shifts what follows.
    let folders = [place.join("a"), place.join("another-folder")];
    for folder in &folders {
        build(root, folder, args)?;
    }
    let programs = folders.each_ref().map(|folder| program(folder, &args.program));
    let [first, second] = programs.each_ref().map(|path| {
        fs::read(path).with_context(|| format!("expected the program at {}", path.display()))
    });
    let (first, second) = (first?, second?);
    for (path, bytes) in programs.iter().zip([&first, &second]) {
        say(&format!("{}  {} ({} bytes)", sha256(bytes), path.display(), bytes.len()));
    }
    if first == second {
        say("reproducible: both builds gave the same bytes");
        return Ok(ExitCode::SUCCESS);
    }
    let mut said = vec![difference(&first, &second)];
    for (folder, bytes) in folders.iter().zip([&first, &second]) {
        let left = holds(bytes, folder.as_os_str().as_encoded_bytes());
        said.extend(left.then(|| format!("the program names its folder {}", folder.display())));
    }
    let libraries = libraries(&folders)?;
    said.push(format!("crates that differ: {}", libraries.join(", ")));
    bail!("the two builds differ:\n{}", said.join("\n"))
}

/// Clones the last commit into the folder and builds the program there.
fn build(root: &Path, folder: &Path, args: &Args) -> Result<()> {
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--no-hardlinks"]).arg(root).arg(folder);
    succeed(clone).context("git cannot clone this repository")?;
    let mut build = in_root(folder, &["build", "--release", "--locked", "--package"]);
    build.arg(&args.package).args(["--bin", &args.program]);
    if let Some(features) = &args.features {
        build.args(["--features", features]);
    }
    build.env("CARGO_TARGET_DIR", folder.join("target"));
    for (name, value) in settings(&places(folder)?)? {
        build.env(name, value);
    }
    say(&format!("building {} in {}", args.program, folder.display()));
    succeed(build)
}

/// Folders whose paths the compilers see, each with the name that stands for it, the inner ones last.
fn places(folder: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.context("cannot tell where cargo's folder lies; set CARGO_HOME")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output();
    let sysroot = String::from_utf8(sysroot.context("rustc does not start")?.stdout)?;
    Ok(vec![
        (PathBuf::from(sysroot.trim_end()), "/rust"),
        (home, "/cargo"),
        (folder.to_owned(), "/autogan"),
    ])
}

/// The environment of a build that depends on no place and no time.
fn settings(places: &[(PathBuf, &str)]) -> Result<Vec<(&'static str, OsString)>> {
    let mut pairs = Vec::new();
    for (path, name) in places {
        let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        // The flags for C are separated by blanks.
        ensure!(
            !path.contains([' ', '=']),
            "{path} has a blank or a = in it; choose another folder"
        );
        pairs.push((path, *name));
    }
    let rust = pairs.iter().map(|(path, name)| format!("--remap-path-prefix={path}={name}"));
    let c = pairs.iter().map(|(path, name)| format!("-ffile-prefix-map={path}={name}"));
    let (rust, c) = (rust.collect::<Vec<_>>().join(SEPARATOR), c.collect::<Vec<_>>().join(" "));
    Ok(vec![
        ("CARGO_ENCODED_RUSTFLAGS", rust.into()),
        ("CFLAGS", c.clone().into()),
        ("CXXFLAGS", c.into()),
        ("CARGO_INCREMENTAL", "0".into()),
        ("SOURCE_DATE_EPOCH", "0".into()),
    ])
}

fn program(folder: &Path, name: &str) -> PathBuf {
    folder.join("target/release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Where two programs differ, in words.
fn difference(first: &[u8], second: &[u8]) -> String {
    let differ = first.iter().zip(second).filter(|(a, b)| a != b).count();
    let at = first.iter().zip(second).position(|(a, b)| a != b);
    let at = at.unwrap_or(first.len().min(second.len()));
    format!(
        "{} and {} bytes; {differ} of those in both differ, the first at {at}",
        first.len(),
        second.len()
    )
}

/// Whether the bytes have the part in them.
fn holds(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

/// The names of the libraries that differ or that only one build has.
fn libraries(folders: &[PathBuf; 2]) -> Result<Vec<String>> {
    let mut differ = Vec::new();
    for (folder, other) in [(&folders[0], &folders[1]), (&folders[1], &folders[0])] {
        for path in entries(&folder.join("target/release/deps"))? {
            if path.extension().is_none_or(|extension| extension != "rlib") {
                continue;
            }
            let name = path.file_name().unwrap_or_default();
            let twin = fs::read(other.join("target/release/deps").join(name)).ok();
            if twin != Some(fs::read(&path)?) {
                differ.push(name.to_string_lossy().into_owned());
            }
        }
    }
    differ.sort();
    differ.dedup();
    Ok(differ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_compilers_replace_every_folder() {
        let places = [("/home/me/.cargo", "/cargo"), ("/tmp/x", "/autogan")];
        let places = places.map(|(path, name)| (PathBuf::from(path), name));
        let found = settings(&places).unwrap();
        let value = |name: &str| {
            let found = found.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap()
        };
        assert_eq!(
            value("CARGO_ENCODED_RUSTFLAGS"),
            "--remap-path-prefix=/home/me/.cargo=/cargo\u{1f}--remap-path-prefix=/tmp/x=/autogan"
        );
        assert_eq!(
            value("CFLAGS"),
            "-ffile-prefix-map=/home/me/.cargo=/cargo -ffile-prefix-map=/tmp/x=/autogan"
        );
        assert_eq!(value("CFLAGS"), value("CXXFLAGS"));
        let error = settings(&[(PathBuf::from("/a b"), "/autogan")]).unwrap_err();
        assert!(error.to_string().contains("/a b has a blank"), "{error}");
    }

    #[test]
    fn a_difference_is_told_by_size_count_and_place() {
        assert_eq!(
            difference(b"abcd", b"abXYZ"),
            "4 and 5 bytes; 2 of those in both differ, the first at 2"
        );
        assert!(difference(b"ab", b"abc").ends_with("0 of those in both differ, the first at 2"));
        assert!(holds(b"in /tmp/a here", b"/tmp/a") && !holds(b"in /tmp", b"/tmp/a"));
        assert!(!holds(b"anything", b""));
    }

    #[test]
    fn libraries_are_compared_in_both_directions() {
        let home = tempfile::tempdir().unwrap();
        let folders = ["a", "b"].map(|name| home.path().join(name));
        for (folder, files) in
            folders.iter().zip([["same", "other", "first"], ["same", "other", "second"]])
        {
            let deps = folder.join("target/release/deps");
            fs::create_dir_all(&deps).unwrap();
            for file in files {
                let text =
                    if file == "same" { "same".into() } else { folder.display().to_string() };
                fs::write(deps.join(format!("{file}.rlib")), &text).unwrap();
                fs::write(deps.join(format!("{file}.d")), &text).unwrap();
            }
        }
        assert_eq!(libraries(&folders).unwrap(), ["first.rlib", "other.rlib", "second.rlib"]);
    }
}
