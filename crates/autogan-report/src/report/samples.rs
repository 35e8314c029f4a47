//! This section shows sample grids, a strip of them for each stage; the page holds the pictures themselves.

use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

use autogan_files::plain;
use autogan_run::{Image, RunDir};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::ImageFormat;

use super::page::Page;
use crate::data::RunData;
use crate::svg::escape;

/// Frames of a stage's strip.
const FRAMES: usize = 6;
/// A sample grid is well below this many bytes; more is not one of ours.
pub const LARGEST_PICTURE: u64 = 16 << 20;

/// The last chunk of every PNG.
const END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

/// The pictures that are shown.
pub(super) struct Pictures {
    strips: Vec<(u32, Vec<Picture>)>,
    best: Option<Picture>,
}

struct Picture {
    iteration: u32,
    width: u32,
    height: u32,
    uri: String,
}

/// Where a picture of a run lies; `None` for a path that leads out of the run directory.
fn picture_path(run: &RunDir, image: &Image) -> Option<PathBuf> {
    let path = Path::new(&image.path);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| run.path().join(path))
}

impl Pictures {
    /// Reads the pictures that are shown; what is wrong with others becomes a problem.
    pub fn read(run: &RunDir, data: &mut RunData) -> Pictures {
        let mut problems = Vec::new();
        let mut read = |image: &Image| match load(run, image) {
            Ok(picture) => Some(picture),
            Err(why) => {
                problems.push(format!("the picture {} is left out: {why}", image.path));
                None
            }
        };
        let mut strips = Vec::new();
        for span in &data.stages {
            let shown = |image: &&Image| {
                image.stage == span.stage && matches!(image.tag.as_str(), "child" | "train")
            };
            let images: Vec<&Image> = data.images.iter().map(|i| &i.row).filter(shown).collect();
            let frames = spread(images.len(), FRAMES).into_iter();
            strips.push((span.stage, frames.filter_map(|at| read(images[at])).collect()));
        }
        let best = data.images.iter().rev().find(|image| image.row.tag == "best");
        let best = best.and_then(|image| read(&image.row));
        data.problems.extend(problems);
        Pictures { strips, best }
    }
}

/// At most `most` of `n` places, the first and the last among them, evenly spaced.
fn spread(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    (0..most).map(|i| (i * (n - 1) + (most - 1) / 2) / (most - 1)).collect()
}

/// The picture, if it is an intact PNG.
fn load(run: &RunDir, image: &Image) -> Result<Picture, String> {
    let path = picture_path(run, image).ok_or("its path leads out of the run directory")?;
    let opened = run.open_file(&path).map_err(|error| error.to_string())?;
    let bytes = plain::read_all(&opened, LARGEST_PICTURE).map_err(|error| error.to_string())?;
    let mut reader = image::ImageReader::with_format(Cursor::new(&bytes), ImageFormat::Png);
    // A damaged header must not make us allocate what it says.
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(256 << 20);
    reader.limits(limits);
    let decoded = reader.decode().map_err(|error| error.to_string())?;
    // The decoder stops once it has all pixels.
    if !bytes.ends_with(END) {
        return Err("expected the mark of the end of a PNG, found other bytes".to_owned());
    }
    Ok(Picture {
        iteration: image.iteration,
        width: decoded.width(),
        height: decoded.height(),
        uri: format!("data:image/png;base64,{}", BASE64_STANDARD.encode(&bytes)),
    })
}

pub(super) fn write(page: &mut Page, data: &RunData, pictures: &Pictures) {
    page.section("Samples");
    if pictures.best.is_none() && pictures.strips.iter().all(|(_, strip)| strip.is_empty()) {
        page.text("There are no sample grids yet.");
        return;
    }
    let trained = data.plan.training.is_some();
    let by_trainings = data.plan.strategy.is_some();
    page.text(if trained {
        "Images of the averaged generator, of the same latents throughout."
    } else if by_trainings {
        "Images of the winner, trained with a seed that the strategy has not seen."
    } else {
        "Images of the best child of an iteration, on the same latents throughout, with the shared \
         weights of that moment."
    });
    for (stage, strip) in pictures.strips.iter().filter(|(_, strip)| !strip.is_empty()) {
        if !trained {
            page.raw(format_args!("<h4>Stage {}</h4>\n", stage + 1));
        }
        page.raw("<div class=\"strip\">");
        for picture in strip {
            // A search shows an iteration's end, a training how many are done.
            let label = format!("iteration {}", picture.iteration + u32::from(!trained));
            frame(page, picture, &label);
        }
        page.raw("</div>\n");
    }
    if let Some(best) = &pictures.best {
        page.raw("<h4>The best architecture found</h4>\n<div class=\"strip best\">");
        frame(page, best, if by_trainings { "at the end" } else { "at the end, shared weights" });
        page.raw("</div>\n");
    }
}

fn frame(page: &mut Page, picture: &Picture, label: &str) {
    let (Picture { width, height, uri, .. }, label) = (picture, escape(label));
    page.raw(format_args!(
        "<figure><img src=\"{uri}\" width=\"{width}\" height=\"{height}\" alt=\"grid of samples, {label}\"/>\
         <figcaption>{label}</figcaption></figure>"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_with_both_ends() {
        assert_eq!(spread(3, 6), [0, 1, 2]);
        assert_eq!(spread(25, 6), [0, 5, 10, 14, 19, 24]);
        assert_eq!(spread(7, 6), [0, 1, 2, 4, 5, 6]);
        assert_eq!(spread(0, 6), [0; 0]);
    }

    #[test]
    fn pictures_outside_the_run_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), "").unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        let image = |path: &str| Image {
            tick: 0,
            path: path.to_owned(),
            stage: 0,
            iteration: 0,
            tag: "child".to_owned(),
            seconds: 0.0,
        };
        assert_eq!(
            picture_path(&run, &image("samples/a.png")),
            Some(dir.path().join("samples/a.png"))
        );
        for outside in ["../a.png", "/etc/passwd", "samples/../../a.png", "./a.png"] {
            assert_eq!(picture_path(&run, &image(outside)), None, "{outside}");
        }
    }
}
