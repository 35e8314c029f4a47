//! [`Images`] have their channels last, in memory that vectors read without crossing cache lines.

use std::ops::{Deref, DerefMut};

use crate::error::{Result, bail};

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A slice of `f32` that begins at a cache line.
#[derive(Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }

    /// At least `len` elements of memory that is used again and again.
    pub(super) fn room(&mut self, len: usize) -> &mut [f32] {
        if self.len < len {
            *self = Self::zeros(len);
        }
        &mut self[..len]
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: lines are sixteen f32 each without padding, and `len` is at most sixteen times their number.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Number and sides of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Images.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Shape {
    /// Pixels of all images.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.n * self.h * self.w
    }
}

/// Channels of images `[n, h, w, pitch]`, to be read: pixel (i, y, x) begins at `((i · h + y) · w + x) · pitch`.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    pub(super) data: &'a [f32],
    pub(super) shape: Shape,
    pub(super) channels: usize,
    pub(super) pitch: usize,
}

impl<'a> Images<'a> {
    /// `channels` channels from channel `first` on, of memory with `pitch` elements a pixel.
    ///
    /// # Errors
    /// When the memory is too short, or the channels do not fit into a pixel.
    pub fn new(
        data: &'a [f32],
        shape: Shape,
        pitch: usize,
        (first, channels): (usize, usize),
    ) -> Result<Self> {
        check(data.len(), shape, pitch, (first, channels))?;
        Ok(Self { data: &data[first..], shape, channels, pitch })
    }
}

/// Channels of images, to be written; laid out as [`Images`].
pub struct ImagesMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) shape: Shape,
    pub(super) channels: usize,
    pub(super) pitch: usize,
}

impl<'a> ImagesMut<'a> {
    /// `channels` channels from channel `first` on, of memory with `pitch` elements a pixel.
    ///
    /// # Errors
    /// As [`Images::new`].
    pub fn new(
        data: &'a mut [f32],
        shape: Shape,
        pitch: usize,
        (first, channels): (usize, usize),
    ) -> Result<Self> {
        check(data.len(), shape, pitch, (first, channels))?;
        Ok(Self { data: &mut data[first..], shape, channels, pitch })
    }

    /// Splits the memory into runs of pixels; `counts` sum up to all pixels.
    pub(super) fn split(self, counts: impl IntoIterator<Item = usize>) -> Vec<&'a mut [f32]> {
        let mut rest = self.data;
        let mut parts = Vec::new();
        for count in counts {
            let at = (count * self.pitch).min(rest.len());
            let (part, after) = rest.split_at_mut(at);
            parts.push(part);
            rest = after;
        }
        parts
    }
}

fn check(len: usize, shape: Shape, pitch: usize, (first, channels): (usize, usize)) -> Result<()> {
    if channels == 0 || first + channels > pitch || shape.pixels() == 0 {
        bail!(
            "images: expected channels and pixels, and channels {first} + {channels} within {pitch}"
        );
    }
    if len < shape.pixels() * pitch {
        bail!("images: expected {} elements, found {len}", shape.pixels() * pitch);
    }
    Ok(())
}
