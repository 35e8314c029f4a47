//! Files of datasets with one or two images.

use super::counted;

/// Bytes of an image of CIFAR-10, and of STL-10.
const CIFAR10: usize = 3 * 32 * 32;
const STL10: usize = 3 * 96 * 96;

/// Batches that Python wrote, in several ways.
macro_rules! golden {
    ($($kind:literal),+) => {
        vec![$(include_bytes!(concat!("../../golden/data/cifar10.", $kind, ".pickle")).to_vec()),+]
    };
}

pub(crate) fn cifar10_binary() -> Vec<Vec<u8>> {
    let record = |label: u8| [vec![label], vec![label + 7; CIFAR10]].concat();
    vec![record(3), [record(0), record(9)].concat()]
}

pub(crate) fn cifar10_python() -> Vec<Vec<u8>> {
    let mut image = b"\x80\x02}(U\x06labels]K\x03aU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n".to_vec();
    image.extend(
        b"K\x00\x85U\x01b\x87R(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
    );
    image.extend(b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x0c\x00\x00");
    image.extend([5; CIFAR10]);
    image.extend(b"tbu.");
    let mut seeds = golden!("p0", "p4", "array", "axes");
    seeds.push(image);
    seeds
}

pub(crate) fn stl10() -> Vec<Vec<u8>> {
    vec![counted(1, &[&[4], &[9; STL10]]), counted(2, &[&[1, 10], &[9; 2 * STL10]])]
}
