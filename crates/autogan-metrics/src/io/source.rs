//! An [`ImageSource`] is a set of images that are decoded as they are needed.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use autogan_data::listing::{JPEG_EXTENSIONS, LeftOut};
use autogan_data::{DataError, Picture, decode_picture, picture_size};
use autogan_files::{Error as FileError, Sha256, sha256_file};
use rayon::prelude::*;

use super::input_error;
use super::npz::Container;
use super::open::OpenOptions;
use super::stream::{RawShape, RawStream};
use crate::Result;

/// Counts how images are read: with another number, features of earlier versions are made again.
const READING: u32 = 3;

/// What became of a picture that was to be decoded.
pub(super) enum Loaded {
    Picture(Picture),
    /// It is larger than its share, and was left alone.
    Large,
    Fault(DataError),
}

/// Pictures in an order, which are decoded as they are needed.
pub(super) trait Pictures: Sync {
    /// Their number, where it is known before all of them are read.
    fn count(&self) -> Option<usize>;

    /// Decodes the pictures of `range` on the current pool, each of which may take `share` bytes of pixels. Pictures in
    /// files come all, in their order; of those whose size is known, fewer may come, and none behind the last one.
    fn load_within(&self, range: Range<usize>, share: usize) -> Result<Vec<Loaded>>;
}

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
    Stream(RawStream),
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
            Items::Stream(stream) => write!(f, "a pipe of {}", stream.shape()),
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

    /// Raw pictures from a pipe, which are read when they are needed, and once; `count` is their number, where it is known
    /// before. With more or fewer of them, extracting their features fails.
    pub fn from_pipe(
        label: &str,
        reader: Box<dyn Read + Send>,
        shape: RawShape,
        count: Option<usize>,
        options: &OpenOptions,
    ) -> Self {
        let items = Items::Stream(RawStream::new(label, reader, shape, count));
        Self::new(label, items, options)
    }

    /// Keeps the pictures of a pipe in a temporary file while they are read, so that they can be read a second time.
    /// Other pictures can be read at any time.
    ///
    /// # Errors
    /// When there can be no temporary file.
    pub fn keep(&self) -> Result<()> {
        match &self.items {
            Items::Stream(stream) => stream.keep(),
            _ => Ok(()),
        }
    }

    /// Whether the pictures come from a pipe.
    pub fn is_pipe(&self) -> bool {
        matches!(self.items, Items::Stream(_))
    }

    /// The input as the user named it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Number of images, at least 1; none for a pipe that was not read to its end and whose number nobody told.
    pub fn count(&self) -> Option<usize> {
        Some(match &self.items {
            Items::Files(paths) => paths.len(),
            Items::Zip { names, .. } => names.len(),
            Items::Pixels { width, height, data } => data.len() / (3 * width * height),
            Items::Stream(stream) => return stream.count(),
        })
    }

    /// Number of images as far as it is known: [`count`](Self::count), or 0.
    pub fn len(&self) -> usize {
        self.count().unwrap_or(0)
    }

    /// Whether no image is known of, which [`open`](super::open) rules out.
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
            Items::Pixels { .. } | Items::Stream(_) => BTreeSet::new(),
        }
    }

    /// The images of `range`, decoded in parallel on the current pool.
    ///
    /// # Errors
    /// When images cannot be read or decoded, naming each of them.
    pub fn load(&self, range: Range<usize>) -> Result<Vec<Picture>> {
        let mut pictures = Vec::with_capacity(range.len());
        let mut faults = Vec::new();
        for loaded in self.load_within(range, usize::MAX)? {
            match loaded {
                Loaded::Picture(picture) => pictures.push(picture),
                Loaded::Fault(fault) => faults.push(fault),
                // No picture is larger than that.
                Loaded::Large => {}
            }
        }
        if faults.is_empty() { Ok(pictures) } else { Err(DataError::several(faults).into()) }
    }

    /// Members of the archive, unpacked one after the other and decoded in parallel. Members are unpacked until they
    /// take the shares of all.
    fn load_members(
        &self,
        container: &Mutex<Container>,
        names: &[String],
        share: usize,
    ) -> Result<Vec<Loaded>> {
        let mut left = share.saturating_mul(names.len());
        let mut container = container.lock().unwrap_or_else(PoisonError::into_inner);
        let mut encoded = Vec::with_capacity(names.len());
        for name in names {
            if left == 0 {
                break;
            }
            let bytes = container.read(name)?;
            left = left.saturating_sub(bytes.len());
            encoded.push(bytes);
        }
        drop(container);
        let pairs = names.par_iter().zip(&encoded);
        let inside = |name: &String| PathBuf::from(format!("{}: {name}", self.label));
        let decode = |(name, bytes): (&String, &Vec<u8>)| self.decode(bytes, &inside(name), share);
        let mut loaded: Vec<Loaded> = pairs.map(decode).collect();
        loaded.resize_with(names.len(), || Loaded::Large);
        Ok(loaded)
    }

    /// Decodes a picture, unless its pixels take more than `share` bytes.
    fn decode(&self, bytes: &[u8], path: &Path, share: usize) -> Loaded {
        let is_large = |(width, height): (usize, usize)| {
            width.saturating_mul(height).saturating_mul(3) > share
        };
        if share < usize::MAX && picture_size(bytes).is_some_and(is_large) {
            return Loaded::Large;
        }
        match self.picture(bytes, path) {
            Ok(picture) => Loaded::Picture(picture),
            Err(fault) => Loaded::Fault(fault),
        }
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
    /// Files are read in parallel.
    ///
    /// # Errors
    /// When a file cannot be read; for a pipe, which is read once.
    pub fn content_hash(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        let (alpha, crop) = (self.drop_alpha, self.crop);
        hasher.update(format!("reading {READING} drop_alpha {alpha} crop {crop:?}"));
        match &self.items {
            Items::Files(paths) => {
                let hashes: Vec<_> = paths.par_iter().map(sha256_file).collect();
                for hash in hashes {
                    hasher.update_piece(hash?);
                }
            }
            // A second look at the file leaves this container's limit alone.
            Items::Zip { names, .. } => {
                hasher.update_piece(sha256_file(&self.label)?);
                names.iter().for_each(|name| hasher.update_piece(name));
            }
            Items::Pixels { width, height, data } => {
                hasher.update_piece(format!("{width}x{height}"));
                hasher.update_piece(data);
            }
            Items::Stream(_) => {
                let help = "keep no features of it";
                return Err(input_error(
                    &self.label,
                    "pictures that can be read twice",
                    "a pipe",
                    help,
                ));
            }
        }
        Ok(hasher.hex())
    }
}

impl Pictures for ImageSource {
    fn count(&self) -> Option<usize> {
        self.count()
    }

    fn load_within(&self, range: Range<usize>, share: usize) -> Result<Vec<Loaded>> {
        Ok(match &self.items {
            Items::Files(paths) => {
                let load = |path: &PathBuf| match std::fs::read(path) {
                    Ok(bytes) => self.decode(&bytes, path, share),
                    Err(error) => Loaded::Fault(FileError::io("read", path)(error).into()),
                };
                paths[range].par_iter().map(load).collect()
            }
            Items::Zip { container, names } => {
                self.load_members(container, &names[range], share)?
            }
            &Items::Pixels { width, height, ref data } => {
                let len = 3 * width * height;
                let room = (share.saturating_mul(range.len()) / len).max(1);
                let images = data.chunks_exact(len).skip(range.start).take(range.len().min(room));
                let picture = |planes: &[u8]| Picture { width, height, planes: planes.to_vec() };
                images.map(|planes| Loaded::Picture(self.cropped(picture(planes)))).collect()
            }
            Items::Stream(stream) => {
                let pictures = stream.read(range, share)?.into_iter();
                pictures.map(|picture| Loaded::Picture(self.cropped(picture))).collect()
            }
        })
    }
}
