//! Doubles, as a server reads and prints them.

/// The number in a word of a request, if it is one that a double can hold. Hexadecimal, which servers also read, is not
/// supported.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let number: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    let names_infinity = text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'i'));
    let mantissa = text.split(|byte| byte.eq_ignore_ascii_case(&b'e')).next()?;
    let names_zero = !mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    let fits = number.is_infinite() == names_infinity && (number == 0.0) == (names_zero && !names_infinity);
    (fits && !number.is_nan()).then_some(number)
}

/// As C prints it with `%.17g`.
pub(super) fn print(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e17 {
        return format!("{number:.0}");
    }
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", if number.is_nan() { "nan" } else { "inf" });
    }
    let scientific = format!("{number:.16e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let without_zeros = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match exponent.parse::<i32>() {
        Ok(exponent @ -4..=16) => {
            let decimals = usize::try_from(16 - exponent).unwrap_or(0);
            without_zeros(&format!("{number:.decimals$}"))
        }
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.unsigned_abs())
        }
        Err(_) => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_c_prints_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.0, "-1"),
            (0.1, "0.10000000000000001"),
            (1e15, "1000000000000000"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1_764_380_000_123_456.0, "1764380000123456"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.000_012_5, "1.2500000000000001e-05"),
            (f64::from(2_u8).powi(-20), "9.5367431640625e-07"),
            (0.0001, "0.0001"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(print(number), text);
        }
    }
    #[test]
    fn numbers_are_read_as_servers_read_them() {
        for (text, number) in [
            ("1764380000123456", 1_764_380_000_123_456.0),
            ("+1.5", 1.5),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("1E3", 1_000.0),
            ("0e-999", 0.0),
            ("-Inf", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["", " 1", "1 ", "x", "1x", "1e", ".", "-", "nan", "-NaN", "1e999", "-1e999", "1e-999", "1_0"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
