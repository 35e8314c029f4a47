//! `autogan claim`: the comparison of the proposed default with random search.

use std::fs;
use std::path::Path;

use crate::common::autogan;

/// A round's file in which all arms of so many seeds are finished: the proposed default is better by 0.5 in −ln F.
fn rows(dir: &Path, seeds: u64) {
    let arms =
        ["led", "controller", "random-shared", "random-early", "random-modelled", "hand-made"];
    let mut text = "seed,arm,arch,price,seconds,frechet,is\n".to_owned();
    for seed in 100..100 + seeds {
        for arm in arms {
            let frechet: f64 = if arm == "led" { 4.0 } else { 4.0 * 0.5f64.exp() };
            let list = |value: f64| vec![value.to_string(); 6].join(" ");
            text += &format!(
                "{seed},{arm},1 0 1 1 1 0 0 1 1 1 0 1 0 3,599.9,610.5,{},{}\n",
                list(frechet + 0.001 * (seed % 7) as f64),
                list(2.0)
            );
        }
    }
    fs::write(dir.join("round1.csv"), text).unwrap();
}

#[test]
fn arms_are_listed_with_what_they_cost() {
    let dir = tempfile::tempdir().unwrap();
    let text = autogan(dir.path(), &["claim", "--dry-run"]).ok();
    for part in ["led", "random-early", "hand-made", "price of a search", "of one thread"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_round_says_what_it_shows_and_nothing_before_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let show = || autogan(dir.path(), &["claim", "--no-run", "--dir", "."]).ok();
    assert!(show().contains("0 of 16 seeds are finished"));
    rows(dir.path(), 3);
    let text = show();
    assert!(text.contains("3 of 16 seeds") && text.contains("nothing is said"), "{text}");
    assert!(!text.contains("+0.5"), "{text}");
    rows(dir.path(), 16);
    let text = show();
    assert!(text.contains("the claim holds") && text.contains("+0.500"), "{text}");
}

#[test]
fn what_cannot_be_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |args: &[&str]| {
        let command = [&["claim", "--no-run", "--dir", "."], args].concat();
        autogan(dir.path(), &command).fails(1)
    };
    assert!(autogan(dir.path(), &["claim", "--round", "4", "--no-run"]).fails(2).contains("4"));
    rows(dir.path(), 1);
    let path = dir.path().join("round1.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("100,led", "200,led")).unwrap();
    let error = fails(&[]);
    assert!(error.contains("round1.csv") && error.contains("200,led"), "{error}");
}
