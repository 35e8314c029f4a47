//! This module lists the pictures below a folder, in the order of their paths, and counts what it leaves out.
//!
//! Hidden files and folders are left out: editors and notebooks keep copies of pictures there. A linked folder is read
//! as if it lay in the link's place, but no folder is read twice, so a loop of links ends.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use autogan_files::Error as FileError;

use crate::error::Result;
use crate::files::{list, name};

/// Endings of the files that are read, in any case.
pub const EXTENSIONS: [&str; 13] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "pbm", "pgm", "ppm", "pnm"];

/// The endings of JPEG files, which are stored with loss.
pub const JPEG_EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "jpe", "jfif"];

/// Deepest level of sub-folders that is looked at.
const DEPTH: usize = 32;

/// Why something is not among the pictures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// A file whose name begins with a dot, or that lies in such a folder of an archive.
    Hidden,
    /// A folder whose name begins with a dot, with all that is in it.
    HiddenFolder,
    /// A folder where sub-folders are not asked for.
    SubFolder,
    /// A folder below the deepest level.
    Deep,
    /// A link to a folder that the link itself lies in.
    Loop,
    /// A folder that a link leads to, and that is read already.
    Twice,
    /// A file with an ending that is not read, or not asked for: in lower case, without the dot.
    Ending(String),
    /// A file without an ending.
    NoEnding,
    /// An array of this name beside an array of images.
    Array(String),
}

impl Reason {
    /// The reason in words, for a count of one or of more.
    fn words(&self, count: usize) -> String {
        let pick = |one: &str, more: &str| if count == 1 { one } else { more }.to_owned();
        match self {
            Self::Hidden => "hidden".into(),
            Self::HiddenFolder => pick("hidden folder", "hidden folders"),
            Self::SubFolder => pick("sub-folder", "sub-folders"),
            Self::Deep => format!("{} below level {DEPTH}", pick("folder", "folders")),
            Self::Loop => pick("link to a folder above it", "links to a folder above them"),
            Self::Twice => pick(
                "link to a folder that is read already",
                "links to folders that are read already",
            ),
            Self::Ending(ending) => format!(".{ending}"),
            Self::NoEnding => "without an ending".into(),
            Self::Array(name) => format!("array {name}"),
        }
    }
}

/// What was left out, counted by its reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<Reason, usize>);

impl LeftOut {
    /// Counts one more.
    pub fn add(&mut self, reason: Reason) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// Counts a file that has another ending than those that are read.
    pub fn add_ending(&mut self, path: &Path) {
        self.add(match path.extension() {
            Some(ending) => Reason::Ending(ending.to_string_lossy().to_ascii_lowercase()),
            None => Reason::NoEnding,
        });
    }

    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were left out for `reason`.
    pub fn count(&self, reason: &Reason) -> usize {
        self.0.get(reason).copied().unwrap_or(0)
    }

    /// The counts, each with its reason in words, as a table has them.
    pub fn counts(&self) -> impl Iterator<Item = (String, usize)> {
        self.0.iter().map(|(reason, &count)| (reason.words(1), count))
    }

    /// Whether files with endings that are not read are among it.
    pub fn has_endings(&self) -> bool {
        self.0.keys().any(|reason| matches!(reason, Reason::Ending(_) | Reason::NoEnding))
    }
}

/// The counts in words: `3 hidden, 2 .heic, 1 link to a folder above it`.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(reason, &n)| format!("{n} {}", reason.words(n)));
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}

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
    name.starts_with('.') || name == "__MACOSX"
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
            let (hidden, is_dir) = (is_hidden(&name(&path)), path.is_dir());
            let left_out = &mut self.out.left_out;
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
        ]);
        let (files, left_out) = listed(dir.path());
        assert_eq!(files, ["a/c.JPG", "a/d.tiff", "b.png"]);
        assert_eq!(left_out, "1 hidden, 3 hidden folders");
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
        fn the_folder_itself_and_its_files_may_be_links() {
            let dir = folder(&["set/a.png"]);
            symlink("set", dir.path().join("name")).unwrap();
            symlink("a.png", dir.path().join("set/b.png")).unwrap();
            let (files, left_out) = listed(&dir.path().join("name"));
            assert_eq!((files.len(), left_out.as_str()), (2, ""));
        }
    }
}
