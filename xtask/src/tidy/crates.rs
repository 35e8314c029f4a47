//! [`RULES`] says which crate may use which, as the table of ARCHITECTURE.md does.

use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{entries, read};

/// What one crate may use.
struct Rule {
    name: &'static str,
    /// Whether it may use candle.
    candle: bool,
    /// Crates of ours that it may use, without the `autogan-` before them.
    may_use: &'static str,
    /// A crate of ours that it may use only as an optional dependency, and the feature before it.
    behind_feature: Option<(&'static str, &'static str)>,
}

const RULES: &[Rule] = &[
    rule("autogan-space", false, ""),
    rule("autogan-config", false, "space"),
    rule("autogan-files", false, ""),
    rule("autogan-stats", false, ""),
    rule("autogan-kernels", false, ""),
    rule("autogan-ops", true, "kernels"),
    rule("autogan-weights", true, "files"),
    rule("autogan-hub", false, "files"),
    rule("autogan-data", false, "files hub"),
    rule("autogan-nn", true, "space config ops weights"),
    rule("autogan-onnx", true, "space nn weights"),
    rule("autogan-rl", true, "space config strategies ops weights"),
    Rule {
        behind_feature: Some(("autogan-data", "io")),
        ..rule("autogan-metrics", true, "files hub kernels ops weights")
    },
    rule("autogan-run", false, "files space"),
    rule("autogan-report", false, "files run config space stats strategies"),
    rule(
        "autogan-search",
        true,
        "files space config ops weights data nn rl metrics run strategies",
    ),
    rule("autogan-strategies", false, "space"),
    rule("autogan-table", false, "files space stats"),
    rule("autogan-compare", false, "files space stats report strategies table"),
    rule("autogan-repro", true, "files space config nn metrics data run report search stats table"),
    rule(
        "autogan-cli",
        true,
        "files space stats config ops weights hub data nn onnx rl metrics run report search strategies table compare repro",
    ),
    rule("autogan-gpu-check", false, ""),
    rule("autogan-fuzz", true, "files space config weights hub data nn onnx metrics run report"),
    rule("autogan-fault-check", false, ""),
    rule(TESTING, true, "kernels ops"),
    rule("xtask", false, ""),
];

/// The helpers of tests: every crate may use them as a dev-dependency, and no crate otherwise.
const TESTING: &str = "autogan-testing";

/// External crates that must be optional, with the feature that turns them on.
const OPTIONAL: &[(&str, &str)] = &[("ureq", "fetch"), ("parquet", "hub")];

/// The only crate that may turn such features of other crates on, so that a program that uses a library of ours chooses.
const BINARY: &str = "autogan-cli";

const fn rule(name: &'static str, candle: bool, may_use: &'static str) -> Rule {
    Rule { name, candle, may_use, behind_feature: None }
}

/// The breaches in the manifests of the workspace.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    let mut packages = entries(&root.join("crates"))?;
    packages.push(root.join("xtask"));
    for package in packages {
        let manifest = package.join("Cargo.toml");
        let table: Table = read(&manifest)?
            .parse()
            .with_context(|| format!("{} is not TOML", manifest.display()))?;
        breaches.extend(check_manifest(&table));
        breaches.extend(check_package(&table));
    }
    Ok(breaches)
}

/// What a crate that is published has to say of itself and does not.
fn check_package(manifest: &Table) -> Option<String> {
    let package = manifest.get("package")?.as_table()?;
    let says = |key: &&str| package.get(*key).is_some();
    let wanted = ["description", "license", "repository", "readme", "keywords", "categories"];
    let missing: Vec<&str> = wanted.into_iter().filter(|key| !says(key)).collect();
    let published = package.get("publish").and_then(Value::as_bool).unwrap_or(true);
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    (published && !missing.is_empty())
        .then(|| format!("{name} lacks {}; or it says `publish = false`", missing.join(", ")))
}

/// One dependency as a manifest states it.
struct Dependency<'a> {
    /// The package, also when it is renamed.
    package: &'a str,
    /// The name that features use.
    key: &'a str,
    optional: bool,
    /// Only for tests, examples and benchmarks.
    dev: bool,
    features: Vec<&'a str>,
}

/// The breaches in one manifest.
fn check_manifest(manifest: &Table) -> Vec<String> {
    let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
    let name = name.unwrap_or_default();
    let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
        return vec![format!(
            "crate `{name}` is not in the crate table; add it to ARCHITECTURE.md and to \
             xtask/src/tidy/crates.rs"
        )];
    };
    dependencies(manifest)
        .iter()
        .filter_map(|dependency| check_dependency(rule, dependency))
        .collect()
}

fn check_dependency(rule: &Rule, dependency: &Dependency<'_>) -> Option<String> {
    let Rule { name, .. } = rule;
    let package = dependency.package;
    if package.starts_with("candle-") && !rule.candle {
        return Some(format!("{name} may not use {package}: it is free of candle"));
    }
    if let Some((_, feature)) = OPTIONAL.iter().find(|(external, _)| *external == package)
        && !dependency.optional
        && !dependency.dev
    {
        return Some(format!(
            "{name} uses {package} always; it has to be optional, behind the feature `{feature}`"
        ));
    }
    if let Some((_, feature)) = OPTIONAL.iter().find(|(_, on)| dependency.features.contains(on))
        && name != &BINARY
    {
        return Some(format!("{name} turns on {package}'s feature `{feature}`; only {BINARY} may"));
    }
    let may_use = rule.may_use.split_whitespace().map(|short| format!("autogan-{short}"));
    let may_use: Vec<String> = may_use.collect();
    if !RULES.iter().any(|other| other.name == package)
        || may_use.iter().any(|ours| ours == package)
        || (package == TESTING && dependency.dev)
    {
        return None;
    }
    match rule.behind_feature.filter(|(ours, _)| *ours == package) {
        Some(_) if dependency.optional || dependency.dev => None,
        Some((_, feature)) => Some(format!(
            "{name} uses {} always; it may only behind the feature `{feature}`",
            dependency.key
        )),
        None if may_use.is_empty() => {
            Some(format!("{name} may not use {package}; it may use none of ours"))
        }
        None => Some(format!("{name} may not use {package}; it may use {}", may_use.join(", "))),
    }
}

