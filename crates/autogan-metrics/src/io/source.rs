//! An [`ImageSource`] is a set of images that are decoded as they are needed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use autogan_data::listing::{JPEG_EXTENSIONS, LeftOut};
use autogan_data::{DataError, Picture, decode_picture};
use autogan_files::{Error as FileError, Sha256};
use rayon::prelude::*;

use super::npz::Container;
use super::open::OpenOptions;
use crate::Result;

/// Counts how images are read: with another number, features of earlier versions are made again.
const READING: u32 = 2;

/// A set of images, read as they are needed.
#[derive(Debug)]
pub struct ImageSource {
    label: String,
    items: Items,
    left_out: LeftOut,
    drop_alpha: bool,
    crop: Option<usize>,
}

pub(super) enum Items {
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

impl Items {
    /// The members `names` of an archive.
    pub(super) fn zip(container: Container, names: Vec<String>) -> Self {
        Self::Zip { container: Mutex::new(container), names }
    }
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

impl ImageSource {
    pub(super) fn new(label: &str, items: Items, options: &OpenOptions) -> Self {
        Self {
            label: label.to_string(),
            items,
            left_out: LeftOut::default(),
            drop_alpha: options.drop_alpha,
            crop: options.crop,
        }
    }

    /// The set, with what its folder or archive holds besides.
    pub(super) fn leaving_out(self, left_out: LeftOut) -> Self {
        Self { left_out, ..self }
    }

    /// What the folder or archive holds besides the images of this set, counted by reason.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
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

    /// Whether there is no image, which [`open`](super::open) rules out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether images are stored with loss (JPEG), without, or some of each; by extension. JPEG
    /// artefacts shift features, so a set with and a set without them are not comparable.
    pub fn lossy(&self) -> BTreeSet<bool> {
        let jpeg = |path: &Path| {
            let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
            JPEG_EXTENSIONS.iter().any(|jpeg| extension == *jpeg)
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
    /// When images cannot be read or decoded, naming each of them.
    pub fn load(&self, range: Range<usize>) -> Result<Vec<Picture>> {
        let mut pictures = Vec::with_capacity(range.len());
        let mut faults = Vec::new();
        for decoded in self.load_each(range)? {
            match decoded {
                Ok(picture) => pictures.push(picture),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(pictures) } else { Err(DataError::several(faults).into()) }
    }

    /// The images of `range`, or what is wrong with them, one by one. It fails when the archive that they lie in cannot
    /// be read on.
    pub(super) fn load_each(
        &self,
        range: Range<usize>,
    ) -> Result<Vec<autogan_data::Result<Picture>>> {
        Ok(match &self.items {
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
        })
    }

    fn picture(&self, bytes: &[u8], path: &Path) -> autogan_data::Result<Picture> {
        Ok(self.cropped(decode_picture(bytes, path, self.drop_alpha)?))
    }

    fn cropped(&self, picture: Picture) -> Picture {
        let Some(side) = self.crop else { return picture };
        let mut planes = vec![0u8; 3 * side * side];
        picture.fit(side, &mut planes);
        Picture { width: side, height: side, planes }
    }

    /// SHA-256 of all content in order, with the choice that was made of it and what is done to it before the extractor.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn content_hash(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        let (alpha, crop) = (self.drop_alpha, self.crop);
        hasher.update(format!("reading {READING} drop_alpha {alpha} crop {crop:?}"));
        let mut add = |path: &Path| {
            std::fs::read(path)
                .map_err(FileError::io("read", path))
                .map(|bytes| hasher.update_piece(bytes))
        };
        match &self.items {
            Items::Files(paths) => paths.iter().try_for_each(|path| add(path))?,
            // A second look at the file leaves this container's limit alone.
            Items::Zip { names, .. } => {
                add(Path::new(&self.label))?;
                names.iter().for_each(|name| hasher.update_piece(name));
            }
            Items::Pixels { width, height, data } => {
                hasher.update_piece(format!("{width}x{height}"));
                hasher.update_piece(data);
            }
        }
        Ok(hasher.hex())
    }
}
