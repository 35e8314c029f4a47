//! STL-10's binary files: column-major planes, train and unlabelled together, resized.
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use autogan_data::{Images, LoadOptions, Split, load, resize_plane, stl10};

const LEN: usize = 3 * 96 * 96;

fn value(image: usize, channel: usize, y: usize, x: usize) -> u8 {
    (image * 50 + channel * 20 + y * 2 + x / 3) as u8
}

/// Images `numbers` as the file has them: planes stored column by column.
fn stored(numbers: std::ops::Range<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    for image in numbers {
        for channel in 0..3 {
            for x in 0..96 {
                out.extend((0..96).map(|y| value(image, channel, y, x)));
            }
        }
    }
    out
}

fn expected(numbers: std::ops::Range<usize>, side: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for image in numbers {
        for channel in 0..3 {
            let rows: Vec<u8> =
                (0..96 * 96).map(|p| value(image, channel, p / 96, p % 96)).collect();
            let mut plane = vec![0; side * side];
            resize_plane(&rows, (96, 96), &mut plane, (side, side));
            out.extend(plane);
        }
    }
    out
}

fn read(dir: &Path, split: Split, side: Option<usize>) -> Result<Images, String> {
    let options = LoadOptions { dir: Some(dir.to_path_buf()), side, ..LoadOptions::new(split) };
    load("stl10", &options).map_err(|error| error.to_string())
}

#[test]
fn training_is_train_and_unlabelled_in_48() {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("stl10_binary");
    std::fs::create_dir(&sub).unwrap();
    std::fs::write(sub.join("train_X.bin"), stored(0..2)).unwrap();
    std::fs::write(sub.join("unlabeled_X.bin"), stored(2..5)).unwrap();
    let images = read(dir.path(), Split::Train, None).unwrap();
    assert_eq!((images.len(), images.side()), (5, stl10::SIDE));
    assert_eq!(images.labels(), None);
    assert_eq!(images.data(), expected(0..5, 48));
    let native = read(&sub, Split::Train, Some(96)).unwrap();
    assert_eq!(native.data(), expected(0..5, 96));
    let options = LoadOptions {
        dir: Some(sub),
        side: Some(12),
        count: Some(3),
        ..LoadOptions::new(Split::Train)
    };
    let few = load("stl10", &options).unwrap();
    assert_eq!(few.data(), expected(0..3, 12));
}

#[test]
fn more_images_than_are_read_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("train_X.bin"), stored(0..1)).unwrap();
    let mut many = vec![7u8; 1030 * LEN];
    many[1029 * LEN..].copy_from_slice(&stored(3..4));
    std::fs::write(dir.path().join("unlabeled_X.bin"), many).unwrap();
    let images = read(dir.path(), Split::Train, Some(6)).unwrap();
    assert_eq!(images.len(), 1031);
    assert_eq!(images.image(1030).unwrap(), expected(3..4, 6));
    assert!(images.image(1029).unwrap().iter().all(|&p| p == 7));
}

#[test]
fn test_images_have_labels_from_zero() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("test_X.bin"), stored(0..3)).unwrap();
    std::fs::write(dir.path().join("test_y.bin"), [1, 10, 5]).unwrap();
    let images = read(dir.path(), Split::Test, Some(48)).unwrap();
    assert_eq!(images.labels().unwrap(), [0, 9, 4]);
    assert_eq!(images.classes(), stl10::CLASSES);
    for (labels, words) in [
        (&[1u8, 0, 5][..], "at byte 1: expected a label from 1 to 10 for image 1, found 0"),
        (&[1, 2, 11], "at byte 2: expected a label from 1 to 10"),
        (&[1, 2], "at byte 2: expected 3 labels, one byte for each image, found 2 bytes"),
        (&[1, 2, 3, 4], "at byte 3: expected 3 labels"),
    ] {
        std::fs::write(dir.path().join("test_y.bin"), labels).unwrap();
        let text = read(dir.path(), Split::Test, None).unwrap_err();
        assert!(text.contains("test_y.bin") && text.contains(words), "{text}");
    }
}

#[test]
fn cut_off_and_missing_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = read(dir.path(), Split::Train, None).unwrap_err();
    assert!(text.contains("both train_X.bin and unlabeled_X.bin"), "{text}");
    assert!(text.contains("an empty directory"), "{text}");
    std::fs::write(dir.path().join("train_X.bin"), stored(0..2)).unwrap();
    let text = read(dir.path(), Split::Train, None).unwrap_err();
    assert!(text.contains("found train_X.bin; give the directory"), "{text}");
    std::fs::write(dir.path().join("unlabeled_X.bin"), &stored(0..2)[..LEN + 11]).unwrap();
    let text = read(dir.path(), Split::Train, None).unwrap_err();
    let words = "unlabeled_X.bin: at byte 27648: expected an image of 3*96*96 = 27648 bytes, \
                 found the end of the file after 11 of them";
    assert!(text.contains(words), "{text}");
    std::fs::write(dir.path().join("unlabeled_X.bin"), []).unwrap();
    let text = read(dir.path(), Split::Train, None).unwrap_err();
    assert!(text.contains("at byte 0"), "{text}");
}
