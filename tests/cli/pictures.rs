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

fn train(dir: &Path, more: &[&str]) -> CommandOutput {
    let on_folder =
        ["train", "--arch", "1 0 1 1 1 0 0 1 1", "--set", "data.dataset=folder", "--quiet"];
    autogan(dir, &[&on_folder[..], &tiny_training(more)].concat())
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
    let line = ["--data", "rgba", "--run-dir", "t"];
    let error = train(dir.path(), &line).fails(1);
    assert!(error.contains("data.drop_alpha=true"), "{error}");
    train(dir.path(), &[&line[..], &drop].concat()).ok();
}

#[test]
fn pictures_that_end_too_early_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rgb = dir.path().join("rgb");
    folder(&rgb, false);
    let picture = image::open(rgb.join("07.png")).unwrap();
    for (name, cut) in [("50.jpg", 2), ("51.jpg", 300), ("52.png", 12), ("53.webp", 20)] {
        let path = rgb.join(name);
        picture.save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
    }
    let all = ["--set", "data.count=49", "--data", "rgb", "--run-dir", "a"];
    for error in [search(dir.path(), &all).fails(1), train(dir.path(), &all).fails(1)] {
        assert!(error.contains("4 pictures cannot be read"), "{error}");
        for name in ["50.jpg", "51.jpg", "52.png", "53.webp"] {
            let line = error.lines().find(|line| line.contains(name)).unwrap_or_default();
            assert!(line.contains("end too early"), "{name}: {error}");
        }
    }
    assert!(!dir.path().join("a/run.sqlite").exists());
}

#[test]
fn what_is_no_folder_of_pictures_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    std::fs::write(at.join("set.zip"), b"PK\x03\x04").unwrap();
    std::fs::create_dir(at.join("tables")).unwrap();
    std::fs::write(at.join("tables/train-00000-of-00001.parquet"), b"PAR1").unwrap();
    std::fs::create_dir_all(at.join("hidden/.cache")).unwrap();
    std::fs::write(at.join("hidden/.cache/a.png"), b"x").unwrap();
    for (data, words) in [
        ("set.zip", "found a zip archive; unpack it"),
        ("tables", "left out: 1 .parquet; tables and databases are not read"),
        ("hidden", "left out: 1 hidden folder"),
    ] {
        let error = train(at, &["--data", data, "--run-dir", "t"]).fails(1);
        assert!(error.contains(data) && error.contains(words), "{error}");
        let line = ["--data", data, "--run-dir", "t", "--log-format", "json"];
        let error = train(at, &line).fails(1);
        for line in error.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["level"].is_string(), "{error}");
        }
    }
}

#[test]
fn a_folder_that_changed_is_refused_and_one_that_moved_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    folder(&at.join("rgb"), false);
    search(at, &["--data", "rgb", "--run-dir", "run"]).ok();
    train(at, &["--data", "rgb", "--run-dir", "t"]).ok();
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
    // The same pixels in another file are the same pictures.
    let picture = image::open(at.join("rgb/05.png")).unwrap();
    picture.save(at.join("rgb/05.bmp")).unwrap();
    std::fs::rename(at.join("rgb/05.bmp"), at.join("rgb/05.png")).unwrap();
    resume(at, "search", &[]).ok();
    // Another order, or one more in front, are other pictures.
    for (from, to) in [("05.png", "055.png"), ("44.png", "000.png")] {
        let (from, to) = (at.join("rgb").join(from), at.join("rgb").join(to));
        std::fs::rename(&from, &to).unwrap();
        let found = resume(at, "search", &[]);
        std::fs::rename(&to, &from).unwrap();
        // 055 still comes between 05 and 06.
        match to.ends_with("055.png") {
            true => drop(found.ok()),
            false => assert!(found.fails(1).contains("40 other training images")),
        }
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
