//! A folder of pictures in every format, order and shape.
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use autogan_data::{Images, LoadOptions, Split, load};
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

fn options(dir: &Path, side: usize) -> LoadOptions {
    LoadOptions { dir: Some(dir.to_path_buf()), side: Some(side), ..LoadOptions::new(Split::Train) }
}

fn read(dir: &Path, side: usize) -> Result<Images, String> {
    load("folder", &options(dir, side)).map_err(|error| error.to_string())
}

fn flat(colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(6, 6, Rgb(colour))
}

fn first_pixels(images: &Images) -> Vec<u8> {
    (0..images.len()).map(|i| images.image(i).unwrap()[0]).collect()
}

#[test]
fn formats_in_the_order_of_names_whatever_the_case_of_extensions() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    flat([40, 0, 0]).save(path("d.webp")).unwrap();
    flat([20, 0, 0]).save(path("b.bmp")).unwrap();
    flat([10, 0, 0]).save(path("a.png")).unwrap();
    std::fs::rename(path("a.png"), path("a.PNG")).unwrap();
    let jpeg = image::codecs::jpeg::JpegEncoder::new_with_quality(
        std::fs::File::create(path("c.JPeG")).unwrap(),
        100,
    );
    flat([30, 30, 30]).write_with_encoder(jpeg).unwrap();
    GrayImage::from_pixel(4, 4, Luma([50])).save(path("e.png")).unwrap();
    flat([60, 0, 0]).save(path("f.TIF")).unwrap();
    flat([70, 0, 0]).save(path("g.ppm")).unwrap();
    GrayImage::from_pixel(4, 4, Luma([80])).save(path("h.pgm")).unwrap();
    std::fs::write(path("notes.txt"), "no picture").unwrap();
    std::fs::write(path(".hidden.png"), "no picture").unwrap();
    let images = read(dir.path(), 4).unwrap();
    assert_eq!(first_pixels(&images), [10, 20, 30, 40, 50, 60, 70, 80]);
    assert_eq!(images.image(4).unwrap(), [50; 48]);
    assert_eq!((images.labels(), images.side()), (None, 4));
    let few = LoadOptions { count: Some(2), ..options(dir.path(), 4) };
    assert_eq!(load("folder", &few).unwrap().len(), 2);
}

#[test]
fn a_picture_that_is_not_square_keeps_its_middle() {
    let dir = tempfile::tempdir().unwrap();
    // Three 8x8 squares side by side; shrunk by two, the middle one stays.
    let wide = RgbImage::from_fn(24, 8, |x, _| Rgb([(x / 8 * 100) as u8, 0, 0]));
    wide.save(dir.path().join("a.png")).unwrap();
    let images = read(dir.path(), 4).unwrap();
    let row = &images.image(0).unwrap()[..4];
    // The filter reaches one input pixel beyond a border: 1/8 of it comes from the neighbour.
    assert_eq!(row, [88, 100, 100, 113]);
}

#[test]
fn sub_folders_are_classes_when_every_picture_has_one() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, value) in [("dogs", 30), ("cats", 10), ("cats/deep", 20)] {
        let folder = dir.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        flat([value, 0, 0]).save(folder.join("x.png")).unwrap();
    }
    let images = read(dir.path(), 6).unwrap();
    assert_eq!(images.classes(), ["cats", "dogs"]);
    assert_eq!(images.labels().unwrap(), [0, 0, 1]);
    assert_eq!(first_pixels(&images), [20, 10, 30]);
    flat([5, 0, 0]).save(dir.path().join("z.png")).unwrap();
    let images = read(dir.path(), 6).unwrap();
    assert_eq!((images.len(), images.labels()), (4, None));
}

