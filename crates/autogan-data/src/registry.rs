//! The registry lists the datasets by name. A new one is one file with a [`DatasetSpec`] and one line in [`DATASETS`].

use std::path::PathBuf;

use autogan_hub::Hub;

use crate::error::{DataError, Result};
use crate::images::Images;
use crate::split::Split;
use crate::{cifar10, folder, shapes, stl10};

/// Every dataset that [`load`] knows.
pub const DATASETS: &[&DatasetSpec] = &[&shapes::SPEC, &cifar10::SPEC, &stl10::SPEC, &folder::SPEC];

/// What the registry knows of a dataset.
#[derive(Debug, Clone, Copy)]
pub struct DatasetSpec {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// One line for a list of datasets.
    pub summary: &'static str,
    /// Side in pixels that images have when none is asked for; `None` where one must be.
    pub side: Option<usize>,
    /// Training images of the published files; `None` where there are none.
    pub published: Option<usize>,
    /// Reads or draws the images. [`load`] resizes whatever comes back in another side than the
    /// one asked for, so only sources too large to hold in full look at it themselves.
    pub load: fn(&LoadOptions) -> Result<Images>,
}

/// The options of [`load`]: which images are wanted, and where they come from.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where the files are; `None` for the embedded dataset or for fetching from the hub.
    pub dir: Option<PathBuf>,
    /// Training or test images.
    pub split: Split,
    /// Side in pixels; `None` for the dataset's own.
    pub side: Option<usize>,
    /// Seed of the embedded dataset; files do not depend on it.
    pub seed: u64,
    /// At most this many images, the first ones; `None` for all (for `shapes`:
    /// [`shapes::TRAIN_COUNT`] or [`shapes::TEST_COUNT`]).
    pub count: Option<usize>,
    /// Where a dataset without a directory comes from.
    pub hub: Hub,
    /// Drop alpha channels of pictures in a folder in place of refusing them.
    pub drop_alpha: bool,
}

impl LoadOptions {
    /// Asks for all images of a split in their own side, seed 0, no directory, the environment's hub; set the rest by
    /// name.
    pub fn new(split: Split) -> Self {
        Self {
            dir: None,
            split,
            side: None,
            seed: 0,
            count: None,
            hub: Hub::from_env(false),
            drop_alpha: false,
        }
    }
}

/// The dataset called `name`.
///
/// # Errors
/// When there is none; the error lists the names.
pub fn spec(name: &str) -> Result<&'static DatasetSpec> {
    let known = || DATASETS.iter().map(|spec| spec.name).collect::<Vec<_>>();
    DATASETS.iter().find(|spec| spec.name == name).copied().ok_or_else(|| {
        DataError::UnknownDataset { name: name.to_string(), known: known().join(", ") }
    })
}

/// Loads the dataset called `name`: u8 RGB images `[N, 3, side, side]`, resized as Pillow's
/// bilinear does where `options.side` asks for another side than the files have.
///
/// # Errors
/// When the name is unknown, when no directory is given to a dataset that needs one, and
/// whatever can go wrong with its files.
pub fn load(name: &str, options: &LoadOptions) -> Result<Images> {
    let spec = spec(name)?;
    if options.side == Some(0) || options.count == Some(0) {
        return Err(DataError::mismatch("side and count", "at least 1 where given", "0"));
    }
    let mut images = (spec.load)(options)?;
    if let Some(side) = options.side.filter(|&side| side != images.side()) {
        images = images.resize(side)?.into_owned();
    }
    tracing::info!("{}", images.description());
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let mut names: Vec<_> = DATASETS.iter().map(|spec| spec.name).collect();
        assert_eq!(names, ["shapes", "cifar10", "stl10", "folder"]);
        for name in &names {
            assert_eq!(spec(name).unwrap().name, *name);
        }
        names.dedup();
        assert_eq!(names.len(), DATASETS.len());
        let text = spec("mnist").unwrap_err().to_string();
        assert_eq!(
            text,
            "unknown dataset \"mnist\": expected one of shapes, cifar10, stl10, folder"
        );
    }

    #[test]
    fn shapes_come_in_any_count_and_side() {
        let options = LoadOptions {
            count: Some(12),
            side: Some(16),
            seed: 4,
            ..LoadOptions::new(Split::Test)
        };
        let images = load("shapes", &options).unwrap();
        assert_eq!((images.len(), images.side()), (12, 16));
        let whole = shapes::generate(4, Split::Test, 0..12).unwrap();
        assert_eq!(images.data(), whole.resize(16).unwrap().data());
        assert_eq!(images.labels(), whole.labels());
    }

    #[test]
    fn impossible_wishes_are_errors() {
        let none = LoadOptions::new(Split::Train);
        let text = load("folder", &none).unwrap_err().to_string();
        assert!(text.contains("--data DIR") && text.contains("folder"), "{text}");
        let zero = LoadOptions { count: Some(0), ..none.clone() };
        assert!(load("shapes", &zero).is_err());
        let with_dir = LoadOptions { dir: Some("somewhere".into()), ..none };
        let text = load("shapes", &with_dir).unwrap_err().to_string();
        assert!(text.contains("somewhere") && text.contains("drawn by code"), "{text}");
    }
}
