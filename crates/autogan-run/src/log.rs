//! A [`LogFile`] appends whole lines to `log.txt`, over all sessions of a run.

use std::fs::{File, OpenOptions};
use std::io::{self, LineWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// A log file, appended to line by line. It never buffers across a line's end: what was logged before a crash is there
/// after it.
#[derive(Debug)]
pub struct LogFile {
    out: LineWriter<File>,
}

impl LogFile {
    /// Opens `path` to append, creating it if it is not there. A line that a killed process left
    /// unfinished is ended first.
    ///
    /// # Errors
    /// The file system's error.
    pub fn open(path: &Path) -> Result<LogFile> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        end_line(&mut file).map_err(Error::io("write", path))?;
        Ok(LogFile { out: LineWriter::new(file) })
    }
}

fn end_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_are_on_disk_at_once_and_sessions_append() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.txt");
        let mut log = LogFile::open(&path).unwrap();
        writeln!(log, "first").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
        write!(log, "half").unwrap();
        drop(log);
        let mut log = LogFile::open(&path).unwrap();
        writeln!(log, "second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\nhalf\nsecond\n");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let out = OpenOptions::new().write(true).open(full).unwrap();
        let mut log = LogFile { out: LineWriter::new(out) };
        let error = writeln!(log, "line").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
