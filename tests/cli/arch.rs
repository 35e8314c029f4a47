//! `autogan arch`: the published numbers, the notations, and vectors that are no architecture.

use serde_json::Value;

use crate::common::{autogan, repository, words};

/// The name, the vector, the parameters at 256 channels, and the multiply-accumulates at 32x32 in thousands of
/// millions.
const PUBLISHED: [(&str, &str, u64, f64); 3] = [
    ("autogan-a", "1 0 1 1 1 0 0 1 1 1 0 1 0 3", 4_405_251, 1.765),
    ("autogan-b", "1 0 1 1 1 0 1 1 1 1 0 1 1 3", 4_471_043, 1.832),
    ("autogan-c", "1 1 1 1 1 0 0 1 1 1 0 1 0 3", 4_406_275, 1.765),
];

fn json(line: &str) -> Value {
    serde_json::from_str(&words(line).ok()).unwrap()
}

#[test]
fn count_gives_the_size_of_the_space() {
    assert_eq!(words("arch count").ok(), "cell 1: 36\ncell 2: 72\ncell 3: 144\nall: 373248\n");
}

#[test]
fn show_gives_the_published_figures() {
    for (name, vector, params, giga_macs) in PUBLISHED {
        let shown = json(&format!("arch show {name} --json"));
        assert_eq!(shown["known_name"], name);
        assert_eq!(shown["params"], params, "{name}");
        let macs = shown["macs"].as_f64().unwrap() / 1e9;
        assert!((macs - giga_macs).abs() < 0.0006, "{name}: {macs}");
        let text = words(&format!("arch show {vector}")).ok();
        assert!(text.starts_with(&format!("{name}\nvector  {vector}\n")), "{text}");
        assert!(text.contains(&format!("{params}")), "{text}");
    }
    assert_eq!(json("arch show autogan-a --json")["macs"], 1_765_015_552_u64);
    let larger = json("arch show autogan-a --bottom 6 --json");
    assert_eq!(larger["params"], 5_065_731);
    let macs = larger["macs"].as_f64().unwrap() / 1e9;
    assert!((macs - 3.971).abs() < 0.0006, "{macs}");
}

#[test]
fn one_vector_has_many_notations() {
    let shown = words("arch show 1 0 1 1 1 0 0 1 1 1 0 1 0 3").ok();
    for other in ["1,0,1,1,1,0,0,1,1,1,0,1,0,3", "[1,0,1,1,1,0,0,1,1,1,0,1,0,3]", "autogan-a"] {
        assert_eq!(words(&format!("arch show {other}")).ok(), shown, "{other}");
    }
}

#[test]
fn conversions_lead_back() {
    for vector in words("arch random -n 20 --seed 3").ok().lines() {
        for notation in ["named", "released", "json"] {
            let there = words(&format!("arch convert {vector} --to {notation}")).ok();
            let back = words(&format!("arch convert {there} --to released")).ok();
            assert_eq!(back.trim(), vector, "by way of {there}");
        }
    }
    let tokens = words("arch convert autogan-a --to tokens").ok();
    assert_eq!(tokens, "1 0 1 1 / 1 1 0 0 1 / 1 1 1 0 1 0\n");
}

#[test]
fn random_follows_from_the_seed() {
    let draw = |line: &str| words(&format!("arch random {line}")).ok();
    assert_eq!(draw("-n 5 --seed 1"), draw("-n 5 --seed 1"));
    assert_ne!(draw("-n 5 --seed 1"), draw("-n 5 --seed 2"));
    for (stage, numbers) in [(0, 4), (1, 9), (2, 14)] {
        let drawn = draw(&format!("-n 7 --stage {stage}"));
        assert_eq!(drawn.lines().count(), 7);
        assert!(drawn.lines().all(|line| line.split(' ').count() == numbers), "{drawn}");
    }
    assert!(words("arch random --stage 3").fails(1).contains('3'));
}

#[test]
fn a_budget_limits_what_is_counted_and_drawn() {
    let a = json("arch show autogan-a --json");
    let limits = format!("--max-params {} --max-macs {}", a["params"], a["macs"]);
    let counted = words(&format!("arch count {limits}")).ok();
    let within = counted.lines().find_map(|line| line.strip_prefix("within the budget: "));
    let within: u64 = within.unwrap().parse().unwrap();
    assert!(0 < within && within < 373_248, "{counted}");
    let drawn = words(&format!("arch random -n 30 --seed 4 {limits}")).ok();
    for vector in drawn.lines() {
        let cost = json(&format!("arch show {vector} --json"));
        assert!(cost["params"].as_u64() <= a["params"].as_u64(), "{vector}");
        assert!(cost["macs"].as_u64() <= a["macs"].as_u64(), "{vector}");
    }
    // The cheapest is one of 512, at any width; the refusal names what it has.
    let error = words("arch count --max-params 1 --gf 24 --latent 32").fails(1);
    let least = error.split("at least ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let exact = words(&format!("arch count --max-params {least} --gf 24 --latent 32")).ok();
    assert!(exact.ends_with("within the budget: 512\n"), "{exact}");
}

#[test]
fn a_wrong_number_is_named() {
    let wrong = [
        ("2 0 1 1", "number 1 (conv of cell 1) is 2"),
        ("1 0 1 1 1 3 0 1 1", "number 6 (norm of cell 2) is 3"),
        ("1 0 1 1 1 0 0 1 1 1 0 1 0 4", "number 14 (skip mask of cell 3) is 4"),
        ("1 0 x 1", "number 3 (upsampling of cell 1) is `x`"),
        ("1 0 1", "4, 9 or 14 numbers"),
        ("autogan-z", "autogan-a, autogan-b, autogan-c or e2gan"),
        ("pre-none-sideways", "`sideways` is no upsampling"),
    ];
    for (vector, message) in wrong {
        for command in ["show", "convert"] {
            let error = words(&format!("arch {command} {vector}")).fails(1);
            assert!(error.contains(message), "{vector}: {error}");
        }
    }
    assert!(words("arch show 3 0 1 1").fails(1).contains("may be 0 (post) or 1 (pre)"));
}

#[test]
fn files_hold_the_published_architectures() {
    let files = std::fs::read_dir(repository("models/archs")).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["autogan-a", "autogan-b", "autogan-c", "e2gan"]);
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        let file = repository(&format!("models/archs/{name}.toml"));
        let shown = autogan(dir.path(), &["arch", "show", file.to_str().unwrap()]).ok();
        assert_eq!(shown, words(&format!("arch show {name}")).ok());
    }
}

#[test]
fn files_of_other_kinds_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let show = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        autogan(dir.path(), &["arch", "convert", name, "--to", "released"])
    };
    assert_eq!(show("a.json", "[1, 0, 1, 1]\n").ok(), "1 0 1 1\n");
    assert_eq!(show("a.txt", "pre-none-nearest-sc\n").ok(), "1 0 1 1\n");
    assert_eq!(show("a.toml", "arch = \"autogan-a\"").ok(), "1 0 1 1 1 0 0 1 1 1 0 1 0 3\n");
    assert!(show("b.toml", "arch = [1, 0, 7, 1]").fails(1).contains("number 3"));
    assert!(show("c.toml", "name = 'x'").fails(1).contains("the key `arch`"));
    assert!(show("d.json", "[1, 0, 1]").fails(1).contains("found 3"));
    assert!(show("e.json", "{}").fails(1).contains("e.json"));
    let missing = autogan(dir.path(), &["arch", "show", "none.toml"]).fails(1);
    assert!(missing.contains("none.toml") && missing.contains("no such file"), "{missing}");
}
