//! What people keep beside the weights of a checkpoint: it is recorded, never executed, and hides no tensor.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use std::io::{Cursor, Write};

use autogan_weights::Archive;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Values as Python writes them in protocol 2, without its header and its end; and what is recorded of each, which is
/// nothing where it is made of numbers and texts alone.
const BESIDE: &[(&str, &[u8], &str)] = &[
    ("scheduler", b"}q\x00(X\x0a\x00\x00\x00milestonesq\x01ccollections\x0aCounter\x0aq\x02}q\x03(K\x03K\x01K\x05K\
          \x01u\x85q\x04Rq\x05X\x05\x00\x00\x00gammaq\x06G?\xb9\x99\x99\x99\x99\x99\x9aX\x08\x00\x00\x00ba\
          se_lrsq\x07]q\x08G?PbM\xd2\xf1\xa9\xfcaX\x0a\x00\x00\x00last_epochq\x09K\x00X\x07\x00\x00\x00ver\
          boseq\x0a\x89X\x0b\x00\x00\x00_step_countq\x0bK\x01X\x08\x00\x00\x00_last_lrq\x0c]q\x0dG?PbM\xd2\
          \xf1\xa9\xfcau", ""),
    ("device", b"ctorch\x0adevice\x0aq\x00X\x03\x00\x00\x00cpuq\x01\x85q\x02Rq\x03", "a call of torch.device (not made)"),
    ("dtype", b"ctorch\x0afloat32\x0aq\x00", "the name torch.float32"),
    ("set", b"c__builtin__\x0aset\x0aq\x00]q\x01(K\x01K\x02e\x85q\x02Rq\x03", ""),
    ("complex", b"c__builtin__\x0acomplex\x0aq\x00G?\xf0\x00\x00\x00\x00\x00\x00G@\x00\x00\x00\x00\x00\x00\x00\x86\
          q\x01Rq\x02", "__builtin__.complex (not made)"),
    ("tuple_key", b"}q\x00K\x01K\x02\x86q\x01K\x03s", ""),
    ("none_key", b"}q\x00NK\x01s", ""),
    ("large_int", b"\x8a\x0d\x00\x00\x00@\xea\xedtF\xd0\x9c,\x9f\x0c", "more than 64 bits"),
    ("namespace", b"cargparse\x0aNamespace\x0aq\x00)\x81q\x01}q\x02X\x02\x00\x00\x00lrq\x03K\x01sb", "argparse.Namespace"),
    ("path", b"cpathlib\x0aPurePosixPath\x0aq\x00X\x01\x00\x00\x00xq\x01\x85q\x02Rq\x03", "pathlib.PurePosixPath"),
    ("date", b"cdatetime\x0adatetime\x0aq\x00c_codecs\x0aencode\x0aq\x01X\x0b\x00\x00\x00\x07\xc3\xa4\x01\x01\
          \x00\x00\x00\x00\x00\x00q\x02X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05\x85q\x06Rq\x07", "datetime.datetime"),
    ("array", b"cnumpy._core.multiarray\x0a_reconstruct\x0aq\x00cnumpy\x0andarray\x0aq\x01K\x00\x85q\x02c_codecs\
          \x0aencode\x0aq\x03X\x01\x00\x00\x00bq\x04X\x06\x00\x00\x00latin1q\x05\x86q\x06Rq\x07\x87q\x08Rq\
          \x09(K\x01K\x02K\x03\x86q\x0acnumpy\x0adtype\x0aq\x0bX\x02\x00\x00\x00f8q\x0c\x89\x88\x87q\x0dRq\
          \x0e(K\x03X\x01\x00\x00\x00<q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x10b\x89h\x03X0\
          \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
          \x00\x00\x00q\x11h\x05\x86q\x12Rq\x13tq\x14b", "multiarray._reconstruct"),
    ("slice", b"c__builtin__\x0aslice\x0aq\x00K\x01K\x02N\x87q\x01Rq\x02", "__builtin__.slice"),
    ("partial", b"cfunctools\x0apartial\x0aq\x00c__builtin__\x0aprint\x0aq\x01\x85q\x02Rq\x03(h\x01K\x01\x85q\x04}\
          q\x05Ntq\x06b", "functools.partial"),
    ("enum", b"csignal\x0aSignals\x0aq\x00K\x02\x85q\x01Rq\x02", "signal.Signals"),
    ("bytes", b"c_codecs\x0aencode\x0aq\x00X\x03\x00\x00\x00\x00\xc3\xbfq\x01X\x06\x00\x00\x00latin1q\x02\x86q\
          \x03Rq\x04", "_codecs.encode"),
    ("lambda_name", b"c__builtin__\x0aprint\x0aq\x00", "the name __builtin__.print"),
    ("exception", b"cexceptions\x0aValueError\x0aq\x00X\x01\x00\x00\x00xq\x01\x85q\x02Rq\x03", "ValueError"),
    ("fraction", b"cfractions\x0aFraction\x0aq\x00K\x01K\x03\x86q\x01Rq\x02", "fractions.Fraction"),
    ("decimal", b"cdecimal\x0aDecimal\x0aq\x00X\x03\x00\x00\x001.5q\x01\x85q\x02Rq\x03", "decimal.Decimal"),
    ("range", b"c__builtin__\x0axrange\x0aq\x00K\x00K\x03K\x01\x87q\x01Rq\x02", "xrange"),
    ("frozenset", b"c__builtin__\x0afrozenset\x0aq\x00]q\x01K\x01a\x85q\x02Rq\x03", ""),
    ("uuid", b"cuuid\x0aUUID\x0aq\x00)\x81q\x01}q\x02X\x03\x00\x00\x00intq\x03K\x05sb", "uuid.UUID"),
    ("ellipsis", b"c__builtin__\x0aEllipsis\x0aq\x00", "Ellipsis"),
];

/// A text in protocol 2.
fn text(value: &str) -> Vec<u8> {
    [&b"X"[..], &(value.len() as u32).to_le_bytes()[..], value.as_bytes()].concat()
}

/// A tensor of two elements in storage 0.
fn tensor() -> Vec<u8> {
    let storage = [
        b"(".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        b"K\x02tQ".to_vec(),
    ];
    let call = b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    let rest = b"K\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR".to_vec();
    [call, storage.concat(), rest].concat()
}

/// Reads `{"epoch": 3, "gen_state_dict": {"w": tensor}, name: value}`.
fn read(name: &str, value: &[u8]) -> Archive {
    let pickle = [
        // The value comes first, for its own memo counts from 0.
        b"\x80\x02}(".to_vec(),
        text(name),
        value.to_vec(),
        text("epoch"),
        b"K\x03".to_vec(),
        text("gen_state_dict"),
        b"}".to_vec(),
        text("w"),
        tensor(),
        b"su.".to_vec(),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let elements: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    for (member, bytes) in [("a/data.pkl", pickle.concat()), ("a/data/0", elements)] {
        zip.start_file(member, SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), zip.finish().unwrap().into_inner()).unwrap();
    Archive::read_any(file.path()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn weights_are_read_whatever_lies_beside_them() {
    for (name, value, recorded) in BESIDE {
        let archive = read(name, value);
        let weights = archive.require("gen_state_dict.w").unwrap();
        assert_eq!(weights.to_vec1::<f32>().unwrap(), [1.5, -2.0], "{name}");
        assert_eq!((archive.len(), archive.metadata()["epoch"].as_str()), (1, "3"), "{name}");
        match recorded.is_empty() {
            true => assert!(archive.opaque().is_empty(), "{name}: {:?}", archive.opaque()),
            false => {
                assert!(
                    archive.opaque()[*name].contains(recorded),
                    "{name}: {:?}",
                    archive.opaque()
                );
                // Only who asks for it as a tensor is told that it is none.
                let error = archive.require(name).unwrap_err().to_string();
                assert!(error.contains("is not read as a tensor"), "{name}: {error}");
            }
        }
    }
}
