//! This module names the weights of DINOv2 and CLIP on the hub, with the hashes that are published for them.

use crate::PinnedFile;

/// DINOv2 ViT-S/14 of `transformers` (safetensors, 88,249,960 bytes).
pub const DINOV2_SMALL: PinnedFile = PinnedFile::weights(
    "facebook/dinov2-small",
    "ed25f3a31f01632728cabb09d1542f84ab7b0056",
    "model.safetensors",
    "ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1",
);

/// DINOv2 ViT-B/14 of `transformers` (safetensors, 346,345,912 bytes).
pub const DINOV2_BASE: PinnedFile = PinnedFile::weights(
    "facebook/dinov2-base",
    "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
    "model.safetensors",
    "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
);

/// DINOv2 ViT-L/14 of `transformers` (safetensors, 1,217,522,888 bytes).
pub const DINOV2_LARGE: PinnedFile = PinnedFile::weights(
    "facebook/dinov2-large",
    "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
    "model.safetensors",
    "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
);

/// CLIP ViT-B/32, image and text, of `transformers` (605,247,071 bytes). The repository holds no safetensors.
pub const CLIP_VIT_B32: PinnedFile = PinnedFile::weights(
    "openai/clip-vit-base-patch32",
    "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
    "pytorch_model.bin",
    "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
);

/// CLIP ViT-L/14 at 336 pixels, image and text, of `transformers` (1,711,974,081 bytes). The repository holds no
/// safetensors.
pub const CLIP_VIT_L14_336: PinnedFile = PinnedFile::weights(
    "openai/clip-vit-large-patch14-336",
    "ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
    "pytorch_model.bin",
    "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{is_commit, is_hex};

    #[test]
    fn each_file_is_pinned_by_commit_and_hash() {
        for file in [DINOV2_SMALL, DINOV2_BASE, DINOV2_LARGE, CLIP_VIT_B32, CLIP_VIT_L14_336] {
            assert!(is_commit(&file.revision) && is_hex(&file.sha256, 64), "{file}");
        }
    }
}
