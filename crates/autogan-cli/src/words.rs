//! Numbers as people read them: times and sizes.

use std::time::Duration;

/// A generator's size in words.
pub fn size(params: u64, macs: u64) -> String {
    let macs = macs as f64 / 1e6;
    let params = match params {
        ..100_000 => params.to_string(),
        _ => format!("{:.2} M", params as f64 / 1e6),
    };
    format!("{params} parameters, {macs:.1} M multiply-accumulates per image")
}

/// Seconds as `3 min 12 s`.
pub fn time(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
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

/// `30s`, `10m`, `1h`, or seconds without a unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().find(|(_, c)| c.is_ascii_alphabetic()) {
        Some((at, _)) => text.split_at(at),
        None => (text, "s"),
    };
    let scale = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("expected a time such as 30s, 10m or 1h, found {text}")),
    };
    let seconds: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("expected a time such as 30s, 10m or 1h, found {text}"))?;
    Duration::try_from_secs_f64(seconds * scale).map_err(|e| e.to_string())
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
    fn times_read_well() {
        assert_eq!(time(12.4), "12 s");
        assert_eq!(time(192.0), "3 min 12 s");
        assert_eq!(time(7320.0), "2 h 2 min");
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("soon").is_err() && duration("-1s").is_err());
    }
}
