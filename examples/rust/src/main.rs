//! Deploys a function through the sidecar and calls it: results, deadlines, cancelling, errors,
//! retries, traces. ../README.md tells the steps.

mod faas;

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use faas::v1::action_service_client::ActionServiceClient;
use faas::v1::exec;
use faas::v1::invocation_service_client::InvocationServiceClient;
use faas::v1::{
    Action, DeleteActionRequest, Exec, FunctionGraphAction, InvokeRequest, InvokeResponse, Limits,
    PutActionRequest, Vpc,
};
use faas::{Failure, from_json, retrying, to_json, within};
use health::HealthCheckRequest;
use health::health_client::HealthClient;

mod health {
    tonic::include_proto!("grpc.health.v1");
}

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Item {
    sku: &'static str,
    count: u32,
}

#[derive(Serialize)]
struct Order {
    name: &'static str,
    items: Vec<Item>,
    /// How long the function takes.
    seconds: u32,
}

#[derive(Deserialize)]
struct Answer {
    message: String,
    count: u32,
}

struct Example {
    target: String,
    channel: Channel,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let target = std::env::var("FAAS_TARGET").unwrap_or_default();
    let example = Example {
        target,
        channel: open()?,
    };
    example.connect().await?;
    example.deploy().await?;
    example.invoke().await?;
    example.deadline().await?;
    example.cancel().await?;
    example.faults().await?;
    example.missing().await?;
    example.busy_and_retry().await?;
    example.request_id().await?;
    example.trace().await?;
    example.delete().await
}

/// `unix:/absolute/path` is an endpoint as it is; `host:port` becomes one.
fn open() -> Outcome<Channel> {
    let address = std::env::var("FAAS_SIDECAR_ADDRESS").unwrap_or_else(|_| "127.0.0.1:50051".to_owned());
    let endpoint = if address.starts_with("unix:") {
        address
    } else {
        format!("http://{address}")
    };
    Ok(Endpoint::from_shared(endpoint)?.connect_lazy())
}

impl Example {
    async fn connect(&self) -> Outcome {
        // tonic has no wait-for-ready: until the sidecar is there the call fails, and is repeated.
        let client = HealthClient::new(self.channel.clone());
        let request = HealthCheckRequest::default();
        let health = retrying(LIMIT, request, async |request| {
            client.clone().check(request).await
        })
        .await?;
        println!("connect: {}", health.get_ref().status().as_str_name());
        Ok(())
    }

    async fn deploy(&self) -> Outcome {
        let request = self.put("orders")?;
        let response = self.actions().put_action(within(LIMIT, request)).await?;
        println!(
            "deploy: {}",
            response.into_inner().action.unwrap_or_default().name
        );
        Ok(())
    }

    async fn invoke(&self) -> Outcome {
        let request = self.order(0)?;
        let response = self.invocations().invoke(within(LIMIT, request)).await?;
        show("invoke", response)
    }

    async fn deadline(&self) -> Outcome {
        let request = self.order(3)?;
        match self
            .invocations()
            .invoke(within(Duration::from_secs(2), request))
            .await
        {
            Ok(response) => {
                let run = response.into_inner().activation.unwrap_or_default();
                println!("deadline: {}", run.status().as_str_name());
            }
            Err(status) => {
                let Failure { code, execution, .. } = status.into();
                println!("deadline: {code:?}, execution {execution}");
            }
        }
        Ok(())
    }

    /// A call is cancelled by dropping its future, here when the time is over; no status comes back
    /// then.
    async fn cancel(&self) -> Outcome {
        let request = self.order(3)?;
        let mut client = self.invocations();
        let call = client.invoke(within(LIMIT, request));
        match timeout(Duration::from_millis(500), call).await {
            Err(_) => println!("cancel: {:?}", Code::Cancelled),
            Ok(_) => return Err("a call of three seconds ended in half a second".into()),
        }
        Ok(())
    }

    async fn faults(&self) -> Outcome {
        let mut request = self.put("or ders")?;
        request
            .action
            .get_or_insert_default()
            .limits
            .get_or_insert_default()
            .memory_mb = 300;
        let mut failure = refused(self.actions().put_action(within(LIMIT, request)).await)?;
        println!("faults: {failure}");
        failure.fields.sort();
        for field in &failure.fields {
            println!("faults: {field}");
        }
        Ok(())
    }

    async fn missing(&self) -> Outcome {
        let request = InvokeRequest {
            action_name: "missing".to_owned(),
            ..self.order(0)?
        };
        let failure = refused(self.invocations().invoke(within(LIMIT, request)).await)?;
        println!("missing: {failure}");
        Ok(())
    }

