//! The page of a search by trainings from scratch.

use autogan_config::{Configuration, SearchConfig};
use autogan_run::{Host, RunDir, RunWriter, TrialKind};
use autogan_space::{Arch, Upsample, derived_generator_cost};

use super::common::{CONFIG, trial};
use super::{check_self_contained, classed, elements, parsed};
use autogan_report::report_html;

const ARCH: &str = "1 0 1 0 1 0 1 1 1 1 0 1 0 3";

#[test]
fn its_trainings_are_drawn_and_shared_weights_are_not_spoken_of() {
    let config = CONFIG.replace("name = \"supernet\"", "name = \"led_halving\"");
    assert_ne!(config, *CONFIG);
    let parent = tempfile::tempdir().unwrap();
    let host = Host::detect("cpu");
    let (dir, lock) = RunDir::create_at(&parent.path().join("run"), &config, &host).unwrap();
    let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
    let (page, _) = report_html(&dir);
    assert!(page.contains("No training has ended yet."));
    // Lengths of the preset: 40, 80 and 160. The third diverges.
    for (step, (length, value)) in
        [(40, -5.0), (40, -4.0), (40, f64::NAN), (80, -3.5), (160, -3.25)].into_iter().enumerate()
    {
        let mut row = trial(step as u64 + 1, (2, length, step as u32), ARCH, value);
        (row.kind, row.reward) = (TrialKind::Trained, value.is_finite().then_some(value));
        writer.trial(&row).unwrap();
    }
    writer.finish().unwrap();
    let (html, problems) = report_html(&RunDir::open(dir.path()).unwrap());
    assert!(problems.is_empty(), "{problems:?}");
    check_self_contained(&html);
    let page = parsed(&html);
    // Each finite value is a dot of the wide and of the narrow drawing.
    for (class, dots) in [("child", 1 + 1), ("candidate", 1), ("derive", 1)] {
        assert_eq!(classed(&page, class).len(), 2 * dots, "{class}");
    }
    let cells: Vec<&str> = elements(&page, "td").iter().filter_map(|cell| cell.text()).collect();
    assert!(cells.windows(4).any(|row| row == ["40", "3", "1", "−4.000"]), "{cells:?}");
    assert!(html.contains("The strategy is led_halving"));
    assert!(html.contains("stopped before its end, after 5 trainings."), "iterations of what?");
    assert!(html.contains("−3.250 after 160 iterations"), "the best of the longest trainings");
    assert!(html.contains("A model needs 8 trainings"));
    assert!(!html.contains("shared weights") && !html.contains(">Policy<"));
}

#[test]
fn scores_on_the_weights_of_a_supernet_are_modelled_with_the_trainings() {
    let with = |supernet: u64| {
        let config = CONFIG
            .replace("name = \"supernet\"", "name = \"led_halving\"")
            .replace("supernet_iterations = 0", &format!("supernet_iterations = {supernet}"));
        let parent = tempfile::tempdir().unwrap();
        let host = Host::detect("cpu");
        let (dir, lock) = RunDir::create_at(&parent.path().join("run"), &config, &host).unwrap();
        let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
        let archs = (0..50).map(|n| Arch::nth(2, n * 6_151 % 373_248).unwrap());
        for (step, arch) in archs.enumerate() {
            let up = f64::from(u8::from(arch.cells()[2].upsample == Upsample::Bilinear));
            let (kind, length) = match step {
                0..40 => (TrialKind::Shared, 300),
                _ => (TrialKind::Trained, 160),
            };
            let place = (2, length, step as u32);
            let mut row = trial(step as u64 + 1, place, &arch.to_string(), 2.0 * up - 5.0);
            row.kind = kind;
            writer.trial(&row).unwrap();
        }
        writer.finish().unwrap();
        let (html, problems) = report_html(&RunDir::open(dir.path()).unwrap());
        assert!(problems.is_empty(), "{problems:?}");
        html
    };
    let with = with(300);
    assert!(with.contains("40 architectures were scored on the shared weights of a supernet"));
    assert!(with.contains("all trainings and all scores on shared weights"));
    assert!(with.contains("after 10 trainings"), "a score is no training");
    // The dots are those of trainings.
    assert_eq!(classed(&parsed(&with), "derive").len(), 2 * 10);
}

