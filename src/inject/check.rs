//! The rules of the names that annotations hold; each has a pattern that a policy of the cluster
//! can use as it is.

use crate::settings::Rule;

/// A ConfigMap's or a Secret's name: a DNS subdomain (RFC 1123), at most 253 characters.
pub(super) const OBJECT_NAME: Rule = Rule {
    pattern: r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    says: "a name of lower-case letters, digits, - and . that begins and ends with a letter or digit",
    obeys: |text| {
        let label = |label: &str| {
            label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        text.len() <= 253 && text.split('.').all(label)
    },
};

/// An image's tag.
pub(super) const TAG: Rule = Rule {
    pattern: "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
    says: "an image tag such as 1.2.3: letters, digits, _, . and -, at most 128, not beginning with . or -",
    obeys: |text| {
        (1..=128).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    },
};

/// What `log.level` may be.
pub(super) const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags_are_those_that_the_cluster_takes() {
        for name in ["a", "faas-sidecar", "my.config-2", "0"] {
            assert!((OBJECT_NAME.obeys)(name), "{name}");
        }
        let long = "a".repeat(254);
        for name in [
            "", "A", "a_b", "-a", "a-", "a..b", ".a", "a/b", "ä", " a", &long,
        ] {
            assert!(!(OBJECT_NAME.obeys)(name), "{name}");
        }
        for tag in ["1.2.3", "v1", "_x", "1.2.3-rc.1"] {
            assert!((TAG.obeys)(tag), "{tag}");
        }
        let long = "1".repeat(129);
        for tag in ["", ".1", "-1", "1+2", "a b", "a:b", "a@sha256", &long] {
            assert!(!(TAG.obeys)(tag), "{tag}");
        }
    }
}
