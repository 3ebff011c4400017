//! Values of the command line: how they are written.

use std::time::Duration;

use redfence::{Holder, HolderId, Resource, ResourceError};

/// A holder as people pass it on.
#[derive(Debug, Clone)]
pub(crate) enum HolderArg {
    /// The whole value, as the nodes store it.
    Full(Holder),
    /// The 32 digits; the label has to be asked from the nodes.
    Id(HolderId),
}

/// `--max-hold`; an `Option` of its own would mean an absent flag to clap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxHold(pub(crate) Option<Duration>);

pub(super) fn resource(text: &str) -> Result<Resource, ResourceError> {
    text.parse()
}

pub(super) fn holder(text: &str) -> Result<HolderArg, &'static str> {
    let id = || text.trim().parse().ok().map(HolderArg::Id);
    let full = || text.parse().ok().map(HolderArg::Full);
    id().or_else(full)
        .ok_or("take it from what `acquire` printed: 32 hexadecimal digits, a space and a label, or the digits alone")
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(duration),
        Err(_) if text == "0" => Ok(Duration::ZERO),
        Err(error @ humantime::DurationError::NumberOverflow) => Err(error.to_string()),
        Err(_) => Err("write a number with a unit: 500ms, 10s, 5m, 1h".to_owned()),
    }
}

/// The time between two looks: shorter ones would only load the nodes.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    const MIN: Duration = Duration::from_millis(50);
    let time = duration(text)?;
    if time < MIN { Err(format!("at least {MIN:?}")) } else { Ok(time) }
}

pub(super) fn max_hold(text: &str) -> Result<MaxHold, String> {
    if text == "none" { Ok(MaxHold(None)) } else { duration(text).map(|most| MaxHold(Some(most))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("0", Some(Duration::ZERO)),
            ("0s", Some(Duration::ZERO)),
            ("10s", Some(Duration::from_secs(10))),
            ("1h 30m", Some(Duration::from_secs(5_400))),
            ("10", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text:?}");
        }
        assert_eq!(interval("49ms").unwrap_err(), "at least 50ms");
        assert_eq!(interval("50ms"), duration("50ms"));
        assert!(max_hold("none").unwrap().0.is_none());
    }

    #[test]
    fn a_time_without_a_unit_gets_one_hint() {
        let said = duration("3").unwrap_err();
        assert_eq!(said, "write a number with a unit: 500ms, 10s, 5m, 1h");
    }

    #[test]
    fn a_holder_is_a_value_or_an_id() {
        let id = "ab".repeat(16);
        assert!(matches!(holder(&id), Ok(HolderArg::Id(_))));
        assert!(matches!(holder(&format!("{id} db-7:1")), Ok(HolderArg::Full(_))));
        assert!(holder("db-7").is_err());
    }
}
