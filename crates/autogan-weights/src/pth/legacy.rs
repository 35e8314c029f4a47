//! The legacy container: five pickles, then the storages as element count and raw elements.

use super::cursor::Cursor;
use super::value::{Pickled, StorageRef, Value};
use super::{flatten, machine, tensor};
use crate::archive::Archive;
use crate::error::{Error, Fault, Result, quote};
use crate::limits;
use crate::sniff::LEGACY_MAGIC;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

const PROTOCOL_VERSION: i64 = 1001;

/// Reads a legacy container.
pub(super) fn read(path: &Path) -> Result<Archive> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let file_len = file.metadata().map_err(Error::io("read the size of", path))?.len();
    let mut head = Vec::new();
    file.by_ref()
        .take(limits::PICKLE_BYTES)
        .read_to_end(&mut head)
        .map_err(Error::io("read", path))?;
    let fault = |fault: Fault| fault.within(path, "");
    let parts = Pickles::parse(&head).map_err(fault)?;
    drop(head);
    let flat = flatten::flatten(&parts.object, parts.object_at).map_err(fault)?;
    let places = locate(path, &mut file, file_len, &parts)?;
    drop(parts);
    let mut load = |storage: &StorageRef, at: u64| {
        let &(start, element_count) = places.get(&storage.key).ok_or_else(|| {
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
    object: Pickled,
    object_at: u64,
    /// Keys in the order of the storages behind the pickles.
    keys: Vec<Rc<str>>,
    keys_at: u64,
    /// Offset of the first storage.
    end: u64,
}

impl Pickles {
    fn parse(head: &[u8]) -> std::result::Result<Pickles, Fault> {
        let magic = LEGACY_MAGIC.len();
        let mut cursor = Cursor::new(&head[magic.min(head.len())..], magic as u64);
        let at = cursor.offset();
        match machine::run(&mut cursor)?.root() {
            Value::Int(PROTOCOL_VERSION) => {}
            other => {
                let wanted = format!("protocol version {PROTOCOL_VERSION}");
                return Err(Fault::new(at, wanted, format!("{other:?}")));
            }
        }
        let at = cursor.offset();
        check_system(&machine::run(&mut cursor)?, at)?;
        let object_at = cursor.offset();
        let object = machine::run(&mut cursor)?;
        let keys_at = cursor.offset();
        let keys = key_list(&machine::run(&mut cursor)?, keys_at)?;
        Ok(Pickles {
            object,
            object_at,
            keys,
            keys_at,
            end: magic as u64 + cursor.position() as u64,
        })
    }

    /// Element size of each storage that the object refers to.
    fn element_sizes(&self) -> HashMap<&str, u64> {
        self.object
            .values
            .iter()
            .filter_map(|value| match value {
                Value::Storage(s) => Some((&*s.key, s.element.size() as u64)),
                _ => None,
            })
            .collect()
    }
}

/// The system description holds `little_endian`, which must be true.
fn check_system(system: &Pickled, at: u64) -> std::result::Result<(), Fault> {
    let Value::Dict(entries) = system.root() else {
        return Err(Fault::new(at, "a description of the system", system.root().kind()));
    };
    let big = entries.iter().any(|(key, value)| {
        let is_key = matches!(&system.values[*key], Value::Text(t) if &**t == "little_endian");
        is_key && matches!(system.values[*value], Value::Bool(false))
    });
    if big {
        return Err(Fault::new(at, "little-endian storages", "big-endian ones"));
    }
    Ok(())
}

fn key_list(pickled: &Pickled, at: u64) -> std::result::Result<Vec<Rc<str>>, Fault> {
    let Value::List(items) = pickled.root() else {
        return Err(Fault::new(at, "a list of storage keys", pickled.root().kind()));
    };
    items
        .iter()
        .map(|id| match &pickled.values[*id] {
            Value::Text(key) => Ok(Rc::clone(key)),
            other => Err(Fault::new(at, "a storage key, a string", other.kind())),
        })
        .collect()
}

/// Walks over the storages: first byte and element count of each, all known to be in the file.
fn locate(
    path: &Path,
    file: &mut File,
    file_len: u64,
    parts: &Pickles,
) -> Result<HashMap<Rc<str>, (u64, u64)>> {
    let sizes = parts.element_sizes();
    let fault =
        |at: u64, expected: String, found: String| Fault::new(at, expected, found).within(path, "");
    let mut places = HashMap::new();
    let mut at = parts.end;
    for key in &parts.keys {
        let size = *sizes.get(&**key).ok_or_else(|| {
            let expected = "keys of storages that a tensor uses".to_string();
            fault(parts.keys_at, expected, quote(key))
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
        if places.insert(Rc::clone(key), (start, count)).is_some() {
            let expected = "each storage key once".to_string();
            return Err(fault(parts.keys_at, expected, format!("{} again", quote(key))));
        }
    }
    Ok(places)
}
