//! Bad files made by hand: each gives an error that names the file and its fault.

#![allow(clippy::unwrap_used)]

use autogan_weights::Archive;
use std::io::Write;
use std::path::PathBuf;

const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
const SYSTEM: &[u8] = b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u.";

/// A pickle fragment for a short string.
fn text(value: &str) -> Vec<u8> {
    let mut out = b"X".to_vec();
    out.extend((value.len() as u32).to_le_bytes());
    out.extend(value.as_bytes());
    out
}

fn int(value: i32) -> Vec<u8> {
    let mut out = b"J".to_vec();
    out.extend(value.to_le_bytes());
    out
}

fn tuple(values: &[i32]) -> Vec<u8> {
    let mut out = b"(".to_vec();
    values.iter().for_each(|v| out.extend(int(*v)));
    out.push(b't');
    out
}

/// A tensor of f32 over storage "0" of `count` elements.
fn tensor(count: i32, offset: i32, dims: &[i32], strides: &[i32]) -> Vec<u8> {
    let storage = [
        b"(".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        int(count),
        b"tQ".to_vec(),
    ]
    .concat();
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec(),
        storage,
        int(offset),
        tuple(dims),
        tuple(strides),
        b"\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ]
    .concat()
}

/// A whole pickle of `{"t": value}`.
fn dictionary(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02}".to_vec(), text("t"), value.to_vec(), b"s.".to_vec()].concat()
}

/// A legacy container with an object and the elements of storage "0".
fn legacy(object: &[u8], elements: &[f32]) -> Vec<u8> {
    let mut out = [MAGIC, b"\x80\x02M\xe9\x03.", SYSTEM, object].concat();
    if elements.is_empty() {
        out.extend(b"\x80\x02].");
        return out;
    }
    out.extend([b"\x80\x02]".to_vec(), text("0"), b"a.".to_vec()].concat());
    out.extend((elements.len() as u64).to_le_bytes());
    elements.iter().for_each(|x| out.extend(x.to_le_bytes()));
    out
}

