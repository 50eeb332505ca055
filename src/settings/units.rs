//! Parses durations and sizes with units, such as `15s` and `32MiB`.

use std::time::Duration;

/// Maximum duration: a longer one could overflow the clock.
const MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a positive duration: a number of seconds, or a number with `ms`, `s`, `m` or `h`. Fractions are allowed.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{unit:?} is not one of ms, s, m and h")),
    };
    let number: f64 =
        number.parse().map_err(|_| "expected a number of seconds, or a number with ms, s, m or h")?;
    let duration = Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > MAX {
        return Err("it must be more than zero and less than a year".to_owned());
    }
    Ok(duration)
}

/// Parses a positive size: a number of bytes, or a whole number with `KiB`, `MiB` or `GiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text);
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("{unit:?} is not one of B, KiB, MiB and GiB")),
    };
    let number: usize =
        number.parse().map_err(|_| "expected a whole number of bytes, or one with KiB, MiB or GiB")?;
    number.checked_mul(bytes).filter(|size| *size > 0).ok_or_else(|| "this size is out of range".to_owned())
}

/// Parses a positive amount of US dollars.
pub(super) fn usd(text: &str) -> Result<f64, String> {
    let usd = text.trim().parse().ok().filter(|usd: &f64| usd.is_finite() && *usd > 0.0);
    usd.ok_or_else(|| "expected a number of US dollars above 0".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    (number.trim_end(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("15", 15_000),
            ("0.25", 250),
            ("250ms", 250),
            ("1.5s", 1500),
            ("2 m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "0", "0ms", "inf", "NaN", "1d", "1e300", "9999h", "1 2", "1s2"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("1", 1), ("10B", 10), ("2 KiB", 2048), ("32MiB", 32 << 20), ("1GiB", 1 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "1.5MiB", "MiB", "1MB", "99999999999999999999", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
