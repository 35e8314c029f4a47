//! [`ticks`] places the ticks of an axis and writes their labels.

/// The ticks of an axis from `low` to `high`: about `wanted`, at steps of 1, 2 or 5 times a power of
/// ten, at least `least`; with their labels, which all have the decimals that the step needs.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize, least: f64) -> Vec<(f64, String)> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let step = step(span / wanted.max(1) as f64).max(least);
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = (last - first).clamp(0.0, 100.0) as usize;
    (0..=count)
        .map(|i| {
            let value = (first + i as f64) * step;
            (value, label(value, decimals))
        })
        .filter(|_| last >= first)
        .collect()
}

/// The smallest step that is not below `rough`.
fn step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// A number with a proper minus sign.
pub(crate) fn label(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().any(|c| c.is_ascii_digit() && c != '0') => format!("−{rest}"),
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, wanted: usize, least: f64) -> Vec<String> {
        ticks(low, high, wanted, least).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn steps_are_round_and_labels_agree() {
        assert_eq!(labels(0.0, 1.0, 5, 0.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-0.3, 0.3, 3, 0.0), ["−0.2", "0.0", "0.2"]);
        assert_eq!(labels(0.0, 32.0, 6, 1.0), ["0", "10", "20", "30"]);
        assert_eq!(labels(0.0, 2.0, 8, 1.0), ["0", "1", "2"]);
        assert_eq!(labels(1234.0, 1236.0, 2, 0.0), ["1234", "1235", "1236"]);
    }

    #[test]
    fn axes_without_extent_have_no_ticks() {
        assert!(labels(1.0, 1.0, 4, 0.0).is_empty());
        assert!(labels(f64::NAN, 1.0, 4, 0.0).is_empty());
        assert!(labels(0.0, f64::INFINITY, 4, 0.0).is_empty());
    }

    #[test]
    fn minus_signs_are_minus_signs() {
        assert_eq!(label(-0.04, 1), "0.0");
        assert_eq!(label(-1.25, 2), "−1.25");
    }
}
