//! This module finds images and statistics among NumPy's arrays, in an `.npz` or a bare `.npy`.
//!
//! The file may be another tool's, so arrays are found by what they are where their names do not say it; and where none
//! fits, the error lists all of them.

use std::path::Path;

use autogan_data::listing::{LeftOut, Reason, is_wanted};
use autogan_files::Error as FileError;

use super::input_error;
use super::npy::{self, Array, Header, Values};
use super::npz::Container;
use super::stats_file::{NAMES, PROTOCOL, StoredStatistics, statistics_in};
use crate::{Matrix, Result};

/// The name that `numpy.savez` gives to an array without one.
const UNNAMED: &str = "arr_0";

/// What can be read, for errors.
const FORMS: &str =
    "statistics (floats mu [D] and sigma [D, D]) or images (u8 [N, H, W, 3] or [N, H, W, 1])";

/// Names of the array that holds features `[N, D]`: those of ADM's evaluator, and of clean-fid's KID.
const FEATURES: [&str; 2] = ["pool_3", "feats"];

/// The content of a file of arrays; images, statistics or features are there.
pub(super) struct Found {
    pub images: Option<Pixels>,
    pub statistics: Option<StoredStatistics>,
    /// Features, where there is nothing else.
    pub features: Option<Matrix>,
    /// The other arrays.
    pub left_out: LeftOut,
}

/// Images of one size, `[N, 3, height, width]`.
pub(super) struct Pixels {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u8>,
}

/// Reads what an `.npz` holds: images, statistics or both, as the reference batches of diffusion models do.
pub(super) fn read_npz(path: &Path) -> Result<Found> {
    let mut container = Container::open(path)?;
    let heads = container.heads()?;
    let has = |name: &str| heads.iter().any(|(other, _)| other == name);
    let statistics = match has("mu") && has("sigma") {
        true => Some(statistics_in(path, &mut container)?),
        false => None,
    };
    let chosen = image_array(path, &heads)?;
    let images = match chosen {
        Some(name) => container.array(name)?.map(|array| pixels(path, name, array)).transpose()?,
        None => None,
    };
    let stored =
        FEATURES.into_iter().find(|name| images.is_none() && statistics.is_none() && has(name));
    let features = stored.map(|name| features(path, name, &mut container)).transpose()?;
    let mut left_out = LeftOut::default();
    for (name, _) in &heads {
        let statistic =
            statistics.is_some() && [&NAMES[..], &[PROTOCOL]].concat().contains(&name.as_str());
        let is_taken = [chosen, stored].contains(&Some(name.as_str()));
        if !statistic && !is_taken {
            left_out.add(Reason::Array(name.clone()));
        }
    }
    if images.is_none() && statistics.is_none() && features.is_none() {
        let pictures = |name: &&String| is_wanted(Path::new(name.as_str()), None);
        let help = match container.names().iter().filter(pictures).count() {
            0 => advice(&heads),
            n => format!("it is an archive with {n} pictures: give it the ending .zip"),
        };
        return Err(input_error(path.display(), FORMS, listed(&heads), help));
    }
    Ok(Found { images, statistics, features, left_out })
}

/// Reads features `[N, D]`, or `[N, 1, 1, D]`.
fn features(path: &Path, name: &str, container: &mut Container) -> Result<Matrix> {
    let wrong = |found: String| {
        let expected = format!("floats {name} [N, D] with N and D above 0");
        input_error(path.display(), expected, found, "write the features again with numpy.savez")
    };
    let Some(array) = container.array(name)? else { return Err(wrong(format!("no {name}"))) };
    let (Array { shape, values: Values::F64(values) }, [rows, .., cols]) =
        (&array, &array.shape[..])
    else {
        return Err(wrong(format!("{name} of shape {:?}", array.shape)));
    };
    if values.is_empty() || rows * cols != values.len() {
        return Err(wrong(format!("shape {shape:?}")));
    }
    let features = Matrix::new(*cols, values.iter().map(|value| *value as f32).collect())?;
    features.check_finite(&format!("{}: {name}", path.display()))?;
    Ok(features)
}

