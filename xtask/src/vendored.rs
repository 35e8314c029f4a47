//! This module knows the code of others that the program embeds: the list, and whether the files are those of the list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::tidy::entries;

/// Where the files lie.
const FOLDER: &str = "crates/autogan-report/assets/vendor";
/// The list, beside them.
const LIST: &str = "vendored.toml";
/// The script that fetches the files.
const SCRIPT: &str = "scripts/vendor_assets.sh";

/// A package of others.
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub licence: String,
    /// Its package URL.
    pub purl: String,
    /// Where its source is.
    pub source: String,
    /// The SHA-256 of each file, by its path in the folder.
    pub files: BTreeMap<String, String>,
}

/// The list of the packages.
pub fn list(root: &Path) -> Result<Vec<Package>> {
    let path = root.join(FOLDER).join(LIST);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let table: Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let packages = table.get("package").and_then(Value::as_array);
    let packages = packages.with_context(|| format!("{} has no [[package]]", path.display()))?;
    packages.iter().map(|one| package(one).with_context(|| path.display().to_string())).collect()
}

fn package(value: &Value) -> Result<Package> {
    let text = |key: &str| {
        let text = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).with_context(|| format!("a package has no {key}"))
    };
    let files = value.get("files").and_then(Value::as_table).context("a package has no files")?;
    let hash = |(file, hash): (&String, &Value)| {
        let hash = hash.as_str().with_context(|| format!("{file} has no SHA-256"))?;
        Ok((file.clone(), hash.to_owned()))
    };
    Ok(Package {
        name: text("name")?,
        version: text("version")?,
        licence: text("licence")?,
        purl: text("purl")?,
        source: text("source")?,
        files: files.iter().map(hash).collect::<Result<_>>()?,
    })
}

/// What is wrong: a file that is not what the list says, is not in the list, or is missing; a version that the script does
/// not fetch.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let packages = list(root)?;
    let folder = root.join(FOLDER);
    let mut breaches = Vec::new();
    let mut listed = BTreeSet::new();
    for (file, expected) in packages.iter().flat_map(|package| &package.files) {
        listed.insert(file.as_str());
        let found = match std::fs::read(folder.join(file)) {
            Ok(bytes) => sha256(&bytes),
            Err(error) => error.to_string(),
        };
        if found != *expected {
            breaches
                .push(format!("{FOLDER}/{file}: {LIST} says SHA-256 {expected}, found {found}"));
        }
    }
    for path in files(&folder)? {
        let name = path.strip_prefix(&folder)?.to_string_lossy().replace('\\', "/");
        if !listed.contains(name.as_str()) && name != LIST && name != "README.md" {
            breaches.push(format!("{FOLDER}/{name}: {LIST} does not list it"));
        }
    }
    let script = std::fs::read_to_string(root.join(SCRIPT)).context(SCRIPT)?;
    for Package { name, version, .. } in &packages {
        if !script.contains(&format!("\nversion={version}\n")) {
            breaches
                .push(format!("{SCRIPT}: {LIST} has {name} {version}, the script another version"));
        }
    }
    Ok(breaches)
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// The SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_hash_is_as_published() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }

    #[test]
    fn the_files_of_this_repository_are_those_of_the_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(check(root).unwrap(), [""; 0]);
        assert!(list(root).unwrap().iter().any(|package| package.name == "uplot"));
    }

    #[test]
    fn each_difference_is_a_breach() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(folder.join("p")).unwrap();
        fs::create_dir(root.path().join("scripts")).unwrap();
        let text = |version: &str| {
            let head =
                format!("[[package]]\nname = \"p\"\nversion = \"{version}\"\nlicence = \"MIT\"\n");
            let rest = "purl = \"pkg:npm/p@1\"\nsource = \"s\"\n[package.files]\n";
            format!("{head}{rest}\"p/a.js\" = \"{}\"\n", sha256(b"a"))
        };
        fs::write(folder.join(LIST), text("1")).unwrap();
        fs::write(root.path().join(SCRIPT), "\nversion=1\n").unwrap();
        fs::write(folder.join("p/a.js"), "a").unwrap();
        assert_eq!(check(root.path()).unwrap(), [""; 0]);
        let breach = || check(root.path()).unwrap().join("; ");
        fs::write(folder.join("p/a.js"), "b").unwrap();
        assert!(breach().contains("p/a.js: vendored.toml says SHA-256"), "{}", breach());
        fs::remove_file(folder.join("p/a.js")).unwrap();
        assert!(breach().contains("p/a.js: vendored.toml says SHA-256"), "{}", breach());
        fs::write(folder.join("p/a.js"), "a").unwrap();
        fs::write(folder.join("p/b.js"), "b").unwrap();
        assert!(breach().contains("p/b.js: vendored.toml does not list it"), "{}", breach());
        fs::remove_file(folder.join("p/b.js")).unwrap();
        fs::write(folder.join(LIST), text("2")).unwrap();
        assert!(breach().contains("has p 2, the script another version"), "{}", breach());
    }
}
