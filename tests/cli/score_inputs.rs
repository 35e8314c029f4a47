//! What `autogan score` says of its inputs before and after it scores them: counts, choices, what cannot be computed.

use std::io::{Cursor, Write};
use std::path::Path;

use autogan_metrics::GaussianStats;
use autogan_metrics::io::{StatsProtocol, write_statistics};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use crate::common::{autogan, command};
use crate::score::{compact, records};

fn picture(seed: u32, format: ImageFormat) -> Vec<u8> {
    let level = |x: u32, y: u32| Rgb([(x * seed) as u8, (y * 7 + seed) as u8, (x * y) as u8]);
    let image: DynamicImage = RgbImage::from_fn(32, 32, level).into();
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// A folder of `n` pictures.
fn folder(dir: &Path, name: &str, n: u32, seed: u32) {
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for i in 0..n {
        let bytes = picture(seed + i, ImageFormat::Png);
        std::fs::write(folder.join(format!("{i:02}.png")), bytes).unwrap();
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_was_found_taken_and_left_out_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    folder(at, "gen", 6, 1);
    folder(at, "gen/.ipynb_checkpoints", 6, 50);
    folder(at, "ref/inner", 6, 20);
    std::fs::write(at.join("gen/a.heic"), "x").unwrap();
    std::fs::write(at.join("gen/b.heic"), "x").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("..", at.join("ref/inner/back")).unwrap();
    let ran = compact(at, &["gen", "ref", "--recursive", "--json"]);
    let line = "gen: 6 images; left out: 1 hidden folder, 2 .heic";
    assert!(ran.stderr.lines().any(|found| found == line), "{}", ran.stderr);
    if cfg!(unix) {
        let line = "ref: 6 images; left out: 1 link to a folder above it";
        assert!(ran.stderr.lines().any(|found| found == line), "{}", ran.stderr);
    }
    let found = json(&ran.ok());
    assert_eq!(found["input1_count"], 6);
    assert_eq!(found["input1_left_out"][".heic"], 2);
    assert_eq!(found["input1_left_out"]["hidden folder"], 1);
}

#[test]
fn what_cannot_be_computed_is_said_first_and_the_rest_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 30, 1);
    records(dir.path(), "b.bin", 30, 2);
    compact(dir.path(), &["stats", "b.bin", "-o", "b.npz"]).ok();
    let all = ["--is", "--fid", "--kid", "--prc"];
    let ran = compact(dir.path(), &[&all[..], &["a.bin", "b.bin", "--json"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{}", ran.stderr);
    assert!(errors[0].contains("KID needs at least 1000 images, found 30 in a.bin"), "{errors:?}");
    assert!(errors[0].contains("--kid-subset-size"), "{errors:?}");
    let found = json(&ran.stdout);
    for key in ["inception_score_mean", "frechet_inception_distance", "precision"] {
        assert!(found[key].is_f64(), "{key}: {found}");
    }
    assert!(found["kernel_inception_distance_mean"].is_null());
    assert_eq!(found["not_computed"].as_array().unwrap().len(), 1);

    // Statistics have no images: FID alone is left.
    let ran = compact(dir.path(), &[&all[..], &["a.bin", "b.npz", "--splits", "40"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for expected in [
        "the Inception Score needs at least 40 images, found 30 in a.bin: give more images, or fewer --splits",
        "KID needs images, and b.npz holds only their mean and covariance",
        "precision and recall need images, and b.npz holds only their mean and covariance",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    assert!(ran.stdout.starts_with("FID (compact-shapes):  "), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), 1);

    // Each score has its own need; halves of two sets of statistics cannot be drawn.
    let more = ["--density", "--density-neighbours", "30", "--mmd", "--mind", "a.bin"];
    let ran = compact(dir.path(), &[&more[..], &["b.bin", "--json"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let fault = "density and coverage need at least 31 images, found 30 in a.bin";
    assert!(ran.stderr.contains(fault), "{}", ran.stderr);
    let found = json(&ran.stdout);
    assert!(found["monge_inception_distance"].is_f64() && found["density_k30"].is_null());
    assert_eq!(found["not_computed"].as_array().unwrap().len(), 1);
    let error = compact(dir.path(), &["b.npz", "b.npz", "--bootstrap", "20"]).fails(1);
    assert!(error.contains("an interval of FID needs images of one set"), "{error}");

    // Where nothing is left, each is said for itself.
    let error =
        compact(dir.path(), &["--is", "--splits", "40", "--kid", "a.bin", "b.bin"]).fails(1);
    assert_eq!(error.lines().filter(|line| line.starts_with("error: ")).count(), 2, "{error}");

    // Where nothing is left, no image is read.
    std::fs::remove_dir_all(dir.path().join("cache")).unwrap();
    let error = compact(dir.path(), &["--kid", "a.bin", "b.bin"]).fails(1);
    assert!(error.contains("--kid-subset-size"), "{error}");
    assert!(!dir.path().join("cache").exists());
}

#[test]
fn options_and_outputs_that_cannot_be_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 30, 1);
    for option in [&["--preset", "clean"][..], &["--dims", "64"], &["--weights", "x.pth"]] {
        let error = compact(dir.path(), &[&["a.bin", "a.bin"], option].concat()).fails(1);
        assert!(error.contains(option[0]) && error.contains("compact-shapes"), "{error}");
    }
    std::fs::write(dir.path().join("file"), "x").unwrap();
    for output in ["nowhere/s.npz", "file/s.npz"] {
        let error = compact(dir.path(), &["stats", "a.bin", "-o", output]).fails(1);
        assert!(error.contains("s.npz"), "{error}");
    }
    assert!(!dir.path().join("cache").exists(), "features were made");
}

#[test]
fn a_batch_with_statistics_gives_the_fid_of_its_statistics() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    records(dir.path(), "a.bin", 30, 1);
    // Statistics that are not those of the images.
    let d = 128;
    let mut cov = vec![0.0; d * d];
    (0..d).for_each(|i| cov[i * (d + 1)] = 0.5);
    let stats = GaussianStats { count: None, mean: vec![0.25; d], cov };
    let protocol = StatsProtocol {
        extractor: "compact-shapes".into(),
        weights_sha256: None,
        count: 9,
        version: "0.1.0".into(),
    };
    write_statistics(at("own.npz"), &stats, &protocol).unwrap();
    let mut own = zip::ZipArchive::new(std::fs::File::open(at("own.npz")).unwrap()).unwrap();
    let mut alone = zip::ZipWriter::new(std::fs::File::create(at("alone.npz")).unwrap());
    let mut both = zip::ZipWriter::new(std::fs::File::create(at("both.npz")).unwrap());
    for name in ["mu.npy", "sigma.npy"] {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut own.by_name(name).unwrap(), &mut bytes).unwrap();
        for zip in [&mut alone, &mut both] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
    }
    let header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (20, 32, 32, 3), }\n";
    both.start_file("arr_0.npy", zip::write::SimpleFileOptions::default()).unwrap();
    both.write_all(b"\x93NUMPY\x01\x00").unwrap();
    both.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    both.write_all(header).unwrap();
    both.write_all(&(0..20 * 3072u32).map(|i| (i * i / 7) as u8).collect::<Vec<_>>()).unwrap();
    both.finish().unwrap();
    alone.finish().unwrap();

    let fid = |text: &str| json(text)["frechet_inception_distance"].as_f64().unwrap();
    let alone = fid(&compact(dir.path(), &["a.bin", "alone.npz", "--json"]).ok());
    let ran = compact(dir.path(), &["--fid", "--prc", "--is", "a.bin", "both.npz", "--json"]);
    assert!(ran.stderr.contains("FID reads the mean and covariance beside them"), "{}", ran.stderr);
    assert!(ran.stderr.contains("both.npz: 20 images"), "{}", ran.stderr);
    let text = ran.ok();
    assert!((fid(&text) - alone).abs() < 1e-9 * alone, "{alone} {text}");
    assert!(json(&text)["precision"].is_f64() && json(&text)["input2_count"] == 20);
    let halves = compact(dir.path(), &["a.bin", "both.npz", "--bootstrap", "20", "--json"]).ok();
    assert!((fid(&halves) - alone).abs() < 1e-9 * alone, "{alone} {halves}");
    assert!(json(&halves)["frechet_inception_distance_standard_error"].as_f64().unwrap() > 0.0);
    // As what is judged, too; and as statistics of their own.
    let turned = fid(&compact(dir.path(), &["both.npz", "a.bin", "--json"]).ok());
    assert!((turned - alone).abs() < 1e-6 * alone, "{alone} {turned}");
    let error = compact(dir.path(), &["stats", "both.npz", "-o", "s.npz"]).fails(1);
    assert!(error.contains("statistics already"), "{error}");
}

#[test]
fn a_set_is_at_no_distance_from_itself() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), "ref", 12, 3);
    let text = compact(dir.path(), &["ref", "ref", "--no-cache"]).ok();
    assert_eq!(text, "FID (compact-shapes):  0\n");
    let found = json(&compact(dir.path(), &["ref", "ref", "--no-cache", "--json"]).ok());
    assert_eq!(found["frechet_inception_distance"].as_f64(), Some(0.0));
    // The same images in a zip, in another order, and as their statistics.
    let mut zip = zip::ZipWriter::new(std::fs::File::create(dir.path().join("ref.zip")).unwrap());
    std::fs::create_dir(dir.path().join("turned")).unwrap();
    for i in 0..12u32 {
        let bytes = picture(3 + i, ImageFormat::Png);
        std::fs::write(dir.path().join(format!("turned/{:02}.png", 11 - i)), &bytes).unwrap();
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{i:02}.png"), options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
    compact(dir.path(), &["stats", "ref", "-o", "ref.npz"]).ok();
    for same in ["ref.zip", "turned", "ref.npz"] {
        for line in [["ref", same], [same, "ref"], [same, same]] {
            let text = compact(dir.path(), &[&line[..], &["--silent"]].concat()).ok();
            assert_eq!(text, "FID (compact-shapes):  0\n", "{line:?}");
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_no_score() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), "ref", 4, 3);
    folder(dir.path(), "gen", 4, 9);
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let ran = compact(dir.path(), &["gen", "ref", "--cache-dir", "file/x"]);
    assert!(ran.stderr.contains("warning: the features of gen are not kept"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--no-cache"), "{}", ran.stderr);
    let expected = compact(dir.path(), &["gen", "ref", "--no-cache"]).ok();
    assert_eq!(ran.ok(), expected);
}

#[test]
fn each_line_of_stderr_is_json_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), "ref", 4, 3);
    let lines = |ran: crate::common::CommandOutput, least: usize| {
        let lines: Vec<Value> = ran.stderr.lines().map(json).collect();
        assert!(lines.len() >= least, "{}", ran.stderr);
        assert!(lines.iter().all(|line| line["level"].is_string()), "{}", ran.stderr);
        lines
    };
    let json_lines = ["--log-format", "json"];
    let score = |args: &[&str]| compact(dir.path(), &[args, &json_lines].concat());
    let found = lines(score(&["ref", "ref", "--no-cache", "--json"]), 3);
    assert!(found.iter().any(|line| line["level"] == "warn"));
    let found = lines(score(&["--is", "--kid", "ref", "ref", "--splits", "1", "--no-cache"]), 3);
    assert!(found.iter().any(|line| line["level"] == "error"));
    lines(score(&["nowhere", "ref"]), 1);
    // A command line that cannot be, in both spellings, and another command.
    lines(score(&["ref", "ref", "--no-such-option"]), 1);
    let ran = autogan(dir.path(), &["score", "--log-format=json", "--batch-size", "many"]);
    assert_eq!(ran.code, Some(2));
    lines(ran, 1);
    lines(autogan(dir.path(), &["arch", "show", "nonsense", "--log-format", "json"]), 1);
    let help =
        command(dir.path()).args(["score", "--help", "--log-format", "json"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("Usage"));
}

#[test]
fn broken_pictures_are_all_named() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), "ref", 12, 3);
    folder(dir.path(), "gen", 12, 3);
    for name in ["gen/05.png", "gen/09.png"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name), &bytes[..bytes.len() / 2]).unwrap();
    }
    let jpeg = picture(4, ImageFormat::Jpeg);
    std::fs::write(dir.path().join("gen/12.jpg"), &jpeg[..jpeg.len() - 2]).unwrap();
    let error = compact(dir.path(), &["gen", "ref"]).fails(1);
    for expected in ["3 pictures cannot be read", "05.png", "09.png", "12.jpg", "end too early"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
