//! This module lists the pictures below a folder, in the order of their paths, and counts what it leaves out.
//!
//! Hidden files and folders are left out: editors and notebooks keep copies of pictures there. A linked folder is read
//! as if it lay in the link's place, but no folder is read twice, so a loop of links ends.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use autogan_files::Error as FileError;

use crate::error::Result;
use crate::files::{list, name};
pub use crate::left_out::{LeftOut, Reason};

/// Endings of the files that are read, in any case.
pub const EXTENSIONS: [&str; 13] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "pbm", "pgm", "ppm", "pnm"];

/// The endings of JPEG files, which are stored with loss.
pub const JPEG_EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "jpe", "jfif"];

/// Deepest level of sub-folders that is looked at.
pub(crate) const DEPTH: usize = 32;

/// The pictures of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Their paths, sorted.
    pub files: Vec<PathBuf>,
    /// What else is in the folder.
    pub left_out: LeftOut,
}

impl Listing {
    /// What was found where no picture was, for an error.
    pub fn nothing(&self) -> String {
        match self.left_out.is_empty() {
            true => "none".into(),
            false => format!("none; left out: {}", self.left_out),
        }
    }
}

/// Whether a file is one to read: by its ending, which is one of `endings` (with or without a dot) or, without them, of
/// [`EXTENSIONS`].
pub fn is_wanted(path: &Path, endings: Option<&[String]>) -> bool {
    let Some(ending) = path.extension().and_then(|ending| ending.to_str()) else { return false };
    match endings {
        Some(list) => list.iter().any(|e| e.trim_start_matches('.').eq_ignore_ascii_case(ending)),
        None => EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(ending)),
    }
}

/// Whether a file or folder of this name is hidden; archives of macOS hold a folder of their own that is, too.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name.eq_ignore_ascii_case("__MACOSX")
}

/// Lists the pictures in `root`, and in the folders below it where `recursive`.
///
/// # Errors
/// When a folder cannot be listed.
pub fn list_pictures(root: &Path, recursive: bool, endings: Option<&[String]>) -> Result<Listing> {
    let mut walk = Walk {
        root,
        recursive,
        endings,
        seen: HashSet::new(),
        links: Vec::new(),
        out: Listing::default(),
    };
    walk.folder(root)?;
    // Links come last, so that a folder that is there twice has its own name.
    while !walk.links.is_empty() {
        for link in std::mem::take(&mut walk.links) {
            walk.link(&link)?;
        }
    }
    let mut listing = walk.out;
    listing.files.sort();
    Ok(listing)
}

struct Walk<'a> {
    root: &'a Path,
    recursive: bool,
    endings: Option<&'a [String]>,
    /// The folders that were read, by their real paths.
    seen: HashSet<PathBuf>,
    /// Links to folders that were not followed yet.
    links: Vec<PathBuf>,
    out: Listing,
}

impl Walk<'_> {
    fn folder(&mut self, dir: &Path) -> Result<()> {
        let left_out = &mut self.out.left_out;
        let level = dir.strip_prefix(self.root).map_or(0, |inner| inner.components().count());
        if level > DEPTH {
            left_out.add(Reason::Deep);
            return Ok(());
        }
        if !self.seen.insert(real(dir)?) {
            left_out.add(Reason::Twice);
            return Ok(());
        }
        for path in list(dir)? {
            // A link that leads nowhere is kept by its ending, and an error names it when it is read.
            let target = path.metadata().ok();
            let (hidden, is_dir) =
                (is_hidden(&name(&path)), target.as_ref().is_some_and(|target| target.is_dir()));
            let left_out = &mut self.out.left_out;
            if target.is_some_and(|target| !(target.is_dir() || target.is_file())) {
                left_out.add(Reason::NoFile);
                continue;
            }
            match (is_dir, hidden) {
                (true, true) => left_out.add(Reason::HiddenFolder),
                (false, true) => left_out.add(Reason::Hidden),
                (true, false) if !self.recursive => left_out.add(Reason::SubFolder),
                (true, false) if path.is_symlink() => self.links.push(path),
                (true, false) => self.folder(&path)?,
                (false, false) if is_wanted(&path, self.endings) => self.out.files.push(path),
                (false, false) => left_out.add_ending(&path),
            }
        }
        Ok(())
    }

    fn link(&mut self, link: &Path) -> Result<()> {
        let place = real(link.parent().unwrap_or(self.root))?;
        if place.starts_with(real(link)?) {
            self.out.left_out.add(Reason::Loop);
            return Ok(());
        }
        self.folder(link)
    }
}

