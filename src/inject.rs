//! The sidecar put into a pod that asks for it: a pod, its annotations and a template → a JSON
//! Patch, or every mistake.
//!
//! Nothing here reads a file or a socket. What it knows of a pod is what it changes; everything
//! else passes through as it came, in its order. The template holds the sidecar's parts as the Helm
//! chart renders them, so that a policy of the cluster, the webhook and the command line make the
//! same pod.

mod change;
mod check;
mod documents;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod node;
mod object;
mod patch;
mod quantity;
mod review;
mod template;
mod wishes;

pub use change::{Change, Injection, inject};
pub use documents::{Changed, Documents};
pub use node::Node;
pub use object::{Ask, Seen};
pub use patch::Operation;
pub use review::{Answered, MAX_BODY, Refused, Verdict, review};
pub use template::Template;

/// What every annotation of ours begins with.
pub const PREFIX: &str = "faas-sidecar.io/";

/// The name of the container; a pod that has one of this name has its sidecar already.
pub const CONTAINER: &str = "faas-sidecar";

#[cfg(test)]
mod tests;
