//! What a folder, an archive or a file of arrays holds is found, chosen and counted, and broken pictures are named.

#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod support;

use autogan_metrics::io::{ExtractOptions, FeatureCache, Input, OpenOptions, extract_set};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use support::{Batches, doubles, encoded, ext, images, input, npy, picture, png, reds, zipped};

#[test]
fn the_cache_knows_which_members_were_chosen() {
    let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let both = dir.path().join("both.zip");
    zipped(
        &both,
        &[
            ("a.png", png(10)),
            ("a.bmp", encoded(&picture(20), ImageFormat::Bmp)),
            ("b.PNG", png(30)),
        ],
    );
    let cached = |options: &OpenOptions| {
        let cache = FeatureCache::new(kept.path(), "w");
        reds(&images(&both, options).unwrap(), Some(cache)).unwrap().0
    };
    for _ in 0..2 {
        assert_eq!(cached(&ext("png")), [10., 30.]);
        assert_eq!(cached(&ext("bmp")), [20.]);
        assert_eq!(cached(&OpenOptions::plain()), [20., 10., 30.]);
    }
    // One member of the same size in place of another, and a folder beside it.
    zipped(
        &dir.path().join("two.zip"),
        &[("a.png", png(10)), ("b.bmp", encoded(&picture(20), ImageFormat::Bmp))],
    );
    let two = dir.path().join("two.zip");
    let of = |ending: &str| images(&two, &ext(ending)).unwrap().content_hash().unwrap();
    assert_ne!(of("png"), of("bmp"));
}

#[test]
fn features_that_cannot_be_kept_are_no_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.png"), png(10)).unwrap();
    let source = images(dir.path(), &OpenOptions::plain()).unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    for place in [file.join("x"), file.clone()] {
        let (found, not_kept) = reds(&source, Some(FeatureCache::new(&place, "w"))).unwrap();
        assert_eq!(found, [10.]);
        let text = not_kept.unwrap().to_string();
        assert!(text.contains("file"), "{text}");
    }
    let (_, not_kept) = reds(&source, Some(FeatureCache::new(dir.path().join("c"), "w"))).unwrap();
    assert!(not_kept.is_none());
}

#[test]
fn hidden_members_of_an_archive_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.zip");
    zipped(
        &file,
        &[
            ("images/a.png", png(10)),
            ("images/.ipynb_checkpoints/a.png", png(20)),
            (".cache/deep/b.png", png(30)),
            ("__MACOSX/images/._a.png", vec![1]),
            ("images/readme.md", vec![2]),
            ("images/b.heic", vec![3]),
            ("images/.b.png", png(40)),
        ],
    );
    let source = images(&file, &OpenOptions::plain()).unwrap();
    assert_eq!(reds(&source, None).unwrap().0, [10.]);
    assert_eq!(source.left_out().to_string(), "4 hidden, 1 .heic, 1 .md");
}

#[test]
fn formats_are_read_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let formats = [
        ("a.png", ImageFormat::Png),
        ("b.tif", ImageFormat::Tiff),
        ("c.TIFF", ImageFormat::Tiff),
        ("d.ppm", ImageFormat::Pnm),
        ("e.bmp", ImageFormat::Bmp),
        ("f.webp", ImageFormat::WebP),
    ];
    for (i, (name, format)) in formats.iter().enumerate() {
        std::fs::write(dir.path().join(name), encoded(&picture(i as u8), *format)).unwrap();
    }
    std::fs::write(dir.path().join("g.heic"), b"x").unwrap();
    let source = images(dir.path(), &OpenOptions::plain()).unwrap();
    assert_eq!(reds(&source, None).unwrap().0, [0., 1., 2., 3., 4., 5.]);
    assert_eq!(source.left_out().to_string(), "1 .heic");
    // The advice is one that works.
    let help = |options: &OpenOptions, name: &str| {
        let inner = dir.path().join(name.replace('.', "_"));
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join(name), png(1)).unwrap();
        images(&inner, options).unwrap_err().to_string()
    };
    let text = help(&OpenOptions::plain(), "h.heic");
    assert!(text.contains("none; left out: 1 .heic") && text.contains("convert"), "{text}");
    let text = help(&ext("jpg"), "h.png");
    assert!(text.contains("left out: 1 .png") && text.contains("--ext"), "{text}");
    std::fs::create_dir_all(dir.path().join("outer/inner")).unwrap();
    let text = images(&dir.path().join("outer"), &OpenOptions::plain()).unwrap_err().to_string();
    assert!(text.contains("1 sub-folder") && text.contains("--recursive"), "{text}");
}

