//! A [`Problem`] holds the sizes of one convolution.

use crate::error::{Result, bail};

/// Stride and zero padding of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Step between two outputs, in both directions.
    pub stride: usize,
    /// Rows of zeros above and below.
    pub pad_h: usize,
    /// Columns of zeros left and right.
    pub pad_w: usize,
}

/// One convolution: `x [n, ci, h, w]`, `w [co, ci, kh, kw]`, `y [n, co, ho, wo]`.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Images.
    pub n: usize,
    /// Input channels.
    pub ci: usize,
    /// Rows of an input.
    pub h: usize,
    /// Columns of an input.
    pub w: usize,
    /// Output channels.
    pub co: usize,
    /// Rows of a kernel.
    pub kh: usize,
    /// Columns of a kernel.
    pub kw: usize,
    /// Rows of an output.
    pub ho: usize,
    /// Columns of an output.
    pub wo: usize,
    /// Stride and padding.
    pub geometry: ConvGeometry,
}

impl Problem {
    /// The convolution of an input of shape `x` with a weight of shape `w`, for the operator `op`.
    ///
    /// # Errors
    /// When the shapes are not those of images and kernels or do not fit each other, or a size is 0 that may not be.
    pub fn new(op: &str, x: &[usize], w: &[usize], geometry: ConvGeometry) -> Result<Self> {
        let &[n, ci, h, width] = x else {
            bail!("{op}: expected an input of shape [N, C, H, W], found {x:?}");
        };
        let &[co, wi, kh, kw] = w else {
            bail!("{op}: expected a weight of shape [Cout, Cin, kh, kw], found {w:?}");
        };
        if wi != ci {
            bail!("{op}: the weight takes {wi} channels, the input has {ci}");
        }
        if ci == 0 || co == 0 {
            bail!("{op}: expected at least one input and one output channel, found {ci} and {co}");
        }
        if geometry.stride == 0 || kh == 0 || kw == 0 {
            bail!("{op}: stride and kernel must be at least 1");
        }
        let (ph, pw) = (h + 2 * geometry.pad_h, width + 2 * geometry.pad_w);
        if ph < kh || pw < kw {
            bail!("{op}: a {kh}x{kw} kernel does not fit into a padded image of {ph}x{pw}");
        }
        let (ho, wo) = ((ph - kh) / geometry.stride + 1, (pw - kw) / geometry.stride + 1);
        Ok(Self { n, ci, h, w: width, co, kh, kw, ho, wo, geometry })
    }

    /// Rows of the column matrix.
    pub fn k(&self) -> usize {
        self.ci * self.kh * self.kw
    }

    /// Pixels of one output plane.
    pub fn pixels(&self) -> usize {
        self.ho * self.wo
    }

    /// Elements of one input image.
    pub fn image_in(&self) -> usize {
        self.ci * self.h * self.w
    }

    /// Elements of one output image.
    pub fn image_out(&self) -> usize {
        self.co * self.pixels()
    }

    /// True for a 3x3 kernel at stride 1 with one zero around the image.
    pub fn is_3x3_same(&self) -> bool {
        (self.kh, self.kw) == (3, 3)
            && self.geometry == ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 }
    }
}
