//! `autogan repro`: experiments at the smallest scale, from their runs to their pages.

use std::fs;
use std::path::{Path, PathBuf};

use autogan_run::{Checkpoint, RunDir, StoreReader, Trial, TrialFilter, TrialKind};

use crate::common::{CommandOutput, autogan, command, files, last_checkpoint, words};

fn repro(dir: &Path, line: &str) -> CommandOutput {
    let line = format!("repro --scale tiny {line}");
    autogan(dir, &line.split_whitespace().collect::<Vec<_>>())
}

/// The lines of a CSV without the column `seconds`, which no two runs have in common.
fn numbers(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<String>> =
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let seconds = rows[0].iter().position(|name| name == "seconds");
    let keep = |at: usize| Some(at) != seconds;
    let kept = |row: &Vec<String>| -> Vec<String> {
        row.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, cell)| cell.clone()).collect()
    };
    rows.iter().map(kept).collect()
}

fn modified(job: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let of = |path: PathBuf| {
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        (path, time)
    };
    files(job).into_iter().map(of).collect()
}

#[test]
fn an_experiment_runs_once_and_its_numbers_repeat_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let written = repro(dir.path(), "random").ok();
    assert_eq!(written.trim(), "repro/tiny/random/index.md");
    let tiny = dir.path().join("repro/tiny");
    let page = fs::read_to_string(tiny.join("random/index.md")).unwrap();
    for text in ["controller − random with sharing", "hand-made baseline", "32 of 32 runs"] {
        assert!(page.contains(text), "{text} in {page}");
    }
    let csv = numbers(&tiny.join("random/random-shapes.csv"));
    assert_eq!(csv.len(), 1 + 4 * 2, "four arms with two seeds: {csv:?}");
    assert!(csv.iter().flatten().all(|cell| cell != "NaN"), "{csv:?}");
    // Every search showed its discriminator as many images as random search without sharing did.
    let images: Vec<&str> = csv[1..7].iter().map(|row| row[2].as_str()).collect();
    assert!(images.iter().all(|count| *count == "160"), "{images:?}");

    let job = tiny.join("jobs/search-controller-shapes-s0");
    let before = modified(&job);
    repro(dir.path(), "random fig7").ok();
    assert_eq!(modified(&job), before, "a finished run is left alone");
    assert!(tiny.join("fig7/fig7-shapes.svg").is_file());
    what_is_kept_has_the_highest_score(&tiny.join("jobs"));
    figure_7_has_both_draws(&tiny.join("fig7"));

    let other = tempfile::tempdir().unwrap();
    repro(other.path(), "fig7").ok();
    repro(other.path(), "random").ok();
    assert_eq!(numbers(&other.path().join("repro/tiny/random/random-shapes.csv")), csv);
}

/// `train --from-run` picks by the same rule.
fn what_is_kept_has_the_highest_score(jobs: &Path) {
    let scores = |job: &str| RunDir::open(&jobs.join(job)).unwrap().scores().unwrap().unwrap();
    for arm in ["controller", "uniform", "scratch"] {
        for seed in [0, 1] {
            let picks = [1, 2].map(|rank| scores(&format!("pick-{arm}-rank{rank}-shapes-s{seed}")));
            let best = usize::from(picks[1].best.is > picks[0].best.is);
            let kept = scores(&format!("train-{arm}-shapes-s{seed}"));
            assert_eq!(kept.arch, picks[best].arch, "{arm}, seed {seed}");
            assert_eq!(
                (kept.seed, picks[0].seed),
                (seed, seed + 2000),
                "the pick is another training"
            );
        }
    }
    for seed in [0, 1] {
        // Of random search without sharing, those are trained that its short trainings rank first.
        let short =
            [0, 1, 2, 3].map(|index| scores(&format!("short-random{index}-shapes-s{seed}")));
        let first = scores(&format!("pick-scratch-rank1-shapes-s{seed}"));
        let most = short.iter().map(|scores| scores.best.is).fold(f64::MIN, f64::max);
        let of_first = short.iter().find(|scores| scores.arch == first.arch).unwrap();
        assert_eq!(of_first.best.is, most);
    }
}

