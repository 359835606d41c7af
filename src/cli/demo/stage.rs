//! Where a scenario plays: an emulated cloud, a sidecar led to it, a gRPC connection to that, and
//! the audience.

use std::collections::BTreeMap;
use std::fmt;

use tonic::transport::Channel;
use tonic::{Response, Status};

use super::show::{self, Step};
use crate::app::{EmulatedClouds, Emulators, Sidecar};
use crate::cli::address::Address;
use crate::cli::client::{Client, ClientFailure, failure};
use crate::cli::exit::Exit;
use crate::cli::invoke::InvokeOutput;
use crate::cli::io::Io;
use crate::cli::reach::Reach;
use crate::config::{self, Config, Sources};
use crate::env::Env;
use faas_emulator::{RecordedRequest, Running};

/// Where the secret keys of the emulated clouds are, which no request may hold.
const SECRETS: [&str; 2] = ["NCLOUD_SECRET_ACCESS_KEY", "HUAWEICLOUD_SDK_SK"];

/// Why the tour ends early: one sentence, perhaps with what was answered below it.
#[derive(Debug)]
pub(super) struct Unexpected(pub(super) String);

/// Where a scenario plays.
pub(super) struct Stage<'s, 'io> {
    io: &'s mut Io<'io>,
    emulators: Emulators,
    sidecar: Sidecar,
    client: Client,
    steps: usize,
    requests: usize,
}

/// The settings of a demo's sidecar; with no file, the target is the default one.
pub(super) fn settings() -> Result<Config, Unexpected> {
    let flags = [
        ("listen", "127.0.0.1:0"),
        ("threads", "1"),
        ("admin", "off"),
    ];
    config::load(&Sources {
        file: None,
        flags: BTreeMap::from(flags.map(|(key, value)| (key, value.to_owned()))),
        // Not the user's: the demo must not depend on what is set there.
        env: Env::fixed::<String, String>([]),
    })
    .map_err(|faults| Unexpected(format!("the demo's own configuration is wrong:\n{faults}")))
}

impl<'s, 'io> Stage<'s, 'io> {
    /// Starts the cloud and the sidecar, and connects.
    pub(super) async fn set(config: Config, io: &'s mut Io<'io>) -> Result<Self, Unexpected> {
        let fault = |why: &dyn fmt::Display| Unexpected(why.to_string());
        let emulators = Emulators::start(config, &EmulatedClouds::default())
            .await
            .map_err(|why| fault(&why))?;
        let sidecar =
            Sidecar::start(emulators.config(), &emulators.env()).map_err(|why| fault(&why))?;
        let Some(address) = sidecar.tcp() else {
            return Err(Unexpected("the sidecar has no TCP address".to_owned()));
        };
        let client = Client::connect(&Reach::plain(Address::Tcp(address.to_string())), None)
            .await
            .map_err(|failure| Unexpected(failure.message))?;
        Ok(Self {
            io,
            emulators,
            sidecar,
            client,
            steps: 0,
            requests: 0,
        })
    }

    /// Tells who talks to whom.
    pub(super) fn introduce(&mut self, cloud: &str) -> Result<(), Unexpected> {
        let sidecar = self
            .sidecar
            .tcp()
            .map(|address| address.to_string())
            .unwrap_or_default();
        let places: Vec<_> = self
            .emulators
            .iter()
            .map(|running| running.addr().to_string())
            .collect();
        self.tell(&format!(
            "  application --gRPC--> sidecar {sidecar} --signed REST--> emulated {cloud} {}\n\n",
            places.join(", ")
        ))
    }

    /// The connection to the sidecar.
    pub(super) fn channel(&self) -> Channel {
        self.client.channel()
    }

