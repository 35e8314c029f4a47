//! [`LeftOut`] counts what a folder or an archive holds besides the pictures that are read, by reason.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::listing::DEPTH;

/// The most endings that a line names.
const NAMED: usize = 8;

/// Endings of files that hold pictures in another form, and what makes pictures of them.
const ADVICE: [(&[&str], &str); 4] = [
    (&["npz"], "give one of the .npz files itself"),
    (&["npy"], "arrays of NumPy are read from an .npz, or from one .npy: give that file itself"),
    (
        &["zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar"],
        "unpack the archives, and give the folder of their pictures",
    ),
    (
        &["parquet", "arrow", "lance", "tfrecord", "tfrecords", "lmdb", "mdb", "h5", "hdf5"],
        "tables and databases are not read: write their pictures to files, and give the folder of these",
    ),
];

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
    /// What is neither a file nor a folder: a pipe, a socket or a device, which may never end.
    NoFile,
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
            Self::NoFile => pick("pipe or device", "pipes or devices"),
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
            Some(ending) => {
                let ending = ending.to_string_lossy().to_ascii_lowercase();
                // A line stays a line whatever a file is called.
                Reason::Ending(ending.replace(char::is_control, "?"))
            }
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

    /// What would make pictures of the files that are left out, where their endings tell it.
    pub fn advice(&self) -> Option<&'static str> {
        ADVICE.iter().find(|(endings, _)| self.has_any(endings)).map(|(_, advice)| *advice)
    }

    fn has_any(&self, endings: &[&str]) -> bool {
        let is = |reason: &Reason| matches!(reason, Reason::Ending(own) if endings.contains(&own.as_str()));
        self.0.keys().any(is)
    }

    /// Whether files with endings that are not read are among it.
    pub fn has_endings(&self) -> bool {
        self.0.keys().any(|reason| matches!(reason, Reason::Ending(_) | Reason::NoEnding))
    }
}

/// The counts in words: `3 hidden, 2 .heic, 1 link to a folder above it`. Of many endings, those of most files are named.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut endings: Vec<(&Reason, usize)> =
            self.0.iter().map(|(reason, &count)| (reason, count)).collect();
        endings.retain(|(reason, _)| matches!(reason, Reason::Ending(_)));
        endings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let others = endings.split_off(endings.len().min(NAMED));
        let named = self.0.iter().filter(|(reason, _)| others.iter().all(|(o, _)| o != reason));
        let mut words: Vec<String> =
            named.map(|(reason, &n)| format!("{n} {}", reason.words(n))).collect();
        if !others.is_empty() {
            let files: usize = others.iter().map(|(_, count)| count).sum();
            words.push(format!("{files} with {} other endings", others.len()));
        }
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_endings_and_strange_ones_stay_one_short_line() {
        let mut left_out = LeftOut::default();
        for number in 0..30 {
            left_out.add_ending(Path::new(&format!("frame.{number:04}")));
        }
        left_out.add_ending(Path::new("a.txt"));
        left_out.add_ending(Path::new("b.txt"));
        left_out.add(Reason::Hidden);
        let text = left_out.to_string();
        assert!(text.starts_with("1 hidden, 1 .0000, 1 .0001,"), "{text}");
        assert!(text.ends_with("1 .0006, 2 .txt, 23 with 23 other endings"), "{text}");
        assert_eq!(left_out.counts().count(), 32, "a table has all of them");
        let mut strange = LeftOut::default();
        strange.add_ending(Path::new("a.p\nng"));
        strange.add_ending(Path::new("b.\u{1b}[31m"));
        assert_eq!(strange.to_string(), "1 .?[31m, 1 .p?ng");
    }

    #[test]
    fn advice_follows_what_is_there() {
        for (name, word) in [
            ("00000.tar", "unpack"),
            ("a.ZIP", "unpack"),
            ("train-00000-of-00001.parquet", "tables"),
            ("data-00000-of-00001.arrow", "tables"),
            ("1.lance", "tables"),
            ("a.tfrecord", "tables"),
            ("batch.npz", "itself"),
            ("batch.npy", "itself"),
        ] {
            let mut left_out = LeftOut::default();
            left_out.add_ending(Path::new("README.md"));
            assert_eq!(left_out.advice(), None);
            left_out.add_ending(Path::new(name));
            assert!(left_out.advice().unwrap().contains(word), "{name}");
        }
    }
}
