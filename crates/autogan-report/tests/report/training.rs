//! The page of a training from scratch, finished and not.

use std::path::Path;

use autogan_config::{Configuration, TrainingConfig};
use autogan_report::{RunData, Status, report_html};
use autogan_run::samples::GridLayout;
use autogan_run::{
    Event, Host, ModelScore, Picture, RealScore, RunDir, RunWriter, Scalar, ScoresFile,
    ScoresProtocol,
};
use autogan_space::Arch;

use crate::{check_self_contained, classed, elements, parsed};

fn config() -> String {
    let settings = [
        "preset=tiny",
        "seed=7",
        "arch=[1, 0, 1, 1, 1, 0, 0, 1, 1]",
        "model.latent=4",
        "model.gf=4",
        "train.n_critic=2",
        "schedule.g_iterations=6",
    ];
    TrainingConfig::preset("quick", &settings.map(str::to_owned)).unwrap().to_toml().unwrap()
}

fn score(g_iteration: u64, is: f64, frechet: f64) -> ModelScore {
    let images_seen = 16 * g_iteration;
    ModelScore { g_iteration, images_seen, is, is_std: 0.125, frechet: Some(frechet) }
}

fn scores() -> ScoresFile {
    ScoresFile {
        arch: Arch::AUTOGAN_A.prefix(2),
        named: "pre-none-nearest-sc / pre-none-bilinear-sc+1".into(),
        seed: 7,
        preset: "tiny".into(),
        dataset: "shapes".into(),
        scorer: "compact-shapes".into(),
        protocol: ScoresProtocol {
            is: "is_compact-shapes_16_2splits".into(),
            frechet: Some("frechet_compact-shapes_16_40train".into()),
        },
        params: 1000,
        macs: 10_000,
        g_iterations: 6,
        images_seen: 96,
        last: score(6, 3.25, 40.5),
        best: score(3, 2.5, 30.75),
        real: RealScore { is: 9.5, is_std: 0.25, frechet: Some(2.25) },
    }
}

/// A training that has taken `d_steps` of its twelve D steps, with scores and samples after every third G iteration.
fn training(path: &Path, d_steps: u64) -> RunDir {
    let (dir, lock) = RunDir::create_at(path, &config(), &Host::detect("cpu")).unwrap();
    let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
    let mut tick = 0;
    for step in 1..=d_steps {
        tick += 1;
        let mut put = |tag: &str, value: f64| {
            let (tag, seconds) = (tag.to_owned(), tick as f64);
            writer.scalar(&Scalar { tick, step, tag, value, seconds }).unwrap();
        };
        put("loss/d", 1.5);
        if step % 6 == 0 {
            let score = if step == 6 { scores().best } else { scores().last };
            if step == 6 {
                put("score/real/is", 9.5);
                put("score/real/frechet", 2.25);
            }
            put("score/is", score.is);
            put("score/frechet", score.frechet.unwrap());
            let layout = GridLayout::square(4, 4);
            let picture = Picture::grid(&[100; 4 * 3 * 4 * 4], [4, 3, 4, 4], layout).unwrap();
            let place = (1, (step / 2) as u32, "train");
            writer.picture(&picture, tick, place, tick as f64).unwrap();
        }
    }
    if d_steps == 12 {
        let kind = "trained".to_owned();
        writer.event(&Event { tick, kind, json: "{}".into(), seconds: 12.0 }).unwrap();
        scores().write(&dir.scores_path()).unwrap();
    }
    writer.finish().unwrap();
    dir
}

#[test]
fn a_finished_training_shows_its_network_its_scores_and_its_images() {
    let dir = tempfile::tempdir().unwrap();
    let run = training(&dir.path().join("r"), 12);
    let data = RunData::read(&run);
    assert_eq!(data.problems, [""; 0]);
    let summary = &data.summary;
    assert_eq!((summary.status.clone(), summary.iterations_done), (Status::Finished, 6));
    assert_eq!((summary.iterations, summary.stage, summary.trials), (Some(6), 1, 0));
    assert_eq!(summary.scorer.as_deref(), Some("compact-shapes"));
    assert_eq!(summary.trained.as_ref().unwrap().best, scores().best);
    assert_eq!(data.scalars["score/is"].at, [3.0, 6.0], "places are G iterations");
    assert_eq!(data.scalars["loss/d"].at[..3], [0.5, 1.0, 1.5]);
    assert_eq!((data.stages[0].side, data.stages[0].end), (Some(16), 6));
    assert_eq!(data.events[0].iteration, 6);

    let (html, problems) = report_html(&run);
    assert_eq!(problems, [""; 0]);
    check_self_contained(&html);
    let page = parsed(&html);
    assert_eq!(elements(&page, "img").len(), 2);
    assert_eq!(classed(&page, "arch arch-figure").len(), 1);
    assert!(classed(&page, "status").is_empty());
    for text in [
        "training from scratch",
        "2.500",
        "3.250 at the end, training images 9.500",
        "30.750",
        "frechet_compact-shapes_16_40train",
        "iteration 3",
        "/best.safetensors -n 64",
        "--set schedule.g_iterations=12",
    ] {
        assert!(html.contains(text), "{text}");
    }
    for text in ["Score over the search", "autogan search", "best child"] {
        assert!(!html.contains(text), "{text}");
    }
    assert_eq!(report_html(&run).0, html, "the page follows from the directory");
}

#[test]
fn an_unfinished_or_damaged_training_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let run = training(&dir.path().join("r"), 8);
    let (html, problems) = report_html(&run);
    assert_eq!(problems, [""; 0]);
    check_self_contained(&html);
    for text in ["This training was stopped", "after 4 of 6 iterations", "autogan train --resume"] {
        assert!(html.contains(text), "{text}");
    }
    let empty = training(&dir.path().join("empty"), 0);
    let html = report_html(&empty).0;
    assert!(html.contains("This training has not stored anything yet"));
    assert!(html.contains("Nothing has been scored yet"));

    let whole = training(&dir.path().join("whole"), 12);
    let text = std::fs::read_to_string(whole.scores_path()).unwrap();
    std::fs::write(whole.scores_path(), text.replace("30.75", "3.75")).unwrap();
    let data = RunData::read(&whole);
    assert!(data.problems[0].contains("scores.json is damaged"), "{:?}", data.problems);
    assert_eq!(data.summary.trained, None);
    assert!(!report_html(&whole).0.contains("3.750"));
}
