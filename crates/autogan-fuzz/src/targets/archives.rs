//! Inputs of the scorer: NumPy's arrays and archives of pictures.

use std::path::Path;

use autogan_metrics::io::{
    Input, OpenOptions, open, open_npz, read_statistics, summarise_statistics, write_stored,
};

use crate::scratch;
use crate::seeds::archives::stored_zip;

/// Opens an input as `autogan score` does, and reads all of it.
fn input(path: &Path) -> bool {
    let mut options = OpenOptions::plain();
    options.recursive = true;
    let opened = match path.extension().is_some_and(|end| end == "npz") {
        true => open_npz(path, &options),
        false => open(path.to_str().unwrap(), &options),
    };
    let read = opened.is_ok();
    match opened {
        Ok(Input::Images(images) | Input::ImagesWithStatistics(images, _)) => {
            for at in 0..images.len().min(4) {
                let Ok(loaded) = images.load(at..at + 1) else { continue };
                for picture in loaded {
                    assert_eq!(picture.planes.len(), 3 * picture.width * picture.height);
                }
            }
        }
        Ok(Input::Statistics(stored)) => {
            // What is accepted can be kept, and is the same then.
            let path = scratch::path("kept.npz");
            write_stored(&path, &stored).unwrap();
            let again = read_statistics(&path).unwrap();
            assert_eq!((again.stats.mean, again.stats.cov), (stored.stats.mean, stored.stats.cov));
        }
        Ok(Input::Features(features)) => assert!(features.rows() > 0),
        Err(_) => (),
    }
    read
}

/// An `.npz`: images, statistics, features.
pub(super) fn npz(bytes: &[u8]) -> bool {
    let path = scratch::file("a.npz", bytes);
    let _ = summarise_statistics(&path);
    input(&path)
}

/// An `.npy`, alone and as an array of a whole `.npz`.
pub(super) fn npy(bytes: &[u8]) -> bool {
    let mut read = input(&scratch::file("a.npy", bytes));
    for names in [&["arr_0.npy"][..], &["mu.npy", "sigma.npy"], &["pool_3.npy"]] {
        let members: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, bytes)).collect();
        read |= input(&scratch::file("b.npz", &stored_zip(&members)));
    }
    read
}

/// A zip of pictures.
pub(super) fn pictures(bytes: &[u8]) -> bool {
    input(&scratch::file("a.zip", bytes))
}
