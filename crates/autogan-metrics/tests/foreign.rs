//! What other tools write, and what becomes of it: arrays in other forms, archives, and files that are not read.

#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use autogan_metrics::io::{FeatureCache, Input, OpenOptions};
use image::ImageFormat;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use support::{doubles, encoded, ext, images, input, npy, picture, png, reds, zipped};

/// Two images `[2, 1, 2, 3]`: reds 1 and 5, and 11 and 15.
const PIXELS: [u8; 12] = [1, 2, 3, 5, 6, 7, 11, 12, 13, 15, 16, 17];

fn refused(path: &Path) -> String {
    input(path).unwrap_err().to_string()
}

#[test]
fn arrays_in_another_form_come_with_what_makes_images_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (packed, bare) = (dir.path().join("a.npz"), dir.path().join("a.npy"));
    let floats = ", as bytes: (255 * x).round().astype(numpy.uint8) of x from 0 to 1";
    let numbers = ", as bytes: x.astype(numpy.uint8) of x from 0 to 255";
    let objects =
        "numpy.stack(images), since an array of objects is a pickle, and none is executed,";
    let channels_last = "images.transpose(0, 2, 3, 1)";
    for (descr, shape, advice) in [
        ("|u1", "(12, 3, 48, 48)", channels_last.to_owned()),
        ("<f4", "(12, 48, 48, 3)", format!("images{floats}")),
        ("<f2", "(12, 3, 48, 48)", format!("{channels_last}{floats}")),
        ("<i8", "(12, 48, 48, 3)", format!("images{numbers}")),
        (">i4", "(12, 48, 48, 1)", format!("images{numbers}")),
        ("|b1", "(12, 48, 48, 1)", format!("images{numbers}")),
        ("|u1", "(12, 48, 48, 4)", "images[..., :3], without the alpha channel,".to_owned()),
        ("|u1", "(12, 48, 48)", "images[..., None]".to_owned()),
        ("|u1", "(48, 48, 3)", "images[None], one image,".to_owned()),
        ("|O", "(12,)", objects.to_owned()),
    ] {
        let array = npy(descr, shape, &[]);
        zipped(&packed, &[("images.npy", array.clone())]);
        std::fs::write(&bare, array).unwrap();
        for (path, end) in [(&packed, " under the name arr_0"), (&bare, "")] {
            let text = refused(path);
            assert!(text.contains(&format!("save {advice}{end}")), "{text}");
            assert!(!text.contains("name the arrays so"), "{text}");
        }
    }
    // A damaged byte in the header may become a letter of several bytes.
    for descr in ["é1", "<é4", "é"] {
        std::fs::write(&bare, npy(descr, "(12, 48, 48, 3)", &[])).unwrap();
        zipped(&packed, &[("images.npy", npy(descr, "(12, 48, 48, 3)", &[]))]);
        assert!(refused(&bare).contains("expected") && refused(&packed).contains("expected"));
    }
    // Features are no images.
    for shape in ["(500, 128)", "(500, 2048, 1, 1)"] {
        zipped(&packed, &[("features.npy", npy("<f4", shape, &[]))]);
        assert!(refused(&packed).contains("name the arrays so"), "{shape}");
    }
}

#[test]
fn a_batch_with_statistics_is_read_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    let pixels = || npy("|u1", "(2, 1, 2, 3)", &PIXELS);
    let labels = || npy("<i8", "(2,)", &[0; 16]);
    let single = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    let big = |values: &[f64]| values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>();
    let (mu, sigma) = ([1.5, -2.0], [4.0, 1.0, 1.0, 9.0]);
    let fortran = |array: Vec<u8>| {
        let text = String::from_utf8_lossy(&array[10..]).into_owned();
        let start = text.find("False").unwrap() + 10;
        // As long as the word that it replaces.
        [&array[..start], b"True ", &array[start + 5..]].concat()
    };
    let double = [npy("<f8", "(2,)", &doubles(&mu)), npy("<f8", "(2, 2)", &doubles(&sigma))];
    let half = npy("<f4", "(2, 2)", &single(&[4.0, 1.0, 1.0, 9.0]));
    for (image_name, [mu, sigma], more) in [
        ("arr_0.npy", double.clone(), None),
        ("samples.npy", double.clone(), Some(("label.npy", labels()))),
        ("arr_0.npy", double.clone(), Some(("arr_1.npy", labels()))),
        ("arr_0.npy", [npy("<f4", "(2,)", &single(&[1.5, -2.0])), half], None),
        ("images.npy", [npy(">f8", "(2,)", &big(&mu)), npy(">f8", "(2, 2)", &big(&sigma))], None),
        ("arr_0.npy", [double[0].clone(), fortran(double[1].clone())], None),
    ] {
        let left = more.iter().len();
        let mut members = vec![(image_name, pixels()), ("mu.npy", mu), ("sigma.npy", sigma)];
        members.extend(more);
        let path = dir.path().join("batch.npz");
        zipped(&path, &members);
        let Ok(Input::ImagesWithStatistics(source, stored)) = input(&path) else {
            panic!("{image_name}: images and statistics");
        };
        assert_eq!((stored.stats.mean, stored.stats.cov), (vec![1.5, -2.0], vec![4., 1., 1., 9.]));
        assert_eq!(source.left_out().counts().count(), left);
        assert_eq!(reds(&source, None).unwrap().0, [3., 13.]);
    }
    // Statistics that are none are no reason to take the images alone.
    let wrong = npy("<f8", "(3,)", &doubles(&[1.; 3]));
    for (name, words) in [("mu.npy", "mu [3] and sigma [2, 2]"), ("sigma.npy", "sigma [3]")] {
        let mut members = vec![
            ("arr_0.npy", pixels()),
            ("mu.npy", double[0].clone()),
            ("sigma.npy", double[1].clone()),
        ];
        members.iter_mut().filter(|(own, _)| *own == name).for_each(|(_, b)| *b = wrong.clone());
        let path = dir.path().join("wrong.npz");
        zipped(&path, &members);
        assert!(refused(&path).contains(words), "{}", refused(&path));
    }
}

