//! Packages, which here are labels on functions: no public call makes, lists or deletes one.
//!
//! FunctionGraph API reference, "Querying Functions" (`functiongraph_06_0105`) and error codes 1027
//! to 1064, which show that a private call exists. `default` always exists.

use super::endpoint::Place;
use super::{FunctionGraph, action_read, errors, rules};
use crate::call::Call;
use crate::error::{Error, Faults, Kind, Result};
use crate::names::FunctionPackage;
use crate::proto::*;
use crate::provider::Absence;
use crate::provider::paging::Page;

impl FunctionGraph {
    pub(super) async fn list_packages(
        &self,
        call: &mut Call,
        request: ListPackagesRequest,
    ) -> Result<ListPackagesResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            "packages",
            &mut faults,
        );
        faults.into_result()?;
        let place = self.place(call).await?;
        let functions = self.functions(call, place, None).await?;
        let mut names: Vec<_> = functions
            .into_iter()
            .filter_map(|item| item.package.0)
            .collect();
        names.sort_unstable();
        names.dedup();
        let packages = names.into_iter().map(|name| package(name, place)).collect();
        let (packages, next_page_token) = page.take(packages, |package: &Package| &package.name);
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
        rules::no_platform(request.platform, &mut faults);
        let name = required(&request.package_name, &mut faults);
        rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let package = self.existing(call, &rules::checked(name)?).await?;
        Ok(GetPackageResponse {
            package: Some(package),
        })
    }

    pub(super) async fn put_package(
        &self,
        call: &mut Call,
        request: PutPackageRequest,
    ) -> Result<PutPackageResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let name = required(&request.package_name, &mut faults);
        rules::encoding(
            request.result_encoding,
            request.parameters.as_ref(),
            &mut faults,
        );
        let only = || "is for ncp targets only: a package is a label on functions here.";
        faults.require(request.description.is_empty(), "description", only);
        faults.require(request.parameters.is_none(), "parameters", only);
        faults.into_result()?;
        match self.existing(call, &rules::checked(name)?).await {
            Ok(package) => Ok(PutPackageResponse {
                package: Some(package),
            }),
            Err(error) if error.kind == Kind::NotFound => Err(Absence::NotInCloud(
                "a package comes into being with its first function; put an action with this package_name",
            )
            .of("PutPackage for a package that no function carries")),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn delete_package(
        &self,
        call: &mut Call,
        request: DeletePackageRequest,
    ) -> Result<DeletePackageResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let name = required(&request.package_name, &mut faults);
        faults.into_result()?;
        let name = rules::checked(name)?;
        if name.is_default() {
            let message = "The package default always exists and cannot be deleted.";
            return Err(
                Error::new(Kind::FailedPrecondition, errors::DEFAULT_PACKAGE, message)
                    .resource("package", "default"),
            );
        }
        // Empty, it is gone already, and `existing` says so.
        let package = self.existing(call, &name).await?;
        let message = format!(
            "The package still has {} functions; delete them, and the package is gone with the last.",
            package.actions.len()
        );
        Err(
            Error::new(Kind::FailedPrecondition, errors::PACKAGE_NOT_EMPTY, message)
                .resource("package", name.as_str()),
        )
    }

    /// A package with its functions; not found when it has none, unless it is `default`.
    async fn existing(&self, call: &mut Call, name: &FunctionPackage) -> Result<Package> {
        let place = self.place(call).await?;
        let functions = self.functions(call, place, Some(name)).await?;
        if functions.is_empty() && !name.is_default() {
            let message = "There is no such package: no function carries its name.";
            return Err(
                Error::new(Kind::NotFound, errors::PACKAGE_NOT_FOUND, message)
                    .resource("package", name.as_str()),
            );
        }
        let mut found = package(name.as_str().to_owned(), place);
        found.actions = functions
            .into_iter()
            .map(|item| action_read::summary(item, name.as_str()))
            .collect();
        Ok(found)
    }
}

/// `-` stands for `default`; nothing at all is a fault here.
fn required(name: &str, faults: &mut Faults) -> Option<FunctionPackage> {
    if name.is_empty() {
        faults.add("package_name", "is required; - is the package default.");
        return None;
    }
    FunctionPackage::parse(name, "package_name", faults)
}

fn package(name: String, place: &Place) -> Package {
    Package {
        name,
        namespace: place.project.clone(),
        ..Package::default()
    }
}
