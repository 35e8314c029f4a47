//! This module writes numbers as people read them: times and sizes.

use std::time::Duration;

use autogan_space::Arch;

pub use autogan_run::clock::duration as time;

/// A generator's size in words.
fn size(params: u64, macs: u64) -> String {
    let macs = macs as f64 / 1e6;
    let params = match params {
        ..100_000 => params.to_string(),
        _ => format!("{:.2} M", params as f64 / 1e6),
    };
    format!("{params} parameters, {macs:.1} M multiply-accumulates per image")
}

/// An architecture in the closing summary of a run: a line for each cell, its vector and its size.
pub fn architecture(named: &str, arch: &Arch, (params, macs): (u64, u64)) -> String {
    let cells = named.split('/').zip(1..).map(|(cell, i)| format!("  cell {i}  {}\n", cell.trim()));
    format!("{}  vector  {arch}\n  size    {}\n", cells.collect::<String>(), size(params, macs))
}

/// A duration as `4:07` or `1:02:09`.
pub fn short(d: Duration) -> String {
    let s = d.as_secs();
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// Reads a duration: `30s`, `10m`, `1h`, `1h 30m`, or seconds without a unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time such as 30s, 10m or 1h, found {text}");
    match text.trim().parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| expected()),
        Err(_) => humantime::parse_duration(text).map_err(|_| expected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_networks_have_parameters_too() {
        assert_eq!(
            size(4_405_251, 28_400_000),
            "4.41 M parameters, 28.4 M multiply-accumulates per image"
        );
        assert_eq!(size(1163, 60_000), "1163 parameters, 0.1 M multiply-accumulates per image");
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["soon", "-1s", "-1", "nan", "", "3x"] {
            assert!(duration(wrong).unwrap_err().contains("30s, 10m or 1h"), "{wrong}");
        }
    }
}
