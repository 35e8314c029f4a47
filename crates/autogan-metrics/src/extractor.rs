//! A [`FeatureExtractor`] stands between images and scores: it turns images into features and logits.

use candle_core::{DType, Tensor};

use crate::{Error, Matrix, Result};

/// The features and logits that an extractor makes of a batch.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// Features `[N, D]`, `f32`, for the Fréchet distance, KID, precision and recall.
    pub features: Tensor,
    /// Logits `[N, K]`, `f32`, for the Inception Score; K is 0 when the extractor has no classes.
    pub logits: Tensor,
}

/// Features and logits of a set of images, batch after batch.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    /// Features `[N, D]`.
    pub features: Matrix,
    /// Logits `[N, K]`; without columns when the extractor has no classes.
    pub logits: Matrix,
}

impl FeatureSet {
    /// Returns a set without images, with the columns that `extractor` gives.
    pub fn empty(extractor: &dyn FeatureExtractor) -> Self {
        let (dims, classes) = (extractor.dims(), extractor.classes());
        Self { features: Matrix::empty(dims), logits: Matrix::empty(classes) }
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// [`Error::Shape`] when the batch has other columns.
    pub fn push(&mut self, batch: &Extraction) -> Result<()> {
        self.features.push_tensor(&batch.features)?;
        if self.logits.cols() > 0 {
            self.logits.push_tensor(&batch.logits)?;
        }
        Ok(())
    }
}

/// Turns images into features and logits.
///
/// An extractor resizes and normalises by itself, so that its name stands for the whole protocol.
/// The result of an image must not depend on its batch (beyond 1e-5 relative).
pub trait FeatureExtractor: Send + Sync {
    /// Name of the extractor, which labels every score made with it, such as `compact-shapes`.
    fn name(&self) -> &str;

    /// Number of features `D`.
    fn dims(&self) -> usize;

    /// Number of classes `K`; 0 when there are no logits.
    fn classes(&self) -> usize;

    /// SHA-256 of the weight file in lower-case hexadecimal, when the weights came from one or are embedded.
    fn weights_sha256(&self) -> Option<&str> {
        None
    }

    /// Features and logits of `images`, `u8` of shape `[N, 3, H, W]`, RGB in `0..=255`, on the CPU
    /// or on the extractor's device, where the results are.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the images are `u8` `[N, 3, H, W]` with N, H, W above 0;
    /// [`Error::Candle`] when an operator fails.
    fn extract(&self, images: &Tensor) -> Result<Extraction>;
}

/// Checks that `images` is `u8` `[N, 3, H, W]` without an empty axis, and returns `(N, H, W)`.
///
/// # Errors
/// [`Error::Shape`] with what was found.
pub fn check_images(images: &Tensor) -> Result<(usize, usize, usize)> {
    match (images.dtype(), images.dims()) {
        (DType::U8, &[n, 3, h, w]) if n > 0 && h > 0 && w > 0 => Ok((n, h, w)),
        (dtype, dims) => {
            let found = format!("{} {dims:?}", dtype.as_str());
            Err(Error::shape("images", "u8 [N, 3, H, W] with N, H, W above 0", found))
        }
    }
}

/// Features `[N, D]` and logits `[N, K]` of `images`, `u8` `[N, 3, H, W]`, in batches of at most
/// `batch` images.
///
/// # Errors
/// As [`FeatureExtractor::extract`]; [`Error::Config`] for a batch of 0.
pub fn extract_batched(
    extractor: &dyn FeatureExtractor,
    images: &Tensor,
    batch: usize,
) -> Result<(Matrix, Matrix)> {
    if batch == 0 {
        return Err(Error::config("batch", "at least 1", "0"));
    }
    let (n, _, _) = check_images(images)?;
    let mut set = FeatureSet::empty(extractor);
    for start in (0..n).step_by(batch) {
        let part = images.narrow(0, start, batch.min(n - start))?;
        set.push(&extractor.extract(&part)?)?;
    }
    Ok((set.features, set.logits))
}
