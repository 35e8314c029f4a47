//! Texts that a user types or that lie in a file: architectures, configurations, settings.

use autogan_config::{Configuration, RunConfig, ScorerConfig, SearchConfig, TrainingConfig};
use autogan_space::Arch;

use super::halves;

/// An architecture as a released vector, in the named form or as a name. What is read is written in both forms and read
/// again.
pub(super) fn arch(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(arch) = text.parse::<Arch>() else { return false };
    for form in [arch.to_string(), arch.named()] {
        assert_eq!(form.parse::<Arch>().unwrap(), arch, "{form}");
    }
    true
}

/// A configuration of each kind as TOML, then a zero byte and settings of `--set`, one a line.
pub(super) fn config(bytes: &[u8]) -> bool {
    let (text, settings) = halves(bytes, 0);
    let (text, settings) = (String::from_utf8_lossy(text), String::from_utf8_lossy(settings));
    let settings: Vec<String> = settings.lines().map(str::to_owned).collect();
    let read = [
        one::<SearchConfig>(&text, &settings),
        one::<TrainingConfig>(&text, &settings),
        one::<ScorerConfig>(&text, &settings),
    ];
    if let Ok(stored) = RunConfig::read(&text, "fuzzed") {
        stored.flat().unwrap();
    }
    read.contains(&true)
}

/// Settings over a preset and over the text. What is accepted is written and read again; tells whether the text was.
fn one<C: Configuration + std::fmt::Debug>(text: &str, settings: &[String]) -> bool {
    let (name, _) = C::PRESETS[0];
    let read = [C::preset(name, settings), C::from_toml(text, "fuzzed", settings)];
    let accepted = read[1].is_ok();
    for config in read.into_iter().flatten() {
        let written = config.to_toml().unwrap();
        assert_eq!(C::stored(&written, "written").unwrap(), config);
    }
    accepted
}
