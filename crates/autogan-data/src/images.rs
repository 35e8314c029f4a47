//! [`Images`] holds a set of square RGB images in memory. Every dataset returns one.

use std::borrow::Cow;
use std::sync::OnceLock;

use autogan_files::Sha256;
use rayon::prelude::*;

use crate::error::{DataError, Result};
use crate::resize::resize_plane;

/// `n` square RGB images, u8 in `[0, 255]`, laid out `[N, 3, side, side]`, with optional labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    name: String,
    description: String,
    side: usize,
    data: Vec<u8>,
    labels: Option<Vec<u8>>,
    classes: Vec<String>,
    hash: KnownHash,
}

/// The hash of images once it was asked for. It follows from the images, so it makes no difference between two sets.
#[derive(Debug, Clone, Default)]
struct KnownHash(OnceLock<String>);

impl PartialEq for KnownHash {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KnownHash {}

impl Images {
    /// Wraps a buffer `[N, 3, side, side]` of u8 RGB planes.
    ///
    /// `labels` are indices into `classes`; `classes` may be empty only without labels.
    ///
    /// # Errors
    /// When the buffer is no whole number of images, the number of labels is not the number of
    /// images, or a label has no class.
    pub fn new(
        name: impl Into<String>,
        side: usize,
        data: Vec<u8>,
        labels: Option<Vec<u8>>,
        classes: Vec<String>,
    ) -> Result<Self> {
        let len = 3 * side * side;
        if side == 0 || !data.len().is_multiple_of(len) {
            return Err(DataError::mismatch(
                "image buffer",
                format!("a multiple of 3*{side}*{side} = {len} bytes, side at least 1"),
                format!("{} bytes", data.len()),
            ));
        }
        let n = data.len() / len;
        if let Some(labels) = &labels {
            if labels.len() != n {
                let expected = format!("one for each of {n} images");
                let found = format!("{} labels", labels.len());
                return Err(DataError::mismatch("labels", expected, found));
            }
            if let Some(&bad) = labels.iter().find(|&&l| usize::from(l) >= classes.len()) {
                let expected = format!("below the number of classes, {}", classes.len());
                return Err(DataError::mismatch("labels", expected, format!("label {bad}")));
            }
        }
        let name = name.into();
        let description = format!("{name}: {n} images of {side}x{side}");
        Ok(Self { name, description, side, data, labels, classes, hash: KnownHash::default() })
    }

    /// Replaces the one-line description (where the images come from, for logs).
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.data.len() / self.image_len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Height and width in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Bytes of one image, `3 * side * side`.
    pub fn image_len(&self) -> usize {
        3 * self.side * self.side
    }

    /// All pixels, `[N, 3, side, side]`, u8.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Image `index` as `[3, side, side]`, or `None` past the end.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        let len = self.image_len();
        let start = index.checked_mul(len)?;
        self.data.get(start..start.checked_add(len)?)
    }

    /// One label per image, if the dataset has labels.
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// Names of the classes that labels index; empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The dataset's name, such as `cifar10`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for logs: name, split, number, side and source.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// SHA-256 over number, side, labels and pixels, as 64 hexadecimal digits.
    ///
    /// Two sets with the same hash give the same training run; names and descriptions do not
    /// enter, so the same data from another directory or container hashes the same.
    pub fn content_hash(&self) -> String {
        self.hash.0.get_or_init(|| self.compute_hash()).clone()
    }

    fn compute_hash(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update((self.len() as u64).to_le_bytes());
        hasher.update((self.side as u64).to_le_bytes());
        match &self.labels {
            Some(labels) => {
                hasher.update([1]);
                hasher.update(labels);
            }
            None => hasher.update([0]),
        }
        hasher.update(&self.data);
        hasher.hex()
    }

