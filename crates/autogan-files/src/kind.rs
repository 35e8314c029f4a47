//! [`kind`](fn@kind) tells from its first bytes what a file is that a reader did not expect, so that an error can say it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The number of bytes from which [`kind`] tells all that it knows.
const HEAD: u64 = 512;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its name with an article, such as `a GIF picture`.
    pub name: &'static str,
    /// What it is one of.
    pub class: Class,
}

/// What files of a kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// One picture.
    Picture,
    /// Files in a container, or one that is compressed.
    Archive,
    /// Rows of a table, which may hold pictures.
    Table,
    /// Arrays of numbers.
    Array,
    /// A network, or its weights.
    Model,
    /// A Python pickle.
    Pickle,
    /// What a failed download leaves in place of the file.
    NotDownloaded,
    /// A text.
    Document,
}

/// The name of tar archives, which once held PyTorch's checkpoints.
pub const TAR: &str = "a tar archive";

/// Where the name of a tar's format stands.
const TAR_AT: usize = 257;

/// A file's first bytes, and what it is.
const MAGICS: &[(&[u8], &str, Class)] = &[
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", Class::Picture),
    (b"\xff\xd8\xff", "a JPEG picture", Class::Picture),
    (b"GIF8", "a GIF picture", Class::Picture),
    (b"II*\0", "a TIFF picture", Class::Picture),
    (b"MM\0*", "a TIFF picture", Class::Picture),
    (b"8BPS", "a Photoshop picture", Class::Picture),
    (b"\0\0\x01\0", "an ICO picture", Class::Picture),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", Class::Picture),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture", Class::Picture),
    (b"\xff\x0a", "a JPEG XL picture", Class::Picture),
    (b"<svg", "an SVG picture", Class::Picture),
    (b"PK\x03\x04", "a zip archive", Class::Archive),
    (b"PK\x05\x06", "a zip archive", Class::Archive),
    (b"\x1f\x8b", "a file compressed with gzip", Class::Archive),
    (b"BZh", "a file compressed with bzip2", Class::Archive),
    (b"\xfd7zXZ\0", "a file compressed with xz", Class::Archive),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", Class::Archive),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", Class::Archive),
    (b"Rar!", "a RAR archive", Class::Archive),
    (b"PAR1", "a Parquet table", Class::Table),
    (b"ARROW1", "an Arrow table", Class::Table),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", Class::Array),
    (b"\x93NUMPY", "a NumPy array", Class::Array),
    (b"MATLAB", "a MATLAB file", Class::Array),
    (b"GGUF", "a GGUF model", Class::Model),
    (b"%PDF", "a PDF document", Class::Document),
    (
        b"version https://git-lfs",
        "a Git LFS pointer: the file itself was not downloaded (git lfs pull)",
        Class::NotDownloaded,
    ),
    (b"<!DOCTYPE html", "a web page: the download gave an error page", Class::NotDownloaded),
    (b"<!doctype html", "a web page: the download gave an error page", Class::NotDownloaded),
    (b"<html", "a web page: the download gave an error page", Class::NotDownloaded),
];

/// Tells what the file at `path` is; none for what is not known or cannot be read, and for a pipe, to which nobody may ever
/// write.
pub fn kind_of(path: &Path) -> Option<Kind> {
    let file = if path.is_file() { File::open(path).ok()? } else { return None };
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).ok()?;
    kind(&head)
}

/// Tells what the file is that begins with `head`, of which 512 bytes suffice; none for what is not known.
pub fn kind(head: &[u8]) -> Option<Kind> {
    let known = MAGICS.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some(&(_, name, class)) = known {
        return Some(Kind { name, class });
    }
    let named = |name, class| Some(Kind { name, class });
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            named("a WebP picture", Class::Picture)
        }
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => {
            named("an AVIF picture", Class::Picture)
        }
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', b'e' | b'i', ..] => {
            named("a HEIC picture", Class::Picture)
        }
        [0x80, 2..=5, ..] => named("a Python pickle", Class::Pickle),
        // The version of the format, then the name of the program that wrote it.
        [0x08, 1..=32, 0x12, _, b'a'..=b'z' | b'A'..=b'Z', ..] => {
            named("an ONNX model", Class::Model)
        }
        [_, _, _, _, _, _, 0, 0, b'{', b'"' | b'}', ..] => {
            named("a safetensors file", Class::Model)
        }
        _ if head.get(TAR_AT..TAR_AT + 5) == Some(b"ustar") => named(TAR, Class::Archive),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(head: &[u8]) -> Option<&'static str> {
        kind(head).map(|kind| kind.name)
    }

    #[test]
    fn files_are_told_from_their_first_bytes() {
        let mut tar = vec![b'x'; HEAD as usize];
        tar[TAR_AT..TAR_AT + 5].copy_from_slice(b"ustar");
        for (head, expected) in [
            (&b"GIF89a\x01\0"[..], "a GIF picture"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP picture"),
            (b"\0\0\0\x1cftypavif\0\0", "an AVIF picture"),
            (b"\0\0\0\x18ftypheic\0\0", "a HEIC picture"),
            (b"\0\0\0\x18ftypmif1\0\0", "a HEIC picture"),
            (b"PK\x03\x04rest", "a zip archive"),
            (b"\x80\x04\x95rest", "a Python pickle"),
            (b"\x08\x07\x12\x07pytorch", "an ONNX model"),
            (b"\x10\0\0\0\0\0\0\0{\"a\":1}", "a safetensors file"),
            (&tar, "a tar archive"),
        ] {
            assert_eq!(name(head), Some(expected), "{head:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let known = MAGICS.iter().map(|(magic, ..)| *magic);
        // No beginning of a magic is taken for the whole of it.
        for cut in known.clone().map(|magic| &magic[..magic.len() - 1]) {
            let shorter = known.clone().any(|other| cut.starts_with(other));
            assert!(shorter || name(cut).is_none(), "{cut:?}");
        }
        for head in [&b""[..], b"(dp1\nS'data'", b"dear reader", b"P5 4 4 255\n", &[0; 600]] {
            assert_eq!(name(head), None, "{head:?}");
        }
    }
}
