//! This module draws architectures in the manner of the paper's figure 3.

mod figure;
mod glyph;
mod view;

use autogan_space::GeneratorShape;

pub use figure::{arch_svg, arch_svg_file};
pub use glyph::arch_glyph;
pub use view::{ArchView, CellView, OpKind, OpView, SkipView};

/// The style sheet of the drawings, light and dark.
pub const ARCH_CSS: &str = include_str!("arch.css");

/// What a drawing needs to know beside the architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawing {
    /// The sizes of the generator.
    pub shape: GeneratorShape,
    /// Skips start after the skips of their own cell were added, as in the released code.
    pub tap_after_add: bool,
    /// A pre-activation half upsamples before norm and ReLU, as in the paper's figure 2.
    pub upsample_first: bool,
}

impl Drawing {
    /// The sizes of the paper for CIFAR-10, skips tapped before they are added, norm first.
    pub const PAPER: Drawing = Drawing {
        shape: GeneratorShape { latent: 128, width: 256, bottom: 4 },
        tap_after_add: false,
        upsample_first: false,
    };
}