fn zip_file(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn stored(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_file(members, zip::CompressionMethod::Stored)
}

fn read(bytes: &[u8]) -> Result<Archive, String> {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("weights.pth");
    std::fs::write(&path, bytes).unwrap();
    Archive::read_any(&path).map_err(|e| {
        let text = e.to_string();
        assert!(text.contains("weights.pth"), "the file is not named: {text}");
        assert!(text.contains("at byte"), "the offset is not named: {text}");
        text
    })
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let error = read(bytes).unwrap_err();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

const FOUR: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

#[test]
fn the_hand_made_files_are_good_before_they_are_spoilt() {
    let object = dictionary(&tensor(4, 1, &[3], &[1]));
    let raw: Vec<u8> = FOUR.iter().flat_map(|x| x.to_le_bytes()).collect();
    let zip = stored(&[("a/data.pkl", &object), ("a/byteorder", b"little"), ("a/data/0", &raw)]);
    for bytes in [legacy(&object, &FOUR), zip] {
        let archive = read(&bytes).unwrap();
        let t = archive.get("t").unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(t, [2.0, 3.0, 4.0]);
    }
}

#[test]
fn an_unexpected_opcode_is_named_with_its_offset() {
    // A name that only the program that wrote the file knows, and data outside of the file.
    for (bytes, words) in [(&b"\x82\x01"[..], "opcode 0x82 (EXT"), (b"\x97", "NEXT_BUFFER")] {
        let object = dictionary(bytes);
        refused(&legacy(&object, &[]), &[words, "nothing in this file is executed"]);
        let at = MAGIC.len() + 6 + SYSTEM.len() + 9;
        refused(&legacy(&object, &[]), &[&format!("at byte {at}:")]);
    }
}

/// Reads a file that holds a tensor `w` and the value `t`, and returns the error of a request for `t`.
#[track_caller]
fn set_aside(value: &[u8]) -> String {
    let entries = [text("w"), tensor(4, 0, &[4], &[1]), text("t"), value.to_vec()].concat();
    let object = [b"\x80\x02}(".to_vec(), entries, b"u.".to_vec()].concat();
    let raw: Vec<u8> = FOUR.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut errors = Vec::new();
    for bytes in [stored(&[("a/data.pkl", &object), ("a/data/0", &raw)]), legacy(&object, &FOUR)] {
        let archive = read(&bytes).unwrap();
        assert_eq!(archive.require("w").unwrap().to_vec1::<f32>().unwrap(), FOUR);
        assert_eq!(archive.names().collect::<Vec<_>>(), ["w"]);
        assert!(archive.metadata().is_empty());
        assert_eq!(archive.opaque().len(), 1);
        errors.push(archive.require("t").unwrap_err().to_string());
    }
    assert_eq!(errors[0], errors[1]);
    errors.swap_remove(0)
}

#[test]
fn what_is_no_tensor_is_recorded_and_never_called() {
    for global in ["os\nsystem", "builtins\neval", "torch.storage\n_load_from_bytes", "torch\nload"]
    {
        let name = global.replace('\n', ".");
        for call in [
            [format!("c{global}\n(").into_bytes(), text("x"), b"tR".to_vec()],
            [format!("c{global}\n(").into_bytes(), text("x"), b"t\x81".to_vec()],
            [b"(".to_vec(), text("x"), format!("i{global}\n").into_bytes()],
        ] {
            let error = set_aside(&call.concat());
            assert!(error.contains(&name) && error.contains("not made"), "{error}");
        }
        let error = set_aside(&format!("c{global}\n").into_bytes());
        assert!(error.contains(&name), "{error}");
    }
    // Here the call is the whole pickle.
    let call = [b"\x80\x02(".to_vec(), text("rm"), b"ios\nsystem\n.".to_vec()].concat();
    let words = ["a dictionary of tensors", "a call of os.system (not made)"];
    refused(&legacy(&call, &[]), &words);
    refused(
        &stored(&[("a/data.pkl", &call)]),
        &[&["a/data.pkl", "at byte 10:"], &words[..]].concat(),
    );
}

/// numpy's `scalar(dtype, bytes)`.
fn scalar(code: &str, order: &str, bytes: &str) -> Vec<u8> {
    let dtype = [
        b"cnumpy\ndtype\n(".to_vec(),
        text(code),
        b"K\x00K\x01tR(K\x03".to_vec(),
        text(order),
        b"NNNtb".to_vec(),
    ];
    let bytes = [b"c_codecs\nencode\n(".to_vec(), text(bytes), text("latin1"), b"tR".to_vec()];
    let call = b"cnumpy.core.multiarray\nscalar\n(".to_vec();
    [call, dtype.concat(), bytes.concat(), b"tR".to_vec()].concat()
}

#[test]
fn numpy_scalars_are_numbers_and_nothing_else() {
    for (value, number) in [
        (scalar("f8", "<", "\0\0\0\0\0\0\u{f8}?"), "1.5"),
        (scalar("f8", ">", "?\u{f8}\0\0\0\0\0\0"), "1.5"),
        (scalar("i2", "<", "\u{fe}\u{ff}"), "-2"),
        (scalar("b1", "|", "\u{1}"), "true"),
    ] {
        let good = read(&legacy(&dictionary(&value), &[])).unwrap();
        assert_eq!(good.metadata()["t"], number);
    }
    for bad in [
        scalar("O8", "<", ""),
        scalar("f8", "<", "\0"),
        scalar("f8", "<", "\u{100}\0\0\0\0\0\u{f8}?"),
        scalar("f8", "<", "\0\0\0\0\0\0\u{f8}?\0"),
        scalar("u8", "<", "\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}"),
    ] {
        assert!(set_aside(&bad).contains("multiarray.scalar"), "{bad:?}");
    }
}

/// A storage reference of this class and, where there is one, part of another storage.
fn storage(class: &str, part: &[u8]) -> Vec<u8> {
    let parts =
        [text("storage"), format!("ctorch\n{class}\n").into_bytes(), text("0"), text("cpu")];
    [b"(".to_vec(), parts.concat(), int(4), part.to_vec(), b"tQ".to_vec()].concat()
}

/// A call that builds a tensor of four elements, with more arguments after the strides.
fn rebuilt(function: &str, storage: &[u8], rest: &[u8]) -> Vec<u8> {
    let call = format!("ctorch._utils\n{function}\n(").into_bytes();
    [call, storage.to_vec(), int(0), tuple(&[4]), tuple(&[1]), rest.to_vec(), b"tR".to_vec()]
        .concat()
}

#[test]
fn tensors_are_built_in_each_way_that_pytorch_had() {
    let float = storage("FloatStorage", b"");
    let old = rebuilt("_rebuild_tensor", &float, b"");
    let new = rebuilt("_rebuild_tensor_v2", &float, b"\x89ccollections\nOrderedDict\n)R");
    let parameter = |data: &[u8]| {
        let call = b"ctorch._utils\n_rebuild_parameter\n(".to_vec();
        [call, data.to_vec(), b"\x88ccollections\nOrderedDict\n)RtR".to_vec()].concat()
    };
    let arguments = [b"(".to_vec(), float.clone(), int(0), tuple(&[4]), tuple(&[1]), b"t".to_vec()];
    let of_class = [
        b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor\ncmy.own\nTensor\n".to_vec(),
        arguments.concat(),
        b"}tR".to_vec(),
    ]
    .concat();
    let view = rebuilt("_rebuild_tensor", &storage("FloatStorage", b"N"), b"");
    let unset = rebuilt("_rebuild_tensor_v2", &float, b"\x89}}X\x04\0\0\0conj\x89s");
    for value in [parameter(&old), parameter(&parameter(&new)), old, new, of_class, view, unset] {
        let archive = read(&legacy(&dictionary(&value), &FOUR)).unwrap();
        assert_eq!(archive.require("t").unwrap().to_vec1::<f32>().unwrap(), FOUR);
    }
}

#[test]
fn tensors_that_are_not_read_are_recorded() {
    let char = storage("CharStorage", b"");
    for (value, words) in [
        (rebuilt("_rebuild_tensor_v2", &char, b"\x89}"), "a tensor of torch.CharStorage"),
        (rebuilt("_rebuild_sparse_tensor", &char, b""), "torch._utils._rebuild_sparse_tensor"),
        (
            rebuilt("_rebuild_tensor_v2", &storage("FloatStorage", &tuple(&[1, 2, 3])), b"\x89}"),
            "a tensor in a storage that is a part of another",
        ),
        // Its values are those of the storage with the other sign.
        (
            rebuilt(
                "_rebuild_tensor_v2",
                &storage("FloatStorage", b""),
                b"\x89}}X\x03\0\0\0neg\x88s",
            ),
            "its bit \"neg\" set: save tensor.resolve_neg()",
        ),
    ] {
        let zip = stored(&[("a/data.pkl", &dictionary(&value))]);
        let error = read(&zip).unwrap().require("t").unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_tensor_outside_its_storage_is_an_error() {
    for (offset, dims, strides) in [
        (2, &[3][..], &[1][..]),
        (0, &[2, 2], &[3, 1]),
        (4, &[], &[]),
        (-1, &[1], &[1]),
        (0, &[-1], &[1]),
        (0, &[2], &[-1]),
        (0, &[2], &[1, 1]),
        (i32::MAX, &[i32::MAX, i32::MAX, i32::MAX], &[i32::MAX, i32::MAX, i32::MAX]),
    ] {
        let object = dictionary(&tensor(4, offset, dims, strides));
        assert!(read(&legacy(&object, &FOUR)).is_err(), "{offset} {dims:?} {strides:?}");
    }
    let object = dictionary(&tensor(4, 2, &[3], &[1]));
    refused(&legacy(&object, &FOUR), &["inside its storage \"0\" of 4 elements", "offset 2"]);
}

#[test]
fn a_storage_of_another_size_is_an_error() {
    let object = dictionary(&tensor(8, 0, &[8], &[1]));
    refused(&legacy(&object, &FOUR), &["storage \"0\" of 8 elements", "found 4"]);
    let zip = stored(&[("a/data.pkl", &object), ("a/data/0", &[0; 16])]);
    refused(&zip, &["32 bytes", "16 bytes"]);
    refused(&stored(&[("a/data.pkl", &object)]), &["a/data/0", "none"]);
    refused(&legacy(&object, &[]), &["list of keys"]);
}

#[test]
fn truncation_is_an_error_at_any_length() {
    let object = dictionary(&tensor(4, 0, &[2, 2], &[2, 1]));
    let raw: Vec<u8> = FOUR.iter().flat_map(|x| x.to_le_bytes()).collect();
    let files = [
        legacy(&object, &FOUR),
        stored(&[("a/data.pkl", &object), ("a/data/0", &raw)]),
        read(&legacy(&object, &FOUR)).unwrap().safetensors_bytes().unwrap(),
    ];
    for file in files {
        assert!(read(&file).is_ok());
        for length in 0..file.len() {
            assert!(read(&file[..length]).is_err(), "{length} of {} bytes", file.len());
        }
    }
}

#[test]
fn small_files_cannot_ask_for_much_memory() {
    // One element, expanded with stride 0 to 8 GB.
    let object = dictionary(&tensor(1, 0, &[2_000_000_000], &[0]));
    refused(&legacy(&object, &[1.0]), &["bytes of tensors in a file of"]);
    // A string that claims 4 GB.
    refused(&legacy(b"\x80\x02X\xff\xff\xff\xff", &[]), &["4294967295 bytes of a string"]);
    // Lists that hold the one before them ten times: 10^12 entries when flattened.
    let mut bomb = b"\x80\x02}".to_vec();
    bomb.extend(text("t"));
    bomb.extend(b"(]q\x00");
    for level in 0..12u8 {
        bomb.extend(b"](");
        (0..10).for_each(|_| bomb.extend([b'h', level]));
        bomb.extend([b'e', b'q', level + 1]);
    }
    bomb.extend(b"ts.");
    refused(&legacy(&bomb, &[]), &["at most 1000000 entries"]);
    // A list that holds itself, and nesting that is deeper than any checkpoint's.
    refused(&legacy(&dictionary(b"]q\x00h\x00a"), &[]), &["levels deep"]);
    let deep = [b"]".repeat(100_000), b"a".repeat(99_999)].concat();
    refused(&legacy(&dictionary(&deep), &[]), &["levels deep"]);
    // More values than any checkpoint has.
    let many = dictionary(&[b"(".to_vec(), b"N".repeat(4_100_000), b"t".to_vec()].concat());
    refused(&legacy(&many, &[]), &["at most 4000000 values"]);
}

#[test]
fn a_zip_that_expands_far_beyond_its_size_is_an_error() {
    let object = dictionary(&tensor(16 << 20, 0, &[4], &[1]));
    let zeros = vec![0u8; 64 << 20];
    let members: [(&str, &[u8]); 2] = [("a/data.pkl", &object), ("a/data/0", &zeros)];
    let bomb = zip_file(&members, zip::CompressionMethod::Deflated);
    assert!(bomb.len() < 1 << 20);
    refused(&bomb, &["a/data/0", "does not expand far beyond its own size"]);
}

#[test]
fn a_zip_member_that_climbs_out_is_an_error() {
    let object = dictionary(b"N");
    for name in ["../evil", "a/../../evil", "/etc/passwd", "a\\..\\evil", "c:evil"] {
        let zip = stored(&[("a/data.pkl", &object), (name, b"x")]);
        refused(&zip, &["inside the archive", "a member named"]);
    }
}

#[test]
fn other_things_that_are_not_checkpoints_are_described() {
    let pictures = stored(&[("a.png", b"x")]);
    refused(&pictures, &["DIRECTORY/data.pkl", "0 in a zip of 1 members"]);
    refused(&stored(&[("mu.npy", b"x")]), &["arrays of NumPy (.npz)", "torch.save"]);
    let big = stored(&[("a/data.pkl", &dictionary(b"N")), ("a/byteorder", b"big")]);
    refused(&big, &["a/byteorder", "\"big\""]);
    refused(&legacy(b"\x80\x02K\x01.", &[]), &["a dictionary of tensors", "the integer 1"]);
    refused(&legacy(b"\x80\x06.", &[]), &["protocol 0 to 5", "protocol 6"]);
    let script = stored(&[("a/data.pkl", &dictionary(b"N")), ("a/constants.pkl", b"\x80\x02).")]);
    refused(&script, &["TorchScript", "torch.jit.load", "state_dict()"]);
    refused(b"\x80\x02}.", &["plain pickle"]);
    refused(b"", &["an empty file"]);
}
