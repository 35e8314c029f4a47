//! A [`Container`] is a zip file, as `numpy.savez` and picture collections use them; it is read within limits.
//!
//! The bytes that are unpacked are counted, as a container's directory may lie about sizes. Names that would leave the
//! container are refused, though nothing is ever written to the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use autogan_files::Error as FileError;
use zip::ZipArchive;

use super::input_error;
use super::npy::{self, Array, Header};
use crate::Result;

/// Bytes that all members together may unpack to, for each byte of the file: pictures hardly
/// shrink in a zip, and statistics by less than a half.
const EXPANSION: u64 = 64;

/// Bytes by which the limit is larger than [`EXPANSION`] alone allows.
const FREE: u64 = 256 << 20;

/// Bytes of a member that hold the header of an array.
const HEAD: u64 = 4096;

/// A zip file whose members are read under one common limit.
pub(super) struct Container {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
    budget: u64,
    /// What members took of the budget. A member that is read again takes it once.
    paid: BTreeMap<String, u64>,
}

impl Container {
    /// Opens the file and checks the names of its members.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(FileError::io("open", path))?;
        let length = file.metadata().map_err(FileError::io("read the size of", path))?.len();
        let broken = |error: zip::result::ZipError| {
            let found = format!("{length} bytes that are none ({error})");
            input_error(path.display(), "a zip container", found, "pack it again")
        };
        let archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
        if archive.has_duplicate_names() {
            // The reader knows the last one of a name only, and the others would be lost without a word.
            let expected = "an archive with each name once";
            return Err(input_error(path.display(), expected, "a name twice", "pack it again"));
        }
        let names = archive.file_names().map(|name| Ok(name.map_err(broken)?.into_owned()));
        let mut names = names.collect::<Result<Vec<String>>>()?;
        names.sort();
        let budget = length.saturating_mul(EXPANSION).saturating_add(FREE);
        let paid = BTreeMap::new();
        let container = Self { path: path.to_path_buf(), archive, names, budget, paid };
        match container.names.iter().find(|name| climbs_out(name)) {
            Some(name) => Err(input_error(
                container.member(name),
                "a name inside the archive",
                "a path that climbs out of it",
                "do not trust this file; pack it again without such names",
            )),
            None => Ok(container),
        }
    }

    /// Names of the members, sorted.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    fn member(&self, name: &str) -> String {
        format!("{}: {name}", self.path.display())
    }

    /// The content of a member, which counts once against the limit of the container.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let label = self.member(name);
        let damaged = |error: String| {
            input_error(&label, "a member that can be unpacked", error, "pack the archive again")
        };
        let member = self.archive.by_name(name).map_err(|e| damaged(e.to_string()))?;
        if member.is_symlink() {
            let help = "pack the archive again with the files themselves";
            return Err(input_error(&label, "a file", "a link", help));
        }
        let mut bytes = Vec::new();
        let allowed = self.budget + self.paid.get(name).copied().unwrap_or(0);
        let mut limited = member.take(allowed.saturating_add(1));
        limited.read_to_end(&mut bytes).map_err(|e| damaged(e.to_string()))?;
        if bytes.len() as u64 > allowed {
            return Err(input_error(
                &label,
                format!("members of at most {EXPANSION} times the size of the archive"),
                "more",
                "do not trust this file; unpack it by other means if it is yours",
            ));
        }
        self.budget = allowed - bytes.len() as u64;
        self.paid.insert(name.to_owned(), bytes.len() as u64);
        Ok(bytes)
    }

    /// Names and kinds of all arrays of an npz, without their values; members that are no arrays are passed over.
    pub(super) fn heads(&mut self) -> Result<Vec<(String, Header)>> {
        let mut heads = Vec::new();
        for file in self.names.clone() {
            let Some(name) = file.strip_suffix(".npy") else { continue };
            let label = self.member(&file);
            let damaged = |error: String| {
                let expected = "a member that can be unpacked";
                input_error(&label, expected, error, "pack the archive again")
            };
            let member = self.archive.by_name(&file).map_err(|e| damaged(e.to_string()))?;
            let mut head = Vec::new();
            member.take(HEAD).read_to_end(&mut head).map_err(|e| damaged(e.to_string()))?;
            heads.push((name.to_owned(), npy::header(&label, &head)?));
        }
        Ok(heads)
    }

    /// The array `name` of an npz, if there is one.
    pub(super) fn array(&mut self, name: &str) -> Result<Option<Array>> {
        let file = format!("{name}.npy");
        if !self.names.contains(&file) {
            return Ok(None);
        }
        let bytes = self.read(&file)?;
        npy::parse(&self.member(&file), &bytes).map(Some)
    }
}

/// Whether a member's name points outside of the archive.
fn climbs_out(name: &str) -> bool {
    let absolute = name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':');
    absolute || name.split(['/', '\\']).any(|part| part == "..")
}
