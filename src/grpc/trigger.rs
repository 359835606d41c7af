//! `faas.v1.TriggerService`.

use tonic::{Request, Response, Status};

use super::Services;
use super::edge::unary;
use crate::proto::trigger_service_server::TriggerService;
use crate::proto::*;

#[tonic::async_trait]
impl TriggerService for Services {
    async fn list_triggers(
        &self,
        request: Request<ListTriggersRequest>,
    ) -> Result<Response<ListTriggersResponse>, Status> {
        unary!(self, request, list_triggers, true)
    }

    async fn get_trigger(
        &self,
        request: Request<GetTriggerRequest>,
    ) -> Result<Response<GetTriggerResponse>, Status> {
        unary!(self, request, get_trigger, true)
    }

    async fn put_trigger(
        &self,
        request: Request<PutTriggerRequest>,
    ) -> Result<Response<PutTriggerResponse>, Status> {
        unary!(self, request, put_trigger, true)
    }

    async fn delete_trigger(
        &self,
        request: Request<DeleteTriggerRequest>,
    ) -> Result<Response<DeleteTriggerResponse>, Status> {
        unary!(self, request, delete_trigger, true)
    }

    async fn fire_trigger(
        &self,
        request: Request<FireTriggerRequest>,
    ) -> Result<Response<FireTriggerResponse>, Status> {
        let message = request.get_ref();
        let (id, idempotent) = (message.request_id.clone(), message.idempotent);
        if id.is_empty() {
            return unary!(self, request, fire_trigger, idempotent);
        }
        super::invocation::once!(self, request, fire_trigger, "FireTrigger", id, idempotent)
    }

    // Linking twice answers ALREADY_EXISTS.
    async fn link_action(
        &self,
        request: Request<LinkActionRequest>,
    ) -> Result<Response<LinkActionResponse>, Status> {
        unary!(self, request, link_action, false)
    }

    async fn unlink_action(
        &self,
        request: Request<UnlinkActionRequest>,
    ) -> Result<Response<UnlinkActionResponse>, Status> {
        unary!(self, request, unlink_action, true)
    }

    async fn get_trigger_activation(
        &self,
        request: Request<GetTriggerActivationRequest>,
    ) -> Result<Response<GetTriggerActivationResponse>, Status> {
        unary!(self, request, get_trigger_activation, true)
    }

    async fn list_trigger_activations(
        &self,
        request: Request<ListTriggerActivationsRequest>,
    ) -> Result<Response<ListTriggerActivationsResponse>, Status> {
        unary!(self, request, list_trigger_activations, true)
    }
}