/// The array that holds images: the one without a name of its own, or the only one that looks like images.
fn image_array<'h>(path: &Path, heads: &'h [(String, Header)]) -> Result<Option<&'h str>> {
    let alike: Vec<&str> =
        heads.iter().filter(|(_, head)| is_images(head)).map(|(name, _)| &**name).collect();
    match alike[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ if alike.contains(&UNNAMED) => Ok(Some(UNNAMED)),
        _ => {
            let help = "save the images alone, or under the name arr_0";
            Err(input_error(path.display(), "one array of images", listed(heads), help))
        }
    }
}

fn is_images(head: &Header) -> bool {
    head.descr.ends_with("u1") && matches!(head.shape[..], [_, _, _, 1 | 3])
}

/// What makes arrays that are read of those that were found.
fn advice(heads: &[(String, Header)]) -> String {
    match heads.iter().find_map(|(name, head)| nearly_images(name, head)) {
        Some(change) => format!("save {change} under the name arr_0"),
        None => {
            "name the arrays so: numpy.savez(FILE, mu=…, sigma=…), or numpy.savez(FILE, images)"
                .into()
        }
    }
}

/// What makes images of an array that holds them in another form.
fn nearly_images(name: &str, head: &Header) -> Option<String> {
    let kind = head.descr.trim_start_matches(['|', '<', '>', '=']);
    let bytes = match (kind, kind.get(..1).unwrap_or("")) {
        ("u1", _) => "",
        // Nobody but the user knows the range of floats.
        (_, "f") => ", as bytes: (255 * x).round().astype(numpy.uint8) of x from 0 to 1",
        (_, "i" | "u" | "b") => ", as bytes: x.astype(numpy.uint8) of x from 0 to 255",
        ("O", _) if head.shape.len() == 1 => {
            return Some(format!(
                "numpy.stack({name}), since an array of objects is a pickle, and none is executed,"
            ));
        }
        _ => return None,
    };
    let change = match head.shape[..] {
        [_, h, w, 1 | 3] if h.min(w) > 1 => name.to_owned(),
        [_, 1 | 3, _, _] => format!("{name}.transpose(0, 2, 3, 1)"),
        [_, _, _, 4] => format!("{name}[..., :3], without the alpha channel,"),
        [_, _, 3] => format!("{name}[None], one image,"),
        [_, side, other] if bytes.is_empty() || side == other => format!("{name}[..., None]"),
        _ => return None,
    };
    Some(change + bytes)
}

fn listed(heads: &[(String, Header)]) -> String {
    let words: Vec<String> = heads.iter().map(|(name, head)| format!("{name} {head}")).collect();
    if words.is_empty() { "no arrays".into() } else { words.join(", ") }
}

/// Reads the images of a bare `.npy`.
pub(super) fn read_npy(path: &Path) -> Result<Pixels> {
    let bytes = std::fs::read(path).map_err(FileError::io("read", path))?;
    let name = path.display().to_string();
    let head = npy::header(&name, &bytes)?;
    if !is_images(&head) {
        let expected = "images: u8 [N, H, W, 3] or [N, H, W, 1]";
        let help = match nearly_images("images", &head) {
            Some(change) => format!("save {change}"),
            None => "convert it with NumPy; statistics are an .npz of two arrays".into(),
        };
        return Err(input_error(name, expected, head.to_string(), help));
    }
    pixels(path, "the array", npy::parse(&name, &bytes)?)
}

/// Turns `[N, H, W, 3]` into `[N, 3, H, W]`; one channel is repeated.
fn pixels(path: &Path, name: &str, array: Array) -> Result<Pixels> {
    let (&[n, height, width, channels], Values::U8(values)) = (&array.shape[..], array.values)
    else {
        let found = format!("shape {:?}", array.shape);
        return Err(input_error(path.display(), "images of u8", found, "convert it with NumPy"));
    };
    if n * height * width == 0 {
        let expected = format!("{name} of u8 [N, H, W, 3] with N, H, W above 0");
        let found = format!("shape {:?}", array.shape);
        return Err(input_error(path.display(), expected, found, "convert it with NumPy"));
    }
    let area = height * width;
    let mut data = vec![0u8; n * 3 * area];
    for (out, image) in data.chunks_exact_mut(3 * area).zip(values.chunks_exact(channels * area)) {
        for (place, value) in out.iter_mut().enumerate() {
            let (channel, pixel) = (place / area, place % area);
            *value = image[pixel * channels + channel.min(channels - 1)];
        }
    }
    Ok(Pixels { width, height, data })
}
