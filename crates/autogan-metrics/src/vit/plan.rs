//! A [`VitPlan`] holds the sizes of a vision transformer, and the family that decides the rest.

use super::layers::Activation;
use crate::module::IMAGENET;

/// The families of networks, which differ in norms, activations, preparation of images, and names in a weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// DINOv2: GELU, scaled branches; the features are the class token behind the last norm.
    Dinov2,
    /// CLIP's image tower: quick GELU, a norm before the blocks; the features are projected and have length 1.
    Clip,
}

impl Family {
    /// Epsilon of the norms.
    pub(super) fn epsilon(self) -> f32 {
        match self {
            Family::Dinov2 => 1e-6,
            Family::Clip => 1e-5,
        }
    }

    pub(super) fn activation(self) -> Activation {
        match self {
            Family::Dinov2 => Activation::Gelu,
            Family::Clip => Activation::QuickGelu,
        }
    }

    /// Mean and deviation of red, green and blue, by which images in [0, 1] are normalised.
    pub(super) fn normalisation(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Family::Dinov2 => (IMAGENET.0.map(|v| v as f32), IMAGENET.1.map(|v| v as f32)),
            Family::Clip => (
                [0.481_454_66, 0.457_827_5, 0.408_210_73],
                [0.268_629_54, 0.261_302_6, 0.275_777_1],
            ),
        }
    }

    /// Whether the middle square is taken of an image; else it is squeezed.
    pub(super) fn crops(self) -> bool {
        self == Family::Clip
    }
}

/// The sizes of a vision transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VitPlan {
    /// Name of the extractor.
    pub name: &'static str,
    /// What decides everything but the sizes.
    pub family: Family,
    /// Side of the images that the network sees, a multiple of `patch`.
    pub side: usize,
    /// Side of a patch.
    pub patch: usize,
    /// Patches along a side for which there are position embeddings; they are interpolated where `side` has others.
    pub grid: usize,
    /// Channels of a token, a multiple of `heads`.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Heads of the attention.
    pub heads: usize,
    /// Number of features: the width, or what CLIP projects to.
    pub outputs: usize,
}

impl VitPlan {
    /// DINOv2 with 14x14 patches, trained at 518 pixels and evaluated at 224.
    const fn dinov2(name: &'static str, width: usize, depth: usize, heads: usize) -> Self {
        let (side, patch, grid) = (224, 14, 37);
        let (family, outputs) = (Family::Dinov2, width);
        Self { name, family, side, patch, grid, width, depth, heads, outputs }
    }

    /// Patches along a side of the images.
    pub(super) fn patches(&self) -> usize {
        self.side / self.patch
    }

    /// Tokens of an image: the class token and the patches.
    pub(super) fn tokens(&self) -> usize {
        1 + self.patches() * self.patches()
    }

    /// Channels inside of a block's second branch.
    pub(super) fn hidden(&self) -> usize {
        4 * self.width
    }
}

/// DINOv2 ViT-S/14, 384 features.
pub const DINOV2_VITS14: VitPlan = VitPlan::dinov2("dinov2-vits14", 384, 12, 6);

/// DINOv2 ViT-B/14, 768 features.
pub const DINOV2_VITB14: VitPlan = VitPlan::dinov2("dinov2-vitb14", 768, 12, 12);

/// DINOv2 ViT-L/14, 1024 features: the network of FD-DINOv2.
pub const DINOV2_VITL14: VitPlan = VitPlan::dinov2("dinov2-vitl14", 1024, 24, 16);

/// CLIP ViT-B/32, 512 features.
pub const CLIP_VIT_B32: VitPlan = VitPlan {
    name: "clip-vit-b32",
    family: Family::Clip,
    side: 224,
    patch: 32,
    grid: 7,
    width: 768,
    depth: 12,
    heads: 12,
    outputs: 512,
};

/// CLIP ViT-L/14 at 336 pixels, 768 features: the network of CMMD.
pub const CLIP_VIT_L14_336: VitPlan = VitPlan {
    name: "clip-vit-l14-336",
    family: Family::Clip,
    side: 336,
    patch: 14,
    grid: 24,
    width: 1024,
    depth: 24,
    heads: 16,
    outputs: 768,
};

/// Every network that has a name.
pub const PLANS: [VitPlan; 5] =
    [DINOV2_VITS14, DINOV2_VITB14, DINOV2_VITL14, CLIP_VIT_B32, CLIP_VIT_L14_336];
