/** What an application needs beside the generated types: the clients, JSON, calls as promises, the details of errors. */

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";
import type { ProtoGrpcType as ActionTypes } from "./gen/action.js";
import type { ProtoGrpcType as ErrorTypes } from "./gen/error_details.js";
import type { Json } from "./gen/faas/v1/Json.js";
import type { ProtoGrpcType as HealthTypes } from "./gen/health.js";
import type { ProtoGrpcType as InvocationTypes } from "./gen/invocation.js";
import type { ProtoGrpcType as StatusTypes } from "./gen/status.js";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const files = ["faas/v1/action.proto", "faas/v1/invocation.proto", "health/v1/health.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"];
const definition = loadSync(files, {
  includeDirs: [path("../../../proto"), path("../node_modules/google-proto-files"), path("../node_modules/grpc-health-check/proto")],
  keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
});

/** The services' clients and the messages, as `package.json` has the types generated. */
export const api = grpc.loadPackageDefinition(definition) as unknown as ActionTypes & InvocationTypes & HealthTypes & StatusTypes & ErrorTypes;

export const toJson = (value: unknown): Json => ({ text: JSON.stringify(value) });
export const fromJson = (message?: Json | null): any => JSON.parse(message?.text ?? "null");

/** The sidecar's grpc-retry-pushback-ms, which grpc-js obeys, says when to repeat, or not to; these pauses are for when it cannot be reached.
 *  What starts a function is not repeated after UNAVAILABLE: a sidecar that is killed says no more, and the function may have run. */
const pauses = { maxAttempts: 5, initialBackoff: "2s", maxBackoff: "10s", backoffMultiplier: 2 };
const starts = [
  { service: "faas.v1.InvocationService", method: "Invoke" }, { service: "faas.v1.InvocationService", method: "InvokeAsync" },
  { service: "faas.v1.TriggerService", method: "FireTrigger" },
];
export const retryPolicy = {
  "grpc.service_config": JSON.stringify({ methodConfig: [
    { name: [{}], retryPolicy: { ...pauses, retryableStatusCodes: ["UNAVAILABLE", "RESOURCE_EXHAUSTED"] } },
    { name: starts, retryPolicy: { ...pauses, retryableStatusCodes: ["RESOURCE_EXHAUSTED"] } },
  ] }),
};

export interface CallSettings { seconds?: number; signal?: AbortSignal; waitForReady?: boolean; headers?: Record<string, string>; }

/** One unary call as a promise. Its deadline is `seconds` from now; `signal` cancels it. */
export function unary<Response>(
  start: (metadata: grpc.Metadata, options: grpc.CallOptions, done: grpc.requestCallback<Response>) => grpc.ClientUnaryCall,
  { seconds = 10, signal, waitForReady = false, headers = {} }: CallSettings = {},
): Promise<Response> {
  const metadata = new grpc.Metadata({ waitForReady });
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve, reject) => {
    const call = start(metadata, { deadline: Date.now() + seconds * 1000 }, (error, response) => (error ? reject(error) : resolve(response!)));
    signal?.addEventListener("abort", () => call.cancel(), { once: true });
  });
}

/** A failed call: its code, reason and execution, and what its details say beside that. */
export class Failure {
  readonly code: string;
  readonly reason: string = "";
  /** Whether the function may have run: not_started, unknown or completed. Without details nobody knows. */
  readonly execution: string = "unknown";
  readonly fields: string[] = [];
  readonly retryDelayMs?: number;

  constructor(error: unknown) {
    const { code, metadata } = error as grpc.ServiceError;
    this.code = grpc.status[code];
    const { Status, ErrorInfo, BadRequest, RetryInfo } = api.google.rpc;
    const [packed] = metadata.get("grpc-status-details-bin");
    for (const { type_url, value } of packed ? Status.deserialize(packed as Buffer).details : []) {
      switch (type_url.split("/").pop()) {
        case "google.rpc.ErrorInfo": {
          const info = ErrorInfo.deserialize(value);
          [this.reason, this.execution] = [info.reason, info.metadata["execution"] ?? "unknown"];
          break;
        }
        case "google.rpc.BadRequest":
          this.fields = BadRequest.deserialize(value).field_violations.map((violation) => violation.field);
          break;
        case "google.rpc.RetryInfo": {
          const delay = RetryInfo.deserialize(value).retry_delay!;
          this.retryDelayMs = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
        }
      }
    }
  }

  toString() {
    return `${this.code} ${this.reason}, execution ${this.execution}`;
  }
}
