//! Where the API is: regions, hosts, and the URLs of one project.
//!
//! `huaweicloudsdkfunctiongraph` 3.1.219 `functiongraph_region.py` and `huaweicloudsdkcore` 3.1.219
//! `auth/endpoint.py` (read 2026-10); Open Telekom Cloud "Regions and Endpoints" (2026-04). A
//! region is an open string: one that is not listed here gets the usual host.

use http::HeaderValue;
use url::Url;

use super::sign;
use crate::error::{Error, Kind, Result, reason};
use crate::names::{FunctionName, FunctionPackage, Qualifier};

mod regions;

pub use regions::{REGIONS, Region, functions_host, iam_host};

/// The part of every path that `base_url` replaces when it has a path itself.
const PATH_PREFIX: &str = "/v2";

/// Everything about a place that requests depend on, but for the project.
#[derive(Clone, Debug)]
pub struct Endpoint {
    region: String,
    project_id: Option<String>,
    /// Of the project to look up, where it is not the region's own.
    project_name: Option<String>,
    /// Scheme, host and path prefix, without a slash at the end.
    prefix: String,
    /// Scheme, host and perhaps a path, without a slash at the end.
    iam: String,
}

/// One project at an endpoint, with what every request to it repeats.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) project: String,
    pub(super) project_header: HeaderValue,
    /// `…/v2/{project}/fgs/functions`
    functions: String,
    /// `/urn%3Afss%3A{region}%3A{project}%3Afunction%3A`
    urn: String,
}

impl Endpoint {
    /// Puts the place together. `base_url` replaces scheme and host, and the prefix `/v2` too if it
    /// has a path; `iam_url` replaces IAM's scheme and host. Without a project id the project is
    /// looked up by its name.
    ///
    /// # Errors
    /// One sentence on a region or project that can be part of no URL.
    pub fn new(
        region: &str,
        project_id: Option<&str>,
        base_url: Option<&Url>,
        iam_url: Option<&Url>,
    ) -> std::result::Result<Self, String> {
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !plain(region) {
            return Err(format!(
                "region {region:?} must be letters, digits and hyphens, such as ap-southeast-3"
            ));
        }
        if let Some(project) = project_id.filter(|project| !plain(project)) {
            return Err(format!(
                "project_id {project:?} must be letters and digits, as the console shows it"
            ));
        }
        let base = base_url.map_or_else(|| functions_host(region), |url| url.as_str().to_owned());
        let base = base.trim_end_matches('/');
        let has_path = base_url.is_some_and(|url| url.path() != "/");
        let iam = iam_url.map_or_else(|| iam_host(region), |url| url.as_str().to_owned());
        Ok(Self {
            region: region.to_owned(),
            project_id: project_id.map(ToOwned::to_owned),
            project_name: None,
            prefix: if has_path {
                base.to_owned()
            } else {
                format!("{base}{PATH_PREFIX}")
            },
            iam: iam.trim_end_matches('/').to_owned(),
        })
    }

    /// The region id.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The configured project, if any.
    #[must_use]
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    /// The same place, where the project without a configured id has this name instead of the
    /// region's.
    #[must_use]
    pub fn with_project_name(self, name: Option<&str>) -> Self {
        Self {
            project_name: name.map(ToOwned::to_owned),
            ..self
        }
    }

    /// The name of the project: the configured one, or the region's, which the default project of a
    /// region has.
    #[must_use]
    pub fn project_name(&self) -> &str {
        self.project_name.as_deref().unwrap_or(&self.region)
    }

    /// The functions' host with the API's prefix, and IAM's host.
    pub(super) fn places(&self) -> [Result<Url>; 2] {
        [parse(&self.prefix), parse(&self.iam)]
    }

    /// The URL of an IAM path.
    pub(super) fn iam(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Url> {
        parse(&format!("{}{path}{}", self.iam, query(pairs.to_vec())))
    }

    /// The place of one project.
    pub(super) fn place(&self, project: &str) -> Result<Place> {
        let plain = !project.is_empty()
            && project
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let header = HeaderValue::from_str(project).ok().filter(|_| plain);
        let project_header = header.ok_or_else(|| {
            Error::new(
                Kind::Internal,
                reason::BAD_PROJECT_ID,
                "IAM answered a project id that is not letters and digits.",
            )
        })?;
        Ok(Place {
            project: project.to_owned(),
            project_header,
            functions: format!("{}/{project}/fgs/functions", self.prefix),
            urn: format!("/urn%3Afss%3A{}%3A{project}%3Afunction%3A", self.region),
        })
    }
}

impl Place {
    /// `…/fgs/functions` with a query.
    pub(super) fn functions(&self, pairs: Vec<(&str, &str)>) -> Result<Url> {
        parse(&format!("{}{}", self.functions, query(pairs)))
    }

