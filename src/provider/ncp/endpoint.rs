//! Where the API is, which generation is spoken, and whether the `platform` parameter exists there.
//!
//! NCP docs: compute-cloudfunctions (overview, hosts), api-fin and api-gov editions, read 2026-10.

use url::Url;

use crate::error::Faults;
use crate::proto::{Platform, Vpc};

/// One of the three separate clouds that NAVER runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The public cloud.
    Public,
    /// The cloud for the financial sector: VPC only, no `platform` parameter.
    Fin,
    /// The cloud for the public sector: Classic only, first generation only, no `platform`
    /// parameter.
    Gov,
}

/// A region of the public cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Korea: Classic and VPC.
    Kr,
    /// Singapore: VPC only.
    Sg,
    /// Japan: VPC only.
    Jp,
}

/// A generation of the REST API. Paths, bodies and times differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// "2.0", under `/api/v2`.
    V20,
    /// "2.1", under `/ncf/api/v2`.
    V21,
}

/// Everything about a place that requests depend on.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Site.
    pub site: Site,
    /// Region; Korea for fin and gov.
    pub region: Region,
    /// Generation.
    pub version: ApiVersion,
    /// Scheme, host and path prefix, parsed once; the path has no slash at the end.
    base: Url,
    /// The target's own platform.
    platform: Platform,
    /// The subnet of actions on platform VPC whose put names none.
    default_vpc: Option<Vpc>,
}

impl Endpoint {
    /// The same place, where an action on platform VPC whose put names no subnet is connected to
    /// this one.
    #[must_use]
    pub fn with_default_vpc(self, default_vpc: Option<Vpc>) -> Self {
        Self {
            default_vpc,
            ..self
        }
    }

    /// The subnet of actions on platform VPC whose put names none.
    #[must_use]
    pub fn default_vpc(&self) -> Option<Vpc> {
        self.default_vpc
    }

    /// Puts the place together. `base_url` replaces scheme and host, and the prefix too if it has a
    /// path; `platform` unspecified means the default of site, region and version.
    ///
    /// # Errors
    /// One sentence on a combination that does not exist.
    pub fn new(
        site: Site,
        region: Region,
        version: ApiVersion,
        base_url: Option<&Url>,
        platform: Platform,
    ) -> Result<Self, String> {
        if site == Site::Gov && version == ApiVersion::V21 {
            return Err("site gov speaks api_version \"2.0\" only".to_owned());
        }
        let mut base = match base_url {
            Some(url) => url.clone(),
            None => Url::parse(host(site, region)).map_err(|fault| fault.to_string())?,
        };
        let prefix = match base.path().trim_end_matches('/') {
            "" => path_prefix(version).to_owned(),
            path => path.to_owned(),
        };
        base.set_path(&prefix);
        let mut endpoint = Self {
            site,
            region,
            version,
            base,
            platform: Platform::Unspecified,
            default_vpc: None,
        };
        if !endpoint.exists(platform) {
            return Err(endpoint.only());
        }
        endpoint.platform = if platform == Platform::Unspecified {
            endpoint.default_platform()
        } else {
            platform
        };
        Ok(endpoint)
    }

    /// The platform of one request, from its own field or the target.
    pub fn platform(&self, asked: i32, faults: &mut Faults) -> Platform {
        match Platform::try_from(asked) {
            Ok(Platform::Unspecified) => self.platform,
            Ok(platform) if self.exists(platform) => platform,
            Ok(_) => {
                faults.add("platform", format!("does not exist here: {}.", self.only()));
                self.platform
            }
            Err(_) => {
                faults.add(
                    "platform",
                    "is not a known value; use PLATFORM_VPC, PLATFORM_CLASSIC or leave it out.",
                );
                self.platform
            }
        }
    }

