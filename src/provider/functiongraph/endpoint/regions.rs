//! The regions, and the hosts that follow from one.

/// One region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The id: part of host names, URNs and (as the name of the default project) of token scopes.
    pub id: &'static str,
    /// Where it is; empty when the vendor does not say.
    pub place: &'static str,
}

/// The regions of Huawei Cloud that have FunctionGraph (`functiongraph_region.py` of SDK 3.1.219),
/// and Open Telekom Cloud's one ("Regions and Endpoints", 2026-04). Place names are common
/// knowledge.
pub const REGIONS: [Region; 28] = [
    region("ae-ad-1", "Abu Dhabi"),
    region("af-south-1", "Johannesburg"),
    region("ap-southeast-1", "Hong Kong"),
    region("ap-southeast-2", "Bangkok"),
    region("ap-southeast-3", "Singapore"),
    region("ap-southeast-4", "Jakarta"),
    region("ap-southeast-5", "Manila"),
    region("cn-east-2", "Shanghai 2"),
    region("cn-east-3", "Shanghai 1"),
    region("cn-east-4", "East China 2"),
    region("cn-north-1", "Beijing 1"),
    region("cn-north-11", ""),
    region("cn-north-4", "Beijing 4"),
    region("cn-north-9", "Ulanqab 1"),
    region("cn-south-1", "Guangzhou"),
    region("cn-south-4", ""),
    region("cn-southwest-2", "Guiyang 1"),
    region("cn-southwest-3", ""),
    region("eu-de", "Biere and Magdeburg (Open Telekom Cloud)"),
    region("eu-west-101", "Dublin"),
    region("la-north-2", "Mexico City 2"),
    region("la-south-2", "Santiago"),
    region("me-east-1", "Riyadh"),
    region("my-kualalumpur-1", "Kuala Lumpur"),
    region("na-mexico-1", "Mexico City 1"),
    region("ru-moscow-1", "Moscow"),
    region("sa-brazil-1", "São Paulo"),
    region("tr-west-1", "Istanbul"),
];

/// Regions of Open Telekom Cloud; `eu-nl` has IAM and no FunctionGraph.
const OPEN_TELEKOM: [&str; 2] = ["eu-de", "eu-nl"];

/// Regions without an IAM host of their own (`auth/endpoint.py`): the SDK falls back to the global
/// one.
const GLOBAL_IAM: [&str; 2] = ["cn-south-4", "eu-west-101"];

const fn region(id: &'static str, place: &'static str) -> Region {
    Region { id, place }
}

/// Scheme and host of FunctionGraph in a region, listed or not.
#[must_use]
pub fn functions_host(region: &str) -> String {
    format!("https://functiongraph.{region}.{}", domain(region))
}

/// Scheme and host of IAM for a region.
#[must_use]
pub fn iam_host(region: &str) -> String {
    if GLOBAL_IAM.contains(&region) {
        return "https://iam.myhuaweicloud.com".to_owned();
    }
    format!("https://iam.{region}.{}", domain(region))
}

fn domain(region: &str) -> &'static str {
    if OPEN_TELEKOM.contains(&region) {
        "otc.t-systems.com"
    } else {
        "myhuaweicloud.com"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_follow_from_the_region() {
        for (region, functions, iam) in [
            (
                "cn-north-4",
                "https://functiongraph.cn-north-4.myhuaweicloud.com",
                "https://iam.cn-north-4.myhuaweicloud.com",
            ),
            (
                "eu-west-101",
                "https://functiongraph.eu-west-101.myhuaweicloud.com",
                "https://iam.myhuaweicloud.com",
            ),
            (
                "cn-south-4",
                "https://functiongraph.cn-south-4.myhuaweicloud.com",
                "https://iam.myhuaweicloud.com",
            ),
            (
                "eu-de",
                "https://functiongraph.eu-de.otc.t-systems.com",
                "https://iam.eu-de.otc.t-systems.com",
            ),
            (
                "new-place-9",
                "https://functiongraph.new-place-9.myhuaweicloud.com",
                "https://iam.new-place-9.myhuaweicloud.com",
            ),
        ] {
            assert_eq!(
                (functions_host(region).as_str(), iam_host(region).as_str()),
                (functions, iam)
            );
        }
    }

    #[test]
    fn ids_are_listed_once_in_order() {
        assert!(REGIONS.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
