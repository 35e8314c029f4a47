//! This module writes numbers as people read them.

use autogan_stats::Difference;

use crate::chart::label;
use crate::data::Plan;

/// Rewards and scores of one run.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    decimals: usize,
}

impl Numbers {
    /// 1 / FID is a few hundredths at best; the formula of the Inception Score gives 1 and more.
    pub fn of(plan: &Plan) -> Numbers {
        let small = plan.metric.as_deref() == Some("inverse_fid");
        Numbers { decimals: if small { 5 } else { 3 } }
    }

    /// A score or reward; a dash for none.
    pub fn score(self, value: f64) -> String {
        if value.is_finite() { label(value, self.decimals) } else { "–".to_owned() }
    }

    /// A number with its sign.
    pub fn signed(self, value: f64) -> String {
        let text = label(value, self.decimals);
        if text.starts_with('−') || !value.is_finite() { text } else { format!("+{text}") }
    }

    /// A difference with its interval.
    pub fn interval(self, d: &Difference) -> String {
        format!("{} [{}, {}]", self.signed(d.estimate), self.signed(d.low), self.signed(d.high))
    }
}

/// A count with its thousands apart.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of things, with an s unless it is one.
pub(crate) fn counted(value: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A large count in millions or thousands, three figures.
pub(crate) fn large(value: u64) -> String {
    let value = value as f64;
    let (scaled, unit) = match value {
        v if v >= 1e9 => (v / 1e9, " G"),
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e3 => (v / 1e3, " k"),
        v => (v, ""),
    };
    let decimals = match scaled {
        _ if unit.is_empty() => 0,
        s if s >= 100.0 => 0,
        s if s >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((count(4_405_251), count(12)), ("4,405,251".into(), "12".into()));
        assert_eq!((large(1_765_015_552), large(64_203)), ("1.77 G".into(), "64.2 k".into()));
        assert_eq!(large(999), "999");
        let n = Numbers::of(&Plan::default());
        assert_eq!((n.score(2.0), n.score(f64::NAN)), ("2.000".into(), "–".into()));
        assert_eq!((n.signed(0.5), n.signed(-0.5)), ("+0.500".into(), "−0.500".into()));
        let metric = Some("inverse_fid".to_owned());
        assert_eq!(Numbers::of(&Plan { metric, ..Plan::default() }).score(0.0123456), "0.01235");
    }
}
