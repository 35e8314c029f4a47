//! Searches and trainings on a folder of pictures: alpha channels, broken files, and a folder that changes or moves.

use std::path::Path;

use image::{Rgb, RgbImage, Rgba, RgbaImage};

use crate::common::{CommandOutput, autogan, tiny_search, tiny_training};

/// A folder of 45 pictures of 16x16, with an alpha channel or without one.
fn folder(dir: &Path, alpha: bool) {
    std::fs::create_dir(dir).unwrap();
    for i in 0..45u32 {
        let path = dir.join(format!("{i:02}.png"));
        let level = |x: u32, y: u32| [(x * i) as u8, (y * 16) as u8, (x * y + i) as u8];
        if alpha {
            let pixel = |x, y| {
                let [r, g, b] = level(x, y);
                Rgba([r, g, b, x as u8])
            };
            RgbaImage::from_fn(16, 16, pixel).save(path).unwrap();
        } else {
            RgbImage::from_fn(16, 16, |x, y| Rgb(level(x, y))).save(path).unwrap();
        }
    }
}

fn search(dir: &Path, more: &[&str]) -> CommandOutput {
    let on_folder = ["--set", "data.dataset=folder", "--quiet"];
    tiny_search(dir, &[&on_folder, more].concat()).output().unwrap().into()
}

/// A training of one architecture in `dir/t`.
fn train(dir: &Path, more: &[&str]) -> CommandOutput {
    let on_folder = ["--set", "data.dataset=folder", "--quiet", "--run-dir", "t"];
    let arch = ["--arch", "1 0 1 1 1 0 0 1 1"];
    let line = tiny_training(&[&on_folder[..], &arch, more].concat());
    autogan(dir, &[&["train"][..], &line].concat())
}

#[test]
fn alpha_channels_are_dropped_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    folder(&dir.path().join("rgba"), true);
    folder(&dir.path().join("rgb"), false);
    let error = search(dir.path(), &["--data", "rgba", "--run-dir", "a"]).fails(1);
    assert!(error.contains("40 pictures cannot be read"), "{error}");
    assert!(error.contains("rgba/00.png") && error.contains("data.drop_alpha=true"), "{error}");
    let drop = ["--set", "data.drop_alpha=true"];
    search(dir.path(), &[&["--data", "rgba", "--run-dir", "a"], &drop[..]].concat()).ok();
    search(dir.path(), &["--data", "rgb", "--run-dir", "b"]).ok();
    let found = |run: &str| {
        let text = std::fs::read_to_string(dir.path().join(run).join("arch.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["top"].clone()
    };
    assert!(found("a").is_array());
    assert_eq!(found("a"), found("b"), "the same pixels give the same search");
    let error = train(dir.path(), &["--data", "rgba"]).fails(1);
    assert!(error.contains("data.drop_alpha=true"), "{error}");
    train(dir.path(), &[&["--data", "rgba"], &drop[..]].concat()).ok();
}

#[test]
fn a_folder_that_changed_is_refused_and_one_that_moved_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    folder(&at.join("rgb"), false);
    search(at, &["--data", "rgb", "--run-dir", "run"]).ok();
    train(at, &["--data", "rgb"]).ok();
    let resume = |from: &Path, command: &str, more: &[&str]| {
        let run = at.join(if command == "search" { "run" } else { "t" });
        let line = [command, "--quiet", "--resume", run.to_str().unwrap()];
        autogan(from, &[&line, more].concat())
    };
    for command in ["search", "train"] {
        resume(at, command, &[]).ok();
        // From another place the relative path leads nowhere, and the error says what to give.
        let elsewhere = at.join("run");
        let error = resume(&elsewhere, command, &[]).fails(1);
        assert!(error.contains("--data DIR") && error.contains("rgb"), "{error}");
        resume(&elsewhere, command, &["--data", "../rgb"]).ok();
    }
    // As many pictures, one of them another.
    std::fs::copy(at.join("rgb/10.png"), at.join("rgb/11.png")).unwrap();
    for command in ["search", "train"] {
        let error = resume(at, command, &[]).fails(1);
        assert!(error.contains("40 other training images"), "{error}");
        assert!(error.contains("--data DIR"), "{error}");
    }
    for i in 30..45 {
        std::fs::remove_file(at.join(format!("rgb/{i}.png"))).unwrap();
    }
    let error = resume(at, "search", &[]).fails(1);
    assert!(error.contains("40 training images, 30 were loaded"), "{error}");
}
