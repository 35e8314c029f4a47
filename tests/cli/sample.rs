//! `autogan sample`: images of a run, and images of weights with the released names, compared with PyTorch's images.

use std::fs;
use std::path::{Path, PathBuf};

use autogan_weights::Archive;
use candle_core::{Device, Tensor};

use crate::common::{autogan, files, last_checkpoint, repository, tiny_run};

fn values(path: &Path, key: &str) -> (Vec<usize>, Vec<f32>) {
    let archive = Archive::read_safetensors(path).unwrap();
    let tensor = archive.require(key).unwrap();
    (tensor.dims().to_vec(), tensor.flatten_all().unwrap().to_vec1().unwrap())
}

fn write(path: &Path, tensors: &[(&str, &Tensor)]) {
    let mut archive = Archive::new();
    for (name, tensor) in tensors {
        archive.insert(*name, (*tensor).clone());
    }
    archive.write_safetensors(path).unwrap();
}

#[test]
fn a_run_gives_grids_pictures_and_tensors() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (run, _) = tiny_run(dir.path(), "run", &["--quiet"]);
    let sample = |line: &str| autogan(dir.path(), &line.split(' ').collect::<Vec<_>>());

    let out =
        sample("sample run -n 9 --out grid.png --out-dir single --tensor-out a.safetensors").ok();
    assert!(out.contains("9 images in grid.png"), "{out}");
    let grid = image::open(at("grid.png")).unwrap();
    assert!(grid.width() >= 3 * 16 && grid.height() >= 3 * 16, "nine images of 16x16");
    let single = files(&at("single"));
    assert_eq!(single.len(), 9);
    let picture = image::open(&single[8]).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (16, 16));
    let (shape, pixels) = values(&at("a.safetensors"), "images");
    assert_eq!(shape, [9, 3, 16, 16]);
    assert!(pixels.iter().all(|x| (-1.0..=1.0).contains(x)));
    // The pictures hold the values of the tensors, cut to 8 bits.
    let red = picture.get_pixel(5, 4)[0];
    let expected = (pixels[8 * 3 * 256 + 4 * 16 + 5] + 1.0) / 2.0 * 255.0;
    assert!((f32::from(red) - expected).abs() <= 1.0, "{red} is not {expected}");

    // Another seed gives other images; the checkpoint gives the same images as the run.
    sample("sample run -n 9 --tensor-out b.safetensors").ok();
    sample("sample run -n 9 --seed 1 --tensor-out c.safetensors").ok();
    let checkpoint = last_checkpoint(&run);
    let line = format!("sample {} -n 9 --tensor-out d.safetensors", checkpoint.display());
    sample(&line).ok();
    let read = |name: &str| fs::read(at(name)).unwrap();
    assert!(read("a.safetensors") == read("b.safetensors"));
    assert!(read("a.safetensors") != read("c.safetensors"));
    assert!(read("a.safetensors") == read("d.safetensors"));

    // Earlier stages are smaller, other architectures give other images.
    sample("sample run --stage 0 -n 2 --tensor-out s.safetensors").ok();
    assert_eq!(values(&at("s.safetensors"), "images").0, [2, 3, 4, 4]);
    sample("sample run --arch e2gan -n 9 --tensor-out e.safetensors").ok();
    sample("sample run --arch autogan-a -n 9 --tensor-out f.safetensors").ok();
    assert!(read("e.safetensors") != read("f.safetensors"));
}

