//! `autogan compare-strategies`, and searches by a strategy.

use std::fs;
use std::path::Path;

use autogan_table::{LENGTHS, Planned, Row, Scores, ShardFile, plan};
use serde_json::Value;

use crate::common::{CommandOutput, autogan, tiny_search};

fn compared(dir: &Path, args: &[&str]) -> Value {
    let all = [&["compare-strategies", "--strategies", "random", "--json"], args].concat();
    serde_json::from_str(&autogan(dir, &all).ok()).unwrap()
}

/// Rows of a training whose Fréchet distance follows from the architecture and the seed.
fn rows(training: &Planned) -> Vec<Row> {
    let numbers: f64 = training.arch.to_released().into_iter().map(f64::from).sum();
    let size = 1.0 + numbers + 0.1 * training.seed as f64;
    let lengths = LENGTHS.into_iter().filter(|&at| at <= training.iterations);
    let row = |iterations: u64| Row {
        arch: training.arch.clone(),
        seed: training.seed,
        iterations,
        scores: Some(Scores { is: 2.0, frechet: size * 300.0 / iterations as f64 }),
        params: 1,
        macs: 1,
        seconds: iterations as f64 / 100.0,
    };
    lengths.map(row).collect()
}

/// The shards of one cell with two of the five seeds.
fn shards(dir: &Path) {
    for shard in plan() {
        let first = &shard.trainings[0];
        if first.arch.cells().len() == 1 && first.seed < 2 {
            let trainings = shard.trainings.clone();
            let mut file = ShardFile::open(dir, shard).unwrap();
            trainings.iter().for_each(|training| file.push(rows(training)).unwrap());
        }
    }
}

#[test]
fn drawn_landscapes_give_a_page_and_the_same_bytes_on_any_threads() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--synthetic", "--cells", "1", "--seeds", "6", "--evaluations", "12"];
    let all = |threads: &str| {
        let out = format!("out{threads}");
        let json = compared(
            dir.path(),
            &[&args[..], &["--out", out.as_str(), "--threads", threads]].concat(),
        );
        let files = ["index.md", "results.json", "curves.csv", "regret-by-cost.svg"];
        (json, files.map(|file| fs::read_to_string(dir.path().join(&out).join(file)).unwrap()))
    };
    let (one, three) = (all("1"), all("3"));
    assert_eq!(one, three);
    let (json, [page, file, ..]) = one;
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), json);
    assert!(page.contains("No network was trained for this page"), "{page}");
    let random = &json["comparison"]["strategies"][0];
    assert_eq!((&random["name"], &random["evaluations"]), (&"random".into(), &12.0.into()));
    assert_eq!(random["regrets"].as_array().unwrap().len(), 6);
}

#[test]
fn the_text_is_for_people_and_power_rises_with_seeds() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--synthetic", "--cells", "1", "--seeds", "6", "--evaluations", "12", "--power"];
    let all = [&["compare-strategies", "--strategies", "random"], &args[..]].concat();
    let text = autogan(dir.path(), &all).ok();
    assert!(text.starts_with("Each strategy searched 36 points with 12 evaluations"), "{text}");
    assert!(text.contains("\nrandom ") && text.contains("Power of the two-sided"), "{text}");
    let power = |seeds: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(seeds)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert!(power("32") > power("16"), "{text}");
}

