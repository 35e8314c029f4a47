//! CIFAR-10 in every layout on disk, and the errors about files that are not CIFAR-10.
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use autogan_data::{Images, LoadOptions, Split, cifar10, load};

const LEN: usize = 3072;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data").join(name)
}

fn options(dir: &Path, split: Split) -> LoadOptions {
    LoadOptions { dir: Some(dir.to_path_buf()), ..LoadOptions::new(split) }
}

fn train(dir: &Path) -> Result<Images, String> {
    load("cifar10", &options(dir, Split::Train)).map_err(|error| error.to_string())
}

fn pixels(image: usize) -> Vec<u8> {
    (0..LEN).map(|j| ((image * 37 + j / 5) % 256) as u8).collect()
}

/// Records of the binary format for `labels`; images are numbered from `first`.
fn binary(first: usize, labels: &[u8]) -> Vec<u8> {
    let record = |(i, &label): (usize, &u8)| [vec![label], pixels(first + i)].concat();
    labels.iter().enumerate().flat_map(record).collect()
}

fn int32(value: usize) -> [u8; 4] {
    (value as u32).to_le_bytes()
}

/// A batch as Python 2's cPickle writes it in protocol 2, the way the archive has it.
fn python2(labels: &[u8], dtype: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(".to_vec();
    for &label in labels {
        out.extend([b'K', label]);
    }
    out.extend(b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01M");
    out.extend((labels.len() as u16).to_le_bytes());
    out.extend(b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU");
    out.push(dtype.len() as u8);
    out.extend(dtype.as_bytes());
    out.extend(
        b"K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
    );
    out.extend(int32(data.len()));
    out.extend(data);
    out.extend(b"tbU\x09filenamesq\x0c]q\x0d(U\x05a.pngq\x0eU\x05b.pnge");
    out.extend(b"u.");
    out
}

/// A batch of lists: the labels, and two images, the last pixel of which is given.
fn numbers(labels: &[&[u8]], last: &[u8]) -> Vec<u8> {
    let image = [b"](".to_vec(), b"K\x01".repeat(LEN - 1)].concat();
    let mut out = b"\x80\x02}(U\x06labels](".to_vec();
    out.extend(labels.concat());
    out.extend(b"eU\x04data](");
    out.extend([&image[..], b"K\x02e", &image, last, b"e"].concat());
    out.extend(b"eu.");
    out
}

#[test]
fn lists_of_numbers_are_images() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("data_batch_1"), numbers(&[b"K\x07", b"K\x03"], b"K\xff"))
        .unwrap();
    let images = train(dir.path()).unwrap();
    assert_eq!(images.labels().unwrap(), [7, 3]);
    assert_eq!((images.data()[LEN - 1], images.data()[2 * LEN - 1]), (2, 255));
}

fn both() -> Vec<u8> {
    [pixels(0), pixels(1)].concat()
}

#[test]
fn any_subset_of_binary_batches_is_read_in_the_order_of_numbers() {
    let dir = tempfile::tempdir().unwrap();
    // Written out of order; 10 would come before 2 by name. batches.meta.txt is passed over.
    for (file, first, labels) in [
        ("data_batch_10.bin", 3, &[5u8][..]),
        ("data_batch_2.bin", 0, &[9, 0, 4][..]),
        ("test_batch.bin", 8, &[1, 2][..]),
    ] {
        std::fs::write(dir.path().join(file), binary(first, labels)).unwrap();
    }
    std::fs::write(dir.path().join("batches.meta.txt"), "airplane\n").unwrap();
    let images = train(dir.path()).unwrap();
    assert_eq!(images.labels().unwrap(), [9, 0, 4, 5]);
    assert_eq!(images.classes(), cifar10::CLASSES);
    assert_eq!((images.len(), images.side()), (4, 32));
    for i in 0..4 {
        assert_eq!(images.image(i).unwrap(), pixels(i));
    }
    assert!(images.description().contains("data_batch_2.bin, data_batch_10.bin"));
    let test = load("cifar10", &options(dir.path(), Split::Test)).unwrap();
    assert_eq!(test.labels().unwrap(), [1, 2]);
    assert_eq!(test.image(0).unwrap(), pixels(8));
    let few = LoadOptions { count: Some(2), side: Some(8), ..options(dir.path(), Split::Train) };
    let few = load("cifar10", &few).unwrap();
    assert_eq!((few.len(), few.side()), (2, 8));
    assert_eq!(few.data(), &images.resize(8).unwrap().data()[..2 * 192]);
}

#[test]
fn the_usual_sub_folders_and_single_files_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&sub).unwrap();
    std::fs::write(sub.join("data_batch_1.bin"), binary(0, &[7, 3])).unwrap();
    let images = train(dir.path()).unwrap();
    assert_eq!(images, train(&sub).unwrap());
    assert_eq!(images.data(), train(&sub.join("data_batch_1.bin")).unwrap().data());

    let other = tempfile::tempdir().unwrap();
    let sub = other.path().join("cifar-10-batches-py");
    std::fs::create_dir(&sub).unwrap();
    std::fs::write(sub.join("data_batch_1"), python2(&[7, 3], "u1", &both())).unwrap();
    std::fs::write(sub.join("batches.meta"), b"\x80\x02}.").unwrap();
    let python = train(other.path()).unwrap();
    assert_eq!(python.content_hash(), images.content_hash());
    assert_eq!(python.data(), both());
    assert!(python.description().contains("Python files data_batch_1"));
}

