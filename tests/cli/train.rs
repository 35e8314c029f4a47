//! `autogan train`: it trains one architecture, or the best ones of a search in turn, and writes scores and weights.

use std::fs;
use std::path::{Path, PathBuf};

use autogan_run::{RunDir, ScoresFile, WinnerFile, sealed};

use crate::common::{
    CommandOutput, autogan, files, interrupt, last_checkpoint, tiny_run, tiny_training,
};

/// The arguments of a tiny training, with more of them.
fn tiny<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train"][..], &tiny_training(more)].concat()
}

fn scores(run: &Path) -> ScoresFile {
    RunDir::open(run).unwrap().scores().unwrap().unwrap()
}

#[test]
fn a_training_leaves_scores_and_weights_that_say_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let out = autogan(dir.path(), &tiny(&["--arch", "1 0 1 1 1 0 0 1 1", "--seed", "3"])).ok();
    let run = dir.path().join("runs/00000-train-quick-s3");
    assert!(out.contains("pre-none-bilinear-sc+1") && out.contains("training images"), "{out}");
    let names: Vec<PathBuf> = files(&run);
    for name in ["best.safetensors", "scores.json", "report.html", "run.sqlite", "log.txt"] {
        assert!(names.contains(&run.join(name)), "{name}");
    }
    let file = scores(&run);
    assert_eq!((file.seed, file.g_iterations, file.images_seen), (3, 4, 64));
    assert_eq!(file.arch.to_string(), "1 0 1 1 1 0 0 1 1");

    // The best weights, the last weights and the run can each be sampled without another argument.
    let last = last_checkpoint(&run);
    let best = run.join("best.safetensors");
    for (n, checkpoint) in [&best, &last, &run].into_iter().enumerate() {
        let checkpoint = checkpoint.to_str().unwrap();
        let grid = format!("{n}.png");
        autogan(dir.path(), &["sample", checkpoint, "-n", "4", "--out", &grid]).ok();
    }
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    assert!(read("1.png") == read("2.png"));
    let best = best.to_str().unwrap();
    let eval =
        autogan(dir.path(), &["eval", best, "-n", "20", "--extractor", "compact-shapes", "--json"]);
    assert!(eval.ok().contains("is_20_10splits"));

    // The commands that read runs read this one.
    let listed = autogan(dir.path(), &["runs"]).ok();
    assert!(listed.contains("finished") && listed.contains("4/4"), "{listed}");
    autogan(dir.path(), &["report", "0"]).ok();
    autogan(dir.path(), &["trials", "0"]).ok();
    autogan(dir.path(), &tiny(&["--arch", "autogan-b", "--quiet"])).ok();
    let compared = autogan(dir.path(), &["compare", "0", "1"]).ok();
    assert!(compared.contains("trained: frechet") && compared.contains("pre-none-nearest-sc"));
    let shown = autogan(dir.path(), &["arch", "show", run.to_str().unwrap()]).ok();
    assert!(shown.contains("pre-none-bilinear-sc+1"), "{shown}");
    let error = autogan(dir.path(), &["search", "--resume", "0"]).fails(1);
    assert!(error.contains("train --resume"), "{error}");
}

#[test]
fn a_stopped_training_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let long = [
        "--set",
        "schedule.g_iterations=200",
        "--set",
        "schedule.score_every=1",
        "--arch",
        "e2gan",
    ];
    let args = |name: &'static str| tiny(&[&long[..], &["--run-dir", name]].concat());
    autogan(dir.path(), &args("whole")).ok();
    let cut = interrupt(dir.path(), &args("cut"), "iteration 3/200", "-INT").fails(130);
    assert!(cut.contains("continue with: autogan train --resume cut"), "{cut}");
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    assert!(!cut.join("scores.json").exists(), "it was not stopped in time");
    let resumed = autogan(dir.path(), &["train", "--resume", "cut"]);
    assert!(resumed.stderr.contains("resumed after iteration"), "{resumed:?}");
    resumed.ok();
    for name in ["scores.json", "best.safetensors"] {
        assert!(fs::read(whole.join(name)).unwrap() == fs::read(cut.join(name)).unwrap(), "{name}");
    }
    assert!(fs::read(last_checkpoint(&whole)).unwrap() == fs::read(last_checkpoint(&cut)).unwrap());
    let refused = ["train", "--resume", "cut", "--set", "model.gf=8"];
    assert!(autogan(dir.path(), &refused).fails(1).contains("model.gf (was 4, is 8)"));
    let longer = ["train", "--resume", "cut", "--set", "schedule.g_iterations=202"];
    autogan(dir.path(), &longer).ok();
    assert_eq!(scores(&cut).g_iterations, 202);
}

