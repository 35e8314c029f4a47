//! The targets, in files by what they read.

mod archives;
mod datasets;
mod pictures;
mod runs;
mod texts;
mod weights;
mod writers;

use crate::{Bound, Target, seeds};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn bound(base: usize, each: usize) -> Bound {
    Bound { base, each }
}

/// Every target: its name, what it runs, its bound, the longest input, its seeds.
pub(crate) const ALL: &[Target] = &[
    target("arch", texts::arch, bound(MIB, 64), 256, seeds::texts::arch),
    target("config", texts::config, bound(2 * MIB, 512), 16 * KIB, seeds::texts::config),
    target(
        "safetensors",
        weights::safetensors,
        bound(MIB, 128),
        16 * KIB,
        seeds::weights::safetensors,
    ),
    target("pth-zip", weights::zip, bound(2 * MIB, 512), 16 * KIB, seeds::weights::pth_zip),
    target(
        "pth-pickle",
        weights::pickle_in_zip,
        bound(2 * MIB, 512),
        8 * KIB,
        seeds::weights::pth_pickle,
    ),
    target("pth-legacy", weights::legacy, bound(2 * MIB, 512), 8 * KIB, seeds::weights::pth_legacy),
    target("pickle", weights::pickle, bound(MIB, 512), 8 * KIB, seeds::weights::pickle),
    target("npz", archives::npz, bound(2 * MIB, 4096), 16 * KIB, seeds::archives::npz),
    target("npy", archives::npy, bound(2 * MIB, 64), 16 * KIB, seeds::archives::npy),
    target(
        "zip-of-pictures",
        archives::pictures,
        bound(80 * MIB, 4096),
        16 * KIB,
        seeds::archives::pictures,
    ),
    target("jpeg", pictures::jpeg, pictures::BOUND, 16 * KIB, seeds::pictures::jpeg),
    target("png", pictures::png, pictures::BOUND, 16 * KIB, seeds::pictures::png),
    target("webp", pictures::webp, pictures::BOUND, 16 * KIB, seeds::pictures::webp),
    target("tiff", pictures::tiff, pictures::BOUND, 16 * KIB, seeds::pictures::tiff),
    target("pnm", pictures::pnm, pictures::BOUND, 16 * KIB, seeds::pictures::pnm),
    target("bmp", pictures::bmp, pictures::BOUND, 16 * KIB, seeds::pictures::bmp),
    target(
        "cifar10-binary",
        datasets::cifar10_binary,
        bound(MIB, 8),
        10 * KIB,
        seeds::datasets::cifar10_binary,
    ),
    target(
        "cifar10-python",
        datasets::cifar10_python,
        bound(MIB, 512),
        10 * KIB,
        seeds::datasets::cifar10_python,
    ),
    target("stl10", datasets::stl10, bound(2 * MIB, 16), 100 * KIB, seeds::datasets::stl10),
    target("checkpoint", runs::checkpoint, bound(MIB, 128), 16 * KIB, seeds::runs::checkpoint),
    target("run-sqlite", runs::store, bound(32 * MIB, 512), 100 * KIB, seeds::runs::store),
    target("run-files", runs::files, bound(4 * MIB, 512), 16 * KIB, seeds::runs::files),
    target("dashboard", runs::dashboard, bound(16 * MIB, 512), 4 * KIB, seeds::runs::dashboard),
    target("onnx", writers::onnx, bound(8 * MIB, 512), 16 * KIB, seeds::writers::onnx),
    target(
        "tensorboard",
        writers::tensorboard,
        bound(MIB, 64),
        8 * KIB,
        seeds::writers::tensorboard,
    ),
];

const fn target(
    name: &'static str,
    run: fn(&[u8]) -> bool,
    bound: Bound,
    longest: usize,
    seeds: fn() -> Vec<Vec<u8>>,
) -> Target {
    Target { name, run, bound, longest, seeds }
}

/// Cuts `bytes` in two at the first `mark`, which belongs to neither; the second is empty where there is none.
fn halves(bytes: &[u8], mark: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == mark) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}
