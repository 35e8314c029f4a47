//! Randomly damaged files: reading them ends in a value or an error, never in a panic, and never
//! takes more memory than the documented multiple of the file's size.

#![allow(clippy::unwrap_used)]

use autogan_weights::Archive;
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::path::PathBuf;

/// An allocator that counts the bytes that the current thread holds.
struct CountingAllocator;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // The counters are gone while a thread ends; nothing is measured then.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The most bytes that were held at once while `work` ran, without those held before.
fn peak(work: impl FnOnce()) -> isize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    PEAK.get() - before
}

const NAMES: [&str; 12] = [
    "beside_zip.pth",
    "beside_legacy.pth",
    "beside_p4.pth",
    "checkpoint_zip.pth",
    "checkpoint_legacy.pth",
    "checkpoint.safetensors",
    "types_zip.pth",
    "types_legacy.pth",
    "types.safetensors",
    "views_zip.pth",
    "views_legacy.pth",
    "views.safetensors",
];

fn golden(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../tests/golden/weights", name].iter().collect();
    std::fs::read(path).unwrap()
}

/// A copy of a zip container with its member `data.pkl` changed, and with valid checksums.
fn repack(zip: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut source = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut target = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let mut change = Some(change);
    for index in 0..source.len() {
        let mut member = source.by_index(index).unwrap();
        let name = member.name().unwrap().to_string();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        if name.ends_with("data.pkl")
            && let Some(change) = change.take()
        {
            change(&mut bytes);
        }
        target.start_file(name, options).unwrap();
        target.write_all(&bytes).unwrap();
    }
    target.finish().unwrap().into_inner()
}

/// One kind of damage; positions are taken modulo the length.
#[derive(Debug, Clone)]
enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Copy(usize, usize, usize),
    Huge(usize, u32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>();
    prop_oneof![
        (at, any::<u8>()).prop_map(|(a, b)| Damage::Set(a, b)),
        (at, 0..8u8).prop_map(|(a, b)| Damage::Flip(a, 1 << b)),
        at.prop_map(Damage::Cut),
        (at, 1..40usize).prop_map(|(a, n)| Damage::Remove(a, n)),
        (at, any::<usize>(), 1..40usize).prop_map(|(a, b, n)| Damage::Copy(a, b, n)),
        (at, prop_oneof![Just(u32::MAX), Just(0x7fff_ffff), any::<u32>()])
            .prop_map(|(a, v)| Damage::Huge(a, v)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let len = bytes.len().max(1);
    let tail = |at: usize, n: usize| (at % len)..(at % len + n).min(bytes.len());
    match *damage {
        _ if bytes.is_empty() => {}
        Damage::Set(at, value) => bytes[at % len] = value,
        Damage::Flip(at, bit) => bytes[at % len] ^= bit,
        Damage::Cut(at) => bytes.truncate(at % len),
        Damage::Remove(at, n) => {
            let range = tail(at, n);
            bytes.drain(range);
        }
        Damage::Copy(from, to, n) => {
            let piece = bytes[tail(from, n)].to_vec();
            bytes.splice(to % len..to % len, piece);
        }
        Damage::Huge(at, value) => {
            let range = tail(at, 4);
            let width = range.len();
            bytes[range].copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
}

/// Reads the bytes as a file. A panic fails the test, and so does too much memory.
fn survives(bytes: &[u8]) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged");
    std::fs::write(&path, bytes).unwrap();
    let used = peak(|| {
        if let Err(error) = Archive::read_any(&path) {
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    });
    // The documented bound on tensors is 16 times the file and 64 MiB; buffers come on top.
    let bound = 32 * bytes.len() as isize + (72 << 20);
    prop_assert!(used < bound, "{used} bytes for a file of {}", bytes.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn damaged_files(which in 0..NAMES.len(), damages in prop::collection::vec(damage(), 1..6)) {
        let mut bytes = golden(NAMES[which]);
        damages.iter().for_each(|d| apply(&mut bytes, d));
        survives(&bytes)?;
    }

    #[test]
    fn damaged_pickles_behind_right_checksums(
        which in prop::sample::select(
            vec!["beside_zip.pth", "checkpoint_zip.pth", "types_zip.pth", "views_zip.pth"]
        ),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let bytes = repack(&golden(which), |pickle| damages.iter().for_each(|d| apply(pickle, d)));
        survives(&bytes)?;
    }

    #[test]
    fn random_pickles(program in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = repack(&golden("types_zip.pth"), |pickle| {
            *pickle = [b"\x80\x02".to_vec(), program].concat();
        });
        survives(&bytes)?;
    }
}

#[test]
fn an_undamaged_file_survives_being_packed_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("again");
    std::fs::write(&path, repack(&golden("views_zip.pth"), |_| ())).unwrap();
    assert_eq!(Archive::read_any(&path).unwrap().len(), 8);
}

#[test]
fn the_counter_counts() {
    assert!(peak(|| drop(std::hint::black_box(vec![0u8; 1 << 20]))) >= 1 << 20);
}
