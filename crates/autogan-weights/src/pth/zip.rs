//! This module reads the zip container: `PREFIX/data.pkl` and one member `PREFIX/data/KEY` per storage.

use super::value::StorageRef;
use super::{flatten, tensor};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::limits;
use autogan_files::pickle::{MAX_BYTES, Pickle};
use autogan_files::{Fault, quote};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

const PICKLE: &str = "/data.pkl";

/// Member of [`Archive::write_pth`] alone: texts by name, JSON.
pub(super) const METADATA: &str = "metadata.json";

/// Reads a zip container.
pub(crate) fn read(path: &Path) -> Result<Archive> {
    let mut container = Container::open(path)?;
    let prefix = container.prefix()?;
    container.check_byte_order(&prefix)?;
    let member = format!("{prefix}{PICKLE}");
    let pickle = container.member(&member, MAX_BYTES)?;
    let fault = |fault: Fault| Error::in_file(path, &member, fault);
    let flat = Pickle::parse(&pickle).and_then(|all| flatten::flatten(&all)).map_err(fault)?;
    drop(pickle);
    let file_len = container.file_len;
    let mut load = |storage: &StorageRef, at: u64| {
        let bytes = container.member(&format!("{prefix}/data/{}", storage.key), u64::MAX)?;
        let needed = storage.count.saturating_mul(storage.element.size() as u64);
        if bytes.len() as u64 == needed {
            return Ok(bytes);
        }
        Err(fault(Fault::new(
            at,
            format!("storage {} of {needed} bytes", quote(&storage.key)),
            format!("a member of {} bytes", bytes.len()),
        )))
    };
    let mut archive = tensor::build(flat, file_len, &fault, &mut load)?;
    for (name, text) in container.metadata(&prefix)? {
        archive.set_metadata(name, text);
    }
    Ok(archive)
}

/// An open zip file, and how many bytes may still be unpacked from it.
struct Container<'p> {
    path: &'p Path,
    zip: ZipArchive<BufReader<File>>,
    file_len: u64,
    budget: u64,
}

impl<'p> Container<'p> {
    fn open(path: &'p Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let file_len = file.metadata().map_err(Error::io("read the size of", path))?.len();
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| {
            let found = format!("{e}: the file is truncated or damaged");
            Error::format(path, file_len, "a zip directory at the end of the file", found)
        })?;
        for name in zip.file_names_raw() {
            check_name(path, name)?;
        }
        Ok(Container { path, zip, file_len, budget: limits::expanded_bytes(file_len) })
    }

    /// The directory that `torch.save` puts everything in, named after the file.
    fn prefix(&self) -> Result<String> {
        if self.zip.file_names_raw().any(|name| name.ends_with(b"/constants.pkl")) {
            return Err(Error::format(
                self.path,
                0,
                "a checkpoint from torch.save",
                "a TorchScript program (torch.jit.save): load it in Python with torch.jit.load and \
                 write its weights with torch.save(program.state_dict(), FILE)",
            ));
        }
        if self.zip.file_names_raw().any(|name| name.ends_with(b".npy")) {
            let found = "arrays of NumPy (.npz): load them in Python, and write them with torch.save or safetensors";
            return Err(Error::format(self.path, 0, "a checkpoint from torch.save", found));
        }
        let names = self.zip.file_names_raw();
        let prefix = |name| std::str::from_utf8(name).ok()?.strip_suffix(PICKLE);
        let prefixes = names.filter_map(prefix).filter(|prefix| !prefix.contains('/'));
        match &prefixes.collect::<Vec<&str>>()[..] {
            [prefix] => Ok(prefix.to_string()),
            found => Err(Error::format(
                self.path,
                0,
                "one member DIRECTORY/data.pkl, as torch.save writes it",
                format!("{} in a zip of {} members", found.len(), self.zip.len()),
            )),
        }
    }

    /// PyTorch 2 notes the byte order; files without the note are little-endian.
    fn check_byte_order(&mut self, prefix: &str) -> Result<()> {
        let member = format!("{prefix}/byteorder");
        match self.optional(&member, 64)? {
            Some(order) if order != b"little" => {
                let found = quote(&String::from_utf8_lossy(&order));
                let fault = Fault::new(0, "byte order \"little\"", found);
                Err(Error::in_file(self.path, &member, fault))
            }
            _ => Ok(()),
        }
    }

    /// The texts that [`Archive::write_pth`] puts beside a state dict; none in files of PyTorch.
    fn metadata(&mut self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let member = format!("{prefix}/{METADATA}");
        let Some(text) = self.optional(&member, limits::TEXT_BYTES as u64)? else {
            return Ok(BTreeMap::new());
        };
        serde_json::from_slice(&text).map_err(|e| {
            let fault = Fault::new(0, "a JSON object of texts", e.to_string());
            Error::in_file(self.path, &member, fault)
        })
    }

    /// [`Container::member`], or `None` where there is none of this name.
    fn optional(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let there = self.zip.index_for_name_raw(name.as_bytes()).is_some();
        there.then(|| self.member(name, limit)).transpose()
    }

    /// A member's bytes, at most `limit`, and within what the whole file may expand to. The
    /// checksum is verified.
    fn member(&mut self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let path = self.path;
        let limit = limit.min(self.budget);
        let fault = |expected: &str, found: String| {
            Error::in_file(path, name, Fault::new(0, expected, found))
        };
        let index = self
            .zip
            .index_for_name_raw(name.as_bytes())
            .ok_or_else(|| fault("this member in the zip container", "none".to_string()))?;
        let member =
            self.zip.by_index(index).map_err(|e| fault("a readable member", e.to_string()))?;
        // The size in the directory may lie, so the count that matters is that of the bytes read.
        let mut bytes = Vec::new();
        member
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| fault("a readable member", format!("{e}: the file is damaged")))?;
        if bytes.len() as u64 > limit {
            return Err(fault(
                "a zip container that does not expand far beyond its own size",
                format!("a member of more than {limit} bytes"),
            ));
        }
        self.budget -= bytes.len() as u64;
        Ok(bytes)
    }
}

/// Nothing is extracted to disk, but only hostile files have names that climb out of the archive.
fn check_name(path: &Path, name: &[u8]) -> Result<()> {
    let name = String::from_utf8_lossy(name);
    let climbs = name.split(['/', '\\']).any(|part| part == "..");
    if climbs || name.starts_with(['/', '\\']) || name.contains('\0') || name.contains(':') {
        return Err(Error::format(
            path,
            0,
            "zip members inside the archive",
            format!("a member named {}", quote(&name)),
        ));
    }
    Ok(())
}
