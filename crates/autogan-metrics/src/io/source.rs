//! [`open`] opens what a user names as an input: a directory, a zip, an npz, a CIFAR-10 file, or a dataset.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use autogan_data::folder::EXTENSIONS;
use autogan_data::{Hub, LoadOptions, Picture, Split, decode_picture};
use autogan_files::{Error as FileError, Sha256};
use rayon::prelude::*;

use super::input_error;
use super::npy::{Array, Values};
use super::npz::Container;
use super::stats_file::{StoredStatistics, read_statistics};
use crate::Result;

/// Deepest level of sub-directories.
const DEPTH: usize = 32;

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
}

/// A set of images, read as they are needed.
#[derive(Debug)]
pub struct ImageSource {
    label: String,
    items: Items,
    drop_alpha: bool,
    crop: Option<usize>,
}

enum Items {
    Files(Vec<PathBuf>),
    Zip {
        container: Mutex<Container>,
        names: Vec<String>,
    },
    /// Images of one size, `[N, 3, height, width]`.
    Pixels {
        width: usize,
        height: usize,
        data: Vec<u8>,
    },
}

impl std::fmt::Debug for Items {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Items::Files(paths) => write!(f, "{} files", paths.len()),
            Items::Zip { names, .. } => write!(f, "{} members", names.len()),
            Items::Pixels { width, height, data } => {
                write!(f, "{} bytes of {width}x{height}", data.len())
            }
        }
    }
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
    let items = match extension.to_str() {
        _ if !path.exists() => dataset(input, options)?,
        Some("zip") => zip(path, options)?,
        Some("bin") => {
            let dir = Some(path.to_path_buf());
            loaded("cifar10", &LoadOptions { dir, ..LoadOptions::new(Split::Train) })?
        }
        Some("npz") => match Container::open(path)?.array("arr_0")? {
            Some(array) => pixels(path, array)?,
            None => return read_statistics(path).map(Input::Statistics),
        },
        _ => {
            return Err(input_error(
                path.display(),
                "a directory, .zip, .npz or CIFAR-10 .bin, or a dataset such as cifar10-train",
                "another file",
                "give the directory that holds the images",
            ));
        }
    };
    Ok(Input::Images(ImageSource::new(input, items, options)))
}

fn wanted(name: &Path, options: &OpenOptions) -> bool {
    let Some(extension) = name.extension().and_then(|e| e.to_str()) else { return false };
    match &options.extensions {
        Some(list) => {
            list.iter().any(|e| e.trim_start_matches('.').eq_ignore_ascii_case(extension))
        }
        None => EXTENSIONS.iter().any(|e| e.eq_ignore_ascii_case(extension)),
    }
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'))
}

fn directory(path: &Path, options: &OpenOptions) -> Result<ImageSource> {
    let mut files = Vec::new();
    let mut folders = 0;
    walk(path, options, DEPTH, &mut files, &mut folders)?;
    if files.is_empty() {
        let found = match folders {
            0 => "none".to_string(),
            _ if options.recursive => format!("none, not in its {folders} sub-directories either"),
            _ => format!("none, but {folders} sub-directories"),
        };
        let help = "check the path, or give --recursive or --ext";
        return Err(input_error(path.display(), "a directory with images", found, help));
    }
    files.sort();
    Ok(ImageSource::new(&path.display().to_string(), Items::Files(files), options))
}