    /// The URL of `path` (which begins with a slash) with its query: `platform` first where it
    /// exists, then `query`.
    ///
    /// Only path and query are parsed here: a whole URL would cost a tenth of the call's own
    /// instructions.
    #[must_use]
    pub fn url(&self, path: &str, platform: Platform, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        let mut text = String::with_capacity(self.base.path().len() + path.len());
        text.push_str(self.base.path());
        text.push_str(path);
        url.set_path(&text);
        text.clear();
        let platform = self
            .has_parameter()
            .then(|| ("platform", platform_word(platform)));
        for (name, value) in platform.iter().chain(query) {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        if !text.is_empty() {
            url.set_query(Some(&text));
        }
        url
    }

    /// Hours that the region's local time is ahead of UTC, for first-generation times.
    #[must_use]
    pub fn utc_offset_hours(&self) -> i8 {
        match self.region {
            Region::Kr | Region::Jp => 9,
            Region::Sg => 8,
        }
    }

    /// Only the public cloud has the parameter.
    fn has_parameter(&self) -> bool {
        self.site == Site::Public
    }

    fn exists(&self, platform: Platform) -> bool {
        match (self.site, self.region, platform) {
            (_, _, Platform::Unspecified) | (Site::Public, Region::Kr, _) => true,
            (Site::Gov, _, platform) => platform == Platform::Classic,
            (_, _, platform) => platform == Platform::Vpc,
        }
    }

    fn only(&self) -> String {
        match (self.site, self.region) {
            (Site::Gov, _) => "site gov has PLATFORM_CLASSIC only".to_owned(),
            (Site::Fin, _) => "site fin has PLATFORM_VPC only".to_owned(),
            (Site::Public, _) => "regions sg and jp have PLATFORM_VPC only".to_owned(),
        }
    }

    fn default_platform(&self) -> Platform {
        match (self.site, self.region, self.version) {
            (Site::Gov, ..) | (Site::Public, Region::Kr, ApiVersion::V20) => Platform::Classic,
            _ => Platform::Vpc,
        }
    }
}

fn host(site: Site, region: Region) -> &'static str {
    match (site, region) {
        (Site::Public, Region::Kr) => "https://cloudfunctions.apigw.ntruss.com",
        (Site::Public, Region::Sg) => "https://sg-cloudfunctions.apigw.ntruss.com",
        (Site::Public, Region::Jp) => "https://jp-cloudfunctions.apigw.ntruss.com",
        (Site::Fin, _) => "https://cloudfunctions.apigw.fin-ntruss.com",
        (Site::Gov, _) => "https://cloudfunctions.apigw.gov-ntruss.com",
    }
}

fn path_prefix(version: ApiVersion) -> &'static str {
    match version {
        ApiVersion::V20 => "/api/v2",
        ApiVersion::V21 => "/ncf/api/v2",
    }
}

/// The parameter's spelling.
#[must_use]
pub(super) fn platform_word(platform: Platform) -> &'static str {
    if platform == Platform::Classic {
        "classic"
    } else {
        "vpc"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(site: Site, region: Region, version: ApiVersion) -> Endpoint {
        Endpoint::new(site, region, version, None, Platform::Unspecified).unwrap()
    }

    #[test]
    fn five_hosts_two_generations_and_the_parameter_only_where_it_exists() {
        use ApiVersion::{V20, V21};
        for (site, region, version, expected) in [
            (
                Site::Public,
                Region::Kr,
                V21,
                "https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc",
            ),
            (
                Site::Public,
                Region::Kr,
                V20,
                "https://cloudfunctions.apigw.ntruss.com/api/v2/packages?platform=classic",
            ),
            (
                Site::Public,
                Region::Sg,
                V21,
                "https://sg-cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc",
            ),
            (
                Site::Public,
                Region::Jp,
                V20,
                "https://jp-cloudfunctions.apigw.ntruss.com/api/v2/packages?platform=vpc",
            ),
            (
                Site::Fin,
                Region::Kr,
                V21,
                "https://cloudfunctions.apigw.fin-ntruss.com/ncf/api/v2/packages",
            ),
            (
                Site::Gov,
                Region::Kr,
                V20,
                "https://cloudfunctions.apigw.gov-ntruss.com/api/v2/packages",
            ),
        ] {
            let endpoint = endpoint(site, region, version);
            let platform = endpoint.platform(0, &mut Faults::new());
            assert_eq!(endpoint.url("/packages", platform, &[]).as_str(), expected);
        }
    }

    #[test]
    fn a_base_url_replaces_the_host_and_its_path_the_prefix() {
        for (base, expected) in [
            (
                "http://127.0.0.1:9000",
                "http://127.0.0.1:9000/ncf/api/v2/packages?platform=vpc&timeout=5",
            ),
            (
                "http://127.0.0.1:9000/",
                "http://127.0.0.1:9000/ncf/api/v2/packages?platform=vpc&timeout=5",
            ),
            (
                "https://relay/x/",
                "https://relay/x/packages?platform=vpc&timeout=5",
            ),
        ] {
            let base = Url::parse(base).unwrap();
            let endpoint = Endpoint::new(
                Site::Public,
                Region::Kr,
                ApiVersion::V21,
                Some(&base),
                Platform::Unspecified,
            )
            .unwrap();
            let url = endpoint.url("/packages", Platform::Vpc, &[("timeout", "5")]);
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn combinations_that_do_not_exist_are_refused() {
        let gov = Endpoint::new(
            Site::Gov,
            Region::Kr,
            ApiVersion::V21,
            None,
            Platform::Unspecified,
        );
        assert!(gov.unwrap_err().contains("2.0"));
        let classic = Endpoint::new(
            Site::Public,
            Region::Sg,
            ApiVersion::V21,
            None,
            Platform::Classic,
        );
        assert!(classic.unwrap_err().contains("VPC only"));
        let mut faults = Faults::new();
        endpoint(Site::Fin, Region::Kr, ApiVersion::V21)
            .platform(Platform::Classic.into(), &mut faults);
        assert!(
            faults
                .into_result()
                .unwrap_err()
                .message
                .contains("site fin")
        );
    }
}