#[test]
fn latents_decide_the_images() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tiny_run(dir.path(), "run", &["--quiet"]);
    let z = Tensor::from_vec((0..12).map(|i| i as f32 / 6.0 - 1.0).collect(), (3, 4), &Device::Cpu);
    let z = z.unwrap();
    write(&at("z.safetensors"), &[("z", &z)]);
    let sample = |latents: &str, out: &str| {
        autogan(dir.path(), &["sample", "run", "--latents", latents, "--tensor-out", out])
    };
    sample("z.safetensors", "a.safetensors").ok();
    sample("z.safetensors", "b.safetensors").ok();
    let (shape, pixels) = values(&at("a.safetensors"), "images");
    assert_eq!(shape, [3, 3, 16, 16]);
    assert_eq!(pixels, values(&at("b.safetensors"), "images").1);
    // An image does not depend on the other images of its batch.
    write(&at("one.safetensors"), &[("z", &z.narrow(0, 1, 1).unwrap())]);
    sample("one.safetensors", "c.safetensors").ok();
    let one = values(&at("c.safetensors"), "images").1;
    let same = &pixels[768..2 * 768];
    assert!(one.iter().zip(same).all(|(a, b)| (a - b).abs() < 1e-5));

    write(
        &at("long.safetensors"),
        &[("z", &Tensor::zeros((3, 5), candle_core::DType::F32, &Device::Cpu).unwrap())],
    );
    let error = sample("long.safetensors", "d.safetensors").fails(1);
    assert!(error.contains("expected z as [N, 4], found [3, 5]"), "{error}");
    for (value, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut bad = vec![0.5; 12];
        bad[9] = value;
        let bad = Tensor::from_vec(bad, (3, 4), &Device::Cpu).unwrap();
        write(&at("bad.safetensors"), &[("z", &bad)]);
        let error = sample("bad.safetensors", "d.safetensors").fails(1);
        let fault = format!("bad.safetensors: expected finite latents, found {word} in latent 2");
        assert!(error.contains(&fault), "{error}");
    }
    assert!(!at("d.safetensors").exists());
    write(&at("named.safetensors"), &[("latents", &z)]);
    assert!(sample("named.safetensors", "d.safetensors").fails(1).contains("`z`"));
}

/// Golden files of the networks: the project's own, and those that `AUTOGAN_GOLDEN_DIR` adds.
fn golden() -> Vec<PathBuf> {
    let mut found = files(&repository("tests/golden/gan"));
    if let Some(more) = std::env::var_os("AUTOGAN_GOLDEN_DIR") {
        found.extend(files(&Path::new(&more).join("gan")));
    }
    found
}

#[test]
fn released_weights_give_the_images_of_pytorch() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for path in golden() {
        let golden = Archive::read_safetensors(&path).unwrap();
        let mut weights = Archive::new();
        for (name, tensor) in golden.iter() {
            if let Some(name) = name.strip_prefix("init.g.") {
                weights.insert(name, tensor.clone());
            }
        }
        weights.write_safetensors(at("weights.safetensors")).unwrap();
        write(&at("z.safetensors"), &[("z", golden.require("z_eval").unwrap())]);
        let arch: Vec<i64> = golden.require("arch").unwrap().to_vec1().unwrap();
        let arch = arch.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
        let stage = golden.require("stage").unwrap().to_vec1::<i64>().unwrap()[0].to_string();
        let line = [
            "sample",
            "weights.safetensors",
            "--arch",
            &arch,
            "--stage",
            &stage,
            "--latents",
            "z.safetensors",
            "--tensor-out",
            "images.safetensors",
        ];
        autogan(dir.path(), &line).ok();
        let (shape, ours) = values(&at("images.safetensors"), "images");
        let (expected_shape, theirs) = values(&path, "eval.images");
        assert_eq!(shape, expected_shape, "{}", path.display());
        let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-5, "{}: images differ by {worst:e}", path.display());
    }
}

#[test]
fn what_cannot_be_sampled_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let weights = files(&repository("tests/golden/gan"))[0].clone();
    let sample = |more: &[&str]| {
        autogan(dir.path(), &[&["sample", weights.to_str().unwrap()], more].concat())
    };
    let fails = |more: &[&str], message: &str| {
        let error = sample(more).fails(1);
        assert!(error.contains(message), "{more:?}: {error}");
    };
    fails(&[], "give --out, --out-dir or --tensor-out");
    fails(&["--out", "a.png"], "--arch");
    fails(&["--out", "a.png", "--arch", "0 1 2"], "4, 9 or 14 numbers");
    fails(&["--out", "a.png", "--arch", "0 1 2 1", "--stage", "1"], "--stage: expected at most 0");
    fails(&["--out", "a.png", "--arch", "0 1 2 1", "-n", "0"], "-n: expected 1 or more");
    let error = autogan(dir.path(), &["sample", "none.pth", "--out", "a.png"]).fails(1);
    assert!(error.contains("none.pth"), "{error}");
    assert!(files(dir.path()).is_empty());
}
