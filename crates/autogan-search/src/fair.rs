//! Strict fairness (FairNAS, arXiv 1907.01845) trains every choice equally often: the choices of a token are drawn without
//! repetition until none is left, and then anew.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The choice of step `n`, counted from 0. Every `choices` steps are a round, in which each choice comes once; `rng` gives
/// the random numbers of a round.
pub(crate) fn fair_choice(rng: impl FnOnce(u64) -> ChaCha8Rng, n: u64, choices: usize) -> usize {
    let (round, place) = (n / choices as u64, (n % choices as u64) as usize);
    let mut rng = rng(round);
    let mut order: Vec<usize> = (0..choices).collect();
    // Fisher and Yates from the front; what comes later changes nothing before it.
    for i in 0..=place {
        order.swap(i, rng.random_range(i..choices));
    }
    order[place]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;

    fn draws(seed: u64, choices: usize, n: u64) -> Vec<usize> {
        let streams = Streams::new(seed);
        (0..n).map(|i| fair_choice(|round| streams.rng("fair", round), i, choices)).collect()
    }

    #[test]
    fn each_choice_comes_once_in_each_round_and_any_window_is_fair() {
        for choices in [1, 2, 3, 5] {
            let all = draws(4, choices, 60);
            for round in all.chunks(choices) {
                let mut sorted = round.to_vec();
                sorted.sort();
                assert_eq!(sorted, (0..choices).collect::<Vec<_>>());
            }
            for (from, to) in (0..60).flat_map(|from| (from..=60).map(move |to| (from, to))) {
                let times = |choice| all[from..to].iter().filter(|&&c| c == choice).count();
                let counts: Vec<usize> = (0..choices).map(times).collect();
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                // A window begins and ends within a round at most.
                assert!(most - least <= 2, "{from}..{to}: {counts:?}");
            }
        }
    }

    #[test]
    fn orders_are_drawn_anew_and_all_of_them_come() {
        let all = draws(5, 3, 3 * 600);
        let mut orders = std::collections::BTreeMap::new();
        for order in all.chunks(3) {
            *orders.entry(order.to_vec()).or_insert(0) += 1;
        }
        // 100 expected of each, standard deviation 9.1.
        assert_eq!(orders.len(), 6);
        assert!(orders.values().all(|n| (60..140).contains(n)), "{orders:?}");
    }
}
