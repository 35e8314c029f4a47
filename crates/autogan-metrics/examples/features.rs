//! Computes features of images, which `scripts/golden_transformers.py` compares with those of PyTorch:
//! `cargo run --release -p autogan-metrics --example features -- EXTRACTOR WEIGHTS IN.safetensors OUT.safetensors`.
//!
//! Every tensor NAME of IN is a batch of images, `u8 [N, 3, H, W]`; OUT holds `NAME.features`, and for DINOv2 and CLIP the
//! prepared images `NAME.input`.

use autogan_hub::Hub;
use autogan_metrics::vit::{PLANS, Vit};
use autogan_metrics::{FeatureExtractor, ScorerOptions, load_scorer};
use autogan_weights::Archive;
use candle_core::Device;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, weights, from, to] = &arguments[..] else {
        return Err("usage: features EXTRACTOR WEIGHTS IN.safetensors OUT.safetensors".into());
    };
    let mut out = Archive::new();
    let images = Archive::read_safetensors(from)?;
    if let Some(plan) = PLANS.iter().find(|plan| plan.name == name) {
        let vit = Vit::load(weights, plan, &Device::Cpu)?;
        for (name, images) in images.iter() {
            out.insert(format!("{name}.input"), vit.prepare(images)?);
            out.insert(format!("{name}.features"), vit.extract(images)?.features);
        }
    } else {
        let options = ScorerOptions::new(Some(weights.into()), Hub::from_env(true));
        let extractor = load_scorer(name, &options, &Device::Cpu)?;
        for (name, images) in images.iter() {
            out.insert(format!("{name}.features"), extractor.extract(images)?.features);
        }
    }
    out.write_safetensors(to)?;
    Ok(())
}