fn walk(
    dir: &Path,
    options: &OpenOptions,
    depth: usize,
    files: &mut Vec<PathBuf>,
    folders: &mut usize,
) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(FileError::io("list", dir))? {
        let path = entry.map_err(FileError::io("list", dir))?.path();
        if path.is_dir() {
            *folders += 1;
            if options.recursive && depth > 0 && !path.is_symlink() {
                walk(&path, options, depth - 1, files, folders)?;
            }
        } else if wanted(&path, options) && !hidden(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn zip(path: &Path, options: &OpenOptions) -> Result<Items> {
    let container = Container::open(path)?;
    let fits = |name: &String| {
        let name = Path::new(name);
        wanted(name, options) && !name.starts_with("__MACOSX") && !hidden(name)
    };
    let names: Vec<String> = container.names().iter().filter(|name| fits(name)).cloned().collect();
    if names.is_empty() {
        let found = format!("none among {} members", container.names().len());
        return Err(input_error(path.display(), "a zip with images", found, "check its content"));
    }
    Ok(Items::Zip { container: Mutex::new(container), names })
}

/// Turns `arr_0` `[N, H, W, 3]` into `[N, 3, H, W]`; one channel is repeated.
fn pixels(path: &Path, array: Array) -> Result<Items> {
    let refuse = |found: String| {
        let expected = "arr_0 of u8 [N, H, W, 3] with N, H, W above 0";
        input_error(path.display(), expected, found, "convert it with NumPy")
    };
    let Values::U8(values) = array.values else {
        return Err(refuse("floats".into()));
    };
    let &[n, height, width, channels @ (1 | 3)] = array.shape.as_slice() else {
        return Err(refuse(format!("shape {:?}", array.shape)));
    };
    if n * height * width == 0 {
        return Err(refuse(format!("shape {:?}", array.shape)));
    }
    let area = height * width;
    let mut data = vec![0u8; n * 3 * area];
    for (out, image) in data.chunks_exact_mut(3 * area).zip(values.chunks_exact(channels * area)) {
        for (place, value) in out.iter_mut().enumerate() {
            let (channel, pixel) = (place / area, place % area);
            *value = image[pixel * channels + channel.min(channels - 1)];
        }
    }
    Ok(Items::Pixels { width, height, data })
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

impl ImageSource {
    fn new(label: &str, items: Items, options: &OpenOptions) -> Self {
        Self { label: label.to_string(), items, drop_alpha: options.drop_alpha, crop: options.crop }
    }

    /// Images from memory: `data` is u8 `[N, 3, side, side]`, RGB.
    ///
    /// # Errors
    /// When `side` is 0, or `data` is empty or no multiple of an image.
    pub fn from_pixels(label: &str, side: usize, data: Vec<u8>) -> Result<Self> {
        if side == 0 || data.is_empty() || !data.len().is_multiple_of(3 * side * side) {
            let expected = format!("u8 [N, 3, {side}, {side}] with N and side above 0");
            let found = format!("{} bytes", data.len());
            return Err(crate::Error::shape(format!("the pixels of {label}"), expected, found));
        }
        let items = Items::Pixels { width: side, height: side, data };
        Ok(Self::new(label, items, &OpenOptions::plain()))
    }

    /// The input as the user named it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Number of images, at least 1.
    pub fn len(&self) -> usize {
        match &self.items {
            Items::Files(paths) => paths.len(),
            Items::Zip { names, .. } => names.len(),
            Items::Pixels { width, height, data } => data.len() / (3 * width * height),
        }
    }

    /// Whether there is no image, which [`open`] rules out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether images are stored with loss (JPEG), without, or some of each; by extension. JPEG
    /// artefacts shift features, so a set with and a set without them are not comparable.
    pub fn lossy(&self) -> BTreeSet<bool> {
        let jpeg = |path: &Path| {
            let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
            extension == "jpg" || extension == "jpeg"
        };
        match &self.items {
            Items::Files(paths) => paths.iter().map(|p| jpeg(p)).collect(),
            Items::Zip { names, .. } => names.iter().map(|n| jpeg(Path::new(n))).collect(),
            Items::Pixels { .. } => BTreeSet::new(),
        }
    }

    /// The images of `range`, decoded in parallel on the current pool.
    ///
    /// # Errors
    /// For the first image in order that cannot be read or decoded, naming it.
    pub fn load(&self, range: std::ops::Range<usize>) -> Result<Vec<Picture>> {
        // Rayon gives any of several errors, so the first one is chosen afterwards.
        let decoded: Vec<Result<Picture>> = match &self.items {
            Items::Files(paths) => {
                let picture = |path: &PathBuf| {
                    let bytes = std::fs::read(path).map_err(FileError::io("read", path))?;
                    self.picture(&bytes, path)
                };
                paths[range].par_iter().map(picture).collect()
            }
            Items::Zip { container, names } => {
                let names = &names[range];
                let mut container = container.lock().unwrap_or_else(PoisonError::into_inner);
                let encoded = names.iter().map(|name| container.read(name));
                let encoded = encoded.collect::<Result<Vec<_>>>()?;
                let pairs = names.par_iter().zip(&encoded);
                let inside = |name: &String| PathBuf::from(format!("{}: {name}", self.label));
                pairs.map(|(name, bytes)| self.picture(bytes, &inside(name))).collect()
            }
            &Items::Pixels { width, height, ref data } => {
                let images = data.chunks_exact(3 * width * height);
                let wanted = images.skip(range.start).take(range.len());
                let picture = |planes: &[u8]| Picture { width, height, planes: planes.to_vec() };
                wanted.map(|planes| Ok(self.cropped(picture(planes)))).collect()
            }
        };
        decoded.into_iter().collect()
    }

    fn picture(&self, bytes: &[u8], path: &Path) -> Result<Picture> {
        Ok(self.cropped(decode_picture(bytes, path, self.drop_alpha)?))
    }

    fn cropped(&self, picture: Picture) -> Picture {
        let Some(side) = self.crop else { return picture };
        let mut planes = vec![0u8; 3 * side * side];
        picture.fit(side, &mut planes);
        Picture { width: side, height: side, planes }
    }

    /// SHA-256 of all content in order, with what is done to it before the extractor.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn content_hash(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        hasher.update(format!("drop_alpha {} crop {:?}", self.drop_alpha, self.crop));
        let mut add = |path: &Path| {
            std::fs::read(path)
                .map_err(FileError::io("read", path))
                .map(|bytes| hasher.update_piece(bytes))
        };
        match &self.items {
            Items::Files(paths) => paths.iter().try_for_each(|path| add(path))?,
            // A second look at the file leaves this container's limit alone.
            Items::Zip { .. } => add(Path::new(&self.label))?,
            Items::Pixels { width, height, data } => {
                hasher.update_piece(format!("{width}x{height}"));
                hasher.update_piece(data);
            }
        }
        Ok(hasher.hex())
    }
}
