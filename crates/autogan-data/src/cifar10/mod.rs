//! CIFAR-10 is a dataset of 32x32 RGB images in ten classes, 50,000 for training and 10,000 for tests
//! (<https://www.cs.toronto.edu/~kriz/cifar.html>).
//!
//! It is read from a directory in the binary format, in the Python format, or as parquet (feature `hub`), whichever is
//! there; without a directory it comes from the hub or its cache. The training split is every `data_batch_N` that is
//! there, in the order of N.

mod binary;
mod python;

use std::path::{Path, PathBuf};

use autogan_hub::PinnedFolder;

use crate::error::{DataError, Result};
use crate::files::{describe, matching, name, names};
use crate::images::Images;
use crate::registry::{DatasetSpec, LoadOptions};
use crate::split::Split;
use crate::table;

/// Height and width of every image, in pixels.
pub const SIDE: usize = 32;

/// The classes, in the order of their labels.
pub const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The dataset's entry in the registry.
pub const SPEC: DatasetSpec = DatasetSpec {
    name: "cifar10",
    summary: "CIFAR-10 from a directory (binary, Python or parquet files) or from the hub",
    side: Some(SIDE),
    published: Some(50_000),
    load,
};

const IMAGE_LEN: usize = 3 * SIDE * SIDE;

/// The files on the hub, pinned to a commit.
pub const HUB: PinnedFolder = PinnedFolder {
    repo: "uoft-cs/cifar10",
    commit: "0b2714987fa478483af9968de7c934580d0bb9a2",
    folder: "plain_text",
};

/// Images and labels of one file.
struct Part {
    data: Vec<u8>,
    labels: Vec<u8>,
}

/// A format in which the files may be.
#[derive(Clone, Copy)]
struct Format {
    name: &'static str,
    /// Ending of the files.
    suffix: &'static str,
    /// The sub-directory in which they usually are.
    folder: &'static str,
    read: fn(&Path) -> Result<Part>,
}

const BINARY: Format = Format {
    name: "binary",
    suffix: ".bin",
    folder: "cifar-10-batches-bin",
    read: binary::read_part,
};
const PYTHON: Format =
    Format { name: "Python", suffix: "", folder: "cifar-10-batches-py", read: python::read_part };
const PARQUET: Format =
    Format { name: "parquet", suffix: ".parquet", folder: "plain_text", read: read_table };

fn load(options: &LoadOptions) -> Result<Images> {
    let (format, paths) = match &options.dir {
        Some(dir) => find(dir, options.split)?,
        None => (PARQUET, options.hub.tables(&HUB, &options.split.to_string())?),
    };
    let mut all = Part { data: Vec::new(), labels: Vec::new() };
    for path in &paths {
        let part = (format.read)(path)?;
        all.data.extend_from_slice(&part.data);
        all.labels.extend_from_slice(&part.labels);
        if options.count.is_some_and(|count| all.labels.len() >= count) {
            break;
        }
    }
    let classes = CLASSES.map(String::from).to_vec();
    let mut images = Images::new("cifar10", SIDE, all.data, Some(all.labels), classes)?;
    if let Some(count) = options.count {
        images.truncate(count);
    }
    let description = format!(
        "cifar10 ({}): {} images of {SIDE}x{SIDE} from the {} files {}",
        options.split,
        images.len(),
        format.name,
        names(&paths)
    );
    Ok(images.described(description))
}

/// Looks for the files of a split in `dir`, in its usual sub-directories, or at `dir` itself
/// when that is a file.
fn find(dir: &Path, split: Split) -> Result<(Format, Vec<PathBuf>)> {
    if dir.is_file() {
        let name = name(dir).to_ascii_lowercase();
        let ends = |format: &Format| name.ends_with(format.suffix);
        let format = [BINARY, PARQUET].into_iter().find(ends).unwrap_or(PYTHON);
        return Ok((format, vec![dir.to_path_buf()]));
    }
    let stem = match split {
        Split::Train => "data_batch_",
        Split::Test => "test_batch",
    };
    for format in [BINARY, PYTHON, PARQUET] {
        for place in [dir.to_path_buf(), dir.join(format.folder)] {
            let paths = match format.name {
                "parquet" => matching(&place, &format!("{split}-"), format.suffix)?,
                _ => numbered(&place, stem, format.suffix)?,
            };
            if !paths.is_empty() {
                return Ok((format, paths));
            }
        }
    }
    Err(missing(dir, split))
}

/// The files `STEM[N]SUFFIX` in the order of N.
fn numbered(dir: &Path, stem: &str, suffix: &str) -> Result<Vec<PathBuf>> {
    let number = |path: &Path| -> Option<u32> {
        let name = name(path);
        let middle = name.strip_prefix(stem)?.strip_suffix(suffix)?;
        match stem.ends_with('_') {
            true => middle.parse().ok(),
            false => middle.is_empty().then_some(0),
        }
    };
    let mut found: Vec<(u32, PathBuf)> = matching(dir, stem, suffix)?
        .into_iter()
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn missing(dir: &Path, split: Split) -> DataError {
    let (binary, python) = match split {
        Split::Train => ("data_batch_N.bin", "data_batch_N"),
        Split::Test => ("test_batch.bin", "test_batch"),
    };
    let archives = matching(dir, "cifar-10-", ".tar.gz").unwrap_or_default();
    let help = match archives.first() {
        Some(archive) => format!("unpack it first: tar xzf {}", archive.display()),
        None => "give the directory into which cifar-10-binary.tar.gz or \
                 cifar-10-python.tar.gz was unpacked"
            .into(),
    };
    let expected = format!(
        "CIFAR-10's {split} split: {binary}, {python} or {split}-*.parquet, here or in \
         cifar-10-batches-bin, cifar-10-batches-py or plain_text"
    );
    DataError::content(dir, expected, describe(dir), help)
}

fn read_table(path: &Path) -> Result<Part> {
    let mut part = Part { data: Vec::new(), labels: Vec::new() };
    table::for_each_chunk(path, &mut |rows| {
        part.data.extend(rows.decode(SIDE, SIDE)?);
        part.labels.extend(rows.labels(CLASSES.len())?);
        Ok(true)
    })?;
    Ok(part)
}
