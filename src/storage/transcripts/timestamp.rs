//! Parses the timestamps of transcript entries.

/// Milliseconds since the Unix epoch of an ISO 8601 timestamp, such as `2024-01-01T00:00:00.000Z`. A
/// timestamp without an offset is UTC.
pub(super) fn epoch_ms(text: &str) -> Option<i64> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let mut rest = rest.chars();
    let micros = match rest.next() {
        None => 0,
        Some(_) => time(rest.as_str())?,
    };
    let micros = day_number(year, month, day) * 86_400_000_000 + micros;
    // Truncates a float of seconds, as the SDK does, to get the same millisecond.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "it is below 2^53")]
    Some((micros as f64 / 1e6 * 1000.0) as i64)
}

/// Microseconds of `HH:MM[:SS[.fraction]]` with an optional offset.
fn time(text: &str) -> Option<i64> {
    let (clock, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => (&text[..at], offset(&text[at..])?),
        None => (text, 0),
    };
    let (hour, rest) = digits(clock, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = if rest.is_empty() { (0, rest) } else { digits(rest.strip_prefix(':')?, 2)? };
    let fraction = if rest.is_empty() { 0 } else { fraction(rest.strip_prefix(['.', ','])?)? };
    let holds = hour < 24 && minute < 60 && second < 60;
    holds.then_some((hour * 3600 + minute * 60 + second - offset) * 1_000_000 + fraction)
}

/// The offset from UTC, in seconds.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hour, rest) = digits(&text[1..], 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':').unwrap_or(rest), 2)?;
    (rest.is_empty() && hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

fn fraction(text: &str) -> Option<i64> {
    let known = text.len().min(6);
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let micros = all_digits.then(|| format!("{:0<6}", &text[..known]))?;
    micros.parse().ok()
}

fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    Some((number, rest))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day comes last.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cli_writes() {
        assert_eq!(epoch_ms("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(epoch_ms("2024-01-01T00:00:00.000Z"), Some(1_704_067_200_000));
        assert_eq!(epoch_ms("2024-02-29T23:59:59.999Z"), Some(1_709_251_199_999));
        assert_eq!(epoch_ms("2000-03-01T00:00:00Z"), Some(951_868_800_000));
    }

    #[test]
    fn other_ways_to_write_it() {
        let noon = epoch_ms("2024-01-01T12:00:00Z");
        for same in [
            "2024-01-01T13:30:00+01:30",
            "2024-01-01 10:00-02:00",
            "2024-01-01T12:00:00",
            "2024-01-01T12:00:00.0000000009Z",
            "2024-01-01T14:00:00,000+0200",
        ] {
            assert_eq!(epoch_ms(same), noon, "{same}");
        }
        assert_eq!(epoch_ms("2024-01-01"), epoch_ms("2024-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time() {
        for wrong in [
            "",
            "now",
            "2024",
            "2024-13-01",
            "2023-02-29",
            "2024-00-01",
            "2024-01-01T",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00ZZ",
            "2024-01-01T00:00:00+1",
            "2024-01-01T00:00:00.000é",
            "+024-01-01",
            "0000-01-01",
            "é024-01-01",
        ] {
            assert_eq!(epoch_ms(wrong), None, "{wrong}");
        }
    }
}