#[test]
fn a_table_is_read_from_its_shards_or_its_parquet_file() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shards");
    fs::create_dir(&folder).unwrap();
    let of = |path: &str, more: &[&str]| {
        compared(dir.path(), &[&["--table", path, "--cells", "1", "--seeds", "5"], more].concat())
    };
    let empty = ["compare-strategies", "--table", "shards"];
    assert!(autogan(dir.path(), &empty).fails(1).contains("autogan table make"));
    shards(&folder);
    let whole = of("shards", &["--budget", "30"]);
    assert_eq!(whole["comparison"]["points"], 36);
    // A training takes 3 seconds.
    assert_eq!(whole["comparison"]["strategies"][0]["trainings"], 10.0);
    let rows = plan()
        .into_iter()
        .flat_map(|shard| ShardFile::open(&folder, shard).unwrap().rows().to_vec());
    autogan_table::Table::new(rows.collect()).write(&dir.path().join("table.parquet")).unwrap();
    assert_eq!(of("table.parquet", &["--budget", "30"]), whole);
    // The default budget is half of the points.
    assert_eq!(of("shards", &[])["comparison"]["budget"], 54.0);
    let three = ["compare-strategies", "--table", "shards", "--cells", "3"];
    let error = autogan(dir.path(), &three).fails(1);
    assert!(error.contains("60 or more"), "{error}");
}

#[test]
fn the_other_benchmark_is_read_from_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let text = "genotype,epoch_20,epoch_40\n1 5 0,100,50\n1 6 2,80,40\n1 5 0,90,60\n1 9 2,70,30\n";
    fs::write(dir.path().join("fid.csv"), text).unwrap();
    let json = compared(dir.path(), &["--nas-gan-bench", ".", "--seeds", "3", "--budget", "120"]);
    let results = &json["comparison"];
    assert_eq!((&results["points"], &results["testbed"]["unit"]), (&3.into(), &"epochs".into()));
    // Three trainings see all three points, so nothing is left to regret.
    assert_eq!(results["strategies"][0]["regret"]["estimate"], 0.0);
}

#[test]
fn command_lines_that_cannot_be_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    for (args, code, says) in [
        (&[][..], 2, "--synthetic"),
        (&["--synthetic", "--table", "x"], 2, "cannot be used with"),
        (&["--synthetic", "--budget", "9", "--evaluations", "9"], 2, "cannot be used with"),
        (&["--synthetic", "--strategies", "random,luck"], 1, "found 'luck'"),
        (&["--synthetic", "--budget", "1"], 1, "which one training costs"),
        (&["--synthetic", "--seeds", "0"], 1, "seeds: expected 1 or more"),
        (&["--table", "missing.parquet"], 1, "missing.parquet"),
        (&["--nas-gan-bench", "missing"], 1, "fid.csv"),
        (&["--synthetic", "--difference", "0.2"], 2, "--power"),
    ] {
        let error = autogan(dir.path(), &[&["compare-strategies"], args].concat()).fails(code);
        assert!(error.contains(says), "{args:?}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn a_search_by_a_strategy_leaves_weights_to_sample_from() {
    let dir = tempfile::tempdir().unwrap();
    let small = [
        "--strategy",
        "random",
        "--set",
        "strategy.lengths=[2,3,4]",
        "--set",
        "strategy.budget=40",
        "--set",
        "derive.random=2",
    ];
    let run = |more: &[&str]| -> CommandOutput {
        tiny_search(dir.path(), &[&small[..], more].concat()).output().unwrap().into()
    };
    let plan = run(&["--dry-run"]).ok();
    assert!(plan.contains("the budget of 40 iterations"), "{plan}");
    let told = run(&["--run-dir", "run", "--quiet"]).ok();
    assert!(told.contains("the winner, with another seed"), "{told}");
    autogan(dir.path(), &["sample", "run", "-n", "4", "--out", "grid.png"]).ok();
    autogan(dir.path(), &["sample", "run/best.safetensors", "-n", "4", "--out", "best.png"]).ok();
    let [grid, best] = ["grid.png", "best.png"].map(|name| dir.path().join(name));
    assert_eq!(std::fs::read(grid).unwrap(), std::fs::read(best).unwrap());
    // A run that is over is told again by its own kind of search.
    let again = autogan(dir.path(), &["search", "--resume", "run", "--quiet"]).ok();
    assert!(again.contains("the winner, with another seed"), "{again}");
    let wrong = tiny_search(dir.path(), &["--strategy", "magic"]).output().unwrap();
    let error = CommandOutput::from(wrong).fails(1);
    assert!(error.contains("strategy.name") && error.contains("led_halving"), "{error}");
}
