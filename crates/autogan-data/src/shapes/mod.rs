//! The embedded dataset `shapes` has ten classes of shapes and textures, drawn by code.
//!
//! It is made to be learnt in minutes: objects fill 60 to 90 % of the side, edges are anti-aliased, backgrounds are
//! soft, and object and background always differ in brightness. Image `i` of a split depends on `(seed, split, i)`
//! only, so any count, any order and any number of threads give the same bits. Every ten images in a row hold each
//! class once.

mod canvas;
mod palette;
mod sdf;

use std::ops::Range;

use rayon::prelude::*;

use crate::draw::{keyed, shuffle};
use crate::error::{DataError, Result};
use crate::images::Images;
use crate::registry::{DatasetSpec, LoadOptions};
use crate::split::Split;

pub use palette::{MIN_CONTRAST, luma};

/// Height and width of every image, in pixels.
pub const SIDE: usize = 32;

/// Bytes of one image, `[3, 32, 32]`.
pub const IMAGE_LEN: usize = 3 * SIDE * SIDE;

/// The classes, in the order of their labels.
pub const CLASSES: [&str; 10] =
    ["disk", "ring", "square", "triangle", "plus", "star", "stripes", "checker", "dots", "circles"];

/// Images of the training split when no count is asked for.
pub const TRAIN_COUNT: usize = 20_000;

/// Images of the test split when no count is asked for.
pub const TEST_COUNT: usize = 4_000;

/// The dataset's entry in the registry.
pub const SPEC: DatasetSpec = DatasetSpec {
    name: "shapes",
    summary: "ten classes of shapes and textures, drawn by code from a seed; needs no files",
    side: Some(SIDE),
    published: None,
    load,
};

fn load(options: &LoadOptions) -> Result<Images> {
    if let Some(dir) = &options.dir {
        let expected = "none, since shapes is drawn by code (or the name of another dataset)";
        return Err(DataError::mismatch("directory", expected, dir.display().to_string()));
    }
    let usual = match options.split {
        Split::Train => TRAIN_COUNT,
        Split::Test => TEST_COUNT,
    };
    let count = options.count.unwrap_or(usual) as u64;
    generate(options.seed, options.split, 0..count)
}

/// Draws the images `range` of a split, in parallel, with their labels.
///
/// # Errors
/// None in practice; the signature is that of every source of [`Images`].
pub fn generate(seed: u64, split: Split, range: Range<u64>) -> Result<Images> {
    let count = range.end.saturating_sub(range.start) as usize;
    let mut data = vec![0u8; count * IMAGE_LEN];
    let labels = data
        .par_chunks_mut(IMAGE_LEN)
        .enumerate()
        .map(|(place, image)| draw(seed, split, range.start + place as u64, image))
        .collect();
    let classes = CLASSES.map(String::from).to_vec();
    let images = Images::new("shapes", SIDE, data, Some(labels), classes)?;
    Ok(images.described(format!(
        "shapes ({split}): {count} images of {SIDE}x{SIDE}, drawn from seed {seed}"
    )))
}

/// Draws image `index` of a split into `image`, `[3, 32, 32]` u8 RGB, and returns its label.
///
/// A shorter `image` is filled as far as it goes.
pub fn draw(seed: u64, split: Split, index: u64, image: &mut [u8]) -> u8 {
    let label = label(seed, split, index);
    let mut rng = keyed(b"autogan shapes", seed, salt(split), index);
    let scene = canvas::Scene::random(usize::from(label), &mut rng);
    scene.paint(image);
    label
}

/// The class of image `index`: of every ten images in a row, each has another class, in a shuffled order.
pub fn label(seed: u64, split: Split, index: u64) -> u8 {
    let mut classes: [u8; CLASSES.len()] = std::array::from_fn(|class| class as u8);
    let tens = classes.len() as u64;
    let mut rng = keyed(b"autogan labels", seed, salt(split), index / tens);
    shuffle(&mut rng, &mut classes);
    classes[(index % tens) as usize]
}

fn salt(split: Split) -> u64 {
    match split {
        Split::Train => 0,
        Split::Test => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn the_same_bits_for_any_number_of_threads_and_any_range() {
        let all = pool(1).install(|| generate(7, Split::Train, 0..60)).unwrap();
        let again = pool(3).install(|| generate(7, Split::Train, 0..60)).unwrap();
        assert_eq!(all, again);
        let part = generate(7, Split::Train, 25..60).unwrap();
        assert_eq!(part.data(), &all.data()[25 * IMAGE_LEN..]);
        assert_eq!(part.labels(), all.labels().map(|l| &l[25..]));
    }

    #[test]
    fn seed_split_and_index_all_matter() {
        let one = |seed, split, index| {
            let mut image = vec![0; IMAGE_LEN];
            draw(seed, split, index, &mut image);
            image
        };
        let base = one(0, Split::Train, 0);
        assert_ne!(base, one(1, Split::Train, 0));
        assert_ne!(base, one(0, Split::Test, 0));
        assert_ne!(base, one(0, Split::Train, 1));
    }

    #[test]
    fn classes_are_balanced_and_not_in_order() {
        let images = generate(3, Split::Test, 0..500).unwrap();
        let labels = images.labels().unwrap();
        for ten in labels.chunks(10) {
            let mut sorted = ten.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<u8>>());
        }
        assert_ne!(labels[..10], labels[10..20]);
    }

    #[test]
    fn no_two_images_are_alike_and_every_image_has_contrast() {
        let images = generate(0, Split::Train, 0..400).unwrap();
        let mut seen = std::collections::HashSet::new();
        let area = SIDE * SIDE;
        for index in 0..images.len() {
            let image = images.image(index).unwrap();
            assert!(seen.insert(image.to_vec()), "image {index} occurs twice");
            let luma: Vec<f32> = (0..area)
                .map(|p| luma([0, 1, 2].map(|c| f32::from(image[c * area + p]) / 255.0)))
                .collect();
            let mean = luma.iter().sum::<f32>() / area as f32;
            let deviation =
                (luma.iter().map(|l| (l - mean).powi(2)).sum::<f32>() / area as f32).sqrt();
            let label = CLASSES[usize::from(images.labels().unwrap()[index])];
            assert!(deviation > 0.08, "image {index} ({label}): {deviation}");
        }
    }
}
