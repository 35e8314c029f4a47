//! This module reads the legacy container: five pickles, then the storages as element count and raw elements.

use super::flatten::{FlatEntries, flatten};
use super::tensor;
use super::value::{KEY_BYTES, StorageRecord, StorageRef};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::sniff::legacy_magic;
use autogan_files::pickle::{MAX_BYTES, Number, Pickle, Value};
use autogan_files::{Fault, quote};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const PROTOCOL_VERSION: i64 = 1001;

/// Bytes in which the pickles of most files end; more are read where they do not.
const FIRST_READ: u64 = 1 << 20;

/// Reads a legacy container.
pub(crate) fn read(path: &Path) -> Result<Archive> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let file_len = file.metadata().map_err(Error::io("read the size of", path))?.len();
    let fault = |fault: Fault| Error::in_file(path, "", fault);
    let mut head = Vec::new();
    let mut limit = FIRST_READ;
    let mut pickles = loop {
        let more = limit - head.len() as u64;
        file.by_ref().take(more).read_to_end(&mut head).map_err(Error::io("read", path))?;
        match Pickles::parse(&head) {
            Ok(pickles) => break pickles,
            Err(_) if limit < file_len.min(MAX_BYTES) => limit = (limit * 8).min(MAX_BYTES),
            Err(found) => return Err(fault(found)),
        }
    };
    drop(head);
    let flat = std::mem::take(&mut pickles.flat);
    let places = locate(path, &mut file, file_len, &pickles)?;
    let mut load = |storage: &StorageRef, at: u64| {
        let &(start, element_count) = places.get(&*storage.key).ok_or_else(|| {
            let found = quote(&storage.key);
            fault(Fault::new(at, "a storage in the file's list of keys", found))
        })?;
        if element_count != storage.count {
            return Err(fault(Fault::new(
                start,
                format!("storage {} of {} elements", quote(&storage.key), storage.count),
                format!("{element_count}"),
            )));
        }
        // `locate` has checked that this many bytes are in the file.
        let mut bytes = vec![0u8; storage.count as usize * storage.element.size()];
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io("read a storage from", path))?;
        Ok(bytes)
    };
    tensor::build(flat, file_len, &fault, &mut load)
}

/// What the five pickles say.
struct Pickles {
    flat: FlatEntries,
    /// Element size of each storage that the object refers to.
    sizes: HashMap<String, u64>,
    /// Keys in the order of the storages behind the pickles.
    keys: Vec<String>,
    keys_at: u64,
    /// Offset of the first storage.
    end: u64,
}

impl Pickles {
    fn parse(head: &[u8]) -> Result<Pickles, Fault> {
        let mut at = legacy_magic(head).unwrap_or_default();
        let mut next = || {
            let (pickle, length) = Pickle::parse_at(&head[at..], at as u64)?;
            at += length;
            Ok::<_, Fault>(pickle)
        };
        let version = next()?;
        if version.number(version.root()) != Some(Number::Int(PROTOCOL_VERSION)) {
            return Err(
                version.wrong(version.root(), format!("protocol version {PROTOCOL_VERSION}"))
            );
        }
        check_system(&next()?)?;
        let object = next()?;
        let keys = next()?;
        let stored = object.ids().filter(|id| matches!(object.value(*id), Value::Persistent(_)));
        let stored = stored.filter_map(|id| StorageRecord::read(&object, id).ok());
        Ok(Pickles {
            flat: flatten(&object)?,
            sizes: stored.filter_map(|s| s.element_size().map(|size| (s.key, size))).collect(),
            keys: key_list(&keys)?,
            keys_at: keys.offset(keys.root()),
            end: at as u64,
        })
    }
}

/// The system description holds `little_endian`, which must be true.
fn check_system(system: &Pickle<'_>) -> Result<(), Fault> {
    let root = system.root();
    let entries = system.entries(root)?;
    let entries = entries.ok_or_else(|| system.wrong(root, "a description of the system"))?;
    let big = entries.iter().any(|&(key, value)| {
        system.text(key).as_deref() == Some("little_endian")
            && system.number(value) == Some(Number::Bool(false))
    });
    if big {
        return Err(system.unlike(root, "little-endian storages", "big-endian ones"));
    }
    Ok(())
}

fn key_list(keys: &Pickle<'_>) -> Result<Vec<String>, Fault> {
    let root = keys.root();
    let items = keys.items(root).ok_or_else(|| keys.wrong(root, "a list of storage keys"))?;
    let key = |&item| {
        let text = keys.text(item).filter(|key| key.len() <= KEY_BYTES);
        text.map(String::from).ok_or_else(|| keys.wrong(item, "a storage key, a short string"))
    };
    items.iter().map(key).collect()
}

/// Walks over the storages: first byte and element count of each, all known to be in the file.
fn locate<'k>(
    path: &Path,
    file: &mut File,
    file_len: u64,
    pickles: &'k Pickles,
) -> Result<HashMap<&'k str, (u64, u64)>> {
    let fault = |at: u64, expected: String, found: String| {
        Error::in_file(path, "", Fault::new(at, expected, found))
    };
    let mut places = HashMap::new();
    let mut at = pickles.end;
    for key in &pickles.keys {
        let size = *pickles.sizes.get(key).ok_or_else(|| {
            let expected = "keys of storages that a tensor uses".to_string();
            fault(pickles.keys_at, expected, quote(key))
        })?;
        let mut count = [0u8; 8];
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut count)).map_err(|_| {
            let expected = format!("the element count of storage {}", quote(key));
            fault(at, expected, format!("the end of the file at {file_len}: it is truncated"))
        })?;
        let count = u64::from_le_bytes(count);
        let start = at + 8;
        let end = count.checked_mul(size).and_then(|n| n.checked_add(start));
        at = end.filter(|end| *end <= file_len).ok_or_else(|| {
            let expected = format!("storage {} of {count} elements of {size} bytes", quote(key));
            fault(at, expected, format!("the end of the file at {file_len}: it is truncated"))
        })?;
        if places.insert(&**key, (start, count)).is_some() {
            let expected = "each storage key once".to_string();
            return Err(fault(pickles.keys_at, expected, format!("{} again", quote(key))));
        }
    }
    Ok(places)
}
