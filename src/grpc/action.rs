//! `faas.v1.ActionService`.

use tonic::{Request, Response, Status};

use super::Services;
use super::edge::unary;
use crate::proto::action_service_server::ActionService;
use crate::proto::*;

#[tonic::async_trait]
impl ActionService for Services {
    async fn list_actions(
        &self,
        request: Request<ListActionsRequest>,
    ) -> Result<Response<ListActionsResponse>, Status> {
        unary!(self, request, list_actions, true)
    }

    async fn get_action(
        &self,
        request: Request<GetActionRequest>,
    ) -> Result<Response<GetActionResponse>, Status> {
        unary!(self, request, get_action, true)
    }

    async fn put_action(
        &self,
        request: Request<PutActionRequest>,
    ) -> Result<Response<PutActionResponse>, Status> {
        unary!(self, request, put_action, true)
    }

    async fn delete_action(
        &self,
        request: Request<DeleteActionRequest>,
    ) -> Result<Response<DeleteActionResponse>, Status> {
        unary!(self, request, delete_action, true)
    }

    async fn list_action_versions(
        &self,
        request: Request<ListActionVersionsRequest>,
    ) -> Result<Response<ListActionVersionsResponse>, Status> {
        unary!(self, request, list_action_versions, true)
    }

    async fn put_action_alias(
        &self,
        request: Request<PutActionAliasRequest>,
    ) -> Result<Response<PutActionAliasResponse>, Status> {
        unary!(self, request, put_action_alias, true)
    }

    async fn list_action_aliases(
        &self,
        request: Request<ListActionAliasesRequest>,
    ) -> Result<Response<ListActionAliasesResponse>, Status> {
        unary!(self, request, list_action_aliases, true)
    }

    async fn delete_action_alias(
        &self,
        request: Request<DeleteActionAliasRequest>,
    ) -> Result<Response<DeleteActionAliasResponse>, Status> {
        unary!(self, request, delete_action_alias, true)
    }

    async fn get_async_invoke_config(
        &self,
        request: Request<GetAsyncInvokeConfigRequest>,
    ) -> Result<Response<GetAsyncInvokeConfigResponse>, Status> {
        unary!(self, request, get_async_invoke_config, true)
    }

    async fn put_async_invoke_config(
        &self,
        request: Request<PutAsyncInvokeConfigRequest>,
    ) -> Result<Response<PutAsyncInvokeConfigResponse>, Status> {
        unary!(self, request, put_async_invoke_config, true)
    }

    async fn delete_async_invoke_config(
        &self,
        request: Request<DeleteAsyncInvokeConfigRequest>,
    ) -> Result<Response<DeleteAsyncInvokeConfigResponse>, Status> {
        unary!(self, request, delete_async_invoke_config, true)
    }

    // Publishing twice makes two versions.
    async fn publish_action_version(
        &self,
        request: Request<PublishActionVersionRequest>,
    ) -> Result<Response<PublishActionVersionResponse>, Status> {
        unary!(self, request, publish_action_version, false)
    }
}
