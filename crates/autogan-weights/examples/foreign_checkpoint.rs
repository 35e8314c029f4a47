//! Loads a PyTorch checkpoint into a model of candle: `cargo run -p autogan-weights --example foreign_checkpoint`.
//!
//! The checkpoint is made here, so that the example needs no download; a file of `torch.save` is read the same way.

#![allow(clippy::print_stdout)] // printing the result is this program's task

use autogan_weights::{Archive, var_builder};
use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, VarBuilder, conv2d, linear};

/// An ordinary classifier of candle-nn.
struct Classifier {
    conv: Conv2d,
    fc: Linear,
}

impl Classifier {
    fn new(vb: VarBuilder<'_>) -> Result<Self> {
        let config = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let conv = conv2d(3, 8, 3, config, vb.pp("conv"))?;
        Ok(Self { conv, fc: linear(8, 10, vb.pp("fc"))? })
    }
}

impl Module for Classifier {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let maps = self.conv.forward(images)?.relu()?;
        self.fc.forward(&maps.mean(3)?.mean(2)?)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = Device::Cpu;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("checkpoint.pth");
    write_checkpoint(&path)?;

    // Nothing in the file is executed. `pp` enters the dictionary that holds the weights.
    let vb = var_builder(&path, DType::F32, &device)?;
    let classifier = Classifier::new(vb.pp("state_dict"))?;
    let logits = classifier.forward(&Tensor::ones((2, 3, 8, 8), DType::F32, &device)?)?;
    println!("logits {:?}, the first {:.4}", logits.dims(), logits.to_vec2::<f32>()?[0][0]);

    // A name that is not there is an error that suggests another.
    let Err(error) = Classifier::new(vb) else { return Err("loaded from the wrong place".into()) };
    println!("without `state_dict`: {error}");
    Ok(())
}

/// The bytes that `torch.save({"state_dict": model.state_dict()}, path)` would write.
fn write_checkpoint(path: &std::path::Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut archive = Archive::new();
    for (name, shape) in [
        ("conv.weight", vec![8, 3, 3, 3]),
        ("conv.bias", vec![8]),
        ("fc.weight", vec![10, 8]),
        ("fc.bias", vec![10]),
    ] {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin() / 8.0).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        archive.insert(format!("state_dict.{name}"), tensor);
    }
    archive.write_pth(path)?;
    Ok(())
}