    /// The URL of one function, always by its full URN, percent-encoded once: the short forms share
    /// a level with other paths, and a raw `!` breaks signatures elsewhere (nodejs-v3 issue #10).
    pub(super) fn function(
        &self,
        (package, name): (&FunctionPackage, &FunctionName),
        qualifier: Option<&Qualifier>,
        rest: &str,
        pairs: Vec<(&str, &str)>,
    ) -> Result<Url> {
        let mut text =
            String::with_capacity(self.functions.len() + self.urn.len() + rest.len() + 96);
        for part in [
            &self.functions,
            &self.urn,
            package.as_str(),
            "%3A",
            name.as_str(),
        ] {
            text.push_str(part);
        }
        match qualifier {
            None => {}
            Some(Qualifier::Version(version)) => {
                text.push_str("%3A");
                text.push_str(version.as_str());
            }
            Some(Qualifier::Alias(alias)) => {
                text.push_str("%3A%21");
                text.push_str(alias.as_str());
            }
        }
        text.push_str(rest);
        text.push_str(&query(pairs));
        parse(&text)
    }
}

/// A query with its `?`, in the canonical order and spelling, so that what is sent is what is
/// signed. Nothing for none.
pub(super) fn query(mut pairs: Vec<(&str, &str)>) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    pairs.sort_unstable();
    let mut out = Vec::with_capacity(64);
    for (index, (key, value)) in pairs.into_iter().enumerate() {
        out.push(if index == 0 { b'?' } else { b'&' });
        sign::encode(key.bytes(), b"", &mut out);
        out.push(b'=');
        sign::encode(value.bytes(), b"", &mut out);
    }
    String::from_utf8(out).unwrap_or_default()
}

fn parse(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|fault| {
        Error::new(
            Kind::Internal,
            reason::BAD_URL,
            format!("The request has no valid URL: {fault}."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Faults;

    const PROJECT: &str = "7aad83af3e8d42e99ac194e8419e2c9b";

    fn invoke(endpoint: &Endpoint, version: &str) -> String {
        let mut faults = Faults::new();
        let package = FunctionPackage::parse("-", "package_name", &mut faults).unwrap();
        let name = FunctionName::parse("hello", "action_name", &mut faults).unwrap();
        let qualifier = Qualifier::parse(version, "version", &mut faults);
        let place = endpoint.place(PROJECT).unwrap();
        place
            .function(
                (&package, &name),
                qualifier.as_ref(),
                "/invocations",
                vec![],
            )
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_function_has_one_url_encoded_once() {
        let endpoint = Endpoint::new("cn-north-4", Some(PROJECT), None, None).unwrap();
        let start = format!(
            "https://functiongraph.cn-north-4.myhuaweicloud.com/v2/{PROJECT}/fgs/functions/\
             urn%3Afss%3Acn-north-4%3A{PROJECT}%3Afunction%3Adefault%3Ahello"
        );
        assert_eq!(invoke(&endpoint, ""), format!("{start}/invocations"));
        assert_eq!(
            invoke(&endpoint, "v1.2_a"),
            format!("{start}%3Av1.2_a/invocations")
        );
        assert_eq!(
            invoke(&endpoint, "!prod"),
            format!("{start}%3A%21prod/invocations")
        );
    }

    #[test]
    fn a_base_url_replaces_the_host_and_its_path_the_prefix() {
        for (base, start) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/v2/"),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/v2/"),
            ("https://relay/x/", "https://relay/x/"),
        ] {
            let endpoint =
                Endpoint::new("r", None, Some(&Url::parse(base).unwrap()), None).unwrap();
            let url = invoke(&endpoint, "");
            assert!(url.starts_with(&format!("{start}{PROJECT}/fgs/")), "{url}");
        }
    }

    #[test]
    fn queries_go_in_canonical_order_and_spelling() {
        assert_eq!(
            query(vec![("marker", "0"), ("a b", "x/y+z:é")]),
            "?a%20b=x%2Fy%2Bz%3A%C3%A9&marker=0"
        );
        assert_eq!(query(vec![]), "");
    }

    #[test]
    fn what_is_no_part_of_a_url_is_refused() {
        assert!(Endpoint::new("", None, None, None).is_err());
        assert!(Endpoint::new("evil.example/", None, None, None).is_err());
        assert!(
            Endpoint::new("cn-north-4", Some("../x"), None, None)
                .unwrap_err()
                .contains("project_id")
        );
    }
}
