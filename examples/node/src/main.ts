// Deploys a function through the sidecar and calls it: results, deadlines, cancelling, errors, retries, traces. ../../README.md tells the steps.

import * as grpc from "@grpc/grpc-js";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure, api, fromJson, retryPolicy, toJson, unary, type CallSettings } from "./faas.js";
import type { HealthCheckResponse__Output } from "./gen/grpc/health/v1/HealthCheckResponse.js";
import type { InvokeResponse__Output } from "./gen/faas/v1/InvokeResponse.js";
import type { PutActionRequest } from "./gen/faas/v1/PutActionRequest.js";
import type { PutActionResponse__Output } from "./gen/faas/v1/PutActionResponse.js";

const address = process.env["FAAS_SIDECAR_ADDRESS"] ?? "127.0.0.1:50051";
const target = process.env["FAAS_TARGET"] ?? "";
const order = { name: "Kim", items: [{ sku: "tea", count: 2 }, { sku: "cup", count: 1 }] };

const insecure = grpc.credentials.createInsecure();
const health = new api.grpc.health.v1.Health(address, insecure, retryPolicy);
const actions = new api.faas.v1.ActionService(address, insecure, retryPolicy);
const invocations = new api.faas.v1.InvocationService(address, insecure, retryPolicy);

/** Calls the action with the order and what `more` adds to it. */
function invoke(more = {}, settings: CallSettings = {}, { action = "orders", requestId = "", client = invocations } = {}) {
  const request = { target, action_name: action, arguments: toJson({ ...order, ...more }), request_id: requestId };
  return unary<InvokeResponse__Output>((metadata, options, done) => client.invoke(request, metadata, options, done), settings);
}

function deploy(name: string, memoryMb: number) {
  const greeting = toJson({ greeting: "Hello" });
  const source = readFileSync(new URL("../../orders.js", import.meta.url), "utf8");
  const limits = { timeout: { seconds: 10 }, memory_mb: memoryMb };
  const action: PutActionRequest["action"] = target === "functiongraph"
    ? { exec: { runtime: "Node.js18.15", main: "index.handler", source }, limits, function_graph: { user_data: greeting } }
    : { exec: { runtime: "nodejs:22", main: "main", source }, limits, parameters: greeting, vpc: [{ vpc_no: 1, subnet_no: 2 }] };
  const request = { target, action_name: name, action };
  return unary<PutActionResponse__Output>((metadata, options, done) => actions.putAction(request, metadata, options, done));
}

function show(step: string, response: InvokeResponse__Output) {
  const result = fromJson(response.activation?.result);
  console.log(`${step}: ${result.message} ${result.count} items`);
}

/** What a call that must fail failed with. */
const failure = (call: Promise<unknown>) => call.then(() => Promise.reject(new Error("a call that must fail was OK")), (error) => new Failure(error));

const state = await unary<HealthCheckResponse__Output>((metadata, options, done) => health.check({}, metadata, options, done), { waitForReady: true });
console.log("connect:", state.status);

console.log("deploy:", (await deploy("orders", 256)).action?.name);

show("invoke", await invoke());

const slow = await invoke({ seconds: 3 }, { seconds: 2 }).catch((error) => new Failure(error));
console.log("deadline:", slow instanceof Failure ? `${slow.code}, execution ${slow.execution}` : slow.activation?.status);

const cancelled = await failure(invoke({ seconds: 3 }, { signal: AbortSignal.timeout(500) }));
console.log("cancel:", cancelled.code);

const faults = await failure(deploy("or ders", 300));
console.log("faults:", `${faults}`);
for (const field of faults.fields.sort()) console.log("faults:", field);

console.log("missing:", `${await failure(invoke({}, {}, { action: "missing" }))}`);

// The target has room for one call: a second one waits a moment, is refused, and told when to come again.
const first = invoke({ seconds: 2 });
await sleep(500);
const impatient = new api.faas.v1.InvocationService(address, insecure, { "grpc.enable_retries": 0 });
const busy = await failure(invoke({}, {}, { client: impatient }));
console.log(`busy: ${busy}, again in ${busy.retryDelayMs} ms`);
impatient.close();

// On a client with the policy, grpc-js repeats the same call when the sidecar said.
show("retry", await invoke());
await first;

const requestId = randomUUID();
const twice = [await invoke({}, {}, { requestId }), await invoke({}, {}, { requestId })].map((response) => response.activation?.activation_id);
console.log("request_id:", twice[0] === twice[1] ? "one run" : "two runs");

// An OpenTelemetry instrumentation of grpc-js sends this by itself.
const traceId = randomBytes(16).toString("hex");
await invoke({}, { headers: { traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01` } });
console.log("trace:", traceId);

await unary((metadata, options, done) => actions.deleteAction({ target, action_name: "orders" }, metadata, options, done));
console.log("delete: orders");
for (const client of [health, actions, invocations]) client.close();