/// Files of every pickle protocol and of other programs: keys of bytes, labels as numpy numbers or
/// arrays of any integer type, images as `[N, 3, 32, 32]` or `[N, 32, 32, 3]`, rows in a list.
#[test]
fn pickles_of_every_kind_hold_the_same_images() {
    let kinds = ["p0", "p1", "p2", "p3", "p4", "p5"];
    let others = ["bytes0", "bytes2", "numbers", "array", "axes", "rows", "matrix"];
    for kind in kinds.into_iter().chain(others) {
        let dir = tempfile::tempdir().unwrap();
        let from = golden(&format!("cifar10.{kind}.pickle"));
        std::fs::copy(from, dir.path().join("data_batch_1")).unwrap();
        let images = train(dir.path()).unwrap();
        assert_eq!(images.labels().unwrap(), [7, 3], "{kind}");
        assert_eq!(images.data(), both(), "{kind}");
    }
}

#[test]
fn binary_files_cut_off_foreign_or_empty_are_refused_by_offset() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data_batch_1.bin");
    let whole = binary(0, &[1, 2, 3]);
    for (bytes, offset, words) in [
        (whole[..2 * 3073 + 500].to_vec(), 6146, "after 500 of them"),
        (Vec::new(), 0, "after 0 of them"),
        (binary(0, &[1, 2, 10]), 6146, "found 10"),
        ([b"\x89PNG".to_vec(), vec![0; 3069]].concat(), 0, "found 137"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let text = train(dir.path()).unwrap_err();
        assert!(text.contains("data_batch_1.bin: at byte "), "{text}");
        assert!(text.contains(&format!("at byte {offset}: expected ")), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn any_kind_of_pickle_with_bytes_changed_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data_batch_1");
    for kind in ["p0", "bytes0", "numbers", "array", "axes", "rows", "matrix"] {
        let whole = std::fs::read(golden(&format!("cifar10.{kind}.pickle"))).unwrap();
        // The ends hold the structure; the pixels between them are only read as a whole.
        for place in (0..250).chain(whole.len() - 200..whole.len()) {
            for flip in [0x01, 0x06, 0x80] {
                let mut bytes = whole.clone();
                bytes[place] ^= flip;
                std::fs::write(&file, &bytes).unwrap();
                match train(dir.path()) {
                    Ok(images) => assert_eq!(images.len(), 2, "{kind}, byte {place}"),
                    Err(text) => assert!(text.contains("data_batch_1: at byte "), "{text}"),
                }
            }
        }
    }
}

#[test]
fn a_pickle_cut_off_anywhere_is_refused_and_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data_batch_1");
    let whole = python2(&[7, 3], "u1", &both());
    for cut in (0..400).chain([whole.len() / 2, whole.len() - 30, whole.len() - 1]) {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let text = train(dir.path()).unwrap_err();
        assert!(text.contains("data_batch_1: at byte "), "{cut}: {text}");
        assert!(text.contains("the end of the file"), "{cut}: {text}");
    }
}

#[test]
fn a_pickle_with_any_byte_changed_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data_batch_1");
    let whole = python2(&[7, 3], "u1", &both());
    let places = (0..270).chain(whole.len() - 45..whole.len());
    for place in places {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            std::fs::write(&file, &bytes).unwrap();
            if let Ok(images) = train(dir.path()) {
                assert_eq!(images.len(), 2, "byte {place}");
            }
        }
    }
}