#[test]
fn a_model_of_the_trainings_says_which_choices_help() {
    let config = CONFIG.replace("name = \"supernet\"", "name = \"random\"");
    let parent = tempfile::tempdir().unwrap();
    let host = Host::detect("cpu");
    let (dir, lock) = RunDir::create_at(&parent.path().join("run"), &config, &host).unwrap();
    let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
    // Bilinear upsampling in the last cell adds 2, the shortcut of the first cell takes 1 away; all else is the same.
    let archs = (0..60).map(|n| Arch::nth(2, n * 6_151 % 373_248).unwrap());
    for (step, arch) in archs.enumerate() {
        let cells = arch.cells();
        let up = f64::from(u8::from(cells[2].upsample == Upsample::Bilinear));
        let value = 2.0 * up - f64::from(u8::from(cells[0].shortcut)) - 5.0;
        let place = (2, 160, step as u32);
        let mut row = trial(step as u64 + 1, place, &arch.to_string(), value);
        row.kind = TrialKind::Trained;
        writer.trial(&row).unwrap();
    }
    writer.finish().unwrap();
    let (html, problems) = report_html(&RunDir::open(dir.path()).unwrap());
    assert!(problems.is_empty(), "{problems:?}");
    check_self_contained(&html);
    let page = parsed(&html);
    let cells: Vec<&str> = elements(&page, "td").iter().filter_map(|cell| cell.text()).collect();
    let effect = |decision: &str, choice: &str| -> f64 {
        let row = cells.windows(3).find(|row| row[..2] == [decision, choice]).unwrap();
        row[2].split(' ').next().unwrap().replace('−', "-").parse().unwrap()
    };
    // Relative to the mean over the choices: 2 − 2/3 of three, and 1/2 of two.
    assert!((effect("cell 3: upsampling", "bilinear") - 4.0 / 3.0).abs() < 0.1);
    assert!((effect("cell 1: shortcut", "no") - 0.5).abs() < 0.1);
    assert!(effect("cell 2: conv", "pre").abs() < 0.1);
    let best = cells.iter().position(|cell| *cell == "the best of the whole space").unwrap();
    assert!(cells[best + 1].contains("bilinear"), "{}", cells[best + 1]);
}

#[test]
fn what_the_budget_forbids_is_not_named_as_the_best() {
    let config = |more: &[&str]| {
        let settings = [&["strategy.name=random", "model.gf=4", "model.latent=4"], more].concat();
        let settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
        SearchConfig::preset("quick", &settings).unwrap()
    };
    let archs: Vec<Arch> = (0..60).map(|n| Arch::nth(2, n * 6_151 % 373_248).unwrap()).collect();
    let shape = config(&[]).model.shape();
    let params = |arch: &Arch| derived_generator_cost(arch, &shape).params;
    let mut all: Vec<u64> = archs.iter().map(params).collect();
    all.sort_unstable();
    let config = config(&[&format!("budget.max_params={}", all[30])]);
    let allowed = config.allowed().unwrap();
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("run");
    let host = Host::detect("cpu");
    let (dir, lock) = RunDir::create_at(&path, &config.to_toml().unwrap(), &host).unwrap();
    let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
    // The more parameters the better: the best of the whole space has more than the budget allows.
    let within = archs.iter().filter(|arch| allowed.allows(arch));
    for (step, arch) in within.enumerate() {
        let value = params(arch) as f64 / all[30] as f64;
        let mut row = trial(step as u64 + 1, (2, 160, step as u32), &arch.to_string(), value);
        row.kind = TrialKind::Trained;
        writer.trial(&row).unwrap();
    }
    writer.finish().unwrap();
    let (html, problems) = report_html(&RunDir::open(dir.path()).unwrap());
    assert!(problems.is_empty(), "{problems:?}");
    let page = parsed(&html);
    let cells: Vec<&str> = elements(&page, "td").iter().filter_map(|cell| cell.text()).collect();
    let best = cells.iter().position(|cell| *cell == "the best that the budget allows").unwrap();
    let best: Arch = cells[best + 1].parse().unwrap();
    assert!(params(&best) <= all[30], "{best}: {} of {}", params(&best), all[30]);
    assert!(params(&best) > all[25], "{best}: {} of {}", params(&best), all[30]);
}
