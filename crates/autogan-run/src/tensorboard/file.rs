//! [`EventFile`] appends to the event file, cuts it back when a run resumes, and makes it anew from the store.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::messages::{self, Content};
use super::record;
use crate::clock::now_ms;
use crate::error::{Error, Result};
use autogan_files::atomic;

/// An event file that is written.
#[derive(Debug)]
pub struct EventFile {
    out: BufWriter<File>,
    path: PathBuf,
}

/// One event, for [`EventFile::rebuild`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// Seconds since 1970.
    pub wall_time: f64,
    /// The search's global tick.
    pub tick: u64,
    /// What it carries.
    pub content: Content<'a>,
}

impl EventFile {
    /// Makes a new event file, replacing what was there.
    ///
    /// # Errors
    /// The file system's error.
    pub fn create(path: &Path) -> Result<EventFile> {
        EventFile::rebuild(path, |_| Ok(()))
    }

    /// Opens an event file to append to, after cutting off what follows its first `keep` scalars
    /// and images, or follows the first record that is torn or damaged. Gives how many it kept.
    ///
    /// # Errors
    /// The file system's error, also if the file is not there.
    pub fn resume(path: &Path, keep: u64) -> Result<(EventFile, u64)> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        let kept = cut_back(&mut file, keep).map_err(Error::io("read", path))?;
        Ok((EventFile { out: BufWriter::new(file), path: path.to_owned() }, kept))
    }

    /// Makes the event file anew from what `fill` hands over, in the order of ticks. The old file
    /// is replaced once the new one is complete.
    ///
    /// # Errors
    /// The error of `fill`, or the file system's error.
    pub fn rebuild<F>(path: &Path, fill: F) -> Result<EventFile>
    where
        F: FnOnce(&mut dyn FnMut(Entry<'_>) -> io::Result<()>) -> io::Result<()>,
    {
        atomic::write_with(path, |mut out| {
            write_version(&mut out)?;
            fill(&mut |entry| {
                let event = messages::encode(entry.wall_time, entry.tick, entry.content);
                record::write(&mut out, &event)
            })
        })?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::io("open", path))?;
        Ok(EventFile { out: BufWriter::new(file), path: path.to_owned() })
    }

    /// Appends what happened at `tick`, now.
    ///
    /// # Errors
    /// The file system's error.
    pub fn append(&mut self, tick: u64, content: Content<'_>) -> Result<()> {
        let event = messages::encode(seconds(), tick, content);
        record::write(&mut self.out, &event).map_err(Error::io("write", &self.path))
    }

    /// Hands what was appended to the system.
    ///
    /// # Errors
    /// The file system's error.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Error::io("write", &self.path))
    }
}

/// Seconds since 1970.
fn seconds() -> f64 {
    now_ms() as f64 / 1000.0
}

/// The first record of every file.
fn write_version(mut out: impl Write) -> io::Result<()> {
    record::write(&mut out, &messages::encode(seconds(), 0, Content::Version))
}

/// Cuts off what is not to be kept; gives how many scalars and images are left.
fn cut_back(file: &mut File, keep: u64) -> io::Result<u64> {
    let mut input = BufReader::new(&mut *file);
    let (mut kept, mut summaries, mut data) = (0, 0, Vec::new());
    while record::read(&mut input, &mut data)? {
        let Some((_, summary)) = messages::step(&data) else {
            break;
        };
        // Every file begins with its version.
        if summary && (summaries == keep || kept == 0) {
            break;
        }
        kept += data.len() as u64 + record::OVERHEAD;
        summaries += u64::from(summary);
    }
    drop(input);
    if kept == 0 {
        file.set_len(0)?;
        file.rewind()?;
        write_version(file)?;
    } else {
        file.set_len(kept)?;
        file.seek(SeekFrom::Start(kept))?;
    }
    Ok(summaries)
}

/// Ticks of the records in an event file that carry a scalar or an image, up to the first damage.
///
/// # Errors
/// The file system's error.
pub fn ticks(path: &Path) -> Result<Vec<u64>> {
    let file = fs::File::open(path).map_err(Error::io("open", path))?;
    let mut input = BufReader::new(file);
    let (mut ticks, mut data) = (Vec::new(), Vec::new());
    while record::read(&mut input, &mut data).map_err(Error::io("read", path))? {
        match messages::step(&data) {
            Some((step, true)) => ticks.push(step),
            Some((_, false)) => {}
            None => break,
        }
    }
    Ok(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(value: f32) -> Content<'static> {
        Content::Scalar { tag: "loss", value }
    }

    fn three(path: &Path) {
        let mut file = EventFile::create(path).unwrap();
        for tick in [1, 2, 3] {
            file.append(tick, loss(0.5)).unwrap();
        }
        file.flush().unwrap();
    }

    #[test]
    fn resume_cuts_and_appends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.out.tfevents.x");
        three(&path);
        let whole = fs::read(&path).unwrap();
        let (mut file, kept) = EventFile::resume(&path, 2).unwrap();
        assert_eq!(kept, 2);
        assert!(fs::metadata(&path).unwrap().len() < whole.len() as u64);
        assert_eq!(ticks(&path).unwrap(), [1, 2]);
        file.append(3, loss(0.5)).unwrap();
        file.append(4, Content::Image { tag: "grid", png: &[1, 2] }).unwrap();
        file.flush().unwrap();
        assert_eq!(ticks(&path).unwrap(), [1, 2, 3, 4]);
        // Times have a fixed width: the same content has the same length.
        assert!(fs::read(&path).unwrap().len() > whole.len());
        let (_, kept) = EventFile::resume(&path, 3).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64);
        assert_eq!(kept, 3);
    }

    #[test]
    fn a_torn_or_damaged_tail_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e");
        three(&path);
        let whole = fs::read(&path).unwrap();
        let record = (whole.len() - 40) / 3;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            for bad in [&whole[..at], &flipped] {
                fs::write(&path, bad).unwrap();
                let (mut file, kept) = EventFile::resume(&path, 9).unwrap();
                file.append(9, loss(1.0)).unwrap();
                file.flush().unwrap();
                let after = ticks(&path).unwrap();
                assert_eq!(after.len() as u64, kept + 1, "byte {at}");
                assert_eq!(after.last(), Some(&9));
                assert!(kept <= (at / record) as u64, "byte {at}");
            }
        }
    }

    #[test]
    fn rebuild_replaces_only_when_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e");
        three(&path);
        let failed = EventFile::rebuild(&path, |_| Err(io::Error::other("no rows")));
        assert!(failed.is_err());
        assert_eq!(ticks(&path).unwrap(), [1, 2, 3]);
        let entry = |tick| Entry { wall_time: 1.0, tick, content: loss(1.0) };
        let mut file =
            EventFile::rebuild(&path, |put| [7, 8].into_iter().try_for_each(|t| put(entry(t))))
                .unwrap();
        file.append(9, loss(2.0)).unwrap();
        file.flush().unwrap();
        assert_eq!(ticks(&path).unwrap(), [7, 8, 9]);
    }
}
