//! This module holds vision transformers that are only evaluated: DINOv2, whose features make FD-DINOv2, and the image
//! tower of CLIP, whose features make CMMD.
//!
//! A [`VitPlan`] says which network it is; a [`Vit`] is the network with its weights, as a
//! [`FeatureExtractor`](crate::FeatureExtractor). Images are prepared as the authors of the scores do it:
//!
//! - DINOv2 (Oquab et al. 2023, arXiv 2304.07193) as `dgm-eval` prepares for FD-DINOv2 (Stein et al. 2023, arXiv
//!   2306.04675; `dgm_eval/models/dinov2.py`): squeezed to 224x224 by torchvision's bicubic resize of PIL images, divided
//!   by 255, normalised by ImageNet's mean and deviation. The features are the class token behind the last norm.
//! - CLIP (Radford et al. 2021, arXiv 2103.00020) as the reference code of CMMD (Jayasumana et al. 2024, arXiv
//!   2401.09603; `cmmd/io_util.py` and `cmmd/embedding.py` of google-research): the middle square, resized by Pillow's
//!   bicubic filter to the side of the network, divided by 255, normalised by CLIP's mean and deviation. The features
//!   are the projected class token, divided by its length.
//!
//! Both resize bytes and round to bytes. Pillow up to 12 resizes columns first, always, and so it is done here.
//!
//! DINOv2 was trained on 37x37 patches and is evaluated on 16x16. Its position embeddings are interpolated as Meta's code
//! does it by default, with the factor 16.1 / 37, not 16 / 37 (`interpolate_offset=0.1`). `transformers` interpolates
//! to the size, which gives slightly other features.

mod extractor;
mod input;
mod layers;
mod network;
mod pillow;
mod plan;
mod position;
mod weights;

pub use extractor::Vit;
pub use plan::{
    CLIP_VIT_B32, CLIP_VIT_L14_336, DINOV2_VITB14, DINOV2_VITL14, DINOV2_VITS14, Family, PLANS,
    VitPlan,
};
