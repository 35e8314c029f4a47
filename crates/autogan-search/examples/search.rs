//! Runs a small search from a program that uses the library. The images, the score and the progress display are its
//! own.
//!
//! `cargo run -p autogan-search --example search` takes a few seconds.

#![allow(clippy::print_stdout)] // the progress, and the result

use autogan_data::Hub;
use autogan_search::{
    Configuration, ImageScore, Inputs, Job, Reporter, Result, RewardValue, Search, SearchConfig,
    SearchEvent, Sources,
};
use candle_core::{DType, Device, Tensor};

/// A score that is high for red images.
struct Redness;

impl ImageScore for Redness {
    fn name(&self) -> &str {
        "redness"
    }

    fn score(&self, images: &Tensor) -> Result<RewardValue> {
        let colours = images.to_dtype(DType::F64)?.mean((0, 2, 3))?.to_vec1::<f64>()?;
        Ok(RewardValue::exact(colours[0] / colours.iter().sum::<f64>()))
    }
}

/// A reporter that prints a line for each step of the controller.
struct Lines;

impl Reporter<SearchEvent> for Lines {
    fn event(&mut self, event: &SearchEvent) {
        if let SearchEvent::Controller { step, report } = event {
            println!("step {step} of the controller: mean reward {:.3}", report.mean_reward);
        }
    }
}

fn main() -> Result<()> {
    let small = "data.count=64 model.gf=8 model.df=8 search.iterations=3 search.grow_at=[1,2] \
        controller.steps=2 reward.images=32 derive.images=32";
    let settings: Vec<String> = small.split_whitespace().map(String::from).collect();
    let config = SearchConfig::preset("quick", &settings)?;
    let images = Sources::new(Hub::from_env(true)).images(&config.data, 32)?.into();
    let inputs = Inputs { images, score: Box::new(Redness), device: Device::Cpu };
    let mut search = Search::new(config, inputs)?;
    while search.advance(&mut Lines)? {}
    let found = search.found().map(|found| found.top).unwrap_or_default();
    found.iter().for_each(|arch| println!("{:.3}  {}", arch.reward, arch.named));
    Ok(())
}
