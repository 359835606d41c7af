//! Packages (NCP docs: getpackagelist, getpackage, putpackage, deletepackage of both generations).

use super::{Ncp, action, wire};
use crate::call::Call;
use crate::error::{Faults, Result};
use crate::json;
use crate::names::NcpPackage;
use crate::proto::*;
use crate::provider::status::about;

use super::paging::Page;
use super::rules::{self, PARAMETERS_MAX};

impl Ncp {
    pub(super) async fn list_packages(
        &self,
        call: &mut Call,
        request: ListPackagesRequest,
    ) -> Result<ListPackagesResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let scope = ("packages", platform as i32);
        let page = Page::parse(request.page_size, &request.page_token, scope, &mut faults);
        faults.into_result()?;
        let response = self
            .get(call, self.endpoint.url("/packages", platform, &[]))
            .await?;
        let items: Vec<wire::Package<'_>> = self.content(&response)?;
        let (items, next_page_token) =
            page.take(items, |item| item.name.0.as_deref().unwrap_or_default());
        let packages = items
            .into_iter()
            .map(|item| Package {
                name: item.name.0.unwrap_or_default(),
                description: item.description.0.unwrap_or_default(),
                ..Package::default()
            })
            .collect();
        Ok(ListPackagesResponse {
            packages,
            next_page_token,
        })
    }

    pub(super) async fn get_package(
        &self,
        call: &mut Call,
        request: GetPackageRequest,
    ) -> Result<GetPackageResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = rules::real_package(&request.package_name, &mut faults);
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let name = rules::checked(name)?;
        let url = self.endpoint.url(&path(&name), platform, &[]);
        let response = self
            .get(call, url)
            .await
            .map_err(|error| error.resource("package", name.as_str()))?;
        let found: wire::Package<'_> = self.content(&response)?;
        if found.name.0.is_none() && found.namespace.0.is_none() {
            return Err(self.not_understood(&response, "neither a name nor a namespace"));
        }
        let found = package(found, name.as_str(), encoding, platform as i32)?;
        Ok(GetPackageResponse {
            package: Some(found),
        })
    }

    pub(super) async fn put_package(
        &self,
        call: &mut Call,
        request: PutPackageRequest,
    ) -> Result<PutPackageResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = rules::real_package(&request.package_name, &mut faults);
        let encoding = rules::encoding(
            request.result_encoding,
            request.parameters.as_ref(),
            &mut faults,
        );
        rules::description(&request.description, "description", &mut faults);
        let parameters = json::object_text(
            request.parameters,
            "parameters",
            PARAMETERS_MAX,
            &mut faults,
        );
        faults.into_result()?;
        let name = rules::checked(name)?;
        let parameters = parameters
            .map(|text| json::embed(&text, "parameters"))
            .transpose()?;
        let body = wire::PutPackage {
            description: &request.description,
            parameters: parameters.as_deref(),
        };
        let url = self.endpoint.url(&path(&name), platform, &[]);
        let response = self
            .put(call, url.clone(), url, super::to_body(&body)?)
            .await
            .map_err(|error| error.resource("package", name.as_str()))?;
        let made = package(
            self.content(&response)?,
            name.as_str(),
            encoding,
            platform as i32,
        )?;
        Ok(PutPackageResponse {
            package: Some(made),
        })
    }

    pub(super) async fn delete_package(
        &self,
        call: &mut Call,
        request: DeletePackageRequest,
    ) -> Result<DeletePackageResponse> {
        let mut faults = Faults::new();
        let platform = self.endpoint.platform(request.platform, &mut faults);
        let name = rules::real_package(&request.package_name, &mut faults);
        faults.into_result()?;
        let name = rules::checked(name)?;
        let url = self.endpoint.url(&path(&name), platform, &[]);
        self.delete(call, url)
            .await
            .map_err(|error| error.resource("package", name.as_str()))?;
        Ok(DeletePackageResponse {})
    }
}

fn path(name: &NcpPackage) -> String {
    format!("/packages/{name}")
}

/// `name` and `platform` stand in for what the answer leaves out.
fn package(
    found: wire::Package<'_>,
    name: &str,
    encoding: JsonEncoding,
    platform: i32,
) -> Result<Package> {
    if !name.is_empty() {
        about("package", found.name.0.as_deref().unwrap_or_default(), name)?;
    }
    let name = found.name.0.unwrap_or_else(|| name.to_owned());
    let (parameters, inexact) = found.parameters.answer(encoding)?;
    let platform = match found
        .platform
        .0
        .as_deref()
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("vpc") => Platform::Vpc.into(),
        Some("classic") => Platform::Classic.into(),
        _ => platform,
    };
    let actions = wire::either(found.actions, found.action)
        .into_iter()
        .map(|item| action::summary(item, &name))
        .collect();
    Ok(Package {
        description: found.description.0.unwrap_or_default(),
        parameters,
        namespace: found.namespace.0.unwrap_or_default(),
        resource_id: found.resource_id.0.unwrap_or_default(),
        platform,
        actions,
        inexact,
        name,
    })
}