#[test]
fn train_and_test_folders_are_the_splits() {
    let dir = tempfile::tempdir().unwrap();
    let test = |dir: &Path| {
        let options = LoadOptions { split: Split::Test, ..options(dir, 6) };
        load("folder", &options).map_err(|error| error.to_string())
    };
    std::fs::create_dir(dir.path().join("train")).unwrap();
    flat([1, 0, 0]).save(dir.path().join("train/a.png")).unwrap();
    let text = test(dir.path()).unwrap_err();
    assert!(text.contains("sub-folders train and test, since"), "{text}");
    std::fs::create_dir(dir.path().join("test")).unwrap();
    flat([2, 0, 0]).save(dir.path().join("test/a.png")).unwrap();
    assert_eq!(first_pixels(&test(dir.path()).unwrap()), [2]);
    let train = read(dir.path(), 6).unwrap();
    assert_eq!((first_pixels(&train), train.labels()), (vec![1], None));
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = read(dir.path(), 8).unwrap_err();
    assert!(text.contains("expected pictures (.png") && text.contains("found none"));
    let text = read(&dir.path().join("nowhere"), 8).unwrap_err();
    assert!(text.contains("nowhere"), "{text}");
    let none = LoadOptions { side: None, ..options(dir.path(), 8) };
    let text = load("folder", &none).unwrap_err().to_string();
    assert!(text.starts_with("side: expected one in pixels"), "{text}");

    RgbaImage::from_pixel(3, 3, Rgba([9, 8, 7, 0])).save(dir.path().join("b.png")).unwrap();
    let text = read(dir.path(), 3).unwrap_err();
    assert!(text.contains("b.png: expected RGB or greyscale without an alpha channel"), "{text}");
    let dropped = LoadOptions { drop_alpha: true, ..options(dir.path(), 3) };
    assert_eq!(first_pixels(&load("folder", &dropped).unwrap()), [9]);

    // All bad files are named, in their order, whichever thread met one first.
    for name in ["a1.png", "a2.jpg", "a3.webp"] {
        std::fs::write(dir.path().join(name), b"no picture at all").unwrap();
    }
    for _ in 0..5 {
        let text = read(dir.path(), 3).unwrap_err();
        assert!(text.starts_with("4 pictures cannot be read:"), "{text}");
        let lines: Vec<&str> = text.lines().skip(1).collect();
        for (line, name) in lines.iter().zip(["a1.png", "a2.jpg", "a3.webp", "b.png"]) {
            assert!(line.contains(&format!("{name}: expected ")), "{line}");
        }
        assert_eq!(lines.len(), 4);
    }
}

#[test]
fn what_is_in_the_place_of_a_folder_of_pictures_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (name, bytes, expected) in [
        ("set.zip", &b"PK\x03\x04"[..], "found a zip archive; unpack it"),
        ("set.tar", &tar, "found a tar archive; unpack it"),
        ("set.parquet", b"PAR1", "found a Parquet table"),
        ("set.npy", b"\x93NUMPY", "found a NumPy array"),
        ("one.png", b"\x89PNG\r\n\x1a\n", "found a PNG picture"),
        ("other", b"text", "found a file"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let text = read(&path, 8).unwrap_err();
        assert!(
            text.contains(&format!("{name}: expected a folder of pictures, {expected}")),
            "{text}"
        );
    }
    for (name, expected) in [
        ("00000.tar", "1 .tar; unpack the archives"),
        ("train-00000-of-00001.parquet", "1 .parquet; tables and databases are not read"),
        ("data-00000-of-00001.arrow", "1 .arrow; tables and databases are not read"),
        ("batch.npz", "1 .npz; give one of the .npz files itself"),
        ("a.heic", "1 .heic; convert them to PNG"),
    ] {
        let inner = dir.path().join(format!("{name}.folder"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join(name), "x").unwrap();
        let text = read(&inner, 8).unwrap_err();
        assert!(text.contains(&format!("found none; left out: {expected}")), "{text}");
    }
}

#[test]
fn a_jpeg_that_ends_too_early_is_no_picture_to_train_on() {
    let dir = tempfile::tempdir().unwrap();
    let picture = RgbImage::from_fn(48, 48, |x, y| Rgb([(x * 5) as u8, (y * 5) as u8, 9]));
    for name in ["a.jpg", "b.jpg", "c.jpg"] {
        picture.save(dir.path().join(name)).unwrap();
    }
    assert_eq!(read(dir.path(), 8).unwrap().len(), 3);
    let whole = std::fs::read(dir.path().join("b.jpg")).unwrap();
    for length in [whole.len() * 6 / 10, whole.len() - 2] {
        std::fs::write(dir.path().join("b.jpg"), &whole[..length]).unwrap();
        let text = read(dir.path(), 8).unwrap_err();
        assert!(text.contains("b.jpg: expected a whole JPEG") && text.contains("end too early"));
    }
}

#[cfg(unix)]
#[test]
fn the_class_of_a_linked_folder_is_the_name_of_the_link() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, value) in [("set/cats", 10), ("elsewhere", 20)] {
        let folder = dir.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        flat([value, 0, 0]).save(folder.join("x.png")).unwrap();
    }
    let set = dir.path().join("set");
    std::os::unix::fs::symlink("../elsewhere", set.join("dogs")).unwrap();
    std::os::unix::fs::symlink("..", set.join("cats/back")).unwrap();
    let images = read(&set, 6).unwrap();
    assert_eq!(images.classes(), ["cats", "dogs"]);
    assert_eq!(first_pixels(&images), [10, 20]);
}
