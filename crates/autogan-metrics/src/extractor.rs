//! The seam between images and scores.

use candle_core::{DType, Tensor};

use crate::{Error, Matrix, Result};

/// What an extractor makes of a batch.
#[derive(Debug, Clone)]
pub struct Extracted {
    /// Features `[N, D]`, `f32`, for the Fréchet distance, KID, precision and recall.
    pub features: Tensor,
    /// Logits `[N, K]`, `f32`, for the Inception Score.
    pub logits: Tensor,
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

    /// Number of classes `K`.
    fn classes(&self) -> usize;

    /// Features and logits of `images`, `u8` of shape `[N, 3, H, W]`, RGB in `0..=255`, on the CPU
    /// or on the extractor's device, where the results are.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the images are `u8` `[N, 3, H, W]` with N, H, W above 0;
    /// [`Error::Candle`] when an operator fails.
    fn extract(&self, images: &Tensor) -> Result<Extracted>;
}

/// Checks that `images` is `u8` `[N, 3, H, W]` without an empty axis, and returns `(N, H, W)`.
///
/// # Errors
/// [`Error::Shape`] with what was found.
pub fn check_images(images: &Tensor) -> Result<(usize, usize, usize)> {
    match (images.dtype(), images.dims()) {
        (DType::U8, &[n, 3, h, w]) if n > 0 && h > 0 && w > 0 => Ok((n, h, w)),
        (dtype, dims) => Err(Error::Shape {
            what: "images".into(),
            expected: "u8 [N, 3, H, W] with N, H, W above 0".into(),
            found: format!("{} {dims:?}", dtype.as_str()),
        }),
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
        return Err(Error::Config { what: "batch", expected: "at least 1", found: "0".into() });
    }
    let (n, _, _) = check_images(images)?;
    let mut features = Matrix::empty(extractor.dims());
    let mut logits = Matrix::empty(extractor.classes());
    for start in (0..n).step_by(batch) {
        let part = images.narrow(0, start, batch.min(n - start))?;
        let out = extractor.extract(&part)?;
        features.push_tensor(&out.features)?;
        logits.push_tensor(&out.logits)?;
    }
    Ok((features, logits))
}
