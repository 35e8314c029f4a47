//! `autogan score -` reads raw pixels from a pipe, as a training loop in another language writes them.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::common::{CommandOutput, command};
use crate::score::{compact, records};

/// Runs `autogan score` with `compact-shapes` in `dir`, and writes `bytes` to its standard input.
fn piped(dir: &Path, line: &str, bytes: Vec<u8>) -> CommandOutput {
    let mut command = command(dir);
    command.env("XDG_CACHE_HOME", dir.join("cache")).arg("score");
    command.args(line.split_whitespace()).args(["--extractor", "compact-shapes"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses the images does not read them all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

/// The pixels of a CIFAR-10 file.
fn pixels(dir: &Path, name: &str) -> Vec<u8> {
    let bytes = std::fs::read(dir.join(name)).unwrap();
    bytes.chunks_exact(3073).flat_map(|record| record[1..].to_vec()).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// 90 images to judge and 80 real ones.
fn sets(dir: &Path) -> Vec<u8> {
    records(dir, "a.bin", 90, 1);
    records(dir, "b.bin", 80, 2);
    pixels(dir, "a.bin")
}

const ALL: &str = "--is --fid --kid --kid-subset-size 20 --prc --json";

#[test]
fn a_pipe_gives_the_scores_of_the_same_pixels_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = sets(dir.path());
    let line = format!("a.bin b.bin {ALL}");
    let mut expected =
        json(&compact(dir.path(), &line.split_whitespace().collect::<Vec<_>>()).ok());
    let kept = || {
        let folder = std::fs::read_dir(dir.path().join("cache/autogan/features")).unwrap();
        folder.count()
    };
    let features = kept();
    for more in ["--count 90", "", "--count 90 --batch-size 7 --num-workers 1 --no-cache"] {
        let ran = piped(dir.path(), &format!("- b.bin --raw 3x32x32 {ALL} {more}"), bytes.clone());
        let told =
            if more.contains("count") { "the pipe: 90 images" } else { "the end of the pipe" };
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert_eq!(json(&ran.ok()), expected, "{more}");
    }
    assert_eq!(kept(), features, "features of a pipe are not kept");
    // As the real images, too.
    let turned = piped(dir.path(), &format!("b.bin - --raw 3x32x32 {ALL}"), bytes).ok();
    let (left, right) = (json(&turned), expected["frechet_inception_distance"].take());
    let (left, right) = (left["frechet_inception_distance"].as_f64(), right.as_f64());
    assert!((left.unwrap() - right.unwrap()).abs() < 1e-6 * right.unwrap());
}

#[test]
fn grey_levels_are_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = sets(dir.path());
    let levels: Vec<&[u8]> = bytes.chunks_exact(3072).map(|image| &image[..1024]).collect();
    let repeated = levels.iter().flat_map(|level| level.repeat(3)).collect();
    let colour = piped(dir.path(), "- b.bin --raw 3x32x32", repeated).ok();
    assert_eq!(piped(dir.path(), "- b.bin --raw 1x32x32", levels.concat()).ok(), colour);
    assert!(colour.starts_with("FID (compact-shapes):  "), "{colour}");
}

#[test]
fn statistics_of_a_pipe_are_kept_under_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = sets(dir.path());
    piped(dir.path(), "stats - --raw 3x32x32 --count 90 --as live", bytes).ok();
    let kept = compact(dir.path(), &["b.bin", "stats:live"]).ok();
    compact(dir.path(), &["stats", "a.bin", "-o", "a.npz"]).ok();
    assert_eq!(compact(dir.path(), &["b.bin", "a.npz"]).ok(), kept);
}

#[test]
fn scores_that_the_length_of_a_pipe_forbids_are_named_and_the_others_computed() {
    let dir = tempfile::tempdir().unwrap();
    let few = sets(dir.path())[..12 * 3072].to_vec();
    for count in ["--count 12", ""] {
        let line = format!("- b.bin --raw 3x32x32 {ALL} {count}");
        let ran = piped(dir.path(), &line, few.clone());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let fault = "KID needs at least 20 images, found 12 in the pipe";
        assert!(ran.stderr.contains(fault), "{}", ran.stderr);
        let found = json(&ran.stdout);
        assert!(found["precision"].is_f64() && found["inception_score_mean"].is_f64());
        assert_eq!(found["not_computed"].as_array().unwrap().len(), 1);
        let alone = line.replace(ALL, "--kid --kid-subset-size 20");
        let none = piped(dir.path(), &alone, few.clone()).fails(1);
        assert!(none.contains("KID needs at least 20 images, found 12 in the pipe"), "{none}");
    }
}

#[test]
fn pipes_that_do_not_hold_what_was_promised_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = sets(dir.path());
    let (whole, part, more) = (bytes.clone(), bytes[..5000].to_vec(), [&bytes[..], b"x"].concat());
    let cases = [
        (
            "--raw 3x32x32 --count 91",
            &whole,
            "expected 91 images of 3x32x32 (3072 bytes each), found 90 of them and 0",
        ),
        ("--raw 3x32x32 --count 2", &part, "found 1 of them and 1928 bytes more"),
        (
            "--raw 3x32x32",
            &part,
            "expected whole images of 3x32x32 (3072 bytes each), found 1 of them and 1928",
        ),
        (
            "--raw 3x32x32 --count 90",
            &more,
            "expected 90 images of 3x32x32 (3072 bytes each), found more bytes",
        ),
        ("--raw 3x32x32", &more, "found 90 of them and 1 bytes more"),
        ("--raw 3x32x32", &Vec::new(), "expected at least one image, found an empty pipe"),
        ("--raw 32x32x3", &whole, "such as 3x32x32"),
        ("--raw 4x32x32", &whole, "1 or 3 channels"),
        ("--raw 3x32x32 --count 0", &whole, "--count: expected at least 1"),
        ("--count 90", &whole, "give - as GEN or REF, and --raw"),
        ("", &whole, "give their shape, such as --raw 3x32x32"),
    ];
    for (options, bytes, expected) in cases {
        let error = piped(dir.path(), &format!("- b.bin {options}"), bytes.clone()).fails(1);
        assert!(error.contains(expected), "{options}: {error}");
    }
    let both = piped(dir.path(), "- - --raw 3x32x32", bytes.clone()).fails(1);
    assert!(both.contains("there is one pipe"), "{both}");
    let none = piped(dir.path(), "a.bin b.bin --raw 3x32x32", bytes).fails(1);
    assert!(none.contains("no input is -"), "{none}");
}
