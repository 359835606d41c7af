//! The sites of NAVER Cloud, the two generations of the API and which platforms each has (NCP docs:
//! compute-cloudfunctions).

use std::fmt;
use std::str::FromStr;

use chrono::FixedOffset;
use serde::{Deserialize, Serialize};

/// A site: who its customers are and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Public, Korea: both generations, Classic and VPC.
    Korea,
    /// Public, Singapore: both generations, VPC only.
    Singapore,
    /// Public, Japan: both generations, VPC only.
    Japan,
    /// Financial: v2.1 only, VPC only, no `platform` parameter.
    Financial,
    /// Public sector: v2.0 only, Classic only, no `platform` parameter.
    Government,
}

impl FromStr for Site {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "kr" => Ok(Self::Korea),
            "sg" => Ok(Self::Singapore),
            "jp" => Ok(Self::Japan),
            "fin" => Ok(Self::Financial),
            "gov" => Ok(Self::Government),
            _ => Err(format!(
                "`{text}` is not a site: use kr, sg, jp, fin or gov"
            )),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Korea => "kr",
            Self::Singapore => "sg",
            Self::Japan => "jp",
            Self::Financial => "fin",
            Self::Government => "gov",
        })
    }
}

/// A generation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// `/api/v2`.
    V20,
    /// `/ncf/api/v2`.
    V21,
}

/// Where a resource lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Platform {
    Classic,
    Vpc,
}

impl Platform {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Vpc => "vpc",
        }
    }
}

const HOUR: i32 = 3600;

/// Offset of Korea and Japan.
pub(super) fn korean_time() -> FixedOffset {
    // Nine hours are within a day, so there always is one.
    FixedOffset::east_opt(9 * HOUR).unwrap_or_else(|| chrono::Offset::fix(&chrono::Utc))
}

impl Site {
    pub(super) fn serves(self, generation: Generation) -> bool {
        match self {
            Self::Korea | Self::Singapore | Self::Japan => true,
            // Older documents of this site also show v2.0; the present ones do not.
            Self::Financial => generation == Generation::V21,
            Self::Government => generation == Generation::V20,
        }
    }

    /// The platform that a request means, or why its parameter is wrong.
    pub(super) fn platform(
        self,
        generation: Generation,
        asked: Option<&str>,
    ) -> Result<Platform, String> {
        let only = match self {
            Self::Korea => None,
            Self::Singapore | Self::Japan | Self::Financial => Some(Platform::Vpc),
            Self::Government => Some(Platform::Classic),
        };
        // INFERRED: a site without the parameter may well ignore it; a client that sends it is
        // wrong all the same.
        if matches!(self, Self::Financial | Self::Government) && asked.is_some() {
            return Err(format!("the site {self} has no platform parameter"));
        }
        let platform = match asked {
            Some("classic") => Platform::Classic,
            Some("vpc") => Platform::Vpc,
            Some(other) => return Err(format!("platform must be vpc or classic, not {other}")),
            // INFERRED: where there is one platform only, v2.0 does not default to the other.
            None => only.unwrap_or(match generation {
                Generation::V20 => Platform::Classic,
                Generation::V21 => Platform::Vpc,
            }),
        };
        match only {
            Some(only) if only != platform => {
                Err(format!("the site {self} has {} only", only.name()))
            }
            _ => Ok(platform),
        }
    }

    /// The offset of the local times that v2.0 writes (NCP docs: getactionactivationdetail v2.0).
    pub(super) fn local_time(self) -> FixedOffset {
        match self {
            Self::Singapore => FixedOffset::east_opt(8 * HOUR).unwrap_or_else(korean_time),
            _ => korean_time(),
        }
    }

    /// Trigger types (NCP docs: puttrigger; cloudfunctions-spec for the regions). `basic` and `iot`
    /// are in v2.0 pages of early 2024 only.
    pub(super) fn has_trigger_type(
        self,
        generation: Generation,
        platform: Platform,
        kind: &str,
    ) -> bool {
        match kind {
            "cron" | "github" => true,
            "insight" | "object_storage" => self != Self::Government,
            "source_commit" => matches!(self, Self::Korea | Self::Financial),
            "secret_manager" => {
                generation == Generation::V21
                    && platform == Platform::Vpc
                    && matches!(self, Self::Korea | Self::Financial)
            }
            "basic" | "iot" => generation == Generation::V20 && self == Self::Korea,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_differ_by_generation_and_site() {
        use Generation::{V20, V21};
        assert_eq!(Site::Korea.platform(V21, None), Ok(Platform::Vpc));
        assert_eq!(Site::Korea.platform(V20, None), Ok(Platform::Classic));
        assert_eq!(Site::Japan.platform(V20, None), Ok(Platform::Vpc));
        assert_eq!(Site::Government.platform(V20, None), Ok(Platform::Classic));
        assert!(Site::Singapore.platform(V21, Some("classic")).is_err());
        assert!(Site::Financial.platform(V21, Some("vpc")).is_err());
        assert!(Site::Korea.platform(V21, Some("VPC")).is_err());
    }

    #[test]
    fn names_round_trip() {
        for name in ["kr", "sg", "jp", "fin", "gov"] {
            assert_eq!(name.parse::<Site>().unwrap().to_string(), name);
        }
        assert!("us".parse::<Site>().is_err());
    }
}