#[test]
fn every_broken_picture_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut members = Vec::new();
    for i in 0..30u8 {
        let mut bytes = png(i);
        if [3, 17, 29].contains(&i) {
            bytes.truncate(bytes.len() / 2);
        }
        std::fs::write(dir.path().join(format!("{i:02}.png")), &bytes).unwrap();
        members.push((format!("{i:02}.png"), bytes));
    }
    let file = dir.path().join("a.zip");
    let named: Vec<(&str, Vec<u8>)> =
        members.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    zipped(&file, &named);
    for path in [dir.path(), &file] {
        let source = images(path, &OpenOptions::plain()).unwrap();
        let text = reds(&source, None).unwrap_err().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("3 pictures cannot be read:", 4), "{text}");
        for (line, name) in lines[1..].iter().zip(["03.png", "17.png", "29.png"]) {
            assert!(line.contains(name), "{text}");
        }
    }
    for i in 0..30 {
        std::fs::write(dir.path().join(format!("{i:02}.png")), b"text").unwrap();
    }
    let source = images(dir.path(), &OpenOptions::plain()).unwrap();
    let text = reds(&source, None).unwrap_err().to_string();
    assert!(text.starts_with("30 pictures") && text.ends_with("and 10 more"), "{text}");
    assert_eq!(text.lines().count(), 22);
}

#[test]
fn large_pictures_go_to_the_network_in_small_groups() {
    let dir = tempfile::tempdir().unwrap();
    // 12 MiB of pixels each, in a small file.
    let large: DynamicImage = RgbImage::from_pixel(2048, 2048, Rgb([7, 8, 9])).into();
    let bytes = encoded(&large, ImageFormat::Png);
    for i in 0..8 {
        std::fs::write(dir.path().join(format!("{i}.png")), &bytes).unwrap();
    }
    let source = images(dir.path(), &OpenOptions::plain()).unwrap();
    let extractor = Batches::default();
    let options = ExtractOptions { batch: 64, workers: 2, cache: None };
    let set = extract_set(&source, &extractor, &options, &mut |_| ()).unwrap().set;
    assert_eq!(set.features.rows(), 8);
    let batches = extractor.0.into_inner().unwrap();
    assert_eq!(batches.iter().sum::<usize>(), 8);
    // 32 MiB are reached with three of them, and two are decoded at a time.
    assert!(batches.iter().all(|&batch| batch <= 4), "{batches:?}");
}

/// Two images `[2, 1, 2, 3]`: reds 1 and 5, and 11 and 15.
const PIXELS: [u8; 12] = [1, 2, 3, 5, 6, 7, 11, 12, 13, 15, 16, 17];

