//! Resizes images as the preset `clean` does; `scripts/compare_scorers.py` compares the result with that of clean-fid:
//! `cargo run -p autogan-metrics --example clean_resize -- IN.safetensors OUT.safetensors`.
//!
//! Every tensor of IN is a plane `f32 [H, W]` of grey levels in 0..=255; OUT holds `f32 [299, 299]` under its name.

use autogan_metrics::inception::resize::bicubic_pillow;
use autogan_weights::Archive;
use candle_core::{Device, Tensor};

/// The side of the network's input.
const SIDE: usize = 299;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(from), Some(to)) = (paths.next(), paths.next()) else {
        return Err("usage: clean_resize IN.safetensors OUT.safetensors".into());
    };
    let mut resized = Archive::new();
    for (name, plane) in Archive::read_safetensors(&from)?.iter() {
        let size = plane.dims2()?;
        let pixels = plane.flatten_all()?.to_vec1::<f32>()?;
        let mut out = vec![0f32; SIDE * SIDE];
        bicubic_pillow(&pixels, size, &mut out, (SIDE, SIDE));
        out.iter_mut().for_each(|v| *v = v.clamp(0.0, 255.0));
        resized.insert(name, Tensor::from_vec(out, (SIDE, SIDE), &Device::Cpu)?);
    }
    resized.write_safetensors(&to)?;
    Ok(())
}