    /// The images at `indices`, in that order; an index may repeat.
    ///
    /// # Errors
    /// When an index is not below [`len`](Self::len).
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        let mut data = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            data.extend_from_slice(self.image(index).ok_or_else(|| self.past_end(index))?);
        }
        let labels = self.labels.as_ref().map(|all| {
            let pick = |&index: &usize| all.get(index).copied();
            indices.iter().filter_map(pick).collect()
        });
        Ok(Self {
            name: self.name.clone(),
            description: format!("{} (a subset of {})", self.description, indices.len()),
            side: self.side,
            data,
            labels,
            classes: self.classes.clone(),
            hash: KnownHash::default(),
        })
    }

    /// Keeps the first `count` images; all when there are no more than that.
    pub fn truncate(&mut self, count: usize) {
        if count < self.len() {
            self.hash = KnownHash::default();
            self.data.truncate(count * self.image_len());
            if let Some(labels) = &mut self.labels {
                labels.truncate(count);
            }
        }
    }

    /// Resizes every image to `side` as Pillow's `Image.resize(.., BILINEAR)` does, bit for bit
    /// (see [`resize_plane`]); borrows when the side is that already.
    ///
    /// # Errors
    /// When `side` is 0.
    pub fn resize(&self, side: usize) -> Result<Cow<'_, Self>> {
        if side == 0 {
            return Err(DataError::mismatch("side", "at least 1 pixel", "0"));
        }
        if side == self.side {
            return Ok(Cow::Borrowed(self));
        }
        let from = self.side;
        let mut data = vec![0u8; self.len() * 3 * side * side];
        data.par_chunks_mut(side * side)
            .zip(self.data.par_chunks(from * from))
            .for_each(|(out, plane)| resize_plane(plane, (from, from), out, (side, side)));
        Ok(Cow::Owned(Self {
            name: self.name.clone(),
            description: format!("{} (resized to {side}x{side})", self.description),
            side,
            data,
            labels: self.labels.clone(),
            classes: self.classes.clone(),
            hash: KnownHash::default(),
        }))
    }

    /// Copies the images at `indices` into `out`, `[indices.len(), 3, side, side]`, u8.
    ///
    /// # Errors
    /// When an index is past the end or `out` has another length.
    pub fn fill_u8(&self, indices: &[usize], out: &mut [u8]) -> Result<()> {
        let want = indices.len() * self.image_len();
        if out.len() != want {
            let expected = format!("{want} values for {} images", indices.len());
            let found = format!("{} values", out.len());
            return Err(DataError::mismatch("output buffer", expected, found));
        }
        for (&index, out) in indices.iter().zip(out.chunks_mut(self.image_len())) {
            out.copy_from_slice(self.image(index).ok_or_else(|| self.past_end(index))?);
        }
        Ok(())
    }

    /// The images at `indices`, `[indices.len(), 3, side, side]`, f32 in `[-1, 1]`: see [`normalise`].
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn gather_f32(&self, indices: &[usize]) -> Result<Vec<f32>> {
        let mut out = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            let image = self.image(index).ok_or_else(|| self.past_end(index))?;
            out.extend(image.iter().map(|&x| normalise(x)));
        }
        Ok(out)
    }

    /// The labels at `indices`.
    ///
    /// # Errors
    /// When there are no labels or an index is past the end.
    pub fn gather_labels(&self, indices: &[usize]) -> Result<Vec<u8>> {
        let labels = self.labels.as_ref().ok_or_else(|| {
            DataError::mismatch("labels", "a dataset with labels", format!("{} without", self.name))
        })?;
        let pick = |&index: &usize| labels.get(index).copied().ok_or(self.past_end(index));
        indices.iter().map(pick).collect()
    }

    fn past_end(&self, index: usize) -> DataError {
        let expected = format!("below the number of images, {}", self.len());
        DataError::mismatch("image index", expected, index.to_string())
    }
}

/// Converts u8 in `[0, 255]` to f32 in `[-1, 1]`: `(x / 255 - 0.5) / 0.5`, each step rounded to f32 as torchvision's
/// `ToTensor` and `Normalize` do in the released code.
pub fn normalise(x: u8) -> f32 {
    (f32::from(x) / 255.0 - 0.5) / 0.5
}