/// The path without links.
fn real(path: &Path) -> Result<PathBuf> {
    Ok(path.canonicalize().map_err(FileError::io("find", path))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes empty files below a new folder.
    fn folder(paths: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, []).unwrap();
        }
        dir
    }

    fn listed(root: &Path) -> (Vec<String>, String) {
        let found = list_pictures(root, true, None).unwrap();
        let inner = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        (found.files.iter().map(inner).collect(), found.left_out.to_string())
    }

    #[test]
    fn hidden_files_and_folders_are_left_out_and_counted() {
        let dir = folder(&[
            "b.png",
            "a/c.JPG",
            "a/.ipynb_checkpoints/c.jpg",
            ".git/x.png",
            "._b.png",
            "__MACOSX/b.png",
            "a/d.tiff",
            "__macosx/b.png",
        ]);
        let (files, left_out) = listed(dir.path());
        assert_eq!(files, ["a/c.JPG", "a/d.tiff", "b.png"]);
        assert_eq!(left_out, "1 hidden, 4 hidden folders");
    }

    #[test]
    fn what_is_not_read_is_counted_by_its_ending() {
        let dir = folder(&["a.png", "b.HEIC", "c.heic", "notes.txt", "README", "in/d.png"]);
        let flat = list_pictures(dir.path(), false, None).unwrap();
        assert_eq!(flat.files.len(), 1);
        let expected = "1 sub-folder, 2 .heic, 1 .txt, 1 without an ending";
        assert_eq!(flat.left_out.to_string(), expected);
        assert!(flat.left_out.has_endings());
        let counts: Vec<_> = flat.left_out.counts().collect();
        assert_eq!(counts[1], (".heic".into(), 2));
        let heic = list_pictures(dir.path(), true, Some(&[".Heic".into()])).unwrap();
        assert_eq!(heic.files.len(), 2);
        assert_eq!(heic.left_out.count(&Reason::Ending("png".into())), 2);
        let none = list_pictures(&dir.path().join("in"), false, Some(&["bmp".into()])).unwrap();
        assert_eq!(none.nothing(), "none; left out: 1 .png");
        assert_eq!(Listing::default().nothing(), "none");
    }

    #[cfg(unix)]
    mod links {
        use std::os::unix::fs::symlink;

        use super::*;

        #[test]
        fn a_linked_folder_is_read_in_the_place_of_the_link() {
            let dir = folder(&["set/real/a.png", "elsewhere/b.png", "elsewhere/deep/c.png"]);
            symlink("../elsewhere", dir.path().join("set/more")).unwrap();
            let (files, left_out) = listed(&dir.path().join("set"));
            assert_eq!(files, ["more/b.png", "more/deep/c.png", "real/a.png"]);
            assert_eq!(left_out, "");
        }

        #[test]
        fn a_loop_ends() {
            let dir = folder(&["real/a.png", "b.png"]);
            symlink("..", dir.path().join("real/back")).unwrap();
            symlink(".", dir.path().join("self")).unwrap();
            let (files, left_out) = listed(dir.path());
            assert_eq!(files, ["b.png", "real/a.png"]);
            assert_eq!(left_out, "2 links to a folder above them");
        }

        #[test]
        fn two_folders_that_link_to_each_other_are_read_once() {
            let dir = folder(&["x/a.png", "y/b.png"]);
            symlink("../y", dir.path().join("x/to")).unwrap();
            symlink("../x", dir.path().join("y/to")).unwrap();
            let (files, left_out) = listed(dir.path());
            assert_eq!(files, ["x/a.png", "y/b.png"]);
            assert_eq!(left_out, "2 links to folders that are read already");
            // From inside of one of them, the other is read through the link.
            let (files, left_out) = listed(&dir.path().join("x"));
            assert_eq!(files, ["a.png", "to/b.png"]);
            assert_eq!(left_out, "1 link to a folder that is read already");
        }

        #[test]
        fn a_pipe_and_a_device_are_left_out_and_a_link_to_nowhere_is_not() {
            let dir = folder(&["a.png"]);
            let pipe = dir.path().join("b.png");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            symlink("/dev/zero", dir.path().join("c.png")).unwrap();
            symlink("nowhere", dir.path().join("d.png")).unwrap();
            symlink("e.png", dir.path().join("e.png")).unwrap();
            let (files, left_out) = listed(dir.path());
            assert_eq!(files, ["a.png", "d.png", "e.png"]);
            assert_eq!(left_out, "2 pipes or devices");
        }

        #[test]
        fn the_folder_itself_and_its_files_may_be_links() {
            let dir = folder(&["set/a.png"]);
            symlink("set", dir.path().join("name")).unwrap();
            symlink("a.png", dir.path().join("set/b.png")).unwrap();
            let (files, left_out) = listed(&dir.path().join("name"));
            assert_eq!((files.len(), left_out.as_str()), (2, ""));
        }
    }
}
