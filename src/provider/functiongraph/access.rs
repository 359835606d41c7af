//! What all threads of one target share: its credentials' state, and its project once that is
//! known.
//!
//! Each thread has connections of its own to the functions' host. A token, a count of refused
//! signatures and a looked-up project belong to the target, whichever thread met them.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio::time::timeout_at;

use super::auth::{Auth, Identity, Keys};
use super::endpoint::{Endpoint, Place};
use super::iam::{Iam, TokenSource};
use crate::call::Call;
use crate::credentials::Status;
use crate::credentials::token::Renewing;
use crate::error::{Error, Execution, Kind, Result, reason};
use crate::transport::Transport;

/// One target's access; cheap to clone, one for all threads.
#[derive(Clone, Debug)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    iam: Arc<Iam>,
    identity: Identity,
    place: OnceCell<Place>,
}

impl Access {
    /// Puts the parts together; opens no connection. `iam` is a transport of its own for IAM's
    /// host, which is asked for tokens, and for the project's id when none is configured.
    #[must_use]
    pub fn new(endpoint: Endpoint, iam: Transport, auth: Auth) -> Self {
        let iam = Arc::new(Iam {
            transport: iam,
            endpoint,
        });
        let identity = match auth {
            Auth::Keys(credentials) => Identity::Keys(Keys::new(credentials)),
            Auth::Login(login) => Identity::Token(Renewing::new(TokenSource {
                iam: Arc::clone(&iam),
                login,
            })),
        };
        Self(Arc::new(Inner {
            iam,
            identity,
            place: OnceCell::new(),
        }))
    }

    /// What operators may know of the credentials.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.0.identity {
            Identity::Keys(keys) => keys.credentials.status(),
            Identity::Token(tokens) => tokens.status(),
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.0.iam.endpoint
    }

    /// The project's place, if it is known without asking anyone.
    pub(super) fn known_place(&self) -> Option<&Place> {
        self.0.place.get()
    }

    /// The project's place; looked up once when the configuration names no project.
    pub(super) async fn place(&self, call: &mut Call) -> Result<&Place> {
        let Inner {
            iam,
            identity,
            place,
        } = &*self.0;
        if let Some(place) = place.get() {
            return Ok(place);
        }
        let deadline = call.deadline;
        let found = place.get_or_try_init(|| async {
            let endpoint = &iam.endpoint;
            match (endpoint.project_id(), identity) {
                (Some(project), _) => endpoint.place(project),
                (None, Identity::Keys(keys)) => {
                    keys.credentials.ready(deadline).await?;
                    endpoint.place(&iam.find_project(call, keys).await?)
                }
                (None, Identity::Token(tokens)) => match &tokens.get(deadline).await?.value.project
                {
                    Some(project) => endpoint.place(project),
                    None => Err(Error::new(
                        Kind::FailedPrecondition,
                        reason::PROJECT_UNKNOWN,
                        "IAM's token names no project; set project_id for this target.",
                    )),
                },
            }
        });
        // Another call may be looking it up, with more time than this one has.
        timeout_at(deadline, found)
            .await
            .unwrap_or_else(|_| Err(Call::out_of_time(Execution::NotStarted)))
    }
}
