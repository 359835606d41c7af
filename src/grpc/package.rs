//! `faas.v1.PackageService`.

use tonic::{Request, Response, Status};

use super::Services;
use super::edge::unary;
use crate::proto::package_service_server::PackageService;
use crate::proto::*;

#[tonic::async_trait]
impl PackageService for Services {
    async fn list_packages(
        &self,
        request: Request<ListPackagesRequest>,
    ) -> Result<Response<ListPackagesResponse>, Status> {
        unary!(self, request, list_packages, true)
    }

    async fn get_package(
        &self,
        request: Request<GetPackageRequest>,
    ) -> Result<Response<GetPackageResponse>, Status> {
        unary!(self, request, get_package, true)
    }

    async fn put_package(
        &self,
        request: Request<PutPackageRequest>,
    ) -> Result<Response<PutPackageResponse>, Status> {
        unary!(self, request, put_package, true)
    }

    async fn delete_package(
        &self,
        request: Request<DeletePackageRequest>,
    ) -> Result<Response<DeletePackageResponse>, Status> {
        unary!(self, request, delete_package, true)
    }
}