#[test]
fn statistics_whose_variance_is_below_0_in_a_direction_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stats.npz");
    let read = |correlation: f64, factor: f64| {
        let place = |i: usize| factor * if i.is_multiple_of(4) { 1.0 } else { correlation };
        let sigma: Vec<f64> = (0..9).map(place).collect();
        let mu = npy("<f8", "(3,)", &doubles(&[0.0; 3]));
        zipped(&path, &[("mu.npy", mu), ("sigma.npy", npy("<f8", "(3, 3)", &doubles(&sigma)))]);
        input(&path).map(|_| ()).map_err(|error| error.to_string())
    };
    // The variance of the sum is 3 + 6r: each pair could be correlated so, but not all pairs at once.
    for factor in [1e-6, 1.0, 1e6] {
        for correlation in [-0.51, -0.9, -1.0] {
            let text = read(correlation, factor).unwrap_err();
            assert!(text.contains("stats.npz: expected a covariance, found one whose"), "{text}");
        }
        // Singular ones, as 32 bits keep them.
        for correlation in [-0.5, -0.500_000_1, 1.0, 1.000_000_1, 0.0] {
            read(correlation, factor).unwrap();
        }
    }
    read(0.0, 0.0).unwrap();
}

#[test]
fn the_cache_knows_what_was_chosen_and_what_is_done_to_it() {
    let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = dir.path().join("set");
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    std::fs::write(folder.join("a.png"), png(10)).unwrap();
    std::fs::write(folder.join("b.bmp"), encoded(&picture(20), ImageFormat::Bmp)).unwrap();
    std::fs::write(folder.join("inner/c.png"), png(30)).unwrap();
    let packed = dir.path().join("set.zip");
    zipped(&packed, &[("a.png", png(10)), ("b.bmp", png(20)), ("inner/c.png", png(30))]);
    let arrays = dir.path().join("set.npz");
    zipped(&arrays, &[("arr_0.npy", npy("|u1", "(2, 1, 2, 3)", &PIXELS))]);
    let plain = OpenOptions::plain();
    let choices = [
        (&folder, plain.clone()),
        (&folder, ext("png")),
        (&folder, ext("bmp")),
        (&folder, OpenOptions { recursive: true, ..plain.clone() }),
        (&folder, OpenOptions { recursive: true, ..ext("png") }),
        (&folder, OpenOptions { crop: Some(4), ..plain.clone() }),
        (&folder, OpenOptions { drop_alpha: true, ..plain.clone() }),
        (&packed, plain.clone()),
        (&packed, ext("png")),
        (&packed, OpenOptions { crop: Some(4), ..plain.clone() }),
        (&arrays, plain),
    ];
    let mut hashes = std::collections::BTreeSet::new();
    for (path, options) in &choices {
        let source = images(path, options).unwrap();
        let cache = || Some(FeatureCache::new(kept.path(), "w"));
        let fresh = reds(&source, None).unwrap().0;
        assert_eq!(reds(&source, cache()).unwrap().0, fresh, "{options:?}");
        assert_eq!(reds(&source, cache()).unwrap().0, fresh, "{options:?}");
        assert!(hashes.insert(source.content_hash().unwrap()), "{options:?}");
    }
    // A folder in the place of an entry costs no features.
    for entry in std::fs::read_dir(kept.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir_all(path.join("x")).unwrap();
    }
    let source = images(&folder, &ext("png")).unwrap();
    let (found, not_kept) = reds(&source, Some(FeatureCache::new(kept.path(), "w"))).unwrap();
    assert_eq!(found, [10.]);
    assert!(not_kept.is_some());
}

