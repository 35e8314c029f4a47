//! A [`RawStream`] reads pictures from a pipe as raw pixels, each when it is needed.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use autogan_data::Picture;
use autogan_files::Error as FileError;

use super::input_error;
use crate::{Error, Result};

/// The shape of each picture in a pipe: `u8 [channels, height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawShape {
    /// 3 for RGB, or 1 for grey levels, which are repeated.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

/// The longest side of a picture.
const SIDE: usize = 65_535;

impl RawShape {
    /// Bytes of a picture.
    pub fn bytes(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl FromStr for RawShape {
    type Err = Error;

    /// Reads `3x32x32`.
    fn from_str(text: &str) -> Result<Self> {
        let numbers: Option<Vec<usize>> = text.split('x').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[channels @ (1 | 3), height @ 1..=SIDE, width @ 1..=SIDE]) => {
                Ok(Self { channels, height, width })
            }
            _ => Err(Error::config(
                "the shape of raw pictures",
                "CHANNELSxHEIGHTxWIDTH with 1 or 3 channels and sides of 1 to 65535, such as 3x32x32",
                text,
            )),
        }
    }
}

impl std::fmt::Display for RawShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Pictures of one shape, one after the other in a pipe. They are read once; [`RawStream::keep`] writes them to a
/// temporary file besides, from which they are read again.
pub(super) struct RawStream {
    label: String,
    shape: RawShape,
    state: Mutex<State>,
}

struct State {
    reader: Box<dyn Read + Send>,
    /// The number of pictures, where it is known.
    count: Option<usize>,
    /// Pictures that were read.
    done: usize,
    /// The file that keeps what was read.
    kept: Option<File>,
}

impl RawStream {
    pub(super) fn new(
        label: &str,
        reader: Box<dyn Read + Send>,
        shape: RawShape,
        count: Option<usize>,
    ) -> Self {
        let state = State { reader, count, done: 0, kept: None };
        Self { label: label.to_owned(), shape, state: Mutex::new(state) }
    }

    pub(super) fn shape(&self) -> RawShape {
        self.shape
    }

    /// The number of pictures, where it was given or all were read.
    pub(super) fn count(&self) -> Option<usize> {
        self.state().count
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the pictures that are read from now on, so that they can be read a second time.
    pub(super) fn keep(&self) -> Result<()> {
        let file = tempfile::tempfile().map_err(at("make a temporary file in"))?;
        self.state().kept = Some(file);
        Ok(())
    }

    /// Reads the pictures of `range`, of which the first is the next one, or 0 for the second time: as many as take
    /// `share` bytes each in the mean, at least one; none after the last one.
    pub(super) fn read(&self, range: Range<usize>, share: usize) -> Result<Vec<Picture>> {
        let mut state = self.state();
        if range.start == 0 && state.done > 0 {
            state.rewind(&self.label)?;
        }
        let room = share.saturating_mul(range.len()) / (3 * self.shape.height * self.shape.width);
        let wanted = room.clamp(1, range.len().max(1));
        let mut pictures = Vec::new();
        while pictures.len() < wanted && state.count.is_none_or(|count| state.done < count) {
            match state.next(&self.label, self.shape)? {
                Some(raw) => pictures.push(self.picture(raw)),
                None => state.count = Some(state.done),
            }
        }
        if !pictures.is_empty() && state.count == Some(state.done) {
            state.ends(&self.label, self.shape)?;
        }
        if state.count == Some(0) {
            let help = "write the pixels of the images to the pipe, and close it";
            return Err(input_error(&self.label, "at least one image", "an empty pipe", help));
        }
        Ok(pictures)
    }

    fn picture(&self, raw: Vec<u8>) -> Picture {
        let RawShape { channels, height, width } = self.shape;
        Picture { width, height, planes: if channels == 1 { raw.repeat(3) } else { raw } }
    }
}

impl State {
    /// The bytes of the next picture; none at the end of a pipe whose number of pictures nobody told.
    fn next(&mut self, label: &str, shape: RawShape) -> Result<Option<Vec<u8>>> {
        let mut raw = vec![0; shape.bytes()];
        let found = fill(&mut self.reader, &mut raw)?;
        if found < raw.len() {
            let expected = match self.count {
                Some(count) => format!("{count} images of {shape} ({} bytes each)", raw.len()),
                None if found == 0 => return Ok(None),
                None => format!("whole images of {shape} ({} bytes each)", raw.len()),
            };
            let found = format!("{} of them and {found} bytes more", self.done);
            let help = "check --raw and --count, and that the writer wrote all its images before it closed the pipe";
            return Err(input_error(label, expected, found, help));
        }
        if let Some(kept) = &mut self.kept {
            kept.write_all(&raw).map_err(at("write to a temporary file in"))?;
        }
        self.done += 1;
        Ok(Some(raw))
    }

