//! This module reads a folder of pictures in the formats of [`crate::listing`], in the order of their paths.
//!
//! The shorter side of a picture is resized to the side asked for as Pillow's bilinear does, and the middle is cut out.
//! Greyscale is repeated over the channels; an alpha channel is an error unless it is to be dropped. Sub-folders are
//! read too; when every picture lies in one, their names are the classes. Where the folder has sub-folders `train` and
//! `test`, a split is that sub-folder; otherwise everything is training.

use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::files::{describe, read};
use crate::images::Images;
use crate::listing::{EXTENSIONS, list_pictures};
use crate::picture::{decode, fit_all};
use crate::registry::{DatasetSpec, LoadOptions};
use crate::split::Split;

/// The dataset's entry in the registry.
pub const SPEC: DatasetSpec = DatasetSpec {
    name: "folder",
    summary: "a folder of PNG, JPEG, WebP, BMP, TIFF or PNM pictures, resized and cut to a square",
    side: None,
    published: None,
    load,
};

fn load(options: &LoadOptions) -> Result<Images> {
    let given = options.dir.as_deref().ok_or_else(|| {
        let expected = "one that holds the files of folder (on the command line: --data DIR)";
        DataError::mismatch("directory", expected, "none")
    })?;
    let side = options.side.ok_or_else(|| {
        let expected = "one in pixels, since pictures in a folder have any";
        DataError::mismatch("side", expected, "none")
    })?;
    let root = root(given, options.split)?;
    let listing = list_pictures(&root, true, None)?;
    if listing.files.is_empty() {
        let expected = format!("pictures (.{})", EXTENSIONS.join(", ."));
        let help = match (listing.left_out.advice(), listing.left_out.has_endings()) {
            (Some(advice), _) => advice,
            (None, true) => "convert them to PNG, or give the folder that holds the pictures",
            (None, false) => "give the folder that holds them",
        };
        return Err(DataError::content(&root, expected, listing.nothing(), help));
    }
    let (mut paths, left_out) = (listing.files, listing.left_out);
    if !left_out.is_empty() {
        tracing::warn!("{}: {} pictures; left out: {left_out}", root.display(), paths.len());
    }
    let (labels, classes) = classes(&root, &paths);
    let count = options.count.unwrap_or(usize::MAX).min(paths.len());
    paths.truncate(count);
    let labels = labels.map(|mut labels| {
        labels.truncate(count);
        labels
    });
    let data =
        fit_all(paths.as_slice(), side, |_, path| decode(&read(path)?, path, options.drop_alpha))?;
    let images = Images::new("folder", side, data, labels, classes)?;
    let description = format!(
        "folder ({}): {} images of {side}x{side} from {}",
        options.split,
        images.len(),
        root.display()
    );
    Ok(images.described(description))
}

/// The folder of a split.
fn root(dir: &Path, split: Split) -> Result<PathBuf> {
    if dir.is_file() {
        let help = "unpack it, or give the folder that holds the pictures";
        return Err(DataError::content(dir, "a folder of pictures", describe(dir), help));
    }
    let (train, test) = (dir.join("train"), dir.join("test"));
    let split_up = train.is_dir() && test.is_dir();
    match split {
        Split::Train if split_up => Ok(train),
        Split::Test if split_up => Ok(test),
        Split::Train => Ok(dir.to_path_buf()),
        Split::Test => Err(DataError::content(
            dir,
            "sub-folders train and test, since the test split was asked for",
            describe(dir),
            "make the two sub-folders, or give the folder of test pictures by itself",
        )),
    }
}

/// Labels by the first sub-folder of each picture, if every picture has one.
fn classes(root: &Path, paths: &[PathBuf]) -> (Option<Vec<u8>>, Vec<String>) {
    let class = |path: &PathBuf| -> Option<String> {
        let inner = path.strip_prefix(root).ok()?;
        let parts: Vec<_> = inner.components().collect();
        let first = parts.first().filter(|_| parts.len() > 1)?;
        Some(first.as_os_str().to_string_lossy().into_owned())
    };
    let Some(names) = paths.iter().map(class).collect::<Option<Vec<_>>>() else {
        return (None, Vec::new());
    };
    let mut classes = names.clone();
    classes.sort();
    classes.dedup();
    let place = |name: &String| u8::try_from(classes.binary_search(name).ok()?).ok();
    match names.iter().map(place).collect::<Option<Vec<u8>>>() {
        Some(labels) => (Some(labels), classes),
        None => (None, Vec::new()),
    }
}
