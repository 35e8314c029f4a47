//! NumPy's files and zips of pictures.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip whose members are stored as they are.
pub(crate) fn stored_zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip(members, CompressionMethod::Stored)
}

fn zip(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An array in NumPy's format, version 1.
fn array(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn npy() -> Vec<Vec<u8>> {
    let small = floats(&[1.0, 0.5]);
    vec![
        array("|u1", "False", "(2, 2, 2, 3)", &[9; 24]),
        array("|u1", "False", "(1, 2, 3, 1)", &[9; 6]),
        array("<f8", "True", "(2,)", &small),
        array(">f4", "False", "(1, 4)", &[0; 16]),
    ]
}

pub(crate) fn npz() -> Vec<Vec<u8>> {
    let mu = array("<f8", "False", "(2,)", &floats(&[0.5, 1.5]));
    let sigma = array("<f8", "False", "(2, 2)", &floats(&[2.0, 0.5, 0.5, 1.0]));
    let images = array("|u1", "False", "(2, 2, 2, 3)", &[9; 24]);
    let features = array("<f4", "False", "(3, 2)", &[0; 24]);
    let statistics: &[(&str, &[u8])] = &[("mu.npy", &mu), ("sigma.npy", &sigma)];
    vec![
        stored_zip(statistics),
        zip(&[statistics, &[("arr_0.npy", &images)]].concat(), CompressionMethod::Deflated),
        stored_zip(&[("pool_3.npy", &features)]),
        include_bytes!("../../golden/foreign_statistics.npz").to_vec(),
    ]
}

pub(crate) fn pictures() -> Vec<Vec<u8>> {
    let png = super::pictures::png().swap_remove(0);
    let jpeg = super::pictures::jpeg().swap_remove(0);
    let members: &[(&str, &[u8])] =
        &[("a/0.png", &png), ("1.jpg", &jpeg), (".hidden.png", &png), ("text.txt", b"x")];
    vec![stored_zip(members), zip(members, CompressionMethod::Deflated)]
}
