//! Parquet tables of pictures, written here with the same crate and once by pyarrow. Needs the
//! feature `hub`.
#![cfg(feature = "hub")]
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use autogan_data::{Images, LoadOptions, Split, load};
use image::{ImageFormat, RgbImage};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const CIFAR: &str = "message schema {
    optional group img { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
}";

fn png(side: u32, seed: usize) -> Vec<u8> {
    let image = RgbImage::from_fn(side, side, |x, y| {
        image::Rgb([(x * 3) as u8, (y * 5) as u8, seed as u8])
    });
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

/// A picture, null when `None`, and its label.
type Entry = (Option<Vec<u8>>, i64);

/// Writes a table of `groups` of rows.
fn write(path: &Path, schema: &str, groups: &[Vec<Entry>]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let labelled = schema.get_fields().len() > 1;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for rows in groups {
        let mut group = writer.next_row_group().unwrap();
        let present: Vec<ByteArray> =
            rows.iter().filter_map(|(bytes, _)| bytes.clone().map(ByteArray::from)).collect();
        let levels: Vec<i16> = rows.iter().map(|(b, _)| if b.is_some() { 2 } else { 1 }).collect();
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&present, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&[], Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        if labelled {
            let labels: Vec<i64> = rows.iter().map(|&(_, label)| label).collect();
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<Int64Type>();
            typed.write_batch(&labels, Some(&vec![1; rows.len()]), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn options(dir: &Path, split: Split) -> LoadOptions {
    LoadOptions { dir: Some(dir.to_path_buf()), ..LoadOptions::new(split) }
}

fn train(dir: &Path) -> Result<Images, String> {
    load("cifar10", &options(dir, Split::Train)).map_err(|error| error.to_string())
}

fn picture(side: u32, seed: usize, label: i64) -> Entry {
    (Some(png(side, seed)), label)
}

#[test]
fn what_pyarrow_wrote_is_what_the_pickles_hold() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data");
    let to = dir.path().join("train-00000-of-00001.parquet");
    std::fs::copy(golden.join("cifar10.parquet"), to).unwrap();
    let pickles = tempfile::tempdir().unwrap();
    let to = pickles.path().join("data_batch_1");
    std::fs::copy(golden.join("cifar10.p2.pickle"), to).unwrap();
    let images = train(dir.path()).unwrap();
    assert_eq!(images.labels().unwrap(), [7, 3]);
    assert_eq!(images.content_hash(), train(pickles.path()).unwrap().content_hash());
}

#[test]
fn row_groups_and_chunks_follow_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("plain_text");
    std::fs::create_dir(&sub).unwrap();
    let rows: Vec<_> = (0..1500).map(|i| picture(32, i, i as i64 % 10)).collect();
    let groups = [rows[..700].to_vec(), rows[700..].to_vec()];
    write(&sub.join("train-00000-of-00001.parquet"), CIFAR, &groups);
    let images = train(dir.path()).unwrap();
    assert_eq!(images.len(), 1500);
    for i in [0, 699, 700, 1023, 1024, 1499] {
        let image = images.image(i).unwrap();
        assert_eq!((image[1], image[1024 + 32], image[2048]), (3, 5, i as u8), "{i}");
        assert_eq!(images.labels().unwrap()[i], (i % 10) as u8);
    }
    let text = load("cifar10", &options(dir.path(), Split::Test)).unwrap_err();
    assert!(text.to_string().contains("test-*.parquet"));
}

#[test]
fn tables_that_are_foreign_cut_off_or_odd_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("train-00000-of-00001.parquet");
    let fails = |words: &[&str]| {
        let text = train(dir.path()).unwrap_err();
        for word in words.iter().chain(&["train-00000-of-00001.parquet"]) {
            assert!(text.contains(word), "expected {word:?} in {text}");
        }
    };
    write(&file, CIFAR, &[vec![picture(32, 0, 1), picture(32, 0, 10)]]);
    fails(&["row 1", "a label from 0 to 9, found 10"]);
    write(&file, CIFAR, &[vec![picture(32, 0, 1), picture(31, 0, 1)]]);
    fails(&["row 1", "a picture of 32x32, found 31x31"]);
    write(&file, CIFAR, &[vec![(None, 1)]]);
    fails(&["row 0", "the bytes of a picture, found none"]);
    write(&file, CIFAR, &[vec![(Some(b"GIF89a".to_vec()), 1)]]);
    fails(&["row 0", "a whole PNG"]);
    let foreign = CIFAR.replace("group img", "group audio");
    write(&file, &foreign, &[vec![picture(32, 0, 1)]]);
    fails(&["at byte ", "the columns audio, label"]);
    let unlabelled = CIFAR.replace("optional int64 label;", "");
    write(&file, &unlabelled, &[vec![picture(32, 0, 1)]]);
    fails(&["row 0", "a label from 0 to 9, found none"]);

    write(&file, CIFAR, &[vec![picture(32, 0, 1)]]);
    let whole = std::fs::read(&file).unwrap();
    for cut in [0, 3, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..cut]).unwrap();
        fails(&["at byte ", "the footer of a parquet file", "cut off"]);
    }
    let mut broken = whole;
    broken[4..60].fill(0xff);
    std::fs::write(&file, broken).unwrap();
    fails(&["at byte 4: expected readable rows"]);
}

#[test]
fn stl10_tables_are_resized_and_training_has_no_labels() {
    let dir = tempfile::tempdir().unwrap();
    let table = |name: &str, schema: &str, rows| write(&dir.path().join(name), schema, &[rows]);
    let schema = CIFAR.replace("group img", "group image");
    let unlabelled = schema.replace("optional int64 label;", "");
    table("train-00000-of-00001-x.parquet", &schema, vec![picture(96, 1, 3)]);
    table("unlabeled-00000-of-00002-y.parquet", &unlabelled, vec![picture(96, 2, 0)]);
    table("unlabeled-00001-of-00002-z.parquet", &unlabelled, vec![picture(96, 3, 0)]);
    table("test-00000-of-00001-w.parquet", &schema, vec![picture(96, 4, 9), picture(96, 5, 0)]);
    let images = load("stl10", &options(dir.path(), Split::Train)).unwrap();
    assert_eq!((images.len(), images.side(), images.labels()), (3, 48, None));
    let blue: Vec<u8> = (0..3).map(|i| images.image(i).unwrap()[2 * 48 * 48]).collect();
    assert_eq!(blue, [1, 2, 3]);
    let test = load("stl10", &options(dir.path(), Split::Test)).unwrap();
    assert_eq!(test.labels().unwrap(), [9, 0]);
    let few = LoadOptions { count: Some(1), ..options(dir.path(), Split::Test) };
    assert_eq!(load("stl10", &few).unwrap().labels().unwrap(), [9]);
}
