//! [`open`] opens what a user names as an input: a directory, a zip, an npz, an npy, a CIFAR-10 file, or a dataset.

use std::path::{Path, PathBuf};

use autogan_data::listing::{
    EXTENSIONS, LeftOut, Listing, Reason, is_hidden, is_wanted, list_pictures,
};
use autogan_data::{Hub, LoadOptions, Split};
use autogan_files::{Class, kind_of};

use super::arrays::{Found, Pixels, read_npy, read_npz};
use super::input_error;
use super::npz::Container;
use super::source::{ImageSource, Items};
use super::stats_file::StoredStatistics;
use crate::{Matrix, Result};

/// The settings for opening inputs.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Read sub-directories too.
    pub recursive: bool,
    /// Extensions to read, without dots; none for all that can be decoded.
    pub extensions: Option<Vec<String>>,
    /// Drop alpha channels in place of refusing them.
    pub drop_alpha: bool,
    /// Resize the shorter side to this and cut out the middle square.
    pub crop: Option<usize>,
    /// Directory of a dataset's files.
    pub data_dir: Option<PathBuf>,
    /// The source of a dataset without a directory.
    pub hub: Hub,
}

impl OpenOptions {
    /// Options that leave everything as it is: no sub-directories, all formats, no alpha, no crop.
    pub fn plain() -> Self {
        Self {
            recursive: false,
            extensions: None,
            drop_alpha: false,
            crop: None,
            data_dir: None,
            hub: Hub::from_env(false),
        }
    }
}

/// The content of an input.
#[derive(Debug)]
pub enum Input {
    /// Images.
    Images(ImageSource),
    /// Mean and covariance.
    Statistics(StoredStatistics),
    /// Images, and mean and covariance beside them: the Fréchet distance is made of the latter, all else of the
    /// images.
    ImagesWithStatistics(ImageSource, Box<StoredStatistics>),
    /// Features `[N, D]` that another program made of images.
    Features(Matrix),
}

/// Opens what `input` names: an existing path, or `DATASET-train`, `DATASET-test`.
///
/// # Errors
/// When there is no such input, it holds no images and no statistics, or it cannot be read.
pub fn open(input: &str, options: &OpenOptions) -> Result<Input> {
    let path = Path::new(input);
    if path.is_dir() {
        return directory(path, options).map(Input::Images);
    }
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let images = |items| ImageSource::new(input, items, options);
    Ok(match extension.to_str() {
        _ if !path.exists() => Input::Images(images(dataset(input, options)?)),
        Some("zip") => {
            let (items, left_out) = zip(path, options)?;
            Input::Images(images(items).leaving_out(left_out))
        }
        Some("bin") => {
            let dir = Some(path.to_path_buf());
            let options = LoadOptions { dir, ..LoadOptions::new(Split::Train) };
            Input::Images(images(loaded("cifar10", &options)?))
        }
        Some("npy") => Input::Images(images(Items::from(read_npy(path)?))),
        Some("npz") => return open_npz(path, options),
        Some("pkl" | "pickle") => return Err(pickle(path)),
        _ => return Err(other_file(path)),
    })
}

/// Opens a file of arrays, which may have another ending than `.npz`, or none.
///
/// # Errors
/// When it holds no images, no statistics and no features, or it cannot be read.
pub fn open_npz(path: &Path, options: &OpenOptions) -> Result<Input> {
    let Found { images, statistics, features, left_out } = read_npz(path)?;
    let label = path.display().to_string();
    let source =
        |pixels| ImageSource::new(&label, Items::from(pixels), options).leaving_out(left_out);
    match (images.map(source), statistics, features) {
        (Some(source), Some(stored), _) => {
            Ok(Input::ImagesWithStatistics(source, Box::new(stored)))
        }
        (Some(source), None, _) => Ok(Input::Images(source)),
        (None, Some(stored), _) => Ok(Input::Statistics(stored)),
        (None, None, Some(features)) => Ok(Input::Features(features)),
        (None, None, None) => Err(other_file(path)),
    }
}

/// EDM2 and StyleGAN keep statistics as pickles.
fn pickle(path: &Path) -> crate::Error {
    let name = path.display();
    let help = format!(
        "write mu and sigma of it as .npz with Python: s = pickle.load(open({:?}, 'rb')); s = s.get('fid', s); \
         numpy.savez('stats.npz', mu=s['mu'], sigma=s['sigma']) (EDM2 keeps them under 'fid')",
        path.display().to_string()
    );
    input_error(name, "statistics as .npz", "a pickle, of which nothing is executed", help)
}