#[test]
fn arrays_are_found_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, members: &[(&str, Vec<u8>)]| {
        let path = dir.path().join(name);
        zipped(&path, members);
        path
    };
    let pixels = || npy("|u1", "(2, 1, 2, 3)", &PIXELS);
    let labels = || npy("<i8", "(2,)", &[0; 16]);
    let (mu, sigma) = (npy("<f8", "(1,)", &doubles(&[1.5])), npy("<f8", "(1, 1)", &doubles(&[4.])));
    for members in [
        vec![("images.npy", pixels())],
        vec![("samples.npy", pixels()), ("labels.npy", labels())],
        vec![("x.npy", npy("|u1", "(2, 1, 2, 3)", &[0; 12])), ("arr_0.npy", pixels())],
    ] {
        let source = images(&file("images.npz", &members), &OpenOptions::plain()).unwrap();
        let others = members.len() - 1;
        assert_eq!(source.left_out().counts().map(|(_, count)| count).sum::<usize>(), others);
        assert_eq!(reds(&source, None).unwrap().0, [3., 13.]);
    }
    let bare = dir.path().join("bare.npy");
    std::fs::write(&bare, pixels()).unwrap();
    assert_eq!(reds(&images(&bare, &OpenOptions::plain()).unwrap(), None).unwrap().0, [3., 13.]);

    let both = [("arr_0.npy", pixels()), ("mu.npy", mu.clone()), ("sigma.npy", sigma.clone())];
    let Ok(Input::ImagesWithStatistics(source, stored)) = input(&file("both.npz", &both)) else {
        panic!("images and statistics");
    };
    assert_eq!((source.len(), stored.stats.mean, stored.stats.cov), (2, vec![1.5], vec![4.]));
    assert!(source.left_out().is_empty());
    assert_eq!(stored.stats.count, None, "nobody says how many images the statistics are of");

    // As the reference batches of ADM's evaluator are.
    let spatial = [("mu_s.npy", mu), ("sigma_s.npy", sigma)];
    let Ok(Input::ImagesWithStatistics(source, stored)) =
        input(&file("adm.npz", &[&both[..], &spatial[..]].concat()))
    else {
        panic!("images and statistics");
    };
    assert_eq!(stored.spatial.unwrap().cov, [4.]);
    assert!(source.left_out().is_empty(), "spatial statistics are read, too");
}

#[test]
fn arrays_that_do_not_fit_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |members: &[(&str, Vec<u8>)]| {
        let path = dir.path().join("a.npz");
        zipped(&path, members);
        input(&path).unwrap_err().to_string()
    };
    let (mu, sigma) = (npy("<f8", "(1,)", &doubles(&[1.5])), npy("<f8", "(1, 1)", &doubles(&[4.])));
    let text = refused(&[("mean.npy", mu.clone()), ("cov.npy", sigma.clone())]);
    assert!(text.contains("mean f8 [1]") && text.contains("cov f8 [1, 1]"), "{text}");
    assert!(text.contains("mu [D] and sigma [D, D]") && text.contains("u8 [N, H, W, 3]"), "{text}");
    let text = refused(&[("mu.npy", mu.clone())]);
    assert!(text.contains("found mu f8 [1]"), "{text}");
    let text = refused(&[("images.npy", npy("<f4", "(1, 1, 1, 3)", &[0; 12]))]);
    assert!(text.contains("images f4 [1, 1, 1, 3]"), "{text}");
    let text = refused(&[("o.npy", npy("|O", "(3,)", b"pickle"))]);
    assert!(text.contains("o O [3]"), "{text}");
    assert!(refused(&[("notes.txt", vec![1])]).contains("no arrays"));
    let pixels = || npy("|u1", "(2, 1, 2, 3)", &PIXELS);
    let text = refused(&[("real.npy", pixels()), ("fake.npy", pixels())]);
    assert!(text.contains("expected one array of images") && text.contains("fake"), "{text}");
    let text = refused(&[("arr_0.npy", npy("|u1", "(0, 1, 2, 3)", &[]))]);
    assert!(text.contains("above 0"), "{text}");
    let negative = npy("<f8", "(1, 1)", &doubles(&[-4.]));
    let text = refused(&[("mu.npy", mu), ("sigma.npy", negative)]);
    assert!(text.contains("a variance of -4 at [0, 0]"), "{text}");

    let bare = dir.path().join("bare.npy");
    std::fs::write(&bare, npy("<f8", "(2, 3)", &[0; 48])).unwrap();
    let text = input(&bare).unwrap_err().to_string();
    assert!(text.contains("f8 [2, 3]") && text.contains("u8 [N, H, W, 3]"), "{text}");
}