#[test]
fn the_best_of_a_search_are_trained_in_turn_and_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let searched = ["--quiet", "--set", "model.skip_tap=after_add", "--set", "model.df=3"];
    tiny_run(dir.path(), "found", &searched);
    let args = tiny(&["--from-run", "found", "--top", "2"]);
    let begun = autogan(dir.path(), &args).ok();
    let trained = dir.path().join("runs/found-trained");
    let winner: WinnerFile = sealed::read(&trained.join("winner.json")).unwrap();
    assert_eq!((winner.run.as_str(), winner.trained.len()), ("found", 2));
    let of = |rank: u32| scores(&trained.join(format!("rank-{rank}")));
    let best = if of(2).best.is > of(1).best.is { 2 } else { 1 };
    assert_eq!(winner.winner, best);
    assert!(begun.contains(&format!("rank-{best}/best.safetensors")), "{begun}");
    let found = RunDir::open(&dir.path().join("found")).unwrap().arch().unwrap().unwrap();
    assert_eq!(winner.trained[1].arch, found.top[1].arch);
    assert_eq!(of(2).arch, found.top[1].arch);

    // The architectures are trained under the rules of their search; the sizes come from the training's configuration.
    let config = fs::read_to_string(trained.join("rank-1/config.toml")).unwrap();
    assert!(config.contains("skip_tap = \"after_add\"") && config.contains("df = 4"), "{config}");

    // A finished training is not repeated; a missing one is.
    let before = fs::metadata(trained.join("rank-1/run.sqlite")).unwrap().modified().unwrap();
    fs::remove_dir_all(trained.join("rank-2")).unwrap();
    let again = autogan(dir.path(), &args);
    assert!(again.stderr.contains("rank-1 is trained already"), "{again:?}");
    assert_eq!(again.ok(), begun);
    let after = fs::metadata(trained.join("rank-1/run.sqlite")).unwrap().modified().unwrap();
    assert_eq!(after, before);

    // The same command repairs a finished run that has lost a file.
    fs::remove_file(trained.join("rank-2/best.safetensors")).unwrap();
    let mended = autogan(dir.path(), &args);
    assert!(mended.stderr.contains("warning: best.safetensors, of iteration"), "{mended:?}");
    mended.ok();
    let winner: WinnerFile = sealed::read(&trained.join("winner.json")).unwrap();
    assert_eq!(winner.trained[1].best, of(2).best);
    let sample =
        ["sample", "runs/found-trained/rank-2/best.safetensors", "-n", "1", "--out", "o.png"];
    autogan(dir.path(), &sample).ok();

    let other = [&args[..], &["--set", "model.gf=8"]].concat();
    let error = autogan(dir.path(), &other).fails(1);
    assert!(error.contains("rank-1") && error.contains("--run-dir"), "{error}");
    let many = tiny(&["--from-run", "found", "--top", "9"]);
    assert!(autogan(dir.path(), &many).fails(1).contains("expected 1 to 2"));
}

#[test]
fn an_architecture_found_on_small_images_is_trained_on_those_of_48_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for n in 0..10u8 {
        let pixel = |x: u32, y: u32| image::Rgb([(4 * x) as u8, (4 * y) as u8, 20 * n]);
        image::RgbImage::from_fn(60, 50, pixel).save(pictures.join(format!("{n}.png"))).unwrap();
    }
    let line = "train --preset stl10 --arch autogan-a --data pictures --run-dir r --set data.dataset=folder \
        --set score.scorer=compact-cifar10 --set score.images=10 --set schedule.g_iterations=1 --set model.gf=4 \
        --set model.df=4 --set train.g_batch=4 --set train.d_batch=4 --set train.n_critic=2";
    autogan(dir.path(), &line.split_whitespace().collect::<Vec<_>>()).ok();
    let grid = "sample r/best.safetensors -n 1 --out-dir out";
    autogan(dir.path(), &grid.split(' ').collect::<Vec<_>>()).ok();
    let picture = image::open(dir.path().join("out/00000.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (48, 48));
}

#[test]
fn what_cannot_be_trained_is_refused_before_anything_is_made() {
    let cases = [
        ("train", "--arch"),
        ("train --arch 1 0 1", "4, 9 or 14"),
        ("train --arch nowhere.toml", "no such file"),
        ("train --arch autogan-a --preset quik", "quick, cifar10-cpu"),
        ("train --arch autogan-a --set search.iterations=3", "schedule"),
        ("train --arch autogan-a --set score.scorer=taste", "compact-shapes"),
        ("train --from-run nothing", "nothing"),
        ("train --resume nothing", "nothing"),
    ];
    for (line, message) in cases {
        let dir = tempfile::tempdir().unwrap();
        let ran: CommandOutput = autogan(dir.path(), &line.split(' ').collect::<Vec<_>>());
        let error = ran.fails(1);
        assert!(error.starts_with("error: ") && error.contains(message), "{line}: {error}");
        assert!(files(dir.path()).is_empty(), "{line}: something was made");
    }
}
