//! [`uniform`] gives the numbers of synthetic weights, which `scripts/synthetic.py` gives, too.

/// `n` numbers in [0, 1): number i is splitmix64(fnv1a64(name) + (i + 1) · γ) >> 40, over 2^24.
pub fn uniform(name: &str, n: usize) -> impl Iterator<Item = f64> {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (1..=n as u64).map(move |i| {
        let mut x = hash.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        (x >> 40) as f64 / f64::from(1 << 24)
    })
}
