//! Files of tensors, as PyTorch and this project write them.

use super::archives::stored_zip;
use super::counted;

/// PyTorch's pickle of `{"t": tensor of shape [2, 2]}` over the storage "0" of four floats, protocol 2.
const DICTIONARY: &[u8] = b"\x80\x02}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n\
FloatStorage\nX\x01\0\0\0\x30X\x03\0\0\0cpuJ\x04\0\0\0tQJ\0\0\0\0(J\x02\0\0\0J\x02\0\0\0t(J\x02\0\0\0J\x01\0\0\0t\x89\
ccollections\nOrderedDict\n)RtRs.";

/// The golden files of one kind, which PyTorch wrote.
macro_rules! golden {
    ($($name:literal),+) => {
        vec![$(include_bytes!(concat!("../../golden/weights/", $name)).to_vec()),+]
    };
}

pub(crate) fn safetensors() -> Vec<Vec<u8>> {
    golden!("types.safetensors", "views.safetensors", "checkpoint.safetensors")
}

pub(crate) fn pth_zip() -> Vec<Vec<u8>> {
    let mut seeds =
        golden!("types_zip.pth", "views_zip.pth", "checkpoint_zip.pth", "beside_zip.pth");
    seeds.push(zip_around(DICTIONARY, &[7; 16]));
    seeds
}

pub(crate) fn pth_legacy() -> Vec<Vec<u8>> {
    golden!(
        "types_legacy.pth",
        "views_legacy.pth",
        "checkpoint_legacy.pth",
        "beside_legacy.pth",
        "beside_p4.pth"
    )
}

pub(crate) fn pth_pickle() -> Vec<Vec<u8>> {
    vec![counted(DICTIONARY.len(), &[DICTIONARY, &[7; 16]])]
}

pub(crate) fn pickle() -> Vec<Vec<u8>> {
    let mut seeds = super::datasets::cifar10_python();
    seeds.push(DICTIONARY.to_vec());
    seeds.push(b"(dp0\nVx\np1\n(lp2\nI1\naI01\naF2.5\naL9L\nas.".to_vec());
    seeds.push(b"\x80\x04\x95\x1c\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01\x88\x89e\x8c\x01b\x94\x8f\x94(C\x02xy\x90u.".to_vec());
    seeds
}

/// PyTorch's zip around a pickle and the storage "0".
pub(crate) fn zip_around(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    stored_zip(&[
        ("archive/data.pkl", pickle),
        ("archive/byteorder", b"little"),
        ("archive/data/0", storage),
        ("archive/version", b"3\n"),
    ])
}