/// The fault of a file that is none of those that are read: it says what the file is.
fn other_file(path: &Path) -> crate::Error {
    let found = kind_of(path);
    let is_picture = |e: &str| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e));
    let by_name = path.extension().and_then(|e| e.to_str()).is_some_and(is_picture);
    let help = match found.map(|kind| kind.class) {
        Some(Class::Picture) => "it is one image; give the directory that holds the images",
        Some(Class::Archive) => "unpack it, and give the directory of its images",
        Some(Class::Table) => {
            "tables are not read: write their images to files, and give the directory of these"
        }
        Some(Class::Array) => "write the images with numpy.save or numpy.savez",
        _ if by_name => "it is one image; give the directory that holds the images",
        _ => "give the directory that holds the images",
    };
    let expected =
        "a directory, .zip, .npz, .npy or CIFAR-10 .bin, or a dataset such as cifar10-train";
    input_error(path.display(), expected, found.map_or("another file", |kind| kind.name), help)
}

impl From<Pixels> for Items {
    fn from(Pixels { width, height, data }: Pixels) -> Self {
        Items::Pixels { width, height, data }
    }
}

fn directory(path: &Path, options: &OpenOptions) -> Result<ImageSource> {
    let listing = list_pictures(path, options.recursive, options.extensions.as_deref())?;
    if listing.files.is_empty() {
        let help = advice(&listing, options);
        let expected = "a directory with images";
        return Err(input_error(path.display(), expected, listing.nothing(), help));
    }
    let Listing { files, left_out } = listing;
    let source = ImageSource::new(&path.display().to_string(), Items::Files(files), options);
    Ok(source.leaving_out(left_out))
}

/// What would help where a directory or an archive has no image.
fn advice(listing: &Listing, options: &OpenOptions) -> String {
    let left_out = &listing.left_out;
    let readable = |text: &str| EXTENSIONS.iter().any(|known| text == format!(".{known}"));
    if left_out.count(&Reason::SubFolder) > 0 {
        "give --recursive, which reads sub-directories too".into()
    } else if options.extensions.is_some() && left_out.counts().any(|(text, _)| readable(&text)) {
        "give other endings to --ext, or leave it out".into()
    } else if let Some(advice) = left_out.advice() {
        advice.into()
    } else if left_out.has_endings() {
        format!("convert them; these are read: {}", EXTENSIONS.join(", "))
    } else {
        "check the path".into()
    }
}

fn zip(path: &Path, options: &OpenOptions) -> Result<(Items, LeftOut)> {
    let container = Container::open(path)?;
    let mut listing = Listing::default();
    let mut names = Vec::new();
    for name in container.names().iter().filter(|name| !name.ends_with('/')) {
        if name.split(['/', '\\']).any(is_hidden) {
            listing.left_out.add(Reason::Hidden);
        } else if is_wanted(Path::new(name), options.extensions.as_deref()) {
            names.push(name.clone());
        } else {
            listing.left_out.add_ending(Path::new(name));
        }
    }
    if names.is_empty() {
        let found = listing.nothing();
        let help = match listing.left_out.count(&Reason::Ending("npy".into())) {
            0 => advice(&listing, options),
            _ => "these are NumPy's arrays: give the file the ending .npz".into(),
        };
        return Err(input_error(path.display(), "a zip with images", found, help));
    }
    Ok((Items::zip(container, names), listing.left_out))
}

fn dataset(input: &str, options: &OpenOptions) -> Result<Items> {
    let named =
        input.rsplit_once('-').and_then(|(name, split)| Some((name, split.parse::<Split>().ok()?)));
    let known = named.filter(|(name, _)| {
        autogan_data::DATASETS.iter().any(|spec| spec.name == *name && spec.side.is_some())
    });
    let Some((name, split)) = known else {
        return Err(input_error(
            input,
            "a path that exists, or a dataset with its split, such as cifar10-train",
            "neither",
            "check the spelling",
        ));
    };
    let (dir, hub) = (options.data_dir.clone(), options.hub.clone());
    loaded(name, &LoadOptions { dir, hub, ..LoadOptions::new(split) })
}

/// The images of a dataset.
fn loaded(name: &str, options: &LoadOptions) -> Result<Items> {
    let images = autogan_data::load(name, options)?;
    let side = images.side();
    Ok(Items::Pixels { width: side, height: side, data: images.data().to_vec() })
}
