//! Places at which curves are computed, evenly spread over their logarithm.

/// The most places of a curve.
const PLACES: usize = 48;

/// Numbers of evaluations from 1 to `most`.
pub(crate) fn of_counts(most: usize) -> Vec<usize> {
    let most = most.max(1);
    let mut places: Vec<usize> = spread(1.0, most as f64).map(|at| at.round() as usize).collect();
    places.dedup();
    places
}

/// Costs from `least` to `most`.
pub(crate) fn of_costs(least: f64, most: f64) -> Vec<f64> {
    match least < most {
        true => spread(least, most).collect(),
        false => vec![most],
    }
}

fn spread(least: f64, most: f64) -> impl Iterator<Item = f64> {
    let ratio = (most / least).ln();
    (0..PLACES).map(move |at| match at + 1 {
        PLACES => most,
        _ => least * (ratio * at as f64 / (PLACES - 1) as f64).exp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_in_and_places_rise() {
        let counts = of_counts(1_000);
        assert_eq!((counts[0], counts.last()), (1, Some(&1_000)));
        assert!(counts.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(of_counts(3), [1, 2, 3]);
        assert_eq!(of_counts(0), [1]);
        let costs = of_costs(0.5, 70.0);
        assert_eq!((costs[0], costs[PLACES - 1]), (0.5, 70.0));
        assert!(costs.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(of_costs(3.0, 2.0), [2.0]);
    }
}
