//! Quantities of CPU and memory, as far as annotations take them.

/// A resource and the spelling that its annotations take; a part of what Kubernetes takes, without
/// the surprises (100m of memory is a tenth of a byte).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Cpu,
    Memory,
}

impl Resource {
    /// The key in a container's resources.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }

    /// The rule, for people. As a pattern: cpu `^[0-9]{1,6}(m|\.[0-9]{1,3})?$`, memory
    /// `^[0-9]{1,12}((\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti))?$`.
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Cpu => "CPUs such as 250m or 0.25, in whole thousandths",
            Self::Memory => "bytes such as 64Mi, 1.5Gi or 100M",
        }
    }

    /// The amount in thousandths of a CPU or of a byte; `None` = it is not spelled so.
    pub(super) fn amount(self, text: &str) -> Option<u128> {
        let (number, unit) = text.split_at(
            text.find(|c: char| c.is_ascii_alphabetic())
                .unwrap_or(text.len()),
        );
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (number, None),
        };
        let (digits, factor) = match self {
            Self::Cpu => (6, if unit == "m" { 1 } else { 1000 }),
            Self::Memory => (12, factor(unit)?),
        };
        let fits = |digits: &str, most: usize| {
            (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let fraction_has_place = match self {
            Self::Cpu => unit.is_empty(),
            Self::Memory => !unit.is_empty(),
        };
        let unit_is_known = self == Self::Memory || matches!(unit, "" | "m");
        if !fits(whole, digits)
            || !unit_is_known
            || fraction.is_some_and(|fraction| !fits(fraction, 3) || !fraction_has_place)
        {
            return None;
        }
        let thousandths = format!("{:0<3}", fraction.unwrap_or_default());
        let whole: u128 = whole.parse().ok()?;
        let thousandths: u128 = thousandths.parse().ok()?;
        Some(whole * factor + thousandths * factor / 1000)
    }
}

/// Thousandths of a byte.
fn factor(unit: &str) -> Option<u128> {
    Some(match unit {
        "" => 1000,
        "k" => 1000_u128.pow(2),
        "M" => 1000_u128.pow(3),
        "G" => 1000_u128.pow(4),
        "T" => 1000_u128.pow(5),
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Resource::{Cpu, Memory};

    #[test]
    fn amounts_are_exact_and_what_would_surprise_is_refused() {
        for (text, amount) in [
            ("250m", 250),
            ("0.25", 250),
            ("2", 2000),
            ("1.005", 1005),
            ("0", 0),
        ] {
            assert_eq!(Cpu.amount(text), Some(amount), "{text}");
        }
        for text in [
            "", "m", "1Ki", "1k", "0.5m", ".5", "1.", "1.0005", "-1", "1e3", " 1", "1234567", "٣",
        ] {
            assert_eq!(Cpu.amount(text), None, "{text}");
        }
        for (text, bytes) in [
            ("64Mi", 64 << 20),
            ("1.5Gi", 3 << 29),
            ("100M", 100_000_000),
            ("1k", 1000),
            ("7", 7),
        ] {
            assert_eq!(Memory.amount(text), Some(bytes * 1000), "{text}");
        }
        for text in [
            "100m", "64MB", "64mi", "1.5", "1e3", "+1", "Mi", "1 Mi", "1Ei", "0x10",
        ] {
            assert_eq!(Memory.amount(text), None, "{text}");
        }
    }
}