    /// Refuses what follows the last picture.
    fn ends(&mut self, label: &str, shape: RawShape) -> Result<()> {
        if fill(&mut self.reader, &mut [0])? == 0 {
            return Ok(());
        }
        let expected = format!("{} images of {shape} ({} bytes each)", self.done, shape.bytes());
        let help = "check --raw and --count, or leave --count out to read to the end of the pipe";
        Err(input_error(label, expected, "more bytes", help))
    }

    /// Begins again with the pictures that were kept.
    fn rewind(&mut self, label: &str) -> Result<()> {
        let Some(mut kept) = self.kept.take() else {
            let help = "call `ImageSource::keep` before the first time";
            return Err(input_error(label, "pictures that are read once", "a second time", help));
        };
        kept.rewind().map_err(at("read a temporary file in"))?;
        self.reader = Box::new(kept);
        self.done = 0;
        Ok(())
    }
}

/// Fills `buffer`, and tells how many bytes there were.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    let mut found = 0;
    while found < buffer.len() {
        match reader.read(&mut buffer[found..]) {
            Ok(0) => break,
            Ok(count) => found += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(FileError::io("read", Path::new("the pipe"))(error).into()),
        }
    }
    Ok(found)
}

/// The error of the temporary file.
fn at(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |error| FileError::io(action, &std::env::temp_dir())(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(bytes: Vec<u8>, shape: &str, count: Option<usize>) -> RawStream {
        let shape = shape.parse().unwrap();
        RawStream::new("the pipe", Box::new(std::io::Cursor::new(bytes)), shape, count)
    }

    /// The first pixels of all pictures, read as `range`s of `step`.
    fn reds(stream: &RawStream, step: usize) -> Result<Vec<u8>> {
        let mut reds = Vec::new();
        loop {
            let pictures = stream.read(reds.len()..reds.len() + step, usize::MAX)?;
            if pictures.is_empty() || stream.count() == Some(reds.len() + pictures.len()) {
                reds.extend(pictures.iter().map(|picture| picture.planes[0]));
                return Ok(reds);
            }
            reds.extend(pictures.iter().map(|picture| picture.planes[0]));
        }
    }

    #[test]
    fn shapes_are_read() {
        let shape: RawShape = "3x32x48".parse().unwrap();
        assert_eq!(shape, RawShape { channels: 3, height: 32, width: 48 });
        assert_eq!((shape.to_string().as_str(), shape.bytes()), ("3x32x48", 4608));
        for text in ["", "3", "3x32", "32x32x3", "2x4x4", "3x0x4", "3x4x4x4", "3x-1x4", "3x70000x1"]
        {
            let error = text.parse::<RawShape>().unwrap_err().to_string();
            assert!(error.contains("such as 3x32x32"), "{text}: {error}");
        }
    }

    #[test]
    fn pictures_come_in_order_with_or_without_a_count() {
        for count in [None, Some(3)] {
            for step in [1, 2, 7] {
                let found = reds(&stream((0..18).collect(), "3x1x2", count), step).unwrap();
                assert_eq!(found, [0, 6, 12]);
            }
        }
        let grey = stream(vec![7, 8], "1x1x2", Some(1)).read(0..1, usize::MAX).unwrap();
        assert_eq!(grey[0].planes, [7, 8, 7, 8, 7, 8]);
        // As many as the share allows, but one at least.
        let three = stream((0..18).collect(), "3x1x2", None);
        assert_eq!(three.read(0..3, 4).unwrap().len(), 2);
        assert_eq!(three.read(2..3, 0).unwrap().len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let fails = |bytes: usize, count: Option<usize>, expected: &str| {
            let error = reds(&stream(vec![1; bytes], "3x1x2", count), 4).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        fails(
            15,
            None,
            "expected whole images of 3x1x2 (6 bytes each), found 2 of them and 3 bytes",
        );
        fails(
            15,
            Some(3),
            "expected 3 images of 3x1x2 (6 bytes each), found 2 of them and 3 bytes",
        );
        fails(12, Some(3), "found 2 of them and 0 bytes more");
        fails(13, Some(2), "found more bytes");
        fails(0, None, "expected at least one image, found an empty pipe");
        fails(0, Some(1), "found 0 of them and 0 bytes more");
    }

    #[test]
    fn what_is_kept_is_read_twice() {
        let twice = stream((0..18).collect(), "3x1x2", None);
        twice.keep().unwrap();
        assert_eq!(reds(&twice, 2).unwrap(), [0, 6, 12]);
        assert_eq!(reds(&twice, 2).unwrap(), [0, 6, 12]);
        let once = stream((0..18).collect(), "3x1x2", Some(3));
        assert_eq!(reds(&once, 2).unwrap(), [0, 6, 12]);
        let error = reds(&once, 2).unwrap_err().to_string();
        assert!(error.contains("read once"), "{error}");
    }
}
