//! What is written for other programs, against its own readers.

use autogan_nn::{Generator, GeneratorConfig, Rules};
use autogan_run::EventFile;
use autogan_run::tensorboard::{Content, ticks};
use autogan_space::{Arch, MAX_CELLS};
use candle_core::{DType, Device};
use prost::Message;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::halves;
use crate::scratch;

/// Bytes that may be a model are read; and the architecture that they stand for is exported and read again.
pub(super) fn onnx(bytes: &[u8]) -> bool {
    let read = autogan_onnx::read(bytes);
    let is_model = read.is_ok();
    if let Ok(model) = read {
        let again = autogan_onnx::read(&model.encode_to_vec()).unwrap();
        assert_eq!(again, model);
    }
    let Some(arch) = drawn(bytes) else { return is_model };
    let mut rng = ChaCha8Rng::seed_from_u64(bytes.len() as u64);
    let config = GeneratorConfig { latent: 3, width: 2, bottom: 2, rules: Rules::STANDARD };
    let net = Generator::derived(&config, &arch, &mut rng, DType::F32, &Device::Cpu).unwrap();
    let model = autogan_onnx::model(&net, &arch).unwrap();
    let written = autogan_onnx::export(&net, &arch).unwrap();
    assert_eq!(autogan_onnx::read(&written).unwrap(), model);
    is_model
}

/// The architecture whose tokens are the first bytes.
fn drawn(bytes: &[u8]) -> Option<Arch> {
    let (&first, tokens) = bytes.split_first()?;
    let cells = 1 + usize::from(first) % MAX_CELLS;
    let kinds = (0..cells)
        .flat_map(|stage| autogan_space::stage_tokens(stage, autogan_space::TokenOrder::Released));
    let numbers: Vec<i64> =
        kinds.zip(tokens).map(|(kind, &byte)| i64::from(byte) % kind.choices() as i64).collect();
    Arch::from_released(&numbers).ok()
}

/// Bytes that may be an event file are read and cut back; then as many scalars and pictures as there are lines in them
/// are appended, and all of them are found again.
pub(super) fn tensorboard(bytes: &[u8]) -> bool {
    let path = scratch::file("events.out.tfevents.fuzzed", bytes);
    let before = ticks(&path).unwrap();
    let (mut file, kept) = EventFile::resume(&path, 3).unwrap();
    assert!(kept <= 3 && kept <= before.len() as u64);
    let mut expected = ticks(&path).unwrap();
    assert_eq!(expected.len() as u64, kept);
    for (number, line) in bytes.split(|&byte| byte == b'\n').take(8).enumerate() {
        let (tag, content) = halves(line, b'=');
        let tag = String::from_utf8_lossy(tag);
        let tick = 1000 + number as u64;
        let content = match content.first_chunk::<4>() {
            Some(value) if number % 2 == 0 => {
                Content::Scalar { tag: &tag, value: f32::from_le_bytes(*value) }
            }
            _ => Content::Image { tag: &tag, png: content },
        };
        file.append(tick, content).unwrap();
        expected.push(tick);
    }
    file.flush().unwrap();
    assert_eq!(ticks(&path).unwrap(), expected);
    !before.is_empty()
}