    /// Fills the target, which has room for one call, with a slow one: others are refused, and told
    /// when to come again.
    async fn busy_and_retry(&self) -> Outcome {
        let request = within(LIMIT, self.order(2)?);
        let mut client = self.invocations();
        let slow = tokio::spawn(async move { client.invoke(request).await });
        sleep(Duration::from_millis(500)).await;

        let request = self.order(0)?;
        let failure = refused(self.invocations().invoke(within(LIMIT, request.clone())).await)?;
        let again = failure.retry_delay.unwrap_or_default().as_millis();
        println!("busy: {failure}, again in {again} ms");

        let client = self.invocations();
        let response = retrying(LIMIT, request, async |request| {
            client.clone().invoke(request).await
        })
        .await?;
        show("retry", response)?;
        slow.await??;
        Ok(())
    }

    async fn request_id(&self) -> Outcome {
        let request = InvokeRequest {
            request_id: random_hex(32),
            ..self.order(0)?
        };
        let mut runs = Vec::new();
        for _ in 0..2 {
            let response = self.invocations().invoke(within(LIMIT, request.clone())).await?;
            runs.push(response.into_inner().activation.unwrap_or_default().activation_id);
        }
        println!(
            "request_id: {}",
            if runs[0] == runs[1] { "one run" } else { "two runs" }
        );
        Ok(())
    }

    /// A trace context made by hand; `opentelemetry` propagators write the same metadata.
    async fn trace(&self) -> Outcome {
        let trace_id = random_hex(32);
        let mut request = within(LIMIT, self.order(0)?);
        let traceparent = format!("00-{trace_id}-{}-01", random_hex(16)).parse()?;
        request.metadata_mut().insert("traceparent", traceparent);
        self.invocations().invoke(request).await?;
        println!("trace: {trace_id}");
        Ok(())
    }

    async fn delete(&self) -> Outcome {
        let request = DeleteActionRequest {
            target: self.target.clone(),
            action_name: "orders".to_owned(),
            ..Default::default()
        };
        self.actions().delete_action(within(LIMIT, request)).await?;
        println!("delete: orders");
        Ok(())
    }

    fn actions(&self) -> ActionServiceClient<Channel> {
        ActionServiceClient::new(self.channel.clone())
    }

    fn invocations(&self) -> InvocationServiceClient<Channel> {
        InvocationServiceClient::new(self.channel.clone())
    }

    fn put(&self, name: &str) -> Outcome<PutActionRequest> {
        let source = std::fs::read_to_string("../orders.js")?;
        let limits = Limits {
            timeout: Some(LIMIT.try_into()?),
            memory_mb: 256,
        };
        let greeting = to_json(&HashMap::from([("greeting", "Hello")]))?;
        let mut action = Action {
            limits: Some(limits),
            ..Default::default()
        };
        let mut exec = Exec {
            code: Some(exec::Code::Source(source)),
            ..Default::default()
        };
        if self.target == "functiongraph" {
            (exec.runtime, exec.main) = ("Node.js18.15".to_owned(), "index.handler".to_owned());
            let function = FunctionGraphAction {
                user_data: Some(greeting),
                ..Default::default()
            };
            action.function_graph = Some(function);
        } else {
            (exec.runtime, exec.main) = ("nodejs:22".to_owned(), "main".to_owned());
            action.parameters = Some(greeting);
            action.vpc.push(Vpc {
                vpc_no: 1,
                subnet_no: 2,
            });
        }
        action.exec = Some(exec);
        Ok(PutActionRequest {
            target: self.target.clone(),
            action_name: name.to_owned(),
            action: Some(action),
            ..Default::default()
        })
    }

    /// Kim's order, which takes so many seconds.
    fn order(&self, seconds: u32) -> Outcome<InvokeRequest> {
        let items = vec![Item { sku: "tea", count: 2 }, Item { sku: "cup", count: 1 }];
        let order = Order {
            name: "Kim",
            items,
            seconds,
        };
        Ok(InvokeRequest {
            target: self.target.clone(),
            action_name: "orders".to_owned(),
            arguments: Some(to_json(&order)?),
            ..Default::default()
        })
    }
}

fn show(step: &str, response: Response<InvokeResponse>) -> Outcome {
    let run = response.into_inner().activation.unwrap_or_default();
    let Answer { message, count } = from_json(run.result.unwrap_or_default())?;
    println!("{step}: {message} {count} items");
    Ok(())
}

/// The error of a call that must fail.
fn refused<T>(result: Result<T, Status>) -> Outcome<Failure> {
    match result {
        Ok(_) => Err("a call that must fail went well".into()),
        Err(status) => Ok(status.into()),
    }
}

fn random_hex(digits: usize) -> String {
    (0..digits).map(|_| fastrand::digit(16)).collect()
}