#[test]
fn archives_that_hold_something_else_are_refused_or_counted() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // Two members of one name, of which a reader knows one.
    zipped(&at("twice.zip"), &[("a.png", png(1)), ("b.png", png(2)), ("c.png", png(3))]);
    let mut bytes = std::fs::read(at("twice.zip")).unwrap();
    while let Some(place) = bytes.windows(5).position(|window| window == b"b.png") {
        bytes[place] = b'a';
    }
    std::fs::write(at("twice.zip"), &bytes).unwrap();
    assert!(refused(&at("twice.zip")).contains("expected an archive with each name once"));
    // A link is no picture.
    let mut zip = ZipWriter::new(std::fs::File::create(at("link.zip")).unwrap());
    zip.add_symlink("a.png", "../b.png", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let source = images(&at("link.zip"), &OpenOptions::plain()).unwrap();
    let text = reds(&source, None).unwrap_err().to_string();
    assert!(text.contains("a.png: expected a file, found a link"), "{text}");
    // Each under the other's ending, and one inside of another.
    let array = npy("|u1", "(2, 1, 2, 3)", &PIXELS);
    zipped(&at("arrays.zip"), &[("arr_0.npy", array)]);
    let text = refused(&at("arrays.zip"));
    assert!(text.contains("left out: 1 .npy; these are NumPy's arrays"), "{text}");
    zipped(&at("pictures.npz"), &[("a.png", png(1)), ("b.png", png(2))]);
    assert!(
        refused(&at("pictures.npz")).contains("an archive with 2 pictures: give it the ending")
    );
    zipped(&at("outer.zip"), &[("inner.zip", std::fs::read(at("pictures.npz")).unwrap())]);
    assert!(refused(&at("outer.zip")).contains("left out: 1 .zip; unpack the archives"));
    // As StyleGAN packs a set, as Windows does, and as macOS does, whose name has many spellings.
    let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new(std::fs::File::create(at("SET.ZIP")).unwrap());
    zip.add_directory("00000/", deflated).unwrap();
    for (name, bytes) in [
        ("dataset.json", b"{\"labels\": null}".to_vec()),
        ("00000/img00000000.png", png(7)),
        ("00001\\img00000001.PNG", png(8)),
        ("00001\\.cache\\img.png", png(9)),
        ("__macosx/._img.png", png(9)),
    ] {
        zip.start_file(name, deflated).unwrap();
        std::io::Write::write_all(&mut zip, &bytes).unwrap();
    }
    zip.finish().unwrap();
    let source = images(&at("SET.ZIP"), &OpenOptions::plain()).unwrap();
    assert_eq!(reds(&source, None).unwrap().0, [7., 8.]);
    assert_eq!(source.left_out().to_string(), "2 hidden, 1 .json");
}

#[test]
fn files_that_are_not_read_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (name, bytes, found) in [
        ("00000.tar", &tar[..], "found a tar archive; unpack it"),
        ("set.tar.gz", b"\x1f\x8b\x08", "found a file compressed with gzip; unpack it"),
        ("set.7z", b"7z\xbc\xaf\x27\x1c", "found a 7z archive; unpack it"),
        ("train.parquet", b"PAR1", "found a Parquet table; tables are not read"),
        ("data.arrow", b"ARROW1\0\0", "found an Arrow table; tables are not read"),
        ("set.h5", b"\x89HDF\r\n\x1a\n", "found an HDF5 file; write the images with numpy.save"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "found a PNG picture; it is one image"),
        ("memmap.dat", &[7; 64], "found another file; give the directory"),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let text = refused(&dir.path().join(name));
        assert!(text.contains(found), "{text}");
    }
    // Nobody writes to this pipe.
    #[cfg(unix)]
    {
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(refused(&pipe).contains("found another file"));
    }
    for (name, advice) in [
        ("00000.tar", "unpack the archives"),
        ("train-00000-of-00001.parquet", "tables and databases are not read"),
        ("data-00000-of-00001.arrow", "tables and databases are not read"),
        ("batch.npz", "give one of the .npz files itself"),
    ] {
        let inner = dir.path().join(format!("{name}.folder"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join(name), b"x").unwrap();
        let text = refused(&inner);
        assert!(text.contains("none; left out: 1 .") && text.contains(advice), "{text}");
    }
}
