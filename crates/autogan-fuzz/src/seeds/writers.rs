//! Models and event files.

use autogan_nn::{Generator, GeneratorConfig, Rules};
use autogan_run::EventFile;
use autogan_run::tensorboard::Content;
use candle_core::{DType, Device};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::scratch;

pub(crate) fn onnx() -> Vec<Vec<u8>> {
    let arch = "1 0 1 1".parse().unwrap();
    let config = GeneratorConfig { latent: 1, width: 1, bottom: 1, rules: Rules::STANDARD };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let net = Generator::derived(&config, &arch, &mut rng, DType::F32, &Device::Cpu).unwrap();
    vec![autogan_onnx::export(&net, &arch).unwrap(), vec![2, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 3]]
}

pub(crate) fn tensorboard() -> Vec<Vec<u8>> {
    let path = scratch::path("seed.tfevents");
    let mut file = EventFile::create(&path).unwrap();
    file.append(1, Content::Scalar { tag: "loss/d", value: 0.5 }).unwrap();
    file.append(2, Content::Image { tag: "child", png: &[9; 30] }).unwrap();
    file.flush().unwrap();
    drop(file);
    vec![std::fs::read(&path).unwrap(), b"a=1234\nb=56789\n".to_vec()]
}
