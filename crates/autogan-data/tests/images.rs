//! The type `Images`: construction, subsets, buffers, hash; and the bits of the embedded dataset.
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use autogan_data::{Images, Split, normalise, shapes};

fn numbered(n: usize, side: usize) -> Images {
    let data = (0..n * 3 * side * side).map(|i| (i % 251) as u8).collect();
    let labels = (0..n).map(|i| (i % 3) as u8).collect();
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    Images::new("numbered", side, data, Some(labels), classes).unwrap()
}

#[test]
fn a_buffer_that_does_not_fit_is_refused() {
    let new = |side, len, labels: Option<Vec<u8>>| {
        let made = Images::new("x", side, vec![0; len], labels, vec!["a".into()]);
        made.map_err(|error| error.to_string())
    };
    assert_eq!(new(2, 24, Some(vec![0, 0])).unwrap().len(), 2);
    assert!(new(2, 23, None).unwrap_err().contains("multiple of 3*2*2 = 12"));
    assert!(new(0, 0, None).is_err());
    assert!(new(2, 24, Some(vec![0])).unwrap_err().contains("each of 2 images, found 1"));
    assert!(new(2, 12, Some(vec![1])).unwrap_err().contains("found label 1"));
    assert!(new(2, 0, None).unwrap().is_empty());
}

#[test]
fn subsets_and_buffers_follow_the_indices() {
    let images = numbered(5, 4);
    let subset = images.subset(&[4, 0, 4]).unwrap();
    assert_eq!(subset.labels().unwrap(), [1, 0, 1]);
    assert_eq!(subset.image(0), images.image(4));
    assert_eq!(subset.image(1), images.image(0));
    assert_eq!(images.gather_labels(&[4, 0, 4]).unwrap(), [1, 0, 1]);
    let mut bytes = vec![0; 3 * 48];
    images.fill_u8(&[4, 0, 4], &mut bytes).unwrap();
    assert_eq!(bytes, subset.data());
    let floats = images.gather_f32(&[4, 0, 4]).unwrap();
    assert!(floats.iter().zip(&bytes).all(|(&f, &b)| f == normalise(b)));
    for error in [
        images.subset(&[5]).unwrap_err(),
        images.fill_u8(&[5], &mut bytes[..48]).unwrap_err(),
        images.gather_f32(&[usize::MAX]).unwrap_err(),
        images.gather_labels(&[9]).unwrap_err(),
    ] {
        assert!(error.to_string().contains("below the number of images, 5"), "{error}");
    }
    assert!(images.fill_u8(&[1, 2], &mut bytes).is_err());
    let mut first = images.clone();
    first.truncate(2);
    assert_eq!(first.data(), images.subset(&[0, 1]).unwrap().data());
    assert_eq!(first.labels().unwrap(), [0, 1]);
    first.truncate(10);
    assert_eq!(first.len(), 2);
}

#[test]
fn pixels_go_to_minus_one_and_one() {
    assert_eq!((normalise(0), normalise(255)), (-1.0, 1.0));
    assert!((normalise(128) - (128.0 / 127.5 - 1.0)).abs() < 1e-6);
    assert!((0..255).all(|x| normalise(x) < normalise(x + 1)));
}

#[test]
fn the_hash_is_of_the_content_alone() {
    let images = numbered(4, 4);
    let hash = images.content_hash();
    let mut fewer = images.clone();
    fewer.truncate(1);
    assert_ne!(fewer.content_hash(), hash, "the hash of before is forgotten");
    assert_eq!(hash.len(), 64);
    assert_eq!(images.clone().described("elsewhere").content_hash(), hash);
    let mut others = vec![
        images.subset(&[0, 1, 2]).unwrap(),
        images.subset(&[1, 0, 2, 3]).unwrap(),
        images.resize(2).unwrap().into_owned(),
        Images::new("x", 4, images.data().to_vec(), None, vec![]).unwrap(),
    ];
    let mut data = images.data().to_vec();
    data[100] ^= 1;
    let labels = images.labels().map(<[u8]>::to_vec);
    others.push(Images::new("x", 4, data, labels, images.classes().to_vec()).unwrap());
    for other in others {
        assert_ne!(other.content_hash(), hash);
    }
}

#[test]
fn resizing_keeps_labels_and_refuses_nothing_at_all() {
    let images = numbered(3, 8);
    let small = images.resize(4).unwrap();
    assert_eq!((small.len(), small.side()), (3, 4));
    assert_eq!(small.labels(), images.labels());
    assert!(matches!(images.resize(8).unwrap(), std::borrow::Cow::Borrowed(_)));
    assert!(images.resize(0).is_err());
}

/// The scorer's weights under `models/` were trained on these bits: a change of the drawing
/// code that moves any of them must come with new weights.
#[test]
fn the_embedded_dataset_is_these_bits() {
    const TRAIN: &str = "d08295ee04a4ad21677e812c57fa81c121c3c23a20a6081b968c3a4576bb7470";
    const TEST: &str = "ec5f92b1edb5423e2d2abcb6a0bf722fb7d0433e61f00a007bca3bb7c17ddf44";
    let train = shapes::generate(0, Split::Train, 0..200).unwrap();
    let test = shapes::generate(0, Split::Test, 0..200).unwrap();
    let hashes = [train.content_hash(), test.content_hash()];
    assert_eq!(hashes, [TRAIN, TEST]);
}
