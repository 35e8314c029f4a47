//! [`ticks`] and [`log_ticks`] place the ticks of an axis and write their labels.

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

/// The ticks of a logarithmic axis from `low` to `high`, both above 0: 1, 2 and 5 times each power of ten, or the powers
/// alone where those would be more than twice the `wanted` ones. An axis too short for two of them gets even steps.
pub(crate) fn log_ticks(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let usable = low.is_finite() && high.is_finite() && low > 0.0 && high > low;
    let powers = match usable {
        true => low.log10().floor() as i32..=high.log10().ceil() as i32,
        false => return Vec::new(),
    };
    let of = |factors: &[f64]| -> Vec<(f64, String)> {
        let all = powers.clone().flat_map(|power| {
            let decimals = (-power).clamp(0, 9) as usize;
            factors.iter().map(move |factor| {
                let value = factor * 10_f64.powi(power);
                (value, label(value, decimals))
            })
        });
        all.filter(|(value, _)| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value))
            .collect()
    };
    let fine = of(&[1.0, 2.0, 5.0]);
    match fine.len() {
        0 | 1 => ticks(low, high, wanted, 0.0),
        count if count > 2 * wanted => of(&[1.0]),
        _ => fine,
    }
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
    fn logarithmic_ticks_are_round() {
        let labels = |low, high, wanted| -> Vec<String> {
            log_ticks(low, high, wanted).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.05, 2.0, 6), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(1.0, 1e6, 4), ["1", "10", "100", "1000", "10000", "100000", "1000000"]);
        assert_eq!(labels(2.1, 4.9, 3), ["3", "4"], "too short for the round ones");
        assert!(labels(0.0, 1.0, 4).is_empty() && labels(1.0, f64::NAN, 4).is_empty());
    }

    #[test]
    fn minus_signs_are_minus_signs() {
        assert_eq!(label(-0.04, 1), "0.0");
        assert_eq!(label(-1.25, 2), "−1.25");
    }
}
