//! STL-10 is a dataset of 96x96 RGB images: 5,000 labelled for training, 100,000 unlabelled and 8,000 for tests
//! (<https://cs.stanford.edu/~acoates/stl10/>).
//!
//! As in the paper, the training split is the training and the unlabelled images together, so it has no labels, and
//! images come in 48x48 unless another side is asked for. They are read from a directory (binary files, or parquet with
//! the feature `hub`), or from the hub or its cache. The unlabelled images are 2.7 GB, so files are read and resized
//! some images at a time.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use autogan_files::Error as FileError;
use autogan_hub::PinnedFolder;
use rayon::prelude::*;

use crate::error::{DataError, Result};
use crate::files::{describe, matching, names, read};
use crate::images::Images;
use crate::registry::{DatasetSpec, LoadOptions};
use crate::resize::resize_plane;
use crate::split::Split;
use crate::table;

/// Height and width of the images on disk, in pixels.
pub const NATIVE: usize = 96;

/// Height and width that images are resized to when none is asked for, in pixels.
pub const SIDE: usize = 48;

/// The classes, in the order of their labels (which start at 1 in the binary files).
pub const CLASSES: [&str; 10] =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

/// The dataset's entry in the registry.
pub const SPEC: DatasetSpec = DatasetSpec {
    name: "stl10",
    summary: "STL-10, training and unlabelled images, from a directory or from the hub",
    side: Some(SIDE),
    published: Some(105_000),
    load,
};

/// The files on the hub, pinned to a commit.
pub const HUB: PinnedFolder =
    PinnedFolder { repo: "jxie/stl10", commit: "94623d2", folder: "data" };

/// Bytes of one image on disk.
const IMAGE_LEN: usize = 3 * NATIVE * NATIVE;

/// Images read at a time, about 28 MB.
const CHUNK: usize = 1024;

/// The files of a split, in one of the formats.
enum SplitFiles {
    /// Files of images and, for the test split, the file of labels.
    Binary(Vec<PathBuf>, Option<PathBuf>),
    Parquet(Vec<PathBuf>),
}

fn load(options: &LoadOptions) -> Result<Images> {
    let found = match &options.dir {
        Some(dir) => find(dir, options.split)?,
        None => {
            let tables = |stem: &&str| options.hub.tables(&HUB, stem);
            let paths: Result<Vec<_>, _> = stems(options.split).iter().map(tables).collect();
            SplitFiles::Parquet(paths?.concat())
        }
    };
    let mut sink = Sink {
        side: options.side.unwrap_or(SIDE),
        limit: options.count.unwrap_or(usize::MAX),
        data: Vec::new(),
        count: 0,
    };
    let mut labels = None;
    let paths = match &found {
        SplitFiles::Binary(paths, label_file) => {
            for path in paths {
                read_binary(path, &mut sink)?;
            }
            if let Some(path) = label_file {
                labels = Some(read_labels(path, sink.count, options.count.is_none())?);
            }
            paths
        }
        SplitFiles::Parquet(paths) => {
            labels = read_tables(paths, &mut sink, options.split)?;
            paths
        }
    };
    let classes = match labels {
        Some(_) => CLASSES.map(String::from).to_vec(),
        None => Vec::new(),
    };
    let images = Images::new("stl10", sink.side, sink.data, labels, classes)?;
    let description = format!(
        "stl10 ({}): {} images of {side}x{side} (from {NATIVE}x{NATIVE}) from {}",
        options.split,
        images.len(),
        names(paths),
        side = images.side(),
    );
    Ok(images.described(description))
}

/// The buffer that images are collected in until there are enough.
struct Sink {
    side: usize,
    limit: usize,
    data: Vec<u8>,
    count: usize,
}

impl Sink {
    fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    /// Takes as many of `count` images in `data`, `[count, 3, side, side]`, as there is room.
    fn take(&mut self, data: &[u8], count: usize) {
        let taken = count.min(self.limit - self.count);
        let len = 3 * self.side * self.side;
        self.data.extend_from_slice(&data[..taken * len]);
        self.count += taken;
    }
}

/// How the names of a split's files begin.
fn stems(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train", "unlabeled"],
        Split::Test => &["test"],
    }
}

