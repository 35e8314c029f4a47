//! This module writes and reads a checkpoint's bytes: safetensors in a fixed order, and a SHA-256.

use std::collections::BTreeMap;
use std::io::{self, Write};

use autogan_files::Sha256;
use autogan_files::safetensors::{Entry, Layout};
use safetensors::SafeTensors;

use super::{Checkpoint, TensorData};
use crate::error::{Error, Result};

const FORMAT_KEY: &str = "format";
const FORMAT: &str = "autogan-checkpoint-1";
const TICK_KEY: &str = "tick";
const SUM_KEY: &str = "sha256";

/// Checks, sorts and sums a checkpoint; gives what writes its header and tensors.
pub(super) fn prepare(
    checkpoint: &Checkpoint,
) -> Result<impl Fn(&mut dyn Write) -> io::Result<()>> {
    for tensor in &checkpoint.tensors {
        check(tensor)?;
    }
    let tensors = sorted(&checkpoint.tensors);
    let mut metadata = checkpoint.metadata.clone();
    let own = [FORMAT_KEY, TICK_KEY, SUM_KEY];
    if let Some(key) = own.into_iter().find(|key| metadata.contains_key(*key)) {
        let expected = format!("no entry {FORMAT_KEY:?}, {TICK_KEY:?} or {SUM_KEY:?}");
        return Err(Error::invalid("checkpoint metadata", expected, format!("{key:?}")));
    }
    metadata.insert(FORMAT_KEY.to_owned(), FORMAT.to_owned());
    metadata.insert(TICK_KEY.to_owned(), checkpoint.tick.to_string());
    let sum = checksum(&metadata, &tensors);
    metadata.insert(SUM_KEY.to_owned(), sum);
    let entries = tensors.iter().map(|tensor| Entry {
        name: &tensor.name,
        dtype: tensor.dtype,
        shape: &tensor.shape,
    });
    let layout = Layout::new(&metadata, &entries.collect::<Vec<_>>())?;
    Ok(move |out: &mut dyn Write| {
        layout.write(out, |index, out| out.write_all(&tensors[index].bytes))
    })
}

fn check(tensor: &TensorData) -> Result<()> {
    let bits =
        tensor.shape.iter().try_fold(tensor.dtype.bitsize(), |bits, &size| bits.checked_mul(size));
    if bits != tensor.bytes.len().checked_mul(8) {
        return Err(Error::invalid(
            "tensor in a checkpoint",
            format!("the bytes of a {} of shape {:?}", tensor.dtype, tensor.shape),
            format!("{} bytes in {:?}", tensor.bytes.len(), tensor.name),
        ));
    }
    Ok(())
}

/// By falling element size, so that every tensor is aligned, then by name.
fn sorted(tensors: &[TensorData]) -> Vec<&TensorData> {
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by(|a, b| {
        (b.dtype.bitsize(), &a.name).cmp(&(a.dtype.bitsize(), &b.name)).then(a.dtype.cmp(&b.dtype))
    });
    tensors
}

/// SHA-256 over the metadata without the sum itself, and over every tensor's name, type, shape and
/// bytes; each piece with its length, so that no two contents give the same stream.
fn checksum(metadata: &BTreeMap<String, String>, tensors: &[&TensorData]) -> String {
    let mut hash = Sha256::new();
    let mut piece = |bytes: &[u8]| hash.update_piece(bytes);
    for (key, value) in metadata {
        piece(key.as_bytes());
        piece(value.as_bytes());
    }
    for tensor in tensors {
        piece(tensor.name.as_bytes());
        piece(tensor.dtype.to_string().as_bytes());
        for &size in &tensor.shape {
            piece(&(size as u64).to_le_bytes());
        }
        piece(&tensor.bytes);
    }
    hash.hex()
}

