//! The data card of tables whose scores are made by a formula.

use super::*;
use crate::row::{Row, Scores};

const MAKING: Making<'static> =
    Making { preset: "quick", settings: &["model.gf=16", "model.df=8"], notes: &[] };

/// A table of all architectures of one cell with `seeds` seeds: log F is 0.2 per step of upsampling and 0.1 for the
/// shortcut, falls with the length, and has noise that follows from the place.
fn table(seeds: u64) -> Table {
    let mut rows = Vec::new();
    for (at, arch) in (0..).zip(autogan_space::Arch::enumerate(0)) {
        for seed in 0..seeds {
            for length in [75, 150, 300] {
                let v = arch.to_released();
                let noise = ((at * 31 + seed * 17 + length) % 13) as f64 / 13.0 - 0.5;
                let log =
                    3.0 + 0.2 * f64::from(v[2]) + 0.1 * f64::from(v[3]) - length as f64 / 300.0;
                let frechet = (log + 0.1 * noise).exp();
                let scores = Some(Scores { is: 4.0 - log, frechet });
                let scores = scores.filter(|_| (at, seed) != (3, 0) || length < 300);
                let (params, macs) = (1000 + 10 * u64::from(v[2]), 2000 - at);
                let seconds = length as f64 / 100.0;
                rows.push(Row {
                    arch: arch.clone(),
                    seed,
                    iterations: length,
                    scores,
                    params,
                    macs,
                    seconds,
                });
            }
        }
    }
    Table::new(rows)
}

/// The cells of the row of a table below a heading, whose first cells are `first`.
fn row<'a>(card: &'a str, heading: &str, first: &[&str]) -> Vec<&'a str> {
    let section = card.split(&format!("## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let mut rows = rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect());
    rows.find(|row: &Vec<&str>| row.starts_with(first)).unwrap()
}

#[test]
fn a_card_says_what_the_table_holds() {
    let table = table(3);
    let card = card(&table, MAKING);
    assert_eq!(card, super::card(&table, MAKING), "the same table gives the same text");
    assert!(card.contains("--set model.gf=16 \\\n  --set model.df=8\n"), "{card}");
    let one = ["one cell", "36", "36 x 3", "108", "180", "0", "1"];
    assert_eq!(row(&card, "What is in it", &["one cell"]), one);
    assert!(card.contains("7,156 of 7,264 trainings of the plan are missing"), "{card}");
    let noise = row(&card, "Noise", &["one cell", "300"]);
    let expected = pooled(&table);
    assert_eq!(noise[2..], [format!("{expected:.3}"), "0.000".into(), "71".into()]);
    let reliable = row(&card, "Reliability of one seed", &["one cell", "75"]);
    assert_eq!(reliable[2], "36");
    assert!(reliable[4].starts_with("0.9") && reliable[6].starts_with("1.00"), "{reliable:?}");
    let times = row(&card, "Time", &["one cell"]);
    assert_eq!(times[1..], ["107", "3.00", "3.00", "3.00", "3.00", "0.1"]);
}

/// The pooled SD of log F after 300 iterations, worked out without the crate's statistics.
fn pooled(table: &Table) -> f64 {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for arch in table.archs(1) {
        let rows = table.rows_of(arch).iter().filter(|row| row.iterations == 300);
        let logs: Vec<f64> = rows.filter_map(|row| Some(row.scores?.frechet.ln())).collect();
        let n = logs.len() as f64;
        let (sum, all) = logs.iter().fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        squares += all - sum * sum / n;
        freedom += n - 1.0;
    }
    (squares / freedom).sqrt()
}

#[test]
fn a_card_tells_what_explains_the_scores() {
    let card = card(&table(5), MAKING);
    let order =
        row(&card, "Do short trainings order architectures as long ones do?", &["one cell", "300"]);
    assert_eq!((order[3], order[5]), ("–", "–"), "a training agrees with itself");
    assert!(order[4].starts_with("0.9"), "{order:?}");
    let shares = row(&card, "What explains log F", &["one cell", "36"]);
    assert!(shares[2].parse::<f64>().unwrap() > 0.97, "{shares:?}");
    // Variances 0.04 · 2/3 and 0.01 / 4 of 36 architectures: about 91 % and 9 %.
    let of = |token: &str| {
        row(&card, "What explains log F", &["one cell", "1", token])[3].parse::<f64>()
    };
    let (up, shortcut) = (of("upsampling").unwrap(), of("shortcut").unwrap());
    assert!((up - 0.91).abs() < 0.03 && (shortcut - 0.09).abs() < 0.05, "{up} {shortcut}");
    let with = row(&card, "What goes with log F", &["one cell"]);
    assert!(with[2].starts_with("0.9"), "parameters grow with upsampling here: {with:?}");
    assert!(with[5].starts_with("−0.9"), "a high IS goes with a low F: {with:?}");
}

#[test]
fn a_card_says_where_the_trainings_come_from() {
    // The text without its line breaks.
    let words = |card: &str| card.split_whitespace().collect::<Vec<_>>().join(" ");
    let without = words(&card(&table(1), MAKING));
    assert!(without.contains("The table does not say which of its images."), "{without}");
    let origin = crate::origin::tests::origin();
    let notes = ["They went once through JPEG.".to_owned()];
    let making = Making { notes: &notes, ..MAKING };
    let with = words(&card(&table(1).with_origin(Some(origin.clone())), making));
    for says in [
        "20,000 training images of the dataset `cifar10`",
        &origin.images_sha256,
        "see them at 32x32. They went once through JPEG.",
        "by the classifier `compact-cifar10`",
        origin.scorer_sha256.as_deref().unwrap(),
    ] {
        assert!(with.contains(says), "{says}: {with}");
    }
    assert!(!without.contains("JPEG") && !without.contains("20,000"), "{without}");
}

#[test]
fn sections_without_data_say_so() {
    let few: Vec<Row> = table(1).rows()[..9].to_vec();
    let card = card(&Table::new(few), MAKING);
    assert_eq!(card.matches(NO_DATA).count(), 5, "{card}");
    assert!(card.contains("It has 9 rows."));
    let empty = super::card(&Table::new(Vec::new()), MAKING);
    assert_eq!(empty.matches(NO_DATA).count(), 6, "{empty}");
}
