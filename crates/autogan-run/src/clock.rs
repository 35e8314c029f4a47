//! This module writes moments and spans of time, for files and for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds from 1970 (UTC) to now; 0 on a clock before that.
pub(crate) fn now_ms() -> u64 {
    unix_ms(SystemTime::now())
}

/// Milliseconds from 1970 (UTC) to a moment; 0 for one before that.
pub(crate) fn unix_ms(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

/// Milliseconds since 1970 as `2026-11-24 09:05:00 UTC`, for people.
pub fn date(unix_ms: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms));
    // The type's largest year is 9999.
    let Some(at) = at.filter(|_| unix_ms < 253_402_300_800_000).map(time::OffsetDateTime::from)
    else {
        return "unknown".to_owned();
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Seconds as `3 min 12 s`, for people; a dash for what is no time span.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    let whole = seconds.round() as u64;
    match (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60) {
        (0, 0, 0, s) if s < 10 => format!("{seconds:.1} s"),
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s:02} s"),
        (0, h, m, _) => format!("{h} h {m:02} min"),
        (d, h, _, _) => format!("{d} d {h:02} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        // 2024-02-29 is day 19782.
        assert_eq!(date((19_782 * 86_400 + 3_661) * 1000), "2024-02-29 01:01:01 UTC");
        assert_eq!(date(1_795_510_386_156), "2026-11-24 08:53:06 UTC");
        assert_eq!(date(u64::MAX), "unknown");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(4.25), "4.2 s");
        assert_eq!(duration(12.4), "12 s");
        assert_eq!(duration(192.0), "3 min 12 s");
        assert_eq!(duration(7325.0), "2 h 02 min");
        assert_eq!(duration(200_000.0), "2 d 07 h");
        assert_eq!((duration(f64::NAN), duration(-1.0)), ("–".into(), "–".into()));
    }
}
