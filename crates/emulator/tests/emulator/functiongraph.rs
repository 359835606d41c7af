//! The emulated Huawei FunctionGraph over real sockets, each request signed here and not by the
//! code under test.
//!
//! | file | what it covers |
//! | --- | --- |
//! | `client` | a small HTTP client with its own signature |
//! | `gateway` | signature, lock, tokens, rights, routes, sizes, the recorder |
//! | `iam` | tokens by password and by agency, projects |
//! | `functions` | create, read, change, list, delete and their error codes |
//! | `versions` | versions and aliases |
//! | `invoke` | the synchronous run: both answers, errors, limits |
//! | `runtimes` | JavaScript and Python: conventions, context, limits |
//! | `queue` | asynchronous runs, their configuration and their records |
//! | `shapes` | every answer against its document; updates that the cloud refuses |
//! | `faults` | what goes wrong on purpose, and what outlives a restart |

mod client;
mod faults;
mod functions;
mod gateway;
mod iam;
mod invoke;
mod queue;
mod runtimes;
mod shapes;
mod versions;
