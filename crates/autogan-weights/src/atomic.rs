//! Files that appear whole or not at all: written beside their place, synced, then renamed.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file through `fill` so that `path` holds either its old or its whole new content.
///
/// The new content goes to a temporary file in the same directory, is synced to the disk, renamed
/// over `path`, and the directory is synced too. On an error the temporary file is removed.
pub(crate) fn write(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> Result<()>,
) -> Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    {
        // Temporary files are private by default; the final one follows the user's umask.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let temp =
        builder.tempfile_in(dir).map_err(|e| Error::io(dir, "create a temporary file in it", e))?;
    let mut writer = BufWriter::with_capacity(1 << 20, temp.as_file());
    fill(&mut writer)?;
    writer.flush().map_err(|e| Error::io(path, "write it", e))?;
    drop(writer);
    temp.as_file().sync_all().map_err(|e| Error::io(path, "sync it to the disk", e))?;
    temp.persist(path)
        .map_err(|e| Error::io(path, "move the finished file to its place", e.error))?;
    sync_dir(dir)
}

/// Makes the renaming itself durable; other systems than Unix have no such call.
fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(dir)
            .and_then(|d| d.sync_all())
            .map_err(|e| Error::io(dir, "sync the directory to the disk", e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_the_old_content_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.bin");
        write(&path, |w| w.write_all(b"old").map_err(|e| Error::io(&path, "write it", e))).unwrap();
        let failed = write(&path, |w| {
            w.write_all(b"half of the new").ok();
            Err(Error::format(&path, 0, "a whole file", "an interruption"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = write(Path::new("no/such/dir/x"), |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("no/such/dir: cannot create"));
    }
}
