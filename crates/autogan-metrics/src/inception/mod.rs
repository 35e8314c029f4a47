//! This module holds Inception-v3, the network of 2015-12-05 behind all published IS and FID figures.
//!
//! It is the network of TensorFlow's `inception-2015-12-05.tgz` in the PyTorch form that
//! pytorch-fid and torch-fidelity share: 94 blocks of convolution, batch norm (eps 1e-3) and ReLU,
//! 1008 logits, and three differences from torchvision's: average pools that do not count padding
//! in the A, C and first E blocks, and a max pool in the last E block. Szegedy et al. 2015,
//! *Rethinking the Inception Architecture for Computer Vision* (arXiv 1512.00567).
//!
//! A [`Preset`] fixes what surrounds the network: how images are resized and scaled.

mod evaluate;
mod extractor;
mod layout;
mod network;
mod preset;
pub mod resize;
mod weights;

pub use extractor::{InceptionV3, Tap};
pub use layout::tensor_shapes;
pub use preset::{INCEPTION, Preset};
pub use weights::{WeightsCheck, WrongTensor, check_weights};

/// Side of the images that the network sees.
pub const SIDE: usize = 299;

/// Number of logits.
pub const CLASSES: usize = 1008;

/// SHA-256 of the weight files whose scores are comparable with published ones: the original
/// `pt_inception-2015-12-05-6726825d.pth`, and its copy as safetensors.
pub const KNOWN_WEIGHTS: [&str; 2] = [
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "b7a528bf4051f62c057bc14657865abf180a23eb1748d00ff0933d84698202ed",
];