/// Every dependency of a manifest: normal, build, dev, and for some targets only.
fn dependencies(manifest: &Table) -> Vec<Dependency<'_>> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let mut found = Vec::new();
    for table in tables {
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let list = table.get(kind).and_then(Value::as_table).into_iter().flatten();
            let dev = kind == "dev-dependencies";
            found.extend(list.map(|(key, value)| dependency(key, value, dev)));
        }
    }
    found
}

fn dependency<'a>(key: &'a str, value: &'a Value, dev: bool) -> Dependency<'a> {
    let features = value.get("features").and_then(Value::as_array);
    Dependency {
        package: value.get("package").and_then(Value::as_str).unwrap_or(key),
        key,
        optional: value.get("optional").and_then(Value::as_bool).unwrap_or(false),
        dev,
        features: features.into_iter().flatten().filter_map(Value::as_str).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        check_manifest(&text.parse().unwrap())
    }

    #[test]
    fn allowed_edges_are_fine() {
        let rest = "[dependencies]\nautogan-space.workspace = true\nautogan-ops.workspace = true\n\
                    candle-core.workspace = true\n";
        assert_eq!(breaches("autogan-rl", rest), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_a_breach() {
        let found = breaches("autogan-rl", "[dependencies]\nautogan-nn.workspace = true\n");
        assert_eq!(
            found,
            ["autogan-rl may not use autogan-nn; it may use autogan-space, autogan-config, \
               autogan-strategies, autogan-ops, autogan-weights"]
        );
        let found = breaches("autogan-ops", "[dependencies]\nautogan-space = { path = \"x\" }\n");
        assert_eq!(found, ["autogan-ops may not use autogan-space; it may use autogan-kernels"]);
        let found = breaches("xtask", "[dependencies]\nautogan-space.workspace = true\n");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn an_edge_is_found_wherever_it_hides() {
        for rest in [
            "[dev-dependencies]\nautogan-nn.workspace = true\n",
            "[build-dependencies]\nautogan-nn.workspace = true\n",
            "[dependencies]\nother = { package = \"autogan-nn\", version = \"0.1\" }\n",
            "[target.'cfg(unix)'.dependencies]\nautogan-nn.workspace = true\n",
            "[dependencies]\nautogan-nn = { workspace = true, optional = true }\n",
        ] {
            assert_eq!(breaches("autogan-metrics", rest).len(), 1, "{rest}");
        }
    }

    #[test]
    fn candle_stays_out_of_the_light_crates() {
        let light = ["autogan-space", "autogan-kernels", "autogan-data", "autogan-run"];
        for name in light.into_iter().chain(["autogan-report", "xtask"]) {
            let found = breaches(name, "[dependencies]\ncandle-core.workspace = true\n");
            assert_eq!(found, [format!("{name} may not use candle-core: it is free of candle")]);
        }
    }

    #[test]
    fn metrics_reads_data_only_behind_its_feature() {
        let always = "[dependencies]\nautogan-data.workspace = true\n";
        assert_eq!(
            breaches("autogan-metrics", always),
            ["autogan-metrics uses autogan-data always; it may only behind the feature `io`"]
        );
        let optional = "[dependencies]\nautogan-data = { workspace = true, optional = true }\n\
                        [features]\nio = [\"dep:autogan-data\"]\n";
        assert_eq!(breaches("autogan-metrics", optional), Vec::<String>::new());
        let dev = "[dev-dependencies]\nautogan-data.workspace = true\n";
        assert_eq!(breaches("autogan-metrics", dev), Vec::<String>::new());
    }

    #[test]
    fn helpers_of_tests_are_for_tests_alone() {
        let of = |kind: &str| {
            breaches("autogan-rl", &format!("[{kind}]\nautogan-testing = {{ path = \"x\" }}\n"))
        };
        assert_eq!(of("dev-dependencies"), Vec::<String>::new());
        assert_eq!((of("dependencies").len(), of("build-dependencies").len()), (1, 1));
    }

    #[test]
    fn only_the_binary_turns_the_network_on() {
        let always = "[dependencies]\nureq.workspace = true\n";
        assert_eq!(breaches("autogan-data", always).len(), 1);
        let optional = "[dependencies]\nureq = { workspace = true, optional = true }\n";
        assert_eq!(breaches("autogan-data", optional), Vec::<String>::new());
        let turned_on =
            "[dependencies]\nautogan-data = { workspace = true, features = [\"hub\"] }\n";
        assert_eq!(breaches("autogan-search", turned_on).len(), 1);
        assert_eq!(breaches("autogan-cli", turned_on), Vec::<String>::new());
    }

    #[test]
    fn a_published_crate_says_what_it_is() {
        let of = |rest: &str| check_package(&format!("[package]\n{rest}").parse().unwrap());
        let all =
            "description = \"\"\nlicense = \"\"\nrepository = \"\"\nreadme = \"\"\nkeywords = []\n";
        assert!(of(all).is_some_and(|breach| breach.contains("lacks categories;")));
        assert_eq!(of(&format!("{all}categories = []")), None);
        assert_eq!(of("publish = false"), None);
    }

    #[test]
    fn an_unknown_crate_has_to_be_put_into_the_table() {
        assert_eq!(breaches("autogan-extra", "").len(), 1);
    }
}
