//! Sets of images that `autogan score` refuses: the exit code is 1, and the error names the fault.

use std::io::{Cursor, Write};
use std::path::Path;

use autogan_metrics::GaussianStats;
use autogan_metrics::io::{StatsProtocol, write_statistics};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::score::{compact, records, score};

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// A picture whose pixels all differ, so that half of its PNG file is not the whole picture.
fn picture() -> DynamicImage {
    RgbImage::from_fn(32, 32, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, (x * y) as u8])).into()
}

/// A directory with one file beside a good one.
fn folder(dir: &Path, name: &str, file: &str, bytes: &[u8]) {
    let folder = dir.join(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.png"), encoded(&picture(), ImageFormat::Png)).unwrap();
    std::fs::write(folder.join(file), bytes).unwrap();
}

fn zipped(path: &Path, name: &str, bytes: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap();
}

/// A `.npy` of doubles.
pub fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// Statistics as pytorch-fid writes them, of two features.
pub fn foreign(path: &Path, mean: [f64; 2]) {
    let cov = npy("(2, 2)", &[1., 0., 0., 1.]);
    archive(path, &[("mu", npy("(2,)", &mean)), ("sigma", cov)]);
}

/// Statistics as ADM's evaluator writes them: of two features, and of one spatial feature.
pub fn spatial(path: &Path, mean: [f64; 2], mean_of_spatial: f64) {
    let cov = npy("(2, 2)", &[1., 0., 0., 1.]);
    let of_spatial = [("mu_s", npy("(1,)", &[mean_of_spatial])), ("sigma_s", npy("(1, 1)", &[1.]))];
    archive(path, &[&[("mu", npy("(2,)", &mean)), ("sigma", cov)][..], &of_spatial].concat());
}

pub fn archive(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Statistics in our own format, of two features of `extractor`.
pub fn own(path: &Path, extractor: &str, weights: &str) {
    let stats =
        GaussianStats { count: Some(9000), mean: vec![0.0, 1.0], cov: vec![1.0, 0.0, 0.0, 1.0] };
    let protocol = StatsProtocol {
        extractor: extractor.into(),
        weights_sha256: Some(weights.into()),
        count: 9000,
        version: "0.1.0".into(),
    };
    write_statistics(path, &stats, &protocol).unwrap();
}

#[test]
fn pictures_that_are_none_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let png = encoded(&picture(), ImageFormat::Png);
    let clear: DynamicImage = RgbaImage::from_pixel(8, 8, Rgba([1, 2, 3, 4])).into();
    let deep: DynamicImage = picture().into_rgb16().into();
    std::fs::create_dir(dir.path().join("nothing")).unwrap();
    folder(dir.path(), "text", "b.png", b"dear reader");
    folder(dir.path(), "cut", "b.png", &png[..png.len() / 2]);
    folder(dir.path(), "hollow", "b.jpg", b"");
    folder(dir.path(), "clear", "b.png", &encoded(&clear, ImageFormat::Png));
    folder(dir.path(), "deep", "b.png", &encoded(&deep, ImageFormat::Png));
    let cases = [
        ("nothing", "a directory with images, found none"),
        ("text", "text/b.png: expected a whole PNG, JPEG, WebP, BMP, TIFF or PNM picture"),
        ("cut", "cut/b.png: expected a whole PNG"),
        (
            "hollow",
            "hollow/b.jpg: expected a whole PNG, JPEG, WebP, BMP, TIFF or PNM picture, found 0 bytes",
        ),
        ("clear", "clear/b.png: expected RGB or greyscale without an alpha channel"),
        ("deep", "deep/b.png: expected 8 bits a channel"),
    ];
    for (set, expected) in cases {
        for line in [vec![set, set], vec!["--is", "--splits", "1", set]] {
            let error = compact(dir.path(), &line).fails(1);
            assert!(error.contains(expected), "{set}: {error}");
        }
    }
    let error = compact(dir.path(), &["clear", "clear"]).fails(1);
    assert!(error.contains("--drop-alpha"), "{error}");
    compact(dir.path(), &["--drop-alpha", "clear", "clear"]).ok();
}

#[test]
fn statistics_that_do_not_fit_are_refused_before_any_image_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    records(dir.path(), "a.bin", 30, 1);
    foreign(&at("nan.npz"), [0.0, f64::NAN]);
    foreign(&at("two.npz"), [0.0, 1.0]);
    own(&at("clean.npz"), "inception-v3-clean", "aa");
    own(&at("pytorch.npz"), "inception-v3-pytorch-fid", "aa");
    own(&at("other.npz"), "inception-v3-clean", "bb");
    zipped(&at("no-sigma.npz"), "mu.npy", &npy("(2,)", &[0.0, 1.0]));
    let cases = [
        (["a.bin", "nan.npz"], "nan.npz holds a value that is not finite at index 1"),
        (["a.bin", "two.npz"], "two.npz: expected statistics of 128 features"),
        (["a.bin", "clean.npz"], "clean.npz follows inception-v3-clean"),
        (["a.bin", "no-sigma.npz"], "found mu f8 [2]"),
        (["clean.npz", "pytorch.npz"], "across protocols"),
        (["clean.npz", "other.npz"], "different weights (SHA-256 aa and bb)"),
    ];
    for (sets, expected) in cases {
        let error = compact(dir.path(), &sets).fails(1);
        assert!(error.contains(expected), "{sets:?}: {error}");
    }
    assert!(!at("cache").exists(), "features were made");
    let fid = score(dir.path(), &["clean.npz", "clean.npz", "--silent"]).ok();
    assert_eq!(fid, "FID:  0\n");
    // The label and the preset are those of the statistics, not those of the command line.
    own(&at("shapes.npz"), "compact-shapes", "aa");
    let fid = score(dir.path(), &["shapes.npz", "shapes.npz", "--silent"]).ok();
    assert_eq!(fid, "FID (compact-shapes):  0\n");
    let json = score(dir.path(), &["clean.npz", "clean.npz", "--json"]).ok();
    assert!(json.contains("\"preset\": \"clean\"") && json.contains("\"aa\""), "{json}");
    let foreign = score(dir.path(), &["two.npz", "two.npz"]);
    assert!(foreign.stderr.contains("do not say how they were made"), "{}", foreign.stderr);
    let kid = score(dir.path(), &["--kid", "clean.npz", "clean.npz"]).fails(1);
    assert!(kid.contains("KID needs images"), "{kid}");
}

