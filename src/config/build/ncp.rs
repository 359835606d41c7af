//! Which site, region, API version and platform go together (`ncp-cloud-functions` §1, §2).

use url::Url;

use super::reader::Reader;
use crate::config::target::{ApiVersion, Ncp, Platform, Region, Site, Vpc};

/// Builds NCP's own part; a combination that does not exist is a fault.
pub(super) fn build(reader: &mut Reader<'_>, sts_url: Option<Url>) -> Ncp {
    let site = match reader.text("site").as_str() {
        "fin" => Site::Fin,
        "gov" => Site::Gov,
        _ => Site::Public,
    };
    let region = region(reader, site);
    let api_version = api_version(reader, site);
    let platform = platform(reader, site, region, api_version);
    Ncp {
        site,
        region,
        api_version,
        platform,
        vpc: vpc(reader, site),
        sts_url,
    }
}

fn region(reader: &mut Reader<'_>, site: Site) -> Region {
    let region = match reader.text("region").as_str() {
        "sg" => Region::Sg,
        "jp" => Region::Jp,
        _ => Region::Kr,
    };
    if site != Site::Public && region != Region::Kr {
        reader.fault(
            "region",
            format!(
                "site {} has the region kr alone; remove it",
                site_name(site)
            ),
        );
    }
    region
}

fn api_version(reader: &mut Reader<'_>, site: Site) -> ApiVersion {
    let given = reader.given_text("api_version");
    match (site, given.as_deref()) {
        (Site::Gov, Some("2.1")) => {
            reader.fault("api_version", "site gov has 2.0 alone; remove it");
            ApiVersion::V2_0
        }
        (Site::Gov, _) | (_, Some("2.0")) => ApiVersion::V2_0,
        _ => ApiVersion::V2_1,
    }
}

fn platform(reader: &mut Reader<'_>, site: Site, region: Region, version: ApiVersion) -> Platform {
    let (only, whose) = match (site, region) {
        (Site::Fin, _) => (Some(Platform::Vpc), "site fin"),
        (Site::Gov, _) => (Some(Platform::Classic), "site gov"),
        (Site::Public, Region::Sg) => (Some(Platform::Vpc), "region sg"),
        (Site::Public, Region::Jp) => (Some(Platform::Vpc), "region jp"),
        (Site::Public, Region::Kr) => (None, ""),
    };
    let given = reader
        .given_text("platform")
        .map(|text| match text.as_str() {
            "classic" => Platform::Classic,
            _ => Platform::Vpc,
        });
    match (only, given) {
        (Some(only), Some(given)) if only != given => {
            let name = if only == Platform::Vpc {
                "vpc"
            } else {
                "classic"
            };
            reader.fault("platform", format!("{whose} has {name} alone; remove it"));
            only
        }
        (Some(only), _) => only,
        (None, Some(given)) => given,
        (None, None) => match version {
            ApiVersion::V2_1 => Platform::Vpc,
            ApiVersion::V2_0 => Platform::Classic,
        },
    }
}

fn vpc(reader: &mut Reader<'_>, site: Site) -> Option<Vpc> {
    if site == Site::Gov && (reader.stands("vpc.vpc_no") || reader.stands("vpc.subnet_no")) {
        reader.fault("vpc", "site gov has the platform classic alone; remove it");
    }
    let mut number = |key: &str, other: &str| {
        let number = reader
            .given_integer(key)
            .and_then(|number| i64::try_from(number).ok());
        if number.is_none() && reader.stands(other) {
            reader.missing(
                key,
                &format!("{other} needs it, since neither is of use alone"),
            );
        }
        number
    };
    let (vpc_no, subnet_no) = (
        number("vpc.vpc_no", "vpc.subnet_no"),
        number("vpc.subnet_no", "vpc.vpc_no"),
    );
    Some(Vpc {
        vpc_no: vpc_no?,
        subnet_no: subnet_no?,
    })
}

fn site_name(site: Site) -> &'static str {
    match site {
        Site::Public => "public",
        Site::Fin => "fin",
        Site::Gov => "gov",
    }
}