#[test]
fn pickles_with_other_content_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data_batch_1");
    let fine = b"\x80\x02}(U\x0bfine_labels]U\x04data]u.";
    let system = b"\x80\x02cos\nsystem\nU\x04true\x85R.";
    let mut wrong_call = python2(&[7, 3], "u1", &both());
    let place = wrong_call.windows(12).position(|w| w == b"_reconstruct").unwrap();
    wrong_call[place..place + 12].copy_from_slice(b"_reconstruxx");
    for (bytes, words) in [
        (fine.to_vec(), "CIFAR-100"),
        (system.to_vec(), "a call of os.system (not made)"),
        (wrong_call, "_reconstruxx (not made)"),
        (python2(&[7, 3], "f4", &both()), "found dtype f4"),
        (python2(&[7, 3, 1], "u1", &both()), "an array of [3, 3072], found 6144 bytes"),
        (python2(&[7, 12], "u1", &both()), "a label from 0 to 9 for image 1, found 12"),
        (b"Hello".to_vec(), "opcode 0x48"),
        (b"\x80\x02}U\x04data".to_vec(), "the end of the file"),
        (b"\x80\x02K\x01.".to_vec(), "expected a dictionary, found the integer 1"),
        (b"\x80\x02h\x05.".to_vec(), "memo entry 5"),
        (b"\x80\x02t.".to_vec(), "needs a mark"),
        (b"\x80\x02R.".to_vec(), "more values than there are"),
        (b"\x80\x02T\xff\xff\xff\xffab.".to_vec(), "after 3"),
        (numbers(&[b"K\x07", b"K\x03"], b"M\x2c\x01"), "integers from 0 to 255, found 300"),
        (numbers(&[b"K\x07", b"J\xff\xff\xff\xff"], b"K\x00"), "integers from 0 to 255, found -1"),
        (numbers(&[b"K\x07", b"G?\xf8\0\0\0\0\0\0"], b"K\x00"), "found the float 1.5"),
        (numbers(&[b"K\x07", b"]K\x03a"], b"K\x00"), "parts of one shape, []"),
        (numbers(&[b"K\x07"], b"K\x00"), "2 labels, one for each row of data, found 1 labels"),
        (numbers(&[b"K\x07", b"N"], b"K\x00"), "or lists, of integers, found None"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let text = train(dir.path()).unwrap_err();
        assert!(text.contains("data_batch_1: at byte "), "{text}");
        assert!(text.contains(words), "expected {words:?} in {text}");
    }
}

#[test]
fn what_is_in_the_place_of_a_pickle_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, found) in [
        (&b"PK\x03\x04 packed"[..], "a zip archive"),
        (b"\x1f\x8b\x08 packed", "a file compressed with gzip"),
        (b"\x93NUMPY\x01\0", "a NumPy array"),
        (b"<html>not found</html>", "a web page"),
    ] {
        std::fs::write(dir.path().join("data_batch_1"), bytes).unwrap();
        let text = train(dir.path()).unwrap_err();
        let expected =
            format!("data_batch_1: expected a CIFAR-10 batch, which is a pickle, found {found}");
        assert!(text.contains(&expected) && text.contains("was unpacked"), "{text}");
    }
}

#[test]
fn a_directory_without_the_files_says_what_it_wants() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("train.bin"), [0]).unwrap();
    let text = train(dir.path()).unwrap_err();
    assert!(text.contains("data_batch_N.bin") && text.contains("found train.bin"), "{text}");
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    std::fs::write(dir.path().join("cifar-10-python.tar.gz"), [0]).unwrap();
    let text = train(dir.path()).unwrap_err();
    assert!(text.contains("unpack it first: tar xzf "), "{text}");
    let text = train(&dir.path().join("nowhere")).unwrap_err();
    assert!(text.contains("nowhere: expected") && text.contains("no such directory"), "{text}");
    let text = load("cifar10", &options(dir.path(), Split::Test)).unwrap_err();
    assert!(text.to_string().contains("test_batch.bin"));
}

#[cfg(not(feature = "hub"))]
#[test]
fn parquet_without_the_feature_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("train-00000-of-00001.parquet");
    std::fs::copy(golden("cifar10.parquet"), to).unwrap();
    let text = train(dir.path()).unwrap_err();
    assert!(text.contains("train-00000-of-00001.parquet") && text.contains("feature `hub`"));
}

/// The real files, in the directory that `AUTOGAN_CIFAR10_DIR` names.
#[test]
fn real_files_are_balanced_photographs() {
    let Ok(dir) = std::env::var("AUTOGAN_CIFAR10_DIR") else {
        return;
    };
    let test = load("cifar10", &options(Path::new(&dir), Split::Test)).unwrap();
    assert_eq!(test.len(), 10_000);
    let mut counts = [0; 10];
    for &label in test.labels().unwrap() {
        counts[usize::from(label)] += 1;
    }
    assert_eq!(counts, [1000; 10]);
    // Neighbouring pixels of photographs are alike: planes and rows are where they should be.
    let step = |a: usize, b: usize| -> u64 {
        let images = test.data().chunks(LEN).take(500);
        images.map(|image| u64::from(image[a].abs_diff(image[b]))).sum()
    };
    assert!(step(528, 529) < step(528, 528 + 512));
    assert!(step(528, 560) < step(528, 528 + 512));
}
