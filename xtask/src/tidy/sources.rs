//! This module checks the files of Rust, CUDA and C++: a header, a sensible length, nothing left undone.

use std::path::Path;

use anyhow::Result;

use super::{entries, read};

/// About 400 is the habit; above this it is an error.
const MAX_LINES: usize = 420;

/// Folders with source of ours.
const FOLDERS: &[&str] = &["crates", "xtask", "tests"];

/// CUDA's and C++'s files.
const NATIVE: &[&str] = &["cu", "cuh", "h", "cpp"];

/// Marks of unfinished work and switched-off tests. Written in two halves, so that this file does
/// not hold what it forbids.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("#[ig", "nore"),
];

/// What `autogan-space` never uses: it reads and writes nothing.
const IO: &[&str] = &["std::fs", "std::io", "std::net", "std::env", "std::process"];

/// The breaches in the Rust files of the workspace.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for folder in FOLDERS {
        let folder = root.join(folder);
        if folder.is_dir() {
            visit(root, &folder, &mut breaches)?;
        }
    }
    Ok(breaches)
}

fn visit(root: &Path, folder: &Path, breaches: &mut Vec<String>) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            // A crate's own target folder holds generated code.
            if path.file_name().is_some_and(|name| name != "target") {
                visit(root, &path, breaches)?;
            }
            continue;
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let name = name.replace('\\', "/");
        if extension == "rs" || NATIVE.contains(&extension) {
            breaches.extend(check_file(&name, &read(&path)?));
        }
        // What belongs to no operator lies in `cuda`.
        if extension == "cu" && !name.contains("/src/cuda/") && !path.with_extension("rs").is_file()
        {
            breaches
                .push(format!("{name}: kernels lie beside the operator's `.rs` of the same name"));
        }
    }
    Ok(())
}

/// The breaches in one file; `name` is its path from the root, with `/`.
fn check_file(name: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let header = if name.ends_with(".rs") { "//! " } else { "// " };
    if !text.starts_with(header) {
        breaches.push(format!("{name}:1: the file does not begin with a `{header}` header"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        breaches.push(format!("{name}: {lines} lines; split it, {MAX_LINES} are the most"));
    }
    let pure = name.starts_with("crates/autogan-space/src/");
    for (at, line) in text.lines().enumerate() {
        for mark in MARKS.iter().filter(|mark| line.contains(*mark)) {
            breaches.push(format!("{name}:{}: `{mark}` marks unfinished work", at + 1));
        }
        if leaves_package(name, line) {
            breaches
                .push(format!("{name}:{}: what lies outside of the crate is not packed", at + 1));
        }
        for module in IO.iter().filter(|module| pure && line.contains(*module)) {
            breaches.push(format!("{name}:{}: autogan-space does no IO, found `{module}`", at + 1));
        }
    }
    breaches
}

/// Whether a line of a library includes a file outside of its crate's folder. A page of documentation whose code is
/// tested is read by tests alone.
fn leaves_package(name: &str, line: &str) -> bool {
    let Some((_, below)) = name.strip_prefix("crates/").and_then(|name| name.split_once("/src/"))
    else {
        return false;
    };
    let includes = ["include_str!(\"", "include_bytes!(\""].iter().any(|call| line.contains(call));
    let tested = name.ends_with("_tests.rs") || line.starts_with("#[doc = ");
    includes && !tested && line.matches("../").count() > below.matches('/').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "//! A file.\n";

    #[test]
    fn a_missing_header_and_a_long_file_are_breaches() {
        let of = |lines: usize| format!("{HEADER}{}", "//\n".repeat(lines - 1));
        for (name, text, breaches) in [
            ("crates/a/src/lib.rs", HEADER, 0),
            ("a.rs", "fn main() {}\n", 1),
            ("a.rs", &format!("\n{HEADER}"), 1),
            ("a.cu", "// Sums.\n", 0),
            ("a.cu", "#include <x>\n", 1),
            ("a.rs", &of(MAX_LINES), 0),
            ("a.rs", &of(MAX_LINES + 1), 1),
        ] {
            assert_eq!(check_file(name, text).len(), breaches, "{name} {text}");
        }
    }

    #[test]
    fn every_mark_is_a_breach_with_its_line() {
        for mark in MARKS {
            let found = check_file("a.rs", &format!("{HEADER}\n    {mark}\n"));
            assert_eq!(found.len(), 1, "{mark}");
            assert!(found[0].starts_with("a.rs:3: "), "{}", found[0]);
        }
    }

    #[test]
    fn what_a_library_includes_lies_in_its_crate() {
        let of = |path: &str| {
            let text = format!("{HEADER}const A: &str = include_str!(\"{path}\");\n");
            check_file("crates/a/src/b/c.rs", &text).len()
        };
        assert_eq!((of("a"), of("../../a/b"), of("../../../a")), (0, 0, 1));
        let text = format!("{HEADER}const A: &str = include_str!(\"../../../a\");\n");
        assert_eq!(check_file("crates/a/tests/b.rs", &text), Vec::<String>::new());
    }

    #[test]
    fn the_space_does_no_io() {
        let text = format!("{HEADER}use std::fs;\n");
        assert_eq!(check_file("crates/autogan-space/src/a.rs", &text).len(), 1);
        assert_eq!(check_file("crates/autogan-run/src/a.rs", &text), Vec::<String>::new());
    }
}