    /// Makes one call, shows it with the requests that it caused, and checks these.
    ///
    /// What was answered is for the caller to judge, and then to tell by [`Stage::got`].
    pub(super) async fn step<T>(
        &mut self,
        step: Step<'_>,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Result<T, ClientFailure>, Unexpected> {
        self.steps += 1;
        for running in self.emulators.iter() {
            running.clear_requests();
        }
        let answer = call
            .await
            .map(Response::into_inner)
            .map_err(|status| failure(&status));
        let sent: Vec<_> = self.emulators.iter().flat_map(Running::requests).collect();
        self.requests += sent.len();
        self.tell(&show::step(self.steps, &step, &sent))?;
        let env = self.emulators.env();
        let secrets: Vec<_> = SECRETS.iter().filter_map(|name| env.get(name)).collect();
        check(&step, &sent, &secrets).map_err(|why| match &answer {
            Ok(_) => Unexpected(why),
            Err(failure) => refused(&format!("{why}; the sidecar answered"), failure),
        })?;
        Ok(answer)
    }

    /// Like [`Stage::step`], for calls that must succeed.
    pub(super) async fn ok<T>(
        &mut self,
        step: Step<'_>,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Unexpected> {
        let method = step.method.to_owned();
        self.step(step, call)
            .await?
            .map_err(|failure| refused(&format!("{method} failed"), &failure))
    }

    /// Shows what the application got.
    pub(super) fn got(&mut self, lines: &[String]) -> Result<(), Unexpected> {
        self.tell(&show::answer(lines))
    }

    /// A tour that nobody can see is over.
    fn tell(&mut self, text: &str) -> Result<(), Unexpected> {
        ensure(self.io.print(text) == Exit::Clean, || {
            "stopped, for nothing more can be written".to_owned()
        })
    }

    /// Ends the sidecar as a SIGTERM would; answers how many steps were played and how many
    /// requests went out.
    pub(super) async fn clear(self) -> Result<(usize, usize), Unexpected> {
        drop(self.client);
        if self.sidecar.drain().await {
            Ok((self.steps, self.requests))
        } else {
            Err(Unexpected("the sidecar did not stop in time".to_owned()))
        }
    }
}

/// What must hold of the requests of a step.
fn check(step: &Step<'_>, sent: &[RecordedRequest], secrets: &[String]) -> Result<(), String> {
    if sent.len() != step.sends.len() {
        return Err(format!(
            "{} sent {} requests instead of {}",
            step.method,
            sent.len(),
            step.sends.len()
        ));
    }
    for (request, expected) in sent.iter().zip(step.sends) {
        if request.status != Some(*expected) {
            let status = request
                .status
                .map_or("nothing".to_owned(), |status| status.to_string());
            return Err(format!(
                "the cloud answered {} with {status} instead of {expected}",
                step.method
            ));
        }
        let holds_secret =
            |bytes: &[u8]| secrets.iter().any(|secret| holds(bytes, secret.as_bytes()));
        if holds_secret(&request.body)
            || request
                .headers
                .iter()
                .any(|(_, value)| holds_secret(value.as_bytes()))
        {
            return Err(format!("{} sent the secret key", step.method));
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn refused(what: &str, failure: &ClientFailure) -> Unexpected {
    Unexpected(format!(
        "{what}: {}",
        failure.render(InvokeOutput::Table).trim_end()
    ))
}

/// The next step's condition: what was answered is what had to be.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Unexpected> {
    if holds {
        Ok(())
    } else {
        Err(Unexpected(otherwise()))
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(status: Option<u16>, body: &str) -> RecordedRequest {
        RecordedRequest {
            method: "PUT".to_owned(),
            target: "/p".to_owned(),
            headers: Vec::new(),
            body: bytes::Bytes::from(body.to_owned()),
            status,
            time_ms: 0,
        }
    }

    #[test]
    fn a_step_that_goes_wrong_is_noticed() {
        let step = Step {
            title: "Look",
            method: "S/M",
            request: String::new(),
            sends: &[200],
        };
        let secrets = ["hunter2".to_owned(), "swordfish".to_owned()];
        assert_eq!(check(&step, &[sent(Some(200), "{}")], &secrets), Ok(()));
        for (requests, part) in [
            (vec![], "sent 0 requests instead of 1"),
            (vec![sent(Some(401), "")], "with 401"),
            (vec![sent(None, "")], "with nothing"),
            (vec![sent(Some(200), "xhunter2x")], "sent the secret key"),
            (vec![sent(Some(200), "swordfish")], "sent the secret key"),
        ] {
            let why = check(&step, &requests, &secrets).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }
}