/// What the search drew was scored at its end, beside the random ones, and is one of its children.
fn figure_7_has_both_draws(fig7: &Path) {
    let rows = numbers(&fig7.join("fig7-shapes.csv"));
    let of = |by: &str| rows.iter().filter(|row| row[1] == by).count();
    assert_eq!((of("uniform"), of("search")), (2 * 6, 2 * 3), "{rows:?}");
    let store = fig7.with_file_name("jobs").join("search-controller-shapes-s0/run.sqlite");
    let trials = StoreReader::open(&store).unwrap().trials(TrialFilter::ALL).unwrap();
    let of_kind = |kind: TrialKind| -> Vec<Trial> {
        trials.iter().map(|trial| trial.row.clone()).filter(|trial| trial.kind == kind).collect()
    };
    let children = of_kind(TrialKind::Controller);
    for drawn in of_kind(TrialKind::Drawn) {
        assert!(children.iter().any(|child| child.arch == drawn.arch && child.stage == 2));
        let row = rows.iter().find(|row| row[2] == drawn.arch.to_string() && row[0] == "0");
        assert_eq!(row.expect("its row")[3], drawn.score.to_string());
    }
}

#[test]
fn every_item_has_a_page_and_they_make_one_document() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("docs")).unwrap();
    fs::write(dir.path().join("docs/results-reading.md"), "Read by hand.\n").unwrap();
    let written = repro(dir.path(), "all --docs docs/results.md").ok();
    assert_eq!(written.lines().count(), 12, "{written}");
    let docs = fs::read_to_string(dir.path().join("docs/results.md")).unwrap();
    assert!(docs.contains("Read by hand.") && docs.contains("not run"));
    // Every link of a page and of the document leads to a file.
    let mut links = 0;
    for page in written.lines() {
        let text = fs::read_to_string(dir.path().join(page)).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            let path = dir.path().join(page).with_file_name(target);
            assert!(path.is_file(), "{page} links to {target}");
            links += 1;
        }
    }
    assert!(links > 40, "{links}");
    figure_9_counts_resets_that_fired(&dir.path().join("repro/tiny"));
}

/// The page agrees with the stores: the reset fires only where it is on, and ends shared training early.
fn figure_9_counts_resets_that_fired(tiny: &Path) {
    let resets = |job: &str| {
        let store = tiny.join("jobs").join(job).join("run.sqlite");
        StoreReader::open(&store).unwrap().events(Some("reset")).unwrap().len()
    };
    let with = [0, 1].map(|seed| resets(&format!("search-reset-shapes-s{seed}")));
    let without = [0, 1].map(|seed| resets(&format!("search-no-reset-shapes-s{seed}")));
    assert!(with.iter().all(|&count| count > 0) && without == [0, 0], "{with:?} {without:?}");
    let page = fs::read_to_string(tiny.join("fig9/index.md")).unwrap();
    let mean = (with[0] + with[1]) as f64 / 2.0;
    assert!(page.contains(&format!("Resets in a search: {mean:.1} ±")), "{with:?}: {page}");
    let csv = numbers(&tiny.join("fig9/fig9-shapes.csv"));
    let trained = |arm: &str| -> Vec<u64> {
        let rows = csv.iter().filter(|row| row[0] == arm);
        rows.map(|row| row[2].parse().unwrap()).collect()
    };
    let (with, without) = (trained("with reset"), trained("without reset"));
    assert_eq!((with.len(), without.len()), (2, 2), "{csv:?}");
    assert!(with.iter().zip(&without).all(|(with, without)| with < without), "{csv:?}");
}

/// Sets a finished training back to before its last iteration, with weights that are NaN.
fn poison(job: &Path) {
    let path = last_checkpoint(job);
    let mut checkpoint = Checkpoint::read(&path).unwrap();
    let mut state: serde_json::Value =
        serde_json::from_str(checkpoint.text("state").unwrap()).unwrap();
    let position = &mut state["position"];
    for count in ["g_iterations", "d_steps"] {
        position[count] = (position[count].as_u64().unwrap() - 1).into();
    }
    position["phase"] = "train".into();
    checkpoint.metadata.insert("state".into(), state.to_string());
    for tensor in checkpoint.tensors.iter_mut().filter(|tensor| tensor.name.starts_with("g.")) {
        let nan = f32::NAN.to_le_bytes();
        tensor.bytes.chunks_exact_mut(4).for_each(|number| number.copy_from_slice(&nan));
    }
    checkpoint.write(&path).unwrap();
    fs::remove_file(job.join("scores.json")).unwrap();
}

/// The jobs that follow from the ranking of the short trainings.
fn ranked(seed: u64) -> [String; 3] {
    ["pick-scratch-rank1", "pick-scratch-rank2", "train-scratch"]
        .map(|job| format!("{job}-shapes-s{seed}"))
}