#[test]
fn sfid_takes_the_statistics_of_spatial_features() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    spatial(&at("a.npz"), [0.0, 1.0], 5.0);
    spatial(&at("b.npz"), [0.0, 3.0], 8.0);
    foreign(&at("usual.npz"), [0.0, 3.0]);
    let silent = |args: &[&str]| score(dir.path(), &[args, &["--silent"]].concat());
    assert_eq!(silent(&["--sfid", "a.npz", "b.npz"]).ok(), "sFID:  9\n");
    assert_eq!(silent(&["--fid", "--sfid", "a.npz", "b.npz"]).ok(), "FID:  4\nsFID:  9\n");
    assert_eq!(silent(&["--dims", "spatial", "a.npz", "b.npz"]).ok(), "sFID:  9\n");
    let none = silent(&["--sfid", "a.npz", "usual.npz"]).fails(1);
    assert!(none.contains("usual.npz: expected statistics of spatial features too"), "{none}");
    // What can be computed is computed, by the pass that is left.
    let rest = silent(&["--fid", "--sfid", "a.npz", "usual.npz"]);
    assert_eq!((rest.code, rest.stdout.as_str()), (Some(1), "FID:  4\n"), "{rest:?}");
    assert!(rest.stderr.contains("mu_s and sigma_s"), "{}", rest.stderr);
    let rest = silent(&["--kid", "--sfid", "a.npz", "b.npz"]);
    assert_eq!((rest.code, rest.stdout.as_str()), (Some(1), "sFID:  9\n"), "{rest:?}");
    assert!(rest.stderr.contains("KID needs images"), "{}", rest.stderr);
}

#[test]
fn hostile_archives_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    zipped(&at("bomb.zip"), "a.png", &vec![0; 300 << 20]);
    zipped(&at("climb.zip"), "../a.png", b"x");
    zipped(&at("absolute.zip"), "/tmp/a.png", b"x");
    zipped(&at("empty.zip"), "a.txt", b"x");
    std::fs::write(at("text.zip"), "text").unwrap();
    let cases = [
        ("bomb.zip", "at most 64 times the size of the archive"),
        ("climb.zip", "climb.zip: ../a.png: expected a name inside the archive"),
        ("absolute.zip", "a path that climbs out of it"),
        ("empty.zip", "none; left out: 1 .txt"),
        ("text.zip", "expected a zip container"),
    ];
    for (set, expected) in cases {
        // One image suffices for this score, so that the member is unpacked.
        let error = compact(dir.path(), &["--is", "--splits", "1", set]).fails(1);
        assert!(error.contains(expected), "{set}: {error}");
    }
}

#[test]
fn what_shifts_a_score_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    for (name, format, ending) in
        [("png", ImageFormat::Png, "png"), ("jpeg", ImageFormat::Jpeg, "JPG")]
    {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for i in 0..3 {
            std::fs::write(folder.join(format!("{i}.{ending}")), encoded(&picture(), format))
                .unwrap();
        }
    }
    let mixed = compact(dir.path(), &["png", "jpeg"]);
    assert!(mixed.stderr.contains("JPEG artefacts"), "{}", mixed.stderr);
    let few = "png holds 3 images, fewer than the 128 features of FID";
    assert!(mixed.stderr.contains(few), "{}", mixed.stderr);
    let same = compact(dir.path(), &["png", "png"]);
    assert!(!same.stderr.contains("JPEG"), "{}", same.stderr);
    records(dir.path(), "a.bin", 200, 1);
    let some = compact(dir.path(), &["a.bin", "a.bin"]);
    assert!(some.stderr.contains("a.bin holds 200 images: below 10000"), "{}", some.stderr);
}
