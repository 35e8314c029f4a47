//! `cargo xtask sbom` writes a bill of materials of each program that is given away, as CycloneDX 1.5 in JSON.
//!
//! cargo-cyclonedx makes it. This module adds what cargo does not know (the program for GPUs, the vendored JavaScript),
//! takes out what depends on time and place, and compares the result with `cargo metadata` and `Cargo.lock`: two calls
//! write the same bytes, in whichever folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use toml::Table;

use crate::check::in_root;
use crate::handover::succeed;
use crate::say;
use crate::tidy::entries;
use crate::vendored::{self, Package};

/// The package of the programs.
const PACKAGE: &str = "autogan-cli";
/// The programs, each with the features that it is built with.
const PROGRAMS: [(&str, &str); 2] = [("autogan", ""), ("autogan-cuda", "cuda,cudnn")];
/// The crate that embeds the vendored files.
const EMBEDS: &str = "autogan-report";
/// The end of the files that cargo-cyclonedx leaves beside each `Cargo.toml` with a program.
const LEFT: &str = "_bin.cdx.json";
/// Seconds since 1970, by which whoever packages the programs dates them.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Where the files go.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to
    #[arg(long, value_name = "DIR", default_value = "target/sbom")]
    out: PathBuf,
}

/// Writes one file for each program.
pub fn run(root: &Path, args: &Args) -> Result<ExitCode> {
    let tool = quiet(in_root(root, &["cyclonedx", "--version"]));
    ensure!(
        tool,
        "cargo-cyclonedx is not installed: `cargo install --locked cargo-cyclonedx`, then run this again"
    );
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?;
    let sums = checksums(&lock)?;
    let vendored = vendored::list(root)?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    for (program, features) in PROGRAMS {
        let metadata = metadata(root, features)?;
        let mut bill = made(root, features)?;
        finish(&mut bill, program, &vendored)?;
        let bill = portable(&bill, &root_prefix(&metadata)?)?;
        let missing = missing(&bill, &metadata, &sums)?;
        ensure!(missing.is_empty(), "the bill of {program} is not whole:\n{}", missing.join("\n"));
        let path = args.out.join(format!("{program}.cdx.json"));
        fs::write(&path, serde_json::to_string_pretty(&bill)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("{}: {} components", path.display(), components(&bill)?.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn quiet(mut command: Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// What cargo-cyclonedx writes for the package of the programs. It writes a file beside every `Cargo.toml` with a program;
/// none is left there.
fn made(root: &Path, features: &str) -> Result<Value> {
    let manifest = format!("crates/{PACKAGE}/Cargo.toml");
    let mut make = in_root(root, &["cyclonedx", "--quiet", "--describe", "binaries"]);
    make.args(["--format", "json", "--spec-version", "1.5", "--manifest-path", &manifest]);
    if !features.is_empty() {
        make.args(["--features", features]);
    }
    if std::env::var_os(EPOCH).is_none() {
        make.env(EPOCH, "0");
    }
    let done = succeed(make);
    let mut found = None;
    for folder in entries(&root.join("crates"))?.into_iter().chain([root.join("xtask")]) {
        let files = if folder.is_dir() { entries(&folder)? } else { Vec::new() };
        for path in files.iter().filter(|path| path.to_string_lossy().ends_with(LEFT)) {
            if folder.ends_with(PACKAGE) {
                found = Some(fs::read_to_string(path)?);
            }
            fs::remove_file(path)?;
        }
    }
    done?;
    let text = found.context("cargo cyclonedx wrote no bill of materials")?;
    Ok(serde_json::from_str(&text)?)
}

/// `cargo metadata` with these features, for this machine's platform.
fn metadata(root: &Path, features: &str) -> Result<Value> {
    let manifest = format!("crates/{PACKAGE}/Cargo.toml");
    let mut ask = in_root(root, &["metadata", "--format-version", "1", "--locked"]);
    ask.args(["--manifest-path", &manifest, "--filter-platform", host()?.as_str()]);
    if !features.is_empty() {
        ask.args(["--features", features]);
    }
    let output = ask.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    ensure!(output.status.success(), "cargo metadata failed; its messages are above");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The platform that the compiler builds for.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

/// Names the program, adds the vendored packages, and takes the date out where nobody set one.
fn finish(bill: &mut Value, program: &str, vendored: &[Package]) -> Result<()> {
    let about = bill.get_mut("metadata").and_then(Value::as_object_mut).context("no metadata")?;
    if std::env::var_os(EPOCH).is_none() {
        about.remove("timestamp");
    }
    let main = about.get_mut("component").and_then(Value::as_object_mut).context("no component")?;
    main.insert("name".into(), program.into());
    let parts = bill.get_mut("components").and_then(Value::as_array_mut);
    parts.context("no components")?.extend(vendored.iter().map(component));
    let edges = bill.get_mut("dependencies").and_then(Value::as_array_mut);
    let edges = edges.context("no dependencies")?;
    edges.extend(vendored.iter().map(|package| json!({ "ref": package.purl })));
    let embeds = format!("/{EMBEDS}#");
    let mut of_embedding = edges.iter_mut().filter_map(Value::as_object_mut);
    let edge = of_embedding.find(|edge| text(edge, "ref").contains(&embeds));
    let uses = edge.with_context(|| format!("{EMBEDS} has no dependencies"))?;
    let uses = uses.get_mut("dependsOn").and_then(Value::as_array_mut);
    let uses = uses.with_context(|| format!("{EMBEDS} has no dependencies"))?;
    uses.extend(vendored.iter().map(|package| Value::from(package.purl.as_str())));
    Ok(())
}

/// A vendored package with its files.
fn component(package: &Package) -> Value {
    let file = |(name, hash): (&String, &String)| json!({ "type": "file", "name": name, "hashes": [{ "alg": "SHA-256", "content": hash }] });
    json!({
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "scope": "required",
        "licenses": [{ "license": { "id": package.licence } }],
        "purl": package.purl,
        "externalReferences": [{ "type": "vcs", "url": package.source }],
        "components": package.files.iter().map(file).collect::<Vec<_>>(),
    })
}

/// How the identifiers of our own packages begin, up to the repository's root.
fn root_prefix(metadata: &Value) -> Result<String> {
    let member = members(metadata)?.find(|id| id.contains(&format!("/crates/{PACKAGE}#")));
    let id = member.with_context(|| format!("cargo metadata knows no {PACKAGE}"))?;
    let (_, place) = id.split_once("file://").context("a package of ours is no folder")?;
    let (root, _) = place.split_once("/crates/").context("a package of ours lies elsewhere")?;
    Ok(root.to_owned())
}

fn members(metadata: &Value) -> Result<impl Iterator<Item = &str>> {
    let members = metadata.get("workspace_members").and_then(Value::as_array);
    Ok(members.context("cargo metadata names no members")?.iter().filter_map(Value::as_str))
}

/// The bill without the place of the repository.
fn portable(bill: &Value, root: &str) -> Result<Value> {
    let text = bill.to_string().replace(&format!("file://{root}/"), "file:///");
    ensure!(!text.contains(root), "the bill of materials names the folder {root}");
    Ok(serde_json::from_str(&text)?)
}

/// The checksum of each package in `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let table: Table = lock.parse().context("Cargo.lock is no TOML")?;
    let packages = table.get("package").and_then(toml::Value::as_array);
    let one = |package: &toml::Value| {
        let text = |key| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    Ok(packages.context("Cargo.lock lists no packages")?.iter().filter_map(one).collect())
}

fn components(bill: &Value) -> Result<&Vec<Value>> {
    bill.get("components").and_then(Value::as_array).context("the bill has no components")
}

/// The text of a key, empty where there is none.
fn text<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What the bill lacks: each package that is linked into the program has to be in it by name and version, with a licence, a
/// package URL and the hash of `Cargo.lock`.
fn missing(
    bill: &Value,
    metadata: &Value,
    sums: &BTreeMap<(String, String), String>,
) -> Result<Vec<String>> {
    let listed = components(bill)?.iter().filter_map(Value::as_object);
    let listed: BTreeMap<_, _> =
        listed.map(|one| ((text(one, "name"), text(one, "version")), one)).collect();
    let mut missing = Vec::new();
    for (name, version) in linked(metadata)? {
        let Some(found) = listed.get(&(name.as_str(), version.as_str())) else {
            missing.push(format!("{name} {version} is not in it"));
            continue;
        };
        let whole = found.get("licenses").and_then(Value::as_array).is_some_and(|l| !l.is_empty());
        if !whole {
            missing.push(format!("{name} {version} has no licence"));
        }
        if !text(found, "purl").starts_with(&format!("pkg:cargo/{name}@{version}")) {
            missing.push(format!("{name} {version} has another package URL"));
        }
        let hash = found.get("hashes").and_then(|hashes| hashes.get(0)?.get("content")?.as_str());
        let expected = sums.get(&(name.clone(), version.clone())).map(String::as_str);
        if hash != expected {
            missing
                .push(format!("{name} {version}: Cargo.lock has {expected:?}, the bill {hash:?}"));
        }
    }
    Ok(missing)
}

/// Name and version of each package that the program is linked from, but for its own.
fn linked(metadata: &Value) -> Result<BTreeSet<(String, String)>> {
    let list = |value: &Value, key: &str| {
        let list = value.get(key).and_then(Value::as_array).cloned();
        list.with_context(|| format!("cargo metadata has no {key}"))
    };
    let id_of = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let nodes = list(metadata.get("resolve").context("cargo metadata has no resolve")?, "nodes")?;
    let mut uses = BTreeMap::new();
    for node in nodes {
        let normal = |dep: &&Value| {
            let kinds = dep.get("dep_kinds").and_then(Value::as_array);
            let is_null = |kind: &Value| kind.get("kind").is_none_or(Value::is_null);
            kinds.is_some_and(|kinds| kinds.iter().any(is_null))
        };
        let deps = list(&node, "deps")?;
        let deps: Vec<String> = deps.iter().filter(normal).map(|dep| id_of(dep, "pkg")).collect();
        uses.insert(id_of(&node, "id"), deps);
    }
    let first = members(metadata)?.find(|id| id.contains(&format!("/crates/{PACKAGE}#")));
    let Some(first) = first else { bail!("cargo metadata knows no {PACKAGE}") };
    let mut reached = BTreeSet::from([first.to_owned()]);
    let mut open = vec![first.to_owned()];
    while let Some(id) = open.pop() {
        for dep in uses.get(&id).into_iter().flatten() {
            if reached.insert(dep.clone()) {
                open.push(dep.clone());
            }
        }
    }
    let packages = list(metadata, "packages")?;
    let reached = packages.iter().filter(|one| {
        let id = id_of(one, "id");
        reached.contains(&id) && id != first
    });
    Ok(reached.map(|one| (id_of(one, "name"), id_of(one, "version"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/somewhere/else";

    /// The program uses `ours` and `theirs`, which is also built with `tool`.
    fn metadata() -> Value {
        let ours = |name: &str| format!("path+file://{ROOT}/crates/{name}#0.1.0");
        let theirs = |name: &str| format!("registry+https://index#{name}@1.2.3");
        let dep = |id: String, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let package = |id: String, name: &str, version: &str| json!({ "id": id, "name": name, "version": version });
        json!({
            "workspace_members": [ours("autogan-report"), ours(PACKAGE)],
            "packages": [
                package(ours(PACKAGE), PACKAGE, "0.1.0"),
                package(ours("autogan-report"), "autogan-report", "0.1.0"),
                package(theirs("theirs"), "theirs", "1.2.3"),
                package(theirs("tool"), "tool", "1.2.3"),
            ],
            "resolve": { "nodes": [
                { "id": ours(PACKAGE), "deps": [dep(ours("autogan-report"), Value::Null)] },
                { "id": ours("autogan-report"), "deps": [
                    dep(theirs("theirs"), Value::Null), dep(theirs("tool"), "build".into()),
                ] },
                { "id": theirs("theirs"), "deps": [] },
                { "id": theirs("tool"), "deps": [] },
            ] },
        })
    }

    fn bill() -> Value {
        let ours = format!("path+file://{ROOT}/crates/autogan-report#0.1.0");
        let licences = json!([{ "expression": "MIT" }]);
        json!({
            "metadata": { "timestamp": "1970", "component": { "name": "autogan" } },
            "components": [
                { "bom-ref": ours, "name": "autogan-report", "version": "0.1.0", "licenses": licences,
                  "purl": "pkg:cargo/autogan-report@0.1.0?download_url=file://." },
                { "name": "theirs", "version": "1.2.3", "licenses": licences,
                  "purl": "pkg:cargo/theirs@1.2.3", "hashes": [{ "alg": "SHA-256", "content": "ab" }] },
            ],
            "dependencies": [{ "ref": ours, "dependsOn": [] }],
        })
    }

    fn sums() -> BTreeMap<(String, String), String> {
        let lock = "[[package]]\nname = \"theirs\"\nversion = \"1.2.3\"\nchecksum = \"ab\"\n\n\
                    [[package]]\nname = \"autogan-report\"\nversion = \"0.1.0\"\n";
        checksums(lock).unwrap()
    }

    #[test]
    fn what_is_linked_has_to_be_in_the_bill_with_licence_hash_and_url() {
        let lacks = |bill: &Value| missing(bill, &metadata(), &sums()).unwrap().join("; ");
        assert_eq!(lacks(&bill()), "", "a tool of the build is not linked");
        for (key, value, said) in [
            ("version", json!("1.2.4"), "theirs 1.2.3 is not in it"),
            ("licenses", json!([]), "theirs 1.2.3 has no licence"),
            ("purl", json!("pkg:cargo/other@1.2.3"), "theirs 1.2.3 has another package URL"),
            (
                "hashes",
                json!([{ "content": "ac" }]),
                "Cargo.lock has Some(\"ab\"), the bill Some(\"ac\")",
            ),
        ] {
            let mut bill = bill();
            bill["components"][1][key] = value;
            assert!(lacks(&bill).contains(said), "{}", lacks(&bill));
        }
    }

    #[test]
    fn the_bill_names_the_program_and_the_vendored_code_and_no_folder() {
        let uplot = Package {
            name: "uplot".into(),
            version: "1.6.32".into(),
            licence: "MIT".into(),
            purl: "pkg:npm/uplot@1.6.32".into(),
            source: "https://example.org".into(),
            files: [("uplot/a.js".to_owned(), "ff".to_owned())].into(),
        };
        let mut bill = bill();
        finish(&mut bill, "autogan-cuda", &[uplot]).unwrap();
        let bill = portable(&bill, &root_prefix(&metadata()).unwrap()).unwrap();
        assert_eq!(bill["metadata"], json!({ "component": { "name": "autogan-cuda" } }));
        assert_eq!(bill["components"][0]["bom-ref"], "path+file:///crates/autogan-report#0.1.0");
        let vendored = &bill["components"][2];
        assert_eq!(vendored["components"][0]["hashes"][0]["content"], "ff");
        assert_eq!(bill["dependencies"][0]["dependsOn"], json!(["pkg:npm/uplot@1.6.32"]));
        assert_eq!(bill["dependencies"][1]["ref"], "pkg:npm/uplot@1.6.32");
        assert_eq!(missing(&bill, &metadata(), &sums()).unwrap(), [""; 0]);
        let mut elsewhere = bill;
        elsewhere["note"] = format!("made in {ROOT}").into();
        assert!(portable(&elsewhere, ROOT).is_err());
    }
}