#[test]
fn a_run_that_diverges_stands_in_no_other_ones_way() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("repro/tiny/jobs");
    repro(dir.path(), "random").ok();
    poison(&jobs.join("short-random0-shapes-s0"));
    poison(&jobs.join("train-controller-shapes-s1"));
    // All runs from which the best of seed 1 could be picked.
    let picked: Vec<String> = (0..4).map(|i| format!("short-random{i}-shapes-s1")).collect();
    picked.iter().for_each(|job| poison(&jobs.join(job)));
    // These trainings come after those runs.
    let after: Vec<String> = [0, 1].iter().flat_map(|&seed| ranked(seed)).collect();
    after.iter().for_each(|job| fs::remove_dir_all(jobs.join(job)).unwrap());
    fs::remove_dir_all(jobs.join("train-baseline-shapes-s1")).unwrap();

    let failed = |ran: &CommandOutput| {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stdout.contains("random/index.md"), "the page is written: {ran:?}");
        let list = ran.stderr.split("9 of 32 runs failed").nth(1).expect("a list");
        let diverged = ["short-random0-shapes-s0", "train-controller-shapes-s1"];
        for job in diverged.into_iter().chain(picked.iter().map(String::as_str)) {
            let line = list.lines().find(|line| line.contains(job)).expect("its line");
            assert!(line.contains("diverged") && line.contains("iteration"), "{line}");
        }
        let blocked = list.lines().find(|line| line.contains("/pick-scratch-rank1-shapes-s1: "));
        assert!(
            blocked.expect("its line").contains("it needs short-random0-shapes-s1, "),
            "{list}"
        );
        assert!(list.contains("remove the directory"), "{list}");
    };
    failed(&repro(dir.path(), "random"));
    for other in ["train-scratch-shapes-s0", "train-baseline-shapes-s1"] {
        assert!(jobs.join(other).join("scores.json").is_file(), "{other} was in the way");
    }
    let page = fs::read_to_string(dir.path().join("repro/tiny/random/index.md")).unwrap();
    let list = page.split("**Runs that failed**").nth(1).expect("a list");
    assert!(list.contains("- `short-random0-shapes-s0`: ") && list.contains("diverged"), "{page}");
    assert!(page.contains("23 of 32 runs are finished, 9 failed"), "{page}");

    // A run that failed is not tried again, and a run that needs it cannot begin.
    let before = modified(&jobs.join("train-controller-shapes-s1"));
    failed(&repro(dir.path(), "random"));
    assert_eq!(modified(&jobs.join("train-controller-shapes-s1")), before);
    let shown = repro(dir.path(), "fig4 --no-run").ok();
    let page = fs::read_to_string(dir.path().join(shown.trim())).unwrap();
    assert!(page.contains("Seed 1: diverged.") && page.contains("Seed 0, 64 images"), "{page}");

    // A failed run without its directory is run again, and then another run may be the best.
    let again = ["short-random0-shapes-s0", "train-controller-shapes-s1"].map(str::to_owned);
    for job in again.iter().chain(&ranked(0)).chain(&picked) {
        fs::remove_dir_all(jobs.join(job)).unwrap();
    }
    repro(dir.path(), "random").ok();
}

#[test]
fn pages_can_be_made_of_nothing_and_runs_listed() {
    let dir = tempfile::tempdir().unwrap();
    let list = repro(dir.path(), "fig10 --dry-run").ok();
    assert!(list.contains("search-single-shapes-s1") && list.contains("16 runs"), "{list}");
    assert!(!dir.path().join("repro").exists());
    repro(dir.path(), "table1 --no-run").ok();
    let page = fs::read_to_string(dir.path().join("repro/tiny/table1/index.md")).unwrap();
    assert!(page.contains("8.55 ± 0.10") && page.contains("not run"), "{page}");
}

#[test]
fn what_cannot_be_is_explained() {
    assert!(words("repro fig2").fails(2).contains("fig10"));
    let dir = tempfile::tempdir().unwrap();
    repro(dir.path(), "fig3").ok();
    let config = dir.path().join("repro/tiny/jobs/search-controller-shapes-s1/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("gf = 4", "gf = 5")).unwrap();
    let error = repro(dir.path(), "fig3").fails(1);
    assert!(error.contains("gf = 5") && error.contains("--out"), "{error}");
    let mut full = command(dir.path());
    full.args(["repro", "fig3", "--scale", "full", "--offline"]);
    let error = CommandOutput::from(full.output().unwrap()).fails(1);
    assert!(error.contains("--data"), "{error}");
}
