//! The runs of searches with a single level, without a controller, within a budget, or with other rewards, as commands
//! show them.

use autogan_run::{StoreReader, Trial, TrialKind};

use crate::common::{autogan, tiny_run};

/// The name and the settings of each search, with the protocol of its scores.
const VARIANTS: [(&str, &[&str], &str); 5] = [
    (
        "single",
        &["--set", "search.levels=single", "--set", "search.grow_at=[0, 0]"],
        "is_compact-shapes_16_2splits",
    ),
    ("uniform", &["--set", "controller.policy=uniform"], "is_compact-shapes_16_2splits"),
    ("frechet", &["--set", "reward.metric=inverse_fid"], "inverse_frechet_compact-shapes_16"),
    ("log", &["--set", "reward.metric=log_frechet"], "minus_log_frechet_compact-shapes_16"),
    (
        "cheap",
        &["--max-params", "1300", "--set", "reward.cost=macs", "--set", "reward.cost_weight=0.1"],
        "is_compact-shapes_16_2splits",
    ),
];

#[test]
fn every_variant_leaves_a_run_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, settings, protocol) in VARIANTS {
        let (run, out) = tiny_run(dir.path(), name, settings);
        assert!(out.contains("Found in"), "{name}: {out}");
        let arch = std::fs::read_to_string(run.join("arch.json")).unwrap();
        assert!(arch.contains(protocol), "{name}: {arch}");
        let store = StoreReader::open(&run.join("run.sqlite")).unwrap();
        let trials = store.rows_after::<Trial>(0).unwrap();
        let of = |kind| trials.iter().filter(move |t| t.row.kind == kind);
        let stages = if name == "single" { 1 } else { 3 };
        assert_eq!(of(TrialKind::Controller).count(), 4 * 2 * 2, "{name}");
        assert_eq!(of(TrialKind::Candidate).count(), (stages - 1) * 4, "{name}");
        assert_eq!(of(TrialKind::Derive).count(), 4, "{name}");
        // Runs can be compared by the number of images that they used over time.
        let last = |tag: &str| store.series(tag).unwrap().pop().unwrap().row;
        assert_eq!((last("images/real").value, last("images/fake").value), (160.0, 240.0));
        assert_eq!(last("images/scored").value, 16.0 * (trials.len() + 2) as f64, "{name}");
        assert!(last("images/real").seconds > 0.0);
        if name == "cheap" {
            assert!(trials.iter().all(|t| t.row.params <= 1300 || t.row.stage < 2));
        }
        for row in trials.iter().map(|trial| &trial.row) {
            let reward = row.reward.unwrap();
            let lost = row.score - reward;
            assert!(
                if name == "cheap" { 0.0 < lost && lost < 0.1 + 1e-12 } else { lost == 0.0 },
                "{lost}"
            );
            let learnt = row.advantage.zip(row.baseline);
            let learns = row.kind == TrialKind::Controller && name != "uniform";
            assert_eq!(learnt.is_some(), learns, "{name}: {row:?}");
            assert!(learnt.is_none_or(|(a, b)| (a + b - reward).abs() < 1e-9), "{name}: {row:?}");
        }
        for reader in ["trials", "report"] {
            autogan(dir.path(), &[reader, name]).ok();
        }
    }
    autogan(dir.path(), &["compare", "single", "uniform"]).ok();
}
