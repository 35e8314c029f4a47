//! `autogan table pack`, `show`, `best` and `card`. The trainings of `make` are tested where they are carried out.

use std::fs;
use std::path::Path;

use autogan_table::{LENGTHS, Origin, Planned, Row, Scores, ShardFile, plan};
use serde_json::Value;

use crate::common::autogan;

/// The rows that a training would give: F falls with the length and grows with the seed.
fn rows(training: &Planned) -> Vec<Row> {
    let lengths = LENGTHS.into_iter().filter(|&length| length <= training.iterations);
    let row = |iterations: u64| Row {
        arch: training.arch.clone(),
        seed: training.seed,
        iterations,
        scores: Some(Scores {
            is: 1.5 + iterations as f64 / 1000.0,
            frechet: (40.0 + training.seed as f64) * 75.0 / iterations as f64
                + f64::from(training.arch.to_released()[2]),
        }),
        params: 1000,
        macs: 2000,
        seconds: iterations as f64 / 100.0,
    };
    lengths.map(row).collect()
}

/// Writes the shards of one cell: all of the first two seeds, half of the third.
fn shards(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for shard in plan() {
        let seed = shard.trainings[0].seed;
        if shard.trainings[0].arch.cells().len() > 1 || seed > 2 {
            continue;
        }
        let some = shard.trainings.len() / if seed < 2 { 1 } else { 2 };
        let trainings = shard.trainings[..some].to_vec();
        let mut file = ShardFile::open(dir, shard).unwrap();
        trainings.iter().for_each(|training| file.push(rows(training)).unwrap());
    }
}

#[test]
fn shards_become_a_table_that_answers() {
    let dir = tempfile::tempdir().unwrap();
    let table = |line: &str| {
        autogan(dir.path(), &[&["table"], &line.split(' ').collect::<Vec<_>>()[..]].concat())
    };
    let error = table("best").fails(1);
    assert!(error.contains("autogan-cifar10.parquet") && error.contains("table make"), "{error}");
    assert!(table("pack").fails(1).contains("table make"));

    shards(&dir.path().join("models/table/shards"));
    let packed: Value = serde_json::from_str(&table("pack --json").ok()).unwrap();
    assert_eq!((packed["trainings"].as_u64(), packed["rows"].as_u64()), (Some(90), Some(4 * 90)));
    assert_eq!(packed["missing"], 7264 - 90);
    let file = dir.path().join("models/table/autogan-cifar10.parquet");
    let bytes = fs::read(&file).unwrap();
    let text = table("pack").ok();
    assert!(
        text.contains("360 rows") && text.contains("90 done, 7174 of the plan missing"),
        "{text}"
    );
    assert_eq!(fs::read(&file).unwrap(), bytes, "the same shards give the same bytes");

    let shown: Value = serde_json::from_str(&table("show 0 0 1 0 --json").ok()).unwrap();
    assert_eq!(shown["named"], "post-none-nearest");
    let length = &shown["lengths"][2];
    assert_eq!(length["iterations"], 300);
    assert_eq!(shown["rows"][2]["frechet"], 11.0);
    let logs: Vec<f64> = (0..length["seeds"].as_u64().unwrap())
        .map(|seed| (11.0 + 0.25 * seed as f64).ln())
        .collect();
    assert!(logs.len() >= 2);
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    assert!((length["log_frechet"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{length}");
    let named = table("show post-none-nearest").ok();
    assert!(
        named.contains("frechet") && named.contains("11.000") && named.contains("SD"),
        "{named}"
    );
    assert!(table("show autogan-a").fails(1).contains("has 0 architectures"));

    let best: Value = serde_json::from_str(&table("best --cells 1 --top 3 --json").ok()).unwrap();
    let best = best.as_array().unwrap();
    assert_eq!(best.len(), 3);
    assert!(
        best.iter().all(|entry| entry["arch"].as_str().unwrap().as_bytes()[4] == b'0'),
        "{best:?}"
    );
    assert!(best[0]["log_frechet"].as_f64() <= best[1]["log_frechet"].as_f64());
    assert!(best[0]["standard_error"].as_f64() > Some(0.0));
    assert_eq!(table("best --top 2").ok().lines().count(), 1 + 2);
    assert!(table("best --iterations 100").fails(1).contains("75, 150, 300, 600"));
    assert!(table("best --cells 3").fails(1).contains("expected scores after 300"));

    assert_eq!(table("card").ok(), "");
    let card = fs::read_to_string(dir.path().join("models/table/README.md")).unwrap();
    assert!(
        card.contains("--set data.dataset=cifar10") && card.contains("18 x 3, 18 x 2"),
        "{card}"
    );
    // What the trainings were made on is told once the shards say it.
    assert!(table("pack").stderr.contains("no origin.json"));
    let origin = Origin {
        dataset: "cifar10".into(),
        images: 20_000,
        images_sha256: "ab".repeat(32),
        scorer: "compact-cifar10".into(),
        scorer_sha256: Some("cd".repeat(32)),
    };
    origin.keep(&dir.path().join("models/table/shards")).unwrap();
    let packed = table("pack");
    assert_eq!((packed.code, packed.stderr.as_str()), (Some(0), ""));
    assert!(!card.contains("abab"), "{card}");
    assert_eq!(table("card --note Cropped.").ok(), "");
    let card = fs::read_to_string(dir.path().join("models/table/README.md")).unwrap();
    for says in [&origin.images_sha256, "20,000", "Cropped.", &"cd".repeat(32)] {
        assert!(card.contains(says), "{says}: {card}");
    }
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(table("card").fails(1).contains("autogan-cifar10.parquet"));
}