/// Reads a checkpoint's bytes; the error says what is wrong with them.
pub(super) fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut metadata: BTreeMap<String, String> =
        header.metadata().clone().unwrap_or_default().into_iter().collect();
    let tensors: Vec<TensorData> = file
        .iter()
        .map(|(name, view)| TensorData {
            name: name.to_owned(),
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        })
        .collect();

    let found = metadata.get(FORMAT_KEY).map_or("none", String::as_str);
    if found != FORMAT {
        return Err(format!("expected format {FORMAT}, found {found}"));
    }
    let sum = metadata.remove(SUM_KEY).ok_or("expected a checksum in the metadata, found none")?;
    let order = sorted(&tensors);
    let expected = checksum(&metadata, &order);
    if sum != expected {
        return Err(format!("its content has checksum {expected}, it says {sum}"));
    }
    metadata.remove(FORMAT_KEY);
    let tick = metadata.remove(TICK_KEY).ok_or("expected a tick, found none")?;
    let tick = tick.parse().map_err(|_| format!("expected a number as tick, found {tick:?}"))?;
    let tensors = order.into_iter().cloned().collect();
    Ok(Checkpoint { tick, metadata, tensors })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checkpoint::Dtype;

    pub(crate) fn sample(tick: u64) -> Checkpoint {
        let tensor = |name: &str, dtype, shape: &[usize], bytes: Vec<u8>| TensorData {
            name: name.into(),
            dtype,
            shape: shape.into(),
            bytes,
        };
        Checkpoint {
            tick,
            metadata: [
                ("config".to_owned(), "seed = 0\nname = \"x\"\n".to_owned()),
                ("state".to_owned(), "{\"stage\":1}".to_owned()),
            ]
            .into(),
            tensors: vec![
                tensor("b.mask", Dtype::U8, &[3], vec![1, 0, 1]),
                tensor("g.weight", Dtype::F32, &[2, 2], (0..16).collect()),
                tensor("d.weight", Dtype::F32, &[1], tick.to_le_bytes()[..4].to_vec()),
                tensor("scalar", Dtype::F64, &[], vec![9; 8]),
                tensor("none", Dtype::F32, &[0, 4], vec![]),
            ],
        }
    }

    pub(crate) fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
        let mut bytes = Vec::new();
        prepare(checkpoint).unwrap()(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn order_of_insertion_does_not_show() {
        let a = sample(7);
        let mut b = sample(7);
        b.tensors.reverse();
        assert_eq!(encode(&a), encode(&b));
        let back = decode(&encode(&a)).unwrap();
        assert_eq!(back.tick, 7);
        assert_eq!(back.metadata, a.metadata);
        assert_eq!(back.tensors.len(), 5);
        for tensor in &a.tensors {
            assert_eq!(back.tensor(&tensor.name), Some(tensor));
        }
        assert_eq!(encode(&back), encode(&a));
    }

    #[test]
    fn any_safetensors_reader_can_read_it() {
        let bytes = encode(&sample(7));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let view = file.tensor("g.weight").unwrap();
        assert_eq!(view.shape(), [2, 2]);
        assert_eq!(view.data(), (0..16).collect::<Vec<u8>>());
        let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        assert_eq!(header % 8, 0);
        assert!(bytes[8..].starts_with(b"{\"__metadata__\":{\"config\":\"seed = 0\\n"));
    }

    #[test]
    fn every_bit_and_every_length_counts() {
        let good = encode(&sample(7));
        for at in 0..good.len() {
            assert!(decode(&good[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(decode(&bad).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!(decode(&vec![0; good.len()]).is_err());
        let mut longer = good.clone();
        longer.push(0);
        assert!(decode(&longer).is_err());
    }

    #[test]
    fn refuses_what_would_not_come_back() {
        let fails = |edit: fn(&mut Checkpoint), says: &str| {
            let mut checkpoint = sample(1);
            edit(&mut checkpoint);
            let error = prepare(&checkpoint).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        };
        fails(|c| c.tensors.push(c.tensors[0].clone()), "\"b.mask\" twice");
        fails(|c| c.tensors[1].shape = vec![2, 3], "16 bytes in \"g.weight\"");
        fails(|c| c.tensors[1].shape = vec![usize::MAX, 2], "shape");
        fails(|c| c.tensors[0].name = "__metadata__".into(), "another name");
        for key in [FORMAT_KEY, TICK_KEY, SUM_KEY] {
            let mut checkpoint = sample(1);
            checkpoint.metadata.insert(key.into(), "x".into());
            assert!(prepare(&checkpoint).is_err(), "{key}");
        }
    }
}