fn find(dir: &Path, split: Split) -> Result<SplitFiles> {
    let stems = stems(split);
    for place in [dir.to_path_buf(), dir.join("stl10_binary")] {
        let paths: Vec<PathBuf> =
            stems.iter().map(|stem| place.join(format!("{stem}_X.bin"))).collect();
        let present = paths.iter().filter(|path| path.is_file()).count();
        if present == paths.len() {
            let labels = (split == Split::Test).then(|| place.join("test_y.bin"));
            return Ok(SplitFiles::Binary(paths, labels));
        }
        if present > 0 {
            return Err(missing(&place, split));
        }
    }
    for place in [dir.to_path_buf(), dir.join("data")] {
        let tables = |stem: &&str| matching(&place, &format!("{stem}-"), ".parquet");
        let found = stems.iter().map(tables).collect::<Result<Vec<_>>>()?;
        if found.iter().all(|paths| !paths.is_empty()) {
            return Ok(SplitFiles::Parquet(found.concat()));
        }
    }
    Err(missing(dir, split))
}

fn missing(dir: &Path, split: Split) -> DataError {
    let files = match split {
        Split::Train => "both train_X.bin and unlabeled_X.bin",
        Split::Test => "test_X.bin and test_y.bin",
    };
    let expected = format!(
        "STL-10's {split} split: {files}, here or in stl10_binary, or the hub's parquet files"
    );
    let help = "give the directory into which stl10_binary.tar.gz was unpacked";
    DataError::content(dir, expected, describe(dir), help)
}

/// Reads images from a binary file, some at a time, until the sink is full or the file ends.
fn read_binary(path: &Path, sink: &mut Sink) -> Result<()> {
    if sink.is_full() {
        return Ok(());
    }
    let file = File::open(path).map_err(FileError::io("open", path))?;
    let len = file.metadata().map_err(FileError::io("read the size of", path))?.len();
    let image = IMAGE_LEN as u64;
    if len % image != 0 || len == 0 {
        return Err(DataError::format(
            path,
            len / image * image,
            format!("an image of 3*96*96 = {IMAGE_LEN} bytes"),
            format!("the end of the file after {} of them", len % image),
            "the file is cut off or not of STL-10; unpack stl10_binary.tar.gz again",
        ));
    }
    let mut file = BufReader::new(file);
    let mut left = (len / image) as usize;
    while left > 0 && !sink.is_full() {
        let count = left.min(CHUNK).min(sink.limit - sink.count);
        let mut bytes = vec![0u8; count * IMAGE_LEN];
        file.read_exact(&mut bytes).map_err(FileError::io("read", path))?;
        sink.take(&resized(&bytes, sink.side), count);
        left -= count;
    }
    Ok(())
}

/// Turns planes stored column by column into rows, and resizes them to `side`.
fn resized(bytes: &[u8], side: usize) -> Vec<u8> {
    let planes = bytes.len() / (NATIVE * NATIVE);
    let mut out = vec![0u8; planes * side * side];
    out.par_chunks_mut(side * side).zip(bytes.par_chunks(NATIVE * NATIVE)).for_each(
        |(out, columns)| {
            let mut rows = vec![0u8; NATIVE * NATIVE];
            for (place, &value) in columns.iter().enumerate() {
                rows[place % NATIVE * NATIVE + place / NATIVE] = value;
            }
            resize_plane(&rows, (NATIVE, NATIVE), out, (side, side));
        },
    );
    out
}

/// The first `count` labels of a file of bytes from 1 to 10, counted from 0; `whole` when the
/// file must not hold more.
fn read_labels(path: &Path, count: usize, whole: bool) -> Result<Vec<u8>> {
    let bytes = read(path)?;
    if bytes.len() < count || (whole && bytes.len() != count) {
        return Err(DataError::format(
            path,
            bytes.len().min(count) as u64,
            format!("{count} labels, one byte for each image"),
            format!("{} bytes", bytes.len()),
            "the file is not of these images; unpack stl10_binary.tar.gz again",
        ));
    }
    let one = |(place, &label): (usize, &u8)| match label {
        1..=10 => Ok(label - 1),
        _ => Err(DataError::format(
            path,
            place as u64,
            format!("a label from 1 to 10 for image {place}"),
            label.to_string(),
            "the file is not of STL-10; unpack stl10_binary.tar.gz again",
        )),
    };
    bytes.iter().take(count).enumerate().map(one).collect()
}

fn read_tables(paths: &[PathBuf], sink: &mut Sink, split: Split) -> Result<Option<Vec<u8>>> {
    let mut labels = (split == Split::Test).then(Vec::new);
    for path in paths {
        if sink.is_full() {
            break;
        }
        table::for_each_chunk(path, &mut |rows| {
            let data = rows.decode(NATIVE, sink.side)?;
            if let Some(labels) = &mut labels {
                labels.extend(rows.labels(CLASSES.len())?);
            }
            sink.take(&data, rows.len());
            Ok(!sink.is_full())
        })?;
    }
    if let Some(labels) = &mut labels {
        labels.truncate(sink.count);
    }
    Ok(labels)
}
